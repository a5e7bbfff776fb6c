"""A process refuses to start when it cannot read what the database holds sealed."""

import base64
import secrets
from pathlib import Path

import pytest
from sqlalchemy import insert

from cli.encryption_key import VARIABLE, find_sealer
from cli.failure import CommandError
from cli.settings import Flags, Settings, load_settings
from cli.wiring import open_shared
from store.database import Database
from store.ids import new_id
from store.sealing import answer_of, request_of
from store.tables import payload, result

FIRST, SECOND = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
PEPPER = b"pepper-of-the-tests"
REFUSED = "encrypted with a key .* that LANEWAY_ENCRYPTION_KEY does not hold"


def settings_of(url: str, folder: Path, keys: str, files: str = "") -> Settings:
    environ = {
        "DATABASE_URL": url.replace("+asyncpg", ""), "LANEWAY_DATA_DIR": str(folder), "REDIS_URL": "redis://unused",
        VARIABLE: keys, **({"LANEWAY_STORE__FILES": files} if files else {}),
    }  # fmt: skip
    return load_settings(Flags(), environ)


async def start(settings: Settings) -> None:
    async with open_shared(settings, PEPPER):
        pass


async def put(database: Database, settings: Settings, kind: str) -> bytes:
    """Store one sealed body."""
    sealer, job_id = find_sealer(settings), new_id()
    table, about = (payload, request_of(job_id)) if kind == "request" else (result, answer_of(job_id))
    row = {"job_id": job_id, "body": sealer.seal(b"{}", about)} | ({} if table is payload else {"attempt_n": 1})
    await database.write(lambda connection, _now: connection.execute(insert(table).values(row)) and None)
    return job_id


@pytest.mark.parametrize("kind", ["request", "answer"])
async def test_without_the_key_of_sealed_bodies_nothing_starts(either: str, tmp_path: Path, kind: str) -> None:
    settings = settings_of(either, tmp_path, FIRST)
    async with open_shared(settings, PEPPER) as shared:
        job_id = await put(shared.database, settings, kind)
        for keys in ("", SECOND):
            with pytest.raises(CommandError, match=REFUSED) as refused:
                await start(settings_of(either, tmp_path, keys))
            assert refused.value.code == 2
            assert not any(word in str(refused.value) for word in (FIRST, SECOND))
        for keys in (FIRST, f"{SECOND},{FIRST}", f"none,{FIRST}"):
            await start(settings_of(either, tmp_path, keys))
        table = payload if kind == "request" else result
        deleted = table.delete().where(table.c.job_id == job_id)
        await shared.database.write(lambda connection, _now: connection.execute(deleted) and None)
    await start(settings_of(either, tmp_path, SECOND))
    await start(settings_of(either, tmp_path, SECOND))


@pytest.mark.parametrize("files", ["local", "database"])
async def test_sealed_files_count_too(sqlite: str, tmp_path: Path, files: str) -> None:
    settings, file_id = settings_of(sqlite, tmp_path, FIRST, files), new_id()

    async def once():  # type: ignore[no-untyped-def]
        yield b"content"

    async with open_shared(settings, PEPPER) as shared:
        await shared.contents.write(file_id, once(), limit_bytes=None)
    with pytest.raises(CommandError, match=REFUSED):
        await start(settings_of(sqlite, tmp_path, "", files))
    async with open_shared(settings, PEPPER) as shared:
        await shared.contents.remove(file_id)
    await start(settings_of(sqlite, tmp_path, "", files))


async def test_the_key_may_be_in_a_file(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(FIRST + "\n")
    settings = load_settings(Flags(data_dir=tmp_path), {f"{VARIABLE}_FILE": str(tmp_path / "key")})
    assert find_sealer(settings).fingerprint == find_sealer(settings_of(sqlite, tmp_path, FIRST)).fingerprint
