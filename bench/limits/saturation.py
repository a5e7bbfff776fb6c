"""The saturation case: a batch that never runs dry, before two providers whose limits are the only bound."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.limits.budget import Budget, Unit
from bench.limits.stand import Backlog, Stand, stand

_SAMPLE_S: Final = 0.5
_START_LIMIT_S: Final = 60.0
_TOKENS_PER_CALL: Final = 50
"""Less than a call uses, so that the batch is rather too long."""
_SPARE: Final = 1.5
_SPARE_S: Final = 30


@dataclass(frozen=True, slots=True)
class Share:
    """What came of one provider's budget in the measured time."""

    allowed: float
    accepted: int
    calls: int
    """Calls that its limits let through; the same as `accepted` where calls are what is limited."""
    refused: int
    """Calls that its limits answered with 429."""
    peak_ratio: float
    """The most that was accepted in any 60 s of the whole run, as a share of what is allowed a minute."""


@dataclass(frozen=True, slots=True)
class Saturated:
    """What a saturation case found."""

    case: str
    measured_s: float
    ran_dry: bool
    """Whether the batch ended before the time did: the figures are those up to then."""
    shares: Mapping[str, Share]
    """By provider."""

    @property
    def allowed(self) -> float:
        """What all providers together allowed in the measured time."""
        return sum(share.allowed for share in self.shares.values())

    @property
    def accepted(self) -> int:
        """What they accepted."""
        return sum(share.accepted for share in self.shares.values())

    @property
    def refused(self) -> int:
        """Calls that they answered with 429."""
        return sum(share.refused for share in self.shares.values())

    @property
    def utilisation(self) -> float:
        """The share of the budget that was used."""
        return self.accepted / self.allowed

    @property
    def refused_share(self) -> float:
        """The share of the calls that were answered with 429."""
        calls = sum(share.calls for share in self.shares.values()) + self.refused
        return self.refused / calls if calls else 0.0

    @property
    def peak_ratio(self) -> float:
        """The fullest minute of any provider."""
        return max(share.peak_ratio for share in self.shares.values())


@dataclass(frozen=True, slots=True)
class Saturation:
    """A case: two providers, a number of worker processes, and whether Laneway knows the limits from its file."""

    name: str
    budgets: Mapping[str, Budget]
    workers: int
    configured: bool = True
    """Without, the first half of the time is for learning and the second is measured."""

    def run(self, duration_s: int) -> Saturated:
        """Run for this long after the first accepted call; raises RuntimeError when there is none."""
        providers = {name: budget.provider(configured=self.configured) for name, budget in self.budgets.items()}
        with (
            stand(providers, workers=self.workers) as one,
            one.backlog(self.lines(duration_s)) as backlog,
        ):
            samples, ran_dry = _samples(one, backlog, duration_s)
        return self.result(samples, ran_dry=ran_dry)

    def lines(self, duration_s: int) -> int:
        """How many lines keep all providers busy for this long, with some to spare."""
        used = sum(budget.allowed(duration_s + _SPARE_S) / _size(budget) for budget in self.budgets.values())
        return int(used * _SPARE)

    def result(self, samples: Sequence["Sample"], *, ran_dry: bool) -> Saturated:
        """Return what was used between the first of the samples that count and the last."""
        last = samples[-1]
        middle_s = (samples[0].at_s + last.at_s) / 2
        first = samples[0] if self.configured else next(each for each in samples if each.at_s >= middle_s)
        measured_s = max(last.at_s - first.at_s, _SAMPLE_S)
        shares = {
            name: _share(budget, first.limits[name], last.limits[name], measured_s)
            for name, budget in self.budgets.items()
        }
        return Saturated(self.name, measured_s, ran_dry, shares)


@dataclass(frozen=True, slots=True)
class Sample:
    """What every provider had counted at a moment when there was backlog left."""

    at_s: float
    limits: Mapping[str, Mapping[str, Any]]


def _samples(one: Stand, backlog: Backlog, duration_s: int) -> tuple[list[Sample], bool]:
    """Look twice a second, from the first accepted call on; returns too whether the batch ended before the time did."""
    samples = [_first(one)]
    while samples[-1].at_s < samples[0].at_s + duration_s:
        time.sleep(_SAMPLE_S)
        sample = Sample(time.monotonic(), one.limit_stats())
        if not backlog.left():
            return samples, True
        samples.append(sample)
    return samples, False


def _first(one: Stand) -> Sample:
    end_s = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < end_s:
        sample = Sample(time.monotonic(), one.limit_stats())
        if any(counted["accepted"] for counted in sample.limits.values()):
            return sample
        time.sleep(_SAMPLE_S / 10)
    raise RuntimeError(f"no call was accepted within {_START_LIMIT_S:.0f} s")


def _share(budget: Budget, first: Mapping[str, Any], last: Mapping[str, Any], measured_s: float) -> Share:
    return Share(
        allowed=budget.allowed(measured_s),
        accepted=last[budget.counter] - first[budget.counter],
        calls=last["accepted"] - first["accepted"],
        refused=last["refused"] - first["refused"],
        peak_ratio=last["peak_60s"][budget.peak_counter] / budget.per_minute,
    )


def _size(budget: Budget) -> int:
    return 1 if budget.unit is Unit.REQUESTS else _TOKENS_PER_CALL
