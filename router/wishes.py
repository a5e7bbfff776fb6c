"""Wishes: what a caller asks of us, not of the model, in a request's own field `laneway`. Pure.

One reading for all who take requests: completions, jobs, lines of batches.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from router.measures import usd_nanousd
from router.routing import FailoverPolicy, OnLimit
from router.suggestion import did_you_mean

OWN_FIELD = "laneway"
"""The field of a request body that is ours; it is never sent on."""
MOST_TIMEOUT_S = 86_400.0
MOST_TAGS = 16
MOST_TAG_CHARACTERS = 64

W = TypeVar("W", bound=StrEnum)


class Wish(StrEnum):
    """The names in the field."""

    TIMEOUT_S = "timeout_s"
    FAILOVER = "failover"
    ON_LIMIT = "on_limit"
    TAGS = "tags"
    MAX_COST_USD = "max_cost_usd"


LINE_WISHES = (Wish.FAILOVER,)
"""What a line of a batch may ask for: it has its batch's time, and waits at limits in any case."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for; None where nothing was said."""

    timeout_s: float | None = None
    """More than 0, at most a day."""
    failover: FailoverPolicy | None = None
    on_limit: OnLimit | None = None
    tags: tuple[str, ...] = ()
    """Whose budgets and sums it counts in, beside its key's and team's; sorted, none twice."""
    max_cost_nanousd: int | None = None
    """More than this it must not cost; above 0."""


class BadWish(ValueError):
    """Something that cannot be asked for; the message is a sentence for the caller."""

    def __init__(self, message: str, param: str, code: str) -> None:
        super().__init__(message)
        self.param = param
        """The field or header that is wrong."""
        self.code = code
        """A word of OpenAI's: invalid_type, invalid_value, unknown_parameter."""


def take_wishes(body: dict[str, Any], allowed: Iterable[Wish] = tuple(Wish)) -> Wishes:
    """Take our own field out of a request body and read it. Raises BadWish."""
    own = body.pop(OWN_FIELD, None)
    if own is None:
        return Wishes()
    if type(own) is not dict:
        raise BadWish(f"Invalid '{OWN_FIELD}': it should be an object.", OWN_FIELD, "invalid_type")
    known = list(allowed)
    for name in own:
        if name not in known:
            hint = did_you_mean(name[:100], known) or f"there is {', '.join(known)}."
            message = f"Unknown option '{OWN_FIELD}.{_shown(name)}': {hint}"
            raise BadWish(message, OWN_FIELD, "unknown_parameter")
    return Wishes(
        timeout_s=_timeout(own.get(Wish.TIMEOUT_S)),
        failover=word_of(own.get(Wish.FAILOVER), FailoverPolicy, _path(Wish.FAILOVER)),
        on_limit=word_of(own.get(Wish.ON_LIMIT), OnLimit, _path(Wish.ON_LIMIT)),
        tags=tags_of(own.get(Wish.TAGS), _path(Wish.TAGS)),
        max_cost_nanousd=cap_of(own.get(Wish.MAX_COST_USD), _path(Wish.MAX_COST_USD)),
    )


def word_of(value: object, words: type[W], param: str) -> W | None:
    """Read one word of a closed set; None for null. Raises BadWish. `param` is where it stands."""
    if value is None:
        return None
    if type(value) is not str or value not in set(words):
        message = f"Invalid '{param}': it should be one of {', '.join(words)}."
        raise BadWish(message, param, "invalid_type" if type(value) is not str else "invalid_value")
    return words(value)


def tags_of(value: object, param: str) -> tuple[str, ...]:
    """Read a list of tags, none for null; sorted. Raises BadWish. `param` is where it stands."""
    if value is None:
        return ()
    if type(value) is not list or not all(type(tag) is str for tag in value):
        raise BadWish(f"Invalid '{param}': it should be an array of strings.", param, "invalid_type")
    if len(value) > MOST_TAGS or not all(map(is_tag, value)):
        words = f"at most {MOST_TAGS} tags of 1 to {MOST_TAG_CHARACTERS} printable characters, without commas"
        raise BadWish(f"Invalid '{param}': it should be {words}.", param, "invalid_value")
    return tuple(sorted(set(value)))


def is_tag(text: str) -> bool:
    """Whether a text can be a tag."""
    return 0 < len(text) <= MOST_TAG_CHARACTERS and text.isprintable() and text.strip() == text and "," not in text


def cap_of(value: object, param: str) -> int | None:
    """Read the most that something may cost, in dollars, as nano-dollars; None for null. Raises BadWish."""
    if value is None:
        return None
    try:
        return usd_nanousd(value)
    except ValueError as error:
        raise BadWish(f"Invalid '{param}': it {error}.", param, "invalid_value") from None


def timeout(value: float, param: str) -> float:
    """Check a time that a caller gives, in seconds. Raises BadWish."""
    if not 0 < value <= MOST_TIMEOUT_S:  # also false for NaN
        message = f"Invalid '{param}': it should be a number of seconds, more than 0 and at most {MOST_TIMEOUT_S:.0f}."
        raise BadWish(message, param, "invalid_value")
    return value


def _timeout(value: object) -> float | None:
    param = _path(Wish.TIMEOUT_S)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadWish(f"Invalid '{param}': it should be a number.", OWN_FIELD, "invalid_type")
    return timeout(float(value), param)


def _path(wish: Wish) -> str:
    return f"{OWN_FIELD}.{wish}"


def _shown(name: str) -> str:
    """A name of the caller's, safe to print."""
    return "".join(character if character.isprintable() else "?" for character in name[:100])
