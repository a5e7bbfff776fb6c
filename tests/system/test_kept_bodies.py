"""Which bodies are kept: as the request says with `store`, else as its key does."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from store.ids import Prefix, raw_id
from store.tables import key
from tests.faults.stand import Stand
from tests.laneway_up import wait_for
from tests.system.asking import asking_on
from tests.system.conftest import ApiServer

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with asking_on("sqlite", "kept_bodies", request, tmp_path_factory) as (_stand, server):
        assert isinstance(_stand, Stand)
        yield server


@pytest.fixture(params=[False, True], ids=["a plain key", "a key that stores"])
def caller(request: pytest.FixtureRequest, server: ApiServer) -> Iterator[tuple[bool, httpx.Client]]:
    """A caller, and whether its key keeps bodies."""
    key_id, secret = server.make_key()
    if request.param:
        server.write(_store_bodies, raw_id(Prefix.KEY, key_id))
    with server.http(secret) as http:
        yield request.param, http


def _store_bodies(connection: Connection, _now_ms: int, key_id: bytes) -> None:
    connection.execute(update(key).where(key.c.id == key_id).values(store_bodies=1))


def completion(**more: Any) -> dict[str, Any]:
    return {"model": "fast", "messages": [{"role": "user", "content": "hello"}], **more}


def result_of(http: httpx.Client, job_id: str) -> Any:
    return http.get(f"/v1/jobs/{job_id}").raise_for_status().json()["result"]


def test_the_request_decides_and_then_the_key(caller: tuple[bool, httpx.Client]) -> None:
    stores, http = caller
    asked: dict[bool | None, httpx.Response] = {
        store: http.post(CHAT, json=completion() if store is None else completion(store=store)).raise_for_status()
        for store in (True, None, False)
    }
    jobs = {store: answer.headers["x-laneway-job-id"] for store, answer in asked.items()}
    wait_for(lambda: result_of(http, jobs[False]) is None, what="the answer's end")
    if not stores:
        wait_for(lambda: result_of(http, jobs[None]) is None, what="the answer's end")
    kept = {store: result_of(http, job_id) for store, job_id in jobs.items()}
    assert kept == {True: asked[True].json(), None: asked[None].json() if stores else None, False: None}


def test_an_async_job_that_is_not_to_be_stored_is_fetched_once(caller: tuple[bool, httpx.Client]) -> None:
    _, http = caller
    jobs = {
        store: http.post("/v1/jobs", json={"endpoint": CHAT, "body": completion(**more)}).json()["id"]
        for store, more in {None: {}, False: {"store": False}}.items()
    }
    for job_id in jobs.values():
        done = http.get(f"/v1/jobs/{job_id}?wait=60").json()
        assert done["result"]["choices"][0]["message"]["content"]
    wait_for(lambda: result_of(http, jobs[False]) is None, what="the answer's end")
    again = http.get(f"/v1/jobs/{jobs[False]}").json()
    assert (again["status"], again["usage"]["total_tokens"] > 0) == ("completed", True)
    assert result_of(http, jobs[None]) is not None


def test_whoever_takes_the_job_instead_of_its_answer_fetches_it_once_too(caller: tuple[bool, httpx.Client]) -> None:
    _, http = caller
    taken = http.post(CHAT, json=completion(store=False), headers={"prefer": "respond-async"})
    assert taken.status_code == 202
    job_id = taken.json()["id"]
    assert http.get(f"/v1/jobs/{job_id}?wait=60").json()["result"] is not None
    wait_for(lambda: result_of(http, job_id) is None, what="the answer's end")
