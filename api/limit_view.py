"""The view of limits: what holds back a provider, a deployment or a key now, and how a limit is written for clients."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from api.dependencies import ApiDependencies
from providers.limit import Measure
from router.cost import usd
from router.limit_names import words_of
from router.live import Live, live_of
from router.scope import Scope
from router.scope_state import Gauge, ScopeState, used_permille
from router.standing import Closed
from store.overrides import read_settings

_WAIT_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LimitView:
    """The settings that hold now, and the states of the scopes that were asked for."""

    live: Live
    states: Mapping[Scope, ScopeState] | None
    """None: they cannot be read just now."""

    def of(self, scopes: Iterable[Scope]) -> dict[Scope, ScopeState]:
        """The states of these scopes, as far as they are known."""
        known = self.states or {}
        return {scope: known[scope] for scope in scopes if scope in known}

    def by_operator(self, scopes: Iterable[Scope]) -> dict[Scope, Closed]:
        """Those of these scopes that are paused or drained."""
        states = ((scope, self.live.state_of(scope)) for scope in scopes)
        return {scope: state for scope, state in states if state is not None}


async def settings_of(dependencies: ApiDependencies, key_id: bytes) -> Live:
    """Read the settings that hold now, of the keys this one's. Raises StoreUnavailable."""
    rows = await dependencies.database.read(read_settings, key_id)
    return live_of(dependencies.routes.limits, rows)


async def view_limits(dependencies: ApiDependencies, live: Live, scopes: Iterable[Scope], key: Scope) -> LimitView:
    """Read the states of these scopes, and of the caller's key where that has limits."""
    wanted = {scope: live.limits_of(scope).limits for scope in scopes}
    if limits := live.key_limits(bytes.fromhex(key.name)):
        wanted[key] = limits
    if dependencies.limit_states is None:
        return LimitView(live, None)
    try:
        async with asyncio.timeout(_WAIT_S):
            return LimitView(live, await dependencies.limit_states(wanted))
    except (RedisError, OSError, TimeoutError) as error:
        _log.info("the states of limits cannot be read: %s", type(error).__name__)
        return LimitView(live, None)


def gauge_object(gauge: Gauge) -> dict[str, Any]:
    """Write a limit and its use. Dollars are decimal strings, everything else whole numbers."""
    is_money = gauge.measure is Measure.NANOUSD
    return {
        "limit": words_of(gauge.measure, gauge.window_ms),
        "measure": "usd" if is_money else gauge.measure.value,
        "window_s": gauge.window_ms // 1000 if gauge.window_ms else None,
        "amount": usd(gauge.amount) if is_money else gauge.amount,
        "used": usd(gauge.used) if is_money else gauge.used,
        "used_percent": used_permille(gauge) / 10,
        "refill_s": gauge.wait_ms / 1000,
        "source": gauge.source,
    }
