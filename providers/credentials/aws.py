"""AWS keys: those of the settings, else whatever the machine offers, found by botocore's own chain.

The chain knows the environment, profiles, single sign-on, web identities, containers and instance roles. It renews
what it finds by itself; it is asked again once a minute, in a thread, as it may read files and call servers.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from providers.completion import Target
from providers.credentials.denial import denied, lacking, unreached
from providers.credentials.held import Fresh
from providers.credentials.signature import Keys
from providers.failure import Failure

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

ASK_AGAIN_S = 60
GOOD_FOR_S = 300
"""The chain hands out nothing that ends sooner, unless it could not renew it."""
SESSION_NAME = "laneway"
_CLIENT: Mapping[str, Any] = {"connect_timeout": 5, "read_timeout": 15, "retries": {"total_max_attempts": 2}}
"""Of the clients that the chain makes for other services; times in seconds."""


def static_keys(target: Target) -> Keys | Failure | None:
    """Return the keys of the settings; None where there are none, or they are only a way to others."""
    identity, secret = target.secret("access_key_id"), target.secret("secret_access_key")
    if identity is None and secret is None:
        return None
    if not identity or not secret:
        return denied(target, "access_key_id and secret_access_key go together; one is missing")
    return None if target.setting("role_arn") else Keys(identity, secret, target.secret("session_token"))


@dataclass(slots=True)
class AwsChain:
    """Finds the keys of one provider entry. Blocks: call it in a thread, and never twice at once."""

    target: Target
    _found: "Credentials | None" = None

    def __call__(self) -> Fresh[Keys] | Failure:
        """Return keys that are good for some minutes, or why there are none."""
        try:
            from botocore import exceptions
        except ImportError:
            return lacking(self.target, "aws")
        try:
            return self._keys()
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            return unreached(self.target, f"AWS's token service could not be reached ({type(error).__name__})")
        except exceptions.ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            return denied(self.target, "AWS refused to hand out keys", code=code)
        except exceptions.BotoCoreError as error:
            return denied(self.target, "AWS's chain of credentials broke off", code=type(error).__name__)

    def _keys(self) -> Fresh[Keys] | Failure:
        if self._found is None:
            self._found = _find(self.target)
        if self._found is None:
            advice = "set access_key_id and secret_access_key, a profile, or AWS's own environment variables"
            return denied(self.target, f"no AWS keys were found; {advice}")
        frozen, now_s = self._found.get_frozen_credentials(), time.time()
        keys = Keys(frozen.access_key, frozen.secret_key, frozen.token)
        return Fresh(keys, now_s + ASK_AGAIN_S, now_s + GOOD_FOR_S)


def _find(target: Target) -> "Credentials | None":
    from botocore.config import Config
    from botocore.credentials import Credentials
    from botocore.session import Session

    session = Session(profile=target.setting("profile") or target.secret("profile"))
    session.set_config_variable("region", target.setting("region"))
    session.set_default_client_config(Config(**_CLIENT))
    identity, secret = target.secret("access_key_id"), target.secret("secret_access_key")
    if identity and secret:
        found = Credentials(identity, secret, target.secret("session_token"))
    else:
        found = session.get_credentials()
    role = target.setting("role_arn")
    return found if role is None or found is None else _assume(session, found, role, target)


def _assume(session: "Session", source: "Credentials", role: str, target: Target) -> "Credentials":
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    extra: dict[str, Any] = {"RoleSessionName": SESSION_NAME}
    if external_id := target.setting("external_id"):
        extra["ExternalId"] = external_id
    fetcher = AssumeRoleCredentialFetcher(session.create_client, source, role, extra_args=extra)
    return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
