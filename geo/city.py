"""The shipped city: real division names and codes, everything else made up from a seed.

`load()` reads little; grids, terrain, zones and sensors are read when they are first asked for.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from geo.crs import to_wgs84
from geo.errors import Fault, FileRefused
from geo.frame import LocalFrame
from geo.grids import GridSet
from geo.polygons import Polygons
from geo.roads import RoadGraph
from geo.terrain import Terrain
from geo.zones import ZoneSet, load_zones

DEFAULT: Final = "shengzhou"
SHIFTED: Final = ("gcj02", "bd09")
_SHIPPED: Final = Path(__file__).parent / "cities"


class Underpass(msgspec.Struct, frozen=True):
    """An underpass 下穿立交: a sag in a road that fills with water when more runs in than the pumps take out."""

    id: str
    name: str
    lon: float
    lat: float
    grid: str
    rim_m: float  # elevation of the road before it dips
    sag_m: float  # how far its lowest point lies below the rim
    length_m: float  # of the dip, along the road
    width_m: float
    catchment_m2: float  # ground whose water runs here
    runoff: float  # share of the rain that runs off, 0..1
    pump_m3_s: float
    sensors: tuple[str, ...]  # water.level, the first at the lowest point
    pumps: tuple[str, ...] = ()  # drain.pump, one a pump; each takes an equal share of pump_m3_s


class LowPoint(msgspec.Struct, frozen=True):
    """A low point of a road where water ponds 积水点."""

    id: str
    name: str
    lon: float
    lat: float
    grid: str
    basin_m2: float  # area that ponds when full
    depth_m: float  # at which it spills over
    catchment_m2: float
    runoff: float
    drain_m3_s: float
    sensor: str  # water.level


class Drain(msgspec.Struct, frozen=True):
    """A measured stretch of storm drain 雨水管段."""

    id: str
    name: str
    lon: float
    lat: float
    grid: str
    diameter_m: float
    slope: float
    capacity_m3_s: float  # running full, Manning with n = 0.013
    catchment_m2: float
    runoff: float
    downstream: str | None  # id of the next drain; None: into the river
    sensor: str  # drain.level


class RainGauge(msgspec.Struct, frozen=True):
    """A rain gauge 雨量站."""

    id: str
    name: str
    lon: float
    lat: float
    sensor: str  # rain.minute


class GasSite(msgspec.Struct, frozen=True):
    """A place of the gas network: a pressure regulator 调压站, or a room or chamber where gas may collect."""

    id: str
    name: str
    lon: float
    lat: float
    grid: str
    use: str  # regulator, valve_well, kitchen, basement; of `gas_spaces`: underground, outdoor
    volume_m3: float
    air_changes_h: float  # ventilation: volumes of air in an hour
    regulator: str  # id of the regulator that feeds it; its own for a regulator
    pressure_kpa: float  # nominal
    sensors: tuple[str, ...]
    """gas.methane of a room; gas.pressure and gas.methane of a regulator; a valve well may have gas.methane_well too;
    gas.methane_underground and gas.methane_outdoor of those uses."""


class MuckSite(msgspec.Struct, frozen=True):
    """Where muck trucks 渣土车 load or tip: a building site (use "works") or a disposal site ("disposal")."""

    id: str
    name: str
    lon: float
    lat: float
    grid: str
    use: str


class Sensor(msgspec.Struct, frozen=True):
    """One row of the registry; lon and lat in WGS-84, None for what moves."""

    sensor: str
    kind: str
    lon: float | None
    lat: float | None
    department: str
    site: str
    since: str
    gateway: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """city.json: what the other files of a city's folder do not say; a city's own may leave out what stands in it."""

    key: str
    code: str
    name: str
    seed: int = 0
    frame: tuple[float, float, float, float]
    bounds: tuple[float, float, float, float]
    divisions: dict[str, str] = {}
    departments: dict[str, str] = {}
    seats: dict[str, tuple[float, float]] = {}
    river: list[list[tuple[float, float]]] = []
    underpasses: tuple[Underpass, ...] = ()
    low_points: tuple[LowPoint, ...] = ()
    drains: tuple[Drain, ...] = ()
    rain_gauges: tuple[RainGauge, ...] = ()
    gas_sites: tuple[GasSite, ...] = ()
    officers: tuple[str, ...] = ()
    gas_spaces: tuple[GasSite, ...] = ()
    muck_sites: tuple[MuckSite, ...] = ()


class City:
    """A city in a folder, as `tongguan geo import --city DIR` and `tongguan geo city --out DIR` write it.

    city.json, and grids.geojson (or grids.npz); there may be sensors.csv, zones/, roads.geojson and terrain.npz.
    """

    def __init__(self, folder: str | Path) -> None:
        """Raises FileRefused if the folder holds no city."""
        self.folder = Path(folder)
        try:
            facts = msgspec.json.decode((self.folder / "city.json").read_bytes(), type=Facts)
        except (OSError, msgspec.DecodeError) as error:
            rule = "must be a city's folder, as `tongguan geo import GRIDS --city FOLDER` makes one"
            raise FileRefused([Fault(str(self.folder), "city.json", rule, str(error))]) from error
        self.facts = facts
        self.key: str = facts.key
        self.code: str = facts.code
        """6 digits of the county-level city."""
        self.name: str = facts.name
        self.seed: int = facts.seed
        self.frame = LocalFrame(*facts.frame)
        self.bounds: tuple[float, float, float, float] = facts.bounds
        """West, south, east, north in degrees."""
        self.divisions: Mapping[str, str] = facts.divisions
        """Name of each division by its code: county (6 digits), streets (9), communities (12)."""
        self.departments: Mapping[str, str] = facts.departments
        """Name by code: what cases are dispatched to, and the street offices (9 digits) that own grids."""
        self.seats: Mapping[str, tuple[float, float]] = facts.seats
        """Middle (lon, lat) of each street, by its 9-digit code."""
        self.river: Sequence[Sequence[tuple[float, float]]] = facts.river
        """Lines of (lon, lat), each from its source down."""
        self.underpasses: tuple[Underpass, ...] = facts.underpasses
        self.low_points: tuple[LowPoint, ...] = facts.low_points
        self.drains: tuple[Drain, ...] = facts.drains
        self.rain_gauges: tuple[RainGauge, ...] = facts.rain_gauges
        self.gas_sites: tuple[GasSite, ...] = facts.gas_sites
        self.gas_spaces: tuple[GasSite, ...] = facts.gas_spaces
        """Beside the gas network: underground spaces 相邻地下空间 where its gas may collect, and the open air."""
        self.muck_sites: tuple[MuckSite, ...] = facts.muck_sites
        self._officers = facts.officers

    def path(self, name: str) -> Path:
        """A file of the city, such as `sensors.csv`."""
        return self.folder / name

    @property
    def registry_path(self) -> Path:
        """The registry of its sensors, in the format of readings: sensor, kind, lon, lat, crs, department, site, ..."""
        return self.path("sensors.csv")

    @cached_property
    def grids(self) -> GridSet:
        """Its unit grids. Raises FileRefused.

        Properties: name, street, street_name, community, community_name, department (its street's), officer, size_m.
        """
        if not self.path("grids.npz").exists():
            return GridSet.from_geojson(self.path("grids.geojson"), assume="wgs84")
        with np.load(self.path("grids.npz")) as pack:
            vertex = pack["vertex"]
            ends = [pack[name] for name in ("ring", "part", "row")]
            x, y = (np.cumsum(pack[name], dtype=np.int32)[vertex] for name in ("dx", "dy"))
            serial, community = pack["serial"], pack["community"]
            officer, size_m = pack["officer"], pack["size_m"]
        codes = [f"{c:012d}{s:03d}" for c, s in zip(community.tolist(), serial.tolist(), strict=True)]
        properties = GridProperties(codes, officer.tolist(), size_m.tolist(), self._officers, self.divisions)
        return GridSet(codes, Polygons(x, y, *ends), properties)

    @cached_property
    def terrain(self) -> Terrain:
        """Its ground. Raises FileRefused where the folder has none."""
        if not self.path("terrain.npz").exists():
            raise FileRefused([Fault(str(self.folder), "terrain.npz", "this city has no terrain", "")])
        with np.load(self.path("terrain.npz")) as pack:
            dm = np.cumsum(np.cumsum(pack["step_dm"], axis=0, dtype=np.int32), axis=1, dtype=np.int32)
            west, south, cell = pack["place"].tolist()
        return Terrain((dm / 10).astype(np.float32), self.frame, west, south, cell)

    @cached_property
    def roads(self) -> RoadGraph:
        """Its roads, from `roads.geojson`; none without it. Raises FileRefused."""
        path = self.path("roads.geojson")
        return RoadGraph.load(path) if path.exists() else RoadGraph([], [])

    @cached_property
    def zones(self) -> dict[str, ZoneSet]:
        """Its zone sets by name, from the files in `zones_path`; none without it. Raises FileRefused."""
        return load_zones(self.zones_path, assume="wgs84") if self.zones_path.is_dir() else {}

    @property
    def zones_path(self) -> Path:
        """The folder of its zone sets."""
        return self.path("zones")

    @cached_property
    def sensors(self) -> tuple[Sensor, ...]:
        """The rows of its registry, in the order of the file; none without it."""
        if not self.registry_path.exists():
            return ()
        with self.registry_path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            try:
                return tuple(_sensor(row) for row in rows)
            except (KeyError, ValueError) as error:
                where = f"line {rows.line_num}"
                rule = "must have sensor, kind, and lon and lat in degrees"
                raise FileRefused([Fault(str(self.registry_path), where, rule, str(error))]) from error


class GridProperties(Sequence[Mapping[str, Any]]):
    """Properties of the city's grids, put together when a row is asked for."""

    def __init__(
        self,
        codes: Sequence[str],
        officer: Sequence[int],
        size_m: Sequence[int],
        officers: Sequence[str],
        divisions: Mapping[str, str],
    ) -> None:
        self._codes, self._officer, self._size_m = codes, officer, size_m
        self._officers, self._divisions = officers, divisions

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        code = self._codes[row]
        street, community = self._divisions[code[:9]], self._divisions[code[:12]]
        return {
            "name": f"{street}{community}第{int(code[12:])}网格",
            "street": code[:9],
            "street_name": street,
            "community": code[:12],
            "community_name": community,
            "department": code[:9],
            "officer": self._officers[self._officer[row]],
            "size_m": self._size_m[row],
        }


def _sensor(row: Mapping[str, str]) -> Sensor:
    """A row of a registry, of which all columns but the first two may lack."""
    said = {name: (row.get(name) or "").strip() for name in ("lon", "lat", "crs")}
    lon, lat = (float(said[name]) if said[name] else None for name in ("lon", "lat"))
    if lon is not None and lat is not None and said["crs"] in SHIFTED:
        lon, lat = (float(v) for v in to_wgs84(lon, lat, said["crs"]))
    rest = ((row.get(name) or "").strip() for name in ("department", "site", "since", "gateway"))
    return Sensor(row["sensor"].strip(), row["kind"].strip(), lon, lat, *rest)


def load(name: str = DEFAULT) -> City:
    """A shipped city by its key. Raises FileRefused if there is none."""
    if not name.replace("_", "").isalnum():
        raise FileRefused([Fault(name, "", "a city's key is letters, digits and _", name)])
    return City(_SHIPPED / name)
