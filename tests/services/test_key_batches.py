"""A batch holds only lines for models that its key may ask for, and says no more of the others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import pytest

from providers.prices import PriceBook
from router.config import BatchLimits
from router.key_rules import KeyGrant, KeySettings
from store.batches import BatchRow, NewBatch, create_batch, get_batch
from store.contents import LocalContents
from store.database import Database, open_database
from store.files import NewFile, insert_file
from store.ids import new_id
from store.keeping import Chore, keep_one
from store.keys import create_key
from store.schema import migrate
from tests.system.conftest import small_routes
from workers.loader import Loader
from workers.settings import WorkerSettings

EMBEDDINGS = "/v1/embeddings"
WORKER = b"w" * 16


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrate, sqlite_url)
    opened = open_database(sqlite_url)
    yield opened
    await opened.close()


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def validated(database: Database, folder: Path, key_id: bytes, models: Sequence[str]) -> BatchRow:
    """Make a batch with a line for each model and validate it as a worker does."""
    contents, file_id = LocalContents(folder), new_id()
    lines = [
        {"custom_id": str(n), "method": "POST", "url": EMBEDDINGS, "body": {"model": model, "input": "x"}}
        for n, model in enumerate(models)
    ]
    await contents.write(file_id, chunks(b"\n".join(map(orjson.dumps, lines))), limit_bytes=None)
    await database.write(insert_file, NewFile(file_id, key_id, "in.jsonl", "batch", 1, None))
    new = NewBatch(new_id(), key_id, EMBEDDINGS, file_id, "24h", 86_400_000, {}, None)
    assert isinstance(await database.write(create_batch, new), BatchRow)
    kept = await database.write(keep_one, Chore.VALIDATE, WORKER, 60_000)
    assert kept is not None
    parts = (database, contents, small_routes(), PriceBook(), WorkerSettings(), WORKER)
    loader = Loader(*parts, limits=BatchLimits(), loaded=lambda _: None)
    await loader.validate(kept)
    row = await database.read(get_batch, (key_id,), new.batch_id)
    assert row is not None
    return row


async def test_a_line_for_a_model_that_its_key_may_not_ask_for_fails_like_an_unknown_one(
    database: Database, tmp_path: Path
) -> None:
    key_id, grant = new_id(), KeyGrant(KeySettings("n", models=("small",)))
    await database.write(create_key, lambda _: grant, key_id=key_id, digest=b"d" * 32, last4="last")
    good = await validated(database, tmp_path, key_id, ["small", "small"])
    assert (good.status, good.errors) == ("in_progress", ())
    bad = await validated(database, tmp_path, key_id, ["small", "team/large", "team/lerge"])
    assert bad.status == "failed"
    hidden, missing = bad.errors
    assert (hidden["code"], hidden["line"], missing["line"]) == ("model_not_found", 2, 3)
    assert hidden["message"].replace("team/large", "MODEL") == missing["message"].replace("team/lerge", "MODEL")
