"""The columns of a key that hold its settings, and how they are read back."""

from collections.abc import Iterable
from typing import Any

import orjson

from router.key_rules import DEFAULT_SCOPES, KeyScope, KeySettings
from router.override import limits_object, parse_limits
from store.tables import AnyRow


def columns_of(settings: KeySettings) -> dict[str, Any]:
    """Write settings as columns of `key`."""
    return {
        "name": settings.name,
        "owner": settings.owner,
        "scopes_json": list_json(sorted(settings.scopes)),
        "models_json": list_json(settings.models),
        "endpoints_json": list_json(settings.endpoints),
        "expires_at_ms": settings.expires_at_ms,
        "limits_json": orjson.dumps(limits_object(settings.limits)).decode() if settings.limits else None,
        "weight": settings.weight,
        "allow_unpriced": int(settings.allow_unpriced),
        "store_bodies": int(settings.store_bodies),
        "keep_content_ms": settings.keep_content_ms,
    }


def settings_of(row: AnyRow) -> KeySettings:
    """Read the settings of a row of `key`."""
    scopes = names(row.scopes_json)
    return KeySettings(
        name=row.name,
        owner=row.owner,
        scopes=DEFAULT_SCOPES if scopes is None else frozenset(KeyScope(each) for each in scopes),
        models=names(row.models_json),
        endpoints=names(row.endpoints_json),
        expires_at_ms=row.expires_at_ms,
        limits=parse_limits(orjson.loads(row.limits_json)) if row.limits_json else {},
        weight=row.weight,
        allow_unpriced=bool(row.allow_unpriced),
        store_bodies=bool(row.store_bodies),
        keep_content_ms=row.keep_content_ms,
    )


def names(text: str | None) -> tuple[str, ...] | None:
    """Read a column that holds a JSON list of strings; None for null."""
    return None if text is None else tuple(orjson.loads(text))


def list_json(values: Iterable[str] | None) -> str | None:
    """Write such a column."""
    return None if values is None else orjson.dumps(list(values)).decode()
