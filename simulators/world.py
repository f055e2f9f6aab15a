"""The city as it is: weather, water, gas, fire and the rest in steps of ten seconds; what every sensor sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulators import everyday
from simulators.calls import Seen
from simulators.cameras import Cameras, daylight
from simulators.electric import CABLE, Electric
from simulators.fire import Fires
from simulators.flood import Flood
from simulators.gas_faults import OpenGas, Regulator, RoomGas
from simulators.ground import Ground
from simulators.network import Network
from simulators.part import Danger, Eye, Floats, Glance, Ints, Mask, Part
from simulators.power import Power
from simulators.pumps import KIND as PUMP
from simulators.pumps import Pumps
from simulators.scenario import Scenario
from simulators.seepage import Seepage
from simulators.streets import Streets
from simulators.traffic import MOVING, Traffic
from simulators.waste import Waste
from simulators.wind import Breeze

STEP_MS = 10_000
DANGER_WITHIN_M = 150.0
NO_DANGER = Danger("none", 0.0, 0.0)
TOLD_VIEW, TOLD_SHARE = 0.01, 0.002


class World:
    """One seed's city. `now_ms` is the player's time up to which it has moved; it never goes back.

    What is seen here is true but for the instrument's noise; faults come later. Rows are those of the network.
    """

    def __init__(self, scenario: Scenario, seed: int, ground: Ground, network: Network) -> None:
        self.scenario, self.ground, self.network = scenario, ground, network
        self.now_ms = (scenario.starts_ms - scenario.prelude.lasts_ms) // STEP_MS * STEP_MS
        self.frame = ground.frame
        x, y = self.frame.to_metres(network.lon, network.lat)
        self._groups = everyday.prepare(scenario, seed, network.names, network.kind)
        self._position = np.zeros(len(network), dtype=np.int64)
        for rows, _ in self._groups.values():
            self._position[rows] = np.arange(len(rows))
        names, sites = np.array(network.sensor), np.array(network.site)
        self.eyes = {
            kind: Eye(tuple(names[rows].tolist()), x[rows], y[rows], tuple(sites[rows].tolist()))
            for kind, (rows, _) in self._groups.items()
        }
        self.breeze = Breeze(scenario.wind, seed)
        self.cameras = Cameras(self.eyes)
        self.power: Power | None = None
        self.flood: Flood | None = None
        self.gas: Seepage | None = None
        self.parts: tuple[Part, ...] = tuple(part for part in self._made(seed) if part is not None)

    def _made(self, seed: int) -> list[Part | None]:
        """Make what the scenario asks for; what silences sensors comes last."""
        scenario, eyes, ground = self.scenario, self.eyes, self.ground
        if scenario.power_cut is not None:
            mains = {kind: self._mains(kind) for kind in eyes}
            self.power = Power(scenario.power_cut, seed, eyes, mains)
        if scenario.storm is not None:
            self.flood = Flood(scenario, seed, ground, eyes, self._powered)
        if scenario.leak is not None:
            self.gas = Seepage.near(scenario.leak, seed, ground, eyes)
        electric = None
        if scenario.electric is not None:
            electric = Electric(scenario.electric, seed, eyes, scenario.starts_ms, scenario.utc_offset_h)
        joint = {} if electric is None or electric.cable is None else {CABLE: electric.cable}
        return [
            self.flood,
            Pumps(seed, ground, eyes[PUMP], self.flood, self._powered) if PUMP in eyes else None,
            self.gas.blow(self.breeze) if self.gas is not None else None,
            RoomGas(scenario.room_leak, seed, ground, eyes) if scenario.room_leak is not None else None,
            OpenGas(scenario.open_leak, seed, eyes, self.breeze) if scenario.open_leak is not None else None,
            Regulator(scenario.regulator, seed, eyes) if scenario.regulator is not None else None,
            electric,
            Fires(scenario.fires, seed, eyes, joint) if scenario.fires else None,
            Streets(scenario.scenes, seed, eyes, self._zones()) if scenario.scenes else None,
            Traffic(scenario, seed, ground, eyes) if MOVING in eyes else None,
            Waste(scenario, seed, eyes),
            self.power,
        ]

    def _mains(self, kind: str) -> Mask:
        """Tell which sensors of a kind hang on a gateway."""
        return np.array([bool(self.network.gateway[i]) for i in self.rows(kind).tolist()], dtype=np.bool_)

    def _zones(self) -> Mapping[str, Mapping[str, Mask]]:
        """Return by zone and kind of video which cameras stand in it."""
        found: dict[str, dict[str, Mask]] = {}
        for name in {scene.zone for scene in self.scenario.scenes if scene.zone in self.ground.zones}:
            for kind in (kind for kind in self.eyes if kind.startswith("video.")):
                lon, lat = self.network.lon[self.rows(kind)], self.network.lat[self.rows(kind)]
                found.setdefault(name, {})[kind] = self.ground.inside(name, lon, lat)
        return found

    def _powered(self, x: Floats, y: Floats) -> Mask:
        """Tell which places have electricity now."""
        if self.power is None or not self.power.out(self.story_ms):
            return np.ones(len(x), dtype=np.bool_)
        return ~self.power.within(x, y)

    @property
    def story_ms(self) -> float:
        """Return the time of the story: 0 where it is worth watching from."""
        return float(self.now_ms - self.scenario.starts_ms)

    def rows(self, kind: str) -> Ints:
        """Return the rows of a kind, int64[n] ascending."""
        return self._groups[kind][0] if kind in self._groups else np.zeros(0, dtype=np.int64)

    def advance(self, to_ms: int) -> None:
        """Let time pass, in whole steps, until `to_ms`."""
        while self.now_ms + STEP_MS <= to_ms:
            for part in self.parts:
                part.step(self.story_ms, STEP_MS)
            self.now_ms += STEP_MS
        self.cameras.look(thing for part in self.parts for thing in part.things())
        self.cameras.light = daylight(self.now_ms, self.scenario.utc_offset_h)
        if self.flood is not None:
            eyes = {kind: self.eyes[kind] for kind in self.cameras.rain_mm_h}
            self.cameras.rain_mm_h = {k: self.flood.rain.rate(self.story_ms, e.x, e.y) for k, e in eyes.items()}

    def measure(
        self, kind: str, rows: Ints, t_ms: Ints, normal: Floats, chance: Floats, luck: Floats | None = None
    ) -> Glance:
        """Return what these rows of one kind see now, `v` as the instrument rounds it, and who reports at all.

        `normal`: draws of the noise; `chance`, and `luck` float64[2, n], in [0, 1). A row stands once in a call.
        """
        signal, position = self.scenario.signals[kind], self._position[rows]
        nature, offset_h = self._groups[kind][1][position], self.scenario.utc_offset_h
        glance = Glance(
            kind=kind,
            position=position,
            t_ms=t_ms,
            story_ms=self.story_ms,
            nature=nature,
            gain=(1.0 + signal.gain * (2.0 * nature[:, 5] - 1.0)) * (1.0 - signal.placed * nature[:, 6]),
            noise=normal if signal.noise else np.zeros(len(rows)),
            v=everyday.course(signal, nature, t_ms, offset_h, normal),
            reports=chance < signal.chance,
            more=np.full((len(rows), 2), np.nan),
        )
        if kind.startswith("video."):
            given = np.stack([chance, chance]) if luck is None else np.stack([chance, luck[0]])
            self.cameras.see(glance, normal, given, signal.chance)
        for part in self.parts:
            part.see(glance)
        glance.v = np.round(glance.v, signal.decimals)
        return glance

    def moving(self, kind: str, glance: Glance) -> tuple[Floats, Floats]:
        """Return where these rows of one kind are in degrees, nan for what stands still."""
        if kind != MOVING:
            return np.full(len(glance.v), np.nan), np.full(len(glance.v), np.nan)
        traffic = next(part for part in self.parts if isinstance(part, Traffic))
        return traffic.places(glance.position, glance.t_ms, glance.noise)

    def truth(self) -> list[dict[str, Any]]:
        """Return what is so now, physically: one row a quantity and place, then what each sensor is amid."""
        rows = [row for part in self.parts for row in part.truth(self.story_ms, self.frame)]
        return rows + self._in_view() + [row for kind in self.eyes for row in self._amid(kind)]

    def _in_view(self) -> list[dict[str, Any]]:
        """Return what share of a close view things fill, for each camera that has any in view."""
        return [
            {"truth": f"view.{kind}", "sensor": self.eyes[kind].sensors[i], "kind": kind, "v": round(float(seen[i]), 3)}
            for kind, seen in self.cameras.apparent.items()
            for i in np.flatnonzero(seen > TOLD_VIEW).tolist()
        ]

    def _amid(self, kind: str) -> list[dict[str, Any]]:
        """Return what something did to the place of each sensor of a kind, and which sensors have no power.

        `v` is as it is there, without noise, drift or fault of an instrument; `usual` as it would be without.
        """
        signal, (rows, nature), sensors = self.scenario.signals[kind], self._groups[kind], self.eyes[kind].sensors
        touch = [part for part in self.parts if kind in part.touches or part is self.power]
        if not touch:
            return []
        quiet = replace(signal, noise=0.0, wander=0.0)
        t_ms, none = np.full(len(rows), self.now_ms, dtype=np.int64), np.zeros(len(rows))
        usual = everyday.course(quiet, nature, t_ms, self.scenario.utc_offset_h, none)
        here = Glance(
            kind=kind,
            position=np.arange(len(rows)),
            t_ms=t_ms,
            story_ms=self.story_ms,
            nature=nature,
            gain=np.ones(len(rows)),
            noise=none,
            v=usual.copy(),
            reports=np.ones(len(rows), dtype=np.bool_),
            more=np.full((len(rows), 2), np.nan),
        )
        for part in touch:
            part.see(here)
        touched = np.flatnonzero(np.abs(here.v - usual) > TOLD_SHARE * (1.0 + np.abs(usual)))
        found: list[dict[str, Any]] = [
            {"truth": f"at.{kind}", "sensor": sensors[i], "kind": kind,
             "v": round(float(here.v[i]), 3), "usual": round(float(usual[i]), 3)}
            for i in touched.tolist()
        ]  # fmt: skip
        dark = np.flatnonzero(~here.reports).tolist()
        return found + [{"truth": "sensor.dark", "sensor": sensors[i], "kind": kind, "v": 1.0} for i in dark]

    def sights(self, about: str) -> Seen:
        """Return what citizens may call about, places in degrees."""
        found = [sights for part in self.parts if part.about == about and (sights := part.sights()) is not None]
        x, y, bad = (np.concatenate([np.zeros(0), *(getattr(s, name) for s in found)]) for name in ("x", "y", "bad"))
        lon, lat = self.frame.to_degrees(x, y)
        return Seen(lon, lat, bad)

    def danger(self, lon: float, lat: float, about: tuple[str, ...] = ()) -> Danger:
        """Return the physical danger around a place: the nearest that there has been, of these sorts (none: any)."""
        x, y = (float(metres) for metres in self.frame.to_metres(lon, lat))
        best, metres = NO_DANGER, DANGER_WITHIN_M
        for part in self.parts:
            found = part.dangers() if not about or part.about in about else None
            if found is None or not len(found[0]):
                continue
            away = np.where(found[3] > 0.0, np.hypot(found[0] - x, found[1] - y), np.inf)
            nearest = int(np.argmin(away))
            if away[nearest] <= metres:
                best, metres = Danger(part.about, float(found[2][nearest]), float(found[3][nearest])), away[nearest]
        return best
