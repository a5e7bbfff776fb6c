"""The tables of the first schema, a file for each group; version 0001 creates them."""
