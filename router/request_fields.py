"""Request fields that mean something to gateways and must never come from a caller."""

from collections.abc import Mapping
from typing import Any

STEERING_FIELDS = frozenset(
    {
        "api_base", "api_key", "api_type", "api_version", "aws_access_key_id", "aws_secret_access_key",
        "aws_session_token", "azure_ad_token", "azure_endpoint", "base_url", "custom_llm_provider", "extra_body",
        "extra_headers", "extra_query", "headers", "organization", "user_config", "vertex_credentials",
    }
)  # fmt: skip
"""They would send a request, and perhaps our key, to an address of the caller's choice, or as another account."""


def steering(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Find a field that steers: its name, and why it is refused. None where there is none."""
    if STEERING_FIELDS.isdisjoint(body):
        return None
    name = min(STEERING_FIELDS.intersection(body))
    return name, f"{name!r} may not be in a body: where a request goes, and as whom, is configured on the server."
