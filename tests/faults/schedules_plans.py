"""Plans of hand-outs: routes over the providers of the models, all open and never chosen by chance."""

from collections.abc import Callable, Mapping

from providers.completion import Target
from router.deployment import Deployment
from router.rooms import Plan
from router.routes import Route
from router.routing import Tier
from router.standing import Standing
from tests.faults.schedules_rows import PROVIDERS, QUEUES

Standings = Callable[[Deployment], Standing]


def deployment(provider: str, *, model: str = "m", step: int = 0) -> Deployment:
    """A deployment of the model that was asked for, or of its fallback number `step`."""
    return Deployment(
        provider=provider,
        model=model,
        base_model=model,
        target=Target(provider, "openai", f"https://{provider}.test/v1", model),
        price=None,
        pricing_id=None,
        slots=8,
        tier=Tier.FALLBACK if step else Tier.OWN,
        step=step,
    )


def route(name: str, *deployments: Deployment) -> Route:
    """A route whose first deployment with room is chosen."""
    return Route(name, deployments)


ROUTES = {
    "r": route("r", *(deployment(provider) for provider in PROVIDERS)),
    "first": route("first", deployment("one", model="f")),
    "second": route("second", deployment("two", model="s")),
    "chained": route("chained", deployment("one", model="c"), deployment("two", model="c", step=1)),
}
"""`r` is served by both providers, `first` and `second` by one each, `chained` falls back to the second."""


def plan(
    *queues: str,
    window: int = 1_000,
    windows: Mapping[str, int] | None = None,
    slice_jobs: int = 64,
    standing: Standings = lambda _: Standing(),
) -> Plan:
    """A hand-out over these queues, or over all of them.

    They have the same window unless `windows` says more; the other queues are full.
    """
    named = queues or QUEUES
    return Plan(
        queues=named,
        windows=dict.fromkeys(named, window) | dict(windows or {}),
        resolve=ROUTES.get,
        standing=standing,
        draw=lambda: 0.0,
        slice_jobs=slice_jobs,
        lost="one.batch",
    )
