"""Google tokens: of a credentials file, else of the default credentials that google-auth finds on this machine."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from providers.completion import Target
from providers.credentials.bearer import TokenHeaders, bearer
from providers.credentials.denial import denied, lacking, unreached
from providers.credentials.google_machine import MachineIdentity
from providers.credentials.held import Fresh
from providers.credentials.token_server import TIMEOUT_S, ask
from providers.failure import Failure

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
QUOTA_HEADER = "x-goog-user-project"
LIFETIME_S = 3_600
"""Of a token whose answer does not say when it ends."""


@dataclass(slots=True)
class GoogleTokens:
    """Makes the tokens of one provider entry. Blocks: call it in a thread, and never twice at once."""

    target: Target
    _found: "Credentials | None" = None

    def __call__(self) -> Fresh[TokenHeaders] | Failure:
        """Return the headers of a new token, or why there is none."""
        try:
            from google.auth import exceptions
        except ImportError:
            return lacking(self.target, "google")
        try:
            return self._token()
        except exceptions.DefaultCredentialsError as error:
            advice = f"set credentials_file or {FILE_VARIABLE}"
            return denied(self.target, f"no usable Google credentials were found; {advice}", code=type(error).__name__)
        except exceptions.GoogleAuthError as error:
            if error.retryable or isinstance(error, exceptions.TransportError):
                return unreached(self.target, "Google's token service could not be reached or had an error")
            return denied(self.target, "Google refused a token", code=_oauth_word(error))

    def _token(self) -> Fresh[TokenHeaders] | Failure:
        if self._found is None:
            found = _find(self.target)
            if isinstance(found, Failure):
                return found
            self._found = found
        self._found.refresh(request)
        now_s, ends = time.time(), self._found.expiry
        ends_at_s = now_s + LIFETIME_S if ends is None else ends.replace(tzinfo=UTC).timestamp()
        project = self.target.setting("quota_project") or self._found.quota_project_id
        beside = {QUOTA_HEADER: project} if project else {}
        return bearer(self._found.token, now_s=now_s, ends_at_s=ends_at_s, beside=beside)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response with the names that google-auth reads."""

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)


def request(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: Any,
) -> _Answer:
    """Send a request for google-auth: the interface of `google.auth.transport.Request`."""
    from google.auth import exceptions

    try:
        answer = ask(method, url, content=body, headers=headers, timeout_s=timeout or TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise exceptions.TransportError(type(error).__name__) from error
    return _Answer(answer.status_code, answer.headers, answer.content)


def _find(target: Target) -> "Credentials | Failure":
    file = target.secret("credentials_file")
    return _of_machine() if file is None else _of_file(file, target)


def _of_machine() -> "Credentials":
    """Search as google-auth does. Raises its DefaultCredentialsError where nothing is found."""
    import google.auth
    from google.auth import exceptions

    try:
        found, _ = google.auth.default(scopes=SCOPES, request=request)
        return found
    except exceptions.DefaultCredentialsError as error:
        if find_spec("requests") is not None:
            raise
        machine = MachineIdentity()
        try:
            machine.refresh(request)
        except exceptions.TransportError:
            raise error from None
        return machine


def _of_file(file: str, target: Target) -> "Credentials | Failure":
    """Read a key of a service account or a user's login; other kinds only google-auth's own search understands."""
    from google.oauth2 import credentials, service_account

    try:
        info = orjson.loads(Path(file).expanduser().read_bytes())
        kind = info.get("type")
    except (OSError, ValueError, AttributeError) as error:
        return denied(target, "its credentials_file cannot be read as JSON", code=type(error).__name__)
    try:
        if kind == "service_account":
            return service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
        if kind == "authorized_user":
            found = credentials.Credentials.from_authorized_user_info(info, scopes=SCOPES)
            uri = info.get("token_uri")
            return found if uri is None else found.with_token_uri(uri)
    except ValueError:
        return denied(target, "its credentials_file lacks a field, or holds a key that cannot be read")
    if os.environ.get(FILE_VARIABLE) == file:
        return _of_machine()
    return denied(target, f"its credentials_file is of another kind; name it in {FILE_VARIABLE}", code=kind)


def _oauth_word(error: Exception) -> object:
    """Find OAuth's own word, such as `invalid_grant`, in what google-auth keeps of the server's answer."""
    answer = error.args[1] if len(error.args) > 1 else None
    return answer.get("error") if isinstance(answer, dict) else type(error).__name__
