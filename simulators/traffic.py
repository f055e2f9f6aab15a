"""Vehicles: sweepers and patrols on their rounds, muck trucks between building sites and where they may tip.

A muck truck works by night: it loads, drives over the permitted roads, tips, comes back. Misdeeds take the place of
one trip: over other roads, to a place where nobody may tip, with a load that spills, or by day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from geo.roads import NoWay, RoadGraph
from simulators.ground import Ground
from simulators.part import Eye, Eyes, Floats, Glance, Ints, Mask, Part, Thing, Told, row
from simulators.routes import Line, Walks, Ways, figure, metres
from simulators.scenario import Misdeed, Scenario, draw
from simulators.streams import stream

MOVING = "vehicle.position"
HOUR_MS, DAY_MS, MINUTE_MS = 3_600_000, 86_400_000, 60_000
LOADS_MS, TIPS_MS = 16 * MINUTE_MS, 6 * MINUTE_MS
SWAY_MS = 240_000.0
GPS_M = 4.0
SPOT_EVERY_M = 20.0
SPILL_STAYS_MS, SPILL_SIZE, TIP_SIZE = 25 * MINUTE_MS, 0.9, 1.6
WORDS = {
    "off_corridor": ("绕行未准许道路", "leaves the permitted roads"),
    "dumping": ("在禁倒区偷倒渣土", "tips its load where that is forbidden"),
    "spill": ("沿路遗撒渣土", "spills its load along the road"),
    "hours": ("在禁行时段上路", "is on the road outside the permitted hours"),
}


def sort_of(site: str) -> str:
    """Return what sort of vehicle is called so: muck, patrol or sanitation."""
    if site.startswith("渣土"):
        return "muck"
    return "patrol" if "巡" in site else "sanitation"


def plate_of(sensor: str, seed: int) -> str:
    """Return a made-up number plate."""
    generator = stream(seed, f"plate|{sensor}")
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return f"浙D{letters[int(generator.integers(24))]}{int(generator.integers(10_000)):04d}"


@dataclass(slots=True)
class Trip:
    """One misdeed: truck, way, when it leaves the building site, how it goes.

    drives: ms one way; waits: until when the truck then stands at its building site.
    """

    what: str
    truck: int
    way: int
    starts_ms: float
    ends_ms: float
    waits_ms: float
    drives_ms: float
    tips_ms: float
    site: str
    spill: tuple[float, float] | None = None


class Traffic(Part):
    """All vehicles of the network, by position within their kind."""

    about = "muck"

    def __init__(self, scenario: Scenario, seed: int, ground: Ground, eyes: Eyes) -> None:
        self._eye = eyes.get(MOVING, Eye((), np.zeros(0), np.zeros(0)))
        self._scenario, self._ground, self._seed = scenario, ground, seed
        self._starts_ms, self._offset_ms = scenario.starts_ms, round(scenario.utc_offset_h * HOUR_MS)
        self.sort = np.array([sort_of(site) for site in self._eye.sites], dtype=object)
        nature = np.array([stream(seed, f"vehicle {name}").random(6) for name in self._eye.sensors]).reshape(-1, 6)
        self._phase = nature[:, 0]
        muck = self.sort == "muck" if len(ground.works) and len(ground.disposals) and ground.roads else None
        self.trucks: Mask = np.zeros(len(nature), dtype=np.bool_) if muck is None else np.asarray(muck, dtype=np.bool_)
        self._km_h = np.where(self.trucks, 26.0 + 12.0 * nature[:, 1], 9.0 + 14.0 * nature[:, 1])
        lines, self._load_at = self._ways()
        self.trips: list[Trip] = []
        self._misbehave(scenario.misdeeds, eyes, lines)
        self.ways = Ways(lines)
        self._length = self.ways.length_m[: len(nature)]
        self._story_ms = 0.0

    # ---- ways

    def _ways(self) -> tuple[list[Line], list[str]]:
        """Draw the usual way of every vehicle."""
        ground, frame = self._ground, self._ground.frame
        walks = Walks(ground.roads, frame) if ground.roads is not None else None
        self._known: dict[tuple[int, int], Line] = {}
        lines: list[Line] = []
        names: list[str] = []
        reach = self._scenario.vehicles.reach_m
        for i, name in enumerate(self._eye.sensors):
            generator = stream(self._seed, f"way {name}")
            if self.trucks[i]:
                works = int(generator.integers(len(ground.works)))
                disposal = int(generator.integers(len(ground.disposals)))
                lines.append(self._haul(works, disposal))
                names.append(ground.works[works].name)
            else:
                wanted = draw(reach, generator)
                lines.append(walks.walk(generator, wanted) if walks is not None else figure(generator, wanted))
                names.append("")
        return lines, names

    def _haul(self, works: int, disposal: int) -> Line:
        if (works, disposal) not in self._known:
            ground = self._ground
            a, b = ground.works[works], ground.disposals[disposal]
            self._known[works, disposal] = self._route([(a.lon, a.lat), (b.lon, b.lat)], permitted=True)
        return self._known[works, disposal]

    def _route(self, places: Sequence[tuple[float, float]], *, permitted: bool) -> Line:
        """Return the way from place to place, beginning and ending off the road at the places themselves."""
        roads, frame = self._ground.roads, self._ground.frame
        assert roads is not None
        pieces = [metres(frame, [places[0]])]
        for here, there in pairwise(places):
            pieces.append(metres(frame, _way(roads, here, there, permitted=permitted)))
        return np.concatenate([*pieces, metres(frame, [places[-1]])])

    # ---- misdeeds

    def _misbehave(self, misdeeds: Sequence[Misdeed], eyes: Eyes, lines: list[Line]) -> None:
        """Draw who does what and when; add the ways that it takes."""
        busy: set[int] = set()
        for number, misdeed in enumerate(misdeeds):
            generator = stream(self._seed, f"misdeed{number}|{misdeed.what}")
            chosen = generator.permutation(np.flatnonzero(self.trucks)).tolist()
            free = [truck for truck in chosen if truck not in busy][: misdeed.count]
            for truck in free:
                busy.add(truck)
                wanted = self._starts_ms + draw(misdeed.begins_ms, generator)
                self.trips.append(self._trip(misdeed.what, truck, wanted, generator, eyes, lines))

    def _trip(
        self, what: str, truck: int, wanted_ms: float, generator: np.random.Generator, eyes: Eyes, lines: list[Line]
    ) -> Trip:
        usual = lines[truck]
        line, site = usual, self._load_at[truck]
        if what == "off_corridor":
            line = self._detour(usual, generator)
        elif what == "dumping":
            line, site = self._dump(usual, generator, eyes)
        lines.append(line)
        length = float(np.hypot(*np.diff(line, axis=0).T).sum())
        drives = length / (self._km_h[truck] / 3.6) * 1_000.0
        starts = wanted_ms if what == "hours" else self._next_start(truck, wanted_ms, usual)
        ends = starts + LOADS_MS + 2 * drives + TIPS_MS
        waits = self._next_start(truck, ends, usual)
        trip = Trip(what, truck, len(lines) - 1, starts, ends, waits, drives, starts + LOADS_MS + drives, site)
        if what == "spill":
            trip.spill = self._spot(line, generator, eyes)
        return trip

    def _detour(self, usual: Line, generator: np.random.Generator) -> Line:
        """Return a way between the same places by way of a crossing that no permitted road touches."""
        roads, frame = self._ground.roads, self._ground.frame
        assert roads is not None
        corridor = {node for edge in roads.edges if edge.muck for node in (edge.start, edge.end)}
        free = np.array([i for i in range(len(roads.nodes)) if i not in corridor], dtype=np.int64)
        if not len(free):
            return usual
        x, y = metres(frame, roads.nodes[free]).T
        middle = usual[len(usual) // 3]
        near = free[np.argsort(np.abs(np.hypot(x - middle[0], y - middle[1]) - 900.0))[:12]]
        by = roads.nodes[int(near[int(generator.integers(len(near)))])]
        ends = [frame.to_degrees(*usual[0]), frame.to_degrees(*usual[-1])]
        places = [(float(ends[0][0]), float(ends[0][1])), (float(by[0]), float(by[1])),
                  (float(ends[1][0]), float(ends[1][1]))]  # fmt: skip
        return self._route(places, permitted=False)

    def _dump(self, usual: Line, generator: np.random.Generator, eyes: Eyes) -> tuple[Line, str]:
        """Return a way to a place where nobody may tip, best one that a camera looks at."""
        frame, eye = self._ground.frame, eyes.get("video.dumping")
        start = frame.to_degrees(*usual[0])
        if eye is None or not len(eye.x):
            return usual, ""
        lon, lat = frame.to_degrees(eye.x, eye.y)
        inside = np.flatnonzero(self._ground.inside("no_dumping", lon, lat))
        choice = inside if len(inside) else np.arange(len(eye.x))
        away = np.hypot(eye.x[choice] - usual[0][0], eye.y[choice] - usual[0][1])
        near = choice[np.argsort(away)[:6]]
        camera = int(near[int(generator.integers(len(near)))])
        place = frame.to_degrees(eye.x[camera] + 12.0, eye.y[camera] + 8.0)
        way = self._route([(float(start[0]), float(start[1])), (float(place[0]), float(place[1]))], permitted=False)
        return way, eye.site(camera)

    def _spot(self, line: Line, generator: np.random.Generator, eyes: Eyes) -> tuple[float, float]:
        """Return where on a way the load falls, best before a camera."""
        eye = eyes.get("video.spill")
        middle = line[int((0.3 + 0.4 * float(generator.random())) * (len(line) - 1))]
        if eye is None or not len(eye.x):
            return float(middle[0]), float(middle[1])
        lengths = np.hypot(*np.diff(line, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(lengths)])
        every = np.arange(0.1 * along[-1], 0.9 * along[-1], SPOT_EVERY_M)
        line = np.stack([np.interp(every, along, axis) for axis in line.T], axis=1)
        squared = (eye.x[:, None] - line[:, 0]) ** 2 + (eye.y[:, None] - line[:, 1]) ** 2
        spot = line[int(np.unravel_index(int(np.argmin(squared)), squared.shape)[1])]
        return float(spot[0]), float(spot[1])

    # ---- where they are

    def _shift(self, t_ms: Floats) -> Floats:
        """Return how long the present or last night's work has been going on, ms since its first minute."""
        begins = self._scenario.vehicles.trucks_from_hour * HOUR_MS
        return np.asarray((t_ms + self._offset_ms - begins) % DAY_MS, dtype=np.float64)

    def _cycle(self, truck: Ints) -> Floats:
        return LOADS_MS + TIPS_MS + 2.0 * self._length[truck] / (self._km_h[truck] / 3.6) * 1_000.0

    def _next_start(self, truck: int, wanted_ms: float, usual: Line) -> float:
        """Return when the truck is back at its building site next."""
        length = float(np.hypot(*np.diff(usual, axis=0).T).sum())
        cycle = LOADS_MS + TIPS_MS + 2.0 * length / (self._km_h[truck] / 3.6) * 1_000.0
        since = float(self._shift(np.array([wanted_ms]))[0]) - self._phase[truck] * HOUR_MS
        return float(wanted_ms + (-since) % cycle if since >= 0.0 else wanted_ms - since)

    def _drive(self, position: Ints, t_ms: Ints) -> tuple[Ints, Floats, Floats, Mask, Mask]:
        """Return way, metres along it, speed in km/h, loaded and lifted of vehicles at their moments."""
        way, km_h, t = position.copy(), self._km_h[position], t_ms.astype(np.float64)
        length = self._length[position]
        sway = 0.6 * SWAY_MS / (2 * np.pi) * np.sin(2 * np.pi * (t % SWAY_MS) / SWAY_MS + 6.28 * self._phase[position])
        along = (self._phase[position] * length + km_h / 3_600.0 * ((t % (7 * DAY_MS)) + sway)) % np.maximum(
            length, 1.0
        )
        pace = km_h * (1.0 + 0.6 * np.cos(2 * np.pi * (t % SWAY_MS) / SWAY_MS + 6.28 * self._phase[position]))
        loaded, lifted = np.zeros(len(t), dtype=np.bool_), np.zeros(len(t), dtype=np.bool_)
        mine = np.flatnonzero(self.trucks[position])
        if len(mine):
            trucks = position[mine]
            drives = length[mine] / (km_h[mine] / 3.6) * 1_000.0
            cycle = self._cycle(trucks)
            since = self._shift(t[mine]) - self._phase[trucks] * HOUR_MS
            hours = self._scenario.vehicles.trucks_for_hours * HOUR_MS
            trips = np.floor((hours - self._phase[trucks] * HOUR_MS) / cycle)
            works = (since >= 0.0) & (since < trips * cycle)
            into = np.where(works, since % cycle, 0.0)
            along[mine], pace[mine], loaded[mine], lifted[mine] = _haul_at(into, drives, km_h[mine], length[mine])
        for trip in self.trips:
            self._take(trip, position, t, way, along, pace, loaded, lifted)
        return way, along, pace, loaded, lifted

    def _take(
        self, trip: Trip, position: Ints, t: Floats, way: Ints, along: Floats, pace: Floats, loaded: Mask, lifted: Mask
    ) -> None:
        """Put the truck of a misdeed on its own way for as long as it lasts; then it waits until its next trip."""
        usual = float(self._cycle(np.array([trip.truck]))[0])
        until = trip.ends_ms if trip.what == "hours" else (
            trip.starts_ms + np.ceil((trip.ends_ms - trip.starts_ms) / usual) * usual)  # fmt: skip
        hit = np.flatnonzero((position == trip.truck) & (t >= trip.starts_ms) & (t < until))
        if len(hit):
            km_h, length = self._km_h[position[hit]], np.full(len(hit), self.ways.length_m[trip.way])
            drives = np.full(len(hit), trip.drives_ms)
            into = np.minimum(t[hit] - trip.starts_ms, LOADS_MS + TIPS_MS + 2.0 * drives)
            way[hit] = trip.way
            along[hit], pace[hit], loaded[hit], lifted[hit] = _haul_at(into, drives, km_h, length)

    def see(self, glance: Glance) -> None:
        """Tell speed, load and tipper."""
        if glance.kind != MOVING:
            return
        _, _, pace, loaded, lifted = self._drive(glance.position, glance.t_ms)
        glance.v = np.clip(np.where(pace > 0.0, pace + glance.v, 0.0), 0.0, 120.0)
        trucks = self.trucks[glance.position]
        glance.more[trucks, 0], glance.more[trucks, 1] = loaded[trucks], lifted[trucks]

    def places(self, position: Ints, t_ms: Ints, noise: Floats) -> tuple[Floats, Floats]:
        """Return where vehicles say they are, degrees; `noise`: draws."""
        way, along, *_ = self._drive(position, t_ms)
        x, y = self.ways.at(way, along)
        turn = 2 * np.pi * ((noise * 7.31) % 1.0)
        away = GPS_M * np.minimum(np.abs(noise), 3.0)
        return self._ground.frame.to_degrees(x + away * np.cos(turn), y + away * np.sin(turn))

    # ---- what is to be seen

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Only the clock goes on."""
        self._story_ms = story_ms + dt_ms

    def things(self) -> Sequence[Thing]:
        """Return who tips where it is forbidden, and what lies on the road."""
        now, found = self._starts_ms + self._story_ms, list[Thing]()
        for trip in self.trips:
            if trip.what == "dumping" and trip.tips_ms <= now < trip.tips_ms + TIPS_MS + MINUTE_MS:
                x, y = self.ways.at(np.array([trip.way]), np.array([np.inf]))
                found.append(Thing("video.dumping", float(x[0]), float(y[0]), TIP_SIZE))
            if trip.spill is not None and self._spilled(trip, now):
                found.append(Thing("video.spill", *trip.spill, SPILL_SIZE))
        return found

    def _spilled(self, trip: Trip, now: float) -> bool:
        begins = trip.starts_ms + LOADS_MS + 0.5 * trip.drives_ms
        return begins <= now < begins + SPILL_STAYS_MS

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return how far every muck truck on the way is from a permitted road, and what is tipped and spilled."""
        now = self._starts_ms + story_ms
        position = np.flatnonzero(self.trucks)
        rows: list[dict[str, Any]] = []
        if len(position):
            rows += self._truck_rows(position, round(now), frame)
        for trip in self.trips:
            if trip.what == "dumping" and trip.tips_ms <= now < trip.tips_ms + TIPS_MS:
                x, y = self.ways.at(np.array([trip.way]), np.array([np.inf]))
                tips = row("street.dumping", TIP_SIZE, self._eye.site(trip.truck), float(x[0]), float(y[0]), frame)
                rows.append(tips | {"sensor": self._eye.sensors[trip.truck], "kind": MOVING})
            if trip.spill is not None and self._spilled(trip, now):
                rows.append(row("street.spill", SPILL_SIZE, self._eye.site(trip.truck), *trip.spill, frame))
        return rows

    def _truck_rows(self, position: Ints, t_ms: int, frame: LocalFrame) -> list[dict[str, Any]]:
        way, along, pace, loaded, lifted = self._drive(position, np.full(len(position), t_ms, dtype=np.int64))
        x, y = self.ways.at(way, along)
        rows = []
        roads = self._ground.roads
        assert roads is not None
        hours = self._scenario.vehicles.trucks_for_hours * HOUR_MS
        permitted = float(self._shift(np.array([float(t_ms)]))[0]) < hours
        for i in np.flatnonzero((pace > 0.0) | lifted).tolist():
            lon, lat = frame.to_degrees(x[i], y[i])
            away = roads.nearest(float(lon), float(lat), roads.muck).away_m if roads.muck.any() else 0.0
            told = row(
                "truck.off_road_m", away, self._eye.sensors[int(position[i])], float(x[i]), float(y[i]), frame, 1
            )
            told |= {"km_h": round(float(pace[i]), 1), "loaded": bool(loaded[i]), "lifted": bool(lifted[i])}
            rows.append(told | {"sensor": told["site"], "kind": MOVING})
            if loaded[i] and pace[i] > 0.0 and not permitted:
                rows.append(rows[-1] | {"truth": "truck.by_day", "v": 1.0})
            if loaded[i]:
                rows.append(rows[-1] | {"truth": "load.off_road_m", "v": told["v"]})
        return rows

    def told(self) -> Iterable[Told]:
        """Tell who will do what."""
        for trip in self.trips:
            zh, en = WORDS[trip.what]
            sensor, at = self._eye.site(trip.truck), trip.starts_ms + LOADS_MS - self._starts_ms
            where = f"（{trip.site}）" if trip.what == "dumping" and trip.site else ""
            yield Told(at, f"{sensor}{zh}{where}。", f"{self._eye.sensors[trip.truck]} {en}{where}.")


def _haul_at(into: Floats, drives: Floats, km_h: Floats, length: Floats) -> tuple[Floats, Floats, Mask, Mask]:
    """Return metres along the way, speed, loaded and lifted so many ms into a trip: load, drive, tip, drive back."""
    leaves, arrives = LOADS_MS, LOADS_MS + drives
    returns = arrives + TIPS_MS
    there = np.clip((into - leaves) / drives, 0.0, 1.0)
    back = np.clip((into - returns) / drives, 0.0, 1.0)
    moves = ((into > leaves) & (into < arrives)) | ((into > returns) & (back < 1.0))
    lifted = (into >= arrives + MINUTE_MS) & (into < returns - MINUTE_MS)
    loaded = (into >= leaves) & (into < arrives + 0.5 * TIPS_MS)
    return length * np.where(into < returns, there, 1.0 - back), np.where(moves, km_h, 0.0), loaded, lifted


def _way(roads: RoadGraph, here: tuple[float, float], there: tuple[float, float], *, permitted: bool) -> Line:
    """Return the way over permitted roads, else over any, else (roads in several pieces) as the crow flies."""
    for allowed in (roads.muck, None) if permitted else (None,):
        try:
            return roads.route(*here, *there, allowed)
        except NoWay:
            continue
    return np.array([here, there])
