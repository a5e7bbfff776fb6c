"""One tool call of a streamed choice, in pieces."""

from typing import Any

import orjson


class StreamedCall:
    """Gathers the plain pieces of one call, in order."""

    def __init__(self) -> None:
        self.id = ""
        self._name = ""
        self._arguments: list[str] = []
        self._beside: dict[str, Any] = {}

    @property
    def has_arguments(self) -> bool:
        """Whether anything came of the arguments."""
        return bool(self._arguments)

    def take(self, call: dict[str, Any]) -> None:
        """Gather a plain piece."""
        function = call["function"]
        if call.get("id"):
            self.id = call["id"]
        if function.get("name"):
            self._name = function["name"]
        if function.get("arguments"):
            self._arguments.append(function["arguments"])
        for name in call.keys() - {"index", "id", "type", "function"}:
            self._beside[name] = call[name]

    def whole(self) -> dict[str, Any]:
        """Return the call as a completion that was not streamed has it."""
        function = {"name": self._name, "arguments": "".join(self._arguments) or "{}"}
        return {**self._beside, "id": self.id, "type": "function", "function": function}


def is_plain_piece(call: Any, *, begun: bool) -> bool:
    """Tell whether a piece can be handed on: id, type and name come with the first, then only arguments."""
    function = call.get("function") if type(call) is dict else None
    if type(function) is not dict or type(function.get("arguments")) is not str:
        return False
    if begun:
        return call.get("id") is None and function.get("name") is None and call.get("type") in (None, "function")
    return (
        type(identity := call.get("id")) is str
        and identity != ""
        and type(name := function.get("name")) is str
        and name != ""
        and call.get("type") == "function"
    )


def mend_piece(call: dict[str, Any], place: int, minted_id: str, *, begun: bool) -> bool:
    """Change a piece in place until it is plain; False when nothing can be made of it."""
    function = call["function"] = call["function"] if type(call.get("function")) is dict else {}
    arguments = function.get("arguments")
    if type(arguments) is not str:
        function["arguments"] = "" if arguments is None else orjson.dumps(arguments).decode()
    call["index"] = place
    name, identity = function.pop("name", None), call.pop("id", None)
    if begun:
        call.pop("type", None)
        return True
    if type(name) is not str or not name:
        return False
    call["id"] = identity if type(identity) is str and identity else minted_id
    call["type"] = "function"
    function["name"] = name
    return True
