"""What the parts of a world share: sensors as eyes, one look through them, what is to be seen, what threatens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geo.frame import LocalFrame

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Eye:
    """The sensors of one kind: their names, where they are in metres, float64[n], and what their site is called."""

    sensors: tuple[str, ...]
    x: Floats
    y: Floats
    sites: tuple[str, ...] = ()

    def site(self, position: int) -> str:
        """Return what people call the place of a sensor."""
        return (self.sites[position] if self.sites else "") or self.sensors[position]


Eyes = Mapping[str, Eye]
NOBODY = Eye((), np.zeros(0), np.zeros(0))


@dataclass(slots=True)
class Glance:
    """One look through some sensors of one kind, all arrays by sensor; parts change `v`, `reports` and `more`.

    position: numbers of the sensors within their kind; nature: float64[n, NATURE]; gain: what the instrument makes of
    one unit; noise: its draws; v: what it sees so far; more: float64[n, 2], what stands beside the value, nan: nothing.
    """

    kind: str
    position: Ints
    t_ms: Ints
    story_ms: float
    nature: Floats
    gain: Floats
    noise: Floats
    v: Floats
    reports: Mask
    more: Floats


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a camera of this kind of video could see: where in metres, and how big; 1 fills a close view."""

    kind: str
    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class Sights:
    """What people may call about: places in metres, how bad it is there now, in the unit of `Calls.half_at`."""

    x: Floats
    y: Floats
    bad: Floats


@dataclass(frozen=True, slots=True)
class Danger:
    """What threatens at a place: water in cm, gas in %LEL, …, or none; now, and the most that there has been."""

    what: str
    now: float
    peak: float


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence of what will happen: when in the story, in Chinese and in English."""

    at_ms: float
    zh: str
    en: str


class Part:
    """One sort of thing that goes on in a city; the default does and shows nothing."""

    about = ""
    """What danger this is, as `Danger.what` and `Calls.about` say."""
    touches: tuple[str, ...] = ()
    """Kinds whose value at a sensor's place it changes, as the truth then tells of each."""

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Let time pass from `story_ms` on."""

    def see(self, glance: Glance) -> None:
        """Add to a look what is there."""

    def things(self) -> Sequence[Thing]:
        """Return what cameras could see now."""
        return ()

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return what is so now, physically: one row a quantity and place."""
        del story_ms, frame
        return []

    def sights(self) -> Sights | None:
        """Return what people may call about."""
        return None

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return where danger is or was, metres x and y, how bad it is now, and the most that it has been."""
        return None

    def told(self) -> Iterable[Told]:
        """Return what will happen, as far as the seed has drawn it."""
        return ()


def nearest_of(x: Floats, y: Floats, to_x: Floats, to_y: Floats) -> tuple[Ints, Floats]:
    """Return the nearest point of the second set to each of the first and its distance; 0 and inf without one."""
    if not len(to_x) or not len(x):
        return np.zeros(len(x), dtype=np.int64), np.full(len(x), np.inf)
    squared = (x[:, None] - to_x) ** 2 + (y[:, None] - to_y) ** 2
    nearest = np.argmin(squared, axis=1)
    return nearest.astype(np.int64), np.sqrt(squared[np.arange(len(x)), nearest])


def row(name: str, value: float, site: str, x: float, y: float, frame: LocalFrame, digits: int = 2) -> dict[str, Any]:
    """Return one row of truth at a place in metres."""
    lon, lat = frame.to_degrees(x, y)
    place = {"lon": round(float(lon), 6), "lat": round(float(lat), 6)}
    return {"truth": name, "v": round(float(value), digits), "site": site, **place}
