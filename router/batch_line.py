"""A line of a batch's input file: one request, checked as far as we use it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from providers.completion import Endpoint
from router.request_fields import steering
from router.request_shape import JUDGED_LATE, problem_apart, problem_of
from router.route_name import joined
from router.routing import FailoverPolicy
from router.wishes import LINE_WISHES, BadWish, take_wishes

_MOST_CUSTOM_ID = 512
_DEPTH_WORTH_A_LOOK = 250
_SHAPES: Mapping[str, Endpoint] = MappingProxyType({each.value: each for each in Endpoint})


@dataclass(frozen=True, slots=True)
class InputError:
    """What is wrong with a line, in the form that OpenAI's batch object shows."""

    code: str
    line: int | None
    """1-based line of the file; None when it is about the file."""
    message: str
    param: str | None = None


class Request(NamedTuple):
    """One well-formed line; made twice for each line of a file, so it has the cheapest form there is."""

    line: int
    custom_id: str
    model: str
    """The route: the model's name, with the fallbacks that the line names (`router.route_name`)."""
    body: dict[str, Any]
    """Without our own field."""
    failover: FailoverPolicy | None = None
    """How far it may move; None leaves that to its route."""
    fault: InputError | None = None
    """Why it cannot be served, where that is its own affair (`JUDGED_LATE`); then it has neither model nor body."""


def parse_line(number: int, line: bytes, endpoint: str) -> Request | InputError | None:
    """Check one line; None for a blank one."""
    line = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
    if not line:
        return None
    try:
        data = orjson.loads(line)
    except (orjson.JSONDecodeError, RecursionError):
        return InputError("invalid_json_line", number, "This line is not parseable as valid JSON.")
    if not isinstance(data, dict):
        return InputError("invalid_json_line", number, "This line is not a JSON object.")
    error = _check(number, data, endpoint)
    if error is not None:
        return error
    is_deep = line.count(b"[") + line.count(b"{") > _DEPTH_WORTH_A_LOOK and not _can_be_written(data["body"])
    request = _read_body(number, data, endpoint, is_deep=is_deep)
    if isinstance(request, InputError) and endpoint in JUDGED_LATE:
        return Request(number, data["custom_id"], "", {}, fault=request)
    return request


def _read_body(number: int, data: dict[str, Any], endpoint: str, *, is_deep: bool) -> Request | InputError:
    body, within = data["body"], "" if endpoint in JUDGED_LATE else "body."
    error = _check_body(number, body, endpoint, within)
    if error is not None:
        return error
    if is_deep:
        return InputError("invalid_value", number, "The body is nested too deeply.", "body")
    try:
        wishes = take_wishes(body, LINE_WISHES)
    except BadWish as bad:
        return InputError(bad.code, number, str(bad), within + bad.param)
    return Request(number, data["custom_id"], joined(body["model"], wishes.fallbacks), body, wishes.failover)


_TYPES: dict[str, tuple[type, str]] = {
    "custom_id": (str, "a string"),
    "method": (str, "a string"),
    "url": (str, "a string"),
    "body": (dict, "an object"),
}


def _can_be_written(body: dict[str, Any]) -> bool:
    """orjson reads 1,024 levels of nesting and writes 254."""
    try:
        orjson.dumps(body)
    except TypeError:
        return False
    return True


def _check(number: int, data: dict[str, Any], endpoint: str) -> InputError | None:
    for name, (kind, words) in _TYPES.items():
        if type(data.get(name)) is not kind:
            return _wrong_type(number, data, name, words)
    if not data["custom_id"] or len(data["custom_id"]) > _MOST_CUSTOM_ID or not data["custom_id"].isprintable():
        message = f"custom_id must be 1 to {_MOST_CUSTOM_ID} printable characters."
        return InputError("invalid_value", number, message, "custom_id")
    if data["method"] != "POST":
        return InputError("invalid_method", number, f"method must be POST, not {data['method'][:20]!r}.", "method")
    if data["url"] != endpoint:
        message = f"url is {data['url'][:100]!r} but the batch is for {endpoint!r}."
        return InputError("mismatched_url", number, message, "url")
    return None


def _check_body(number: int, body: dict[str, Any], endpoint: str, within: str) -> InputError | None:
    shape = _SHAPES[endpoint]
    if problem := problem_of(shape, body, within) or problem_apart(shape, body, within):
        return InputError(problem.code, number, problem.message, problem.param)
    if refused := steering(body):
        name, message = refused
        return InputError("invalid_value", number, message, within + name)
    if body.get("stream"):
        message = "stream must be false in a batch: its answers are always whole."
        return InputError("invalid_value", number, message, within + "stream")
    if body.get("background") and shape is Endpoint.RESPONSES:
        message = "background must be false in a batch: all of its requests run in the background."
        return InputError("invalid_value", number, message, within + "background")
    return None


def _wrong_type(number: int, data: dict[str, Any], name: str, words: str) -> InputError:
    if data.get(name) is None:
        return InputError("missing_required_parameter", number, f"Missing required parameter: '{name}'.", name)
    return InputError("invalid_type", number, f"Invalid '{name}': it should be {words}.", name)
