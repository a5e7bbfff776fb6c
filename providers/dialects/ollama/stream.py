"""The lines of a stream of Ollama's, as chunks of OpenAI's shape: each is an answer of which it holds the new part."""

from collections.abc import Sequence
from typing import Any

import orjson

from providers.dialects.error_body import ErrorBody
from providers.dialects.ollama.response import call_of, find_error, finish_of, logprobs_of, usage_of
from providers.dialects.sse import Event


class OllamaEvents:
    """Reads one stream."""

    def __init__(self) -> None:
        self._calls = 0

    def read(self, event: Event) -> Sequence[dict[str, Any]] | ErrorBody | None:
        """Read one line. See `EventReader.read`."""
        data = orjson.loads(event.data)
        error = find_error(data, refused=False)
        if error is not None:
            return error
        if "message" not in data:
            return None
        delta = self._delta(data["message"])
        finish = finish_of(data, has_tool_calls=self._calls > 0)
        if not delta and finish is None:
            return ()
        choice = {"index": 0, "delta": delta, "logprobs": logprobs_of(data.get("logprobs")), "finish_reason": finish}
        return [{"model": data.get("model"), "choices": [choice], "usage": usage_of(data)}]

    def _delta(self, said: dict[str, Any]) -> dict[str, Any]:
        delta = {}
        if content := said.get("content"):
            delta["content"] = content
        if thinking := said.get("thinking"):
            delta["reasoning_content"] = thinking
        if calls := said.get("tool_calls"):  # each comes whole, in one line
            delta["tool_calls"] = [{"index": self._calls + at, **call_of(call)} for at, call in enumerate(calls)]
            self._calls += len(calls)
        return delta
