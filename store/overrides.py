"""Overrides: the operator's live edits of providers and deployments, kept until they are cleared."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import orjson
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from router.live import LiveRows
from router.override import LimitEdits, Override, override_json, override_object, parse_override
from router.scope import Scope
from router.standing import Closed
from store.audit import note
from store.tables import key, override

_EMPTY = override_json(Override())
_STATE_ACTIONS: Mapping[Closed | None, str] = MappingProxyType(
    {Closed.PAUSED: "queue.paused", Closed.DRAINING: "queue.drained", None: "queue.resumed"}
)
"""What a change of state is called in the audit log."""


def set_state(connection: Connection, now_ms: int, scope: Scope, state: Closed | None, *, by: bytes) -> Override:
    """Pause or drain a scope, or with None let it run; its limits stay as they are. Repeatable. `by` is a key's id.

    Returns the edit that holds now.
    """
    return _change(connection, now_ms, scope, lambda before: replace(before, state=state), by)


def set_limits(
    connection: Connection, now_ms: int, scope: Scope, limits: LimitEdits, *, by: bytes, keep_others: bool
) -> Override:
    """Edit a scope's limits; with `keep_others` the edits of limits that are not named stay. Its state does anyway."""

    def changed(before: Override) -> Override:
        return replace(before, limits={**before.limits, **limits} if keep_others else limits)

    return _change(connection, now_ms, scope, changed, by)


def read_live(connection: Connection, _now_ms: int) -> LiveRows:
    """Read all live edits, and the limits of the keys that have some and are not revoked."""
    limited = select(key.c.id, key.c.limits_json).where(key.c.limits_json.is_not(None), key.c.revoked_at_ms.is_(None))
    return LiveRows(
        _edits(connection),
        tuple((row.id, row.limits_json) for row in connection.execute(limited.order_by(key.c.id))),
    )


def read_settings(connection: Connection, _now_ms: int, key_id: bytes) -> LiveRows:
    """Read all live edits, and of the keys this one alone."""
    own = connection.execute(select(key.c.limits_json).where(key.c.id == key_id)).scalar()
    return LiveRows(_edits(connection), () if own is None else ((key_id, own),))


def _edits(connection: Connection) -> tuple[tuple[str, str], ...]:
    rows = connection.execute(select(override.c.name, override.c.value_json).order_by(override.c.name))
    return tuple((row.name, row.value_json or _EMPTY) for row in rows)


def _change(
    connection: Connection, now_ms: int, scope: Scope, change: Callable[[Override], Override], by: bytes
) -> Override:
    """Change one row under its lock; an edit that says nothing any more is no row. A row of nonsense is replaced.

    What changes is written into the audit log, with what was before.
    """
    name = str(scope)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    blank = dialect.insert(override).values(name=name, value_json=_EMPTY, key_id=by, set_at_ms=now_ms)
    connection.execute(blank.on_conflict_do_nothing())
    here = override.c.name == name
    before = _read(connection.execute(select(override.c.value_json).where(here).with_for_update()).scalar())
    changed = change(before)
    if changed.is_empty:
        connection.execute(delete(override).where(here))
    else:
        values = {"value_json": override_json(changed), "key_id": by, "set_at_ms": now_ms}
        connection.execute(update(override).where(here).values(**values))
    if changed != before:
        detail = {"before": override_object(before), "after": override_object(changed)}
        action = _STATE_ACTIONS[changed.state] if changed.state != before.state else "limits.edited"
        note(connection, now_ms, actor_id=by, action=action, object_id=name, detail=detail)
    return changed


def _read(text: str | None) -> Override:
    try:
        return parse_override(orjson.loads(text or _EMPTY))
    except ValueError:
        return Override()
