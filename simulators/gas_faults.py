"""Gas faults of one place: a hose that slips off in a room, a flange outside, a regulator that no longer closes."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, sin
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.ground import Ground
from simulators.part import NOBODY, Eyes, Floats, Glance, Part, Sights, Told, row
from simulators.scenario import OpenLeak, RegulatorFault, RoomLeak, draw
from simulators.seepage import (
    AIR_LAG_MS,
    EMPTIES_MS,
    FULL_SCALE,
    HOUR_MS,
    LEL_SHARE,
    OUTDOOR,
    TOLD_LEL,
    Chambers,
    plume,
)
from simulators.streams import stream
from simulators.wind import Breeze


class RoomGas(Part):
    """A hose that slipped off in one kitchen or basement; the room is a stirred tank."""

    about = "gas"
    touches = ("gas.methane",)

    def __init__(self, leak: RoomLeak, seed: int, ground: Ground, eyes: Eyes) -> None:
        generator = stream(seed, "room leak")
        rooms = Chambers(ground, {kind: eye for kind, eye in eyes.items() if kind == "gas.methane"})
        choice = rooms.with_use("kitchen", "basement") or list(range(len(rooms)))
        pick = float(generator.random())
        self.room = choice[int(pick * len(choice))] if choice else None
        self.begins_ms = draw(leak.begins_ms, generator)
        self.shut_ms = self.begins_ms + draw(leak.shut_after_ms, generator)
        self._rate_m3_h = draw(leak.rate_m3_h, generator)
        self._air_changes_h = draw(leak.air_changes_h, generator)
        self._rooms, self._in_air, self.peak_lel = rooms, 0.0, 0.0
        self._volume_m3 = float(rooms.volume_m3[self.room]) if self.room is not None else 1.0
        self.site = rooms.eye.site(self.room) if self.room is not None else ""

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Go on by `dt_ms`; found, the gas is shut off and windows are opened."""
        if self.room is None or story_ms < self.begins_ms:
            return
        shut = story_ms >= self.shut_ms
        enters = 0.0 if shut else self._rate_m3_h / self._volume_m3
        changes = self._air_changes_h * (8.0 if shut else 1.0)
        self._in_air += dt_ms / HOUR_MS * (enters * (1.0 - self._in_air) - changes * self._in_air)
        self.peak_lel = max(self.peak_lel, self.methane_lel())

    def methane_lel(self) -> float:
        """Return the methane in the room, %LEL."""
        return min(100.0 * self._in_air / LEL_SHARE, FULL_SCALE)

    def see(self, glance: Glance) -> None:
        """Add the methane to what hangs in this room."""
        if glance.kind == "gas.methane" and self.room is not None:
            here = glance.gain * self.methane_lel()
            glance.v = np.minimum(glance.v + np.where(glance.position == self.room, here, 0.0), FULL_SCALE)

    def _here(self) -> tuple[float, float]:
        assert self.room is not None
        return float(self._rooms.eye.x[self.room]), float(self._rooms.eye.y[self.room])

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return the methane of the room."""
        if self.room is None or story_ms < self.begins_ms:
            return []
        return [row("well.methane_lel", self.methane_lel(), self._rooms.eye.sensors[self.room], *self._here(), frame)]

    def sights(self) -> Sights | None:
        """Return what people smell."""
        if self.room is None:
            return None
        x, y = self._here()
        return Sights(np.array([x]), np.array([y]), np.array([self.methane_lel()]))

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return the methane of the room."""
        if self.room is None:
            return None
        x, y = self._here()
        return np.array([x]), np.array([y]), np.array([self.methane_lel()]), np.array([self.peak_lel])

    def told(self) -> Iterable[Told]:
        """Tell of the hose and the shut valve."""
        if self.room is not None:
            zh = f"{self.site}灶具软管脱落，燃气泄入室内，每小时约{self._rate_m3_h:.1f}立方米。"
            yield Told(
                self.begins_ms, zh, f"a hose slips off at {self.site}: {self._rate_m3_h:.1f} m³/h into the room."
            )
            yield Told(self.shut_ms, f"{self.site}关阀开窗通风。", f"the gas at {self.site} is shut, windows opened.")


class OpenGas(Part):
    """A flange that leaks outside; the wind carries the gas away, at first over a sensor that the seed picks."""

    about = "gas"
    touches = (OUTDOOR,)

    def __init__(self, leak: OpenLeak, seed: int, eyes: Eyes, breeze: Breeze) -> None:
        generator = stream(seed, "open leak")
        self._eye, self._breeze = eyes.get(OUTDOOR, NOBODY), breeze
        pick = float(generator.random())
        self.begins_ms = draw(leak.begins_ms, generator)
        self.shut_ms = self.begins_ms + draw(leak.shut_after_ms, generator)
        self._rate_m3_h, away = draw(leak.rate_m3_h, generator), draw(leak.away_m, generator)
        self.lel = np.zeros(len(self._eye.x))
        self._most = np.zeros(len(self._eye.x))
        self.near = int(pick * len(self._eye.x)) if len(self._eye.x) else None
        to = breeze.to_rad(self.begins_ms)
        if self.near is not None:
            self.at = float(self._eye.x[self.near]) - away * sin(to), float(self._eye.y[self.near]) - away * cos(to)

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Let it blow."""
        if self.near is None or story_ms < self.begins_ms:
            return
        m3_s = self._rate_m3_h / 3_600.0 if story_ms < self.shut_ms else 0.0
        wind = self._breeze.speed_m_s(story_ms), self._breeze.to_rad(story_ms)
        there = plume(m3_s, *wind, self._eye.x - self.at[0], self._eye.y - self.at[1])
        self.lel += (100.0 * there / LEL_SHARE - self.lel) * -np.expm1(-dt_ms / AIR_LAG_MS)
        self._most = np.maximum(self._most, self.lel)

    def see(self, glance: Glance) -> None:
        """Add the methane in the open air."""
        if glance.kind == OUTDOOR:
            glance.v = np.minimum(glance.v + glance.gain * self.lel[glance.position], FULL_SCALE)

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return the methane at every sensor outside that has any."""
        del story_ms
        eye = self._eye
        return [
            row("air.methane_lel", self.lel[i], eye.sensors[i], float(eye.x[i]), float(eye.y[i]), frame)
            for i in np.flatnonzero(self.lel > TOLD_LEL).tolist()
        ]

    def sights(self) -> Sights | None:
        """Return what people smell."""
        return Sights(self._eye.x, self._eye.y, self.lel)

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return the methane outside."""
        return self._eye.x, self._eye.y, self.lel, self._most

    def told(self) -> Iterable[Told]:
        """Tell of the flange."""
        if self.near is not None:
            site = self._eye.site(self.near)
            zh = f"{site}附近法兰漏气，每小时约{self._rate_m3_h:.0f}立方米，随风飘散。"
            yield Told(self.begins_ms, zh, f"a flange near {site} leaks {self._rate_m3_h:.0f} m³/h into the wind.")
            yield Told(self.shut_ms, f"{site}附近漏气法兰关断。", f"the flange near {site} is shut off.")


class Regulator(Part):
    """A pressure regulator that no longer closes: what it feeds rises, until it is changed over."""

    about = "pressure"
    touches = ("gas.pressure",)

    def __init__(self, fault: RegulatorFault, seed: int, eyes: Eyes) -> None:
        generator = stream(seed, "regulator")
        gauges = eyes.get("gas.pressure", NOBODY)
        pick = float(generator.random())
        self.gauge = int(pick * len(gauges.x)) if len(gauges.x) else None
        self.begins_ms = draw(fault.begins_ms, generator)
        self.mended_ms = self.begins_ms + draw(fault.mended_after_ms, generator)
        self._rises_kpa = draw(fault.rises_kpa, generator)
        self._over_ms = draw(fault.over_ms, generator)
        self._gauges, self._kpa, self._most = gauges, 0.0, 0.0

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Rise towards the inlet's pressure; mended, fall back."""
        if story_ms < self.begins_ms:
            return
        goal, lag = (self._rises_kpa, self._over_ms) if story_ms < self.mended_ms else (0.0, EMPTIES_MS / 2)
        self._kpa += (goal - self._kpa) * -float(np.expm1(-dt_ms / lag))
        self._most = max(self._most, self._kpa)

    def see(self, glance: Glance) -> None:
        """Raise the pressure behind the regulator."""
        if glance.kind == "gas.pressure" and self.gauge is not None:
            glance.v += np.where(glance.position == self.gauge, glance.gain * self._kpa, 0.0)

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return what the pressure is too high by."""
        if self.gauge is None or story_ms < self.begins_ms:
            return []
        at = float(self._gauges.x[self.gauge]), float(self._gauges.y[self.gauge])
        return [row("regulator.excess_kpa", self._kpa, self._gauges.sensors[self.gauge], *at, frame)]

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return how far the pressure is too high, kPa."""
        if self.gauge is None:
            return None
        at = slice(self.gauge, self.gauge + 1)
        return self._gauges.x[at], self._gauges.y[at], np.array([self._kpa]), np.array([self._most])

    def told(self) -> Iterable[Told]:
        """Tell when it sticks and when it is changed over."""
        if self.gauge is not None:
            site = self._gauges.site(self.gauge)
            zh = f"{site}调压器关闭不严，出口压力上升约{self._rises_kpa:.0f}千帕。"
            yield Told(self.begins_ms, zh, f"the regulator at {site} no longer closes: +{self._rises_kpa:.0f} kPa.")
            yield Told(self.mended_ms, f"{site}切换备用调压路。", f"{site} is changed over to its second line.")
