"""JSON from outside, read with suspicion: what is deep, ambiguous or not storable is refused before anyone uses it."""

import json
import re
from math import isinf
from typing import Any, NoReturn

MAX_DEPTH = 64
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_TO_LIST = bytes.maketrans(b"{}", b"[]")
_OPEN = ord("[")
_INT64 = range(-(2**63), 2**64)
_INTEGER_CHARACTERS = 20


class BadJson(ValueError):
    """The text is not JSON that we take; the message says what is wrong with it."""


def parse_json(text: bytes) -> Any:
    """Parse strictly. Raises BadJson for what is no JSON, and for what different readers take differently.

    Refused: nesting deeper than 64, NaN and Infinity, integers over 64 bits, repeated names in an object, lone
    surrogates, and U+0000, which PostgreSQL cannot store.
    """
    _check_depth(text)
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except UnicodeDecodeError:
        raise BadJson("the text is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadJson(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    if b"\\u" in text:
        _check_strings(value)
    return value


def _check_depth(text: bytes) -> None:
    """Refuse deep nesting before any parser recurses into it. Whether brackets match is the parser's to say."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _STRING.sub(b"", text).translate(_TO_LIST, _NO_BRACKET):
        depth += 1 if bracket == _OPEN else -1
        if depth > MAX_DEPTH:
            raise BadJson(f"it is nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BadJson("a name is repeated in one object")
    return made


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_CHARACTERS or int(digits) not in _INT64:
        raise BadJson("an integer is longer than 64 bits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise BadJson("a number is out of range")
    return number


def _check_strings(value: Any) -> None:
    match value:
        case str():
            if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
                raise BadJson("a string holds U+0000 or half of a surrogate pair")
        case list():
            for item in value:
                _check_strings(item)
        case dict():
            for name, item in value.items():
                _check_strings(name)
                _check_strings(item)
