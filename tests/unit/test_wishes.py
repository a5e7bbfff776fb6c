"""What a caller may ask of us in its own field."""

from typing import Any

import pytest

from router.routing import FailoverPolicy, OnLimit
from router.wishes import LINE_WISHES, BadWish, Wishes, take_wishes


def test_the_field_is_taken_out_and_read() -> None:
    body = {"model": "m", "laneway": {"timeout_s": 3, "failover": "same_model", "on_limit": "reject"}}
    assert take_wishes(body) == Wishes(3.0, FailoverPolicy.SAME_MODEL, OnLimit.REJECT)
    assert body == {"model": "m"}


@pytest.mark.parametrize("own", [None, {}, {"failover": None, "on_limit": None, "timeout_s": None}])
def test_nothing_asked_is_nothing_said(own: Any) -> None:
    assert take_wishes({"laneway": own}) == take_wishes({}) == Wishes()


@pytest.mark.parametrize("policy", FailoverPolicy)
def test_a_line_may_say_how_far_it_moves_and_no_more(policy: FailoverPolicy) -> None:
    assert take_wishes({"laneway": {"failover": policy.value}}, LINE_WISHES) == Wishes(failover=policy)
    for other in ("on_limit", "timeout_s"):
        with pytest.raises(BadWish, match=f"Unknown option 'laneway.{other}': there is failover"):
            take_wishes({"laneway": {other: None}}, LINE_WISHES)


@pytest.mark.parametrize(
    ("own", "says", "code"),
    [
        ([], "should be an object", "invalid_type"),
        ({"failovr": 1}, "did you mean 'failover'", "unknown_parameter"),
        ({"a\nb": 1}, "'laneway.a\\?b'", "unknown_parameter"),
        ({"failover": "none"}, "one of strict, same_model, chain", "invalid_value"),
        ({"on_limit": ["wait"]}, "one of wait, reject", "invalid_type"),
        ({"timeout_s": True}, "should be a number", "invalid_type"),
        ({"timeout_s": float("nan")}, "more than 0", "invalid_value"),
        ({"timeout_s": 86_401}, "at most 86400", "invalid_value"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_words(own: Any, says: str, code: str) -> None:
    with pytest.raises(BadWish, match=says) as caught:
        take_wishes({"laneway": own})
    assert caught.value.code == code
