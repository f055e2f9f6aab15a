"""Sumps and their pumps: groundwater seeps in all the time, rain in gushes; a float switches the pumps on and off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.flood import Flood
from simulators.ground import Ground
from simulators.part import Eye, Floats, Glance, Mask, Part, nearest_of, row
from simulators.streams import natures

KIND = "drain.pump"
ON_CM, OFF_CM, TOP_CM = 105.0, 40.0, 300.0
SEEPS_CM_MIN, LIFTS_CM_MIN, RAIN_CM_MIN = 0.45, 60.0, 0.7
"""The last: per mm/h of rain on the catchment."""
NEAR_M = 300.0
STARTS_CM = 20.0
"""How far above its start level a sump may stand while its pump starts."""


class Pumps(Part):
    """The sumps that a pump's sensor stands in; arrays by sensor, those of one site are one sump.

    powered: which places, in metres, have electricity.
    """

    about = "pump"

    def __init__(
        self, seed: int, ground: Ground, eye: Eye, flood: Flood | None, powered: Callable[[Floats, Floats], Mask]
    ) -> None:
        self._eye, self._flood = eye, flood
        self._powered = powered
        nature = natures(seed, [f"sump {eye.site(i)}" for i in range(len(eye.x))])
        self.sump_cm = OFF_CM + (ON_CM - OFF_CM) * nature[:, 0]
        self._seeps = SEEPS_CM_MIN * (0.4 + 1.2 * nature[:, 1])
        self.runs = np.zeros(len(eye.x), dtype=np.bool_)
        self._most = np.zeros(len(eye.x))
        if flood is not None:
            low = np.array([i for i, place in enumerate(ground.low) if place.use == "underpass"], dtype=np.int64)
            nearest, away = nearest_of(eye.x, eye.y, flood.x[low], flood.y[low])
            self._basin = np.where(away <= NEAR_M, low[nearest] if len(low) else -1, -1)

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Let water in and out."""
        minutes = dt_ms / 60_000.0
        comes, works, drowned = self._seeps.copy(), self._powered(self._eye.x, self._eye.y), np.zeros(len(self.runs))
        if self._flood is not None:
            comes += RAIN_CM_MIN * self._flood.rain.rate(story_ms, self._eye.x, self._eye.y)
            of = self._basin
            works &= np.where(of >= 0, self._flood.basins.pumps_left[of] > 0.0, True)
            drowned = np.where(of >= 0, self._flood.basins.depth_cm()[of], 0.0)
        wants = (self.sump_cm >= ON_CM) | (self.runs & (self.sump_cm > OFF_CM)) | (drowned > 0.0)
        self.runs = works & wants
        lifted = np.where(self.runs, LIFTS_CM_MIN, 0.0)
        self.sump_cm = np.clip(self.sump_cm + minutes * (comes - lifted), 0.0, TOP_CM)
        self.sump_cm = np.where((drowned > 1.0) & ~self.runs, TOP_CM, self.sump_cm)
        self._most = np.maximum(self._most, self._over())

    def see(self, glance: Glance) -> None:
        """Tell whether a pump runs, and how high the water stands in its sump."""
        if glance.kind == KIND:
            level = self.sump_cm[glance.position] * glance.gain + np.clip(glance.v, -1.0, 1.0)
            glance.v = self.runs[glance.position].astype(np.float64)
            glance.more[:, 0] = np.round(np.maximum(level, 0.0), 1)

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return every sump's level and whether its pump runs."""
        del story_ms
        rows = []
        for i, sensor in enumerate(self._eye.sensors):
            at = float(self._eye.x[i]), float(self._eye.y[i])
            rows.append(row("sump.cm", self.sump_cm[i], sensor, *at, frame, 1))
            rows.append(row("pump.runs", float(self.runs[i]), sensor, *at, frame, 0))
            if not self.runs[i]:
                waits = row("sump.unpumped_cm", self.sump_cm[i], sensor, *at, frame, 1)
                rows.append(waits | {"sensor": sensor, "kind": KIND})
        return rows

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return how far sumps stand above where their pumps should be running, cm."""
        return self._eye.x, self._eye.y, self._over(), self._most

    def _over(self) -> Floats:
        return np.asarray(np.maximum(self.sump_cm - ON_CM - STARTS_CM, 0.0), dtype=np.float64)
