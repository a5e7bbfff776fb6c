"""The bedrock dialect: Amazon Bedrock's Converse and ConverseStream, and InvokeModel for embeddings."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.completion import Endpoint, Target
from providers.dialects.bedrock.embeddings import read_vectors, write_texts
from providers.dialects.bedrock.frames import FrameCutter
from providers.dialects.bedrock.refusal import read_refusal
from providers.dialects.bedrock.request import write_chat
from providers.dialects.bedrock.response import read_answer
from providers.dialects.bedrock.stream import StreamReader
from providers.dialects.error_body import ErrorBody
from providers.dialects.headers import Headers
from providers.dialects.path_segment import path_segment
from providers.dialects.translation import Draft
from providers.dialects.wire import WireResponse
from providers.failure import Failure

_WHOLE: Headers = (("accept", "application/json"),)
_STREAM: Headers = (("accept", "application/vnd.amazon.eventstream"),)


class BedrockTranslation:
    """Pure functions; see `providers.dialects.translation.Translation`."""

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request."""
        body, json_tool = write_chat(request, target)
        url = _address(target, "converse-stream" if stream else "converse")
        return Draft(url, body, _STREAM if stream else _WHOLE, json_tool)

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Translate an embeddings request; the model's traits say which body it takes."""
        return Draft(_address(target, "invoke"), write_texts(request, target), _WHOLE)

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any] | Failure:
        """Translate the body of a success."""
        if endpoint is Endpoint.EMBEDDINGS:
            return read_vectors(data, response)
        return read_answer(data, response, target)

    def error(self, data: Any, response: WireResponse) -> ErrorBody | None:
        """Find an error in a parsed body and its headers."""
        return read_refusal(data, response)

    def frames(self) -> FrameCutter:
        """Return what cuts one event stream."""
        return FrameCutter()

    def reader(self, response: WireResponse, target: Target) -> StreamReader:
        """Return what translates the events of one stream."""
        return StreamReader(response)


def _address(target: Target, operation: str) -> str:
    """Return where an operation of a model is; an ARN's colons and slashes are part of one path segment."""
    return f"{target.base_url}/model/{path_segment(target.model)}/{operation}"
