"""What the simulators need to know of a city: its low places, its gas network, the registry of its sensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geo.city import City, Drain, GasSite, LowPoint, Underpass
from geo.crs import quantize
from geo.frame import LocalFrame
from geo.roads import RoadGraph
from geo.zones import ZoneSet

M2_PER_HA = 10_000.0
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LowPlace:
    """Where water gathers; use: underpass, road or drain; sensors: who look at it."""

    name: str
    use: str
    lon: float
    lat: float
    catchment_ha: float
    runoff: float
    sensors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GasPlace:
    """A room, well or regulator of the gas network; regulator: the name of the place that feeds it."""

    name: str
    use: str
    lon: float
    lat: float
    volume_m3: float
    air_changes_h: float
    regulator: str
    sensors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Yard:
    """Where muck trucks load or tip."""

    name: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Ground:
    """A city to simulate; places in a fixed order."""

    name: str
    frame: LocalFrame
    low: tuple[LowPlace, ...]
    gas: tuple[GasPlace, ...]
    registry: Path
    roads: RoadGraph | None = None
    works: tuple[Yard, ...] = ()
    disposals: tuple[Yard, ...] = ()
    zones: Mapping[str, ZoneSet] = field(default_factory=dict)

    def inside(self, zone: str, lon: Floats, lat: Floats) -> Mask:
        """Tell which places lie in a zone set, none if there is no such set; what moves is in none."""
        there = np.isfinite(lon) & np.isfinite(lat)
        if zone not in self.zones or not there.any():
            return np.zeros(len(lon), dtype=np.bool_)
        there[there] = self.zones[zone].contains(*quantize(lon[there], lat[there]))
        return there


def ground_of(city: City) -> Ground:
    """Take from a city what the simulators need."""
    low = [_low(p, "underpass", p.sensors) for p in city.underpasses]
    low += [_low(p, "road", (p.sensor,)) for p in city.low_points]
    low += [_low(p, "drain", (p.sensor,)) for p in city.drains]
    names = {site.id: site.name for site in city.gas_sites}
    gas = tuple(_gas(site, names.get(site.regulator, "")) for site in (*city.gas_sites, *city.gas_spaces))
    works, disposals = (
        tuple(Yard(site.name, site.lon, site.lat) for site in city.muck_sites if site.use == use)
        for use in ("works", "disposal")
    )
    roads = city.roads if city.roads.edges else None
    return Ground(city.name, city.frame, tuple(low), gas, city.registry_path, roads, works, disposals, dict(city.zones))


def _low(place: Underpass | LowPoint | Drain, use: str, sensors: tuple[str, ...]) -> LowPlace:
    return LowPlace(place.name, use, place.lon, place.lat, place.catchment_m2 / M2_PER_HA, place.runoff, tuple(sensors))


def _gas(site: GasSite, regulator: str) -> GasPlace:
    return GasPlace(
        site.name, site.use, site.lon, site.lat, site.volume_m3, site.air_changes_h, regulator, tuple(site.sensors)
    )
