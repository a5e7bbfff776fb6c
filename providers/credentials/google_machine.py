"""The identity of a machine in Google's cloud, told by its metadata server.

google-auth asks that server only where the package `requests` is installed, which is no dependency of ours; this stands
in for it, with the few members of its credentials that are used.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

HOST_VARIABLE = "GCE_METADATA_HOST"
HOST = "metadata.google.internal"
PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
TIMEOUT_S = 3.0


@dataclass(slots=True)
class MachineIdentity:
    """Makes tokens of the service account that the machine runs as."""

    token: str = field(default="", repr=False)
    expiry: datetime | None = None
    quota_project_id: str | None = None

    def refresh(self, request: Any) -> None:
        """Ask for a token. Raises google.auth's TransportError where no metadata server answers with one."""
        from google.auth import exceptions

        url = f"http://{os.environ.get(HOST_VARIABLE) or HOST}{PATH}"
        answer = request(url, headers={"metadata-flavor": "Google"}, timeout=TIMEOUT_S)
        try:
            data = orjson.loads(answer.data)
            self.token, lifetime = data["access_token"], timedelta(seconds=data["expires_in"])
        except (ValueError, KeyError, TypeError) as error:
            raise exceptions.TransportError(f"no token in an answer of HTTP {answer.status}") from error
        self.expiry = datetime.now(UTC) + lifetime
