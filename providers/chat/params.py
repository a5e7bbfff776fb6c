"""The fields of a request beside its messages, and the rule for those that a deployment does not take.

A dialect takes each field that it can express; what is left in the end is settled by one rule:

    the field asks for nothing (n=1, tool_choice=auto, logprobs=false ...)   left out silently
    leaving it out changes how, not what, is answered                       left out and noted in the receipt
    leaving it out would give another answer than the one asked for         refused: 400, `unsupported_parameter`

`strict_params` turns every note into a refusal, `drop_params` every refusal into a note.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from providers.chat.unservable import UNSUPPORTED, Unservable
from providers.completion import ParamPolicy

IDLE: Mapping[str, Callable[[Any], bool]] = {
    "n": lambda value: value == 1,
    "logprobs": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "logit_bias": lambda value: value == {},
    "presence_penalty": lambda value: value == 0,
    "frequency_penalty": lambda value: value == 0,
    "parallel_tool_calls": lambda value: value is True,
    "tool_choice": lambda value: value == "auto",
    "function_call": lambda value: value == "auto",
    "tools": lambda value: value == [],
    "functions": lambda value: value == [],
    "response_format": lambda value: value == {"type": "text"},
    "modalities": lambda value: value == ["text"],
    "store": lambda value: value is False,
    "metadata": lambda value: value == {},
    "service_tier": lambda value: value in ("auto", "default"),
    "stop": lambda value: value == [],
    "echo": lambda value: value is False,
}
"""Values that ask for nothing beyond what happens anyway."""

MEANINGFUL = frozenset(
    {
        "n",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "parallel_tool_calls",
        "tool_choice",
        "function_call",
        "tools",
        "functions",
        "response_format",
        "modalities",
        "audio",
        "web_search_options",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "dimensions",
        "encoding_format",
    }
)
"""Fields without which the caller would get another answer than the one asked for: more or fewer choices, tools that
are not called, text that is no JSON. All others (sampling, effort, accounts, caching, tiers) shape how it is made."""


class Params:
    """The fields of one request, each taken at most once. Fields that are null count as absent."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Hold the fields that are not null."""
        self._fields = {name: value for name, value in fields.items() if value is not None}
        self._whys: dict[str, str] = {}

    def take(self, name: str) -> Any:
        """Return a field's value as it came and count it as taken; None where it is absent."""
        return self._fields.pop(name, None)

    def peek(self, name: str) -> Any:
        """Return a field's value and leave it; None where it is absent."""
        return self._fields.get(name)

    def take_all(self, names: Iterable[str]) -> dict[str, Any]:
        """Take those of some fields that are there, as they came: a provider's own, handed on by their names."""
        return {name: self._fields.pop(name) for name in names if name in self._fields}

    def leave(self, name: str, value: Any, why: str = "") -> None:
        """Hand back what the reading of the request took and the dialect cannot express: `settle` decides on it.

        `why` says what of it cannot be expressed, e.g. `together with tools`, where it is not the field as such.
        """
        self._fields[name] = value
        self._whys[name] = why

    def number(self, name: str, low: float | None = None, high: float | None = None) -> float | int | None:
        """Take a number, moved into `low`..`high`. Raises Unservable for anything else."""
        value = self.take(name)
        if value is None:
            return None
        if type(value) not in (int, float):
            raise Unservable(f"{name} must be a number", name)
        if low is not None and value < low:
            return low
        return high if high is not None and value > high else value

    def integer(self, name: str) -> int | None:
        """Take an integer. Raises Unservable for anything else."""
        value = self.take(name)
        if value is not None and type(value) is not int:
            raise Unservable(f"{name} must be an integer", name)
        return value

    def text(self, name: str) -> str | None:
        """Take a text. Raises Unservable for anything else."""
        value = self.take(name)
        if value is not None and type(value) is not str:
            raise Unservable(f"{name} must be a string", name)
        return value

    def flag(self, name: str) -> bool | None:
        """Take true or false. Raises Unservable for anything else."""
        value = self.take(name)
        if value is not None and type(value) is not bool:
            raise Unservable(f"{name} must be true or false", name)
        return value

    def settle(self, policy: ParamPolicy) -> tuple[str, ...]:
        """Apply the rule to every field that was not taken. See `settled`."""
        return settled(self._fields, self._fields, policy, self._whys)


def settled(
    names: Iterable[str], fields: Mapping[str, Any], policy: ParamPolicy, whys: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return which of `names` are left out and noted, in order; raises Unservable where one must be refused."""
    dropped = tuple(name for name in names if not _is_idle(name, fields[name]))
    refused = [name for name in dropped if policy is ParamPolicy.STRICT or name in MEANINGFUL]
    if refused and policy is not ParamPolicy.DROP:
        advice = "remove it" if policy is ParamPolicy.STRICT else "remove it, set drop_params, or use another model"
        why = (whys or {}).get(refused[0])
        what = f"{refused[0]!r} {why}" if why else repr(refused[0])
        raise Unservable(f"this model's provider does not take {what}: {advice}", refused[0], UNSUPPORTED)
    return dropped


def _is_idle(name: str, value: Any) -> bool:
    return value is None or (name in IDLE and IDLE[name](value))
