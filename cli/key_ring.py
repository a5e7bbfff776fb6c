"""A key ring: what can be done with virtual keys, wherever they are, and how they are shown to people."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from cli.failure import CommandError, Exit
from router.override import LimitEdits


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A key that is to be made."""

    name: str
    expires_at_s: int | None = None
    weight: int = 1
    """Its share of the turns, where keys take turns."""
    limits: LimitEdits = field(default_factory=dict)
    """Limits of its own."""


class KeyRing(Protocol):
    """The three things that are done with keys. A key is the admin API's object; all methods raise CommandError."""

    def create(self, wish: KeyWish) -> dict[str, Any]:
        """Make a key; the answer has its `secret`, once, and its `webhook_secret`."""
        ...

    def list(self) -> list[dict[str, Any]]:
        """All keys, newest first."""
        ...

    def revoke(self, key_id: str) -> dict[str, Any]:
        """End a key for good."""
        ...


def table(keys: list[dict[str, Any]]) -> list[str]:
    """Lines for people: one key each."""
    lines = [f"{'ID':<31} {'SECRET':<10} {'MADE':<17} {'STATE':<26} {'SPENT $':>12}  {'LIMITS':<24} NAME"]
    for key in keys:
        what = f"{key['id']:<31} {key['hint']:<10} {_day(key['created_at']):<17} {_state(key):<26}"
        lines.append(f"{what} {key['spent_usd']:>12}  {_limits(key):<24} {key['name']}")
    return lines


def _limits(key: dict[str, Any]) -> str:
    """What is set of it, or `-`; a weight of one goes without saying."""
    said = {**key["limits"], **({"weight": key["weight"]} if key["weight"] != 1 else {})}
    return " ".join(f"{name}={amount}" for name, amount in said.items()) or "-"


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"] is not None:
        return f"revoked {_day(key['revoked_at'])}"
    if key["expires_at"] is not None:
        passed = key["expires_at"] <= datetime.now(UTC).timestamp()
        return f"{'expired' if passed else 'expires'} {_day(key['expires_at'])}"
    return "active"


def _day(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%MZ")


def no_such_key(key_id: str) -> CommandError:
    """The error for an id that names no key."""
    return CommandError(f"there is no key {key_id}: `laneway keys list` shows them", Exit.NOT_FOUND)
