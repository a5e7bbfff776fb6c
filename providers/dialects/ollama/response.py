"""An answer of Ollama's, in OpenAI's shape."""

from collections.abc import Iterable
from typing import Any

from providers.dialects.error_body import ErrorBody, read_error

NO_ANSWERS = frozenset({"load", "unload"})
"""`done_reason` of a server that only took a model into its memory or out of it: nothing was answered."""

_UNAVAILABLE = 503


def chat_answer(data: dict[str, Any]) -> dict[str, Any]:
    """Translate a chat answer."""
    said = data["message"]
    message: dict[str, Any] = {"role": "assistant", "content": said.get("content") or None, "refusal": None}
    if thinking := said.get("thinking"):
        message["reasoning_content"] = thinking
    calls = said.get("tool_calls") or ()
    if calls:
        message["tool_calls"] = [call_of(call) for call in calls]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": logprobs_of(data.get("logprobs")),
        "finish_reason": finish_of(data, has_tool_calls=bool(calls)),
    }
    return {"model": data.get("model"), "choices": [choice], "usage": usage_of(data)}


def embed_answer(data: dict[str, Any]) -> dict[str, Any]:
    """Translate an embeddings answer."""
    vectors = data["embeddings"]
    items = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return {"object": "list", "model": data.get("model"), "data": items, "usage": usage_of(data)}


def find_error(data: Any, *, refused: bool) -> ErrorBody | None:
    """Find an error in the body of an answer or in one line of a stream."""
    reason = data.get("done_reason") if type(data) is dict else None
    if type(reason) is str and reason in NO_ANSWERS:
        return ErrorBody(f"the server ended with {reason!r} instead of an answer", code=reason, status=_UNAVAILABLE)
    return read_error(data, refused=refused)


def finish_of(data: dict[str, Any], *, has_tool_calls: bool) -> Any:
    """Return OpenAI's word for how an answer ended, None while it goes on. Calls of tools end with `stop`, too."""
    if not data.get("done"):
        return None
    reason = data.get("done_reason") or "stop"
    return "tool_calls" if reason == "stop" and has_tool_calls else reason


def call_of(call: dict[str, Any]) -> dict[str, Any]:
    """Translate a tool call; servers before 0.12 give it no id."""
    function = call["function"]
    function = {"name": function["name"], "arguments": function.get("arguments")}
    return {"id": call.get("id"), "type": "function", "function": function}


def logprobs_of(tokens: Iterable[dict[str, Any]] | None) -> dict[str, Any] | None:
    """Translate log probabilities, token by token."""
    content = [{**token, "top_logprobs": token.get("top_logprobs") or []} for token in tokens or ()]
    return {"content": content, "refusal": None} if content else None


def usage_of(data: dict[str, Any]) -> dict[str, Any] | None:
    """Translate the counts; None where the input is not counted, as older servers do when it was cached."""
    prompt, completion = data.get("prompt_eval_count"), data.get("eval_count") or 0
    if prompt is None:
        return None
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
