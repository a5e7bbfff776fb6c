"""The schemas of what is asked: JSON bodies, the upload form, and the headers that are ours."""

from api.openapi.schemas import MAP, NUMBER, TEXT, WHOLE, YES_OR_NO, Schema, list_of, one_of, options, or_null, ref
from api.upload import EXPIRES_AFTER_S, Purpose
from router.routing import FailoverPolicy, OnLimit
from router.wishes import MOST_TIMEOUT_S, OWN_FIELD

_TIME: Schema = {**NUMBER, "exclusiveMinimum": 0, "maximum": MOST_TIMEOUT_S}
_WISHES = options(
    timeout_s=or_null(_TIME), failover=or_null(one_of(*FailoverPolicy)), on_limit=or_null(one_of(*OnLimit))
)
_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {"role": TEXT, "content": {"type": ["string", "array", "null"]}},
}
_OWN: Schema = {**_WISHES, "type": ["object", "null"], "additionalProperties": False}
_COMMON: dict[str, Schema] = {
    "model": {**TEXT, "description": "A public name of `GET /v1/models`, or `provider/model`."},
    OWN_FIELD: _OWN,
}
_CHAT: Schema = {
    "type": "object",
    "description": "OpenAI's chat completion. Fields that are not named here go to the provider as they came.",
    "required": ["model", "messages"],
    "properties": {
        **_COMMON,
        "messages": {**list_of(_MESSAGE), "minItems": 1},
        "stream": or_null(YES_OR_NO),
        "stream_options": or_null(options(include_usage=or_null(YES_OR_NO))),
        "max_tokens": or_null(WHOLE),
        "max_completion_tokens": or_null(WHOLE),
        "service_tier": or_null(TEXT),
        "store": or_null(YES_OR_NO),
        "tools": or_null(list_of(MAP)),
    },
}
_EMBEDDINGS: Schema = {
    "type": "object",
    "description": "OpenAI's embeddings. Fields that are not named here go to the provider as they came.",
    "required": ["model", "input"],
    "properties": {**_COMMON, "input": {"type": ["string", "array"]}},
}
_UPLOAD: Schema = {
    "type": "object",
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": one_of(*Purpose),
        "expires_after[anchor]": {"const": "created_at"},
        "expires_after[seconds]": {
            **WHOLE, "minimum": EXPIRES_AFTER_S.start, "maximum": EXPIRES_AFTER_S.stop - 1
        },
    },
}  # fmt: skip
JOB_FIELDS: dict[str, Schema] = {"body": {"anyOf": [ref("ChatRequest"), ref("EmbeddingsRequest")]}, OWN_FIELD: _OWN}
"""What `POST /v1/jobs` takes beside the fields of its model."""

BODIES: dict[str, Schema] = {
    "ChatRequest": _CHAT,
    "EmbeddingsRequest": _EMBEDDINGS,
    "UploadForm": _UPLOAD,
}
"""Name in `components.schemas` -> schema, of bodies that no model of ours describes."""

HEADERS: dict[str, Schema] = {
    "Idempotency-Key": {**TEXT, "minLength": 1, "maxLength": 255},
    "Prefer": {**TEXT, "examples": ["wait=10", "respond-async"]},
    "x-laneway-timeout": _TIME,
    "x-laneway-failover": one_of(*FailoverPolicy),
    "x-laneway-on-limit": one_of(*OnLimit),
}
"""Request headers that mean something to us."""
