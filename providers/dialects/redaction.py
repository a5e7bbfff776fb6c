"""Redaction: take credentials out of text that a provider wrote, before anyone stores or shows it."""

import re

from providers.completion import Target

LEAST_SECRET_CHARS = 8
"""Shorter settings (a profile's name, a number) are words that a message may hold."""
MAX_MESSAGE_CHARS = 1_000
REDACTED = "[redacted]"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SECRETS = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|nvapi|hf|r8|fw|pplx|csk)[-_][\w*.\-]{6,}"  # vendors' key prefixes, masked keys too
    r"|\bAIza[\w\-]{20,}"
    r"|\bBearer\s+[^\s\"',;]+"
    r"|\beyJ[\w\-]{10,}(?:\.[\w\-]+)*"  # JSON web tokens
    rf"|(?<![\w\-])(?!{_UUID})(?=[A-Za-z_\-]*[0-9])[\w\-]{{32,}}",  # any long token with a digit in it
    re.IGNORECASE,
)


def redact(text: str, target: Target) -> str:
    """Return the text without keys and cut to 1,000 characters.

    The call's own key and secrets are removed literally; anything else that looks like a key or a long token by shape.
    UUIDs stay: they are request ids that support asks for.
    """
    if target.api_key and len(target.api_key) >= 4:
        text = text.replace(target.api_key, REDACTED)
    for _, secret in target.secrets:
        if len(secret) >= LEAST_SECRET_CHARS:
            text = text.replace(secret, REDACTED)
    text = _SECRETS.sub(REDACTED, text[: 4 * MAX_MESSAGE_CHARS])
    return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "…"
