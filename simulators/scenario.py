"""A scenario: what happens in the city, as data. Every class is a section of the YAML file, its fields are the keys.

A span is one number, or `[low, high]` from which the seed draws. Times of the story count from `starts`, the
moment from which it is worth watching; the prelude lies before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from numpy.random import Generator

from simulators import reading_yaml as read

MINUTE_MS = 60_000
NO_PUMPS = NO_WARMTH = read.Span(0.0, 0.0)
USUAL_SHARE, USUAL_POINT_KG = read.Span(0.5, 0.85), read.Span(240.0, 480.0)
SCENES = ("lane_blocked", "waste_overflow", "dumping", "vendor", "spill", "parking", "smoke")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prelude:
    """What is played fast before the story: sensors report every `every`, but the kinds of `whole` as always."""

    lasts_ms: Annotated[int, read.duration()] = 0
    every_ms: Annotated[int, read.duration(at_least=MINUTE_MS)] = 15 * MINUTE_MS
    whole: Annotated[tuple[str, ...], read.listing(read.kind())] = ("rain.minute",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wind:
    """Wind over the roofs: a mean, a turning over hours and gusts."""

    speed_m_s: Annotated[read.Span, read.span(0.1, 40.0)]
    gust: Annotated[float, read.number(0.0, 1.0)] = 0.3
    from_deg: Annotated[read.Span, read.span(0.0, 360.0)]
    turns_deg: Annotated[float, read.number(0.0, 180.0)] = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """The everyday course of a kind: `mean` ± `spread` by sensor, a daily wave, a slow wander, noise.

    All parts are bounded (noise at three of its standard deviations), so that the whole is. `gain`: by how much an
    instrument may misjudge a unit, `placed`: what share it may miss where it hangs; `wander` is its drift.
    """

    every_ms: Annotated[int, read.duration(at_least=1_000)]
    mean: Annotated[float, read.number()]
    spread: Annotated[float, read.number(0.0)] = 0.0
    daily: Annotated[float, read.number(0.0)] = 0.0
    peak_hour: Annotated[float, read.number(0.0, 24.0)] = 14.0
    wander: Annotated[float, read.number(0.0)] = 0.0
    noise: Annotated[float, read.number(0.0)] = 0.0
    decimals: Annotated[int, read.whole(0, 4)] = 1
    low: Annotated[float, read.number()] = 0.0
    high: Annotated[float, read.number()]
    chance: Annotated[float, read.number(0.0, 1.0)] = 1.0
    gain: Annotated[float, read.number(0.0, 1.0)] = 0.0
    placed: Annotated[float, read.number(0.0, 1.0)] = 0.0
    unit: Annotated[str, read.text()] = ""
    model: Annotated[str, read.text()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Bins fill by the rhythm of the day and are emptied on rounds; collection points only in the dropping hours.

    kg_per_day: as a share of the point's capacity.
    """

    fills_per_day: Annotated[read.Span, read.span(0.0, 1000.0)]
    rounds_at_hour: Annotated[tuple[float, ...], read.listing(read.number(0.0, 24.0))]
    round_lasts_ms: Annotated[int, read.duration()]
    left_after: Annotated[read.Span, read.span(0.0, 100.0)]
    drops_at_hour: Annotated[tuple[tuple[float, float], ...], read.listing(read.pair(0.0, 24.0))] = (
        (6.5, 8.5),
        (18, 20.5),
    )
    points_at_hour: Annotated[tuple[float, ...], read.listing(read.number(0.0, 24.0))] = (7.0, 21.0)
    kg_per_day: Annotated[read.Span, read.span(0.0, 5.0)] = USUAL_SHARE
    capacity_kg: Annotated[read.Span, read.span(1.0, 10_000.0)] = USUAL_POINT_KG


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRounds:
    """A neighbourhood where nobody collects for a while."""

    begins_ms: Annotated[read.Span, read.span_of_durations()]
    lasts_ms: Annotated[read.Span, read.span_of_durations()]
    radius_m: Annotated[read.Span, read.span(10.0, 20_000.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LateDrops:
    """Household waste that comes outside the hours: to how many points, how often each, when and how much."""

    points: Annotated[int, read.whole(0, 1_000)]
    times: Annotated[int, read.whole(1, 100)] = 1
    begins_ms: Annotated[read.Span, read.span_of_durations()]
    kg: Annotated[read.Span, read.span(0.0, 1_000.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicles:
    """How far vehicles go on their rounds, and the hours of the night in which muck trucks work."""

    reach_m: Annotated[read.Span, read.span(10.0, 50_000.0)]
    trucks_from_hour: Annotated[float, read.number(0.0, 24.0)] = 22.0
    trucks_for_hours: Annotated[float, read.number(0.0, 24.0)] = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Misdeed:
    """What some muck trucks do on one of their trips."""

    what: Annotated[str, read.choice(("off_corridor", "dumping", "spill", "hours"))]
    count: Annotated[int, read.whole(1, 100)] = 1
    begins_ms: Annotated[read.Span, read.span_of_durations()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A storm cell: an elliptic heap of rain that crosses the city."""

    peak_mm_h: Annotated[read.Span, read.span(0.0, 400.0)]
    arrives_ms: Annotated[read.Span, read.span_of_durations()]
    speed_km_h: Annotated[read.Span, read.span(1.0, 120.0)]
    heading_deg: Annotated[read.Span, read.span(0.0, 360.0)]
    length_km: Annotated[read.Span, read.span(0.2, 60.0)]
    width_km: Annotated[read.Span, read.span(0.2, 60.0)]
    lifetime_ms: Annotated[read.Span, read.span_of_durations()]
    beside_m: Annotated[read.Span, read.span(-20_000.0, 20_000.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Steady rain over the region, and cells; the seed picks the underpass over which the cells pass."""

    steady_mm_h: Annotated[read.Span, read.span(0.0, 50.0)]
    begins_ms: Annotated[int, read.duration(signed=True)]
    ends_ms: Annotated[int, read.duration(signed=True)]
    ripple: Annotated[float, read.number(0.0, 1.0)] = 0.2
    cells: Annotated[tuple[Cell, ...], read.listing(read.section(Cell))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basin:
    """How a low place takes its water.

    Sizes are mm over the part of the catchment that runs off, so that a place of any size behaves alike: drain, pump
    in mm/h; pipe; what stands at 1 m (the flat approaches count).
    """

    concentration_ms: Annotated[read.Span, read.span_of_durations()]
    drain_mm_h: Annotated[read.Span, read.span(0.0, 500.0)]
    pipe_mm: Annotated[read.Span, read.span(0.01, 100.0)]
    pump_mm_h: Annotated[read.Span, read.span(0.0, 500.0)] = NO_PUMPS
    pump_from_cm: Annotated[float, read.number(0.0)] = 5.0
    storage_mm: Annotated[read.Span, read.span(0.01, 10_000.0)]
    shape: Annotated[read.Span, read.span(1.0, 6.0)]
    crest_cm: Annotated[read.Span, read.span(1.0, 500.0)]
    crest_m_ha: Annotated[read.Span, read.span(0.0, 100.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpFault:
    """Pumps of the underpass under the storm fail: from when to when, what share of them runs then and afterwards."""

    from_ms: Annotated[read.Span, read.span_of_durations()]
    until_ms: Annotated[read.Span, read.span_of_durations()]
    left: Annotated[float, read.number(0.0, 1.0)] = 0.0
    after: Annotated[float, read.number(0.0, 1.0)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Water:
    """Where rain goes: underpasses, low points of roads, and what drain gauges hang in."""

    underpass: Annotated[Basin, read.section(Basin)]
    road: Annotated[Basin, read.section(Basin)]
    drain: Annotated[Basin, read.section(Basin)]
    pump_fault: Annotated[PumpFault | None, read.section(PumpFault)] = None
    camera_reach_m: Annotated[float, read.number(1.0, 5_000.0)] = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Gas seeps out of a pipe: how it grows, where it gathers, how it is blown away, when it is mended."""

    begins_ms: Annotated[read.Span, read.span_of_durations()]
    rate_m3_h: Annotated[read.Span, read.span(0.01, 1_000.0)]
    grows_ms: Annotated[read.Span, read.span_of_durations()]
    soil_delay_ms: Annotated[read.Span, read.span_of_durations()]
    reach_m: Annotated[read.Span, read.span(1.0, 1_000.0)]
    found_share: Annotated[read.Span, read.span(0.0, 1.0)]
    wind_air_changes_h: Annotated[float, read.number(0.0, 100.0)] = 0.25
    pipe_flow_m3_h: Annotated[read.Span, read.span(1.0, 1_000_000.0)]
    pipe_loss_kpa_km: Annotated[read.Span, read.span(0.01, 1_000.0)]
    isolated_after_ms: Annotated[read.Span, read.span_of_durations()]
    mended_after_ms: Annotated[read.Span, read.span_of_durations()]
    wave_kpa: Annotated[float, read.number(0.0, 1_000.0)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeak:
    """A hose slips off in a kitchen or basement; how it is aired while the gas runs."""

    begins_ms: Annotated[read.Span, read.span_of_durations()]
    rate_m3_h: Annotated[read.Span, read.span(0.01, 1_000.0)]
    air_changes_h: Annotated[read.Span, read.span(0.01, 100.0)]
    shut_after_ms: Annotated[read.Span, read.span_of_durations()]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLeak:
    """A flange leaks in the open air, upwind of a sensor at first."""

    begins_ms: Annotated[read.Span, read.span_of_durations()]
    rate_m3_h: Annotated[read.Span, read.span(0.01, 10_000.0)]
    away_m: Annotated[read.Span, read.span(1.0, 1_000.0)]
    shut_after_ms: Annotated[read.Span, read.span_of_durations()]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulatorFault:
    """A regulator no longer closes: how far and how fast the pressure behind it rises."""

    begins_ms: Annotated[read.Span, read.span_of_durations()]
    rises_kpa: Annotated[read.Span, read.span(0.0, 1_000.0)]
    over_ms: Annotated[read.Span, read.span_of_durations()]
    mended_after_ms: Annotated[read.Span, read.span_of_durations()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A fire: where it starts, how it smoulders, burns and ends. draws_mpa: what engines take from nearby hydrants."""

    what: Annotated[str, read.choice(("room", "charging", "cable"))]
    begins_ms: Annotated[read.Span, read.span_of_durations()]
    smoulders_ms: Annotated[read.Span, read.span_of_durations()]
    smoulder_g_s: Annotated[read.Span, read.span(0.0, 10.0)]
    growth_kw_s2: Annotated[read.Span, read.span(0.0, 1.0)]
    peak_kw: Annotated[read.Span, read.span(0.0, 100_000.0)]
    burns_ms: Annotated[read.Span, read.span_of_durations()]
    room_m3: Annotated[read.Span, read.span(1.0, 100_000.0)]
    air_changes_h: Annotated[read.Span, read.span(0.1, 100.0)]
    warms_k: Annotated[read.Span, read.span(0.0, 500.0)] = NO_WARMTH
    draws_mpa: Annotated[read.Span, read.span(0.0, 2.0)] = NO_WARMTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """One worn circuit: when its joint fails, how fast leak and warmth double before, how far they come."""

    fails_ms: Annotated[read.Span, read.span_of_durations()]
    doubles_ms: Annotated[read.Span, read.span_of_durations()]
    leak_ma: Annotated[read.Span, read.span(0.0, 100_000.0)]
    warms_k: Annotated[read.Span, read.span(0.0, 500.0)]
    cut_after_ms: Annotated[read.Span, read.span_of_durations()]
    boards: Annotated[int, read.whole(1, 100)] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCut:
    """A district without electricity. holds: how long gateways live on; drains: what batteries lose in an hour."""

    begins_ms: Annotated[read.Span, read.span_of_durations()]
    lasts_ms: Annotated[read.Span, read.span_of_durations()]
    radius_m: Annotated[read.Span, read.span(10.0, 50_000.0)]
    holds_ms: Annotated[read.Span, read.span_of_durations()]
    drains_percent_h: Annotated[read.Span, read.span(0.0, 1_000.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Something that stands or happens in the street for a while, `away` from cameras of its kind, best in a zone."""

    what: Annotated[str, read.choice(SCENES)]
    count: Annotated[int, read.whole(1, 1_000)] = 1
    zone: Annotated[str, read.text()] = ""
    begins_ms: Annotated[read.Span, read.span_of_durations()]
    lasts_ms: Annotated[read.Span, read.span_of_durations()]
    away_m: Annotated[read.Span, read.span(0.0, 5_000.0)]
    size: Annotated[read.Span, read.span(0.0, 10.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Citizens who call about what they see: how many an hour where it is as bad as `half_at`, and what they say."""

    about: Annotated[str, read.choice(("water", "gas", "fire", "waste", "street"))]
    per_hour: Annotated[float, read.number(0.0, 10_000.0)]
    half_at: Annotated[float, read.number(0.0)]
    category: Annotated[str, read.text()]
    says: Annotated[tuple[str, ...], read.listing(read.text())]


FAULTS = {
    "drop_out": (),
    "drift": ("by",),
    "stuck": (),
    "noise": ("by",),
    "clock_skew": ("ahead_ms",),
    "duplicate": ("late_ms",),
    "disorder": ("late_ms",),
    "gateway_outage": ("lasts_ms",),
}
"""The faults, and what each cannot do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of the field: which sensors (by kind and share), when, and how bad."""

    fault: Annotated[str, read.choice(tuple(FAULTS))]
    kinds: Annotated[tuple[str, ...], read.listing(read.kind())] = ()
    share: Annotated[float, read.number(0.0, 1.0)] = 1.0
    chance: Annotated[float, read.number(0.0, 1.0)] = 1.0
    from_ms: Annotated[int | None, read.duration(signed=True)] = None
    lasts_ms: Annotated[int | None, read.duration()] = None
    by: Annotated[float, read.number()] = 0.0
    late_ms: Annotated[int, read.duration()] = 0
    ahead_ms: Annotated[int, read.duration(signed=True)] = 0
    back_fill: Annotated[bool, read.flag()] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario. `lasts` is the story; the stream itself has no end. `drill`: an exercise 演练, so its sensors
    are registered as such and its calls are reports of one."""

    name: Annotated[str, read.name()]
    title: Annotated[str, read.text()]
    starts_ms: Annotated[int, read.moment()]
    utc_offset_h: Annotated[float, read.number(-14.0, 14.0)] = 8.0
    lasts_ms: Annotated[int, read.duration(at_least=MINUTE_MS)]
    drill: Annotated[bool, read.flag()] = False
    prelude: Annotated[Prelude, read.section(Prelude)] = Prelude()
    wind: Annotated[Wind, read.section(Wind)]
    signals: Annotated[Mapping[str, Signal], read.table(read.kind(), read.section(Signal))]
    bins: Annotated[Bins, read.section(Bins)]
    vehicles: Annotated[Vehicles, read.section(Vehicles)]
    storm: Annotated[Storm | None, read.section(Storm)] = None
    water: Annotated[Water | None, read.section(Water)] = None
    leak: Annotated[Leak | None, read.section(Leak)] = None
    room_leak: Annotated[RoomLeak | None, read.section(RoomLeak)] = None
    open_leak: Annotated[OpenLeak | None, read.section(OpenLeak)] = None
    regulator: Annotated[RegulatorFault | None, read.section(RegulatorFault)] = None
    electric: Annotated[Wear | None, read.section(Wear)] = None
    fires: Annotated[tuple[Fire, ...], read.listing(read.section(Fire))] = ()
    power_cut: Annotated[PowerCut | None, read.section(PowerCut)] = None
    missed_rounds: Annotated[MissedRounds | None, read.section(MissedRounds)] = None
    late_drops: Annotated[LateDrops | None, read.section(LateDrops)] = None
    scenes: Annotated[tuple[Scene, ...], read.listing(read.section(Scene))] = ()
    misdeeds: Annotated[tuple[Misdeed, ...], read.listing(read.section(Misdeed))] = ()
    calls: Annotated[tuple[Calls, ...], read.listing(read.section(Calls))] = ()
    faults: Annotated[tuple[Fault, ...], read.listing(read.section(Fault))] = ()


def draw(span: read.Span, generator: Generator) -> float:
    """Draw one number of a span; a span of one number also takes one draw, so that the others stay where they are."""
    return span.low + (span.high - span.low) * float(generator.random())
