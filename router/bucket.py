"""A paced bucket: keeps a limit in every window of its length, sliding or fixed, and uses nearly all of it.

A bucket of capacity C that gains F a window lets at most C + F through in any window. So C is small, about 1 % of the
limit, and F = limit - C: nothing is saved up for a burst, and a fresh bucket starts empty. Calls of one request each
come out one better: fewer than C + F in less than a window, so that F = limit + 1 - C.

A call that is larger than C must first gather its whole demand. For as long as it does, and for one window after the
last call that used what was gathered, C is that large (the peak) and F is so much smaller. A demand of more than half
the limit starts at half and leaves a debt.

What calls reserved and did not use comes back as credit. It is spent first, is no part of the pace (those windows had
room for it) and is forgotten after a window.

`store/limits/bucket.lua` is the same arithmetic for all processes together; the two are held together by a test.
All in integers: capacities and flows in thousandths of a unit (`_milli`), levels in those times the window in ms, so
that a bucket gains exactly its flow in every millisecond. Times are `now_ms` of any clock that does not run back.
"""

from dataclasses import dataclass

from providers.limit import Limit, Measure

_SMALL = 600
"""Limits below it lose at most one call a window; from it on, 0.2 % of the flow are left for the network's jitter."""

_BATCH_BLOCK_MS = 25


@dataclass(frozen=True, slots=True)
class Pace:
    """One limit's capacities and flow."""

    limit: Limit
    base_milli: int
    """The capacity as long as no larger call waits."""
    most_milli: int
    """The largest capacity: half the limit."""

    def capacity_milli(self, peak_milli: int) -> int:
        """The capacity for a call that demands so much."""
        return max(self.base_milli, min(peak_milli, self.most_milli))

    def flow_milli(self, capacity_milli: int) -> int:
        """What comes in within one window: what the capacity leaves of the limit."""
        free = 1_000 if self.limit.measure is Measure.REQUESTS else 0
        flow = self.limit.amount * 1_000 + free - capacity_milli
        return max(1, flow - flow // 500 if self.limit.amount >= _SMALL else flow)


def pace(limit: Limit) -> Pace:
    """Derive the pace of a limit that has a window."""
    milli = limit.amount * 1_000
    if limit.measure is not Measure.REQUESTS:
        base_milli = max(1, milli // 133)
    else:
        spare = limit.amount * 5
        base_milli = 1_000 + (min(spare, 1_000) if limit.amount < _SMALL else spare)
    return Pace(limit, base_milli, max(base_milli, milli // 2))


class Bucket:
    """The bucket of one limit. Call `fill` before anything else, whenever time has passed or the limit has changed."""

    __slots__ = ("_at_ms", "_credit", "_credit_till_ms", "_level", "_pace", "_peak_milli", "_peak_till_ms", "_typical")

    def __init__(self, limit: Limit, now_ms: int) -> None:
        """Start empty."""
        self._pace = pace(limit)
        self._level, self._credit = 0, 0
        self._at_ms = now_ms
        self._peak_milli, self._peak_till_ms, self._credit_till_ms = 0, 0, 0
        self._typical = 0

    def fill(self, limit: Limit, now_ms: int) -> None:
        """Let the time until now flow in, at the pace of the limit as it is now."""
        if limit != self._pace.limit:
            self._pace = pace(limit)
        self._at_ms = min(self._at_ms, now_ms)
        if self._peak_milli and now_ms >= self._peak_till_ms:
            self._pour(max(self._at_ms, self._peak_till_ms))
            self._peak_milli = 0
        self._pour(now_ms)
        if now_ms >= self._credit_till_ms:
            self._credit = 0

    def missing(self, demand: int, *, is_batch: bool) -> int:
        """How much level is missing before a call may start; 0 or less when it may start now."""
        need_milli = min(demand * 1_000, self._pace.most_milli)
        whole_milli = need_milli + (self._reserve_milli(need_milli) if is_batch else 0)
        return whole_milli * self._pace.limit.window_ms - self._level - self._credit

    def spend(self, demand: int, *, is_batch: bool) -> None:
        """Take what a call demands."""
        window_ms = self._pace.limit.window_ms
        if self._level > self._pace.base_milli * window_ms:
            self._peak_till_ms = self._at_ms + window_ms
        self._take(demand * 1_000 * window_ms)
        if not is_batch:
            self._typical = (7 * self._typical + demand) // 8 if self._typical else demand

    def wait_ms(self, demand: int, *, is_batch: bool) -> int:
        """Begin to gather for a call that was refused; returns how long until it may start, at least 1.

        Batch work takes blocks: it lets up to a quarter of the bucket run full rather than ask for every call.
        """
        need_milli = min(demand * 1_000, self._pace.most_milli)
        if need_milli > self._capacity_milli():
            self._peak_milli = need_milli
        capacity, window_ms = self._capacity_milli(), self._pace.limit.window_ms
        flow = self._pace.flow_milli(capacity)
        wait_ms = -(-self.missing(demand, is_batch=is_batch) // flow)
        if need_milli > self._pace.base_milli:
            self._peak_till_ms = self._at_ms + max(window_ms, 2 * wait_ms)
        block_ms = min(_BATCH_BLOCK_MS, capacity * window_ms // (4 * flow)) if is_batch else 1
        return max(1, block_ms, wait_ms)

    def settle(self, refund: int) -> None:
        """Correct by reserved minus used, of any number of calls. Debt is at most one window's limit."""
        window_ms, amount = self._pace.limit.window_ms, self._pace.limit.amount
        change = refund * 1_000 * window_ms
        if change < 0:
            self._take(-change)
            self._level = max(self._level, -amount * 1_000 * window_ms)
            return
        repaid = min(change, max(0, -self._level))
        self._level += repaid
        most = amount * 1_000 // 20 * window_ms
        self._credit = max(self._credit, min(self._credit + change - repaid, most))
        self._credit_till_ms = self._at_ms + window_ms

    def hold_down(self, remaining: int, age_ms: int) -> None:
        """Believe the provider that no more than this was left, so long ago."""
        flow = self._pace.flow_milli(self._capacity_milli())
        most = remaining * 1_000 * self._pace.limit.window_ms + flow * age_ms
        if self._level + self._credit > most:
            self._level, self._credit = min(self._level, most), 0

    def _pour(self, till_ms: int) -> None:
        capacity = self._capacity_milli()
        gain = max(0, till_ms - self._at_ms) * self._pace.flow_milli(capacity)
        self._level = min(capacity * self._pace.limit.window_ms, self._level + gain)
        self._at_ms = till_ms

    def _take(self, cost: int) -> None:
        from_credit = min(self._credit, cost)
        self._credit -= from_credit
        self._level -= cost - from_credit

    def _capacity_milli(self) -> int:
        return self._pace.capacity_milli(self._peak_milli)

    def _reserve_milli(self, need_milli: int) -> int:
        """What batch work leaves for interactive work: a quarter, or one call; nothing where two calls find no room."""
        capacity, typical = self._capacity_milli(), self._typical * 1_000 or need_milli
        return max(capacity // 4, typical) if capacity >= 2 * max(typical, need_milli) else 0
