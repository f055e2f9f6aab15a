"""Rain that fell is somewhere: seeped, stored, drained, pumped, spilled or standing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.ground import Ground, LowPlace
from simulators.load import load
from simulators.run import Simulation
from simulators.runoff import Basins
from simulators.storm import Rain

MINUTE_MS = 60_000


CLOUDBURST = load("cloudburst")


def basins(seed: int = 1) -> Basins:
    water = CLOUDBURST.water
    assert water is not None
    shapes = [water.underpass, water.road, water.drain]
    places = [LowPlace(f"{seed}-{i}", "road", 120.0, 30.0, 0.5 + i, 0.6 + 0.1 * i, ()) for i in range(3)]
    return Basins(seed, places, shapes)


def rained(of: Basins, mm_h: float, minutes: int) -> None:
    for _ in range(minutes * 6):
        of.step(np.full(3, mm_h), 10.0)


@given(
    seed=st.integers(0, 1_000),
    hours=st.lists(st.tuples(st.floats(0, 400), st.integers(1, 12)), min_size=1, max_size=4),
    pumps=st.floats(0, 1),
)
def test_no_water_is_made_or_lost(seed: int, hours: list[tuple[float, int]], pumps: float) -> None:
    some = basins(seed)
    some.pumps_left[:] = pumps
    for mm_h, minutes in hours:
        rained(some, mm_h, minutes)
        assert np.all(np.abs(some.imbalance_m3()) <= 1e-9 * np.maximum(some.fallen, 1.0))
        for store in (
            some.first,
            some.second,
            some.pipe,
            some.pond,
            some.seeped,
            some.drained,
            some.pumped,
            some.spilled,
        ):
            assert np.all(store >= 0.0)


def test_what_falls_is_the_rain_on_the_catchment() -> None:
    some = basins()
    rained(some, 60.0, 30)
    assert some.fallen == pytest.approx(some.area_ha * 10_000 * 0.030)


def test_rain_within_what_the_drains_carry_leaves_the_road_dry() -> None:
    some = basins()
    rained(some, 5.0, 300)
    assert some.depth_cm().tolist() == [0.0, 0.0, 0.0]
    assert np.all(some.drain_percent() < 100.0)


def test_a_pond_rises_in_the_storm_and_is_gone_after_it() -> None:
    some = basins()
    some.pumps_left[:] = 0.0
    rained(some, 300.0, 60)
    peak = some.depth_cm()
    assert np.all(peak[:2] > 10.0)
    assert some.drain_percent()[0] > 100.0
    rained(some, 0.0, 30)
    assert np.all(some.depth_cm()[:2] < peak[:2])
    rained(some, 0.0, 600)
    assert np.all(some.depth_cm() < 0.1)


def test_pumps_keep_dry_what_drowns_without_them() -> None:
    with_pumps, without = basins(), basins()
    without.pumps_left[:] = 0.0
    rained(with_pumps, 100.0, 60)
    rained(without, 100.0, 60)
    assert with_pumps.depth_cm()[0] < 5.0 < 30.0 < without.depth_cm()[0]


def test_the_storm_is_heaviest_on_its_track_when_it_arrives() -> None:
    storm = CLOUDBURST.storm
    assert storm is not None
    rain = Rain(storm, 1, (0.0, 0.0))
    track = rain.tracks[0]
    x, y = track.centre(track.arrives_ms)
    here = [
        track.rate(track.arrives_ms + minutes * MINUTE_MS, np.array([x]), np.array([y]))[0] for minutes in (-40, 0, 40)
    ]
    beside = track.rate(track.arrives_ms, np.array([x + track.north_m_h]), np.array([y - track.east_m_h]))[0]
    assert here[1] == pytest.approx(track.peak_mm_h)
    assert here[0] < 0.3 * here[1]
    assert here[2] < 0.3 * here[1]
    assert beside < here[1]


def test_gauges_count_all_rain_in_whole_tips(ground: Ground) -> None:
    flood = Simulation(CLOUDBURST, ground, 1).world.flood
    assert flood is not None
    fallen, counted = np.zeros(2), np.zeros(2)
    for minute in range(60):
        for step in range(6):
            story = float(minute * MINUTE_MS + step * 10_000)
            fallen += flood.rain.rate(story, flood.gauge_x, flood.gauge_y) / 360.0
            flood.step(story, 10_000)
        tips = flood.tip(np.arange(2))
        assert np.all(np.abs(tips * 10 - np.round(tips * 10)) < 1e-9)
        counted += tips
    assert np.all((fallen - counted >= -1e-6) & (fallen - counted < 0.1 + 1e-6))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_cloudburst_floods_one_underpass_and_leaves_it_dry_again(seed: int, ground: Ground) -> None:
    world = Simulation(CLOUDBURST, ground, seed).world
    flood = world.flood
    assert flood is not None
    depths = []
    for minute in range(0, 181):
        world.advance(world.scenario.starts_ms + minute * MINUTE_MS)
        depths.append(flood.basins.depth_cm().copy())
    there = np.array(depths)[:, flood.target]
    other = np.array(depths)[:, 1 - (flood.target or 0)]
    peak = int(there.argmax())
    assert there[0] < 3.0
    assert 40.0 <= there[peak] <= 60.0
    assert 50 <= peak <= 70
    assert 25.0 < there[118] < 31.0
    assert there[140] < 1.0
    assert other.max() < 25.0
