"""The headers of a call: ours, the credential where the provider looks for it, the dialect's own, the config's."""

from urllib.parse import quote

from providers.completion import Target
from providers.credential import Auth
from providers.failure import ErrorClass, Failure

Headers = tuple[tuple[str, str], ...]

OURS: Headers = (
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
    ("accept-encoding", "identity"),
    ("user-agent", "laneway"),
)
_KEY_HEADERS = {Auth.AZURE: "api-key", Auth.GOOGLE: "x-goog-api-key"}


def headers_of(target: Target, own: Headers = ()) -> Headers:
    """List the headers, names in lower case. Of two of one name the config's wins, then the dialect's (`own`)."""
    listed = (*OURS, *_credential(target))
    if not own and not target.headers:
        return listed
    merged = dict(listed)
    merged.update(own)
    merged.update((name.lower(), value) for name, value in target.headers)
    return tuple(merged.items())


def addressed(url: str, target: Target) -> str:
    """Put the key into the query, for the servers that look for it there."""
    if target.auth is not Auth.QUERY or not target.api_key:
        return url
    return f"{url}{'&' if '?' in url else '?'}{target.auth_name}={quote(target.api_key, safe='')}"


def unusable_key(target: Target) -> Failure | None:
    """Refuse a key that no header can carry; None where it can."""
    if target.api_key is None or (target.api_key.isascii() and target.api_key.isprintable()):
        return None
    message = f"the API key of provider {target.provider!r} holds a line break or a non-ASCII character; set it anew"
    return Failure(ErrorClass.AUTH, message)


def _credential(target: Target) -> Headers:
    if target.api_key is None or target.auth in (Auth.NONE, Auth.QUERY):
        return ()
    if target.auth is Auth.HEADER:
        return ((target.auth_name, target.api_key),)
    if target.auth in _KEY_HEADERS:
        return ((_KEY_HEADERS[target.auth], target.api_key),)
    return (("authorization", f"Bearer {target.api_key}"),)
