"""A batch's webhook from the request to the receiver: the API, a worker, and the official client at the other end."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from router.config import WebhooksConfig
from store.ids import Prefix, raw_id
from store.schema import migrate
from store.webhook_secret import key_secret
from tests.faults.caller import chat_lines
from tests.faults.stand import Stand
from tests.system.conftest import PEPPER, ApiServer, running
from tests.webhook_receiver import receiving

WEBHOOKS = {"allow_private_targets": True, "retry_schedule_s": ["300ms", "300ms"]}


@pytest.fixture
def stand(database_url: str) -> Iterator[Stand]:
    """One worker, its Valkey and the simulator, on each database."""
    migrate(database_url)
    with Stand(database_url, webhooks=WEBHOOKS) as stand:
        stand.start_worker()
        yield stand


@pytest.fixture
def api(stand: Stand) -> Iterator[ApiServer]:
    """An API beside that worker."""
    config = WebhooksConfig.model_validate(WEBHOOKS)
    server = ApiServer(stand.database_url, stand.state_url, stand.folder, broker_url=stand.valkey.url, webhooks=config)
    yield from running(server)


async def test_the_end_of_a_batch_is_told_to_a_receiver_that_verifies_it(api: ApiServer) -> None:
    key_id, secret = await asyncio.to_thread(api.make_key)
    async with receiving() as receiver, openai.AsyncOpenAI(base_url=f"{api.url}/v1", api_key=secret) as client:
        good = await start(client, chat_lines(5), receiver.url("/flaky"))
        bad = await start(client, [b"no json"], receiver.url("/ok"))
        await receiver.wait(lambda: len(receiver.got) == 4)
        answer: Any = await client.get("/webhook_secret", cast_to=object)
        signing = answer["secret"]
        for got in receiver.got:
            event = client.webhooks.unwrap(got.body, got.headers, secret=signing)
            batch = await client.batches.retrieve(event.data.id)
            assert event.type == f"batch.{batch.status}"
        ends = {json.loads(got.body)["data"]["id"]: json.loads(got.body)["type"] for got in receiver.got}
        assert ends == {good: "batch.completed", bad: "batch.failed"}
        row = await delivery(client, good)
        while row["status"] != "delivered":
            row = await delivery(client, good)
        assert [each["status_code"] for each in row["tries"]] == [500, 500, 200]
        raw = raw_id(Prefix.KEY, key_id)
        assert raw is not None
        assert signing == key_secret(PEPPER, raw)


async def delivery(client: openai.AsyncOpenAI, batch_id: str) -> dict[str, Any]:
    """The one delivery of a batch's end, as the log has it."""
    page: Any = await client.get(f"/webhook_deliveries?object_id={batch_id}", cast_to=object)
    (row,) = page["data"]
    return dict(row)


async def start(client: openai.AsyncOpenAI, lines: list[bytes], url: str) -> str:
    """Make a batch with a webhook; returns its id."""
    file = await client.files.create(file=("in.jsonl", b"\n".join(lines)), purpose="batch")
    batch = await client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        extra_body={"webhook": {"url": url}},
    )
    return batch.id
