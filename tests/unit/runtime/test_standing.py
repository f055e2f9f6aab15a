"""How far the workers are, from looks at the log and the database."""

from __future__ import annotations

import pytest

from engine.commands.cluster_services import Stored, judged_by, refusals
from engine.runtime.gaps import Gap
from engine.runtime.kafka.bounds import Bounds, behind_s

LOOKS = [Bounds(float(at), {0: 0, 1: 0}, {0: 10 * at, 1: at}) for at in range(5)]


@pytest.mark.parametrize(
    ("judged", "behind"),
    [
        ({0: 40, 1: 4}, 0.0),
        ({0: 39, 1: 4}, 1.0),
        ({0: 30, 1: 4}, 1.0),
        ({0: 29, 1: 4}, 2.0),
        ({0: 40, 1: 1}, 3.0),
        ({}, 4.0),
        ({0: 50, 1: 5}, 0.0),
    ],
    ids=["level", "one record", "one look", "two looks", "the other partition", "nothing yet", "ahead of the look"],
)
def test_it_is_as_far_behind_as_the_oldest_record_that_waits(judged: dict[int, int], behind: float) -> None:
    assert behind_s(LOOKS, judged) == behind


def test_before_any_look_nothing_is_said() -> None:
    assert behind_s([], {}) == 0.0


def test_what_the_log_let_go_of_does_not_wait() -> None:
    assert Bounds(0.0, {0: 70}, {0: 100}).waiting({0: 10}) == {0: 30}


def stored(**more: object) -> Stored:
    said: dict[str, object] = {"clock_ms": None, "cursor": 9, "heads": {0: 50}, "log_ms": None, "gaps": ()}
    return Stored(**({"at_s": 0.0, "partitions": 2} | said | more))  # type: ignore[arg-type]


BOUNDS = Bounds(1.0, {0: 40, 1: 0}, {0: 60, 1: 5}, {0: 55}, 5, 10)


def test_the_workers_word_counts_where_it_is_newer_than_a_checkpoint() -> None:
    assert judged_by(stored(heads={0: 50, 1: 3}), BOUNDS) == {0: 55, 1: 3}
    assert judged_by(None, None) == {}


def test_positions_that_the_log_has_are_no_fault() -> None:
    assert refusals(stored(), BOUNDS) == ()
    assert refusals(stored(heads={0: 40}, cursor=4), BOUNDS) == ()
    assert refusals(stored(heads={0: 60}), BOUNDS) == ()


@pytest.mark.parametrize(
    ("found", "command"),
    [
        ({"heads": {0: 39}}, "--stream city.readings --partition 0 --from 39 --to 39"),
        ({"heads": {0: 61}}, "--stream city.readings --partition 0 --from 61 --to 39"),
        ({"cursor": 3}, "--stream city.alerts --partition 0 --from 4 --to 4"),
        ({"partitions": 1}, "--stream city.readings --partition 1 --from 0 --to -1"),
    ],
    ids=["readings trimmed", "a topic made anew", "alerts trimmed", "partitions added"],
)
def test_what_cannot_be_passed_over_is_told_with_the_command_that_goes_on(
    found: dict[str, object], command: str
) -> None:
    (said,) = refusals(stored(**found), BOUNDS)
    assert command in said
    assert " / " in said, "in Chinese and English"


def test_an_accepted_gap_is_no_fault_any_more() -> None:
    gap = Gap("city.readings", 0, 39, 39, "lost", "李工", 0)
    assert refusals(stored(heads={0: 39}, gaps=(gap,)), BOUNDS) == ()
    added = Gap("city.readings", 1, 0, -1, "no sensor moved", "李工", 0)
    assert refusals(stored(partitions=1, gaps=(added,)), BOUNDS) == ()
