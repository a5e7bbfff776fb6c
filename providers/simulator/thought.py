"""The thought: what a thinking model says to itself, and the signature by which it knows its own words again."""

import base64
import hashlib
from typing import Final

_SECRET: Final = b"a simulated mind"
_QUOTE_CHARS: Final = 60


def thought(question: str) -> str:
    """Return the thought that precedes the answer to a question."""
    quote = " ".join(question[:_QUOTE_CHARS].split())
    return f"The question is: {quote}. I know what to say."


def signature(words: str) -> str:
    """Return the signature of a thought, or of whatever else a provider signs: base64, as it goes on the wire."""
    return base64.b64encode(hashlib.blake2b(words.encode("utf-8", "surrogatepass"), key=_SECRET).digest()).decode()
