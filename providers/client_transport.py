"""The transport: httpx requests and responses over an aiohttp connection pool.

httpx is the interface; its own pool costs milliseconds of CPU a call at a hundred concurrent calls, aiohttp's about
a tenth of one. The transport is called directly, without `httpx.AsyncClient`: that would add cookies, redirects
and proxies from the environment, none of which we want.

One request goes out at most once. aiohttp sends a request again on a stale kept-alive connection only for
idempotent methods; this transport sends nothing but POST and follows no redirect.
"""

import ssl
from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
import certifi
import httpx
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

KEEP_ALIVE_S = 15.0
DNS_TTL_S = 60
MAX_CACHED_URLS = 4096


class Transport(Protocol):
    """What the client needs of an httpx transport."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response: ...
    async def aclose(self) -> None: ...


class RequestBody(aiohttp.Payload):
    """The bytes of one request, that remember whether they all went out."""

    _autoclose = True

    def __init__(self, content: bytes) -> None:
        super().__init__(content, content_type="application/json")
        self._size = len(content)
        self.handed_over = False
        """True once the whole body is with the operating system or nearly so; until then no server can act on it."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text; the interface of payloads asks for it."""
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body whole. A large one waits here for the server to take it."""
        await writer.write(self._value)
        self.handed_over = True


class ResponseStream(httpx.AsyncByteStream):
    """The body of a response, in the pieces in which it arrives, not decompressed."""

    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while True:
                piece = await content.readany()
                if piece:
                    yield piece
                elif content.at_eof():
                    return
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.ReadError(f"the body broke off ({type(error).__name__})", request=self._request) from error

    async def aclose(self) -> None:
        """Give a connection read to its end back to the pool; close any other."""
        if not self._response.closed:
            self._response.close()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends POST requests; connections begin with the first one. Use it on one event loop only.

    Reads `extensions["timeout"]["connect"]` (seconds); all other time is the caller's to bound. On an error it sets
    `extensions["handed_over"]`: False where the server cannot have acted on the request.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False
        self._timeouts: dict[float | None, aiohttp.ClientTimeout] = {}
        self._urls: dict[str, URL] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the response once its headers are in. Raises httpx.TransportError."""
        if request.method != "POST":
            raise httpx.UnsupportedProtocol("this transport sends POST only", request=request)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = RequestBody(b"".join([piece async for piece in request.stream]))
        try:
            response = await self._open().post(
                self._url(request.url),
                data=body,
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                allow_redirects=False,
                timeout=self._timeout(request.extensions.get("timeout", {}).get("connect")),
            )
        except BaseException as error:
            request.extensions["handed_over"] = body.handed_over
            if isinstance(error, Exception):
                raise _as_httpx(error, request) from error
            raise
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=ResponseStream(response, request), request=request
        )

    async def aclose(self) -> None:
        """Close every connection, those of running calls too."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise RuntimeError("Session is closed")
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0, ttl_dns_cache=DNS_TTL_S, keepalive_timeout=KEEP_ALIVE_S, ssl=trusted_authorities()
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
            )
        return self._session

    def _timeout(self, connect_s: float | None) -> aiohttp.ClientTimeout:
        timeout = self._timeouts.get(connect_s)
        if timeout is None:
            timeout = self._timeouts[connect_s] = aiohttp.ClientTimeout(total=None, connect=connect_s)
        return timeout

    def _url(self, url: httpx.URL) -> URL:
        text = str(url)
        parsed = self._urls.get(text)
        if parsed is None:
            if len(self._urls) >= MAX_CACHED_URLS:
                self._urls.clear()
            parsed = self._urls[text] = _checked_url(text)
        return parsed


def _checked_url(text: str) -> URL:
    try:
        parsed = URL(text, encoded=True)
        if parsed.port is not None:  # reading it checks its range
            return parsed
    except ValueError:
        pass
    raise httpx.UnsupportedProtocol("the address is not usable")


def trusted_authorities() -> ssl.SSLContext:
    """Trust what the system trusts, for private authorities, and certifi's list, for systems that have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _as_httpx(error: Exception, request: httpx.Request) -> Exception:
    """Translate aiohttp's errors into httpx's; the words are ours, as theirs may quote headers."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("no connection in time", request=request)
        case aiohttp.ClientConnectorDNSError():
            return httpx.ConnectError("the host name does not resolve", request=request)
        case aiohttp.ClientConnectorCertificateError():
            return httpx.ConnectError("the TLS certificate is not trusted", request=request)
        case aiohttp.ClientSSLError():
            return httpx.ConnectError("the TLS handshake failed", request=request)
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(error.os_error.strerror or "the connection failed", request=request)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | UnicodeError():
            return httpx.UnsupportedProtocol("the address is not usable", request=request)
        case aiohttp.ClientResponseError():
            return httpx.RemoteProtocolError("the response is not valid HTTP", request=request)
        case aiohttp.ClientConnectionError() | OSError():
            return httpx.ReadError(f"the connection was lost ({type(error).__name__})", request=request)
        case _:
            return error
