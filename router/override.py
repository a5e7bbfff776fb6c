"""An override: a live edit of one provider or deployment, which wins over the file until it is cleared. Pure.

Stored as `{"state": "paused" | "draining" | null, "limits": {"rpm": 100, "tpm": null}}`: a number replaces the file's
limit, null removes it, a limit that is not named stays the file's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from providers.limit import Limit
from router.cost import usd
from router.limit_names import LimitName, limit_of
from router.limit_schema import LimitsConfig
from router.standing import Closed
from router.suggestion import or_one_of

LimitEdits = Mapping[LimitName, int | None]
"""Limits by name, in their measure's unit (money in nano-dollars); None is no limit."""


class BadOverride(ValueError):
    """An edit that cannot be made; the message is a sentence for the operator."""

    def __init__(self, message: str, param: str | None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Override:
    """What is edited. Without both parts there is nothing to keep."""

    state: Closed | None = None
    """`PAUSED`, `DRAINING`, or None: it runs."""
    limits: LimitEdits = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.state is None and not self.limits

    def over(self, limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
        """The file's limits with the edits over them."""
        edits = [(limit_of(name, amount or 1), amount) for name, amount in self.limits.items()]
        edited = {(edit.measure, edit.window_ms) for edit, _ in edits}
        kept = [each for each in limits if (each.measure, each.window_ms) not in edited]
        return (*kept, *(edit for edit, amount in edits if amount is not None))


class _Limits(LimitsConfig):
    """The limits of an edit: those of the file's sections, told apart from what is not named."""

    model_config = ConfigDict(strict=True)


class _Edit(BaseModel):
    """The whole value."""

    model_config = ConfigDict(strict=True, extra="forbid")

    state: Literal["paused", "draining"] | None = None
    limits: _Limits = Field(default_factory=_Limits)


def parse_override(value: object) -> Override:
    """Read the value of an override. Raises BadOverride, with the nearest known name for an unknown one."""
    try:
        edit = _Edit.model_validate(value)
    except ValidationError as error:
        raise _bad(error) from None
    return Override(None if edit.state is None else Closed(edit.state), _edits(edit.limits))


def parse_limits(value: object) -> LimitEdits:
    """Read the limits of an edit alone. Raises BadOverride."""
    try:
        return _edits(_Limits.model_validate(value))
    except ValidationError as error:
        raise _bad(error) from None


def override_json(override: Override) -> str:
    """Write an override as it is stored."""
    return orjson.dumps(override_object(override)).decode()


def override_object(override: Override) -> dict[str, Any]:
    """An override as JSON has it."""
    return {"state": override.state, "limits": limits_object(override.limits)}


def limits_object(limits: LimitEdits) -> dict[str, Any]:
    """Limits as JSON has them: whole numbers, and dollars as a decimal string."""
    return {
        name.value: usd(amount) if name is LimitName.USD_PER_MINUTE and amount is not None else amount
        for name, amount in limits.items()
    }


def _edits(limits: _Limits) -> LimitEdits:
    return {name: getattr(limits, name) for name in LimitName if name in limits.model_fields_set}


def _bad(error: ValidationError) -> BadOverride:
    problem: ErrorDetails = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(part)[:100] for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return BadOverride(f"There is no '{path}': {or_one_of(str(problem['loc'][-1]), LimitName)}", path)
    says = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return BadOverride(f"Invalid '{path}': it {says}." if path else f"It {says}.", path or None)
