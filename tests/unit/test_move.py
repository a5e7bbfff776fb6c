"""Whether, and why, a job is not where it was sent first."""

from dataclasses import dataclass

import pytest

from router.move import Move, move_of


@dataclass(frozen=True)
class Made:
    provider: str
    model: str = "m"
    error_class: str | None = None


@pytest.mark.parametrize(
    ("calls", "move"),
    [
        ([], None),
        ([Made("a")], None),
        ([Made("a", error_class="timeout"), Made("a")], None),
        ([Made("a", error_class="timeout"), Made("b")], Move("a/m", "b/m", "timeout")),
        ([Made("a", error_class="rate_limit"), Made("a", "n")], Move("a/m", "a/n", "rate_limit")),
        ([Made("a", error_class="timeout"), Made("a", error_class="auth"), Made("b")], Move("a/m", "b/m", "auth")),
        ([Made("a", error_class="timeout"), Made("a"), Made("b")], Move("a/m", "b/m", "timeout")),
        (
            [Made("a", error_class="auth"), Made("b", error_class="timeout"), Made("c")],
            Move("a/m", "c/m", "auth"),
        ),
        ([Made("a", error_class="auth"), Made("b", error_class="timeout"), Made("a")], None),
        ([Made("a"), Made("b")], Move("a/m", "b/m", None)),
    ],
)
def test_a_move_is_read_from_the_attempts(calls: list[Made], move: Move | None) -> None:
    assert move_of(calls) == move
