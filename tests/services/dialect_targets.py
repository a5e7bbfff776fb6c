"""Targets for every dialect: the simulator's faces as deployments, each with the settings that its provider needs."""

from dataclasses import dataclass, field, replace
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Target
from providers.credential import Auth
from providers.failure import ErrorClass

KEY = "sk-sim-dialects"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one dialect meets its face."""

    name: str
    dialect: str
    path: str
    fields: dict[str, Any] = field(default_factory=dict)
    thinks: bool = True
    """Whether thoughts can be asked for."""
    signs: bool = True
    """Whether thoughts, or calls made after them, are signed."""
    embeds: bool = True
    chooses: bool = True
    """Whether a tool can be forced."""
    schemas: bool = True
    """Whether an answer can be held to a schema."""
    otherwise: dict[str, ErrorClass] = field(default_factory=dict)
    """By model of the simulator, where this provider has no words of its own for what happened."""

    def target(self, root: str, model: str = "sim-small", **changes: Any) -> Target:
        """Return the deployment of one model."""
        fields = {"api_key": KEY, **self.fields, **changes}
        return Target(provider=self.name, dialect=self.dialect, base_url=root + self.path, model=model, **fields)


def _traits(*traits: ModelTrait) -> frozenset[str]:
    return frozenset(traits)


CLAUDE = {"auth": Auth.HEADER, "auth_name": "x-api-key"}
CLAUDE_TRAITS = _traits(ModelTrait.JSON_SCHEMA, ModelTrait.THINKING_BUDGET, ModelTrait.ONE_TOOL_AT_A_TIME)
GEMINI_TRAITS = _traits(
    ModelTrait.JSON_SCHEMA, ModelTrait.JSON_WITH_TOOLS, ModelTrait.THINKING_BUDGET, ModelTrait.THOUGHT_SIGNATURES
)
BEDROCK_TRAITS = CLAUDE_TRAITS | _traits(ModelTrait.TOOL_CHOICE, ModelTrait.TITAN_EMBEDDINGS)
SIGNED = {
    "api_key": None,
    "auth": Auth.AWS,
    "settings": (("region", "eu-west-1"),),
    "secrets": (("access_key_id", "AKIASIMULATED"), ("secret_access_key", KEY)),
}
GOOGLE = "/vertex/v1/projects/p/locations/eu/publishers/google"
CLAUDE_ON_GOOGLE = "/vertex/v1/projects/p/locations/eu/publishers/anthropic"

OPENAI = Place("openai", "openai", "/v1", thinks=False)
ANTHROPIC = Place(
    "anthropic",
    "anthropic",
    "/anthropic/v1",
    {**CLAUDE, "model_traits": CLAUDE_TRAITS},
    embeds=False,
)
OLD_CLAUDE = replace(ANTHROPIC, name="anthropic-old", fields=CLAUDE, thinks=False)
GEMINI = Place("gemini", "gemini", "/gemini/v1beta", {"auth": Auth.GOOGLE, "model_traits": GEMINI_TRAITS})
VERTEX = Place(
    "vertex",
    "vertex",
    GOOGLE,
    {"auth": Auth.GOOGLE, "model_traits": GEMINI_TRAITS, "settings": (("publisher", "google"),)},
)
VERTEX_CLAUDE = Place(
    "vertex-claude",
    "vertex",
    CLAUDE_ON_GOOGLE,
    {"auth": Auth.GOOGLE, "model_traits": CLAUDE_TRAITS, "settings": (("publisher", "anthropic"),)},
    embeds=False,
)
BEDROCK = Place("bedrock", "bedrock", "/bedrock", {**SIGNED, "model_traits": BEDROCK_TRAITS})
BEDROCK_PLAIN = Place(
    "bedrock-plain",
    "bedrock",
    "/bedrock",
    {"auth": Auth.AWS},
    thinks=False,
    embeds=False,
    chooses=False,
    schemas=False,
)
COHERE = Place(
    "cohere",
    "cohere",
    "/cohere/v2",
    {"model_traits": _traits(ModelTrait.THINKING_BUDGET)},
    signs=False,
    otherwise={"sim-error-200": ErrorClass.INVALID_RESPONSE},
)
OLLAMA = Place(
    "ollama",
    "ollama",
    "/ollama/api",
    {"auth": Auth.BEARER_OPTIONAL, "model_traits": _traits(ModelTrait.THINKING_LEVEL)},
    signs=False,
    chooses=False,
    otherwise={"sim-filter": ErrorClass.BAD_REQUEST},  # it filters nothing
)
AZURE = Place("azure", "azure", "/azure", {"auth": Auth.AZURE}, thinks=False)
AZURE_V1 = Place("azure-v1", "azure", "/azure/openai/v1", {"auth": Auth.AZURE}, thinks=False)

PLACES = (
    OPENAI, ANTHROPIC, OLD_CLAUDE, GEMINI, VERTEX, VERTEX_CLAUDE, BEDROCK, BEDROCK_PLAIN, COHERE, OLLAMA, AZURE,
    AZURE_V1,
)  # fmt: skip
