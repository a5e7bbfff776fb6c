"""Wrong credentials: they all look alike and cost alike; who tries many reaches nothing and locks nobody out."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from store.database import Database, Query, open_database
from store.key_secrets import make_secret
from store.schema import migrate
from store.tables import key
from tests.system.conftest import MASTER_KEY
from tests.system.test_errors import make_dependencies

TRIES = 1_000
MOST_LOOK_UPS = 12


@dataclass
class Counted:
    """A database that counts what is asked of it."""

    database: Database
    asked: Counter[str] = field(default_factory=Counter)

    async def read(self, query: Query[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.asked[getattr(query, "__name__", "?")] += 1
        return await self.database.read(query, *args, **kwargs)

    async def write(self, query: Query[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.asked[getattr(query, "__name__", "?")] += 1
        return await self.database.write(query, *args, **kwargs)


@pytest.fixture
async def counted(tmp_path: Path) -> AsyncIterator[Counted]:
    url = f"sqlite:///{tmp_path}/laneway.db"
    migrate(url)
    database = open_database(url)
    yield Counted(database)
    await database.close()


@pytest.fixture
def app(counted: Counted) -> FastAPI:
    return create_app(make_dependencies(counted))  # type: ignore[arg-type]


def at(app: FastAPI, address: str) -> httpx.AsyncClient:
    """A client at this address."""
    transport = httpx.ASGITransport(app, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://laneway.test")


async def ask(client: httpx.AsyncClient, secret: str) -> httpx.Response:
    return await client.get("/v1/models", headers={"authorization": f"Bearer {secret}"})


async def make_key(app: FastAPI, **wishes: Any) -> dict[str, Any]:
    async with at(app, "10.0.0.1") as operator:
        headers = {"authorization": f"Bearer {MASTER_KEY}"}
        made = await operator.post("/admin/keys", json={"name": "x", **wishes}, headers=headers)
        found: dict[str, Any] = made.raise_for_status().json()
        return found


async def test_a_thousand_tries_reach_the_database_a_dozen_times_and_lock_nobody_out(
    app: FastAPI, counted: Counted
) -> None:
    good = (await make_key(app))["secret"]
    counted.asked.clear()
    async with at(app, "203.0.113.9") as guesser, at(app, "198.51.100.7") as friend:
        statuses = Counter([(await ask(guesser, make_secret())).status_code for _ in range(TRIES)])
        assert set(statuses) == {401, 429}
        assert statuses[401] <= MOST_LOOK_UPS
        assert counted.asked["find_key"] == statuses[401]
        assert counted.asked.total() <= 2 * MOST_LOOK_UPS
        assert (await ask(friend, good)).status_code == 200
        assert (await ask(guesser, good)).status_code == 200  # the key was good here before: its holder is not locked
        assert (await ask(guesser, MASTER_KEY)).status_code == 200


async def test_malformed_keys_never_reach_the_database(app: FastAPI, counted: Counted) -> None:
    secret = make_secret()
    wrong = ("", "x", secret[:-1], secret + "0", secret[:-1] + ("0" if secret[-1] != "0" else "1"), secret.upper())
    async with at(app, "203.0.113.9") as client:
        for text in wrong * 20:
            assert (await ask(client, text)).status_code == 401
    assert not counted.asked


async def test_keys_that_are_no_good_are_told_apart_by_nothing(app: FastAPI, counted: Counted) -> None:
    """Not by status, headers or words, and not by what the answer takes: each costs the same one look-up."""
    revoked, expired = await make_key(app), await make_key(app)
    async with at(app, "10.0.0.1") as operator:
        path = f"/admin/keys/{revoked['id']}/revoke"
        (await operator.post(path, headers={"authorization": f"Bearer {MASTER_KEY}"})).raise_for_status()
    await counted.database.write(end_of_all_keys)
    told, costs = [], []
    async with at(app, "203.0.113.9") as client:
        for secret in (make_secret(), revoked["secret"], expired["secret"]):
            counted.asked.clear()
            answer = await ask(client, secret)
            costs.append(dict(counted.asked))
            told.append((answer.status_code, answer.text, [name for name in answer.headers]))
        malformed = await ask(client, "lw-malformed")
        told.append((malformed.status_code, malformed.text, list(malformed.headers)))
    assert told == [told[0]] * 4
    assert told[0][0] == 401
    assert costs == [{"find_key": 1}] * 3


def end_of_all_keys(connection: Any, now_ms: int) -> None:
    connection.execute(key.update().values(expires_at_ms=now_ms))


async def test_keys_that_begin_alike_are_different_keys(app: FastAPI) -> None:
    """What was found is remembered under all of a secret: another end is another key."""
    good = (await make_key(app))["secret"]
    async with at(app, "203.0.113.9") as client:
        assert (await ask(client, good)).status_code == 200
        for other in (good[:-7] + make_secret()[-7:], good + good[-6:], good[:40]):
            assert (await ask(client, other)).status_code == 401
