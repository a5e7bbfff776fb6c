"""The guard: a delivery connects to addresses that webhooks may go to, and to no other.

A name is resolved for every new connection, all its addresses must pass, and the connection is made to those very
addresses: a name that means something else a moment later gains nothing. The last look is at the socket's own target,
which holds for hosts that are addresses too.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from router.webhook_url import TargetRules, address_allowed

_THREADS = 32

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the numeric addresses of a name, for a port. Raises OSError."""


class TargetRefused(OSError):
    """An address is none that webhooks may go to."""


class SystemResolver:
    """The system's own look-up, on threads of its own: names that take their time delay no other work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "webhook-dns")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    def _look_up(self, host: str, port: int) -> Sequence[Any]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    def close(self) -> None:
        """Take no more names. A look-up under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedResolver(AbstractResolver):
    """Answers with the addresses of a name only when every one of them is allowed."""

    def __init__(self, resolve: Resolve, rules: TargetRules) -> None:
        self._resolve = resolve
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look a name up. Raises OSError when there is none, TargetRefused when one address is not allowed."""
        addresses = await self._resolve(host, port)
        if not addresses:
            raise OSError("the name has no address")
        for address in addresses:
            require_allowed(address, self._rules)
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is held."""


def guarded_socket(rules: TargetRules) -> Callable[[Any], socket.socket]:
    """Make the function that opens sockets: it refuses by the address that is about to be connected to."""

    def open_socket(addr_info: Any) -> socket.socket:
        family, kind, protocol, _, sockaddr = addr_info
        require_allowed(sockaddr[0], rules)
        return socket.socket(family, kind, protocol)

    return open_socket


def require_allowed(address: str, rules: TargetRules) -> None:
    """Raises TargetRefused for an address that is not allowed, and for text that is none."""
    try:
        allowed = address_allowed(address, rules)
    except ValueError:
        allowed = False
    if not allowed:
        raise TargetRefused("the address is not one that webhooks may go to")


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )
