"""A thinking block: a piece of reasoning in the form in which a caller gets it and hands it back."""

from typing import Any


def sealed(text: str, signature: str) -> dict[str, Any]:
    """Return reasoning with the provider's seal over it, empty where there is none."""
    return {"type": "thinking", "thinking": text, "signature": signature}


def redacted(data: str) -> dict[str, Any]:
    """Return reasoning that only the provider can read."""
    return {"type": "redacted_thinking", "data": data}
