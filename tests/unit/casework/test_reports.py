"""People's reports open cases and meet others of their kind."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from typing import Any

import pytest

from engine.casework.counter import Report
from engine.casework.errors import Refused
from engine.casework.views import CaseView

from .conftest import GRID, OTHER_GRID, T0, Town, actor


def report(town: Town, key: str | None = "k", by: str = "operator", area: str = "", **given: Any) -> CaseView:
    """Report waste in the usual grid unless told otherwise."""
    facts: dict[str, Any] = {"category": "0103", "text": "桶满了", "grid": GRID} | given
    return town.casework.report(Report(**facts), actor(by, area=area), idempotency_key=key, t_ms=town.t)


def test_a_report_opens_a_case_whose_id_comes_from_its_idempotency_key(town: Town) -> None:
    seen = report(town, "phone-1", level="yellow")
    expected = b32encode(hashlib.sha256(b"phone-1").digest())[:10].decode()
    assert (seen.id, seen.state, seen.level, seen.officer) == (f"WO-20251009-{expected}", "reported", "yellow", "王芳")
    (event,) = town.story(seen.id).events
    assert (event.move, event.person, event.role, event.note) == ("report", True, "operator", "桶满了")


def test_the_same_report_sent_twice_is_one(town: Town) -> None:
    assert report(town) == report(town)
    assert len(town.story().reports) == 1
    with pytest.raises(Refused) as refusal:
        report(town, text="别的事")
    assert (refusal.value.status, refusal.value.code) == (422, "key_reused")


def test_a_key_that_another_person_used_opens_no_second_case_of_the_same_id(town: Town) -> None:
    report(town)
    with pytest.raises(Refused) as refusal:
        report(town, by="citizen", grid=OTHER_GRID)
    assert (refusal.value.status, refusal.value.code) == (409, "key_taken")


def test_reports_and_sensors_of_one_category_meet_in_one_grid(town: Town) -> None:
    town.raised(rule="waste.seen")
    seen = report(town, by="citizen")
    assert seen.id == town.only().id
    assert town.moves() == ["report", "joined"]
    other = report(town, "k2", grid=OTHER_GRID)
    town.raised("b", rule="waste.seen", grid=OTHER_GRID)
    assert [alert.episode for alert in town.story(other.id).alerts] == ["ep_b"]


def test_a_report_meets_the_nearest_case_where_the_category_merges_by_place(town: Town) -> None:
    town.raised(rule="water.near")
    near = report(town, category="0405", grid=None, lon=120.1, lat=30.1003)
    far = report(town, "k2", category="0405", grid=None, lon=120.1, lat=30.11)
    assert near.sensor == "sensor-a"
    assert far.id != near.id
    town.raised("b", rule="water.near", lat=30.1101)
    assert [alert.episode for alert in town.story(far.id).alerts] == ["ep_b"]


def test_a_report_that_is_an_exercise_never_meets_the_real_thing(town: Town) -> None:
    town.raised(rule="waste.seen")
    assert report(town, drill=True).flags == ["drill"]
    assert len(town.cases()) == 2


def test_a_second_report_with_a_higher_level_raises_the_case(town: Town) -> None:
    report(town, level="blue")
    assert report(town, "k2", level="red").level == "red"
    assert report(town, "k3", level="blue").level == "red"


@pytest.mark.parametrize("role", ["dispatcher", "handler", "inspector", "supervisor", "admin", "viewer", "sensor"])
def test_only_operators_and_citizens_report(town: Town, role: str) -> None:
    with pytest.raises(Refused) as refusal:
        report(town, by=role)
    assert (refusal.value.status, refusal.value.code) == (403, "role")


def test_an_operator_reports_in_the_own_area_only(town: Town) -> None:
    with pytest.raises(Refused) as refusal:
        report(town, area="330100002")
    assert (refusal.value.status, refusal.value.code) == (403, "other_area")
    assert report(town, area="330100001").state == "reported"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"category": "9999"}, "bad_category"),
        ({"level": "purple"}, "bad_level"),
        ({"lon": 120.0}, "bad_place"),
        ({"lon": 120.0, "lat": 91.0}, "bad_place"),
        ({"lon": float("nan"), "lat": 30.0}, "bad_place"),
        ({"grid": "33"}, "bad_place"),
        ({"text": "x" * 4001}, "bad_args"),
        ({"contact_name": "\x00"}, "bad_args"),
        ({"photos": ["file:///etc/passwd"]}, "bad_args"),
        ({"key": ""}, "bad_key"),
        ({"key": "x" * 201}, "bad_key"),
        ({"key": "a\tb"}, "bad_key"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused(town: Town, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        report(town, **given)
    assert (refusal.value.status, refusal.value.code) == (422, code)
    assert town.cases() == []


def test_a_report_without_a_key_is_given_one(town: Town) -> None:
    assert report(town, None).id != report(town, None, grid=OTHER_GRID).id
    assert town.t == T0


def test_a_report_does_not_join_a_case_that_is_past_its_within(town: Town) -> None:
    town.raised(rule="waste.full")
    town.t += 30 * 60_000 + 1
    assert report(town).id not in {case.id for case in town.cases() if case.rule}
