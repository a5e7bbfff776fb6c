"""The sender: posts one event once, over connections of its own, and says what came of it.

No redirects, no proxies from the environment, no cookies. Of an answer only the status counts; up to 64 KiB of its body
are read so that the connection can be used again.
"""

import asyncio
import contextlib
import logging
import math
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import certifi
from yarl import URL

from router.delivery import MAX_RETRY_AFTER_MS, SendError, Sent
from router.webhook_url import TargetRules, WebhookUrl, webhook_url
from workers.webhooks.guard import GuardedResolver, Resolve, SystemResolver, TargetRefused, guarded_socket

_MAX_BODY_BYTES = 64 * 1024
_BODY_S = 2.0
_KEEP_ALIVE_S = 2.0
_log = logging.getLogger(__name__)


class Sender:
    """Posts events; one per process. Create it inside a running event loop."""

    def __init__(
        self,
        rules: TargetRules,
        timeout_ms: int,
        *,
        resolve: Resolve | None = None,
        authorities: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._timeout_s = timeout_ms / 1000
        self._system = SystemResolver() if resolve is None else None
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=GuardedResolver(resolve or self._system or SystemResolver(), rules),
            use_dns_cache=False,
            keepalive_timeout=_KEEP_ALIVE_S,
            socket_factory=guarded_socket(rules),
            ssl=authorities or _trusted_authorities(),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Sent:
        """Post once, within the timeout from the look-up of the name to the status. Raises only CancelledError."""
        try:
            target = _target(webhook_url(url, self._rules))
        except ValueError:
            return Sent(error=SendError.TARGET)
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._session.post(target, data=body, headers=headers, allow_redirects=False)
        except Exception as error:
            return Sent(error=_named(error))
        try:
            return Sent(response.status, retry_after_ms=_retry_after_ms(response.headers.get("retry-after", "")))
        finally:
            await _use_up(response)

    async def close(self) -> None:
        """Close all connections, those of posts under way too."""
        await self._session.close()
        if self._system is not None:
            self._system.close()


def _target(url: WebhookUrl) -> URL:
    """Read the URL as aiohttp does, and make sure that it means the same. Raises ValueError."""
    target = URL(url.text, encoded=True)
    if (target.scheme, (target.host or "").lower(), target.port) != (url.scheme, url.host, url.port):
        raise ValueError("the URL is ambiguous")
    return target


async def _use_up(response: aiohttp.ClientResponse) -> None:
    """Read what little an answer may say; a connection with more on it is closed."""
    rest = _MAX_BODY_BYTES
    with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(_BODY_S):
            while rest > 0 and (piece := await response.content.read(rest)):
                rest -= len(piece)
    response.close()  # gives the connection back when the body was read to its end


def _named(error: Exception) -> SendError:
    match error:
        case TargetRefused() | aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return SendError.TARGET
        case TimeoutError():
            return SendError.TIMEOUT
        case aiohttp.ClientConnectorError(os_error=TargetRefused()):
            return SendError.TARGET
        case aiohttp.ClientConnectorDNSError():
            return SendError.DNS
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return SendError.TLS
        case aiohttp.ClientConnectionError() | OSError():
            return SendError.CONNECT
        case aiohttp.ClientError():
            return SendError.PROTOCOL
        case _:
            _log.error("a webhook's answer could not be read: %s", type(error).__name__)
            return SendError.PROTOCOL


def _retry_after_ms(text: str) -> int | None:
    """Read seconds or a date, at most a day from now; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, OverflowError, TypeError, IndexError):
            return None
        seconds = (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - time.time()
    if not math.isfinite(seconds):
        return None
    return int(max(0.0, min(seconds * 1000, MAX_RETRY_AFTER_MS)))


def now_utc() -> datetime:
    """The time of this machine, which a receiver compares with its own."""
    return datetime.now(UTC)


def _trusted_authorities() -> ssl.SSLContext:
    """Trust what the system trusts, and certifi's list for systems that have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
