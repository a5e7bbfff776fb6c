"""The caller: hands batches in, waits for them, and fetches their files, straight on the store as the API would."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, func, select, text, update

from router.coalescing import Coalesce
from router.lifecycle import BATCH_TERMINAL, JOB_ACTIVE
from store.batches import BatchRow, NewBatch, create_batch, get_batch, request_cancel
from store.contents import DatabaseContents, FileContents, LocalContents
from store.database import Database, open_database
from store.files import NewFile, insert_file
from store.ids import MASTER_KEY_ID, Prefix, new_id, public_id
from store.redrive import create_redrive
from store.signals import Signals
from store.tables import attempt, batch, job, worker
from tests.faults.checker import Books, Checked, find_file_violations, find_violations, read_books
from tests.faults.stand import Stand, Worker

T = TypeVar("T")

CHAT = "/v1/chat/completions"
_POLL_S = 0.05
_LIMIT_S = 120.0
"""How long anything may take to come about; it costs nothing where it does."""
_DAY_MS = 86_400_000


class NotInTime(AssertionError):
    """Something did not come about in the time it was given."""


@dataclass
class Caller:
    """One caller on a stand; it uses the master key."""

    stand: Stand
    database: Database
    contents: FileContents
    signals: Signals

    async def submit(
        self,
        lines: Sequence[bytes],
        *,
        endpoint: str = CHAT,
        window_ms: int = _DAY_MS,
        ring: bool = True,
        coalesce: Coalesce | None = None,
    ) -> bytes:
        """Upload lines and create a batch of them; returns its id. Without `ring` no worker is told."""
        batch_id = new_id()
        file_id = await self.upload(lines)
        batch = NewBatch(batch_id, MASTER_KEY_ID, endpoint, file_id, "24h", window_ms, {}, None, coalesce=coalesce)
        await self.database.write(create_batch, batch)
        if ring:
            await self.signals.batches_changed()
        return batch_id

    async def redrive(self, batch_id: bytes, *, model: str | None = None) -> bytes:
        """Send the failed lines of a batch again; returns the new batch's id."""
        again = NewBatch(new_id(), MASTER_KEY_ID, CHAT, new_id(), "24h", _DAY_MS, {}, None, retry_of=batch_id)
        made = await self.database.write(create_redrive, (MASTER_KEY_ID,), None, model, again)
        assert isinstance(made, BatchRow), made
        await self.signals.batches_changed()
        return made.id

    async def upload(self, lines: Sequence[bytes]) -> bytes:
        """Store an input file; returns its id."""
        file_id = new_id()
        size = await self.contents.write(file_id, _chunks(lines), limit_bytes=None)
        upload = NewFile(file_id, MASTER_KEY_ID, "input.jsonl", "batch", size, None)
        await self.database.write(insert_file, upload)
        return file_id

    async def batch(self, batch_id: bytes) -> BatchRow:
        """Read a batch."""
        found = await self.database.read(get_batch, (MASTER_KEY_ID,), batch_id)
        assert found is not None
        return found

    async def cancel(self, batch_id: bytes) -> Any:
        """Ask for a batch's cancellation."""
        answer = await self.database.write(request_cancel, (MASTER_KEY_ID,), batch_id)
        await self.signals.batches_changed()
        return answer

    async def wait(self, batch_id: bytes, limit_s: float) -> BatchRow:
        """Wait until a batch has ended; raises NotInTime."""
        return await self.wait_batch(batch_id, lambda batch: batch.status in BATCH_TERMINAL, limit_s)

    async def wait_ended(self, batch_id: bytes, lines: int, limit_s: float = _LIMIT_S) -> None:
        """Wait until so many lines have ended."""
        await self.wait_batch(batch_id, lambda batch: batch.completed + batch.failed >= lines, limit_s)

    async def wait_batch(
        self, batch_id: bytes, is_so: Callable[[BatchRow], bool], limit_s: float = _LIMIT_S
    ) -> BatchRow:
        """Wait until something holds of a batch; raises NotInTime with the end of the workers' log."""

        async def look() -> BatchRow:
            return await self.batch(batch_id)

        return await self._until(look, is_so, limit_s)

    async def wait_in_flight(self, calls: int, limit_s: float = _LIMIT_S) -> None:
        """Wait until so many calls are under way at the first simulator."""
        await self.wait_simulator(lambda stats: stats["in_flight"] >= calls, limit_s)

    async def wait_simulator(self, is_so: Callable[[dict[str, Any]], bool], limit_s: float = _LIMIT_S) -> None:
        """Wait until something holds of the first simulator's counters."""

        async def look() -> dict[str, Any]:
            return await asyncio.to_thread(self.stand.simulator.stats)

        await self._until(look, is_so, limit_s)

    async def wait_settled(self, limit_s: float = _LIMIT_S) -> None:
        """Wait until no attempt is open any more: what dead workers left is found by its lease."""

        async def look() -> int:
            return await self.database.read(_count_open)

        await self._until(look, lambda left: left == 0, limit_s)

    async def wait_jobs(self, jobs: int, limit_s: float = _LIMIT_S) -> None:
        """Wait until so many jobs and lines stand in the database, in whatever state."""

        async def look() -> int:
            return await self.database.read(_count_jobs)

        await self._until(look, lambda found: found >= jobs, limit_s)

    async def wait_jobs_ended(self, limit_s: float = _LIMIT_S) -> None:
        """Wait until nothing is left to be run."""

        async def look() -> int:
            return await self.database.read(_count_active)

        await self._until(look, lambda left: left == 0, limit_s)

    async def wait_all_ended(self, limit_s: float = _LIMIT_S) -> None:
        """Wait until every job that is stored has ended."""

        async def look() -> int:
            return await self.database.read(_count_unended)

        await self._until(look, lambda left: left == 0, limit_s)

    async def wait_idle(self, of: Worker, limit_s: float = _LIMIT_S) -> None:
        """Wait until a worker says, in a renewal of its row from now on, that all its slots are free."""
        since_ms = await self.database.read(_now)

        async def look() -> int | None:
            return await self.database.read(_room_of, of.order.name, since_ms)

        await self._until(look, lambda room: room == self.stand.slots * len(self.stand.providers), limit_s)

    async def wait_started(self, started: Worker, limit_s: float = _LIMIT_S) -> None:
        """Wait until a worker has written its row: from then on its loops run, and it stops when it is asked to."""

        async def look() -> bool:
            return await self.database.read(_is_known, started.order.name)

        await self._until(look, bool, limit_s)

    async def let_lapse(self, *workers: Worker) -> None:
        """Have the leases of dead or frozen workers run out now, as they would after a long while."""
        await self.database.write(_let_lapse, [each.order.name for each in workers])

    async def end_window(self, batch_id: bytes, *, in_ms: int = 0) -> None:
        """Have the window of a batch end so soon, as it would after a day."""
        await self.database.write(_end_window, batch_id, in_ms)

    async def _until(self, look: Callable[[], Awaitable[T]], is_so: Callable[[T], bool], limit_s: float) -> T:
        end_s = time.monotonic() + limit_s
        while not is_so(seen := await look()):
            if time.monotonic() > end_s:
                raise NotInTime(f"after {limit_s} s still {seen}\n{self.stand.log_tail()}")
            await asyncio.sleep(_POLL_S)
        return seen

    async def open_attempts(self, of: Worker) -> int:
        """How many attempts a worker holds."""
        return await self.database.read(_count_open_of, of.order.name)

    async def file(self, file_id: bytes | None) -> list[dict[str, Any]]:
        """Read the lines of an output or error file; none for no file."""
        if file_id is None:
            return []
        whole = b"".join([chunk async for chunk in self.contents.read(file_id)])
        return [json.loads(line) for line in whole.splitlines()]

    async def books(self) -> Books:
        """Read everything that is stored of jobs and money."""
        return await self.database.read(read_books)

    async def check(
        self,
        *batches: tuple[bytes, Sequence[bytes]],
        accepted: Collection[str] = (),
        poisoned: int = 0,
        made_before: Sequence[dict[str, Any]] = (),
        limit_s: float = _LIMIT_S,
    ) -> Checked:
        """Hold the whole database against the simulators' bill, and the batches' files against what was sent.

        `accepted` are the public ids of single jobs that somebody was told of; so many jobs must be `poisoned`.
        Calls `made_before` are no longer on the simulators' bill.
        """
        await self.wait_settled(limit_s)
        bill = [*made_before, *await asyncio.to_thread(self.stand.bill)]
        if not self.stand.database_url.startswith("sqlite"):
            await self.database.write(_look_at_sizes)
        violations = await self.database.read(find_violations, bill, poisoned=poisoned)
        books = await self.books()
        missing, repeated = len(set(accepted) - {public_id(Prefix.JOB, row.id) for row in books.jobs}), 0
        for batch_id, lines in batches:
            batch = await self.batch(batch_id)
            output, errors = await self.file(batch.output_file_id), await self.file(batch.error_file_id)
            sent = [json.loads(line)["custom_id"] for line in lines]
            violations += find_file_violations(batch, sent, output, errors)
            written = [line["custom_id"] for line in (*output, *errors)]
            missing += len(set(sent) - set(written))
            repeated += len(written) - len(set(written))
        return Checked(violations, books, bill, missing, repeated)


def _look_at_sizes(connection: Connection, _now_ms: int) -> None:
    """Tell PostgreSQL how much there is now, or it plans the checks for empty tables and takes minutes for 100,000."""
    connection.execute(text("ANALYZE"))


@asynccontextmanager
async def calling(stand: Stand) -> AsyncIterator[Caller]:
    """A caller on this stand for the length of one test."""
    database, signals = open_database(stand.database_url), Signals(stand.state_url)
    contents: FileContents = LocalContents(stand.files) if stand.files else DatabaseContents(database)
    try:
        yield Caller(stand, database, contents, signals)
    finally:
        await signals.close()
        await database.close()


def chat_lines(count: int, model: str = "sim/sim-small", prefix: str = "line") -> list[bytes]:
    """Make batch lines; each asks something else, so that their answers differ."""
    return [chat_line(f"{prefix}-{number}", model) for number in range(count)]


def chat_line(custom_id: str, model: str, **body: Any) -> bytes:
    """Make one batch line that asks for its own custom id."""
    asked = {"model": model, "messages": [{"role": "user", "content": f"What is {custom_id}?"}], **body}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": asked}).encode()


async def _chunks(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line + b"\n"


def _count_open(connection: Connection, _now_ms: int) -> int:
    return int(connection.execute(select(func.count()).where(attempt.c.outcome == "started")).scalar_one())


def _count_jobs(connection: Connection, _now_ms: int) -> int:
    return int(connection.execute(select(func.count(job.c.id))).scalar_one())


def _count_active(connection: Connection, _now_ms: int) -> int:
    return int(connection.execute(select(func.count()).where(job.c.state.in_(JOB_ACTIVE))).scalar_one())


def _count_unended(connection: Connection, _now_ms: int) -> int:
    return int(connection.execute(select(func.count()).where(job.c.state.in_(JOB_ACTIVE))).scalar_one())


def _count_open_of(connection: Connection, _now_ms: int, name: str) -> int:
    query = (
        select(func.count())
        .select_from(attempt)
        .join(worker, worker.c.id == attempt.c.owner)
        .where(attempt.c.outcome == "started", worker.c.version == name)
    )
    return int(connection.execute(query).scalar_one())


def _is_known(connection: Connection, _now_ms: int, name: str) -> bool:
    return connection.execute(select(worker.c.id).where(worker.c.version == name)).first() is not None


def _let_lapse(connection: Connection, _now_ms: int, names: Sequence[str]) -> None:
    ids = select(worker.c.id).where(worker.c.version.in_(names))
    open_calls = update(attempt).where(attempt.c.outcome == "started", attempt.c.owner.in_(ids))
    connection.execute(open_calls.values(lease_until_ms=0))
    connection.execute(update(batch).where(batch.c.keeper.in_(ids)).values(keeper_until_ms=0))


def _end_window(connection: Connection, now_ms: int, batch_id: bytes, in_ms: int) -> None:
    ends_ms = now_ms + 1 + in_ms  # nothing was called later than that
    mine = (job.c.batch_id == batch_id) & job.c.state.in_(JOB_ACTIVE)
    connection.execute(update(job).where(mine).values(deadline_at_ms=ends_ms))
    connection.execute(update(batch).where(batch.c.id == batch_id).values(expires_at_ms=ends_ms))


def _now(_connection: Connection, now_ms: int) -> int:
    return now_ms


def _room_of(connection: Connection, _now_ms: int, name: str, since_ms: int) -> int | None:
    query = select(worker.c.room).where(worker.c.version == name, worker.c.seen_at_ms > since_ms)
    room: int | None = connection.execute(query).scalar()
    return room
