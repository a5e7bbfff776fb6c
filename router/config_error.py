"""The configuration error: where in the file, what is wrong, what to do."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration. Never carries the value of a secret."""

    path: str
    """Where, as the user wrote it, e.g. `models.gpt-5-mini.deployments[0].use`; empty for the whole file."""
    message: str
    """What is wrong, in one sentence without a full stop."""
    suggestion: str | None = None
    """What to do next; None where the message says it all."""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        then = f"; {self.suggestion}" if self.suggestion else ""
        return f"{where}{self.message}{then}"


class ConfigError(Exception):
    """A configuration that cannot be used. `path`, `message` and `suggestion` are those of the first problem."""

    def __init__(self, path: str, message: str, suggestion: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = (Problem(path, message, suggestion),)
        super().__init__(str(self.problems[0]))

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> "ConfigError":
        """Report several problems at once, one line each. `problems` must not be empty."""
        first = problems[0]
        error = cls(first.path, first.message, first.suggestion)
        error.problems = tuple(problems)
        error.args = ("\n".join(str(problem) for problem in problems),)
        return error

    @property
    def path(self) -> str:
        return self.problems[0].path

    @property
    def message(self) -> str:
        return self.problems[0].message

    @property
    def suggestion(self) -> str | None:
        return self.problems[0].suggestion


def dotted(location: Sequence[str | int]) -> str:
    """Write a location as users read it: `("models", "a", "deployments", 0)` -> `models.a.deployments[0]`.

    Names that hold anything but letters, digits, `-` and `_` are quoted, so that `gpt-4.1` stays one name.
    """
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.replace("-", "").replace("_", "").isalnum():
            path += f".{part}" if path else part
        else:
            path += f'["{part}"]'
    return path
