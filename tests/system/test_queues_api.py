"""`/v1/queues`, live edits, and what a waiting job or batch says of its wait."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from providers.limit import Demand, Limit, Measure
from router.scope import Scope, ScopeLimits, deployment_scope, key_scope, provider_scope
from router.standing import Closed
from store.claim import Claimant, claim_jobs
from store.ids import Prefix, new_id, raw_id
from store.leases import WorkerState, say_alive
from store.limits.limit_store import LimitStore
from store.limits.permit import Ask
from store.limits.scope_state import Report
from store.tables import batch, job, payload, slices
from tests.faults.schedules_rows import add_loaded_batch
from tests.system.conftest import ApiServer

LLAMA = {"model": "small", "messages": [{"role": "user", "content": "x"}]}
JOB = {"endpoint": "/v1/chat/completions", "body": LLAMA}
GPU, DEPLOYMENT = provider_scope("gpu"), deployment_scope("gpu", "llama")


def measure(api: ApiServer, *work: Callable[[LimitStore], Awaitable[Any]]) -> None:
    """Do with the limits what a worker would."""

    async def run() -> None:
        limits = LimitStore(api.state_url, new_id())
        for each in work:
            await each(limits)
        await limits.aclose()

    asyncio.run(run())


def report(scope: Scope, *, in_flight: int = 0, waiting: int = 0, per_minute: int = 0) -> Report:
    return Report(scope, in_flight, waiting, per_minute, None)


def serve_queues(api: ApiServer, *queues: str) -> None:
    """Let there be a living worker of these queues."""
    api.write(say_alive, WorkerState(new_id(), "h", json.dumps(queues), 10, 0, "v"))


def provider(http: httpx.Client, path: str = "/v1/queues") -> dict[str, Any]:
    answer = http.get(path).raise_for_status().json()
    (found,) = (each for each in answer["data"] if each["provider"] == "gpu")
    return dict(found)


def hand_in(http: httpx.Client, **more: Any) -> str:
    return str(http.post("/v1/jobs", json={**JOB, **more}).raise_for_status().json()["id"])


def waiting(http: httpx.Client, job_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = http.get(f"/v1/jobs/{job_id}").raise_for_status().json()["laneway"]["waiting"]
    return found


def test_a_quiet_provider_is_ok_and_says_that_nobody_consumes_it(api: ApiServer) -> None:
    with api.http() as http:
        found = provider(http)
        assert (found["state"], found["limited_by"], found["limits"], found["in_flight"]) == ("ok", None, [], 0)
        assert [(each["name"], each["kind"], each["queued"], each["workers"]) for each in found["queues"]] == [
            ("gpu", "interactive", 0, 0), ("gpu.batch", "batch", 0, 0),
        ]  # fmt: skip
        assert [each["name"] for each in found["deployments"]] == ["gpu/llama"]
        serve_queues(api, "gpu")
        assert [each["workers"] for each in provider(http)["queues"]] == [1, 0]


def test_a_caller_sees_sums_of_all_and_counts_of_its_own(api: ApiServer) -> None:
    with api.http(api.make_key("a")[1]) as mine, api.http(api.make_key("b")[1]) as other:
        hand_in(mine)
        for _ in range(2):
            hand_in(other)
        hand_in(other, body={**LLAMA, "service_tier": "flex"})
        interactive, lines = provider(mine)["queues"]
        assert (interactive["queued"], interactive["yours"]) == (3, {"queued": 1, "in_progress": 0})
        assert (lines["queued"], lines["yours"]["queued"]) == (1, 0)
        assert interactive["oldest_wait_s"] >= 0
        assert provider(other)["queues"][0]["yours"]["queued"] == 2


def test_models_that_only_others_use_are_shown_to_the_operator_alone(api: ApiServer) -> None:
    with api.http(api.make_key("a")[1]) as mine, api.http(api.make_key("b")[1]) as other, api.http() as operator:
        job_id = raw_id(Prefix.JOB, hand_in(other, body={**LLAMA, "model": "gpu/secret-model"}))
        claimant = Claimant(new_id(), 30_000, ("gpu",), lambda route, _index: ("gpu", route.removeprefix("gpu/")))
        while not api.write(claim_jobs, claimant, [job_id]):
            pass  # a hand-out has its row just now
        assert "secret-model" not in mine.get("/v1/queues").text
        assert "gpu/secret-model" in other.get("/v1/queues").text
        assert "gpu/secret-model" in operator.get("/admin/queues").text
        assert provider(mine)["queues"][0]["in_progress"] == 1
        assert mine.get("/admin/queues").status_code == 403


def test_limits_are_shown_with_their_use(api: ApiServer) -> None:
    limits = (Limit(Measure.REQUESTS, 6_000),)
    with api.http() as http:
        http.put("/admin/deployments/gpu/llama/limits", json={"rpm": 6_000}).raise_for_status()
        ask = Ask((ScopeLimits(DEPLOYMENT, limits),), (Demand(),), False, (0,))
        measure(api, lambda store: store.take(ask), lambda store: store.report([report(DEPLOYMENT, in_flight=3)], {}))
        (found,) = provider(http)["deployments"]
        (gauge,) = found["limits"]
        assert (gauge["limit"], gauge["amount"], gauge["window_s"], gauge["source"]) == (
            "requests/min", 6_000, 60, "configured",
        )  # fmt: skip
        assert found["in_flight"] == 3


@pytest.mark.parametrize(
    ("closed", "words"), [(Closed.RATE_LIMIT, "429 cooldown"), (Closed.AUTH, "credential refused")]
)
def test_a_closed_provider_closes_its_deployments(api: ApiServer, closed: Closed, words: str) -> None:
    measure(api, lambda store: store.close(GPU, closed, 600_000))
    with api.http() as http:
        found = provider(http)
        for each in (found, *found["deployments"]):
            assert (each["state"], each["closed_reason"]) == ("closed", closed)
            assert each["limited_by"].startswith(f"gpu {words}, ")
        serve_queues(api, "gpu")
        wait = waiting(http, hand_in(http))
        assert wait is not None
        assert wait["limited_by"].startswith(f"gpu {words}")
        assert 0 < wait["eta_s"] <= 600


def test_without_redis_the_view_still_says_what_sql_knows(api: ApiServer) -> None:
    lost = ApiServer(api.database_url, "redis://127.0.0.1:9/0", api.folder)
    lost.start()
    try:
        with lost.http() as http:
            job_id = hand_in(http)
            found = provider(http)
            assert (found["limits"], found["in_flight"], found["queues"][0]["queued"]) == (None, None, 1)
            wait = waiting(http, job_id)
            assert wait is not None
            assert wait["limited_by"] == "workers: nothing consumes the queue gpu"
    finally:
        lost.stop()


def test_states_are_set_told_and_ended(api: ApiServer) -> None:
    with api.http() as http:
        job_id = hand_in(http)
        for verb, state in (("pause", "paused"), ("drain", "draining")):
            edit = http.post(f"/admin/providers/gpu/{verb}").raise_for_status().json()
            assert (edit["name"], edit["kind"], edit["state"], edit["limits"]) == ("gpu", "provider", state, {})
            found = provider(http, "/admin/queues")
            assert (found["state"], found["limited_by"], found["edit"]) == (state, f"gpu is {state}", edit)
            assert found["deployments"][0]["state"] == state
            wait = waiting(http, job_id)
            assert wait is not None
            assert (wait["limited_by"], wait["eta_s"], wait["position"]) == (f"gpu is {state}", None, 0)
        assert http.post("/admin/providers/gpu/resume").json()["state"] is None
        assert provider(http)["state"] == "ok"
        assert "edit" not in provider(http)


def test_limits_are_replaced_added_and_cleared(api: ApiServer) -> None:
    with api.http() as http:
        path = "/admin/deployments/gpu/team/large/limits"
        assert http.put(path, json={"rpm": 5, "tpm": 7}).json()["limits"] == {"rpm": 5, "tpm": 7}
        added = http.patch(path, json={"tpm": None, "usd_per_minute": "0.5"}).json()
        assert added["limits"] == {"rpm": 5, "tpm": None, "usd_per_minute": "0.5"}
        assert (added["name"], added["kind"]) == ("gpu/team/large", "deployment")
        assert "gpu/team/large" in [each["name"] for each in provider(http)["deployments"]]
        assert http.put(path, json={"rpd": 1}).json()["limits"] == {"rpd": 1}
        http.post("/admin/deployments/gpu/team/large/pause").raise_for_status()
        assert http.request("DELETE", path).json() == {
            "object": "override", "name": "gpu/team/large", "kind": "deployment", "state": "paused", "limits": {},
        }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/admin/providers/gpo/pause", None, 404, "Did you mean 'gpu'"),
        ("POST", "/admin/providers/zzzzzz/pause", None, 404, "GET /v1/queues"),
        ("POST", "/admin/deployments/gpo/x/pause", None, 404, "Did you mean 'gpu'"),
        ("POST", f"/admin/deployments/gpu/{'x' * 201}/pause", None, 400, "1 to 200 printable"),
        ("POST", "/admin/deployments/gpu/a%7Fb/pause", None, 400, "1 to 200 printable"),
        ("PUT", "/admin/providers/gpu/limits", {"rmp": 5}, 400, "did you mean 'rpm'"),
        ("PATCH", "/admin/providers/gpu/limits", {"rpm": 0}, 400, "greater than or equal to 1"),
        ("PATCH", "/admin/providers/gpu/limits", [], 400, "JSON object"),
        ("POST", "/admin/providers/gpu/stop", None, 404, "There is no POST"),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused(
    shared_api: ApiServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    with shared_api.http() as http:
        answer = http.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        assert says in answer.json()["error"]["message"]


def test_only_the_operator_edits(api: ApiServer) -> None:
    with api.http(api.make_key()[1]) as http:
        for method, path in (("POST", "/admin/providers/gpu/pause"), ("PUT", "/admin/deployments/gpu/m/limits")):
            assert http.request(method, path, json={}).json()["error"]["code"] == "insufficient_scope"
        assert provider(http)["state"] == "ok"


def test_a_job_tells_its_place_and_that_no_worker_is_there(api: ApiServer) -> None:
    with api.http() as http:
        first, second, urgent = hand_in(http), hand_in(http), hand_in(http, priority=5)
        places = [waiting(http, each) for each in (first, second, urgent)]
        assert [place and place["position"] for place in places] == [1, 2, 0]
        assert {place and place["limited_by"] for place in places} == {"workers: nothing consumes the queue gpu"}
        serve_queues(api, "gpu")
        assert (waiting(http, urgent) or {})["limited_by"] == "nothing"
        measure(api, lambda store: store.report([report(DEPLOYMENT, per_minute=60), report(GPU, waiting=1)], {}))
        assert waiting(http, second) == {
            "position": 2, "limited_by": "gpu slots, 0 of 256 busy", "eta_s": 3,
            "detail": "Raise max_parallel_requests, or start another worker.",
        }  # fmt: skip
        http.post(f"/v1/jobs/{second}/cancel").raise_for_status()
        assert waiting(http, second) is None


def test_a_claimed_job_waits_only_while_more_are_claimed_than_called(api: ApiServer) -> None:
    with api.http() as http:
        first, second = hand_in(http), hand_in(http)
        claimant = Claimant(new_id(), 30_000, ("gpu",), lambda _route, _index: ("gpu", "llama"))
        for each in (first, second):
            while not api.write(claim_jobs, claimant, [raw_id(Prefix.JOB, each)]):
                pass  # a hand-out has its row just now
        serve_queues(api, "gpu")
        assert waiting(http, second) is None
        busy = [report(DEPLOYMENT, in_flight=1, waiting=1), report(GPU, in_flight=1, waiting=1)]
        measure(api, lambda store: store.report(busy, {}))
        places = [waiting(http, each) for each in (first, second)]
        assert places[0] is None
        assert (places[1] or {})["position"] == 0
        assert (places[1] or {})["limited_by"].startswith("gpu slots, 1 of ")


def test_a_batch_tells_what_its_lines_wait_for(api: ApiServer) -> None:
    def planned(connection: Any, now_ms: int) -> bytes:
        made = add_loaded_batch(connection, now_ms, 4, routes=["small"])
        connection.execute(slices.update().values(queue="gpu.batch"))
        return made

    batch_id = api.write(planned)
    with api.http() as http:
        name = http.get("/v1/batches").json()["data"][0]["id"]
        assert raw_id(Prefix.BATCH, name) == batch_id
        found = http.get(f"/v1/batches/{name}").json()["laneway"]["waiting"]
        assert (found["position"], found["limited_by"]) == (0, "workers: nothing consumes the queue gpu.batch")
        serve_queues(api, "gpu.batch")
        measure(api, lambda store: store.report([report(DEPLOYMENT, per_minute=120)], {}))
        assert http.get(f"/v1/batches/{name}").json()["laneway"]["waiting"]["eta_s"] == 2
        http.post("/admin/deployments/gpu/llama/pause").raise_for_status()
        found = http.get(f"/v1/batches/{name}").json()["laneway"]["waiting"]
        assert (found["limited_by"], found["eta_s"]) == ("gpu/llama is paused", None)
        api.write(lambda connection, _now: connection.execute(batch.update().values(status="completed")) and None)
        assert http.get(f"/v1/batches/{name}").json()["laneway"]["waiting"] is None


def test_a_limited_key_sees_its_own_limits_and_what_they_hold_back(api: ApiServer) -> None:
    with api.http() as http:
        wish = {"name": "slow", "rpm": 3, "max_parallel_requests": 2, "weight": 4}
        made = http.post("/admin/keys", json=wish).raise_for_status().json()
        assert (made["limits"], made["weight"]) == ({"rpm": 3, "max_parallel_requests": 2}, 4)
        assert http.get("/admin/keys").json()["data"][0]["limits"] == made["limits"]
        assert http.get("/v1/queues").json()["key"] is None
        for wrong in ({"rpm": 0}, {"tpm": "5"}, {"weight": 0}, {"weight": 1_001}, {"usd_per_minute": 1}):
            assert http.post("/admin/keys", json={"name": "x", **wrong}).status_code == 400
    scope = key_scope(raw_id(Prefix.KEY, made["id"]) or b"")
    measure(api, lambda store: store.close(scope, Closed.RATE_LIMIT, 60_000))
    with api.http(made["secret"]) as mine:
        limits = mine.get("/v1/queues").json()["key"]["limits"]
        assert {each["limit"]: each["amount"] for each in limits} == {"requests/min": 3, "calls in flight": 2}
        wait = waiting(mine, hand_in(mine))
        assert wait is not None
        assert wait["limited_by"].startswith("this key's 429 cooldown")


@pytest.mark.parametrize(
    ("more", "body", "headers", "kept"),
    [
        ({}, {}, {}, (None, None, 0)),
        ({"laneway": {"failover": "strict"}}, {}, {"x-laneway-on-limit": "reject"}, ("strict", "reject", 0)),
        ({}, {"laneway": {"on_limit": "wait"}}, {"x-laneway-on-limit": "reject"}, (None, "wait", 0)),
        ({}, {"service_tier": "priority"}, {"x-laneway-failover": "same_model"}, ("same_model", None, 10)),
        ({"priority": -3}, {"service_tier": "priority"}, {}, (None, None, -3)),
    ],
)
def test_a_jobs_wishes_are_kept_with_it(
    shared_api: ApiServer, more: dict[str, Any], body: dict[str, Any], headers: dict[str, str], kept: tuple[Any, ...]
) -> None:
    with shared_api.http() as http:
        asked = {**JOB, "body": {**LLAMA, **body}, **more}
        made = http.post("/v1/jobs", json=asked, headers=headers).raise_for_status().json()
    job_id = raw_id(Prefix.JOB, made["id"])

    def look(connection: Any, _now_ms: int) -> Any:
        query = job.select().where(job.c.id == job_id)
        row = connection.execute(query).one()
        sent = connection.execute(payload.select().where(payload.c.job_id == job_id)).one().body
        return (row.failover, row.on_limit, row.priority), json.loads(sent)

    assert shared_api.write(look) == (kept, {**LLAMA, **{name: body[name] for name in body if name != "laneway"}})


def test_a_job_that_asks_for_what_there_is_not_is_refused(shared_api: ApiServer) -> None:
    with shared_api.http() as http:
        answer = http.post("/v1/jobs", json={**JOB, "laneway": {"failover": "never"}})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "body.laneway.failover")
        answer = http.post("/v1/embeddings", json={"model": "small", "input": "x"}, headers={"x-laneway-on-limit": "x"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-laneway-on-limit")
