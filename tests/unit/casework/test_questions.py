"""Lists, pages, figures and the outbox."""

from __future__ import annotations

import msgspec
import pytest

from engine.casework.errors import Refused
from engine.casework.service import AlertFilter, CaseFilter, Casework
from engine.casework.values import SensorValue

from .conftest import GRID, MINUTE, OTHER_GRID, T0, Town, actor

HOUR = 60 * MINUTE
DAY = 24 * HOUR


def full(town: Town) -> dict[str, str]:
    """Open a case of each kind and return their ids by sensor."""
    town.raised("pond", "red")
    town.t += 1000
    town.raised("smoke", "yellow", rule="fire.smoke", grid=OTHER_GRID, lon=121.0, lat=31.0)
    town.t += 1000
    town.raised("gas", "orange", rule="gas.methane_leak", grid=None, lon=None, lat=None)
    return {str(case.sensor).removeprefix("sensor-"): case.id for case in town.cases()}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, "pond smoke gas"),
        ({"state": ["dispatched"]}, "pond"),
        ({"state": ["dispatched", "reported"]}, "pond smoke"),
        ({"level": ["red", "orange"]}, "pond gas"),
        ({"category": ["0406"]}, "smoke"),
        ({"department": ["gas"]}, "gas"),
        ({"department": ["drainage"]}, "pond smoke"),
        ({"grid": GRID[:9]}, "pond"),
        ({"grid": "33%"}, ""),
        ({"bbox": (120.1, 30.1, 120.2, 30.2)}, "pond"),
        ({"bbox": (120.1, 30.1, 121.0, 31.0)}, "pond smoke"),
        ({"bbox": (120.11, 30.0, 120.2, 30.2)}, ""),
        ({"q": "sensor-gas"}, "gas"),
        ({"q": "烟雾"}, "smoke"),
        ({"q": "SENSOR-P"}, "pond"),
        ({"q": "%"}, ""),
        ({"open": True}, "pond smoke gas"),
        ({"open": False}, ""),
        ({"drill": True}, ""),
        ({"state": ["dispatched"], "level": ["blue"]}, ""),
    ],
)
def test_a_list_holds_what_its_filters_say(town: Town, where: dict[str, object], found: str) -> None:
    ids = full(town)
    assert {case.id for case in town.cases(**where)} == {ids[name] for name in found.split()}


def test_pages_follow_each_other_without_gap_or_repeat_the_latest_first(town: Town) -> None:
    for n in range(7):
        town.raised(str(n), rule="fire.smoke")
        town.t += n % 2
    pages, cursor = [], None
    while True:
        page = town.casework.cases(CaseFilter(), actor("viewer"), cursor=cursor, limit=3)
        pages.append([case.id for case in page.cases])
        cursor = page.cursor
        if cursor is None:
            break
    everything = [case.id for case in town.casework.cases(CaseFilter(), actor("viewer"), limit=1000).cases]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [case for page in pages for case in page] == everything
    opened = {case.id: case.opened_t for case in town.cases()}
    assert everything == sorted(everything, key=lambda case: (opened[case], case), reverse=True)


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "MTIz", "OjE", "é"])
def test_a_cursor_that_is_none_is_refused(town: Town, cursor: str) -> None:
    with pytest.raises(Refused, match="bad_cursor"):
        town.casework.cases(CaseFilter(), actor("viewer"), cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_list_is_limited_to_a_thousand(town: Town, limit: int) -> None:
    with pytest.raises(Refused, match="bad_limit"):
        town.casework.cases(CaseFilter(), actor("viewer"), limit=limit)


def test_alerts_are_listed_by_rule_level_and_whether_they_are_open(town: Town) -> None:
    full(town)
    town.cleared("pond")
    casework, who = town.casework, actor("viewer")
    assert [alert.episode for alert in casework.alerts(AlertFilter(), who).alerts] == ["ep_gas", "ep_smoke"]
    assert [alert.episode for alert in casework.alerts(AlertFilter(open_only=False), who).alerts] == [
        "ep_gas",
        "ep_smoke",
        "ep_pond",
    ]
    assert [alert.episode for alert in casework.alerts(AlertFilter(rule="fire.smoke"), who).alerts] == ["ep_smoke"]
    assert [alert.episode for alert in casework.alerts(AlertFilter(level=["orange"]), who).alerts] == ["ep_gas"]
    first = casework.alerts(AlertFilter(), who, limit=1)
    assert [a.episode for a in casework.alerts(AlertFilter(), who, limit=1, cursor=first.cursor).alerts] == ["ep_smoke"]
    with pytest.raises(Refused, match="bad_level"):
        casework.alerts(AlertFilter(level=["purple"]), who)


def test_an_alert_shows_its_present_value_and_when_it_was_heard(town: Town) -> None:
    town.raised()
    town.t += MINUTE
    town.still(value=31.5)
    (alert,) = town.story().alerts
    assert (alert.value, alert.heard_t, alert.raised_t, alert.level, alert.open) == (
        31.5,
        T0 + MINUTE,
        T0,
        "yellow",
        True,
    )


def test_recent_changes_are_kept_as_detect_wrote_them_and_only_the_recent_ones(town: Town) -> None:
    town.casework = Casework(
        town.store, town.casework.plans, msgspec.structs.replace(town.casework.settings, change_keep=2)
    )
    for name in "abc":
        town.raised(name)
    who = actor("viewer")
    assert [change.offset for change in town.casework.changes(who)] == [2, 3]
    assert [change.offset for change in town.casework.changes(who, after=2)] == [3]
    (last,) = town.casework.changes(who, after=-1, limit=1)
    assert last.change == msgspec.json.decode(town.log[-1].value)


def test_figures_count_open_cases_alerts_and_moves(town: Town) -> None:
    ids = full(town)
    town.do("void", "supervisor", ids["smoke"], reason="误报")
    counts = town.casework.counts()
    assert sorted((c.state, c.level, c.count) for c in counts.cases) == [
        ("dispatched", "red", 1),
        ("filed", "orange", 1),
    ]
    assert sorted((a.rule, a.level, a.count) for a in counts.alerts) == [
        ("fire.smoke", "yellow", 1),
        ("gas.methane_leak", "orange", 1),
        ("water.road_ponding", "red", 1),
    ]
    assert counts.moves == {"report": 3, "accept": 2, "file": 2, "dispatch": 1, "void": 1}
    assert counts.outbox_pending == 9


def test_every_event_is_one_message_and_positions_follow_the_commits(town: Town) -> None:
    full(town)
    town.do("start", "handler", next(case.id for case in town.cases() if case.state == "dispatched"))
    assert town.casework.read_outbox(0, 100) == []
    assert town.casework.positions() == (1, 0)
    assert town.casework.assign_positions(limit=5) == 5
    assert town.casework.assign_positions() == 4
    assert town.casework.assign_positions() == 0
    rows = town.casework.read_outbox(0, 100)
    assert [row.position for row in rows] == list(range(1, 10))
    assert town.casework.positions() == (1, 9)
    assert town.casework.read_outbox(8, 100) == rows[8:]
    by_case: dict[str, list[int]] = {}
    for row in rows:
        by_case.setdefault(row.case, []).append(row.seq)
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in by_case.values())
    last = msgspec.json.decode(rows[-1].payload)
    assert (last["id"], last["event"]["move"], last["case"]["state"]) == (
        f"{rows[-1].case}:{rows[-1].seq}",
        "start",
        "handling",
    )


def test_values_of_a_cases_sensors_are_kept_with_it_and_the_others_for_a_day(town: Town) -> None:
    town.handled()
    rows = [SensorValue("sensor-a", "water.level", T0 + at, 1.0) for at in (-HOUR - 1, -HOUR, 0, MINUTE)]
    other = [SensorValue("sensor-z", "water.level", T0, 2.0)]
    assert town.casework.keep_values([*rows, *other]) == 5
    assert town.casework.keep_values([*rows, SensorValue("sensor-a", "water.level", T0 + 1, 1.5)]) == 1
    case = town.only().id
    (series,) = town.casework.values(case, actor("viewer")) or []
    assert [t - T0 for t, _ in series.points] == [-HOUR, 0, 1, MINUTE]
    assert town.casework.trim_values(now_ms=T0 + DAY) == 1
    assert town.casework.trim_values(now_ms=T0 + 2 * DAY) == 1
    (kept,) = town.casework.values(case, actor("viewer")) or []
    assert kept == series
    assert town.casework.values(case, actor("viewer", area="44")) is None
