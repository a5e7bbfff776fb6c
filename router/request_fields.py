"""Request fields that mean something to gateways and must never come from a caller."""

STEERING_FIELDS = frozenset(
    {"api_base", "api_key", "api_version", "base_url", "extra_body", "extra_headers", "extra_query"}
)
"""They would send a request, and perhaps our key, to an address of the caller's choice."""
