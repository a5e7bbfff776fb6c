"""`laneway batch`: asks a running server about a file, and prints what it says."""

import json
from pathlib import Path
from typing import Any

import orjson

from cli import queue_command
from cli.admin_api import AdminApi
from cli.estimate_table import estimate_lines
from cli.failure import CommandError, Exit
from cli.settings import Settings
from providers.completion import Endpoint

_UPLOAD_FIELDS = {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
"""Should we die before it is deleted, the file goes after an hour."""


def find_server(settings: Settings, *, url: str | None, key_file: Path | None) -> AdminApi:
    """Find the server, and the key to ask with: a virtual key will do."""
    own = settings.environ.get("LANEWAY_API_KEY")
    if own and key_file is None:
        return AdminApi(queue_command.server_url(settings, url), own)
    return queue_command.find_server(settings, url=url, key_file=key_file)


def estimate(server: AdminApi, path: Path, endpoint: str | None, window: str, *, as_json: bool) -> int:
    """Print the estimate of a file, which the server does not keep; returns the exit code. Raises CommandError."""
    try:
        asked = {"endpoint": endpoint or _endpoint_of(path), "completion_window": window}
        uploaded = server.upload(path, _UPLOAD_FIELDS)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    try:
        found = server.ask("POST", "/v1/batches/estimate", asked | {"input_file_id": uploaded["id"]}, wait_s=None)
    finally:
        server.ask("DELETE", f"/v1/files/{uploaded['id']}")
    for line in [json.dumps(found)] if as_json else estimate_lines(found):
        print(line)
    return Exit.OK if found["valid"] else Exit.USAGE


def _endpoint_of(path: Path) -> str:
    """What the first line calls; that of chats where it cannot be told."""
    with path.open("rb") as file:
        first = file.readline(_MOST_LINE_BYTES)
    try:
        line: Any = orjson.loads(first.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return Endpoint.CHAT
    url = line.get("url") if isinstance(line, dict) else None
    return url if isinstance(url, str) and url in set(Endpoint) else Endpoint.CHAT


_MOST_LINE_BYTES = 1 << 26
