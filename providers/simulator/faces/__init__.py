"""The faces: the wire formats that the simulator speaks, each at its own paths."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from providers.simulator.faces.anthropic import AnthropicFace
from providers.simulator.faces.azure import AzureFace
from providers.simulator.faces.bedrock import BedrockChat, BedrockInvoke
from providers.simulator.faces.cohere import CohereChat, CohereEmbed
from providers.simulator.faces.face import Face
from providers.simulator.faces.gemini import GeminiFace, Verb
from providers.simulator.faces.ollama import OllamaChat, OllamaEmbed
from providers.simulator.faces.openai import CHAT_PATH, EMBEDDINGS_PATH, OpenAIFace
from providers.simulator.faces.vertex import VertexClaude, VertexGemini, VertexPredict

_FIXED: Final[dict[str, Face]] = {
    CHAT_PATH: OpenAIFace(chat=True),
    EMBEDDINGS_PATH: OpenAIFace(chat=False),
    "/anthropic/v1/messages": AnthropicFace(),
    "/azure/openai/v1/chat/completions": AzureFace(chat=True),
    "/azure/openai/v1/embeddings": AzureFace(chat=False),
    "/cohere/v2/chat": CohereChat(),
    "/cohere/v2/embed": CohereEmbed(),
    "/ollama/api/chat": OllamaChat(),
    "/ollama/api/embed": OllamaEmbed(),
}

_VERB: Final = "|".join(Verb)
_VERTEX: Final = r"/vertex/v1(?:beta1)?/(?:projects/[^/]+/locations/[^/]+/)?publishers"
_PATTERNS: Final[tuple[tuple[re.Pattern[str], Callable[..., Face]], ...]] = (
    (re.compile(r"/azure/openai/deployments/([^/]+)/chat/completions"), lambda m: AzureFace(chat=True, deployment=m)),
    (re.compile(r"/azure/openai/deployments/([^/]+)/embeddings"), lambda m: AzureFace(chat=False, deployment=m)),
    (re.compile(rf"/gemini/v1(?:alpha|beta)?/models/([^/:]+):({_VERB})"), lambda m, v: GeminiFace(m, Verb(v))),
    (re.compile(rf"{_VERTEX}/google/models/([^/:]+):({_VERB})"), lambda m, v: VertexGemini(m, Verb(v))),
    (re.compile(rf"{_VERTEX}/google/models/([^/:]+):predict"), VertexPredict),
    (re.compile(rf"{_VERTEX}/anthropic/models/([^/:]+):(?:streamRawPredict|rawPredict)"), VertexClaude),
    (re.compile(r"/bedrock/model/([^/]+)/converse(-stream)?"), lambda m, s: BedrockChat(m, stream=s is not None)),
    (re.compile(r"/bedrock/model/([^/]+)/invoke"), BedrockInvoke),
)


def face_of(path: str) -> Face | None:
    """Return the face that serves POST requests to a path; None where there is none."""
    return _FIXED.get(path) or _matched(path)


def _matched(path: str) -> Face | None:
    for pattern, face in _PATTERNS:
        if match := pattern.fullmatch(path):
            return face(*(part and unquote(part) for part in match.groups()))
    return None
