"""What an administrator asks for when making, editing or rotating a virtual key."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from api.batch_request import Tag, printable
from api.errors import bad_request, not_found
from providers.completion import Endpoint
from router.budget import Period
from router.key_rules import EVERY_ADMIN, KeyGrant, KeyScope, KeySettings, spelled_out
from router.limit_names import KEY_LIMITS
from router.measures import Count, UsdNanousd, duration_ms
from router.wishes import MOST_TAGS
from store.ids import Prefix, raw_id

DEFAULT_OVERLAP_MS = 86_400_000
_MOST_OVERLAP_MS = 30 * 86_400_000
_MOST_KEEP_S = 10 * 365 * 86_400
_LATEST_S = 253_402_300_799
"""The end of the year 9999."""
_PLAIN = ("name", "owner", "weight", "allow_unpriced", "store_bodies")
"""Settings that are asked for as they are kept."""


def _known_scope(text: str) -> str:
    if text != EVERY_ADMIN and text not in set(KeyScope):
        raise ValueError(f"it should be one of {', '.join((*KeyScope, EVERY_ADMIN))}")
    return text


def _known_endpoint(text: str) -> str:
    if text not in set(Endpoint):
        raise ValueError(f"it should be one of {', '.join(Endpoint)}")
    return text


def _overlap_ms(value: object) -> int:
    if value in (0, "0", "0s") and value is not False:
        return 0
    found = duration_ms(value)
    if found > _MOST_OVERLAP_MS:
        raise ValueError("should be at most 30 days")
    return found


Line = Annotated[str, Field(max_length=255), AfterValidator(printable)]
Scope = Annotated[str, AfterValidator(_known_scope)]
ModelName = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(printable)]
EndpointName = Annotated[str, AfterValidator(_known_endpoint)]
Overlap = Annotated[
    int, BeforeValidator(_overlap_ms), WithJsonSchema({"type": ["string", "integer"], "examples": ["24h", 0]})
]


class KeyEdit(BaseModel):
    """The body of `PATCH /admin/keys/{id}`: what is named is changed, the rest stays."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[Line, Field(min_length=1)] = ""
    owner: Line = ""
    """Whom to ask about it."""
    scopes: Annotated[list[Scope], Field(max_length=32)] = []
    """`admin:*` stands for all of administration."""
    models: Annotated[list[ModelName], Field(max_length=256)] | None = None
    """Names as in `GET /v1/models`, or `provider/model`; `*` at the end stands for anything. Null allows all."""
    endpoints: Annotated[list[EndpointName], Field(max_length=32)] | None = None
    """Null allows all."""
    expires_at: Annotated[int, Field(le=_LATEST_S)] | None = None
    """Unix seconds; null never."""
    rpm: Count | None = None
    """Requests in any minute, over all that it asks for."""
    tpm: Count | None = None
    """Tokens in any minute, input and output together."""
    max_parallel_requests: Count | None = None
    """Calls in flight."""
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Its share of the turns, where keys take turns."""
    allow_unpriced: bool = False
    """Under a budget it may use models whose price is not known; they count as nothing."""
    store_bodies: bool = False
    """Bodies of its sync calls are kept, where a request does not say."""
    keep_content_s: Annotated[int, Field(ge=1, le=_MOST_KEEP_S)] | None = None
    """How long its bodies and files are kept; null for the server's time."""

    def over(self, settings: KeySettings) -> KeySettings:
        """The settings with what is named here over them. Raises ApiError 400 for an expiry that has passed."""
        said = self.model_fields_set
        changes: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN if name in said}
        if "scopes" in said:
            changes["scopes"] = spelled_out(self.scopes)
        for name in {"models", "endpoints"} & said:
            changes[name] = _tuple(getattr(self, name))
        if "expires_at" in said:
            changes["expires_at_ms"] = _future_ms(self.expires_at)
        if "keep_content_s" in said:
            changes["keep_content_ms"] = None if self.keep_content_s is None else self.keep_content_s * 1000
        edits = {limit: getattr(self, limit) for limit in KEY_LIMITS if limit in said}
        limits = {limit: amount for limit, amount in {**settings.limits, **edits}.items() if amount is not None}
        return replace(settings, limits=limits, **changes)


class KeyRequest(KeyEdit):
    """The body of `POST /admin/keys`. What is not named is as the key that asks has it, and never more."""

    name: Annotated[Line, Field(min_length=1)]
    team_id: str | None = None
    """For life."""
    tags: Annotated[list[Tag], Field(max_length=MOST_TAGS)] = []
    """On all its work, for life."""
    budgets: dict[Literal["daily", "monthly", "total"], UsdNanousd] = {}
    """US dollars that it may spend in a day, in a month (UTC's), or altogether."""

    def grant(self, start: KeyGrant) -> KeyGrant:
        """All that the key is to have. Raises ApiError 400, or 404 for an id that is no team's."""
        said = self.model_fields_set
        return KeyGrant(
            self.over(start.settings),
            _team(self.team_id) if "team_id" in said else start.team_id,
            tuple(sorted(set(self.tags))) if "tags" in said else start.tags,
            {Period(name): limit_nanousd for name, limit_nanousd in self.budgets.items()},
        )


class RotateRequest(BaseModel):
    """The body of `POST /admin/keys/{id}/rotate`; none is an empty one."""

    model_config = ConfigDict(strict=True, extra="forbid")

    overlap: Overlap = DEFAULT_OVERLAP_MS
    """How long the old secret still works, such as "24h"; 0 ends it at once."""


def _tuple(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(dict.fromkeys(names))


def _future_ms(at_s: int | None) -> int | None:
    if at_s is None:
        return None
    if at_s <= time.time():
        raise bad_request("Invalid 'expires_at': it has passed.", param="expires_at", code="invalid_value")
    return at_s * 1000


def _team(team_id: str | None) -> bytes | None:
    raw = None if team_id is None else raw_id(Prefix.TEAM, team_id)
    if team_id is not None and raw is None:
        raise not_found("Team", team_id, param="team_id")
    return raw
