"""Coalescing: of the lines of a batch that are alike only the first is called, and the others end as it does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from providers.failure import ErrorClass
from router.coalescing import Coalesce
from store.batches import request_cancel
from store.claim import ClaimedJob
from store.closing import close_lines, closing_batches
from store.finish import finish
from store.ids import new_id
from store.jobs import get_job, opened
from store.keeping import Chore, keep_one
from store.leases import POISON_CRASHES, rescue
from store.loading import Line, load_chunk
from store.sealing import Sealer, SealingKey, answer_of
from store.settlement import Completed, Settlement
from store.tables import attempt, batch
from store.twins import end_twins
from tests.faults.schedules_rows import LEASE_MS, answered, keep, retried
from tests.services.batch_world import OWNERS, BatchWorld, batch_world, chat_line, failing
from workers.line_plan import as_twin

COLD: dict[str, Any] = {"temperature": 0}
STATES = "SELECT line_no, state FROM job ORDER BY line_no"


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[BatchWorld]:
    async with batch_world(database_url, tmp_path) as world:
        yield world


def same(*names: str, prompt: str = "same", **body: Any) -> list[dict[str, Any]]:
    """Lines that are alike but for their names."""
    messages = [{"role": "user", "content": prompt}]
    return [chat_line(name, **({"messages": messages} | COLD | body)) for name in names]


async def loaded(world: BatchWorld, lines: list[dict[str, Any]], wish: Coalesce = Coalesce.DETERMINISTIC) -> bytes:
    batch_id = await world.make(lines, coalesce=wish)
    await world.load()
    return batch_id


async def end_all(world: BatchWorld) -> int:
    """End all twins; returns how many steps that took."""
    steps = 1
    while (await world(end_twins)).is_more:
        steps += 1
    return steps


async def test_lines_that_are_alike_are_called_once_and_each_has_its_row_in_order(world: BatchWorld) -> None:
    lines = [*same("a", "b"), chat_line("alone"), *same("c"), *same("d", "e", prompt="other")]
    batch_id = await loaded(world, lines)
    assert await world.check() == []
    claimed = await world.claim()
    assert len(claimed) == 3
    done = await world(finish, [answered(each) for each in claimed])
    assert (done.has_twins, done.to_write) == (True, False)
    assert (await world(end_twins)).to_write
    await world.end()
    row = await world.batch(batch_id)
    assert (row.status, row.total, row.completed, row.coalesced, row.failed) == ("completed", 6, 6, 3, 0)
    assert (row.cost_nanousd, row.prompt_tokens) == (3 * 7, 3 * 10), "three calls were paid"
    output = await world.content(row.output_file_id)
    assert [line["custom_id"] for line in output] == ["a", "b", "alone", "c", "d", "e"]
    assert len({line["id"] for line in output}) == 6
    assert {str(line["response"]["body"]) for line in output} == {"{'n': 1}"}
    assert await world.check(finished=True) == []


@pytest.mark.parametrize(
    ("wish", "second", "calls"),
    [
        (Coalesce.DETERMINISTIC, {"temperature": 0.0}, 2),
        (Coalesce.DETERMINISTIC, {"temperature": None}, 2),
        (Coalesce.DETERMINISTIC, {"temperature": False}, 2),
        (Coalesce.DETERMINISTIC, {"seed": 1}, 2),
        (Coalesce.DETERMINISTIC, {"model": "second"}, 2),
        (Coalesce.DETERMINISTIC, {"laneway": {"failover": "strict"}}, 2),
        (Coalesce.DETERMINISTIC, {}, 1),
        (Coalesce.IDENTICAL, {}, 1),
    ],
)
async def test_what_differs_is_called_for_itself(
    wish: Coalesce, second: dict[str, Any], calls: int, sqlite_url: str, tmp_path: Path
) -> None:
    async with batch_world(sqlite_url, tmp_path) as world:
        await loaded(world, [*same("a"), *same("b", **second)], wish)
        assert len(await world.claim()) == calls


async def test_the_order_of_names_makes_no_difference_and_warm_lines_share_a_call_by_consent_only(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with batch_world(sqlite_url, tmp_path) as world:
        (first,) = same("a", temperature=1)
        turned = first | {"custom_id": "b", "body": dict(reversed(first["body"].items()))}
        await loaded(world, [first, turned], Coalesce.DETERMINISTIC)
        assert len(await world.claim()) == 2
        await loaded(world, [first, turned], Coalesce.IDENTICAL)
        assert len(await world.claim()) == 1
        await world.make([first, turned])
        await world.load()
        assert len(await world.claim()) == 2, "nobody asked for it"


async def test_a_failure_is_the_failure_of_all(world: BatchWorld) -> None:
    batch_id = await loaded(world, same("a", "b", "c"))
    await world.run(batch_id, {1: failing(ErrorClass.CONTENT_FILTER)})
    await end_all(world)
    await world.end()
    row = await world.batch(batch_id)
    assert (row.status, row.failed, row.coalesced) == ("completed", 3, 0)
    assert await world.rows("SELECT error_class, failed FROM batch_class") == [("content_filter", 3)]
    errors = await world.content(row.error_file_id)
    assert [line["custom_id"] for line in errors] == ["a", "b", "c"]
    assert {line["response"]["status_code"] for line in errors} == {400}
    assert await world.check(finished=True) == []


async def test_twins_wait_while_their_leader_is_tried_again(world: BatchWorld) -> None:
    await loaded(world, same("a", "b"))
    (leader,) = await world.claim()
    assert not (await world(finish, [retried(leader, 0)])).has_twins
    await end_all(world)
    assert [each.state for each in await world.rows(STATES)] == ["queued", "queued"]
    (again,) = await world.claim()
    await world(finish, [answered(again)])
    await end_all(world)
    assert [each.state for each in await world.rows(STATES)] == ["completed", "completed"]
    assert await world.check() == []


async def test_a_worker_that_dies_between_the_two_ends_leaves_twins_for_any_other(world: BatchWorld) -> None:
    batch_id = await loaded(world, same("a", "b", "c"))
    await world.run(batch_id)
    assert (await world.batch(batch_id)).completed == 1
    assert await world.check() == []  # it died here: what it knew is gone
    async with batch_world(world.url, world.folder) as other:
        await end_all(other)
        assert (await other.batch(batch_id)).completed == 3
        await end_all(other)
        assert (await other.batch(batch_id)).completed == 3, "ended once"
        assert await other.check() == []


async def test_a_leader_whose_workers_die_with_it_fails_its_twins_as_poison(world: BatchWorld) -> None:
    batch_id = await loaded(world, same("a", "b"))
    for _ in range(POISON_CRASHES):
        (leader,) = await world.claim()
        await world(_lapse, leader)
        await world(rescue, 0)
        await end_all(world)
    row = await world.batch(batch_id)
    assert (row.status, row.failed) == ("finalizing", 2)
    assert await world.rows("SELECT error_class, failed FROM batch_class") == [("poison", 2)]
    assert await world.check() == []


async def test_a_cancelled_batch_ends_waiting_twins_at_once_and_keeps_what_their_leader_still_brings(
    world: BatchWorld,
) -> None:
    batch_id = await loaded(world, same("a", "b", "c"))
    (leader,) = await world.claim()
    await world(request_cancel, OWNERS, batch_id)
    (closing,) = await world(closing_batches, 60_000)
    while await world(close_lines, closing):
        pass
    await world(finish, [answered(leader)])
    await end_all(world)
    assert [each.state for each in await world.rows(STATES)] == ["completed", "cancelled", "cancelled"]
    await world.end()
    row = await world.batch(batch_id)
    assert (row.status, row.completed, row.coalesced, row.failed) == ("cancelled", 1, 0, 2)
    assert await world.check(finished=True) == []


async def test_a_line_that_is_loaded_after_its_leader_has_ended_ends_too(world: BatchWorld) -> None:
    batch_id = await loading(world, total=3)
    kept = await world(keep, Chore.LOAD, world.worker_id)
    first = Line(new_id(), 1, "a", "r", "one.batch", b"{}")
    assert await world(load_chunk, kept, world.worker_id, [first], 64)
    (leader,) = await world.claim()
    await world(finish, [answered(leader)])
    twins = [as_twin(Line(new_id(), each, f"c{each}", "r", "one.batch", b""), 1) for each in (2, 3)]
    assert await world(load_chunk, kept, world.worker_id, twins, 64)
    assert not await world(load_chunk, kept, world.worker_id, twins, 64), "a chunk is written once"
    await end_all(world)
    assert (await world.batch(batch_id)).coalesced == 2
    assert await world.check() == []


async def test_a_loader_that_dies_is_followed_by_one_that_finds_the_same_leaders(world: BatchWorld) -> None:
    """The first lines are loaded by hand, as a loader does that dies after its first chunk."""
    batch_id = await loading(world, total=4, lines=[chat_line("x"), *same("a", "b", "c")])
    kept = await world(keep, Chore.LOAD, world.worker_id)
    by_hand = [Line(new_id(), 1, "x", "r", "one.batch", b"{}"), Line(new_id(), 2, "a", "r", "one.batch", b"{}")]
    assert await world(load_chunk, kept, world.worker_id, by_hand, 64)
    heir = new_id()
    world.worker_id = heir
    await world(_let_lapse, batch_id)
    await world.load()
    pairs = await world.rows(
        "SELECT twin.line_no, leader.line_no FROM job AS twin JOIN job AS leader ON leader.id = twin.twin_of"
        " ORDER BY twin.line_no"
    )
    assert [tuple(each) for each in pairs] == [(3, 2), (4, 2)]
    await world.run(batch_id)
    await end_all(world)
    assert (await world.batch(batch_id)).completed == 4
    assert await world.check() == []


async def test_many_twins_end_in_steps_of_bounded_size(world: BatchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.twins._MOST_TWINS", 3)
    lines = [*same(*(f"a{n}" for n in range(8))), *same(*(f"b{n}" for n in range(4)), prompt="other")]
    batch_id = await loaded(world, lines)
    await world.run(batch_id)
    assert await end_all(world) == 4  # 3, 3, 1 and 2, 1
    row = await world.batch(batch_id)
    assert (row.status, row.completed, row.coalesced) == ("finalizing", 12, 10)
    assert await world.rows("SELECT id FROM job WHERE leads <> 0") == []
    assert await world.check() == []


async def test_several_workers_end_the_same_twins_once(world: BatchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.twins._MOST_TWINS", 2)
    names = [[f"{pair}{n}" for n in range(4)] for pair in "abcd"]
    batch_id = await loaded(world, [line for each in names for line in same(*each, prompt=each[0])])
    await world.run(batch_id)
    async with batch_world(world.url, world.folder) as other:
        await asyncio.gather(*(end_all(each) for each in (world, other, world, other)))
        await end_all(other)
    row = await world.batch(batch_id)
    assert (row.status, row.completed, row.coalesced) == ("finalizing", 16, 12)
    assert await world.check() == []


async def test_the_answer_of_a_twin_is_that_of_its_leader_also_where_it_is_sealed(world: BatchWorld) -> None:
    sealer = Sealer([SealingKey(b"k" * 32)])
    batch_id = await loaded(world, same("a", "b"))
    await world.run(batch_id, {1: lambda job: _sealed(job, sealer)})
    await end_all(world)
    (_, leader_id), (_, twin_id) = await world.rows("SELECT line_no, id FROM job ORDER BY line_no")
    row = await world(get_job, OWNERS, bytes(twin_id))
    assert row is not None
    assert (row.twin_of, row.cost_nanousd, row.attempts) == (bytes(leader_id), 0, ())
    assert opened(row, sealer).result == b'{"n":1}'


async def loading(world: BatchWorld, total: int, lines: list[dict[str, Any]] | None = None) -> bytes:
    """A batch that was checked and of which nothing is loaded."""
    batch_id = await world.make(lines or same(*"abcdefgh"[:total]), coalesce=Coalesce.IDENTICAL)
    kept = await world(keep_one, Chore.VALIDATE, world.worker_id, LEASE_MS)
    assert kept is not None
    await world.loader().validate(kept)
    await world(_let_lapse, batch_id)
    return batch_id


def _sealed(job: ClaimedJob, sealer: Sealer) -> Settlement:
    return replace(answered(job), verdict=Completed(sealer.seal(b'{"n":1}', answer_of(job.id))))


def _lapse(connection: Connection, _now_ms: int, job: ClaimedJob) -> None:
    """The worker of a job dies, and it was the suspect."""
    mine = (attempt.c.job_id == job.id) & (attempt.c.n == job.n)
    connection.execute(update(attempt).where(mine).values(lease_until_ms=0, watched=1))


def _let_lapse(connection: Connection, _now_ms: int, batch_id: bytes) -> None:
    """The keeper of a batch dies."""
    connection.execute(update(batch).where(batch.c.id == batch_id).values(keeper_until_ms=0))
