"""Log probabilities of a candidate's tokens, in OpenAI's shape."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any


def read_logprobs(result: Any) -> dict[str, Any] | None:
    """Return them; None where the server says nothing of them."""
    if not result:
        return None
    chosen, tops = result.get("chosenCandidates") or [], result.get("topCandidates") or []
    pairs: Iterable[tuple[dict[str, Any], dict[str, Any]]] = zip_longest(chosen, tops[: len(chosen)], fillvalue={})
    return {
        "content": [
            {**_token(token), "top_logprobs": [_token(other) for other in top.get("candidates") or ()]}
            for token, top in pairs
        ],
        "refusal": None,
    }


def _token(scored: dict[str, Any]) -> dict[str, Any]:
    """Return one token. The server leaves out what is zero or empty."""
    text = scored.get("token", "")
    return {"token": text, "logprob": scored.get("logProbability", 0.0), "bytes": list(text.encode())}
