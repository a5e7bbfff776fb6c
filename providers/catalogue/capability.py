"""The capabilities of a provider, as far as they are known."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class NativeBatch(StrEnum):
    """A provider's own batch API."""

    OPENAI = "openai"
    """Files and batches as OpenAI has them."""
    OWN = "own"
    """One of its own making."""
    NONE = "none"
    """It has none."""


class Capabilities(BaseModel):
    """What some models of a provider can do there; None is unknown. For people: no request is refused by it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chat: bool | None = True
    stream: bool | None = True
    tools: bool | None = None
    json_schema: bool | None = None
    """Answers can be held to a JSON Schema."""
    embeddings: bool | None = None
    native_batch: NativeBatch | None = None
