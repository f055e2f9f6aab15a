"""A flat frame of metres over a city."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """Metres east (x) and north (y) of a middle; good to a few metres over a city of 40 km."""

    lon: float
    lat: float
    metres_per_lon: float
    metres_per_lat: float

    @classmethod
    def around(cls, lon: float, lat: float) -> LocalFrame:
        """The frame whose middle is this place, on the WGS-84 ellipsoid."""
        phi = np.deg2rad(lat)
        per_lat = 111132.954 - 559.822 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
        per_lon = 111412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
        return cls(lon, lat, round(float(per_lon), 6), round(float(per_lat), 6))

    def to_metres(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Floats, Floats]:
        """(x, y) in metres of WGS-84 degrees, float64 of the given shape."""
        x = (np.asarray(lon, np.float64) - self.lon) * self.metres_per_lon
        y = (np.asarray(lat, np.float64) - self.lat) * self.metres_per_lat
        return x, y

    def to_degrees(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
        """(lon, lat) of metres, float64 of the given shape."""
        lon = self.lon + np.asarray(x, np.float64) / self.metres_per_lon
        lat = self.lat + np.asarray(y, np.float64) / self.metres_per_lat
        return lon, lat

    def distance_m(self, lon1: npt.ArrayLike, lat1: npt.ArrayLike, lon2: npt.ArrayLike, lat2: npt.ArrayLike) -> Floats:
        """Metres between places, elementwise."""
        x1, y1 = self.to_metres(lon1, lat1)
        x2, y2 = self.to_metres(lon2, lat2)
        return np.hypot(x2 - x1, y2 - y1)
