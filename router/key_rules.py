"""Key rules: what a virtual key may do, and what one key may give to another. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import eq
from typing import Any

from router.budget import Period
from router.override import LimitEdits, limits_object

EVERY_ADMIN = "admin:*"
"""How all scopes of administration are asked for; stored are the scopes themselves."""
_ANY = "*"
_NEVER = 1 << 63


class KeyScope(StrEnum):
    """What a key may be let do. Every route asks for one of these."""

    SUBMIT = "submit"  # hand in completions and jobs, and cancel jobs
    READ = "read"  # see what it made: jobs, batches, files and their content, models, queues, usage
    BATCH = "batch"  # make, cancel, pause and resume batches
    FILES = "files"  # upload and delete files
    WEBHOOKS = "webhooks"  # have events sent, see deliveries, send them again, see the signing secret
    ADMIN_KEYS = "admin:keys"  # make keys, and administer those that it made
    ADMIN_TEAMS = "admin:teams"
    ADMIN_BUDGETS = "admin:budgets"
    ADMIN_LIMITS = "admin:limits"  # edit limits, pause and drain; see the queues as an operator does
    ADMIN_USAGE = "admin:usage"  # see everybody's usage
    ADMIN_AUDIT = "admin:audit"


EVERY_SCOPE = frozenset(KeyScope)
ADMIN_SCOPES = frozenset(scope for scope in KeyScope if scope.startswith("admin:"))
DEFAULT_SCOPES = EVERY_SCOPE - ADMIN_SCOPES


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What can be changed of a key."""

    name: str
    owner: str = ""
    """Whom to ask about it; free text."""
    scopes: frozenset[KeyScope] = DEFAULT_SCOPES
    models: tuple[str, ...] | None = None
    """The model names that it may ask for, `*` at the end stands for anything; None for all."""
    endpoints: tuple[str, ...] | None = None
    """The endpoints that it may call, by their paths; None for all."""
    expires_at_ms: int | None = None
    limits: LimitEdits = field(default_factory=dict)
    """Limits of its own, each a number."""
    weight: int = 1
    """Its share of the turns when work is handed out."""
    allow_unpriced: bool = False
    """Under a budget it may use models whose price is not known."""
    store_bodies: bool = False
    """Bodies of its sync calls are kept as if the request said `store: true`."""
    keep_content_ms: int | None = None
    """How long its bodies and files are kept; None for the server's time."""


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """All that a key has: its settings, and what it keeps for life."""

    settings: KeySettings
    team_id: bytes | None = None
    tags: tuple[str, ...] = ()
    """On all its work, sorted."""
    budgets: Mapping[Period, int] = field(default_factory=dict)
    """Its own budgets' limits in nano-dollars."""


def settings_object(settings: KeySettings) -> dict[str, Any]:
    """Settings as JSON has them: in the API, and in the audit log."""
    expires_at_ms, keep_content_ms = settings.expires_at_ms, settings.keep_content_ms
    return {
        "name": settings.name,
        "owner": settings.owner,
        "scopes": [scope for scope in KeyScope if scope in settings.scopes],
        "models": _listed(settings.models),
        "endpoints": _listed(settings.endpoints),
        "expires_at": None if expires_at_ms is None else expires_at_ms // 1000,
        "limits": limits_object(settings.limits),
        "weight": settings.weight,
        "allow_unpriced": settings.allow_unpriced,
        "store_bodies": settings.store_bodies,
        "keep_content_s": None if keep_content_ms is None else keep_content_ms // 1000,
    }


def spelled_out(names: Iterable[str]) -> frozenset[KeyScope]:
    """Read scopes; `admin:*` stands for all of administration. Raises ValueError."""
    every: frozenset[KeyScope] = frozenset()
    for name in names:
        every |= ADMIN_SCOPES if name == EVERY_ADMIN else {KeyScope(name)}
    return every


def allows_model(patterns: Collection[str] | None, name: str) -> bool:
    """Whether a model name is among these: exact ones, and beginnings with `*` behind them."""
    return patterns is None or any(_covers(pattern, name) for pattern in patterns)


def allows_endpoint(endpoints: Collection[str] | None, endpoint: str) -> bool:
    """Whether an endpoint may be called."""
    return endpoints is None or endpoint in endpoints


def starting_grant(maker: KeyGrant | None) -> KeyGrant:
    """What a new key has where nothing is said: no more than the key that makes it; None is the master key."""
    if maker is None:
        return KeyGrant(KeySettings(""))
    had = maker.settings
    settings = KeySettings(
        "",
        scopes=DEFAULT_SCOPES & had.scopes,
        models=had.models,
        endpoints=had.endpoints,
        expires_at_ms=had.expires_at_ms,
    )
    return KeyGrant(settings, maker.team_id, maker.tags)


def exceeds(maker: KeyGrant, asked: KeyGrant) -> str | None:
    """Name the first thing that `asked` has and `maker` may not give to a key that it makes; None when there is none.

    A budget or a limit of the maker's own cannot be given on: it would count in each of its keys anew. What a maker and
    its keys spend together is bounded by the budgets of their team and tags, which they all have.
    """
    has, wants = maker.settings, asked.settings
    too_much = {
        "scopes": not wants.scopes <= has.scopes,
        "models": not _within(wants.models, has.models, _covers),
        "endpoints": not _within(wants.endpoints, has.endpoints, eq),
        "expires_at": has.expires_at_ms is not None and (wants.expires_at_ms or _NEVER) > has.expires_at_ms,
        "weight": wants.weight > has.weight,
        "allow_unpriced": wants.allow_unpriced and not has.allow_unpriced,
        "team_id": asked.team_id != maker.team_id,
        "tags": not set(maker.tags) <= set(asked.tags),
        "limits": bool(has.limits),
        "budgets": bool(maker.budgets),
    }
    return next((name for name, exceeded in too_much.items() if exceeded), None)


def _listed(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def _within(wanted: tuple[str, ...] | None, had: tuple[str, ...] | None, covers: Callable[[str, str], bool]) -> bool:
    """Whether every wanted name is covered by one that is had."""
    if had is None:
        return True
    return wanted is not None and all(any(covers(pattern, name) for pattern in had) for name in wanted)


def _covers(pattern: str, name: str) -> bool:
    """Whether a pattern covers a name, or all that another pattern does."""
    if pattern.endswith(_ANY):
        return name.startswith(pattern[:-1])
    return name == pattern
