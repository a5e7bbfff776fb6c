"""Operates: the `laneway` command, settings, the embedded server, the supervisor of everything that `up` starts."""
