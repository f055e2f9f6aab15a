"""Cameras: how sure a detector is of what is in its view, what it misses, and what it sees that is not there.

A thing fills less of the view with distance; darkness and rain take from what is left. The detector is surer the more
it sees (logistic in the logarithm), a little different from camera to camera and from frame to frame; what it is not
sure of it often leaves out. Now and then a shadow or a reflection looks like something, more often in the dark and in
rain, hardly ever in two frames running.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import cos, exp, pi

import numpy as np

from simulators.part import Eyes, Floats, Glance, Thing

HALF_M = {"video.flame": 180.0, "video.smoke": 220.0, "video.ponding": 120.0}
USUAL_HALF_M = 60.0
REACH = 3.0
"""A thing is out of view beyond this many times the distance at which it fills half as much."""
DARK = {"video.flame": 1.1, "video.smoke": 0.35}
USUAL_DARK = 0.55
RAIN_MM_H = 250.0
SURE, SLOPE, FRAME, CAMERA, OFTEN = 2.4, 1.5, 0.55, 0.4, 1.5
FALSE_MEAN, FALSE_FROM, MOST = 0.13, 0.06, 0.99
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def daylight(t_ms: int, utc_offset_h: float) -> float:
    """Return how light it is, 0 in the night to 1 by day: dawn and dusk are around six."""
    hour = (t_ms % DAY_MS) / HOUR_MS + utc_offset_h
    height = -cos(2 * pi * hour / 24.0)
    return min(max((height + 0.15) / 0.4, 0.0), 1.0)


def reach_m(kind: str) -> float:
    """Return how far cameras of a kind of video see, in metres."""
    return REACH * HALF_M.get(kind, USUAL_HALF_M)


def confidence(kind: str, apparent: Floats, light: float, rain_mm_h: Floats, bias: Floats, noise: Floats) -> Floats:
    """Return how sure a detector is, float64[n] in 0..1, of what fills `apparent` of its view (1: all of it)."""
    dark = DARK.get(kind, USUAL_DARK)
    clear = (dark + (1.0 - dark) * light) * np.exp(-rain_mm_h / RAIN_MM_H)
    logit = SURE + SLOPE * np.log(np.maximum(apparent * clear, 1e-9)) + CAMERA * bias + FRAME * noise
    return np.asarray(MOST / (1.0 + np.exp(-logit)), dtype=np.float64)


class Cameras:
    """What each camera has in view now, by kind of video; `light` and `rain_mm_h` are those over it."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = {kind: eye for kind, eye in eyes.items() if kind.startswith("video.")}
        self.apparent: Mapping[str, Floats] = {kind: np.zeros(len(eye.x)) for kind, eye in self._eyes.items()}
        self.light = 1.0
        self.rain_mm_h: Mapping[str, Floats] = {kind: np.zeros(len(eye.x)) for kind, eye in self._eyes.items()}

    def look(self, things: Iterable[Thing]) -> None:
        """Take note of what is there."""
        by_kind: dict[str, list[Thing]] = {}
        for thing in things:
            if thing.size > 0.0 and thing.kind in self._eyes:
                by_kind.setdefault(thing.kind, []).append(thing)
        self.apparent = {kind: self._view(kind, by_kind.get(kind, [])) for kind in self._eyes}

    def _view(self, kind: str, things: list[Thing]) -> Floats:
        eye = self._eyes[kind]
        if not things:
            return np.zeros(len(eye.x))
        half = HALF_M.get(kind, USUAL_HALF_M)
        x, y, size = np.array([(thing.x, thing.y, thing.size) for thing in things]).T
        far = np.hypot(eye.x[:, None] - x, eye.y[:, None] - y) / half
        return np.asarray(np.max(np.where(far <= REACH, size / (1.0 + far * far), 0.0), axis=1), dtype=np.float64)

    def see(self, glance: Glance, normal: Floats, luck: Floats, chance: float) -> None:
        """Fill in what these cameras say of a frame: `luck` float64[2, n] draws whether and how it is mistaken."""
        apparent, rain = self.apparent[glance.kind][glance.position], self.rain_mm_h[glance.kind][glance.position]
        bias = 2.0 * glance.nature[:, 5] - 1.0
        sure = confidence(glance.kind, apparent, self.light, rain, bias, normal)
        often = 1.0 / (1.0 + np.exp(-OFTEN) * (1.0 - sure) / np.maximum(sure, 1e-9))
        there = (apparent > 0.0) & (luck[0] < often)
        mistakes = chance * (1.0 + 1.5 * (1.0 - self.light) + rain / 15.0)
        mistaken = luck[0] > 1.0 - mistakes
        fancied = np.minimum(FALSE_FROM - FALSE_MEAN * np.log1p(-luck[1] * (1.0 - exp(-12.0))), MOST)
        glance.v = np.where(there, np.where(mistaken, np.maximum(sure, fancied), sure), fancied)
        glance.reports = there | mistaken
