"""A virtual key as its administrators see it: enough to recognise it, nothing to use it with."""

import time
from typing import Any

from api.answers import seconds
from router.cost import usd
from router.key_rules import settings_object
from store.ids import Prefix, public_id
from store.key_rows import KeyRow, SecretRow


def key_object(row: KeyRow) -> dict[str, Any]:
    """Write a key."""
    grant = row.grant
    return {
        "id": public_id(Prefix.KEY, row.id),
        "object": "key",
        "status": row.status(int(time.time() * 1000)),
        **settings_object(grant.settings),
        "team_id": None if grant.team_id is None else public_id(Prefix.TEAM, grant.team_id),
        "tags": list(grant.tags),
        "budgets": {period.value: usd(limit_nanousd) for period, limit_nanousd in sorted(grant.budgets.items())},
        "made_by": None if row.made_by is None else public_id(Prefix.KEY, row.made_by),
        "hint": _hint(row.secrets[0]) if row.secrets else None,
        "secrets": [_secret_object(secret) for secret in row.secrets],
        "created_at": seconds(row.created_at_ms),
        "blocked_at": seconds(row.blocked_at_ms),
        "revoked_at": seconds(row.revoked_at_ms),
        "spent_usd": usd(row.spent_nanousd),
    }


def _secret_object(secret: SecretRow) -> dict[str, Any]:
    return {
        "hint": _hint(secret),
        "created_at": seconds(secret.created_at_ms),
        "expires_at": seconds(secret.expires_at_ms),
    }


def _hint(secret: SecretRow) -> str:
    return f"lw-...{secret.last4}"
