"""How `tongguan quality` counts, that its truth knows no rule, and that it runs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from engine.commands.measured import FOR, Alert, Score, judged, measure
from engine.commands.quality import quality
from geo.city import load as load_city
from rules.load import LIBRARY, load_rules
from simulators.ground import ground_of
from simulators.hazards import HAZARDS, Chronicle, Happened, happened, severity
from simulators.load import load
from simulators.run import Simulation

MINUTE_MS = 60_000
APP = typer.Typer()
APP.command()(quality)


def alert(begins: int, ends: int, sensor: str = "a") -> Alert:
    return Alert(sensor, "k", begins * MINUTE_MS, ends * MINUTE_MS)


def truth(begins: int, ends: int, *, grave: bool = True) -> Happened:
    return Happened("smoke", "a", "k", begins * MINUTE_MS, ends * MINUTE_MS, 20.0, grave)


def counts(score: Score) -> tuple[int, int, int, int, int]:
    return score.right, score.grey_alerts, len(score.wrong), score.found, len(score.missed)


@pytest.mark.parametrize(
    ("alerts", "true", "expected"),
    [
        ([alert(11, 30)], [truth(10, 30)], (1, 0, 0, 1, 0)),
        ([alert(11, 30, "b")], [truth(10, 30)], (0, 0, 1, 0, 1)),
        ([alert(46, 50)], [truth(10, 30)], (0, 0, 1, 0, 1)),
        ([alert(45, 50)], [truth(10, 30)], (1, 0, 0, 1, 0)),
        ([alert(2, 20)], [truth(10, 30)], (0, 0, 1, 1, 0)),
        ([], [truth(10, 30)], (0, 0, 0, 0, 1)),
        ([alert(11, 30)], [], (0, 0, 1, 0, 0)),
        ([alert(11, 30)], [truth(10, 30, grave=False)], (0, 1, 0, 0, 0)),
        ([], [truth(10, 30, grave=False)], (0, 0, 0, 0, 0)),
        ([alert(11, 12), alert(20, 30)], [truth(10, 30)], (2, 0, 0, 1, 0)),
    ],
    ids=["found", "another sensor", "too late", "just in time", "before it began", "missed", "false", "grey alert",
         "grey and silent", "twice"],
)  # fmt: skip
def test_alerts_and_occasions_of_one_sensor_meet_in_time(
    alerts: list[Alert], true: list[Happened], expected: tuple[int, int, int, int, int]
) -> None:
    assert counts(judged(alerts, true)) == expected


def test_the_delay_runs_from_when_it_truly_began() -> None:
    assert judged([alert(13, 30)], [truth(10, 30)]).delays_s == [180.0]


def test_a_hazard_begins_where_it_is_there_and_is_grave_if_it_lasts() -> None:
    chronicle = Chronicle(0, 60 * MINUTE_MS)
    for minute, depth in enumerate([0.0, 1.0, 2.0, 4.0, *[6.0] * 6, 3.0, 1.0], start=5):
        chronicle.note(
            minute * MINUTE_MS, [{"truth": "at.water.level", "sensor": "a", "kind": "water.level", "v": depth}]
        )
    (found,) = [h for h in chronicle.hazards() if h.hazard == "water on the road"]
    assert (found.begins, found.ends, found.peak, found.grave) == (7 * MINUTE_MS, 15 * MINUTE_MS, 6.0, True)


def test_what_a_sensor_without_power_stands_in_is_not_held_against_it() -> None:
    chronicle = Chronicle(0, 60 * MINUTE_MS)
    for minute in range(5, 30):
        chronicle.note(minute * MINUTE_MS, [
            {"truth": "at.water.level", "sensor": "a", "kind": "water.level", "v": 9.0},
            {"truth": "sensor.dark", "sensor": "a", "kind": "water.level", "v": 1.0},
        ])  # fmt: skip
    assert [h.grave for h in chronicle.hazards() if h.hazard == "water on the road"] == [False]


@pytest.mark.parametrize(
    ("hazard", "values", "last"),
    [("gas gathers quickly", [0, 10, 20, 30, 40, 50], 10.0), ("rain of 3 hours", [60] * 6, 6.0),
     ("hydrant pressure", [0.3] * 6, -0.3), ("smoke", [5] * 6, 4.0)],
)  # fmt: skip
def test_a_severity_is_a_rise_a_pace_a_sum_or_what_is_left(hazard: str, values: list[float], last: float) -> None:
    usual = np.ones(6) if hazard == "smoke" else np.zeros(6)
    assert severity(HAZARDS[hazard], np.array(values, dtype=np.float64), usual)[-1] == pytest.approx(last)


def test_every_rule_of_the_library_has_a_hazard_and_every_hazard_a_rule() -> None:
    assert {rule.id for rule in load_rules(LIBRARY, zones=load_city().zones).rules} == set(FOR)
    assert {name for name, _ in FOR.values()} == set(HAZARDS)


@pytest.mark.timeout(600)
def test_the_truth_is_the_same_whatever_the_thresholds(tmp_path: Path) -> None:
    """The same fire judged by the library and by rules of which all numbers of heat and smoke are others."""
    other = tmp_path / "rules"
    shutil.copytree(LIBRARY / "fire", other)
    for name, old, new in (("heat", ">= 54", ">= 64"), ("smoke", ">= 3,", ">= 5,"), ("smoke_seen", "0.5", "0.95")):
        text = (other / f"{name}.yaml").read_text(encoding="utf-8")
        (other / f"{name}.yaml").write_text(text.replace(old, new), encoding="utf-8")
    scenario = load("kitchen_fire")
    kinds = ("fire.heat", "fire.smoke", "video.smoke")
    scenario = replace(scenario, lasts_ms=60 * MINUTE_MS, signals={k: scenario.signals[k] for k in kinds})
    library, altered = (measure(scenario, load_city(), 5, 20, rules).scores for rules in (LIBRARY, other))
    for rule in ("fire.heat", "fire.smoke", "fire.smoke_seen"):
        assert (library[rule].occasions, library[rule].grey) == (altered[rule].occasions, altered[rule].grey)
    assert library["fire.smoke_seen"].found > altered["fire.smoke_seen"].found
    assert library["fire.heat"].found == library["fire.heat"].occasions > 0


def test_a_calm_hour_has_no_hazard() -> None:
    calm = replace(load("calm_day"), lasts_ms=60 * MINUTE_MS)
    assert happened(Simulation(calm, ground_of(load_city()), 3)) == []


@pytest.mark.timeout(600)
def test_it_measures_a_scenario_keeps_it_and_writes_a_page(tmp_path: Path) -> None:
    text = (Path(load.__code__.co_filename).parent / "scenarios" / "muck_truck_night.yaml").read_text(encoding="utf-8")
    short = tmp_path / "short_night.yaml"
    short.write_text(text.replace("muck_truck_night", "short_night").replace("for: 10h", "for: 1h"), encoding="utf-8")
    page, keep = tmp_path / "quality.md", tmp_path / "keep"
    asked = [
        str(short),
        "--seeds",
        "5",
        "--others",
        "5",
        "--sensors",
        "20",
        "--keep",
        str(keep),
        "--json",
        "--page",
        str(page),
    ]
    said = CliRunner().invoke(APP, asked, catch_exceptions=False)
    assert said.exit_code == 0
    told = json.loads(said.stdout)
    assert (told["scenarios"], told["seeds"]) == (["short_night"], [5, 5])
    rules = {row["rule"]: row for row in told["rules"]}
    assert rules["muck.hours"]["recall"] == 1.0
    assert told["others"] == told["rules"]
    assert len(list(keep.iterdir())) == 1
    assert "| muck.hours |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("seeds", ["", "a", "5-4", "1-5000"])
def test_wrong_seeds_are_refused(seeds: str) -> None:
    assert CliRunner().invoke(APP, ["gas-leak", "--seeds", seeds]).exit_code == 2


def test_an_unknown_scenario_is_refused() -> None:
    assert CliRunner().invoke(APP, ["sunshine"]).exit_code == 1
