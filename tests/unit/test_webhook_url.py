"""Where webhooks may go: URLs that may be registered, and addresses that may be connected to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.public_address import is_public, is_reachable_private
from router.webhook_url import TargetRules, address_allowed, webhook_url
from tests.hostile_urls import HOSTILE

PUBLIC = TargetRules()
PRIVATE = TargetRules(allow_private=True)


def test_the_list_is_long_enough() -> None:
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^its? "):
        webhook_url(url, PUBLIC)


@pytest.mark.parametrize(
    ("url", "host", "port", "receiver"),
    [
        ("https://example.com", "example.com", 443, "https://example.com:443/"),
        ("https://Example.COM:443/a?b=c", "example.com", 443, "https://example.com:443/a"),
        ("https://hooks.example.com:8443/x/y", "hooks.example.com", 8443, "https://hooks.example.com:8443/x/y"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example:443/"),
        ("https://93.184.215.14/", "93.184.215.14", 443, "https://93.184.215.14:443/"),
        ("https://[2606:4700::6810:84e5]/", "2606:4700::6810:84e5", 443, "https://2606:4700::6810:84e5:443/"),
        ("https://a.example/%E2%82%AC?x=%0d%0a", "a.example", 443, "https://a.example:443/%E2%82%AC"),
    ],
)
def test_a_public_url_is_read(url: str, host: str, port: int, receiver: str) -> None:
    found = webhook_url(url, PUBLIC)
    assert (found.host, found.port, found.receiver, found.text) == (host, port, receiver, url)


def test_private_targets_are_taken_where_they_are_allowed_and_metadata_is_not() -> None:
    for url in (
        "http://127.0.0.1:9999/x",
        "http://localhost:80/",
        "http://db:5000/",
        "https://10.0.0.1/",
        "http://[::1]:99999/",
    ):
        if "99999" in url:
            with pytest.raises(ValueError, match="port"):
                webhook_url(url, PRIVATE)
        else:
            assert webhook_url(url, PRIVATE).text == url
    for url in (
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
        "http://user@127.0.0.1/",
        "http://2130706433/",
    ):
        with pytest.raises(ValueError, match=r"^its? "):
            webhook_url(url, PRIVATE)


def test_high_ports_are_a_setting_of_their_own() -> None:
    with pytest.raises(ValueError, match="443, 8443 or 80"):
        webhook_url("https://example.com:9443/", PUBLIC)
    assert webhook_url("https://example.com:9443/", TargetRules(allow_high_ports=True)).port == 9443
    with pytest.raises(ValueError, match="1024 and up"):
        webhook_url("https://example.com:25/", TargetRules(allow_high_ports=True))


def test_a_long_url_is_refused() -> None:
    with pytest.raises(ValueError, match="2,048"):
        webhook_url("https://example.com/" + "a" * 2048, PUBLIC)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for rules in (PUBLIC, PRIVATE):
        for url in (text, f"https://{text}", f"https://{text}/"):
            try:
                found = webhook_url(url, rules)
            except ValueError:
                continue
            assert found.host
            assert 0 < found.port < 65_536


@given(st.ip_addresses())
def test_nothing_that_the_library_calls_private_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(str(address)):
        kinds = ("loopback", "link_local", "multicast", "unspecified", "private", "reserved")
        assert not any(getattr(address, f"is_{kind}") for kind in kinds)
        assert is_reachable_private(str(address))


def test_what_is_no_address_is_an_error() -> None:
    for text in ("", "localhost", "1.2.3", "0x7f000001", "::g"):
        with pytest.raises(ValueError, match="address"):
            address_allowed(text, PUBLIC)
