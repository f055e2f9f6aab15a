"""Each rule of the library fires in a scenario, and none in a calm day: readings and rules alone, no engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from engine.detect.batch import read_lines
from engine.detect.changes import Change
from engine.detect.detector import Detector
from engine.detect.offline import PlanFiles, build_plan
from geo.city import load as load_city
from rules.load import LIBRARY
from simulators.ground import ground_of
from simulators.lines import tick
from simulators.load import load
from simulators.run import Simulation

STORM = {
    "flood.rainstorm_12h", "flood.rainstorm_6h", "flood.rainstorm_3h", "flood.rain_intensity", "flood.road_ponding",
    "flood.underpass_ponding", "flood.underpass_rising_fast", "flood.rising_fast", "flood.drain_surcharge",
    "flood.video_ponding", "flood.pump_not_running",
}  # fmt: skip
GAS = {
    "gas.methane_leak", "gas.methane_rise", "gas.well_methane", "gas.underground_methane", "gas.outdoor_methane",
    "gas.pressure_drop", "gas.pressure_rise",
}  # fmt: skip
FIRE = {
    "fire.smoke", "fire.heat", "fire.heat_rise", "fire.flame_seen", "fire.smoke_seen", "fire.hydrant_pressure",
    "fire.lane_blocked", "fire.charging_place",
}  # fmt: skip
ELECTRIC = {"fire.residual_current", "fire.cable_temperature"}
DUMPING = {
    "waste.bin_full", "waste.full_too_long", "waste.overflow_seen", "waste.drop_hours", "waste.collection_missed",
    "waste.dumping_seen", "order.stall", "order.parking",
}  # fmt: skip
TRUCKS = {"muck.off_corridor", "muck.dumping", "muck.spill", "muck.hours"}
POWER = {"device.silent", "device.stuck", "device.battery_low", "gas.sensor_silent", "flood.pump_not_running"}
FIRES_IN: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "cloudburst": (("rain", "water", "drain", "video.ponding"), STORM),
    "gas_leak": (("gas",), GAS),
    "kitchen_fire": (("fire.smoke", "fire.heat", "fire.hydrant", "fire.charge", "video.flame", "video.smoke",
                      "video.lane"), FIRE),
    "electrical_fire": (("fire.residual", "fire.cable"), ELECTRIC),
    "night_dumping": (("waste", "video"), DUMPING),
    "muck_truck_night": (("vehicle", "video.spill", "video.dumping"), TRUCKS),
    "power_cut": (("gas.pressure", "gas.methane_well", "fire.heat", "fire.cable", "drain.pump", "rain", "device"),
                  POWER),
}  # fmt: skip
"""By scenario: the kinds that are played (the others would only take time), and the rules that fire."""


def raised(folder: Path, name: str, kinds: tuple[str, ...], seed: int, sensors: int | None) -> list[Change]:
    """Return the alerts that the library raises in a scenario, the prelude included."""
    city, scenario = load_city(), load(name)
    signals = {kind: s for kind, s in scenario.signals.items() if not kinds or kind.startswith(kinds)}
    simulation = Simulation(replace(scenario, signals=signals), ground_of(city), seed, sensors)
    simulation.network.write_registry(folder / "sensors.csv")
    built = build_plan(PlanFiles(LIBRARY, registry=folder / "sensors.csv", zones=city.zones_path))
    assert built.rule_faults == ()
    text = b"".join(_lines(simulation))
    detector = Detector(offline_plan=built.plan)
    items = [item for batch in read_lines(BytesIO(text)) for item in detector.step(batch).items]
    items += detector.finish().items
    return [item for item in items if isinstance(item, Change) and item.change == "raised"]


def _lines(simulation: Simulation) -> Iterator[bytes]:
    end = simulation.scenario.starts_ms + simulation.scenario.lasts_ms
    for batch in simulation.batches():
        if batch.t_ms > end:
            return
        yield batch.ndjson + tick(batch.t_ms) + b"\n"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FIRES_IN)
def test_the_rules_of_a_scenario_fire_in_it(name: str, tmp_path: Path) -> None:
    kinds, rules = FIRES_IN[name]
    fired = {change.rule for change in raised(tmp_path, name, kinds, 1, None)}
    assert rules <= fired, rules - fired


def test_every_rule_of_the_library_is_in_the_table() -> None:
    city = load_city()
    library = build_plan(PlanFiles(LIBRARY, registry=city.registry_path, zones=city.zones_path)).plan.rules
    assert {rule.id for rule in library} == set().union(*(rules for _, rules in FIRES_IN.values()))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_calm_day_is_silent(seed: int, tmp_path: Path) -> None:
    assert [(c.rule, c.sensor, c.value) for c in raised(tmp_path, "calm_day", (), seed, 130)] == []
