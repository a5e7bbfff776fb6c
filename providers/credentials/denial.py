"""A denial: why no credential could be made, as the failure of a call that was never sent.

What a token server or a library says may quote secrets, so its text is never shown: a machine word out of it at most.
"""

import re

from providers.completion import Target
from providers.failure import ErrorClass, Failure

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{1,59}")


def denied(target: Target, fault: str, *, code: object = None) -> Failure:
    """Say that there is no credential: settings are missing or wrong, or the token server refuses them."""
    word = code if isinstance(code, str) and _WORD.fullmatch(code) else None
    said = f" ({word})" if word else ""
    return Failure(ErrorClass.AUTH, f"provider {target.provider!r} has no credential: {fault}{said}", code=word)


def unreached(target: Target, fault: str) -> Failure:
    """Say that a token server could not be reached, or had an error of its own: it may work later."""
    return Failure(ErrorClass.NETWORK, f"provider {target.provider!r} has no credential yet: {fault}")


def lacking(target: Target, extra: str) -> Failure:
    """Say that a package is not installed, and how it is."""
    return denied(target, f"making one needs a package that is not installed; pip install 'laneway[{extra}]'")
