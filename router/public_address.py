"""Public addresses: whether an IP address is a place on the internet, by a list of our own.

The standard library's `is_global` has been wrong before, so the ranges stand here. For IPv4 everything is public but
the list; for IPv6 nothing is but 2000::/3 without its exceptions, which leaves out mapped, translated, local and
link-local addresses altogether.
"""

import ipaddress

_V4_CLOSED = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
    )
)  # fmt: skip
_V6_OPEN = ipaddress.IPv6Network("2000::/3")
_V6_CLOSED = tuple(
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)
_V4_NEVER = tuple(ipaddress.IPv4Network(text) for text in ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
_V6_PRIVATE = tuple(ipaddress.IPv6Network(text) for text in ("::1/128", "fc00::/7"))
_V6_METADATA = ipaddress.IPv6Network("fd00:ec2::/32")


def is_public(address: str) -> bool:
    """Tell whether a numeric address is public. Raises ValueError for text that is no address."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in closed for closed in _V4_CLOSED)
    return found.scope_id is None and found in _V6_OPEN and not any(found in closed for closed in _V6_CLOSED)


def is_reachable_private(address: str) -> bool:
    """Tell whether a numeric address may be used where private targets are allowed: public, private or loopback.

    Link-local addresses, where clouds keep their metadata, multicast and "this network" stay closed even then. Raises
    ValueError for text that is no address.
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in closed for closed in _V4_NEVER)
    if is_public(address):
        return True
    return found.scope_id is None and found not in _V6_METADATA and any(found in each for each in _V6_PRIVATE)
