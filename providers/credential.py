"""How a provider is shown who calls: a closed set of ways, chosen by its catalogue row."""

from enum import StrEnum


class Auth(StrEnum):
    """Where the credential of a call goes."""

    BEARER = "bearer"
    """`Authorization: Bearer <key>`; a key is required."""
    BEARER_OPTIONAL = "bearer_optional"
    """The same, where the server asks for one."""
    NONE = "none"
    """No credential."""
    HEADER = "header"
    """The bare key in the header that the row names (`auth_name`), e.g. `x-api-key`; a key is required."""
    QUERY = "query"
    """The key in the query of the address, under the row's `auth_name`; only where a server knows no header."""
    AZURE = "azure"
    """A key in the header `api-key`, or without a key a token of Microsoft Entra as the bearer."""
    AWS = "aws"
    """A key as the bearer, or without a key every request is signed (Signature Version 4)."""
    GOOGLE = "google"
    """A key in the header `x-goog-api-key`, or without a key a token of Google's identity service as the bearer."""


KEYLESS = frozenset({Auth.NONE, Auth.BEARER_OPTIONAL})
"""A server that may be called without any credential."""
SIGNED = frozenset({Auth.AZURE, Auth.AWS, Auth.GOOGLE})
"""Without a key the credential is made for each call, from what the machine or its settings hold."""
NAMED = frozenset({Auth.HEADER, Auth.QUERY})
"""The credential goes into a field that has to be named (`auth_name`)."""
