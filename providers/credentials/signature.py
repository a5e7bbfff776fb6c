"""A signature: AWS Signature Version 4 over one request, as it is sent. Pure; the time is an argument.

    canonical request   method, path, query, headers, names of the headers, hash of the body
    string to sign      algorithm, time, scope (day/region/service/aws4_request), hash of the canonical request
    key                 HMAC of day, region, service and aws4_request in turn, beginning with the secret key

Every service but S3 encodes the path once more than it is sent. Of the headers only those are signed that nothing on
the way changes: the host, the content type and AWS's own.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "bedrock"
_SIGNED = frozenset({"host", "content-type"})
_SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True, slots=True)
class Keys:
    """What AWS knows an account or a session by."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A request as it goes out, but for its signature."""

    path: str
    """As sent, percent-encoded; never empty."""
    query: str
    """As sent, percent-encoded; most often empty."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; `host` is among them."""
    content: bytes = field(repr=False)
    method: str = "POST"


def sign(request: Unsigned, keys: Keys, region: str, now_s: float) -> dict[str, str]:
    """Return the headers to add to a request. AWS takes them for five minutes."""
    time = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": time}
    if keys.session_token:
        added["x-amz-security-token"] = keys.session_token
    signed = {name: value for name, value in request.headers.items() if name in _SIGNED or name.startswith("x-amz-")}
    signed = dict(sorted((signed | added).items()))
    names, scope = ";".join(signed), f"{time[:8]}/{region}/{SERVICE}/aws4_request"
    text = "\n".join((ALGORITHM, time, scope, _digest(_canonical(request, signed, names))))
    signature = hmac.new(_key(keys, scope), text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={keys.access_key_id}/{scope}"
    return {**added, "authorization": f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"}


def _canonical(request: Unsigned, signed: Mapping[str, str], names: str) -> bytes:
    path = quote(_SLASHES.sub("/", request.path), safe="/~")
    pairs = (pair.partition("=") for pair in request.query.split("&") if pair)
    query = "&".join(f"{name}={value}" for name, _, value in sorted(pairs))
    headers = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in signed.items())
    return "\n".join((request.method, path, query, headers, names, _digest(request.content))).encode()


def _key(keys: Keys, scope: str) -> bytes:
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
