"""The admin API of a running server, for whoever holds its master key."""

from pathlib import Path
from typing import Any

import httpx

from cli.failure import CommandError, Exit

_WAIT_S = 10.0


class AdminApi:
    """Asks one server."""

    def __init__(self, url: str, master_key: str) -> None:
        """`url` is the server's address, with or without /v1."""
        self._url = url.rstrip("/").removesuffix("/v1")
        self._master_key = master_key

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask for a path such as `/admin/keys`; the answer is a JSON object. Raises CommandError."""
        headers = {"authorization": f"Bearer {self._master_key}"}
        try:
            with httpx.Client(trust_env=False, timeout=_WAIT_S, headers=headers) as client:
                response = client.request(method, f"{self._url}{path}", json=body)
                answer = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            message = f"no Laneway answers at {self._url}: {type(error).__name__}; correct --url, or start the server"
            raise CommandError(message, Exit.UNREACHABLE) from None
        if response.is_success and isinstance(answer, dict):
            return answer
        reason = (answer.get("error") or {}).get("message") if isinstance(answer, dict) else None
        codes = {401: Exit.AUTH, 403: Exit.AUTH, 404: Exit.NOT_FOUND}
        message = f"{self._url} answers {response.status_code}: {reason or 'without a reason'}"
        raise CommandError(message, codes.get(response.status_code, Exit.USAGE))


def read_key_file(path: Path) -> str:
    """Read a key from a file, so that it never stands in the list of processes; raises CommandError."""
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read the key in {path}: {error}") from None
    if not key:
        raise CommandError(f"{path} is empty: it should hold the master key")
    return key
