"""Live settings: the limits and states that hold now - the file's, the operator's edits over them, and the keys'. Pure.

A process reads the rows about once a second and makes a new `Live` where they differ from those it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from providers.limit import Limit
from router.override import Override, parse_limits, parse_override
from router.scope import Scope, ScopeLimits, read_scope
from router.standing import Closed

FileLimits = Mapping[Scope, tuple[Limit, ...]]
"""What the configuration says, of providers and of deployments."""


@dataclass(frozen=True, slots=True)
class LiveRows:
    """What SQL holds; two that are equal mean the same settings."""

    overrides: tuple[tuple[str, str], ...] = ()
    """(scope as text, value as JSON), by scope."""
    keys: tuple[tuple[bytes, str], ...] = ()
    """(key id, limits as JSON) of the keys that have limits of their own, by id."""


@dataclass(frozen=True, slots=True)
class Live:
    """All settings that may change while we run. Safe to share; made by `live_of`."""

    limits: Mapping[Scope, ScopeLimits] = field(default_factory=dict)
    """Of every provider and deployment that the file or an edit gives a limit."""
    overrides: Mapping[Scope, Override] = field(default_factory=dict)
    keys: Mapping[bytes, tuple[Limit, ...]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    """Rows that mean nothing to this version, and so have no effect."""

    def limits_of(self, scope: Scope) -> ScopeLimits:
        """The limits that are set for a provider or a deployment."""
        return self.limits.get(scope) or ScopeLimits(scope)

    def state_of(self, scope: Scope) -> Closed | None:
        """`PAUSED` or `DRAINING` where an operator said so."""
        override = self.overrides.get(scope)
        return None if override is None else override.state

    def key_limits(self, key_id: bytes) -> tuple[Limit, ...]:
        """The limits of a virtual key."""
        return self.keys.get(key_id, ())


def live_of(file: FileLimits, rows: LiveRows) -> Live:
    """Lay the rows over the file. A row that cannot be read has no effect, and is named."""
    overrides: dict[Scope, Override] = {}
    keys: dict[bytes, tuple[Limit, ...]] = {}
    unreadable: list[str] = []
    for name, text in rows.overrides:
        try:
            overrides[read_scope(name)] = parse_override(orjson.loads(text))
        except ValueError:
            unreadable.append(name)
    for key_id, text in rows.keys:
        try:
            keys[key_id] = Override(limits=parse_limits(orjson.loads(text))).over(())
        except ValueError:
            unreadable.append(f"key/{key_id.hex()}")
    limits = {
        scope: ScopeLimits(scope, overrides.get(scope, _NO_EDIT).over(file.get(scope, ())))
        for scope in (*file, *overrides)
    }
    return Live(limits, overrides, keys, tuple(unreadable))


_NO_EDIT = Override()
