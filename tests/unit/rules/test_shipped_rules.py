"""The rules that ship: each is complete, holds its own cases, and runs against the shipped city."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.casework.directory import department_title, known_categories
from engine.commands.rules import play
from geo.city import load as load_city
from rules.catalogue import shipped_catalogue
from rules.kinds import load_kinds, shipped_kinds
from rules.load import LIBRARY, load_rules, trial_path
from rules.model import LevelName, Rule
from rules.registry_file import load_registry
from rules.trial_file import load_trials
from rules.trials import Trial, Trials, judge

CITY = load_city()
LOADED = load_rules(LIBRARY, zones=CITY.zones, complete=True)
SHIPPED = {
    "gas": "methane_leak outdoor_methane well_methane underground_methane pressure_drop pressure_rise methane_rise "
    "sensor_silent",
    "flood": "rainstorm_12h rainstorm_6h rainstorm_3h rain_intensity road_ponding underpass_ponding drain_surcharge "
    "rising_fast underpass_rising_fast video_ponding pump_not_running",
    "fire": "smoke heat heat_rise residual_current cable_temperature hydrant_pressure lane_blocked flame_seen "
    "smoke_seen charging_place",
    "waste": "bin_full full_too_long overflow_seen drop_hours collection_missed dumping_seen",
    "muck": "off_corridor dumping spill hours",
    "order": "stall parking",
    "device": "silent stuck battery_low",
}
WARNINGS_OF_WEATHER = {"flood.rainstorm_12h", "flood.rainstorm_6h", "flood.rainstorm_3h", "flood.rain_intensity"}


def trials_of(rule: Rule) -> Trials:
    trials, faults = load_trials(trial_path(Path(rule.path)), rule, "Asia/Shanghai")
    assert trials is not None, [str(fault) for fault in faults]
    return trials


CASES = [(rule, trials_of(rule), trial) for rule in LOADED.rules for trial in trials_of(rule).trials]


def test_no_shipped_rule_has_a_fault() -> None:
    assert [str(fault) for fault in LOADED.faults] == []
    assert {rule.id for rule in LOADED.rules} == {
        f"{domain}.{name}" for domain, names in SHIPPED.items() for name in names.split()
    }


@pytest.mark.parametrize("rule", LOADED.rules, ids=lambda rule: rule.id)
def test_a_shipped_rule_says_what_to_do_when_it_fires_and_whose_work_it_is(rule: Rule) -> None:
    assert rule.runbook
    assert (rule.case is None) == (rule.id in WARNINGS_OF_WEATHER)
    if rule.case is not None:
        assert rule.case.category in {category.code for category in known_categories()}
        assert department_title(rule.case.department, {}) != rule.case.department


def test_whatever_ships_has_an_english_title_and_no_title_is_left_over() -> None:
    shipped = shipped_catalogue()
    assert {of: set(titles) for of, titles in shipped.english.items()} == {
        "rules": {rule.id for rule in LOADED.rules},
        "categories": set(shipped.categories),
        "departments": set(shipped.departments),
        "kinds": set(shipped_kinds().names),
    }
    assert all(title.isascii() for titles in shipped.english.values() for title in titles.values())


@pytest.mark.parametrize("rule", LOADED.rules, ids=lambda rule: rule.id)
def test_a_rule_s_id_is_its_file_and_the_other_way_round(rule: Rule) -> None:
    assert Path(rule.path).relative_to(LIBRARY) == Path(rule.id.replace(".", "/")).with_suffix(".yaml")


@pytest.mark.parametrize("rule", LOADED.rules, ids=lambda rule: rule.id)
def test_a_default_that_no_page_says_is_marked_for_the_city_to_confirm(rule: Rule) -> None:
    if "(general)" in rule.source:
        assert "to be confirmed by the city" in rule.source or "city-dependent" in rule.source


@pytest.mark.parametrize(
    ("rule", "trials", "trial"), CASES, ids=[f"{rule.id} {trial.name}" for rule, _, trial in CASES]
)
def test_a_shipped_case_comes_out_as_it_says(rule: Rule, trials: Trials, trial: Trial) -> None:
    zones = {name: {**CITY.zones, **trials.zones}[name] for name in rule.zones}
    verdict = judge(rule, trial, play, kinds=load_kinds(), zones=zones, tz="Asia/Shanghai")
    assert (verdict.missing, verdict.unexpected, verdict.refused) == ((), (), ())


def test_every_level_of_every_rule_is_reached_in_its_cases() -> None:
    reached = {(rule.id, change.level) for rule, _, trial in CASES for change in trial.expected}
    declared = {(rule.id, level.name.word) for rule in LOADED.rules for level in rule.levels}
    assert declared - reached == set()


def test_rain_warnings_climb_from_blue_to_red() -> None:
    warnings = [rule for rule in LOADED.rules if rule.id.startswith("flood.rainstorm")]
    levels = sorted(level.name for rule in warnings for level in rule.levels)
    assert levels == [LevelName.BLUE, LevelName.YELLOW, LevelName.ORANGE, LevelName.RED]


def test_underpass_sensors_of_the_city_are_judged_by_the_underpass_rule_alone() -> None:
    registry = load_registry(CITY.registry_path, load_kinds())
    sensors = {sensor for underpass in CITY.underpasses for sensor in underpass.sensors}
    rows = [row for row in registry.rows if row.kind == "water.level"]
    zone = CITY.zones["underpasses"]
    places = np.array([(row.lon_e7, row.lat_e7) for row in rows], np.int32)
    inside = zone.contains(places[:, 0].copy(), places[:, 1].copy())
    assert {row.sensor for row, hit in zip(rows, inside.tolist(), strict=True) if hit} == sensors
