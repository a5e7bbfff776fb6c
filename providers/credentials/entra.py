"""Microsoft Entra tokens: of an application's secret, asked for here; else whatever azure-identity finds."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx
import orjson

from providers.completion import Target
from providers.credentials.bearer import TokenHeaders, bearer
from providers.credentials.denial import denied, lacking, unreached
from providers.credentials.held import Fresh
from providers.credentials.token_server import ask
from providers.failure import Failure

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SCOPE = "https://cognitiveservices.azure.com/.default"
AUTHORITY = "https://login.microsoftonline.com"
_APPLICATION = ("tenant_id", "client_id", "client_secret")
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


@dataclass(slots=True)
class EntraTokens:
    """Makes the tokens of one provider entry. Blocks: call it in a thread, and never twice at once."""

    target: Target
    _identity: "TokenCredential | None" = None

    def __call__(self) -> Fresh[TokenHeaders] | Failure:
        """Return the headers of a new token, or why there is none."""
        if self.target.secret("client_secret") is None:
            return self._of_machine()
        missing = [name for name in _APPLICATION if not self.target.secret(name)]
        if missing:
            return denied(self.target, f"client_secret goes with tenant_id and client_id; missing: {missing[0]}")
        return _of_application(self.target)

    def _of_machine(self) -> Fresh[TokenHeaders] | Failure:
        try:
            from azure.core import exceptions
            from azure.identity import CredentialUnavailableError, DefaultAzureCredential
        except ImportError:
            return lacking(self.target, "azure")
        if self._identity is None:
            self._identity = DefaultAzureCredential()
        try:
            token = self._identity.get_token(_scope(self.target))
        except CredentialUnavailableError:
            return denied(self.target, "this machine has no identity in Azure; set tenant_id, client_id, client_secret")
        except exceptions.ClientAuthenticationError as error:
            return denied(self.target, "Microsoft Entra refused a token", code=type(error).__name__)
        except exceptions.AzureError as error:
            return unreached(self.target, f"Microsoft Entra could not be reached ({type(error).__name__})")
        return bearer(token.token, now_s=time.time(), ends_at_s=token.expires_on)


def static_token(target: Target) -> TokenHeaders | Failure | None:
    """Return the headers of a token that the settings give, None where they give none."""
    token = target.secret("ad_token")
    if token is None:
        return None
    try:
        return bearer(token, now_s=0, ends_at_s=0).secret
    except ValueError:
        return denied(target, "its ad_token is empty or holds a line break or a non-ASCII character")


def _of_application(target: Target) -> Fresh[TokenHeaders] | Failure:
    """Ask for a token with the application's secret (OAuth's client credentials)."""
    tenant, client, secret = (target.secret(name) or "" for name in _APPLICATION)
    url = f"{(target.setting('authority') or AUTHORITY).rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
        "scope": _scope(target),
    }
    try:
        answer = ask("POST", url, content=urlencode(form).encode(), headers=_FORM)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return unreached(target, f"Microsoft Entra could not be reached ({type(error).__name__})")
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.status_code >= 500:
        return unreached(target, f"Microsoft Entra answered HTTP {answer.status_code}")
    return _read(answer, target)


def _read(answer: httpx.Response, target: Target) -> Fresh[TokenHeaders] | Failure:
    try:
        data: Any = orjson.loads(answer.content)
        if answer.status_code == httpx.codes.OK:
            now_s = time.time()
            return bearer(data["access_token"], now_s=now_s, ends_at_s=now_s + int(data["expires_in"]))
        return denied(target, "Microsoft Entra refused a token", code=_reason(data))
    except (ValueError, KeyError, TypeError, AttributeError):
        return denied(target, f"Microsoft Entra answered HTTP {answer.status_code} with something that is no token")


def _reason(data: dict[str, Any]) -> object:
    """Return Entra's own number of an error, as its documents list it, else OAuth's word."""
    described = data.get("error_description")
    number = described.partition(":")[0] if isinstance(described, str) else ""
    return number if number.startswith("AADSTS") else data.get("error")


def _scope(target: Target) -> str:
    return target.setting("entra_scope") or SCOPE
