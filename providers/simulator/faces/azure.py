"""The face of Azure: OpenAI's format under `/azure/openai`, by deployment or at the newer `v1` paths."""

import hmac
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from providers.simulator import wire
from providers.simulator.answer import Answer
from providers.simulator.bill import Outcome
from providers.simulator.chat import ChatRequest
from providers.simulator.chunks import event, stream_events
from providers.simulator.faces.face import Asked, Headers
from providers.simulator.faces.openai import OpenAIFace
from providers.simulator.refusals import Refusal, Refused
from providers.simulator.wire import Request

_SAFE: Final = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
_PROMPT: Final = [{"prompt_index": 0, "content_filter_results": _SAFE}]


@dataclass(frozen=True, slots=True)
class AzureFace(OpenAIFace):
    """OpenAI's models on Azure: with `deployment`, the classic paths that name it and need an `api-version`."""

    deployment: str | None = None

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for `api-key`, or a bearer token."""
        return hmac.compare_digest(request.header(b"api-key") or request.bearer(), key)

    def model(self, body: dict[str, Any]) -> str:
        """Return the deployment of the path, else `model`."""
        return self.deployment or OpenAIFace.model(self, body)

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request; the classic paths do not exist without a version."""
        if self.deployment is not None and "api-version" not in parse_qs(request.query):
            raise Refused(Refusal(404, "Resource not found", code="404"))
        return OpenAIFace.read(self, request, {**body, "model": self.model(body)})

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the object with the results of the content filter, in a stream as a first chunk without choices."""
        if not isinstance(asked, ChatRequest):
            return OpenAIFace.write(self, asked, value)
        if not asked.stream:
            choices = [{**choice, "content_filter_results": _SAFE} for choice in value["choices"]]
            return Answer(200, (orjson.dumps({**value, "choices": choices, "prompt_filter_results": _PROMPT}),))
        empty = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": _PROMPT}
        events = stream_events(value, include_usage=asked.include_usage)
        return Answer(200, (event(empty), *events), wire.EVENTS, chunked=True)

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write the `error` object, whose code is a number where OpenAI has none of its own."""
        answer = OpenAIFace.refuse(self, refusal, call_id)
        headers = (*self.marks(call_id), *answer.headers)
        return replace(answer, parts=(orjson.dumps(_error(refusal)),), headers=headers, outcome=Outcome.REFUSED)

    def marks(self, call_id: str) -> Headers:
        """Return the request ids of both the gateway and the model's host."""
        return (("apim-request-id", call_id), ("x-request-id", call_id), ("x-ms-region", "Simulated"))


def _error(refusal: Refusal) -> dict[str, Any]:
    match refusal.code:
        case "invalid_api_key":
            words = "Access denied due to invalid subscription key or wrong API endpoint."
            return {"error": {"code": "401", "message": words}}
        case "404":
            return {"error": {"code": "404", "message": refusal.message}}
        case "model_not_found":
            return {"error": {"code": "DeploymentNotFound", "message": refusal.message}}
        case "rate_limit_exceeded":
            wait_s = refusal.retry_after_s
            wait = "" if wait_s is None else f" Please retry after {wait_s} seconds."
            return {"error": {"code": "429", "message": refusal.message + wait}}
        case "content_filter":
            found = {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
            }
            said = {
                "message": refusal.message,
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
            }
            return {"error": {**said, "innererror": found}}
        case code:
            error = {"message": refusal.message, "type": refusal.type, "param": refusal.param}
            return {"error": {**error, "code": code or str(refusal.status)}}
