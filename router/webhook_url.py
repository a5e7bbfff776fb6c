"""The URL of a webhook: what may be registered at all, before anything is resolved.

What passes here is plain enough that no two parsers read it differently: printable ASCII, a name or a canonical address
as the host, no user information. Where the name leads is looked at again when a delivery connects.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from router.public_address import is_public, is_reachable_private

_MAX_CHARACTERS = 2_048
_PLAIN = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")
_PORTS = frozenset({80, 443, 8443})
_FIRST_HIGH_PORT = 1_024


@dataclass(frozen=True, slots=True)
class TargetRules:
    """Where webhooks may go."""

    allow_private: bool = False
    """Plain http, private and loopback addresses, and any port from 1024 on: for tests and closed networks."""
    allow_high_ports: bool = False
    """Any port from 1024 on, not only 8443."""


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """A URL that was found good."""

    text: str
    """As the caller wrote it."""
    scheme: str
    host: str
    """Lower case; an IPv6 address without its brackets."""
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Who answers: scheme, host and port."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def receiver(self) -> str:
        """What answers there: the origin and the path. The query only says something to it."""
        return self.origin + self.path


def webhook_url(text: str, rules: TargetRules) -> WebhookUrl:
    """Read a URL. Raises ValueError with a reason that is fit for the caller."""
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"it should have at most {_MAX_CHARACTERS:,} characters")
    if not _PLAIN.fullmatch(text):
        raise ValueError("it should hold printable ASCII characters only (write other names in their xn-- form)")
    parts = _split(text)
    schemes = ("https", "http") if rules.allow_private else ("https",)
    if parts.scheme not in schemes or not text.lower().startswith(f"{parts.scheme}://"):
        raise ValueError(f"it should begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "@" in parts.netloc:
        raise ValueError("it should hold no user or password")
    if "#" in text:
        raise ValueError("it should hold no fragment")
    host = _host(parts.hostname or "", rules)
    return WebhookUrl(text, parts.scheme, host, _port(parts.netloc, parts.scheme, rules), parts.path or "/")


def address_allowed(address: str, rules: TargetRules) -> bool:
    """Tell whether a webhook may connect to this numeric address. Raises ValueError for text that is no address."""
    return is_reachable_private(address) if rules.allow_private else is_public(address)


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # brackets that are no pair, or hold no address
        raise ValueError("its host is neither a name nor an address") from None


def _host(host: str, rules: TargetRules) -> str:
    address = _address(host)
    if address is not None:
        if not address_allowed(str(address), rules):
            raise ValueError("its address is not a public one")
        return str(address)
    if not _NAME.fullmatch(host.removesuffix(".")):
        raise ValueError("its host is neither a name nor an address")
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        raise ValueError("its host is a number: write an address as four decimal numbers, such as 93.184.215.14")
    if not rules.allow_private and (len(labels) == 1 or _is_local(".".join(labels))):
        raise ValueError("its host is a local name, not a public one")
    return host


def _is_local(name: str) -> bool:
    return any(name == local or name.endswith(f".{local}") for local in _LOCAL_NAMES)


def _port(netloc: str, scheme: str, rules: TargetRules) -> int:
    digits = netloc.rpartition("]")[2].partition(":")[2] if ":" in netloc.rpartition("]")[2] else ""
    if not digits:
        if netloc.endswith(":"):
            raise ValueError("its port is missing after the colon")
        return 443 if scheme == "https" else 80
    if not digits.isdigit() or len(digits) > 5 or digits.startswith("0") or int(digits) > 65_535:
        raise ValueError("its port is no port")
    port = int(digits)
    if port in _PORTS or (port >= _FIRST_HIGH_PORT and (rules.allow_high_ports or rules.allow_private)):
        return port
    more = ", or 1024 and up" if rules.allow_high_ports or rules.allow_private else ""
    raise ValueError(f"its port should be 443, 8443 or 80{more}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
