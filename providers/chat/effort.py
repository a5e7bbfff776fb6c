"""The effort of reasoning: how much a model is to think before it answers, in OpenAI's words."""

from enum import StrEnum

from providers.chat.params import Params
from providers.chat.unservable import Unservable


class Effort(StrEnum):
    """The words of `reasoning_effort`, least first. What each amounts to is every dialect's own affair."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


def peek_effort(params: Params) -> Effort | None:
    """Return `reasoning_effort` and leave it, as not every model can be told; None where it is absent.

    Raises Unservable for an unknown word.
    """
    word = params.peek("reasoning_effort")
    if word is None:
        return None
    try:
        return Effort(word)
    except ValueError:
        raise Unservable(f"reasoning_effort must be one of {', '.join(Effort)}", "reasoning_effort") from None
