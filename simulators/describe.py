"""A scenario's story as a timeline: what physically happens, without readings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from simulators.explain import events, nothing
from simulators.run import Simulation

MINUTE_MS = 60_000
EVERY_MS = 5 * MINUTE_MS
HOUR_MINUTES = 60


def describe(simulation: Simulation, lasts_ms: int, *, english: bool = False) -> Iterator[str]:
    """Yield lines: a heading, what happens and when, then figures of a storm, else of leaks, every five minutes.

    Moves the simulation's world on.
    """
    world, scenario = simulation.world, simulation.scenario
    yield f"{scenario.title} ({scenario.name}), seed {simulation.seed}, {len(simulation.network)} sensors' rows"
    yield from list(events(simulation, lasts_ms, english=english)) or [nothing(english=english)]
    if world.flood is not None and world.flood.target is not None and world.flood.rain.tracks:
        track = world.flood.rain.tracks[0]
        heading = np.degrees(np.arctan2(track.east_m_h, track.north_m_h)) % 360
        speed = np.hypot(track.east_m_h, track.north_m_h) / 1000
        yield f"storm to {heading:.0f}°, {speed:.0f} km/h, over {_target(simulation)}"
    if world.flood is not None:
        yield from _flood(simulation, lasts_ms)
    elif world.gas is not None:
        yield from _leak(simulation, lasts_ms)


def _target(simulation: Simulation) -> str:
    flood = simulation.world.flood
    return "" if flood is None or flood.target is None else flood.basins.names[flood.target]


def _clock(simulation: Simulation) -> str:
    zone = timedelta(hours=simulation.scenario.utc_offset_h)
    when = datetime.fromtimestamp(simulation.world.now_ms / 1000, UTC) + zone
    return f"{when:%H:%M} {simulation.world.story_ms / MINUTE_MS:+5.0f} min"


def _flood(simulation: Simulation, lasts_ms: int) -> Iterator[str]:
    world = simulation.world
    flood = world.flood
    assert flood is not None
    minutes: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
    end = simulation.scenario.starts_ms + lasts_ms
    yield "when            rain at the gauges, mm: minute, 1 h, 3 h, 6 h, 12 h    there   deepest elsewhere"
    while world.now_ms < end:
        world.advance(world.now_ms + MINUTE_MS)
        minutes.append(flood.tip(np.arange(len(flood.gauge_x))))
        if world.story_ms < 0 or world.now_ms % EVERY_MS:
            continue
        sums = [_most(minutes, n * HOUR_MINUTES) for n in (1, 3, 6, 12)]
        depth = flood.basins.depth_cm()
        there = 0.0 if flood.target is None else float(depth[flood.target])
        others = np.delete(depth, [] if flood.target is None else flood.target)
        worst = int(np.argmax(others)) if len(others) else 0
        names = np.delete(np.array(flood.basins.names), [] if flood.target is None else flood.target)
        elsewhere = f"{others[worst]:5.1f} cm {names[worst]}" if len(others) and others[worst] > 0.1 else "dry"
        figures = "  ".join(f"{value:5.1f}" for value in [_most(minutes, 1), *sums])
        yield f"{_clock(simulation)}   {figures}    {there:5.1f} cm   {elsewhere}"


def _most(minutes: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]], last: int) -> float:
    total = np.sum(minutes[-last:], axis=0)
    return float(total.max()) if len(total) else 0.0


def _leak(simulation: Simulation, lasts_ms: int) -> Iterator[str]:
    world = simulation.world
    yield "when            leak m³/h   through the soil   most methane %LEL   lowest pressure kPa"
    while world.now_ms < simulation.scenario.starts_ms + lasts_ms:
        world.advance(world.now_ms + EVERY_MS)
        if world.story_ms < 0 or world.gas is None:
            continue
        rows = world.rows("gas.pressure")
        times = np.full(len(rows), world.now_ms, dtype=np.int64)
        still = np.zeros(len(rows))
        pressure = world.measure("gas.pressure", rows, times, still, still).v
        lowest = f"{pressure.min():.1f}" if len(pressure) else "-"
        rate, soil = world.gas.rate_m3_h(world.story_ms), world.gas.soil_m3_h
        methane = world.gas.methane_lel().max()
        yield f"{_clock(simulation)}   {rate:8.1f}   {soil:8.1f}           {methane:6.1f}       {lowest}"
