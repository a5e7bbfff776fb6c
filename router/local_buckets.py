"""Local buckets: one process's share of every limit, for as long as Redis is away.

Each of n living processes keeps 1/n of every limit. Limits of a day are paced like the others, so that an outage uses
of a day's quota only what belongs to its length: how much of it was used before, nobody knows here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from providers.limit import Demand, Limit, Measure
from router.bucket import Bucket
from router.scope import Scope, ScopeLimits

_LONGEST_WAIT_MS = 1_000
_SLOT_WAIT_MS = 100


class LocalBuckets:
    """The buckets of one process, all empty at first."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[Scope, Measure, int], Bucket] = {}

    def take(
        self,
        scopes: tuple[ScopeLimits, ...],
        demands: Sequence[Demand],
        now_ms: int,
        *,
        living: int,
        is_batch: bool,
        running: Sequence[int],
    ) -> tuple[int, int]:
        """Take for the longest prefix of the demands that this process's share of every limit allows.

        `living`: processes that share the limits, this one included; `running`: per scope, its calls in flight.
        Returns how many may start, and when to ask again for the next one (0 when all were granted).
        """
        buckets = list(self._filled(scopes, now_ms, living))
        slots = _free_slots(scopes, living, running, len(demands))
        for granted, demand in enumerate(demands):
            sizes = [(bucket, demand.of(measure)) for measure, bucket in buckets]
            short = [(bucket, size) for bucket, size in sizes if bucket.missing(size, is_batch=is_batch) > 0]
            if short:
                waits = [bucket.wait_ms(size, is_batch=is_batch) for bucket, size in short]
                return granted, min(_LONGEST_WAIT_MS, max(waits))
            if granted == slots:
                return granted, _SLOT_WAIT_MS
            for bucket, size in sizes:
                bucket.spend(size, is_batch=is_batch)
        return len(demands), 0

    def settle(
        self, scopes: tuple[ScopeLimits, ...], reserved: Demand, used: Demand, now_ms: int, *, living: int
    ) -> None:
        """Move the buckets of tokens and dollars by reserved minus used."""
        for measure, bucket in self._filled(scopes, now_ms, living):
            bucket.settle(reserved.of(measure) - used.of(measure))

    def _filled(self, scopes: tuple[ScopeLimits, ...], now_ms: int, living: int) -> Iterator[tuple[Measure, Bucket]]:
        for each in scopes:
            for limit in each.limits:
                if limit.measure is not Measure.PARALLEL:
                    yield limit.measure, self._bucket(each.scope, _share(limit, living), now_ms)

    def _bucket(self, scope: Scope, limit: Limit, now_ms: int) -> Bucket:
        place = scope, limit.measure, limit.window_ms
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = Bucket(limit, now_ms)
        bucket.fill(limit, now_ms)
        return bucket


def _share(limit: Limit, living: int) -> Limit:
    return limit if living <= 1 else replace(limit, amount=max(1, limit.amount // living))


def _free_slots(scopes: tuple[ScopeLimits, ...], living: int, running: Sequence[int], most: int) -> int:
    """How many more calls may be in flight, `most` where no limit says less."""
    for each, count in zip(scopes, running, strict=True):
        for limit in each.limits:
            if limit.measure is Measure.PARALLEL:
                most = min(most, max(0, _share(limit, living).amount - count))
    return most
