"""What a completion request asks for: read from its bytes once, as far as we use it, and passed on as it came."""

from dataclasses import dataclass
from typing import Any

import orjson

from api.errors import ApiError, bad_request, echo
from providers.completion import Endpoint
from router.queues import batch_queue, interactive_queue
from router.routes import Route, RouteTable

BODY_BYTES = 32 * 1024 * 1024
"""The largest request body of a completion; images are in it."""
MOST_TIMEOUT_S = 86_400.0
_OWN = "laneway"
_INPUTS: dict[Endpoint, tuple[str, tuple[type, ...], str]] = {
    Endpoint.CHAT: ("messages", (list,), "an array"),
    Endpoint.EMBEDDINGS: ("input", (str, list), "a string or an array"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One completion request."""

    endpoint: Endpoint
    route: Route
    body: bytes
    """What is sent on: the caller's own bytes, without our own field."""
    stream: bool = False
    include_usage: bool = False
    """The caller wants the usage at the end of the stream."""
    store: bool = False
    """The caller wants the bodies kept."""
    flex: bool = False
    """The caller takes the slow and cheap tier."""
    timeout_s: float | None = None
    """From our own field; None when it does not say."""

    @property
    def queue(self) -> str:
        """Where the job goes first."""
        provider = self.route.deployments[0].provider
        return batch_queue(provider) if self.flex else interactive_queue(provider)


def read_asked(endpoint: Endpoint, raw: bytes, routes: RouteTable) -> Asked:
    """Read a request body. Raises ApiError 400, or 404 for a model that nothing serves."""
    return check_asked(endpoint, parse_object(raw), raw, routes)


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises ApiError 400."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"We could not parse the JSON body of your request: {error}.") from None
    if type(value) is not dict:
        raise bad_request("The body of your request should be a JSON object.")
    return value


def check_asked(endpoint: Endpoint, value: dict[str, Any], raw: bytes | None, routes: RouteTable) -> Asked:
    """Check a parsed body; `raw` are its bytes, where they are at hand. Raises ApiError 400 or 404."""
    has_own = _OWN in value
    own = value.pop(_OWN, None)
    name, kinds, words = _INPUTS[endpoint]
    found = _required(value, name, kinds, words)
    if name == "messages" and not found:
        raise bad_request("Invalid 'messages': there should be at least one.", param=name, code="invalid_value")
    model = _required(value, "model", (str,), "a string")
    stream = _flag(value, "stream")
    if stream and endpoint is not Endpoint.CHAT:
        raise bad_request(f"{endpoint} does not stream.", param="stream", code="invalid_value")
    options = value.get("stream_options")
    return Asked(
        endpoint,
        find_route(model, routes),
        raw if raw is not None and not has_own else orjson.dumps(value),
        stream=stream,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        store=value.get("store") is True,
        flex=value.get("service_tier") == "flex",
        timeout_s=None if own is None else _own_timeout(own),
    )


def find_route(model: str, routes: RouteTable) -> Route:
    """Find what serves a model. Raises ApiError 404 that names the nearest ones."""
    route = routes.resolve(model)
    if route is not None:
        return route
    hint = _hint(model[:200], routes)
    raise ApiError(404, f"The model '{echo(model)}' does not exist. {hint}", param="model", code="model_not_found")


def _hint(model: str, routes: RouteTable) -> str:
    if advice := routes.advice(model):
        return advice
    near = ", ".join(f"'{echo(other)}'" for other in routes.nearest(model))
    return f"Did you mean {near}?" if near else "GET /v1/models lists what there is."


def check_timeout(value: float, param: str) -> float:
    """Check a time that a caller gives, in seconds. Raises ApiError 400."""
    if not 0 < value <= MOST_TIMEOUT_S:  # also false for NaN
        message = f"Invalid '{param}': it should be a number of seconds, more than 0 and at most {MOST_TIMEOUT_S:.0f}."
        raise bad_request(message, param=param, code="invalid_value")
    return value


def _required(value: dict[str, Any], name: str, kinds: tuple[type, ...], words: str) -> Any:
    found = value.get(name)
    if found is None:
        message = f"Missing required parameter: '{name}'."
        raise bad_request(message, param=name, code="missing_required_parameter")
    if type(found) not in kinds:
        raise bad_request(f"Invalid '{name}': it should be {words}.", param=name, code="invalid_type")
    return found


def _flag(value: dict[str, Any], name: str) -> bool:
    found = value.get(name)
    if found is not None and type(found) is not bool:
        raise bad_request(f"Invalid '{name}': it should be true or false.", param=name, code="invalid_type")
    return found is True


def _own_timeout(own: Any) -> float | None:
    if type(own) is not dict:
        raise bad_request(f"Invalid '{_OWN}': it should be an object.", param=_OWN, code="invalid_type")
    if unknown := [name for name in own if name != "timeout_s"]:
        message = f"Unknown option '{_OWN}.{echo(unknown[0])}'; there is timeout_s."
        raise bad_request(message, param=_OWN, code="unknown_parameter")
    timeout_s = own.get("timeout_s")
    if timeout_s is None:
        return None
    if type(timeout_s) not in (int, float):
        raise bad_request(f"Invalid '{_OWN}.timeout_s': it should be a number.", param=_OWN, code="invalid_type")
    return check_timeout(float(timeout_s), f"{_OWN}.timeout_s")
