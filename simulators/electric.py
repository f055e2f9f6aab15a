"""Electricity going bad: insulation leaks more from day to day, a joint of a cable warms with the load.

Leak and contact resistance double every so often until the joint fails; both follow the load of the day, which is
least before dawn and most in the evening. Cut off, the leak is gone at once and the cable cools.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.part import NOBODY, Eyes, Floats, Glance, Part, Sights, Told, row
from simulators.scenario import Wear, draw
from simulators.streams import stream

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PEAK_HOUR = 19.0
COOLS_MS = 25 * 60_000
BOARD, CABLE = "fire.residual_current", "fire.cable_temperature"
SPREADS = 0.55
"""Share of the next board's leak that one further away still has."""


def load(hour: float) -> float:
    """Return the share of the most load at an hour of the city's day."""
    return 0.72 + 0.28 * cos(2 * pi * (hour - PEAK_HOUR) / 24.0)


class Electric(Part):
    """One worn circuit: the boards that feel its leak, nearest first, and the cable with its joint."""

    about = "electric"
    touches = (BOARD, CABLE)

    def __init__(self, wear: Wear, seed: int, eyes: Eyes, starts_ms: int, utc_offset_h: float) -> None:
        generator = stream(seed, "electric")
        self._offset_ms = starts_ms + round(utc_offset_h * HOUR_MS)
        self.fails_ms = draw(wear.fails_ms, generator)
        self._doubles_ms = draw(wear.doubles_ms, generator)
        self._leak_ma = draw(wear.leak_ma, generator)
        self._warms_k = draw(wear.warms_k, generator)
        self.cut_ms = self.fails_ms + draw(wear.cut_after_ms, generator)
        pick = float(generator.random())
        boards, cables = eyes.get(BOARD, NOBODY), eyes.get(CABLE, NOBODY)
        self.cable = int(pick * len(cables.x)) if len(cables.x) else None
        anchor = cables if self.cable is not None else boards
        number = self.cable if self.cable is not None else int(pick * len(boards.x))
        self.here = (float(anchor.x[number]), float(anchor.y[number])) if len(anchor.x) else None
        self.site = anchor.site(number) if self.here is not None else ""
        self._share = self._boards(boards.x, boards.y, wear.boards)
        self._boards_eye, self._joint_k, self._leak = boards, 0.0, 0.0
        self.worst_ma = 0.0

    def _boards(self, x: Floats, y: Floats, count: int) -> Floats:
        share = np.zeros(len(x))
        if self.here is not None:
            order = np.argsort(np.hypot(x - self.here[0], y - self.here[1]), kind="stable")[:count]
            share[order] = SPREADS ** np.arange(len(order))
        return share

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Wear on."""
        hour = ((story_ms + self._offset_ms) % DAY_MS) / HOUR_MS
        grown = min(2.0 ** ((story_ms - self.fails_ms) / self._doubles_ms), 1.5)
        runs = story_ms < self.cut_ms
        self._leak = self._leak_ma * grown * load(hour) if runs else 0.0
        joint = self._warms_k * grown * load(hour) ** 2 if runs else 0.0
        self._joint_k += (joint - self._joint_k) * -float(np.expm1(-dt_ms / COOLS_MS))
        self.worst_ma = max(self.worst_ma, self._leak)

    def see(self, glance: Glance) -> None:
        """Add the leak to boards and the joint's warmth to its cable."""
        if glance.kind == BOARD:
            glance.v += glance.gain * self._leak * self._share[glance.position]
        elif glance.kind == CABLE and self.cable is not None:
            glance.v += np.where(glance.position == self.cable, glance.gain * self._joint_k, 0.0)

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return the leak at every board that feels it, and the joint's warmth."""
        del story_ms
        if self.here is None:
            return []
        rows = []
        for i in np.flatnonzero(self._share).tolist():
            x, y = float(self._boards_eye.x[i]), float(self._boards_eye.y[i])
            rows.append(
                row("insulation.leak_ma", self._leak * self._share[i], self._boards_eye.sensors[i], x, y, frame)
            )
        return [*rows, row("cable.joint_k", self._joint_k, self.site, *self.here, frame)]

    def sights(self) -> Sights | None:
        """Nothing is to be seen of it."""
        return None

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return the leak at the circuit, mA."""
        if self.here is None:
            return None
        boards = np.flatnonzero(self._share)
        x, y, share = self._boards_eye.x[boards], self._boards_eye.y[boards], self._share[boards]
        return x, y, self._leak * share, self.worst_ma * share

    def told(self) -> Iterable[Told]:
        """Tell how it goes bad."""
        if self.here is None:
            return
        hours = self._doubles_ms / HOUR_MS
        zh = f"{self.site}的线路绝缘正在老化，剩余电流每{hours:.0f}小时翻一番，接头越来越烫。"
        en = f"the insulation near {self.site} is wearing out: its leak doubles every {hours:.0f} h, a joint warms."
        yield Told(self.fails_ms - 4 * self._doubles_ms, zh, en)
        most = f"{self._leak_ma:.0f}"
        yield Told(self.fails_ms, f"{self.site}剩余电流可达{most}毫安。", f"the leak near {self.site} nears {most} mA.")
        yield Told(self.cut_ms, f"{self.site}的回路被切断检修。", f"the circuit at {self.site} is cut off for repair.")
