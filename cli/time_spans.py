"""The time spans of a process that makes calls: leases, sweeps, grace."""

from cli.failure import CommandError
from cli.settings import Settings, milliseconds
from workers.settings import WorkerSettings


def worker_settings(settings: Settings) -> WorkerSettings:
    """Read the time spans from the environment and the file; what is not there has its default."""
    default = WorkerSettings()
    environ = settings.environ
    lease_ms = milliseconds(environ, "LANEWAY_LEASE_MS", default.lease_ms)
    renew_ms = milliseconds(environ, "LANEWAY_RENEW_MS", default.renew_ms)
    if lease_ms < 2 * renew_ms:
        raise CommandError(
            f"a lease of {lease_ms} ms is not kept by renewing it every {renew_ms} ms: make it twice that"
        )
    return WorkerSettings(
        lease_ms=lease_ms,
        renew_ms=renew_ms,
        sweep_ms=milliseconds(environ, "LANEWAY_SWEEP_MS", default.sweep_ms),
        grace_ms=milliseconds(environ, "LANEWAY_GRACE_MS", default.grace_ms),
        keep_content_ms=settings.config.store.keep_content_ms,
    )
