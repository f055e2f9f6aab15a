"""Fires, worn cables, bins, cameras, power and pumps behave as such things do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geo.city import load as load_city
from simulators import cameras
from simulators.electric import Electric
from simulators.fire import Fires
from simulators.ground import Ground, ground_of
from simulators.load import load
from simulators.part import Eye
from simulators.power import Power
from simulators.pumps import Pumps
from simulators.routes import Ways
from simulators.run import Simulation
from simulators.waste import Rounds, dropped

MINUTE_MS = 60_000
ROOM = Eye(("room", "next"), np.array([0.0, 9.0]), np.zeros(2))


def burned(minutes: int) -> list[tuple[float, float, float]]:
    """Return smoke (% a metre), the layer's warmth (K) and heat (kW) of the kitchen fire, minute by minute."""
    fires = Fires(load("kitchen_fire").fires[:1], 3, {"fire.heat": ROOM, "fire.smoke": ROOM}, {})
    rows = []
    for step in range(minutes * 6):
        fires.step(step * 10_000.0, 10_000)
        rows.append((fires.burning[0].obscuration(), fires.burning[0].layer_k, fires.burning[0].heat_kw))
    return rows[5::6]


def test_a_fire_smokes_before_it_heats_and_is_aired_when_it_is_out() -> None:
    rows = burned(110)
    smoke, warm = (next(i for i, row in enumerate(rows) if row[k] > line) for k, line in ((0, 3.0), (1, 30.0)))
    assert smoke < warm
    assert max(row[2] for row in rows) > 800.0
    assert rows[-1][0] < 1.0 < 50.0 < max(row[0] for row in rows)
    assert rows[-1][1] < 1.0


def test_leak_and_warmth_grow_from_day_to_day_and_end_with_the_cut() -> None:
    wear = load("electrical_fire").electric
    assert wear is not None
    eyes = {"fire.residual_current": ROOM, "fire.cable_temperature": ROOM}
    circuit = Electric(wear, 1, eyes, 0, 8.0)
    most = []
    for day in range(-3, 0):
        for minute in range(0, 1440, 10):
            circuit.step(day * 86_400_000.0 + minute * MINUTE_MS, 10_000)
            most.append(circuit.worst_ma)
    assert most[143] < most[287] < most[-1]
    circuit.step(circuit.cut_ms + 1.0, 10_000)
    now = circuit.dangers()
    assert now is not None
    assert now[2].max() == 0.0


def test_a_collection_point_takes_waste_in_the_dropping_hours_only() -> None:
    share = dropped(np.array([0.0, 6.5, 7.5, 8.5, 12.0, 18.0, 20.5, 24.0]), [(6.5, 8.5), (18.0, 20.5)])
    assert share.tolist() == pytest.approx([0.0, 0.0, 1 / 4.5, 2 / 4.5, 2 / 4.5, 2 / 4.5, 1.0, 1.0])


def test_a_round_that_does_not_come_leaves_what_lies() -> None:
    rounds = Rounds([7.0, 21.0], 0, 0.0)
    nature, at = np.zeros((1, 8)), np.array([20 * 3_600_000 + 5 * 86_400_000])
    assert rounds.last(nature, at).tolist() == [5 * 86_400_000 + 7 * 3_600_000]
    rounds.missed = (5 * 86_400_000.0, 6 * 86_400_000.0)
    assert rounds.last(nature, at, np.array([True])).tolist() == [4 * 86_400_000 + 21 * 3_600_000]


@pytest.mark.parametrize("kind", ["video.vendor", "video.flame"])
def test_a_camera_is_surer_of_what_is_near_and_in_light(kind: str) -> None:
    zero = np.zeros(3)
    near = cameras.confidence(kind, np.array([1.0, 0.5, 0.1]), 1.0, zero, zero, zero)
    assert near[0] > 0.85 > near[1] > near[2]
    rain = cameras.confidence(kind, np.ones(3), 1.0, np.array([0.0, 30.0, 120.0]), zero, zero)
    assert rain[0] > rain[1] > rain[2]
    dark = cameras.confidence(kind, np.ones(3), 0.0, zero, zero, zero)[0]
    assert (dark > near[0]) == (kind == "video.flame")


def test_day_and_night_follow_the_city_s_clock() -> None:
    noon, midnight = 4 * 3_600_000, 16 * 3_600_000
    assert (cameras.daylight(noon, 8.0), cameras.daylight(midnight, 8.0)) == (1.0, 0.0)


def test_a_place_along_a_way_is_on_it() -> None:
    ways = Ways([np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 50.0]])])
    x, y = ways.at(np.zeros(4, dtype=np.int64), np.array([-5.0, 30.0, 120.0, 999.0]))
    assert list(zip(x.round(6).tolist(), y.round(6).tolist(), strict=True)) == [(0, 0), (30, 0), (100, 20), (100, 50)]


def test_a_sump_fills_without_electricity_and_is_emptied_with_it(ground: Ground) -> None:
    sumps = Eye(("pu-1",), np.zeros(1), np.zeros(1))
    working = Pumps(1, ground, sumps, None, lambda x, _: np.ones(len(x), dtype=np.bool_))
    dead = Pumps(1, ground, sumps, None, lambda x, _: np.zeros(len(x), dtype=np.bool_))
    most = 0.0
    for step in range(12 * 360):
        working.step(step * 10_000.0, 10_000)
        dead.step(step * 10_000.0, 10_000)
        most = max(most, float(working.sump_cm[0]))
    assert most < 110.0 < float(dead.sump_cm[0])


def test_in_a_power_cut_what_hangs_on_a_gateway_falls_silent_and_comes_back() -> None:
    scenario = load("power_cut")
    assert scenario.power_cut is not None
    cut = Power(scenario.power_cut, 1, {"drain.pump": ROOM}, {"drain.pump": np.array([True, True])})
    assert [cut.out(t) for t in (cut.begins_ms - 1, cut.begins_ms, cut.ends_ms)] == [False, True, False]
    assert cut.within(np.array([cut.x, cut.x + 9_000.0]), np.array([cut.y, cut.y])).tolist() == [True, False]


def test_muck_trucks_keep_to_permitted_roads_but_for_those_who_do_not() -> None:
    scenario = load("muck_truck_night")
    kinds = {kind: signal for kind, signal in scenario.signals.items() if kind == "vehicle.position"}
    ground = ground_of(load_city())
    world = Simulation(replace(scenario, signals=kinds), ground, 2).world
    off: set[str] = set()
    for minute in range(0, 480, 4):
        world.advance(scenario.starts_ms + minute * MINUTE_MS)
        rows = [row for row in world.truth() if row["truth"] == "truck.off_road_m" and row["loaded"]]
        off |= {row["site"] for row in rows if row["v"] > 250.0}
    traffic = next(part for part in world.parts if part.about == "muck")
    guilty = {one.en.split(" ")[0] for one in traffic.told()}
    assert off
    assert off <= guilty
