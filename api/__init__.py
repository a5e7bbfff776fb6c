"""Asks: the HTTP API. One module per resource; it writes what is asked into the store and never calls a provider."""
