"""The signature on a request to AWS (Signature Version 4), checked with the secret key that made it.

The scope's date and region are taken as they come; what is signed, and with which secret, is checked in full.
"""

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import quote, unquote

from providers.simulator.wire import Request

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/(?P<date>\d{8})/(?P<region>[^/]+)/bedrock/aws4_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_NEEDED: Final = frozenset({"host", "x-amz-date"})


def admits(request: Request, key: bytes) -> bool:
    """Whether a request carries the key as its bearer token, or is signed with it as the secret access key."""
    if token := request.bearer():
        return hmac.compare_digest(token, key)
    match = _AUTHORIZATION.fullmatch(request.authorization.decode("latin-1"))
    if match is None:
        return False
    names = match["names"].split(";")
    stamp = request.header(b"x-amz-date").decode("latin-1")
    if not _NEEDED.issubset(names) or not stamp.startswith(match["date"]):
        return False
    scope = f"{match['date']}/{match['region']}/bedrock/aws4_request"
    digest = hashlib.sha256(_canonical(request, names).encode("latin-1")).hexdigest()
    signed = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode()
    secret = b"AWS4" + key
    for part in scope.split("/"):
        secret = _mac(secret, part.encode())
    return hmac.compare_digest(_mac(secret, signed).hex(), match["signature"])


def _canonical(request: Request, names: list[str]) -> str:
    """Return the canonical request; the path is encoded once more than it came, as for every service but S3."""
    headers = "".join(f"{name}:{_value(request, name)}\n" for name in names)
    pairs = sorted(pair.partition("=")[::2] for pair in request.query.split("&") if pair)
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)
    body = hashlib.sha256(request.body).hexdigest()
    path = quote(request.path, safe="/-_.~")
    return "\n".join([request.method, path, query, headers, ";".join(names), body])


def _value(request: Request, name: str) -> str:
    return " ".join(request.header(name.encode()).decode("latin-1").split())


def _encoded(part: str) -> str:
    return quote(unquote(part), safe="-_.~")


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
