"""The GenerateContentResponse: a finished answer as Gemini gives it, whole or in pieces."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

import orjson

from providers.simulator.chat import ChatRequest
from providers.simulator.chunks import pieces
from providers.simulator.faces.gemini.signing import call_signature
from providers.simulator.tokens import reported

_REASONS: Final = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}


def response(asked: ChatRequest, value: dict[str, Any]) -> dict[str, Any]:
    """Return the whole response of an OpenAI answer."""
    return {
        "candidates": [_candidate(choice) for choice in value["choices"]],
        **_usage(value),
        "modelVersion": asked.model,
        "responseId": value["id"].removeprefix("chatcmpl-"),
    }


def pieces_of(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a response as the pieces of a stream: each a response with what is new, usage in every one."""
    rest = {name: member for name, member in whole.items() if name != "candidates"}
    rounds = zip_longest(*(_rounds(candidate) for candidate in whole["candidates"]))
    return [{"candidates": [one for one in several if one], **rest} for several in rounds]


def _candidate(choice: dict[str, Any]) -> dict[str, Any]:
    said = choice["message"]
    thought = said.get("reasoning_content")
    parts: list[dict[str, Any]] = [{"text": thought, "thought": True}] if thought else []
    if said["content"]:
        parts.append({"text": said["content"]})
    for number, call in enumerate(said.get("tool_calls", ())):
        called = {"name": call["function"]["name"], "args": orjson.loads(call["function"]["arguments"])}
        signed = {"thoughtSignature": call_signature(called)} if thought and number == 0 else {}
        parts.append({"functionCall": called, **signed})
    content = {"content": {"parts": parts, "role": "model"}} if parts else {}
    return {**content, "finishReason": _REASONS[choice["finish_reason"]], "index": choice["index"]}


def _rounds(candidate: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one candidate's pieces; function calls come whole, and the finish reason with an empty text."""
    for part in candidate.get("content", {}).get("parts", ()):
        texts = [{**part, "text": piece} for piece in pieces(part["text"])] if "text" in part else [part]
        for piece in texts:
            yield {"content": {"parts": [piece], "role": "model"}, "index": candidate["index"]}
    yield {**candidate, "content": {"parts": [{"text": ""}], "role": "model"}}


def _usage(value: dict[str, Any]) -> dict[str, Any]:
    """Return `usageMetadata`: thoughts are not part of the candidates' tokens, and what is nought is left out."""
    usage = reported(value)
    if usage is None:
        return {}
    counts = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.completion_tokens - usage.reasoning_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "totalTokenCount": usage.prompt_tokens + usage.completion_tokens,
    }
    modality = {"promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.prompt_tokens}]}
    return {"usageMetadata": {name: count for name, count in counts.items() if count} | modality}
