"""The contents of a Gemini conversation: parts, and the rule that function calls are answered in the next turn."""

import base64
import binascii

import orjson

from providers.simulator.faces import native
from providers.simulator.faces.gemini.fields import CONTENT, PART, checked, listed
from providers.simulator.faces.gemini.signing import is_signed
from providers.simulator.faces.native import Json, require

_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult")


def system_text(value: object) -> str:
    """Return the system instruction's text; raises Refused (400)."""
    if value is None:
        return ""
    parts = _parts(checked(value, CONTENT, "system_instruction"), "system_instruction")
    require(all("text" in part for part in parts), "System instruction must be text only.")
    return "\n".join(part["text"] for part in parts)


def read_turns(value: object, *, roles: bool) -> list[Json]:
    """Return the contents as OpenAI's messages; raises Refused (400)."""
    turns = [checked(one, CONTENT, f"contents[{number}]") for number, one in enumerate(listed(value, "contents"))]
    require(turns, "* GenerateContentRequest.contents: contents is not specified")
    read: list[Json] = []
    asked: list[str] = []
    for number, turn in enumerate(turns):
        where, role = f"contents[{number}]", turn.get("role") or ("" if roles else "user")
        require(role in ("user", "model"), "Please use a valid role: user, model.")
        parts = _parts(turn, where)
        if role == "model":
            require(number, "Please ensure that single turn requests end with a user role or the role field is empty.")
            read.append(_model(parts, where, number))
            asked = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
        else:
            read += _user(parts, asked, where, number - 1)
            asked = []
    loose = "Please ensure that function call turns are followed by a function response turn."
    require(not asked, loose)
    return read


def _parts(turn: Json, where: str) -> list[Json]:
    path = f"GenerateContentRequest.{where}.parts"
    parts = listed(turn.get("parts"), f"{where}.parts")
    require(parts, f"* {path}: contents.parts must not be empty.")
    read = [checked(part, PART, f"{where}.parts[{number}]") for number, part in enumerate(parts)]
    for number, part in enumerate(read):
        one = sum(name in part for name in _DATA) == 1
        require(one, f"* {path}[{number}].data: required oneof field 'data' must have one initialized field")
        if "inlineData" in part:
            _check_inline(part["inlineData"], f"{where}.parts[{number}].inline_data")
        if "fileData" in part:
            source = checked(part["fileData"], ("mimeType", "fileUri", "displayName"), where)
            require(source.get("fileUri"), f"* {path}[{number}].file_data.file_uri: must not be empty.")
    return read


def _model(parts: list[Json], where: str, number: int) -> Json:
    calls: list[Json] = []
    for index, part in enumerate(parts):
        if "functionCall" not in part:
            continue
        called = part["functionCall"] = checked(part["functionCall"], ("id", "name", "args"), f"{where}.parts[{index}]")
        name = native.text_of(
            called.get("name"),
            f"* GenerateContentRequest.{where}.parts[{index}].function_call.name: Name cannot be empty.",
        )
        require(
            isinstance(called.get("args", {}), dict), f"Invalid value at '{where}.parts[{index}].function_call.args'"
        )
        signed = part.get("thoughtSignature")
        require(signed is None or is_signed(called, signed), "Thought signature is not valid.")
        arguments = orjson.dumps(called.get("args") or {}).decode()
        calls.append(native.call(called.get("id") or f"{number}.{len(calls)}", name, arguments))
    texts = [part["text"] for part in parts if "text" in part and not part.get("thought")]
    return native.assistant("".join(texts), calls)


def _user(parts: list[Json], asked: list[str], where: str, previous: int) -> list[Json]:
    answers = [(index, part["functionResponse"]) for index, part in enumerate(parts) if "functionResponse" in part]
    require(
        len(answers) == len(asked),
        "Please ensure that the number of function response parts is equal to the number of function call parts of "
        "the function call turn.",
    )
    results = []
    for order, (index, value) in enumerate(answers):
        here = f"{where}.parts[{index}].function_response"
        answer = checked(value, ("id", "name", "response", "parts", "scheduling", "willContinue"), here)
        name = native.text_of(answer.get("name"), f"* GenerateContentRequest.{here}.name: Name cannot be empty.")
        require(name in asked, f"* GenerateContentRequest.{here}.name: {name} was not called in the turn before.")
        struct = f"Invalid value at '{here}.response' (type.googleapis.com/google.protobuf.Struct)"
        require(isinstance(answer.get("response"), dict), struct)
        results.append(native.result(answer.get("id") or f"{previous}.{order}", _said(answer["response"])))
    texts = [part["text"] for part in parts if "text" in part]
    others = sum("inlineData" in part or "fileData" in part for part in parts)
    return [*results, *([native.user(texts, others)] if texts or others else [])]


def _said(response: Json) -> str:
    """Return the text of a function's response: its single text if it has only one, else its JSON."""
    values = list(response.values())
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return orjson.dumps(response).decode()


def _check_inline(value: object, where: str) -> None:
    blob = checked(value, ("mimeType", "data", "displayName"), where)
    require(blob.get("mimeType"), f"* GenerateContentRequest.{where}.mime_type: must not be empty.")
    try:
        base64.b64decode(str(blob.get("data") or "").translate({45: 43, 95: 47}), validate=True)
    except (binascii.Error, ValueError):
        require(False, f"Invalid value at '{where}.data' (TYPE_BYTES), Base64 decoding failed")
