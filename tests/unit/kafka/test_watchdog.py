"""Whether a partition that does not move is noticed, and one that has nothing to do is left alone."""

from __future__ import annotations

import pytest

from engine.runtime.kafka.watchdog import LOOKS, TRIES, Watchdog, Wedged

STILL = {3: (10, 10)}


def test_three_looks_without_a_move_behind_the_end_call_for_a_new_consumer() -> None:
    watchdog = Watchdog()
    assert [watchdog.look(STILL, {3: 11}) for _ in range(LOOKS + 1)] == [[], [], [], [3]]


@pytest.mark.parametrize(
    ("places", "ends"),
    [
        ([(10, 10)] * 9, [10] * 9),
        ([(n, 0) for n in range(9)], [100] * 9),
        ([(50, n) for n in range(9)], [100] * 9),
        ([(n // 3, 0) for n in range(9)], [100] * 9),
    ],
    ids=["at the end", "fetching", "judging what was fetched", "slowly"],
)
def test_what_moves_or_has_nothing_to_do_is_left_alone(places: list[tuple[int, int]], ends: list[int]) -> None:
    watchdog = Watchdog()
    looks = [watchdog.look({3: place}, {3: end}) for place, end in zip(places, ends, strict=True)]
    assert looks == [[]] * 9


def test_a_partition_that_no_new_consumer_moves_is_given_up_beside_others_that_move() -> None:
    watchdog = Watchdog()
    last = LOOKS * (TRIES + 1)
    for n in range(last):
        watchdog.look(STILL | {4: (n, n)}, {3: 11, 4: 100})
    with pytest.raises(Wedged, match=r"partitions \[3\]") as ended:
        watchdog.look(STILL | {4: (last, last)}, {3: 11, 4: 100})
    assert ended.value.exit_code == 75


def test_a_move_after_a_new_consumer_begins_the_count_anew() -> None:
    watchdog = Watchdog()
    for n in range(100):
        watchdog.look({3: (n // (2 * LOOKS), 0)}, {3: 100})


def test_a_partition_that_comes_back_is_new() -> None:
    watchdog = Watchdog()
    assert [watchdog.look(place, {3: 11}) for place in (STILL, STILL, {}, STILL, STILL)] == [[]] * 5
