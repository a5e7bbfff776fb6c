"""`POST /v1/batches/estimate`: a file's lines, cost and time under the limits in force, and nothing is made of it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from providers.catalogue import load_catalogue
from providers.limit import MINUTE_MS, LimitReading, Measure
from router.config import BatchLimits, parse_config
from router.routes import build_routes
from router.scope import deployment_scope
from store.ids import new_id
from store.leases import WorkerState, say_alive
from store.limits.limit_store import LimitStore
from tests.system.conftest import ApiServer, running
from tests.valkey_server import ValkeyServer

CHAT = "/v1/chat/completions"
CONFIG = {
    "providers": {
        "gpu": {
            "type": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "k",
            "prices": {"llama": {"input": 1, "output": 10}},
        },
    },
    "models": {"small": {"deployments": [{"use": "gpu/llama"}]}},
}  # fmt: skip
NO_FILE = "file-" + "a" * 26


@pytest.fixture(scope="module")
def server(valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API with a model that has a price, and a worker that is said to live."""
    folder = tmp_path_factory.mktemp("estimate")
    routes = build_routes(parse_config(CONFIG, {}), load_catalogue(), {})
    limits = BatchLimits(max_lines=300, max_line_bytes=4_096)
    api = ApiServer(f"sqlite:///{folder}/laneway.db", valkey_server.url, folder, limits, routes=routes)
    for each in running(api):
        each.write(say_alive, WorkerState(new_id(), "h", json.dumps(["gpu.batch"]), 10, 0, "v"))
        yield each


@pytest.fixture
def http(server: ApiServer) -> Iterator[httpx.Client]:
    with server.http(server.make_key()[1]) as client:
        yield client


def line(custom_id: str, model: str = "small", **fields: Any) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body})


def upload(http: httpx.Client, *lines: str, purpose: str = "batch") -> str:
    files = {"file": ("in.jsonl", "\n".join(lines).encode())}
    answer = http.post("/v1/files", data={"purpose": purpose}, files=files)
    return str(answer.raise_for_status().json()["id"])


def ask(http: httpx.Client, file_id: str, **more: Any) -> httpx.Response:
    return http.post("/v1/batches/estimate", json={"input_file_id": file_id, "endpoint": CHAT, **more})


def estimate(http: httpx.Client, *lines: str, **more: Any) -> dict[str, Any]:
    answer = ask(http, upload(http, *lines), **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_good_file_has_tokens_cost_time_and_the_limit_that_binds(server: ApiServer, http: httpx.Client) -> None:
    with server.http() as operator:
        path = "/admin/deployments/gpu/llama/limits"
        operator.put(path, json={"rpm": 2}).raise_for_status()
        found = estimate(http, *[line(str(n), max_tokens=50) for n in range(100)], completion_window="1h")
        operator.delete(path).raise_for_status()
    (model,) = found["models"]
    tokens_in = model["input_tokens"]
    assert (found["object"], found["lines"], found["valid"], found["bad_lines"]) == ("batch.estimate", 100, True, [])
    assert (model["model"], model["lines"], model["served_by"]) == ("small", 100, ["gpu/llama"])
    assert (model["output_tokens"], model["unpriced"]) == ({"low": 5_000, "high": 5_000}, False)
    assert found["cost_usd"]["low"] == found["cost_usd"]["high"] == f"{0.05 + tokens_in / 1e6:.6f}".rstrip("0")
    assert (found["limited_by"], found["duration_s"]) == ("gpu/llama requests/min", {"low": 3_002, "high": 3_002})
    assert (found["fits_window"], found["unpriced_models"]) == ("yes", [])


def test_the_limits_of_the_callers_own_key_count(server: ApiServer) -> None:
    with server.http() as operator:
        made = operator.post("/admin/keys", json={"name": "slow", "rpm": 1}).raise_for_status().json()
    with server.http(made["secret"]) as slow:
        found = estimate(slow, *[line(str(n), max_tokens=50) for n in range(120)], completion_window="1h")
    assert (found["limited_by"], found["duration_s"]["low"]) == ("this key's requests/min", 7_202)
    assert found["fits_window"] == "no"


def test_a_limit_that_the_provider_told_of_counts_as_well(server: ApiServer, http: httpx.Client) -> None:
    async def hear() -> None:
        limits = LimitStore(server.state_url, new_id())
        reading = LimitReading(Measure.REQUESTS, MINUTE_MS, limit=4, remaining=4)
        await limits.learn(deployment_scope("gpu", "told"), [reading], 0)
        await limits.aclose()

    asyncio.run(hear())
    found = estimate(http, *[line(str(n), "gpu/told", max_tokens=50) for n in range(100)])
    assert (found["limited_by"], found["duration_s"]["low"]) == ("gpu/told requests/min", 1_502)


def test_bad_lines_unknown_models_and_repeated_ids_are_listed_and_the_rest_is_estimated(http: httpx.Client) -> None:
    found = estimate(http, line("a"), "{", line("b", "smal"), line("a"), line("c", "gpu/unpriced"))
    assert (found["lines"], found["valid"], found["bad_line_count"]) == (5, False, 3)
    assert [(each["line"], each["code"]) for each in found["bad_lines"]] == [
        (2, "invalid_json_line"), (3, "model_not_found"), (4, "duplicate_custom_id"),
    ]  # fmt: skip
    assert [each["model"] for each in found["unknown_models"]] == ["smal"]
    assert [(each["model"], each["cost_usd"] is None) for each in found["models"]] == [
        ("small", False), ("gpu/unpriced", True),
    ]  # fmt: skip
    assert found["unpriced_models"] == ["gpu/unpriced"]
    assert found["cost_usd"] == found["models"][0]["cost_usd"]
    assert found["fits_window"] is None


def test_more_than_a_hundred_errors_are_counted_and_the_first_are_shown(http: httpx.Client) -> None:
    found = estimate(http, *["{"] * 150)
    assert (found["bad_line_count"], len(found["bad_lines"]), found["cost_usd"]) == (150, 100, None)


@pytest.mark.parametrize(
    ("lines", "code", "at"),
    [
        ([], "empty_file", None),
        ([line(str(n)) for n in range(301)], "too_many_tasks", None),
        ([line("a"), line("b", user="x" * 5_000)], "line_too_long", 2),
    ],
)
def test_a_file_that_no_batch_takes_is_told_as_one_error(
    http: httpx.Client, lines: list[str], code: str, at: int | None
) -> None:
    found = estimate(http, *(lines or [""]))
    assert [(each["code"], each["line"]) for each in found["bad_lines"]] == [(code, at)]


def test_a_file_of_too_many_models_is_refused(http: httpx.Client) -> None:
    answer = ask(http, upload(http, *[line(str(n), f"gpu/m{n}") for n in range(101)]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "too_many_models")


def test_what_making_a_batch_refuses_is_refused_in_the_same_words(server: ApiServer, http: httpx.Client) -> None:
    with server.http(server.make_key("other")[1]) as other:
        foreign = upload(other, line("a"))
    wrong_purpose = upload(http, line("a"), purpose="user_data")
    bad: list[dict[str, Any]] = [
        {"input_file_id": NO_FILE},
        {"input_file_id": "nonsense"},
        {"input_file_id": foreign},
        {"input_file_id": wrong_purpose},
        {"input_file_id": NO_FILE, "endpoint": "/v1/images"},
        {"input_file_id": NO_FILE, "completion_window": "5m"},
        {"input_file_id": 5},
    ]
    for each in bad:
        asked = {"endpoint": CHAT, "completion_window": "24h", **each}
        estimated, made = http.post("/v1/batches/estimate", json=asked), http.post("/v1/batches", json=asked)
        assert estimated.status_code in (400, 404)
        assert (estimated.status_code, estimated.json()) == (made.status_code, made.json())


def test_an_estimate_makes_nothing(http: httpx.Client) -> None:
    estimate(http, line("a"))
    assert http.get("/v1/batches").json()["data"] == []
    assert http.get("/v1/jobs").json()["data"] == []


def test_without_a_key_nothing_is_estimated(server: ApiServer) -> None:
    with server.http(None) as stranger:
        assert ask(stranger, NO_FILE).status_code == 401
