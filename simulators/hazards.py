"""What truly happened at the place of each sensor: hazards with a begin, an end and a severity.

They are made of the truth that a simulation publishes and of the table below, which says in physical terms from when
something is there at all and from when it is grave. No rule and no threshold of an alarm is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulators import faults
from simulators.part import Floats, Mask
from simulators.run import Simulation

MINUTE_MS = 60_000
DARK = "sensor.dark"


@dataclass(frozen=True, slots=True)
class Hazard:
    """What a hazard is, physically. Below `there` it is ordinary, from `grave` on for `lasts` nobody may miss it.

    of: the truth it is made of (`*`: all that begin so, but for the open air); how: the quantity itself (v), what is
    left of it, as a negative number (left), how far it is above the usual (rise), how fast that climbs or sinks, or
    what a rate an hour comes to (total), over so many minutes; joins: breaks of so many minutes do not end it;
    every: how often truth tells of it, in minutes.
    """

    of: str
    unit: str
    there: float
    grave: float
    lasts: int
    why: str
    how: str = "v"
    over: int = 0
    joins: int = 15
    every: int = 1


HAZARDS: Mapping[str, Hazard] = {
    "gas in a closed space": Hazard(
        "at.gas.methane*", "%LEL above the usual", 5, 25, 8,
        "from a quarter of the explosive limit people leave (GB/T 50493); instruments may be off by 5 %LEL (GB 15322)",
        how="rise", joins=30,
    ),
    "gas gathers quickly": Hazard(
        "at.gas.methane*", "%LEL a minute", 0.5, 2.5, 4,
        "the room would hold an explosive mixture within forty minutes", how="climb", over=5, joins=30,
    ),
    "gas in the open air": Hazard(
        "at.gas.methane_outdoor", "%LEL above the usual", 2, 20, 8,
        "at a fifth of the limit everyone must be able to smell it (GB 50028, odorisation)", how="rise", joins=60,
    ),
    "gas pressure falls": Hazard(
        "at.gas.pressure", "kPa in ten minutes", 8, 40, 3,
        "a fifth of the supply (200 kPa) within ten minutes: flames go out", how="sink", over=10,
    ),
    "gas pressure rises": Hazard(
        "at.gas.pressure", "kPa in ten minutes", 8, 40, 3,
        "a fifth of the supply within ten minutes: flames grow, or gas comes back to burners that went out",
        how="climb", over=10,
    ),
    "water on the road": Hazard(
        "at.water.level", "cm", 2, 5, 6, "a wet road under 2 cm; from 5 cm people wade and lanes are lost", joins=30
    ),
    "water rises quickly": Hazard(
        "at.water.level", "cm a minute", 0.5, 1.5, 5, "from dry to where engines stall (27 cm) in under twenty minutes",
        how="climb", over=4, joins=30,
    ),
    "water in view": Hazard("view.video.ponding", "of a close view", 0.02, 0.4, 15, "fills two fifths of a close view"),
    "drain full": Hazard(
        "at.drain.level", "% of its section", 80, 100, 10, "from 100 % it runs under pressure (GB 50014)", joins=30
    ),
    "sump not pumped": Hazard(
        "sump.unpumped_cm", "cm", 107, 150, 5, "pumps start at 105 cm; at 150 cm half of the sump is full", joins=10
    ),
    "violent rain": Hazard("rain.mm_h", "mm/h", 50, 80, 8, "violent from 50 mm/h, a cloudburst from 80", joins=10),
    "rain of 3 hours": Hazard(
        "rain.mm_h", "mm", 47, 53, 10, "a rainstorm is 50 mm (暴雨预警); a gauge may be off by 4 % (GB/T 21978)",
        how="total", over=180,
    ),
    "rain of 6 hours": Hazard("rain.mm_h", "mm", 47, 53, 10, "the same in 6 hours", how="total", over=360),
    "rain of 12 hours": Hazard("rain.mm_h", "mm", 47, 53, 10, "the same in 12 hours", how="total", over=720),
    "smoke": Hazard(
        "at.fire.smoke", "%/m above the usual", 1.1, 15, 3,
        "0.05 to 0.7 dB/m is where smoke detectors must answer (EN 54-7, GB 4715)", how="rise", joins=30,
    ),
    "heat": Hazard("at.fire.heat", "°C", 50, 65, 3, "heat detectors must answer by 65 °C (EN 54-5 A1)", joins=30),
    "heat rises": Hazard(
        "at.fire.heat", "K a minute", 1, 10, 2, "10 K a minute: class R detectors must answer (EN 54-5)",
        how="climb", over=2, joins=30,
    ),
    "hydrant pressure": Hazard(
        "at.fire.hydrant_pressure", "MPa left", -0.18, -0.10, 8,
        "a hydrant must keep 0.10 MPa while engines draw from it (GB 50974)", how="left",
    ),
    "insulation leaks": Hazard(
        "at.fire.residual_current", "mA", 220, 360, 10,
        "300 mA keep an arc alive that lights dust (IEC 60364-4-42); grey by a fifth, as loads sway", joins=120,
    ),
    "cable joint hot": Hazard(
        "at.fire.cable_temperature", "K above the usual", 20, 60, 10, "joints may warm by 70 K (GB/T 7251.1)",
        how="rise", joins=60,
    ),
    "battery cell hot": Hazard(
        "at.fire.charge_temperature", "K above the usual", 10, 50, 3, "from some 80 °C a cell decomposes by itself",
        how="rise", joins=60,
    ),
    "flames in view": Hazard("view.video.flame", "of a close view", 0.02, 0.4, 6, "fills two fifths of a close view"),
    "smoke in view": Hazard("view.video.smoke", "of a close view", 0.02, 0.4, 6, "fills two fifths of a close view"),
    "lane blocked": Hazard("view.video.lane_blocked", "of a close view", 0.02, 0.4, 15, "stands in the fire lane"),
    "stall": Hazard("view.video.vendor", "of a close view", 0.02, 0.4, 15, "stands where none may"),
    "car on the sidewalk": Hazard("view.video.parking", "of a close view", 0.02, 0.4, 20, "parks, not only stops"),
    "waste dumped": Hazard("view.video.dumping", "of a close view", 0.02, 0.4, 6, "as long as it takes", joins=5),
    "waste heaps": Hazard("view.video.waste_overflow", "of a close view", 0.02, 0.4, 20, "lies beside the bins"),
    "load on the road": Hazard("view.video.spill", "of a close view", 0.02, 0.4, 10, "lies on the road"),
    "bin full": Hazard("bin.fill_percent", "%", 80, 100, 30, "as much waste as its volume", every=10),
    "bin full for hours": Hazard(
        "bin.fill_percent", "%", 80, 100, 260, "exposed waste is cleared within 4 hours", every=10
    ),
    "drop outside the hours": Hazard(
        "waste.late_drop_kg", "kg", 1, 10, 1, "more than a household's bag; one night at one point is one", joins=180
    ),
    "round did not come": Hazard(
        "round.overdue_h", "h", 0.1, 3, 60, "due three hours ago", every=10, joins=20
    ),
    "truck off its roads": Hazard(
        "load.off_road_m", "m", 100, 150, 3, "a loaded truck further from every permitted road than a crossing is wide",
        joins=20,
    ),
    "truck by day": Hazard("truck.by_day", "", 1, 1, 5, "a loaded truck drives outside the hours for trucks", joins=30),
    "truck tips": Hazard("street.dumping", "", 1, 1, 2, "a load is tipped where that is forbidden"),
    "sensor without power": Hazard(DARK, "", 1, 1, 90, "ninety reports are missing", joins=5),
    "gas sensor without power": Hazard(DARK, "", 1, 1, 60, "an hour in which gas would gather unseen", joins=5),
    "sensor stuck": Hazard("stuck", "", 1, 1, 240, "says the same for four hours, whatever happens", joins=600),
    "battery empty": Hazard(
        "at.device.battery", "% left", -25, -10, 10, "under 10 % a radio browns out", how="left", joins=600
    ),
}  # fmt: skip
"""All hazards, each with what makes it one. The span from `there` to `grave` is grey: an alert may come or not."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A hazard at the place of a sensor, ms: `grave` if it was so for as long as the table asks.

    What had begun before the first minute is never grave: nobody can tell when it began.
    """

    hazard: str
    sensor: str
    kind: str
    begins: int
    ends: int
    peak: float
    grave: bool


def happened(simulation: Simulation) -> list[Happened]:
    """Let the city of a simulation live to the end of its story, without readings, and return what happened."""
    world, scenario = simulation.world, simulation.scenario
    until, first = scenario.starts_ms + scenario.lasts_ms, world.now_ms
    chronicle = Chronicle(first, until)
    chronicle.stuck(faults.truth(simulation.faults, simulation.network))
    while world.now_ms + MINUTE_MS <= until:
        world.advance(world.now_ms + MINUTE_MS)
        chronicle.note(world.now_ms, world.truth())
    return list(chronicle.hazards())


class Chronicle:
    """The truth minute by minute, by (truth, sensor, kind) as float64[minutes]."""

    def __init__(self, first_ms: int, until_ms: int) -> None:
        self._first_ms, self._minutes = first_ms, (until_ms - first_ms) // MINUTE_MS + 1
        self._seen: dict[tuple[str, str, str], tuple[Floats, Floats]] = {}
        self._usual: dict[tuple[str, str, str], Floats] = {}

    def note(self, t_ms: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take down what is so at the end of a minute."""
        minute = (t_ms - self._first_ms) // MINUTE_MS
        for row in rows:
            if "sensor" in row:
                values, usual = self._of((row["truth"], row["sensor"], row["kind"]))
                values[minute], usual[minute] = row["v"], row.get("usual", 0.0)

    def stuck(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take down which sensors are stuck from when to when, and which are cut off with their gateway."""
        names = {"stuck": "stuck", "gateway_outage": DARK}
        for row in rows:
            if row.get("fault") in names:
                values, _ = self._of((names[row["fault"]], row["sensor"], row["kind"]))
                begin = max((row["from"] or 0) - self._first_ms, 0) // MINUTE_MS
                end = self._minutes if row["until"] is None else (row["until"] - self._first_ms) // MINUTE_MS
                values[begin : max(end, 0)] = 1.0

    def _of(self, key: tuple[str, str, str]) -> tuple[Floats, Floats]:
        if key not in self._seen:
            self._seen[key] = np.full(self._minutes, np.nan), np.zeros(self._minutes)
        return self._seen[key]

    def hazards(self) -> Iterator[Happened]:
        """Yield every hazard, by the order of the table, sensor and time."""
        for name, hazard in HAZARDS.items():
            for (truth, sensor, kind), (values, usual) in sorted(self._seen.items(), key=lambda item: item[0]):
                if truth == hazard.of or (hazard.of.endswith("*") and truth.startswith(hazard.of[:-1])
                                          and truth != "at.gas.methane_outdoor"):  # fmt: skip
                    yield from self._runs(name, hazard, sensor, kind, severity(hazard, values, usual))

    def _runs(self, name: str, hazard: Hazard, sensor: str, kind: str, much: Floats) -> Iterator[Happened]:
        there = np.flatnonzero(much >= hazard.there)
        if not len(there):
            return
        works = self._works(sensor, kind) if hazard.of != DARK else np.ones(self._minutes, dtype=np.bool_)
        for run in np.split(there, np.flatnonzero(np.diff(there) > hazard.joins + hazard.every) + 1):
            begin, end = int(run[0]), int(run[-1])
            minutes = int(((much[begin : end + 1] >= hazard.grave) & works[begin : end + 1]).sum())
            begins, ends = (self._first_ms + minute * MINUTE_MS for minute in (begin, end))
            peak = float(much[begin : end + 1].max())
            yield Happened(name, sensor, kind, begins, ends, peak, minutes >= hazard.lasts and begin > hazard.every)

    def _works(self, sensor: str, kind: str) -> Mask:
        dark = self._seen.get((DARK, sensor, kind))
        return np.ones(self._minutes, dtype=np.bool_) if dark is None else ~(dark[0] > 0.0)


def severity(hazard: Hazard, values: Floats, usual: Floats) -> Floats:
    """Return how bad it is in the table's unit, float64[minutes]; `values` nan where nothing is."""
    if hazard.every > 1:
        values = _held(values, hazard.every)
    rise = np.where(np.isnan(values), 0.0, values - usual)
    if hazard.how in ("climb", "sink"):
        before = np.concatenate([np.zeros(hazard.over), rise[: -hazard.over]])
        change = (rise - before) if hazard.how == "climb" else (before - rise)
        return change if hazard.unit.endswith("in ten minutes") else change / hazard.over
    if hazard.how == "total":
        fallen = np.cumsum(np.nan_to_num(values) / 60.0)
        return np.asarray(fallen - np.concatenate([np.zeros(hazard.over), fallen])[: len(fallen)])
    if hazard.how == "left":
        return np.nan_to_num(-values, nan=-1e9)
    return rise if hazard.how == "rise" else np.nan_to_num(values, nan=-1e9)


def _held(values: Floats, every: int) -> Floats:
    """Return the last value told within `every` minutes."""
    out = values.copy()
    for back in range(1, every):
        earlier = np.concatenate([np.full(back, np.nan), values[:-back]])
        out = np.where(np.isnan(out), earlier, out)
    return out
