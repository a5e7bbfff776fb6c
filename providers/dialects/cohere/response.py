"""An answer of Cohere's, in OpenAI's shape."""

from collections.abc import Iterable
from typing import Any

from providers.dialects.chat_mending import whole

FINISH = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
"""How an answer ends. `ERROR`, `TIMEOUT` and words not listed here mean to everyone what they mean to Cohere."""


def chat_answer(data: dict[str, Any]) -> dict[str, Any]:
    """Translate a chat answer."""
    said = data["message"]
    content = said.get("content") or ()
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    message: dict[str, Any] = {"role": "assistant", "content": _joined(parts, "text") or None, "refusal": None}
    if reasoning := _joined(parts, "thinking") + (said.get("tool_plan") or ""):
        message["reasoning_content"] = reasoning
    if calls := said.get("tool_calls"):
        message["tool_calls"] = [call_of(call) for call in calls]
    if citations := said.get("citations"):
        message["annotations"] = citations
    choice = {
        "index": 0,
        "message": message,
        "logprobs": logprobs_of(data.get("logprobs")),
        "finish_reason": finish_of(data["finish_reason"]),
    }
    return {"id": data.get("id"), "choices": [choice], "usage": usage_of(data.get("usage"))}


def embed_answer(data: dict[str, Any]) -> dict[str, Any]:
    """Translate an embeddings answer."""
    vectors = data["embeddings"]["float"]
    items = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {"object": "list", "data": items, "usage": usage_of(data.get("meta"))}


def finish_of(word: Any) -> Any:
    """Return OpenAI's word for how an answer ended; a word that is not known as it came."""
    return FINISH.get(word, word)


def call_of(call: dict[str, Any]) -> dict[str, Any]:
    """Translate a whole tool call. One that takes no arguments has `null` for them."""
    function = call["function"]
    arguments = function.get("arguments")
    arguments = None if arguments == "null" else arguments
    return {"id": call.get("id"), "type": "function", "function": {"name": function["name"], "arguments": arguments}}


def logprobs_of(items: Iterable[dict[str, Any]] | None) -> dict[str, Any] | None:
    """Translate log probabilities. An item is a piece of text of one token or more, whose probabilities multiply."""
    tokens = [_token(item) for item in items or () if item.get("logprobs")]
    return {"content": tokens, "refusal": None} if tokens else None


def _token(item: dict[str, Any]) -> dict[str, Any]:
    text = item.get("text") or ""
    return {"token": text, "logprob": sum(item["logprobs"]), "bytes": list(text.encode()), "top_logprobs": []}


def usage_of(meta: dict[str, Any] | None) -> dict[str, Any] | None:
    """Translate the counts of a call: those of the model; the billed ones, which leave some out, only without them."""
    if not meta or not (counts := meta.get("tokens") or meta.get("billed_units")):
        return None
    prompt, completion = whole(counts.get("input_tokens")), whole(counts.get("output_tokens")) or 0
    if prompt is None:
        return None
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": whole(meta.get("cached_tokens")) or 0},
    }


def _joined(parts: Iterable[dict[str, Any]], kind: str) -> str:
    return "".join(part.get(kind) or "" for part in parts if part.get("type") == kind)
