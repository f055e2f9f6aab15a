"""A power cut: who has no electricity, who lives on a battery and for how long, and how pumps stand still.

What hangs on a gateway falls silent when the gateway's own battery is empty; battery-driven devices live on, theirs
goes down faster while they seek the lost network. Leaks and warmth of dead circuits are gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.part import Eye, Eyes, Floats, Glance, Mask, Part, Told, row
from simulators.scenario import PowerCut, draw
from simulators.streams import stream

HOUR_MS = 3_600_000
DEAD = ("fire.residual_current",)
DRAINS = "device.battery"


class Power(Part):
    """One power cut in a district: a circle around a place that the seed picks, best one with pumps in it."""

    about = "power"
    touches = (*DEAD, DRAINS)

    def __init__(self, cut: PowerCut, seed: int, eyes: Eyes, mains: dict[str, Mask]) -> None:
        """`mains`: by kind, which sensors hang on a gateway with mains power."""
        generator = stream(seed, "power")
        self.begins_ms = draw(cut.begins_ms, generator)
        self.ends_ms = self.begins_ms + draw(cut.lasts_ms, generator)
        self.radius_m = draw(cut.radius_m, generator)
        self._holds_ms = cut.holds_ms
        self._drains_h = draw(cut.drains_percent_h, generator)
        eye = _middle(eyes)
        pick = float(generator.random())
        number = int(pick * len(eye.x))
        self.x, self.y, self.site = float(eye.x[number]), float(eye.y[number]), eye.site(number)
        self._in = {kind: self.within(e.x, e.y) for kind, e in eyes.items()}
        self._mains = mains

    def within(self, x: Floats, y: Floats) -> Mask:
        """Return which places lie in the district, bool[n]; what moves does not."""
        return np.asarray(np.hypot(x - self.x, y - self.y) <= self.radius_m, dtype=np.bool_)

    def out(self, story_ms: float) -> bool:
        """Tell whether the district has no electricity."""
        return self.begins_ms <= story_ms < self.ends_ms

    def see(self, glance: Glance) -> None:
        """Silence what has no power, and run batteries down."""
        here = self._in[glance.kind][glance.position]
        if not here.any() or glance.story_ms < self.begins_ms:
            return
        since = glance.story_ms - self.begins_ms
        if glance.kind == DRAINS:
            hours = (min(glance.story_ms, self.ends_ms) - self.begins_ms) / HOUR_MS
            pace = self._drains_h * (0.6 + 0.8 * glance.nature[:, 1])
            back = 12.0 * max(glance.story_ms - self.ends_ms, 0.0) / HOUR_MS
            glance.v = np.where(here, np.clip(glance.v - np.maximum(pace * hours - back, 0.0), 0.0, 100.0), glance.v)
        if not self.out(glance.story_ms):
            return
        if glance.kind in DEAD:
            glance.v = np.where(here, 0.0, glance.v)
        low, high = self._holds_ms.low, self._holds_ms.high
        holds = low + (high - low) * glance.nature[:, 6]
        mains = self._mains[glance.kind][glance.position]
        glance.reports = glance.reports & ~(here & mains & (since > holds))

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return the district without power and how wide it is."""
        if not self.out(story_ms):
            return []
        return [row("power.out_m", self.radius_m, self.site, self.x, self.y, frame)]

    def told(self) -> Iterable[Told]:
        """Tell when the lights go out and on."""
        km = f"{self.radius_m / 1000:.1f}"
        zh = f"{self.site}周围{km}公里停电：泵站停转，网关电池耗尽后感知设备陆续失联。"
        en = f"power fails {km} km around {self.site}: pumps stand, sensors fall silent as gateways run down."
        yield Told(self.begins_ms, zh, en)
        yield Told(self.ends_ms, f"{self.site}周围恢复供电。", f"power is back around {self.site}.")


def _middle(eyes: Eyes) -> Eye:
    """Return the sensors among which the middle of the district is picked."""
    for kind in ("drain.pump", "water.level"):
        if kind in eyes and len(eyes[kind].x):
            return eyes[kind]
    return next(eye for eye in eyes.values() if len(eye.x) and np.isfinite(eye.x).all())
