"""The player's clock runs at the rate asked for, and hurries when it fell behind."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from simulators.pace import Pace, paced, parse_rate, pieces
from simulators.run import Batch


def batch(second: int, *, prelude: bool = False) -> Batch:
    at = (second - 10) * 1_000 + np.array([0, 999, 1_000, 9_999], dtype=np.int64)
    return Batch(second * 1_000, [b"a", b"b", b"c", b"d"], at, [b"t"], (), prelude)


class Wall:
    """A clock that moves only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, _: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "nobody would wake the sleeper"
        self.now += seconds

    def pace(self, speed: float | None) -> Pace:
        return Pace(speed, clock=self.clock, wait=self.sleep)


@pytest.mark.parametrize(("text", "speed"), [("1x", 1.0), ("60x", 60.0), ("0.5x", 0.5), ("60", 60.0), ("max", None)])
def test_rates_are_read(text: str, speed: float | None) -> None:
    assert parse_rate(text) == speed


@pytest.mark.parametrize("text", ["", "fast", "-1x", "0x", "1e3", "nan", "60y"])
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be max, or a number above 0 with x"):
        parse_rate(text)


def test_sixty_times_life_takes_a_sixtieth_of_the_time() -> None:
    wall = Wall()
    list(paced(iter([batch(10 * i) for i in range(1, 62)]), wall.pace(60.0)))
    assert wall.now == pytest.approx(10.0)


def test_the_prelude_and_the_greatest_rate_wait_for_nobody() -> None:
    wall = Wall()
    list(paced(iter([batch(10 * i, prelude=True) for i in range(1, 62)]), wall.pace(1.0)))
    list(paced(iter([batch(10 * i) for i in range(1, 62)]), wall.pace(None)))
    assert wall.now == 0.0


def test_after_a_slow_taker_the_player_hurries() -> None:
    wall = Wall()
    player = paced(iter([batch(10 * i) for i in range(1, 12)]), wall.pace(60.0))
    next(player)
    wall.now += 1.0
    assert [next(player).t_ms for _ in range(5)] == [20_000, 30_000, 40_000, 50_000, 60_000]
    assert wall.now == 1.0
    next(player)
    next(player)
    assert wall.now > 1.0


def test_who_is_more_than_a_second_late_is_told_to_hurry_until_he_is_not() -> None:
    wall = Wall()
    pace = wall.pace(60.0)
    player = paced(iter([batch(10 * i) for i in range(1, 30)]), pace)
    next(player)
    hurried = []
    for late_s in (0.0, 1.0, 1.5, *[0.0] * 12):
        wall.now += late_s
        next(player)
        hurried.append(pace.hurries)
    assert hurried == [False, False, *[True] * 8, *[False] * 5]


def test_a_batch_is_cut_by_the_second_and_nothing_is_lost() -> None:
    cut = list(pieces(batch(20), 1_000))
    assert [piece.t_ms for piece in cut] == list(range(11_000, 21_000, 1_000))
    assert [piece.lines for piece in cut if piece.lines] == [[b"a", b"b"], [b"c"], [b"d"]]
    assert [piece.truth for piece in cut] == [[]] * 9 + [[b"t"]]


def test_a_new_speed_counts_from_where_the_clock_is() -> None:
    wall = Wall()
    pace = wall.pace(60.0)
    player = paced(iter([batch(10 * i) for i in range(1, 22)]), pace)
    taken = [next(player).t_ms for _ in range(7)]
    assert (taken[-1], wall.now) == (70_000, pytest.approx(1.0))
    pace.run_at(600.0)
    for _ in range(6):
        next(player)
    assert wall.now == pytest.approx(1.1)


def test_a_jump_plays_what_lies_between_at_once_and_then_goes_on_at_its_speed() -> None:
    wall = Wall()
    pace = wall.pace(60.0)
    player = paced(iter([batch(10 * i) for i in range(1, 40)]), pace)
    next(player)
    pace.jump(200_000)
    assert (pace.jump_ms, [next(player).t_ms for _ in range(19)][-1], wall.now) == (200_000, 200_000, 0.0)
    assert pace.jump_ms is None
    for _ in range(6):
        next(player)
    assert wall.now == pytest.approx(1.0)


def test_what_stands_still_goes_on_when_it_is_told_to() -> None:
    pace = Pace(3600.0)
    player = paced(iter([batch(10 * i) for i in range(1, 5)]), pace)
    next(player)
    pace.pause()
    came: list[int] = []
    follower = threading.Thread(target=lambda: came.extend(piece.t_ms for piece in player))
    follower.start()
    assert (pace.paused, came) == (True, [])
    pace.resume()
    follower.join(60.0)
    assert came == [20_000, 30_000, 40_000]


def test_who_waits_is_let_go_at_the_end() -> None:
    pace = Pace(0.001)
    player = paced(iter([batch(10)]), pace)
    next(player)
    pace.pause()
    follower = threading.Thread(target=pace.wait, args=(99_000,))
    follower.start()
    pace.end()
    follower.join(60.0)
    assert not follower.is_alive()
