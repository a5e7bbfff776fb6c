"""The API of a running server, for the command line: `/admin` with its master key, `/v1` with any key."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from cli.failure import CommandError, Exit
from cli.settings import Settings

_WAIT_S = 10.0
_PAGE = 100


class AdminApi:
    """Asks one server."""

    def __init__(self, url: str, key: str) -> None:
        """`url` is the server's address, with or without /v1; `key` is its master key, or for /v1 any."""
        self._url = url.rstrip("/").removesuffix("/v1")
        self._key = key

    def ask(self, method: str, path: str, body: object = None, *, wait_s: float | None = _WAIT_S) -> dict[str, Any]:
        """Ask for a path such as `/admin/keys`; the answer is a JSON object. Raises CommandError.

        `wait_s` bounds the silence before the answer; None waits for ever.
        """
        return self._object(self._send(method, path, wait_s, json=body))

    def text(self, path: str) -> str:
        """Get what is no JSON, such as CSV. Raises CommandError."""
        return self._send("GET", path, None).text

    def upload(self, path: Path, fields: Mapping[str, str]) -> dict[str, Any]:
        """Upload a file with these fields of the form. Raises CommandError, or OSError where it cannot be read."""
        with path.open("rb") as file:
            return self._object(self._send("POST", "/v1/files", None, data=fields, files={"file": (path.name, file)}))

    def every(self, path: str, most: int = sys.maxsize) -> Iterator[dict[str, Any]]:
        """Ask for the objects of a list such as `/admin/teams?`, page by page, at most so many."""
        after = ""
        while most > 0:
            page = self.ask("GET", f"{path}&limit={min(_PAGE, most)}{after}")
            yield from page["data"]
            most -= len(page["data"])
            if not page["has_more"]:
                return
            after = f"&after={quote(page['last_id'])}"

    def _send(self, method: str, path: str, wait_s: float | None, **content: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._key}"}
        timeout = httpx.Timeout(_WAIT_S, read=wait_s)
        try:
            with httpx.Client(trust_env=False, timeout=timeout, headers=headers) as client:
                response = client.request(method, f"{self._url}{path}", **content)
                answer = None if response.is_success else response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._no_laneway(type(error).__name__) from None
        if response.is_success:
            return response
        reason = (answer.get("error") or {}).get("message") if isinstance(answer, dict) else None
        codes = {401: Exit.AUTH, 403: Exit.AUTH, 404: Exit.NOT_FOUND}
        message = f"{self._url} answers {response.status_code}: {reason or 'without a reason'}"
        raise CommandError(message, codes.get(response.status_code, Exit.USAGE))

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._no_laneway("no JSON object")
        return answer

    def _no_laneway(self, what: str) -> CommandError:
        message = f"no Laneway answers at {self._url}: {what}; correct --url, or start the server"
        return CommandError(message, Exit.UNREACHABLE)


def read_key_file(path: Path) -> str:
    """Read a key from a file, so that it never stands in the list of processes; raises CommandError."""
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read the key in {path}: {error}") from None
    if not key:
        raise CommandError(f"{path} is empty: it should hold a key")
    return key


def admin_at(settings: Settings, *, url: str | None, key_file: Path | None) -> AdminApi | None:
    """The server that is named and the key to ask it with; None for the database itself. Raises CommandError."""
    if url is None:
        if key_file is not None:
            raise CommandError("--key-file goes with --url: on the database itself no key is asked for")
        return None
    key = read_key_file(key_file) if key_file else settings.master_key
    if not key:
        raise CommandError("--url needs the server's master key: set LANEWAY_MASTER_KEY, or give --key-file")
    return AdminApi(url, key)
