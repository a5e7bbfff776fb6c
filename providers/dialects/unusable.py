"""Unusable responses: a provider answered, but not with an answer and not with a refusal either."""

from urllib.parse import urlsplit

from providers.completion import Target
from providers.dialects.request_id import request_id
from providers.dialects.wire import WireResponse
from providers.failure import ErrorClass, Failure


def unusable(response: WireResponse, target: Target, fault: str) -> Failure:
    """Report a success whose body cannot be used; it may have been billed.

    `fault` completes the sentence "the body of ... ", in our words: nothing of the body is quoted.
    """
    return Failure(
        error_class=ErrorClass.INVALID_RESPONSE,
        message=f"the body of provider {target.provider!r}'s HTTP {response.status} answer {fault}",
        http_status=response.status,
        outcome_unknown=True,
        provider_request_id=request_id(response.headers),
    )


def redirected(response: WireResponse, target: Target) -> Failure:
    """Report a redirect. It is never followed: the key would go to an address that nobody configured."""
    try:
        host = urlsplit(response.headers.get("location", "")).hostname or "the same host"
    except ValueError:
        host = "an unreadable address"
    return Failure(
        error_class=ErrorClass.SERVER_ERROR,
        message=f"provider {target.provider!r} redirected the call to {host[:200]} (HTTP {response.status}); redirects "
        "are not followed: set its base_url to the final address",
        http_status=response.status,
        provider_request_id=request_id(response.headers),
    )
