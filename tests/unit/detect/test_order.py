"""Time and order: watermark, waiting, late, duplicate, stale, suspect clocks, frames (spec/readings.md)."""

from __future__ import annotations

import pytest

from tests.unit.detect.streams import PONDING, D, H, M, live, offline, plan_of, reading, tick

EVERY = PONDING + 'levels: {yellow: {set: ">= 10"}}\n'


def test_a_reading_with_the_t_of_the_last_good_one_is_a_duplicate_and_an_earlier_one_late() -> None:
    heard = offline(plan_of(EVERY), [reading(100, 1), reading(100, 20), reading(99, 20), reading(101, 20)])
    assert heard.late == [("duplicate", 2, 0), ("late", 3, 0)]
    assert heard.brief == [("raised", "yellow", 101)]
    assert heard.outputs[0].late[1].raw == b'{"sensor": "s1", "kind": "water.level", "t": 99, "v": 20}'
    assert dict(heard.outputs[0].counts.late) == {("water.level", "duplicate"): 1, ("water.level", "late"): 1}


def test_late_is_judged_against_the_same_sensor_and_kind_only() -> None:
    records = [reading(100, 1), reading(50, 1, sensor="s2"), reading(50, 1, kind="drain.level")]
    assert offline(plan_of(EVERY), records).late == []


def test_a_late_reading_is_not_what_the_next_one_is_compared_with() -> None:
    records = [reading(100, 1), reading(50, 1), reading(60, 1), reading(100, 1)]
    assert [row[0] for row in offline(plan_of(EVERY), records).late] == ["late", "late", "duplicate"]


@pytest.mark.parametrize(("age_ms", "stale"), [(7 * D - 1, False), (7 * D, False), (7 * D + 1, True)])
def test_a_reading_older_than_max_age_at_its_log_time_is_stale(age_ms: int, stale: bool) -> None:
    now = 100 * D
    heard = offline(plan_of(EVERY), [reading(now - age_ms, 20, log_t=now)])
    assert [row[0] for row in heard.late] == (["stale"] if stale else [])
    assert bool(heard.changes) is not stale


def test_stale_goes_before_late_and_does_not_move_the_watermark() -> None:
    now = 100 * D
    records = [reading(now - 8 * D, 1, log_t=now), reading(now - 8 * D, 1, log_t=now), tick(50 * D)]
    heard = offline(plan_of(EVERY), records, marks=True)
    assert [row[0] for row in heard.late] == ["stale", "stale"]
    assert heard.items == [{"mark": 50 * D, "partition": 0, "plan": plan_of(EVERY).short}]


@pytest.mark.parametrize(("ahead_ms", "suspect"), [(5 * M, False), (5 * M + 1, True)])
def test_a_clock_more_than_five_minutes_ahead_is_replaced_by_the_log_time(ahead_ms: int, suspect: bool) -> None:
    heard = offline(plan_of(EVERY), [reading(H + ahead_ms, 20, log_t=H)])
    assert heard.changes[0]["t"] == (H if suspect else H + ahead_ms)
    assert heard.outputs[0].counts.suspect_clocks == suspect


def test_a_fast_clock_cannot_run_ahead_of_the_log() -> None:
    heard = offline(plan_of(EVERY), [reading(H + 4 * M, 1, log_t=H), tick(H)], marks=True)
    assert heard.items[-1]["mark"] == H


def test_a_reading_waits_for_the_watermark_and_is_released_in_order_of_its_order_time() -> None:
    plan = plan_of(EVERY, max_delay=10)
    records = [reading(100, 1), reading(95, 20), reading(105, 1, sensor="s2"), tick(110)]
    assert offline(plan, records, finish=False).brief == [("raised", "yellow", 95), ("cleared", None, 100)]


@pytest.mark.parametrize(("moved_to", "released"), [(109, False), (110, True)])
def test_a_reading_is_released_when_its_order_time_is_at_the_watermark(moved_to: int, released: bool) -> None:
    heard = offline(plan_of(EVERY, max_delay=10), [reading(100, 20), tick(moved_to)], finish=False)
    assert bool(heard.changes) is released


def test_readings_of_one_order_time_are_released_in_the_order_of_the_log_and_the_frame() -> None:
    plan = plan_of(EVERY, max_delay=10)
    records = [reading(100, 20, sensor="b"), [reading(100, 20, sensor="z"), reading(100, 20, sensor="a")], tick(120)]
    assert [(c["sensor"], c["evidence"]["last_offset"]) for c in offline(plan, records).changes] == [
        ("b", 1),
        ("z", 2),
        ("a", 2),
    ]


def test_a_frame_moves_the_watermark_once_so_that_its_readings_are_sorted() -> None:
    heard = offline(plan_of(EVERY), [[reading(200, 1), reading(100, 20), reading(150, 1)]])
    assert heard.late == []
    assert heard.brief == [("raised", "yellow", 100), ("cleared", None, 150)]


def test_what_waits_at_the_end_of_the_input_is_released() -> None:
    plan = plan_of(EVERY, max_delay=H)
    assert offline(plan, [reading(100, 20)], finish=False).brief == []
    assert offline(plan, [reading(100, 20)]).brief == [("raised", "yellow", 100)]


def test_a_reject_disturbs_nothing_else_and_names_its_place() -> None:
    records = ["{bad", [reading(1, 20), {"sensor": "s1"}, reading(2, 1)], reading(3, float(5000))]
    heard = offline(plan_of(EVERY), records)
    assert [row[1:] for row in heard.rejects] == [(1, 0), (2, 1), (3, 0)]
    assert heard.brief == [("raised", "yellow", 1), ("cleared", None, 2)]


def test_a_mark_follows_each_tick_and_says_the_watermark() -> None:
    heard = offline(plan_of(EVERY, max_delay=30), [tick(100), tick(90), reading(200, 1), tick(150)], marks=True)
    assert heard.brief == [("mark", 70), ("mark", 70), ("mark", 170)]


def test_a_tick_cannot_run_ahead_of_the_log_either() -> None:
    plan = plan_of(EVERY)
    heard = live([plan], [(0, plan), (500, tick(10_000))], marks=True)
    assert heard.brief == [("mark", 500)]


def test_waiting_bytes_grow_while_readings_wait_and_go_back_to_nothing() -> None:
    from engine.detect.detector import Detector
    from tests.unit.detect.streams import batch_of

    detector = Detector(offline_plan=plan_of(EVERY, max_delay=H))
    detector.step(batch_of([reading(t, 1) for t in range(100)]))
    waiting = detector.waiting_bytes
    detector.step(batch_of([tick(3 * H)], first=101))
    assert waiting > 100 * 40
    assert detector.waiting_bytes == 0


def test_what_comes_after_its_delay_is_late_and_what_comes_within_it_is_not() -> None:
    records = [reading(100, 1), reading(200, 1), reading(195, 1), reading(100, 1), reading(150, 1)]
    assert offline(plan_of(EVERY, max_delay=10), records).late == [("duplicate", 4, 0)]


def test_seconds_and_strings_of_time_are_the_same_time() -> None:
    heard = offline(plan_of(EVERY), [reading(0, 1), {**reading(0, 20), "t": "1970-01-01T08:00:01.9999+08:00"}])
    assert heard.brief == [("raised", "yellow", 1999)]
