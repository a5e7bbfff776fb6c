"""The faces of Bedrock: `/bedrock/model/{model}/converse`, `converse-stream` and `invoke` (embeddings)."""

from dataclasses import dataclass
from typing import Any

import orjson

from providers.simulator.answer import Answer
from providers.simulator.chat import ChatRequest
from providers.simulator.faces.bedrock.answer import converse_response
from providers.simulator.faces.bedrock.embedding import read_invoke, write_invoke
from providers.simulator.faces.bedrock.event_stream import CONTENT_TYPE, exception_frame, frames
from providers.simulator.faces.bedrock.refusal import refuse
from providers.simulator.faces.bedrock.request import read_converse
from providers.simulator.faces.bedrock.signature import admits
from providers.simulator.faces.face import Asked, Headers
from providers.simulator.permit import Permit
from providers.simulator.refusals import Refusal
from providers.simulator.wire import Request


@dataclass(frozen=True, slots=True)
class BedrockFace:
    """What all paths of Bedrock have in common: the model stands in the path."""

    path_model: str

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for a bearer token, or for a signature made with the key as the secret access key."""
        return admits(request, key)

    def model(self, body: dict[str, Any]) -> str:
        """Return the model of the path."""
        return self.path_model

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write an exception: its name is in a header."""
        return refuse(refusal, self.marks(call_id))

    def error_event(self, refusal: Refusal) -> bytes:
        """Write an exception frame."""
        return exception_frame(refusal)

    def marks(self, call_id: str) -> Headers:
        """Return `x-amzn-requestid`."""
        return (("x-amzn-requestid", call_id),)

    def limits(self, permit: Permit) -> Headers:
        """Return none: Bedrock does not tell."""
        return ()


@dataclass(frozen=True, slots=True)
class BedrockChat(BedrockFace):
    """The Converse API."""

    stream: bool

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request."""
        return read_converse(body, self.path_model, stream=self.stream)

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the response, or its frames."""
        assert isinstance(asked, ChatRequest)
        whole = converse_response(asked, value)
        if self.stream:
            return Answer(200, frames(whole), CONTENT_TYPE, chunked=True)
        return Answer(200, (orjson.dumps(whole),))


@dataclass(frozen=True, slots=True)
class BedrockInvoke(BedrockFace):
    """InvokeModel, for embeddings alone: Titan's body and Cohere's."""

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request."""
        return read_invoke(body, self.path_model)

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the vectors in the shape in which they were asked for, and the token count in a header too."""
        return write_invoke(asked, value)
