"""Virtual keys through the admin API of a running server, for whoever holds its master key."""

from typing import Any

from cli.admin_api import AdminApi
from cli.key_ring import KeyWish, no_such_key
from router.override import limits_object
from store.ids import Prefix, raw_id

_PAGE = 100


class RemoteKeys:
    """Keys through a server's admin API, with its master key."""

    def __init__(self, url: str, master_key: str) -> None:
        """`url` is the server's address, with or without /v1."""
        self._admin = AdminApi(url, master_key)

    def create(self, wish: KeyWish) -> dict[str, Any]:
        said = {"name": wish.name, "expires_at": wish.expires_at_s, "weight": wish.weight}
        return self._admin.ask("POST", "/admin/keys", {**said, **limits_object(wish.limits)})

    def list(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = []
        while True:
            after = f"&after={keys[-1]['id']}" if keys else ""
            page = self._admin.ask("GET", f"/admin/keys?limit={_PAGE}{after}")
            keys += page["data"]
            if not page["has_more"]:
                return keys

    def revoke(self, key_id: str) -> dict[str, Any]:
        if raw_id(Prefix.KEY, key_id) is None:
            raise no_such_key(key_id)
        return self._admin.ask("POST", f"/admin/keys/{key_id}/revoke")
