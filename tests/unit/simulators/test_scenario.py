"""Scenario files are read strictly: what is right is read, what is wrong is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.errors import ScenarioError
from simulators.load import fault_of, load, names
from simulators.reading_yaml import Span


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def told(path: Path) -> list[str]:
    with pytest.raises(ScenarioError) as refusal:
        load(path)
    return [str(fault) for fault in refusal.value.faults]


@pytest.mark.parametrize("name", names())
def test_every_shipped_scenario_is_named_as_its_file(name: str) -> None:
    assert load(name).name == name


SHIPPED = (
    "bad_day, calm_day, cloudburst, electrical_fire, gas_leak, kitchen_fire, muck_truck_night, night_dumping, power_cut"
)


def test_nine_scenarios_ship() -> None:
    assert names() == SHIPPED.split(", ")


def test_a_hyphen_in_the_name_of_a_shipped_scenario_counts_as_an_underscore() -> None:
    assert load("bad-day") == load("bad_day")


def test_a_scenario_takes_from_the_one_it_extends_what_it_leaves_out(tmp_path: Path) -> None:
    path = written(tmp_path, "extends: calm_day\nname: mine\nwind: {speed_m_s: 3, from_deg: [10, 20]}\nfor: 90m\n")
    mine, calm = load(path), load("calm_day")
    assert (mine.name, mine.lasts_ms, mine.wind.speed_m_s, mine.wind.from_deg) == (
        "mine",
        90 * 60_000,
        Span(3.0, 3.0),
        Span(10.0, 20.0),
    )
    assert (mine.signals, mine.bins, mine.starts_ms) == (calm.signals, calm.bins, calm.starts_ms)


def test_one_signal_can_be_changed_and_the_others_stay(tmp_path: Path) -> None:
    text = "extends: calm_day\nsignals:\n  fire.heat: {every: 10s, mean: 30, high: 60, model: X}\n"
    mine, calm = load(written(tmp_path, text)), load("calm_day")
    assert mine.signals["fire.heat"].every_ms == 10_000
    assert set(mine.signals) == set(calm.signals)
    assert mine.signals["fire.smoke"] == calm.signals["fire.smoke"]


def test_all_faults_are_named_at_once_in_order_of_place(tmp_path: Path) -> None:
    text = (
        "extends: calm_day\nname: Mine\nfor: 3 h\nstrom: {}\nwind: {speed_m_s: [5, 2], from_deg: north}\n"
        "faults:\n  - {fault: stuck, share: 1.5}\n  - {fault: broken}\n"
    )
    assert told(written(tmp_path, text)) == [
        "mine.yaml:2:7: name: must be a name of a-z, 0-9 and _; got Mine",
        "mine.yaml:3:6: for: must be a duration, one whole number and ms, s, m, h or d, at least 60000 ms; got 3 h",
        "mine.yaml:4:1: strom: must be one of name, title, starts, utc_offset_h, for, drill, prelude, wind, signals, "
        "bins, vehicles, storm, water, leak, room_leak, open_leak, regulator, electric, fires, power_cut, "
        "missed_rounds, late_drops, scenes, misdeeds, calls, faults; got strom",
        "mine.yaml:5:19: wind.speed_m_s: low must not be above high; got [5, 2]",
        "mine.yaml:5:37: wind.from_deg: must be a number 0..360; got north",
        "mine.yaml:7:27: faults[0].share: must be a number 0..1; got 1.5",
        "mine.yaml:8:13: faults[1].fault: must be one of drop_out, drift, stuck, noise, clock_skew, duplicate, "
        "disorder, gateway_outage; got broken",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: [", "mine.yaml:1:8: file: must be YAML; got expected the node content, but found '<stream end>'"),
        ("name: a\nname: b\n", "must be YAML; got found duplicate key"),
        ("- 1\n", "mine.yaml:1:1: file: must be a map; got [1]"),
        ("extends: sunshine\n", "extends: must be one of bad_day, calm_day, cloudburst, "),
        ("extends: calm_day\nfor: 59s\n", "at least 60000 ms; got 59s"),
        ("extends: calm_day\nstarts: 2026-06-10\n", "starts: must be a quoted date and time with an offset"),
        ("extends: calm_day\nstarts: '2026-06-10T06:00:00'\n", "starts: must be a quoted date and time with an offset"),
        ("extends: calm_day\nutc_offset_h: .nan\n", "utc_offset_h: must be a number -14..14; got nan"),
        ("extends: calm_day\nwind: {speed_m_s: 1}\n", "wind.from_deg: must be given; got nothing"),
        ("extends: calm_day\nsignals: {Heat: {}}\n", "signals.Heat: must be a kind, domain.name in lower case"),
        ("extends: cloudburst\nwater:\n", "water: must be a map; got None"),
        ("name: alone\n", "title: must be given; got nothing"),
    ],
)
def test_a_fault_says_where_what_and_what_came(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in line for line in told(written(tmp_path, text))), told(written(tmp_path, text))


def test_a_storm_without_ground_to_fall_on_is_refused(tmp_path: Path) -> None:
    text = "extends: calm_day\nstorm: {steady_mm_h: 1, begins: 0s, ends: 1h, cells: []}\n"
    assert told(written(tmp_path, text)) == [
        "mine.yaml:1:1: file: storm and water must stand together; got only one of them"
    ]


def test_a_missing_file_names_the_scenarios_that_ship() -> None:
    assert told(Path("nowhere.yaml")) == [
        f"nowhere.yaml:1:1: file: must be a file, or one of {SHIPPED}; got nowhere.yaml"
    ]


def test_a_fault_can_be_given_on_the_command_line() -> None:
    fault = fault_of("drop_out: {chance: 0.1, kinds: [rain.minute], from: 10m, for: 1h}")
    assert (fault.fault, fault.chance, fault.kinds, fault.from_ms, fault.lasts_ms) == (
        "drop_out",
        0.1,
        ("rain.minute",),
        600_000,
        3_600_000,
    )


@pytest.mark.parametrize(
    "text",
    [
        "drop_out",
        "drop_out: 1",
        "{",
        "explode: {chance: 1}",
        "drift: {share: 1}",
        "gateway_outage: {share: 1}",
        "stuck: {chance: 2}",
        "a: {}\nb: {}",
    ],
)
def test_a_bad_fault_on_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError):
        fault_of(text)
