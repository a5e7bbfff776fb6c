"""One choice of a streamed answer: its deltas checked, mended where clients' types would refuse them, and gathered.

A delta is plain when clients can add it to the ones before it: the role comes once, at the start; a tool call brings
id, type and name with its first piece and only arguments with the later ones.
"""

import hashlib
from typing import Any

import orjson

from providers.dialects.chat_shape import are_plain_logprobs
from providers.dialects.finish_reason import KNOWN, known_finish
from providers.dialects.message_mending import mend_content, mend_reasoning
from providers.dialects.stream_call import StreamedCall, is_plain_piece, mend_piece
from providers.failure import ErrorClass

RARE_DELTA_FIELDS = ("function_call", "audio", "annotations")
_AUDIO = {"id": str, "data": str, "transcript": str, "expires_at": int}
_LISTS = frozenset({"annotations", "images", "reasoning_details", "thinking_blocks"})
NUMBERED = ("annotations", "images", "thinking_blocks")
"""Lists of objects that grow over several chunks. The official client adds such lists up by the items' `index`."""
_NOT_GATHERED = frozenset({"role", "tool_calls", "index"})


class StreamedChoice:
    """Takes the pieces of one choice in order."""

    def __init__(self, index: int, stream_id: str) -> None:
        self.index = index
        self.finish_reason: str | None = None
        self.kept_bytes = 0
        """About how much was gathered, so that no stream can fill the memory."""
        self._owner = f"{stream_id}:{index}"
        self._role_came = False
        self._texts: dict[str, list[str]] = {}
        self._others: dict[str, Any] = {}
        self._beside: dict[str, Any] = {}
        self._calls: dict[int, StreamedCall] = {}
        self._logprobs: dict[str, list[Any]] = {}

    def is_plain(self, choice: dict[str, Any]) -> bool:
        """Tell whether a piece can be handed on as it came. Its `index` is this choice's."""
        delta, word = choice.get("delta"), choice.get("finish_reason")
        return (
            type(delta) is dict
            and self._is_plain_delta(delta)
            and (word is None or (type(word) is str and word in KNOWN and not self._silent_calls(delta)))
            and (choice.get("logprobs") is None or are_plain_logprobs(choice["logprobs"]))
        )

    def mend(self, choice: dict[str, Any]) -> ErrorClass | None:
        """Change a piece in place until it is plain; the class of failure when its ending announces one."""
        delta = choice["delta"] = _delta_of(choice)
        self._mend_delta(delta)
        ending = self._mend_ending(choice)
        if ending is None and choice["finish_reason"] and (silent := self._silent_calls(delta)):
            calls = delta.setdefault("tool_calls", [])
            calls += [{"index": place, "function": {"arguments": "{}"}} for place in silent]
        if choice.get("logprobs") is not None and not are_plain_logprobs(choice["logprobs"]):
            choice["logprobs"] = None
        return ending

    def take(self, choice: dict[str, Any]) -> None:
        """Gather a plain piece."""
        delta = choice["delta"]
        self._role_came = True
        content = delta.get("content")
        if content and len(delta) == 1:
            self._texts.setdefault("content", []).append(content)
            self.kept_bytes += len(content)
        else:
            self._gather(delta)
        for call in delta.get("tool_calls") or ():
            self._calls.setdefault(call["index"], StreamedCall()).take(call)
            self.kept_bytes += len(call["function"].get("arguments") or "") + 50
        if choice.get("finish_reason"):
            self.finish_reason = choice["finish_reason"]
        for name, tokens in (choice.get("logprobs") or {}).items():
            if type(tokens) is list:
                self._logprobs.setdefault(name, []).extend(tokens)
                self.kept_bytes += 200 * len(tokens)
        for name in choice.keys() - {"index", "delta", "finish_reason", "logprobs"}:
            self._beside[name] = choice[name]

    def close(self) -> dict[str, Any] | None:
        """End a choice whose ending never came; returns the piece that says so, None when it had ended."""
        if self.finish_reason is not None:
            return None
        silent = [{"index": place, "function": {"arguments": "{}"}} for place in self._silent_calls({})]
        delta = {"tool_calls": silent} if silent else {}
        piece = {"index": self.index, "delta": delta, "finish_reason": self._usual_ending()}
        self.take(piece)
        return piece

    def whole(self) -> dict[str, Any]:
        """Return the choice as a completion that was not streamed has it."""
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items()} | self._others
        if self._calls:
            message["tool_calls"] = [self._calls[place].whole() for place in sorted(self._calls)]
        logprobs = {"content": None, "refusal": None} | self._logprobs if self._logprobs else None
        choice = {"index": self.index, "message": message, "logprobs": logprobs, "finish_reason": self.finish_reason}
        return {**self._beside, **choice}

    def _is_plain_delta(self, delta: dict[str, Any]) -> bool:
        content, refusal, calls = delta.get("content"), delta.get("refusal"), delta.get("tool_calls")
        return (
            delta.get("role") == (None if self._role_came else "assistant")
            and (content is None or type(content) is str)
            and (refusal is None or type(refusal) is str)
            and (calls is None or self._are_plain_calls(calls))
            and all(delta.get(name) is None for name in (*RARE_DELTA_FIELDS, *NUMBERED))
            and ("reasoning_content" in delta or not (delta.get("reasoning") or delta.get("reasoning_details")))
            and ((reasoning := delta.get("reasoning_content")) is None or type(reasoning) is str)
        )

    def _are_plain_calls(self, calls: Any) -> bool:
        return type(calls) is list and all(
            type(call) is dict
            and type(place := call.get("index")) is int
            and is_plain_piece(call, begun=place in self._calls)
            for call in calls
        )

    def _mend_delta(self, delta: dict[str, Any]) -> None:
        delta.pop("role", None)
        if not self._role_came:
            delta["role"] = "assistant"
        mend_content(delta)
        mend_reasoning(delta)
        for name in ("refusal", "reasoning_content"):
            if type(delta.get(name, "")) is not str:
                delta[name] = None
        if "tool_calls" in delta:
            delta["tool_calls"] = self._mended_calls(delta["tool_calls"])
            if not delta["tool_calls"]:
                del delta["tool_calls"]
        _mend_rare_fields(delta)
        for name in NUMBERED:
            if type(items := delta.get(name)) is list:
                begun = len(self._others.get(name) or ())
                delta[name] = [_numbered(item, begun + place) for place, item in enumerate(items)]

    def _mended_calls(self, calls: Any) -> list[dict[str, Any]]:
        mended: list[dict[str, Any]] = []
        used: set[int] = set()
        for position, call in enumerate(calls if type(calls) is list else []):
            if type(call) is not dict:
                continue
            place = self._place_of(call, position, used)
            minted = "call_" + hashlib.blake2b(f"{self._owner}:{place}".encode(), digest_size=12).hexdigest()
            if mend_piece(call, place, minted, begun=place in self._calls or place in used):
                used.add(place)
                mended.append(call)
        return mended

    def _place_of(self, call: dict[str, Any], position: int, used: set[int]) -> int:
        """Say which call a piece belongs to: its index, else the call of its id, else its position in the list."""
        if type(call.get("index")) is int:
            return int(call["index"])
        identity = call.get("id")
        if type(identity) is str and identity:
            known = next((place for place, each in self._calls.items() if each.id == identity), None)
            return max((-1, *self._calls, *used)) + 1 if known is None else known
        return position

    def _mend_ending(self, choice: dict[str, Any]) -> ErrorClass | None:
        word = choice.get("finish_reason")
        if type(word) is not str or not word.strip():  # many servers send an empty word with every piece
            choice["finish_reason"] = None
            return None
        ending = known_finish(word, has_tool_calls=bool(self._calls or choice["delta"].get("tool_calls")))
        if isinstance(ending, ErrorClass):
            return ending
        if ending != word:
            choice["finish_reason"] = ending
            choice.setdefault("native_finish_reason", word)
        return None

    def _silent_calls(self, delta: dict[str, Any]) -> list[int]:
        """List the calls that would end without any arguments: clients want at least an empty object."""
        came = {call["index"]: bool(call["function"].get("arguments")) for call in delta.get("tool_calls") or ()}
        places = {*self._calls, *came}
        return sorted(
            place
            for place in places
            if not came.get(place) and not (place in self._calls and self._calls[place].has_arguments)
        )

    def _usual_ending(self) -> str:
        return "tool_calls" if self._calls else "stop"

    def _gather(self, delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            if value is None or name in _NOT_GATHERED:
                continue
            if type(value) is str:
                self._texts.setdefault(name, []).append(value)
                self.kept_bytes += len(value)
            else:
                self.kept_bytes += len(orjson.dumps(value))
                if name in NUMBERED and type(value) is list:
                    value = [_unnumbered(item) for item in value]
                self._others[name] = _joined(self._others.get(name), value, name)


def _numbered(item: Any, place: int) -> Any:
    return {"index": place, **item} if type(item) is dict else item


def _unnumbered(item: Any) -> Any:
    return {key: value for key, value in item.items() if key != "index"} if type(item) is dict else item


def _delta_of(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a piece's delta; a server that streams a whole `message` means the same."""
    for name in ("delta", "message"):
        if type(choice.get(name)) is dict:
            delta: dict[str, Any] = choice[name]
            choice.pop("message", None)
            return delta
    return {}


def _mend_rare_fields(delta: dict[str, Any]) -> None:
    call, audio = delta.get("function_call"), delta.get("audio")
    if "function_call" in delta and not (
        type(call) is dict
        and all(type(call.get(name, "")) is str for name in ("name", "arguments"))
        and any(call.values())
    ):
        del delta["function_call"]
    if "audio" in delta and not (
        type(audio) is dict and all(type(audio.get(name, kind())) is kind for name, kind in _AUDIO.items())
    ):
        del delta["audio"]


def _joined(old: Any, new: Any, name: str) -> Any:
    """Add a piece to what came of a field: lists grow, texts inside objects grow, anything else is replaced."""
    if type(old) is list and type(new) is list and name in _LISTS:
        old.extend(new)
        return old
    if type(old) is dict and type(new) is dict:
        return old | {key: _joined(old.get(key), value, key) for key, value in new.items()}
    if type(old) is str and type(new) is str and name in ("arguments", "data", "transcript"):
        return old + new
    return new
