"""Measuring limits: how much of what providers allow is used, and who waits how long meanwhile."""
