"""The openai dialect: chat completions and embeddings as OpenAI and the many servers that follow it speak them."""

from collections.abc import Callable

import orjson

from providers.chat.unservable import Unservable
from providers.completion import Answer, Endpoint, Target
from providers.dialects.body import parse_answer, parse_object, parsed
from providers.dialects.chat_answer import read_chat
from providers.dialects.embedding_answer import read_embeddings
from providers.dialects.error_body import read_error
from providers.dialects.event_stream import EventStream
from providers.dialects.headers import addressed, headers_of, unusable_key
from providers.dialects.openai_request import apply_quirks, set_streaming
from providers.dialects.openai_stream import OpenAIEvents
from providers.dialects.refusals import refusal
from providers.dialects.sse import EventParser
from providers.dialects.unusable import redirected
from providers.dialects.wire import NO_WISH, WireRequest, WireResponse, Wish
from providers.failure import ErrorClass, Failure

PATHS = {Endpoint.CHAT: "/chat/completions", Endpoint.EMBEDDINGS: "/embeddings"}


def plain_address(endpoint: Endpoint, target: Target) -> str:
    """Return where an endpoint of a deployment is: below the server's address."""
    return target.base_url + PATHS[endpoint]


class OpenAIDialect:
    """Pure functions; answers that need no mending are handed on byte for byte."""

    def __init__(self, address: Callable[[Endpoint, Target], str] = plain_address) -> None:
        """Speak to servers whose endpoints are where `address` says."""
        self._address = address

    def encode(self, endpoint: Endpoint, body: bytes, target: Target, *, stream: bool = False) -> WireRequest | Failure:
        """Write the request for one deployment. See `Dialect.encode`."""
        request = parse_object(body)
        if isinstance(request, Failure):
            return request
        if (unusable := unusable_key(target)) is not None:
            return unusable
        wanted = set_streaming(request, target.quirks, stream=stream)
        request["model"] = target.model
        try:
            changes = target.quirks or "max_tokens" in request
            dropped = apply_quirks(request, target.quirks, target.params) if changes else ()
            content = orjson.dumps(request)
            url = addressed(self._address(endpoint, target), target)
        except Unservable as reason:
            return reason.failure()
        except TypeError:  # orjson.JSONEncodeError: the body is too deep; it was JSON a moment ago
            return Failure(ErrorClass.BAD_REQUEST, "the request body is nested too deeply; the limit is 254 levels")
        return WireRequest(url, headers_of(target), content, dropped, wanted)

    def decode(
        self, endpoint: Endpoint, response: WireResponse, target: Target, wish: Wish = NO_WISH
    ) -> Answer | Failure:
        """Read a whole response. See `Dialect.decode`.

        A success that is no usable answer is `invalid_response` with `outcome_unknown`: it was probably billed.
        """
        if 300 <= response.status < 400:
            return redirected(response, target)
        if response.status >= 400:
            return refusal(response, read_error(parsed(response.body), refused=True), target)
        data = parse_answer(response, target)
        if isinstance(data, Failure):
            return data
        error = read_error(data, refused=False)
        if error is not None:
            return refusal(response, error, target)
        if endpoint is Endpoint.EMBEDDINGS:
            return read_embeddings(data, response, target)
        return read_chat(data, response, target)

    def open_stream(self, response: WireResponse, wish: Wish, target: Target) -> EventStream:
        """Begin to read a stream. See `Dialect.open_stream`."""
        return EventStream(response, wish, target, EventParser(), OpenAIEvents(response, target))
