"""Credentials that are made: for providers without a key, of what the settings or the machine hold. Only the client
uses them; here is a clock, the network and whatever the clouds' own libraries read."""
