"""What is sealed is unreadable, opens only as what it is, and tells a missing key from damage."""

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.encryption_key import VARIABLE, find_sealer
from cli.failure import CommandError
from cli.settings import Flags, load_settings
from store.sealing import (
    PLAIN,
    SEALED_BYTES,
    Damaged,
    KeyMissing,
    Sealer,
    SealingKey,
    answer_of,
    is_sealed,
    piece_of,
    request_of,
)

OLD, NEW = SealingKey(bytes(range(32))), SealingKey(bytes(range(32, 64)))
JOB = bytes(range(16))


@given(content=st.binary(max_size=300), about=st.binary(max_size=40))
def test_what_is_sealed_opens_again(content: bytes, about: bytes) -> None:
    sealer = Sealer([OLD])
    stored = sealer.seal(content, about)
    assert is_sealed(stored)
    assert len(stored) == len(content) + SEALED_BYTES
    assert sealer.open(stored, about) == content
    assert sealer.seal(content, about) != stored


@given(content=st.binary(min_size=8, max_size=300))
def test_nothing_of_the_content_is_seen(content: bytes) -> None:
    stored = Sealer([OLD]).seal(content, request_of(JOB))
    assert content not in stored[16:]


def test_a_value_opens_only_as_what_it_is() -> None:
    sealer = Sealer([OLD])
    names = [request_of(JOB), answer_of(JOB), request_of(bytes(16)), piece_of(JOB, 0), piece_of(JOB, 1)]
    for name in names:
        stored = sealer.seal(b"{}", name)
        for other in names:
            if other != name:
                with pytest.raises(Damaged):
                    sealer.open(stored, other)


def test_any_change_is_noticed() -> None:
    sealer, name = Sealer([OLD]), request_of(JOB)
    stored = sealer.seal(b'{"messages":[]}', name)
    for place in range(len(stored)):
        changed = bytearray(stored)
        changed[place] ^= 1
        if is_sealed(changed):  # without its magic it would pass as plain, and it is no JSON then
            with pytest.raises((Damaged, KeyMissing)):
                sealer.open(bytes(changed), name)
    for length in range(8, len(stored)):
        with pytest.raises((Damaged, KeyMissing)):
            sealer.open(stored[:length], name)


def test_what_was_written_before_there_was_a_key_stays_readable() -> None:
    assert Sealer([OLD]).open(b'{"plain":1}', request_of(JOB)) == b'{"plain":1}'
    assert Sealer([OLD]).open(b"", request_of(JOB)) == b""


def test_without_a_key_nothing_is_sealed_and_the_sealed_is_refused() -> None:
    body = b'{"plain":1}'
    assert PLAIN.seal(body, request_of(JOB)) is body
    assert PLAIN.open(body, request_of(JOB)) is body
    assert (PLAIN.is_on, PLAIN.fingerprint) == (False, None)
    with pytest.raises(KeyMissing):
        PLAIN.open(Sealer([OLD]).seal(body, request_of(JOB)), request_of(JOB))


def test_a_new_key_seals_while_the_old_one_opens() -> None:
    name = request_of(JOB)
    before, both, after = Sealer([OLD]), Sealer([NEW, OLD]), Sealer([NEW])
    old, new = before.seal(b"1", name), both.seal(b"2", name)
    assert (both.open(old, name), both.open(new, name), after.open(new, name)) == (b"1", b"2", b"2")
    for sealer, stored in ((before, new), (after, old)):
        with pytest.raises(KeyMissing):
            sealer.open(stored, name)


def test_sealing_is_switched_off_by_keys_that_only_open() -> None:
    sealer, name = Sealer([OLD], seals=False), request_of(JOB)
    assert sealer.seal(b"{}", name) == b"{}"
    assert sealer.open(Sealer([OLD]).seal(b"{}", name), name) == b"{}"
    assert not sealer.is_on


def test_a_key_is_named_without_being_told() -> None:
    assert OLD.secret.hex() not in repr(OLD)
    assert str(OLD.secret) not in repr(OLD)
    assert OLD.fingerprint != NEW.fingerprint
    assert OLD.fingerprint not in OLD.secret


def sealer_of(value: str) -> Sealer:
    return find_sealer(load_settings(Flags(), {VARIABLE: value}))


def test_keys_are_read_from_the_environment() -> None:
    first, second = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    assert not sealer_of("").fingerprints
    assert sealer_of(first).is_on
    assert len(sealer_of(f" {first} , {second} ").fingerprints) == 2
    assert sealer_of(f"{first},{second}").fingerprint == sealer_of(first).fingerprint
    kept = sealer_of(f"none,{first}")
    assert (kept.is_on, kept.fingerprints) == (False, sealer_of(first).fingerprints)


@pytest.mark.parametrize(
    "value",
    ["short", base64.b64encode(bytes(range(31))).decode(), base64.b64encode(bytes(32)).decode(), "é" * 44, "none,x"],
)
def test_what_is_no_key_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(CommandError, match=f"{VARIABLE}: key 1 .*openssl rand -base64 32") as refused:
        sealer_of(value)
    assert refused.value.code == 2
    assert value not in str(refused.value)
