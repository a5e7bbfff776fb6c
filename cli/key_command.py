"""`laneway keys`: chooses where the keys are, and prints what was done with them."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.failure import CommandError
from cli.key_ring import KeyRing, KeyWish, table
from cli.settings import Settings
from router.measures import duration_ms


def create(
    settings: Settings, wish: KeyWish, expires_in: str | None, *, url: str | None, key_file: Path | None, as_json: bool
) -> None:
    """Make a key and print its secret."""
    if expires_in is not None:
        try:
            expires_at_s = int(time.time()) + max(1, duration_ms(expires_in) // 1000)
        except ValueError as error:
            raise CommandError(f"--expires-in {expires_in}: {error}") from None
        wish = replace(wish, expires_at_s=expires_at_s)
    key = _ring(settings, url, key_file).create(wish)
    if as_json:
        print(json.dumps(key))
        return
    print(f"made {key['id']} ({key['name']}); the secret below is shown only now", file=sys.stderr)
    if "webhook_secret" in key:
        print(f"its webhooks are signed with {key['webhook_secret']}", file=sys.stderr)
    print(key["secret"])


def show_all(settings: Settings, *, url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Print all keys."""
    _print(_ring(settings, url, key_file).list(), as_json)


def revoke(settings: Settings, key_id: str, *, url: str | None, key_file: Path | None, as_json: bool) -> None:
    """End a key and print what has become of it."""
    _print([_ring(settings, url, key_file).revoke(key_id)], as_json)


def _print(keys: list[dict[str, Any]], as_json: bool) -> None:
    for line in [json.dumps(key) for key in keys] if as_json else table(keys):
        print(line)


def _ring(settings: Settings, url: str | None, key_file: Path | None) -> KeyRing:
    if url is None:
        if key_file is not None:
            raise CommandError("--key-file goes with --url: on the database itself no key is asked for")
        from cli.stored_keys import StoredKeys

        return StoredKeys(settings)
    from cli.admin_api import read_key_file
    from cli.remote_keys import RemoteKeys

    master_key = read_key_file(key_file) if key_file else settings.master_key
    if not master_key:
        raise CommandError("--url needs the server's master key: set LANEWAY_MASTER_KEY, or give --key-file")
    return RemoteKeys(url, master_key)
