"""The nearest known word to one that is not known: "did you mean ...?"."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return at most `n` members of `known` that look like `word`, the likeliest first; case is ignored."""
    spelled: dict[str, str] = {}
    for name in known:
        spelled.setdefault(name.lower(), name)
    return [spelled[match] for match in get_close_matches(word.lower(), list(spelled), n=n, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Say `did you mean 'x'?` for the nearest known word; None when nothing is near."""
    matches = nearest(word, known, 1)
    return f"did you mean '{matches[0]}'?" if matches else None


def or_one_of(word: str, known: Iterable[str]) -> str:
    """Say `did you mean 'x'?`, or list what is known when nothing is near."""
    choices = sorted(known)
    return did_you_mean(word, choices) or f"known here: {', '.join(choices)}"
