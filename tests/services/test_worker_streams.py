"""Streams through a whole worker: numbered chunks, then the end; cut when nobody listens, never billed in silence."""

import orjson
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from sqlalchemy import Connection

from providers.simulator.process import SimulatorProcess
from store.ids import MASTER_KEY_ID, new_id
from store.signals import Signals
from store.stopping import cancel_job
from tests.services.worker_world import World, listening, until, world

LONG = orjson.dumps(
    {"model": "sim/sim-small", "stream": True, "messages": [{"role": "user", "content": "a" * 200}], "n": 30}
)
"""A question whose answer has some 400 chunks."""


async def test_numbered_chunks_come_first_and_then_the_whole_answer(
    either: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(either, redis_url, simulator) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me)
        await until(lambda: ear.end(job_id) is not None)
        end, chunks = ear.end(job_id), ear.chunks(job_id)
        assert end is not None
        assert ear.heard[-1] is end
        assert [each.seq for each in chunks] == list(range(len(chunks)))
        assert (end.seq, end.n, end.state, end.provider) == (len(chunks), 1, "completed", "sim")
        for each in chunks:
            chunk = orjson.loads(each.body or b"")
            ChatCompletionChunk.model_validate(chunk)
            assert "usage" not in chunk  # this caller did not ask
        answer = orjson.loads(end.body or b"")
        ChatCompletion.model_validate(answer)
        assert answer["choices"][0]["message"]["content"] == ear.text(job_id)
        row = await here.job(job_id)
        assert (row.state, row.result) == ("completed", end.body)
        assert row.attempts[0].usage is not None
        (billed,) = here.bill()
        assert billed["cost_nanousd"] == row.cost_nanousd == end.cost_nanousd


async def test_a_caller_that_does_not_stream_gets_the_end_alone(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me, stream=False)
        await until(lambda: ear.end(job_id) is not None)
        assert ear.chunks(job_id) == []
        end = ear.end(job_id)
        assert end is not None
        assert (end.state, end.seq) == ("completed", 0)
        assert orjson.loads(end.body or b"")["object"] == "chat.completion"


async def test_the_first_chunk_does_not_wait_for_the_others(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator, chunk_ms=200) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me)
        await until(lambda: ear.end(job_id) is not None)
        count = len(ear.chunks(job_id))
        assert count > 5
        assert ear.arrived_s[-1] - ear.arrived_s[0] > 0.2  # not all at the end, however late the first was heard


async def test_a_stream_is_cut_and_its_job_cancelled_when_its_listener_goes_away(
    either: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(either, redis_url, simulator, chunk_ms=200) as here:
        async with listening(here.state_url) as ear:
            job_id = await here.submit(ear.me, body=LONG)
            await until(lambda: len(ear.chunks(job_id)) >= 2)
        await until(lambda: _left(here))  # at rest within two seconds, and the stream would go on for minutes
        row = await here.ended(job_id)
        assert (row.state, row.error_class) == ("cancelled", "cancelled")
        assert [(each.outcome, each.cost_nanousd) for each in row.attempts] == [("unknown", None)]
        assert row.result is None
        assert len(here.bill()) == 1


async def test_a_silent_stream_is_cut_too_when_its_listener_goes_away(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator, chunk_ms=300_000) as here:
        async with listening(here.state_url) as ear:
            job_id = await here.submit(ear.me)
            await until(lambda: len(ear.chunks(job_id)) == 1)
        await until(lambda: _left(here))  # long before its next chunk would come
        assert (await here.ended(job_id)).state == "cancelled"


async def test_a_stream_that_nobody_ever_heard_is_cut_at_its_first_chunk(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator) as here:
        job_id = await here.submit(new_id())
        row = await here.ended(job_id)
        assert (row.state, row.result) == ("cancelled", None)
        assert [each.outcome for each in row.attempts] == ["unknown"]


async def test_a_control_message_cuts_a_stream(sqlite: str, redis_url: str, simulator: SimulatorProcess) -> None:
    async with world(sqlite, redis_url, simulator, chunk_ms=300_000) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me)
        await until(lambda: len(ear.chunks(job_id)) == 1)
        await here.database.write(_cancel, job_id)
        signals = Signals(here.state_url)
        await signals.cancel_jobs([job_id])
        await until(lambda: _left(here))
        await signals.close()
        row = await here.ended(job_id)
        assert (row.state, row.attempts[0].outcome) == ("cancelled", "unknown")
        await until(lambda: ear.end(job_id) is not None)
        end = ear.end(job_id)
        assert end is not None
        assert (end.state, end.error_class, orjson.loads(end.body or b"")["code"]) == (
            "cancelled", "cancelled", "cancelled",
        )  # fmt: skip


async def test_a_failure_before_the_first_chunk_is_tried_again(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me, model="sim/sim-flaky")
        await until(lambda: ear.end(job_id) is not None)
        end = ear.end(job_id)
        assert end is not None
        assert (end.state, end.n) == ("completed", 2)
        assert {each.n for each in ear.chunks(job_id)} == {2}
        assert end.seq == len(ear.chunks(job_id))


async def test_a_failure_after_the_first_chunk_ends_the_job(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me, model="sim/sim-cut")
        await until(lambda: ear.end(job_id) is not None)
        end = ear.end(job_id)
        assert end is not None
        assert end.seq == len(ear.chunks(job_id)) > 0
        assert (end.state, end.error_class, end.status) == ("failed", "invalid_response", 200)
        assert set(orjson.loads(end.body or b"")) == {"message", "type", "param", "code"}
        row = await here.ended(job_id)
        assert [each.outcome for each in row.attempts] == ["unknown"]


async def test_a_refused_stream_tells_why(sqlite: str, redis_url: str, simulator: SimulatorProcess) -> None:
    async with world(sqlite, redis_url, simulator) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me, model="sim/sim-context")
        await until(lambda: ear.end(job_id) is not None)
        end = ear.end(job_id)
        assert end is not None
        assert (end.state, end.error_class, end.status, end.seq) == ("failed", "context_length", 400, 0)
        assert orjson.loads(end.body or b"")["code"] == "context_length_exceeded"


async def test_a_job_whose_time_is_over_tells_its_caller(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator, chunk_ms=300_000) as here, listening(here.state_url) as ear:
        waiting = await here.submit(ear.me, queue="elsewhere", deadline_ms=300)
        await until(lambda: ear.end(waiting) is not None)
        end = ear.end(waiting)
        assert end is not None
        assert (end.state, end.error_class) == ("expired", "expired")


async def test_a_stop_ends_a_stream_that_its_caller_has_a_part_of(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    async with world(sqlite, redis_url, simulator, chunk_ms=300_000) as here, listening(here.state_url) as ear:
        job_id = await here.submit(ear.me)
        await until(lambda: len(ear.chunks(job_id)) == 1)
        here.stop.set()
        await until(lambda: ear.end(job_id) is not None)
        end = ear.end(job_id)
        assert end is not None
        assert (end.state, end.error_class, end.seq) == ("failed", "internal", 1)
        await here.worker
        assert (await here.job(job_id)).attempts[0].outcome == "unknown"


def _left(here: World) -> bool:
    return [row["outcome"] for row in here.bill()] == ["client_left"]


def _cancel(connection: Connection, now_ms: int, job_id: bytes) -> None:
    cancel_job(connection, now_ms, job_id, owners=(MASTER_KEY_ID,))
