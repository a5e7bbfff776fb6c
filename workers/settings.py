"""The worker's own settings: time spans and sizes, all with working defaults."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Time spans in milliseconds. Tests shorten them; the figures hold for production."""

    lease_ms: int = 30_000
    """How long a claimed attempt stays this worker's without a renewal."""
    renew_ms: int = 10_000
    """How often leases are renewed: a third of the lease."""
    sweep_ms: int = 5_000
    """How often each worker sweeps, give or take a quarter; also the age from which a lost message is sent again."""
    watch_ms: int = 1_000
    """How often a process that makes calls tells and hears of limits; five times as long while it makes none."""
    grace_ms: int = 30_000
    """How long calls in flight may go on after a stop was asked for, and lines of a closing batch."""
    rescue_jitter_ms: int = 2_000
    """Rescued jobs start again spread over this span."""
    suspect_pause_ms: int = 60_000
    """How long a job waits when its worker died under it for the third time; twice that the fourth time."""
    finish_linger_ms: int = 20
    """How long answers of batch lines are collected before they are committed together."""
    finish_group: int = 256
    """At most this many attempts are committed together."""
    slice_jobs: int = 64
    """Lines per slice."""
    keeper_lease_ms: int = 60_000
    """How long a batch stays with the worker that loads or writes it, without a renewal."""
    closing_grace_ms: int = 5_000
    """How long running calls of a cancelled or expired batch may still bring their answers."""

    keep_content_ms: int = 30 * 86_400_000
    """How long bodies and files of batches are kept after the batch has ended."""


def window(slots: int) -> int:
    """How many unclaimed jobs of one queue may be in Redis: twice the slots, within 500 and 5,000."""
    return min(max(2 * slots, 500), 5_000)
