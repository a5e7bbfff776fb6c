"""A bearer token as the headers of a call, with the time for which it is good."""

from collections.abc import Mapping

from providers.credentials.held import Fresh

RENEW_BEFORE_S = 300
"""How long before its end a token is renewed beside the calls; half of its life where that is shorter."""
END_BEFORE_S = 15
"""How long before its end it is not sent any more: the call has to arrive, and clocks differ."""

TokenHeaders = Mapping[str, str]


def bearer(token: str, *, now_s: float, ends_at_s: float, beside: TokenHeaders | None = None) -> Fresh[TokenHeaders]:
    """Return the token as headers, names in lower case. Raises ValueError for one that no header can carry."""
    if not token or not token.isascii() or not token.isprintable():
        raise ValueError("unusable token")
    headers = {"authorization": f"Bearer {token}", **(beside or {})}
    renew_at_s, unsent_from_s = ends_at_s - min(RENEW_BEFORE_S, (ends_at_s - now_s) / 2), ends_at_s - END_BEFORE_S
    return Fresh(headers, min(renew_at_s, unsent_from_s), unsent_from_s)
