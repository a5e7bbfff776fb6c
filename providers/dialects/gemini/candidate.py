"""A candidate: one choice of an answer, read whole or in the pieces of a stream, into deltas of OpenAI's shape.

Pictures go beside the content as `images`, a list of `image_url` parts with data URLs. The signature of a thought goes
with the tool call that it belongs to, else with the message, as `extra_content.google.thought_signature`.
"""

from typing import Any

import orjson

from providers.dialects.gemini.ending import PLAIN, finish_reason
from providers.dialects.gemini.logprobs import read_logprobs
from providers.dialects.gemini.partial_call import PartialCall


class Candidate:
    """Reads the pieces of one candidate in order."""

    def __init__(self) -> None:
        self.has_ended = False
        self._open: PartialCall | None = None
        self._calls = 0
        self._says_something = False

    @property
    def is_mid_call(self) -> bool:
        """Whether a call's arguments are being put together here."""
        return self._open is not None

    def read(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return `delta`, `finish_reason` and `logprobs` of a piece; None for one that says nothing."""
        delta: dict[str, Any] = {}
        for part in (data.get("content") or {}).get("parts") or ():
            self._read_part(part, delta)
        word = data.get("finishReason")
        if word:
            self._close_call(delta)
            self.has_ended = True
        if delta.keys() & {"content", "tool_calls", "images"}:
            self._says_something = True
        logprobs = read_logprobs(data.get("logprobsResult"))
        if not (delta or word or logprobs):
            return None
        return {"delta": delta, "logprobs": logprobs, **self._ending(word)}

    def _ending(self, word: Any) -> dict[str, Any]:
        """Say how it ended, with Google's word beside where it tells more than OpenAI's."""
        if not word:
            return {"finish_reason": None}
        ending = finish_reason(str(word), says_something=self._says_something, calls_tools=self._calls > 0)
        return {"finish_reason": ending} if word in PLAIN else {"finish_reason": ending, "native_finish_reason": word}

    def _read_part(self, part: dict[str, Any], delta: dict[str, Any]) -> None:
        signature = part.get("thoughtSignature")
        signature = signature if type(signature) is str and signature else None
        if (call := part.get("functionCall")) is not None:
            self._read_call(call, signature, delta)
            return
        if text := part.get("text"):
            name = "reasoning_content" if part.get("thought") else "content"
            delta[name] = delta.get(name, "") + text
        elif (blob := part.get("inlineData")) and (media_type := blob.get("mimeType", "")).startswith("image/"):
            url = f"data:{media_type};base64,{blob['data']}"
            delta.setdefault("images", []).append({"type": "image_url", "image_url": {"url": url}})
        if signature:
            delta["extra_content"] = _signed(signature)

    def _read_call(self, call: dict[str, Any], signature: str | None, delta: dict[str, Any]) -> None:
        """Read a call or a piece of one: a piece without a name belongs to the call that is open."""
        if call.get("name"):
            self._close_call(delta)
            self._open = PartialCall(call, signature)
        elif self._open is not None:
            self._open.add(call)
        if not call.get("willContinue"):
            self._close_call(delta)

    def _close_call(self, delta: dict[str, Any]) -> None:
        if self._open is None:
            return
        call, self._open = self._open, None
        function = {"name": call.name, "arguments": orjson.dumps(call.input).decode()}
        written: dict[str, Any] = {"index": self._calls, "type": "function", "function": function}
        if call.id:
            written["id"] = call.id
        if call.signature:
            written["extra_content"] = _signed(call.signature)
        delta.setdefault("tool_calls", []).append(written)
        self._calls += 1


def _signed(signature: str) -> dict[str, Any]:
    return {"google": {"thought_signature": signature}}
