"""What happens in the street for a while: stalls, parked cars, a blocked lane, piles of waste, someone who dumps.

Each thing is there from when to when, at a place near a camera of the city or out of every camera's view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.part import Eyes, Floats, Mask, Part, Sights, Thing, Told, row
from simulators.scenario import Scene, draw
from simulators.streams import stream

WORDS = {
    "lane_blocked": ("消防通道被车辆堵塞", "cars block a fire lane"),
    "waste_overflow": ("垃圾堆出桶外", "waste piles up beside full bins"),
    "dumping": ("有人偷倒垃圾", "someone dumps waste"),
    "vendor": ("流动摊贩摆摊", "a stall is set up"),
    "spill": ("车辆沿路遗撒", "a truck spills its load"),
    "parking": ("车辆停在人行道上", "cars stand on the sidewalk"),
    "smoke": ("露天焚烧冒烟", "someone burns waste in the open"),
}
COMES_MS = 60_000


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing as the seed drew it."""

    what: str
    site: str
    x: float
    y: float
    begins_ms: float
    ends_ms: float
    size: float

    def now(self, story_ms: float) -> float:
        """Return how big it is; it comes and goes within a minute."""
        comes = (story_ms - self.begins_ms) / COMES_MS
        goes = (self.ends_ms - story_ms) / COMES_MS
        return self.size * min(max(min(comes, goes), 0.0), 1.0)


class Streets(Part):
    """All scenes of a scenario."""

    about = "street"

    def __init__(self, scenes: Sequence[Scene], seed: int, eyes: Eyes, zones: Mapping[str, Mapping[str, Mask]]) -> None:
        """`zones`: by name and kind, which sensors stand in the zone."""
        self.happenings: list[Happening] = []
        self._now = np.zeros(0)
        for number, scene in enumerate(scenes):
            self._stage(scene, number, seed, eyes, zones)
        self._now = np.zeros(len(self.happenings))
        self._most = np.zeros(len(self.happenings))
        self.x, self.y = np.array([(h.x, h.y) for h in self.happenings]).reshape(-1, 2).T

    def _stage(self, scene: Scene, number: int, seed: int, eyes: Eyes, zones: Mapping[str, Mapping[str, Mask]]) -> None:
        kind = f"video.{scene.what}"
        if kind not in eyes:
            return
        eye, places = eyes[kind], np.arange(len(eyes[kind].x))
        inside = zones.get(scene.zone, {}).get(kind)
        if inside is not None and inside.any():
            places = places[inside]
        generator = stream(seed, f"scene{number}|{scene.what}")
        chosen = generator.permutation(places)
        for i in range(scene.count):
            camera = int(chosen[i % len(chosen)])
            turn, away = 2 * pi * float(generator.random()), draw(scene.away_m, generator)
            begins = draw(scene.begins_ms, generator)
            self.happenings.append(
                Happening(
                    what=scene.what,
                    site=eye.site(camera),
                    x=float(eye.x[camera]) + away * sin(turn),
                    y=float(eye.y[camera]) + away * cos(turn),
                    begins_ms=begins,
                    ends_ms=begins + draw(scene.lasts_ms, generator),
                    size=draw(scene.size, generator),
                )
            )

    def step(self, story_ms: float, dt_ms: int) -> None:
        """See who is there."""
        self._now = np.array([h.now(story_ms + dt_ms) for h in self.happenings], dtype=np.float64)
        self._most = np.maximum(self._most, self._now)

    def things(self) -> Sequence[Thing]:
        """Return what is there."""
        return [
            Thing(f"video.{h.what}", h.x, h.y, size)
            for h, size in zip(self.happenings, self._now.tolist(), strict=True)
        ]

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return what is there and how big."""
        del story_ms
        present = zip(self.happenings, self._now.tolist(), strict=True)
        return [row(f"street.{h.what}", size, h.site, h.x, h.y, frame) for h, size in present if size > 0.0]

    def sights(self) -> Sights | None:
        """Return what people see."""
        return Sights(self.x, self.y, self._now)

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return what is and was there."""
        return self.x, self.y, self._now, self._most

    def told(self) -> Iterable[Told]:
        """Tell what comes and when it goes."""
        for h in self.happenings:
            zh, en = WORDS[h.what]
            minutes = (h.ends_ms - h.begins_ms) / 60_000
            yield Told(
                h.begins_ms,
                f"{h.site}附近{zh}，持续约{minutes:.0f}分钟。",
                f"near {h.site} {en}, for {minutes:.0f} min.",
            )
