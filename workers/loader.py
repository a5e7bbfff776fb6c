"""The loader: checks a batch's input file and writes its lines to the store, chunk by chunk."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from functools import partial

import orjson

from providers.prices import PriceBook
from router.batch_inspection import (
    CONTENT_GONE,
    EMPTY_FILE,
    MOST_ERRORS,
    Inspection,
    line_too_long,
    repeats,
    too_many_lines,
    unknown_model,
)
from router.batch_line import InputError
from router.coalescing import Coalesce
from router.config import BatchLimits
from router.request_shape import JUDGED_LATE
from router.routes import RouteTable
from store.allowance import needs_prices
from store.content_lines import Lines, LineTooLong, read_lines
from store.contents import ContentMissing, FileContents
from store.database import Database
from store.keeping import KeptBatch
from store.key_rows import models_of
from store.loading import Line, accept, cut_short, load_chunk, reject
from store.sealing import PLAIN, CannotOpen, Damaged, Sealer, request_of
from workers.ahead import Ahead
from workers.asked_lines import AskedLine, asked_lines, requests_of
from workers.hold import Hold
from workers.leaders import Leaders
from workers.line_plan import Judge, LinePlans
from workers.settings import WorkerSettings

_CHUNK_LINES = 768
"""Written at a time: the more, the sooner all is loaded, and the longer others wait for the write lock of SQLite."""
_CHUNK_BYTES = 4 << 20
_READ_BYTES = 1 << 16
"""Read at a time: the event loop has to wait while a thread checks the lines of one piece."""
_MANY_LINES = 20_000
_log = logging.getLogger(__name__)


class Loader:
    """Validates and loads batches that this worker keeps."""

    def __init__(
        self,
        database: Database,
        contents: FileContents,
        routes: RouteTable,
        prices: PriceBook,
        settings: WorkerSettings,
        worker_id: bytes,
        *,
        limits: BatchLimits,
        loaded: Callable[[str], None],
        sealer: Sealer = PLAIN,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._contents = contents
        self._routes = routes
        self._prices = prices
        self._settings = settings
        self._worker_id = worker_id
        self._limits = limits
        self._loaded = loaded

    def _hold(self, kept: KeptBatch) -> Hold:
        return Hold(self._database, kept, self._worker_id, self._settings.keeper_lease_ms)

    async def validate(self, kept: KeptBatch) -> None:
        """Check the whole file; the batch is accepted or has failed afterwards."""
        routes = self._routes.only(await self._database.read(models_of, kept.key_id))
        inspection = Inspection(kept.endpoint, partial(unknown_model, routes=routes))
        errors = await self._inspect(kept, inspection)
        if not errors and kept.endpoint not in JUDGED_LATE and await self._database.read(needs_prices, kept):
            errors = LinePlans(self._routes, self._prices).unpriced(inspection)
        if errors:
            in_order = sorted(errors, key=lambda error: error.line or 0)
            shown = [asdict(error) for error in in_order[:MOST_ERRORS]]
            await self._database.write(reject, kept.id, self._worker_id, orjson.dumps(shown).decode())
            return
        model = next(iter(inspection.models)) if len(inspection.models) == 1 else None
        await self._database.write(accept, kept.id, self._worker_id, total=inspection.total, model=model)

    async def load(self, kept: KeptBatch) -> None:
        """Write the lines that are not written yet; hand-out may begin with the first chunk.

        The file was checked, so that it cannot be read now is final: the batch ends with the lines it has.
        """
        try:
            loaded = await self._load(kept)
        except (ContentMissing, LineTooLong, Damaged) as error:  # a key that is missing may be had by another worker
            _log.error("batch %s: its input file cannot be read any more: %s", kept.id.hex(), type(error).__name__)
            loaded = 0
        if loaded is not None and loaded < kept.total:
            message = "The input file could not be read to its end any more; the lines beyond have no result."
            errors = orjson.dumps([asdict(InputError("invalid_file", None, message))]).decode()
            await self._database.write(cut_short, kept.id, self._worker_id, errors)

    async def _load(self, kept: KeptBatch) -> int | None:
        """Return how many lines the file gave, None when another worker keeps the batch now.

        While a chunk is written the next one is read and planned.
        """
        slice_jobs = self._settings.slice_jobs * (2 if kept.total >= _MANY_LINES else 1)
        plans = LinePlans(self._routes, self._prices, await self._judge(kept))
        hold = self._hold(kept)
        leaders = await self._learn(kept, hold)
        loaded = kept.loaded
        async with Ahead() as ahead:
            async for chunk in self._chunks(kept, leaders):
                lines = await self._stored([plans.line(each) for each in chunk])
                if not await ahead.start(partial(self._write, kept, hold, lines, slice_jobs)):
                    return None
                loaded = lines[-1].number
            return loaded if await ahead.done() else None

    async def _chunks(self, kept: KeptBatch, leaders: Leaders | None) -> AsyncIterator[list[AskedLine]]:
        """Yield the lines that are not written yet, as many at a time as one transaction takes."""
        position = 0
        chunk: list[AskedLine] = []
        chunk_bytes = 0
        async for lines in self._lines(kept):
            for asked in await asyncio.to_thread(asked_lines, lines, kept.endpoint, position, leaders):
                position = asked.number
                if position <= kept.loaded:
                    continue
                chunk.append(asked)
                chunk_bytes += len(asked.body)
                if len(chunk) >= _CHUNK_LINES or chunk_bytes >= _CHUNK_BYTES:
                    yield chunk
                    chunk, chunk_bytes = [], 0
        if chunk:
            yield chunk

    async def _learn(self, kept: KeptBatch, hold: Hold) -> Leaders | None:
        """Read the whole file for the lines that are alike; None where each is called for itself."""
        if kept.coalesce is None:
            return None
        leaders = Leaders(Coalesce(kept.coalesce))
        async for lines in self._lines(kept):
            await asyncio.to_thread(leaders.learn, requests_of(lines, kept.endpoint))
            if not await hold.lasts():
                break  # the first chunk will be refused
        await asyncio.to_thread(leaders.learned)
        return leaders

    async def _judge(self, kept: KeptBatch) -> Judge | None:
        if kept.endpoint not in JUDGED_LATE:
            return None
        routes = self._routes.only(await self._database.read(models_of, kept.key_id))
        return Judge(partial(unknown_model, routes=routes), await self._database.read(needs_prices, kept))

    async def _inspect(self, kept: KeptBatch, inspection: Inspection) -> list[InputError]:
        hold = self._hold(kept)
        try:
            async for lines in self._lines(kept):
                await asyncio.to_thread(inspection.add, lines)
                if inspection.total > self._limits.max_lines:
                    return [too_many_lines(self._limits.max_lines)]
                if inspection.is_full or not await hold.lasts():
                    return inspection.errors
        except LineTooLong as error:
            return [*inspection.errors, line_too_long(error.line, self._limits.max_line_bytes)]
        except ContentMissing:
            return [CONTENT_GONE]
        except CannotOpen as error:
            return [InputError("invalid_file", None, str(error))]
        if not inspection.total:
            return [EMPTY_FILE]
        hashes = await asyncio.to_thread(inspection.repeated_hashes)
        return inspection.errors + (await self._repeats(kept, hashes) if hashes else [])

    async def _repeats(self, kept: KeptBatch, hashes: set[int]) -> list[InputError]:
        found: list[InputError] = []
        seen: dict[str, int] = {}
        async for lines in self._lines(kept):
            found += await asyncio.to_thread(repeats, lines, kept.endpoint, hashes, seen)
            if len(found) >= MOST_ERRORS:
                break
        return found

    async def _stored(self, lines: list[Line]) -> list[Line]:
        return await asyncio.to_thread(self._sealed, lines) if self._sealer.is_on else lines

    def _sealed(self, lines: list[Line]) -> list[Line]:
        sealed = (self._sealer.seal(line.body, request_of(line.id)) if line.body else b"" for line in lines)
        return [line._replace(body=body) for line, body in zip(lines, sealed, strict=True)]

    async def _write(self, kept: KeptBatch, hold: Hold, lines: list[Line], slice_jobs: int) -> bool:
        ours = await hold.lasts() and await self._database.write(load_chunk, kept, self._worker_id, lines, slice_jobs)
        if ours:
            for queue in {line.queue for line in lines}:
                self._loaded(queue)
        return ours

    def _lines(self, kept: KeptBatch) -> AsyncIterator[Lines]:
        return read_lines(self._contents.read(kept.input_file_id, chunk_bytes=_READ_BYTES), self._limits.max_line_bytes)
