"""The names that the fuzzer's two environments have in common."""

HOOKS = "tests.fuzz.checks"
WITHOUT_KEY = "FUZZ_WITHOUT_KEY"
"""Set where requests carry no key."""
