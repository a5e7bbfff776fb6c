"""The cases: everything that is measured of limits, by name."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product
from typing import Final, Literal, Protocol

from bench.limits.budget import Budget, Unit
from bench.limits.saturation import Saturated, Saturation
from bench.limits.storm import Storm, Stormed
from bench.limits.waiting import DeadPrimary, InteractiveWait, NoisyNeighbour, Waited

Result = Saturated | Waited | Stormed
Window = Literal["sliding", "bucket"]

SECONDS: Final = 180
QUICK_SECONDS: Final = 15

_PER_MINUTE: Final = {Unit.REQUESTS: 1_200, Unit.TOKENS: 72_000}
"""Of the larger of the two providers; a call uses about 60 tokens."""
_WINDOWS: Final[tuple[Window, ...]] = ("sliding", "bucket")


class Case(Protocol):
    """One measurement with processes of its own."""

    @property
    def name(self) -> str:
        """What it is asked for by."""
        ...

    def run(self, duration_s: int) -> Result:
        """Measure for about this long; raises RuntimeError when that cannot be done."""
        ...


def cases() -> list[Case]:
    """Return every case, in the order in which they run."""
    return [
        *_known(),
        *_asked(),
        *_learned(),
        InteractiveWait("interactive", workers=2),
        NoisyNeighbour("neighbour", workers=2),
        DeadPrimary("dead-primary", workers=1),
        Storm("storm", workers=2),
    ]


def chosen(patterns: Sequence[str]) -> list[Case]:
    """Return the cases that match one of the patterns (`rpm-*`), all for none; raises ValueError where none does."""
    every = cases()
    for pattern in patterns:
        if not any(fnmatchcase(case.name, pattern) for case in every):
            raise ValueError(f"no case is named {pattern!r}; there are: {', '.join(case.name for case in every)}")
    return [case for case in every if not patterns or any(fnmatchcase(case.name, each) for each in patterns)]


def _known() -> Iterator[Case]:
    """Yield the cases in which Laneway's configuration names the limits."""
    for unit, window, told, workers in product(Unit, _WINDOWS, (True, False), (1, 2, 4)):
        name = f"{unit}-{window}-{_word(told)}-{workers}w"
        yield Saturation(name, _two(Budget(unit, _PER_MINUTE[unit], window, told)), workers)


def _asked() -> Iterator[Case]:
    """Yield the cases in which tokens are counted as asked for, not as used."""
    for window in _WINDOWS:
        budget = Budget(Unit.TOKENS, 2 * _PER_MINUTE[Unit.TOKENS], window, told=False, counts_tokens="asked")
        yield Saturation(f"tpm-asked-{window}-2w", _two(budget), workers=2)


def _learned() -> Iterator[Case]:
    """Yield the cases in which Laneway has to find the limits out."""
    for unit, window, told in product(Unit, _WINDOWS, (True, False)):
        name = f"learn-{unit}-{window}-{_word(told)}-2w"
        yield Saturation(name, _two(Budget(unit, _PER_MINUTE[unit], window, told)), workers=2, configured=False)


def _two(budget: Budget) -> dict[str, Budget]:
    """Return the budgets of two providers, the second with half of the first one's."""
    half = Budget(budget.unit, budget.per_minute // 2, budget.window, budget.told, budget.counts_tokens)
    return {"a": budget, "b": half}


def _word(told: bool) -> str:
    return "told" if told else "silent"
