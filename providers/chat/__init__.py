"""A chat request as values: what a caller asks for, read once from OpenAI's JSON, for dialects that speak another."""
