"""Waste: bins fill with the day, collection points in the dropping hours, rounds empty both; a round that stays out.

A bin by the kerb takes waste all day, a collection point (one that is weighed) only in the hours of the city, except
for those who drop theirs when they like. Everything follows from the clock, so that any moment can be asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import pi, sin
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.part import Eyes, Floats, Glance, Ints, Mask, Part, Sights, Thing, Told, row
from simulators.scenario import Bins, LateDrops, MissedRounds, Scenario, draw
from simulators.streams import natures, stream

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
KINDS = ("waste.fill", "waste.weight", "waste.collected")
TRUTH_EVERY_MS = 10 * MINUTE_MS
HEAP_FROM, HEAP = 92.0, 25.0
KG_PER_PERCENT = 0.4


def use(hour: Floats) -> Floats:
    """Return the share of a day's waste that has come by an hour of the day (0..24): little at night, most by day."""
    wave = np.sin((hour - 3.0) * (2 * pi / 24.0)) - sin(-pi / 4)
    return np.asarray(hour / 24.0 - 0.6 / (2 * pi) * wave, dtype=np.float64)


def dropped(hour: Floats, hours: Sequence[tuple[float, float]]) -> Floats:
    """Return the share of a day's waste that has been dropped by an hour of the day, evenly within the hours."""
    whole = sum(high - low for low, high in hours)
    return np.asarray(sum(np.clip(hour - low, 0.0, high - low) for low, high in hours) / whole, dtype=np.float64)


class Rounds:
    """When places were last emptied. `rounds_at_hour` of the day, each place up to `lasts_ms` later than the first."""

    def __init__(self, rounds_at_hour: Sequence[float], lasts_ms: int, utc_offset_h: float) -> None:
        self._hours, self._lasts_ms = sorted(rounds_at_hour), lasts_ms
        self._offset_ms = round(utc_offset_h * HOUR_MS)
        self.missed: tuple[float, float] = (0.0, 0.0)
        """From and until when (ms) no round comes to the places of `skips`."""

    def last(self, nature: Floats, t_ms: Ints, skips: Mask | None = None) -> Floats:
        """Return when places were last emptied before or at `t_ms`, float64[n] in ms."""
        day = (t_ms + self._offset_ms) // DAY_MS * DAY_MS - self._offset_ms
        late = nature[:, 1] * self._lasts_ms
        days = 2 if skips is None else 2 + int((self.missed[1] - self.missed[0]) // DAY_MS) + 1
        emptied = np.full(len(t_ms), -np.inf)
        for back in range(days):
            for hour in self._hours:
                came = day - back * DAY_MS + hour * HOUR_MS + late
                comes = came <= t_ms
                if skips is not None:
                    comes &= ~(skips & (came >= self.missed[0]) & (came < self.missed[1]))
                emptied = np.where(comes, np.maximum(emptied, came), emptied)
        return emptied

    def first_after(self, nature: Floats, t_ms: Floats) -> Floats:
        """Return when the next round after `t_ms` is due, float64[n] in ms."""
        day = (t_ms + self._offset_ms) // DAY_MS * DAY_MS - self._offset_ms
        late = nature[:, 1] * self._lasts_ms
        due = [day + (after * 24.0 + hour) * HOUR_MS + late for after in (0, 1) for hour in self._hours]
        return np.asarray(np.min([np.where(at > t_ms + MINUTE_MS, at, np.inf) for at in due], axis=0))


def fill(bins: Bins, nature: Floats, t_ms: Ints, utc_offset_h: float, rounds: Rounds | None = None,
         skips: Mask | None = None) -> Floats:  # fmt: skip
    """Return how full bins are in %, float64[n]: since their last round, by the rhythm of the day."""
    rounds = rounds or Rounds(bins.rounds_at_hour, bins.round_lasts_ms, utc_offset_h)
    emptied = rounds.last(nature, t_ms, skips)
    per_day = bins.fills_per_day.low + nature[:, 0] * (bins.fills_per_day.high - bins.fills_per_day.low)
    left = bins.left_after.low + nature[:, 2] * (bins.left_after.high - bins.left_after.low)
    return left + per_day * (_total(t_ms, utc_offset_h) - _total(emptied, utc_offset_h))


def _total(t_ms: Ints | Floats, utc_offset_h: float) -> Floats:
    days = (np.asarray(t_ms, dtype=np.float64) + utc_offset_h * HOUR_MS) / DAY_MS
    whole = np.floor(days)
    return np.asarray(whole + use((days - whole) * 24.0), dtype=np.float64)


class Waste(Part):
    """All bins and collection points that a sensor looks into."""

    about = "waste"

    def __init__(self, scenario: Scenario, seed: int, eyes: Eyes) -> None:
        self._bins, self._starts_ms, self._offset_h = scenario.bins, scenario.starts_ms, scenario.utc_offset_h
        bins, missed, late = scenario.bins, scenario.missed_rounds, scenario.late_drops
        self._eyes = {kind: eyes[kind] for kind in KINDS if kind in eyes}
        weighed = {name for kind in KINDS[1:] if kind in eyes for name in eyes[kind].sensors}
        self._nature = {
            kind: natures(seed, [f"bin {name}" for name in eye.sensors]) for kind, eye in self._eyes.items()
        }
        self._number = {kind: {name: i for i, name in enumerate(eye.sensors)} for kind, eye in self._eyes.items()}
        self._point = {kind: np.array([n in weighed for n in eye.sensors]) for kind, eye in self._eyes.items()}
        self._rounds = Rounds(bins.rounds_at_hour, bins.round_lasts_ms, self._offset_h)
        self._point_rounds = Rounds(bins.points_at_hour, bins.round_lasts_ms, self._offset_h)
        self._skips: dict[str, Mask] = {}
        self._heap: tuple[float, float, str] | None = None
        if missed is not None:
            self._miss(missed, seed, eyes)
        self._late = _late_drops(late, seed, self._eyes, self._starts_ms) if late is not None else []
        self._story_ms = 0.0
        self.heaped = 0.0

    def _miss(self, missed: MissedRounds, seed: int, eyes: Eyes) -> None:
        """Pick a neighbourhood, best one that a camera looks at, where rounds do not come."""
        generator = stream(seed, "missed rounds")
        begins = self._starts_ms + draw(missed.begins_ms, generator)
        self._rounds.missed = self._point_rounds.missed = (begins, begins + draw(missed.lasts_ms, generator))
        radius = draw(missed.radius_m, generator)
        eye = next((eyes[k] for k in ("waste.collected", "waste.fill") if k in eyes), None)
        if eye is None:
            return
        number = int(float(generator.random()) * len(eye.x))
        x, y = float(eye.x[number]), float(eye.y[number])
        self._heap = (x, y, eye.site(number))
        self._skips = {kind: np.hypot(e.x - x, e.y - y) <= radius for kind, e in self._eyes.items()}

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Only the clock goes on."""
        self._story_ms = story_ms + dt_ms
        if self._heap is not None and self._story_ms % MINUTE_MS < dt_ms:
            kind = "waste.fill" if "waste.fill" in self._eyes else next(iter(self._eyes))
            fills = self.fills(kind)[self._skips[kind]]
            self.heaped = max(float(fills.max()) if len(fills) else 0.0, 0.0)

    def fills(self, kind: str) -> Floats:
        """Return how full every place of a kind is now, %."""
        eye = self._eyes[kind]
        position = np.arange(len(eye.x))
        t_ms = np.full(len(position), round(self._starts_ms + self._story_ms), dtype=np.int64)
        return self._fill(kind, position, t_ms)

    def _fill(self, kind: str, position: Ints, t_ms: Ints) -> Floats:
        nature, point = self._nature[kind][position], self._point[kind][position]
        kerb = fill(self._bins, nature, t_ms, self._offset_h, self._rounds, self._skip(kind, position))
        return np.where(point, 100.0 * self._weight(kind, position, t_ms) / self._capacity(nature), kerb)

    def _skip(self, kind: str, position: Ints) -> Mask | None:
        return self._skips[kind][position] if self._skips else None

    def _capacity(self, nature: Floats) -> Floats:
        span = self._bins.capacity_kg
        return np.asarray(span.low + (span.high - span.low) * nature[:, 4], dtype=np.float64)

    def _weight(self, kind: str, position: Ints, t_ms: Ints, before: Floats | None = None) -> Floats:
        """Return what lies at collection points, kg; `before`: emptied then, instead of at the last round."""
        nature, span = self._nature[kind][position], self._bins.kg_per_day
        emptied = self._point_rounds.last(nature, t_ms, self._skip(kind, position)) if before is None else before
        per_day = self._capacity(nature) * (span.low + (span.high - span.low) * nature[:, 0])
        kg = per_day * (self._dropped(t_ms) - self._dropped(emptied)) + 2.0 * nature[:, 2]
        for sensor, at_ms, extra in self._late:
            where = position == self._number[kind].get(sensor, -1)
            kg += np.where(where & (t_ms >= at_ms) & (emptied < at_ms), extra, 0.0)
        return np.asarray(kg, dtype=np.float64)

    def _dropped(self, t_ms: Ints | Floats) -> Floats:
        days = (np.asarray(t_ms, dtype=np.float64) + self._offset_h * HOUR_MS) / DAY_MS
        whole = np.floor(days)
        return np.asarray(whole + dropped((days - whole) * 24.0, self._bins.drops_at_hour), dtype=np.float64)

    def see(self, glance: Glance) -> None:
        """Add what lies there; a collection is told by who saw one in the last minute."""
        if glance.kind not in self._eyes:
            return
        if glance.kind == "waste.fill":
            glance.v = np.clip(glance.v + self._fill(glance.kind, glance.position, glance.t_ms), 0.0, 150.0)
        elif glance.kind == "waste.weight":
            glance.v = np.maximum(glance.v + self._weight(glance.kind, glance.position, glance.t_ms), 0.0)
        else:
            nature, skip = self._nature[glance.kind][glance.position], self._skip(glance.kind, glance.position)
            came = self._point_rounds.last(nature, glance.t_ms, skip)
            glance.reports = glance.reports & (glance.t_ms - came < MINUTE_MS)
            before = self._point_rounds.last(nature, (came - 1.0).astype(np.int64), skip)
            lay = self._weight(glance.kind, glance.position, came.astype(np.int64), before)
            glance.v = np.where(glance.reports, np.maximum(lay, 0.0), 0.0)

    def things(self) -> Sequence[Thing]:
        """Return the heap beside the fullest bins of the neighbourhood that is left out."""
        if self._heap is None or self.heaped <= HEAP_FROM:
            return ()
        return [Thing("video.waste_overflow", self._heap[0], self._heap[1], (self.heaped - HEAP_FROM) / HEAP)]

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return how full places are, every ten minutes, and what is dropped late."""
        rows = []
        for sensor, at_ms, kg in self._late:
            at = at_ms - self._starts_ms
            if at <= story_ms < at + MINUTE_MS:
                eye = self._eyes["waste.weight"]
                i = eye.sensors.index(sensor)
                at_point = row("waste.late_drop_kg", kg, sensor, float(eye.x[i]), float(eye.y[i]), frame)
                rows.append(at_point | {"sensor": sensor, "kind": "waste.weight"})
        if round(story_ms) % TRUTH_EVERY_MS:
            return rows
        rows += self._overdue(round(self._starts_ms + story_ms), frame)
        for kind, name in (("waste.fill", "bin.fill_percent"), ("waste.weight", "point.kg")):
            if kind in self._eyes:
                eye, position = self._eyes[kind], np.arange(len(self._eyes[kind].x))
                t_ms = np.full(len(position), round(self._starts_ms + story_ms), dtype=np.int64)
                values = (self._fill if kind == "waste.fill" else self._weight)(kind, position, t_ms)
                lon, lat = (np.round(degrees, 6).tolist() for degrees in frame.to_degrees(eye.x, eye.y))
                rows += [
                    {"truth": name, "v": v, "site": s, "lon": a, "lat": b, "sensor": s, "kind": kind}
                    for v, s, a, b in zip(np.round(values, 1).tolist(), eye.sensors, lon, lat, strict=True)
                ]
        return rows

    def _overdue(self, now_ms: int, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return for how many hours a round has been due that did not come to a collection point."""
        kind = "waste.collected"
        if kind not in self._skips:
            return []
        eye, nature, skips = self._eyes[kind], self._nature[kind], self._skips[kind]
        now = np.full(len(nature), now_ms, dtype=np.int64)
        came = self._point_rounds.last(nature, now, skips)
        due = self._point_rounds.first_after(nature, came)
        return [
            row("round.overdue_h", (now_ms - due[i]) / HOUR_MS, eye.sensors[i], float(eye.x[i]), float(eye.y[i]), frame)
            | {"sensor": eye.sensors[i], "kind": kind}
            for i in np.flatnonzero(skips & (due < now)).tolist()
        ]

    def sights(self) -> Sights | None:
        """Return the heap."""
        if self._heap is None:
            return None
        return Sights(np.array([self._heap[0]]), np.array([self._heap[1]]), np.array([max(self.heaped - 90.0, 0.0)]))

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return how full every bin is, %; the most is not remembered."""
        if "waste.fill" not in self._eyes:
            return None
        eye, now = self._eyes["waste.fill"], self.fills("waste.fill")
        return eye.x, eye.y, now, now

    def told(self) -> Iterable[Told]:
        """Tell of rounds that do not come and of those who drop when they like."""
        if self._heap is not None:
            begins, ends = (ms - self._starts_ms for ms in self._rounds.missed)
            hours = (ends - begins) / HOUR_MS
            zh = f"{self._heap[2]}一带{hours:.0f}小时无人清运，垃圾越堆越满。"
            yield Told(begins, zh, f"no round comes to the bins around {self._heap[2]} for {hours:.0f} h.")
        for sensor, at_ms, kg in self._late:
            zh = f"有人在规定时段外向{sensor}投放{kg:.0f}公斤垃圾。"
            yield Told(at_ms - self._starts_ms, zh, f"someone drops {kg:.0f} kg at {sensor} outside the hours.")


def _late_drops(late: LateDrops, seed: int, eyes: Eyes, starts_ms: int) -> list[tuple[str, float, float]]:
    """Draw who drops what and when: sensor, ms, kg."""
    if "waste.weight" not in eyes:
        return []
    generator = stream(seed, "late drops")
    chosen = generator.permutation(sorted(eyes["waste.weight"].sensors))[: late.points].tolist()
    drops = [
        (str(sensor), starts_ms + draw(late.begins_ms, generator), draw(late.kg, generator))
        for sensor in chosen
        for _ in range(late.times)
    ]
    return sorted(drops, key=lambda drop: drop[1])
