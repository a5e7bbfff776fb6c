"""Unservable: the one exception with which reading or translating a request says that it cannot be sent.

It never leaves `providers.dialects`: a dialect catches it where it begins and returns the failure.
"""

from providers.failure import ErrorClass, Failure

UNSUPPORTED = "unsupported_parameter"


class Unservable(Exception):
    """A request that this deployment cannot be sent. `message` is for the caller and quotes no prompt."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        """Name the field at fault in OpenAI's spelling, e.g. `messages[2].content`."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code

    def failure(self) -> Failure:
        """Return it as the failure of a call that was never made."""
        inexpressible = self.code == UNSUPPORTED
        return Failure(
            ErrorClass.BAD_REQUEST, self.message, code=self.code, param=self.param, inexpressible=inexpressible
        )


def unsupported(what: str, param: str) -> Unservable:
    """Say that a deployment has no way to express a part of the request, e.g. `audio input`."""
    return Unservable(f"this model's provider cannot be sent {what}", param, UNSUPPORTED)
