"""Each scenario on the embedded engine: what cases open, where, whose they are, and how they end. Crews work along."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engine.casework.views import CaseDetail
from tests.scenarios.played import Story, play

NEAR_M = 400.0
UNDER_WAY = ("closed", "verified", "handled", "handling", "dispatched", "filed")
"""Where cases that open late in a story may have come to."""


@dataclass(frozen=True)
class Expected:
    """What a rule's cases are like: category and department; `ends`: states that they may be in at the end."""

    rule: str
    category: str
    department: str
    ends: tuple[str, ...] = ("closed",)
    placed: bool = True


@dataclass(frozen=True)
class Script:
    """How a scenario is played here, and its cases."""

    kinds: tuple[str, ...]
    cases: tuple[Expected, ...]
    minutes: int
    sensors: int | None = None


SCRIPTS = {
    "cloudburst": Script(
        ("rain", "water"),
        (
            Expected("flood.underpass_ponding", "0404", "drainage"),
            Expected("flood.road_ponding", "0403", "drainage"),
        ),
        minutes=230,
    ),
    "gas_leak": Script(
        ("gas",),
        (
            Expected("gas.methane_leak", "0401", "gas"),
            Expected("gas.well_methane", "0401", "gas"),
            Expected("gas.outdoor_methane", "0401", "gas"),
            Expected("gas.pressure_drop", "0408", "gas", placed=False),
        ),
        minutes=205,
    ),
    "kitchen_fire": Script(
        ("fire.smoke", "fire.heat", "fire.hydrant", "fire.charge", "video.flame", "video.lane"),
        (
            Expected("fire.smoke", "0406", "fire"),
            Expected("fire.heat", "0402", "fire"),
            Expected("fire.flame_seen", "0402", "fire"),
            Expected("fire.hydrant_pressure", "0410", "water", placed=False),
            Expected("fire.lane_blocked", "0409", "traffic"),
            Expected("fire.charging_place", "0413", "fire"),
        ),
        minutes=180,
    ),
    "electrical_fire": Script(
        ("fire.residual", "fire.cable"),
        (
            Expected("fire.residual_current", "0407", "power"),
            Expected("fire.cable_temperature", "0407", "power"),
        ),
        minutes=215,
    ),
    "night_dumping": Script(
        ("waste.weight", "video.vendor", "video.parking", "video.dumping"),
        (
            Expected("order.stall", "0501", "urban"),
            Expected("order.parking", "0502", "urban"),
            Expected("waste.dumping_seen", "0107", "urban"),
            Expected("waste.drop_hours", "0108", "urban", UNDER_WAY, placed=False),
        ),
        minutes=560,
    ),
    "muck_truck_night": Script(
        ("vehicle", "video.dumping"),
        (
            Expected("muck.off_corridor", "0304", "urban", placed=False),
            Expected("muck.dumping", "0107", "urban", placed=False),
            Expected("muck.hours", "0304", "urban", placed=False),
        ),
        minutes=390,
    ),
    "power_cut": Script(
        ("drain.pump", "rain", "device", "gas.pressure"),
        (
            Expected("flood.pump_not_running", "0412", "drainage"),
            Expected("gas.sensor_silent", "0601", "gas", UNDER_WAY, placed=False),
            Expected(
                "device.battery_low",
                "0604",
                "iot",
                UNDER_WAY,
                placed=False,
            ),
        ),
        minutes=300,
    ),
    "bad_day": Script(
        ("rain", "water", "gas.methane", "fire.heat", "fire.residual", "drain.pump", "vehicle", "video.vendor"),
        (
            Expected("flood.underpass_ponding", "0404", "drainage"),
            Expected("gas.methane_leak", "0401", "gas"),
            Expected("fire.heat", "0402", "fire"),
            Expected("fire.residual_current", "0407", "power", UNDER_WAY),
            Expected("order.stall", "0501", "urban"),
            Expected("muck.off_corridor", "0304", "urban", UNDER_WAY, placed=False),
        ),
        minutes=430,
        sensors=700,
    ),
}


def metres_off(story: Story, case: CaseDetail) -> float:
    """Return how far a case is from the nearest place where something was physically wrong."""
    assert case.case.lon is not None
    assert case.case.lat is not None
    x, y = story.world.frame.to_metres(case.case.lon, case.case.lat)
    found = [part.dangers() for part in story.world.parts]
    away = [np.hypot(d[0] - x, d[1] - y)[d[3] > 0.0] for d in found if d is not None]
    return float(np.concatenate(away).min())


@pytest.fixture(scope="module", params=SCRIPTS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Script, Story]:
    script = SCRIPTS[request.param]
    folder: Path = tmp_path_factory.mktemp(request.param)
    return script, play(folder, request.param, script.kinds, sensors=script.sensors, minutes=script.minutes)


@pytest.mark.timeout(1200)
def test_its_cases_open_where_it_happens_and_go_to_whom_they_concern(told: tuple[Script, Story]) -> None:
    script, story = told
    for expected in script.cases:
        cases = story.cases_of(expected.rule)
        assert cases, f"no case of {expected.rule}"
        for case in cases:
            assert case.case.category == expected.category
            assert case.case.department == expected.department or case.reports, "citizens' cases go to their street"
            assert case.case.grid is not None, case.case.id
            assert not expected.placed or metres_off(story, case) < NEAR_M, case.case.id


def test_its_cases_end_as_the_sensors_and_the_people_say(told: tuple[Script, Story]) -> None:
    script, story = told
    for expected in script.cases:
        states = [case.case.state for case in story.cases_of(expected.rule)]
        assert set(states) <= set(expected.ends), f"{expected.rule}: {states}"


def test_no_case_is_about_anything_else(told: tuple[Script, Story]) -> None:
    _, story = told
    for case in story.cases:
        moves = [event.move for event in case.events]
        assert moves[0] == "report", case.case.id
        assert case.alerts or case.reports, case.case.id


def test_a_calm_day_opens_no_case(tmp_path: Path) -> None:
    story = play(tmp_path, "calm_day", ("gas", "water", "drain", "fire.heat", "video"), sensors=60, minutes=180)
    assert story.cases == ()
