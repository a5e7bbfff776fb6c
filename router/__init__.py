"""What Laneway decides: pure functions of values. No I/O, no clock, no randomness, no environment of its own."""
