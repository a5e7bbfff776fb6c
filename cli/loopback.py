"""Loopback: whether an address can be reached from this machine only."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Say whether listening on `host` is safe from others: 127.0.0.0/8, ::1 or `localhost`.

    A name is never looked up: whatever it means today it may mean something else tomorrow.
    """
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def reachable_at(host: str) -> str:
    """Turn an address to listen on into one that this machine can connect to."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def http_url(host: str, port: int) -> str:
    """Spell `http://host:port`, with brackets around an IPv6 address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
