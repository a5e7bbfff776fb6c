"""Webhooks over HTTP: what may be asked for, the log of deliveries, and the secret that signs them."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from sqlalchemy import Connection, select

from router.config import WebhooksConfig
from router.lifecycle import BatchStatus
from store.events import batch_ended, record
from store.ids import MASTER_KEY_ID, Prefix, raw_id
from store.tables import webhook_endpoint
from store.webhook_secret import key_secret
from tests.hostile_urls import HOSTILE
from tests.system.conftest import PEPPER, ApiServer, running
from tests.valkey_server import ValkeyServer

GIVEN = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HOOK = {"url": "https://hooks.example.com/in?token=abc", "secret": GIVEN}


@pytest.fixture(scope="module")
def closed_api(valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API on SQLite that lets webhooks go to public places only."""
    folder = tmp_path_factory.mktemp("webhooks")
    yield from running(ApiServer(f"sqlite:///{folder}/laneway.db", valkey_server.url, folder))


def create(client: openai.OpenAI, webhook: Any) -> openai.types.Batch:
    file_id = client.files.create(file=("in.jsonl", b'{"custom_id":"1"}\n'), purpose="batch").id
    return client.batches.create(
        input_file_id=file_id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        extra_body={"webhook": webhook},
    )


def end(api: ApiServer, batch: openai.types.Batch) -> None:
    """Record the end of a batch, as a worker does."""
    raw = raw_id(Prefix.BATCH, batch.id)
    assert raw is not None
    assert api.write(record, [batch_ended(MASTER_KEY_ID, raw, BatchStatus.COMPLETED)]) == 1


def endpoints(connection: Connection, _now_ms: int) -> list[Any]:
    return list(connection.execute(select(webhook_endpoint)))


def test_the_end_of_a_batch_is_in_the_log_of_its_owner(api: ApiServer) -> None:
    with api.client() as client, api.http() as http:
        batch, other = create(client, HOOK), create(client, {"url": "https://other.example.com/"})
        path = f"/v1/webhook_deliveries?object_id={batch.id}"
        assert http.get(path).json()["data"] == []
        end(api, batch)
        end(api, other)
        (found,) = http.get(path).json()["data"]
        assert (found["object"], found["object_id"], found["url"]) == ("webhook_delivery", batch.id, HOOK["url"])
        assert (found["status"], found["tries"], found["disabled_at"]) == ("waiting", [], None)
        assert found["event"]["type"] == "batch.completed"
        assert found["event"]["id"].startswith("evt_")
        assert found["next_try_at"] == found["event"]["created_at"]
        assert http.get(f"/v1/webhook_deliveries/{found['id']}").json() == found
        everything = http.get("/v1/webhook_deliveries?limit=1").json()
        assert (everything["has_more"], everything["data"][0]["object_id"]) == (True, other.id)
        rest = http.get(f"/v1/webhook_deliveries?after={everything['last_id']}").json()
        assert [each["id"] for each in rest["data"]] == [found["id"]]
        again = http.post(f"/v1/webhook_deliveries/{found['id']}/resend")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "delivery_under_way")
        assert again.headers["x-should-retry"] == "false"


def test_another_keys_deliveries_are_not_there(api: ApiServer) -> None:
    with api.client() as client, api.http() as http:
        batch = create(client, HOOK)
        end(api, batch)
        (found,) = http.get("/v1/webhook_deliveries").json()["data"]
    with api.http(api.make_key()[1]) as stranger:
        assert stranger.get("/v1/webhook_deliveries").json()["data"] == []
        assert stranger.get(f"/v1/webhook_deliveries?object_id={batch.id}").json()["data"] == []
        assert stranger.get(f"/v1/webhook_deliveries?after={found['id']}").status_code == 400
        assert stranger.get(f"/v1/webhook_deliveries/{found['id']}").status_code == 404
        assert stranger.post(f"/v1/webhook_deliveries/{found['id']}/resend").status_code == 404


def test_a_given_secret_is_stored_sealed_and_shown_nowhere(api: ApiServer) -> None:
    with api.client() as client, api.http() as http:
        batch = create(client, HOOK)
        end(api, batch)
        shown = http.get("/v1/webhook_deliveries").text + http.get(f"/v1/batches/{batch.id}").text
    assert GIVEN not in shown
    (row,) = api.write(endpoints)
    assert GIVEN.removeprefix("whsec_") not in row.secret
    assert row.url == HOOK["url"]


def test_every_key_has_a_secret_of_its_own_which_it_may_ask_for(shared_api: ApiServer) -> None:
    with shared_api.http() as http:
        made = http.post("/admin/keys", json={"name": "hooks"}).json()
        own = http.get("/v1/webhook_secret")
        assert own.json() == {"object": "webhook_secret", "secret": key_secret(PEPPER, MASTER_KEY_ID)}
        assert own.headers["cache-control"] == "no-store"
        assert "webhook_secret" not in http.get("/admin/keys").json()["data"][0]
    with shared_api.http(made["secret"]) as http:
        assert http.get("/v1/webhook_secret").json()["secret"] == made["webhook_secret"]
    with shared_api.http(None) as nobody:
        assert nobody.get("/v1/webhook_secret").status_code == 401
        assert nobody.get("/v1/webhook_deliveries").status_code == 401


def test_a_url_that_leads_nowhere_public_makes_no_batch(closed_api: ApiServer) -> None:
    with closed_api.client() as client, closed_api.http() as http:
        for url in HOSTILE:
            with pytest.raises(openai.BadRequestError) as refused:
                create(client, {"url": url})
            assert (refused.value.param, refused.value.code) == ("webhook.url", "invalid_value"), url
            assert url not in refused.value.message or not url
        assert http.get("/v1/batches").json()["data"] == []
    assert closed_api.write(endpoints) == []


@pytest.mark.parametrize(
    ("webhook", "param"),
    [
        ({}, "webhook.url"),
        ({"url": 5}, "webhook.url"),
        ({"url": None}, "webhook.url"),
        ("https://example.com/", "webhook"),
        ({"url": "https://example.com/", "secrets": "x"}, "webhook.secrets"),
        ({"url": "https://example.com/", "secret": "short"}, "webhook.secret"),
        ({"url": "https://example.com/", "secret": GIVEN.removeprefix("whsec_")}, "webhook.secret"),
        ({"url": "https://example.com/", "secret": GIVEN + "\r\n"}, "webhook.secret"),
    ],
)
def test_a_webhook_that_is_wrong_in_itself_is_refused(shared_api: ApiServer, webhook: Any, param: str) -> None:
    with shared_api.client() as client:
        with pytest.raises(openai.BadRequestError) as refused:
            create(client, webhook)
        assert refused.value.param == param
        assert GIVEN not in refused.value.message


@pytest.mark.parametrize(
    "path", ["object_id=file-x", "object_id=", "after=delivery_x", "after=evt_" + "a" * 26, "limit=0"]
)
def test_a_wrong_question_to_the_log_is_a_400(shared_api: ApiServer, path: str) -> None:
    with shared_api.http() as http:
        assert http.get(f"/v1/webhook_deliveries?{path}").status_code == 400
        assert http.get("/v1/webhook_deliveries/nonsense").status_code == 404


def test_private_targets_are_a_setting(valkey_server: ValkeyServer, tmp_path: Path) -> None:
    config = WebhooksConfig(allow_private_targets=True)
    server = ApiServer(f"sqlite:///{tmp_path}/laneway.db", valkey_server.url, tmp_path, webhooks=config)
    for api in running(server):
        with api.client() as client:
            assert create(client, {"url": "http://127.0.0.1:8000/hook"}).status == "validating"
            with pytest.raises(openai.BadRequestError):
                create(client, {"url": "http://169.254.169.254/"})
