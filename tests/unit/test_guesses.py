"""The meter of wrong keys, on a clock of our own."""

from api.guesses import GuessMeter


def test_ten_tries_then_one_each_six_seconds() -> None:
    now = 0.0
    meter = GuessMeter(lambda: now)
    assert [meter.take("a") for _ in range(12)] == [True] * 10 + [False] * 2
    assert meter.take("b")
    now = 5.9
    assert not meter.take("a")
    now = 6.1
    assert [meter.take("a"), meter.take("a")] == [True, False]
    now = 1e6
    assert [meter.take("a") for _ in range(11)].count(True) == 10


def test_a_right_key_costs_no_try() -> None:
    meter = GuessMeter(lambda: 0.0)
    for _ in range(100):
        assert meter.take("a")
        meter.give_back("a")
    assert [meter.take("a") for _ in range(11)].count(True) == 10


def test_many_addresses_take_bounded_room() -> None:
    meter = GuessMeter(lambda: 0.0)
    for n in range(20_000):
        meter.take(str(n))
    assert len(meter._buckets) == 10_000
