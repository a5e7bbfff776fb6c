"""The fuzzer's run: `make fuzz`."""
