"""A script: Lua that Redis runs as one step, made of a file of its own and those that it builds upon."""

import hashlib
from pathlib import Path
from typing import Any

import redis.asyncio as redis
from redis.exceptions import NoScriptError

_HERE = Path(__file__).parent
_SHARED = ("bucket", "tally", "closure", "learned", "running", "reports", "scope")


def source(name: str) -> str:
    """The text of a script: the shared files, then `<name>.lua`. `reports.lua` and its like are no scripts."""
    return "\n".join((_HERE / f"{part}.lua").read_text() for part in (*_SHARED, name))


class Script:
    """One script; it is sent whole only to a server that has not seen it."""

    def __init__(self, name: str) -> None:
        self._source = source(name)
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, connection: "redis.Redis", keys: list[str], argument: bytes) -> Any:
        """Run it. Raise RedisError when the server refuses it or is away."""
        try:
            return await connection.evalsha(self._sha, len(keys), *keys, argument)
        except NoScriptError:
            return await connection.eval(self._source, len(keys), *keys, argument)
