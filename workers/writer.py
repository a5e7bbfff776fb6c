"""The writer: makes the output and the error file of a batch whose lines have all ended.

Successes go to the output file, every other line to the error file, both in the order of the input. A file becomes
public only when all of it is stored, in the same transaction that ends the batch.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import orjson

from providers.failure import ErrorClass
from router.lifecycle import JobState
from store.contents import FileContents
from store.database import Database
from store.ids import Prefix, new_id, public_id
from store.keeping import KeptBatch, keep_on
from store.output import EndedLine, OutputFiles, WrittenFile, publish_output, read_ended_lines
from store.sealing import PLAIN, Damaged, Sealer, answer_of
from workers.settings import WorkerSettings

_PAGE_LINES = 256
_CODES = {JobState.EXPIRED: "batch_expired", JobState.CANCELLED: "batch_cancelled"}
_MESSAGES = {
    JobState.EXPIRED: "This request could not be executed before the completion window expired.",
    JobState.CANCELLED: "This request was not executed because the batch was cancelled.",
}


class LostBatch(Exception):
    """Another worker keeps the batch now."""


class Writer:
    """Writes the files of batches that this worker keeps."""

    def __init__(
        self,
        database: Database,
        contents: FileContents,
        settings: WorkerSettings,
        worker_id: bytes,
        sealer: Sealer = PLAIN,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._contents = contents
        self._settings = settings
        self._worker_id = worker_id

    async def write(self, kept: KeptBatch) -> None:
        """Write both files and end the batch. What another worker overtook is thrown away."""
        written: list[WrittenFile] = []
        try:
            for is_output in (True, False):
                written += await self._file(kept, completed=is_output)
        except BaseException as error:
            await self._remove(written)
            if not isinstance(error, LostBatch):
                raise
            return
        files = OutputFiles.of(written, self._settings.keep_content_ms)
        if not await self._database.write(publish_output, kept, self._worker_id, files):
            await self._remove(written)

    async def _file(self, kept: KeptBatch, *, completed: bool) -> list[WrittenFile]:
        file_id = new_id()
        size = await self._contents.write(file_id, self._pieces(kept, completed=completed), limit_bytes=None)
        if size == 0:
            await self._contents.remove(file_id)
            return []
        name = f"{public_id(Prefix.BATCH, kept.id)}_{'output' if completed else 'error'}.jsonl"
        return [WrittenFile(file_id, name, size, is_output=completed)]

    async def _remove(self, files: list[WrittenFile]) -> None:
        for each in files:
            await self._contents.remove(each.id)

    async def _pieces(self, kept: KeptBatch, *, completed: bool) -> AsyncIterator[bytes]:
        after = 0
        while page := await self._database.read(read_ended_lines, kept.id, after, _PAGE_LINES):
            after = page[-1].number
            chosen = [line for line in page if (line.state == JobState.COMPLETED) is completed]
            if chosen:
                yield b"".join(output_line(self._opened(line)) for line in chosen)
            if not await self._database.write(keep_on, kept.id, self._worker_id, self._settings.keeper_lease_ms):
                raise LostBatch

    def _opened(self, line: EndedLine) -> EndedLine:
        """Read a sealed answer. Raises KeyMissing: a worker that has the key takes the batch when the lease is over."""
        if line.body is None:
            return line
        try:
            body = self._sealer.open(line.body, answer_of(line.job_id))
        except Damaged as error:
            said = orjson.dumps({"code": ErrorClass.INTERNAL, "message": str(error)}).decode()
            return replace(line, body=None, error_json=said)
        return line if body is line.body else replace(line, body=body)


def output_line(line: EndedLine) -> bytes:
    """Spell one ended line as OpenAI does, with its final line feed."""
    line_id = public_id(Prefix.BATCH_LINE, line.job_id)
    head = b'{"id":"%s","custom_id":%s,' % (line_id.encode(), orjson.dumps(line.custom_id))
    if line.body is not None:
        # A line feed in JSON is white space, or the provider's bytes would not have passed as JSON.
        body = line.body.replace(b"\n", b" ").replace(b"\r", b" ")
        return head + _response(line, 200, body) + b',"error":null}\n'
    if line.error_json is not None and line.error_status is not None and line.error_status >= 400:
        return (
            head + _response(line, line.error_status, b'{"error":%s}' % line.error_json.encode()) + b',"error":null}\n'
        )
    return head + b'"response":null,"error":%s}\n' % orjson.dumps(_error(line))


def _response(line: EndedLine, status: int, body: bytes) -> bytes:
    request_id = public_id(Prefix.JOB, line.job_id).encode()
    return b'"response":{"status_code":%d,"request_id":"%s","body":%s}' % (status, request_id, body)


def _error(line: EndedLine) -> dict[str, str]:
    state = JobState(line.state)
    if state in _CODES:
        return {"code": _CODES[state], "message": _MESSAGES[state]}
    said = orjson.loads(line.error_json) if line.error_json else {}
    return {
        "code": str(said.get("code") or line.error_class or ErrorClass.INTERNAL),
        "message": str(said.get("message") or "The request failed without an answer."),
    }
