"""From a seed to a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from geo import codes
from geo.city import City
from geo.frame import LocalFrame
from geo.grids import GridSet
from geo.polygons import Polygons
from geo.synthetic import areas, communities, roads, sensors, sites
from geo.synthetic.communities import SEATS
from geo.synthetic.ground import River, rivers, terrain
from geo.synthetic.leaves import UNIT_M, Leaves, Wanted, divide
from geo.synthetic.noise import Noise
from geo.terrain import Terrain

Floats = npt.NDArray[np.float64]
KEY: Final = "shengzhou"
SENSORS: Final = 6700
_FACTS: Final = Path(__file__).parent / "shengzhou.json"
_MIDDLE: Final = (120.83, 29.60)
_OFFICES: Final = {
    "gas": "市燃气管理服务中心",
    "drainage": "市排水管网管理处",
    "fire": "市消防救援大队",
    "sanitation": "市环境卫生管理处",
    "traffic": "市公安局交通警察大队",
    "urban": "市综合行政执法局",
    "emergency": "市应急管理局",
    "water": "市水利水电局",
    "power": "市供电公司",
}
Field = Callable[[Floats, Floats], Floats]


class _Divisions(msgspec.Struct, frozen=True):
    source: str
    licence: str
    code: str
    name: str
    streets: dict[str, str]
    communities: dict[str, str]


def build(seed: int, folder: Path, rows: int = SENSORS) -> City:
    """Write the city of this seed into a folder, made if missing, with about `rows` rows in its registry.

    Files: city.json, grids.npz, terrain.npz, sensors.csv, roads.geojson, zones/<set>.geojson.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = msgspec.json.decode(_FACTS.read_bytes(), type=_Divisions)
    rng = np.random.default_rng(seed)
    frame = LocalFrame.around(*_MIDDLE)
    courses = rivers(rng)
    land = terrain(rng, frame, courses)
    leaves = divide(rng, frame, _wanted(rng, land))
    grids, officers = _grids(rng, leaves, facts)
    ground = sites.Ground(land, grids, courses, _built_up(rng))
    placed = sites.build(rng, ground)
    graph = roads.roads(seed, ground, placed.underpasses, facts.streets)
    sites.furnish(seed, ground, placed, roads.muck_sites(seed, ground, graph))
    _write_terrain(folder / "terrain.npz", land)
    _write_grids(folder / "grids.npz", grids)
    zones = folder / "zones"
    zones.mkdir(exist_ok=True)
    (folder / "roads.geojson").write_bytes(graph.geojson())
    for name, text in areas.zone_sets(rng, ground, placed, graph).items():
        (zones / f"{name}.geojson").write_bytes(text)
    (folder / "city.json").write_bytes(_city_json(seed, facts, frame, grids, courses, officers, placed))
    city = City(folder)
    city.registry_path.write_bytes(sensors.registry(city, rows, seed))
    return city


def _built_up(rng: np.random.Generator) -> Field:
    """How built-up a place is, 0..1."""
    ragged = Noise(rng, 1800.0)

    def built(x: Floats, y: Floats) -> Floats:
        core = np.clip((5600.0 + 900.0 * ragged(x, y) - np.hypot(x, y)) / 2600.0, 0.0, 1.0)
        nearest_town = np.min([np.hypot(x - sx, y - sy) for sx, sy, _ in SEATS.values()], axis=0)
        return np.asarray(np.maximum(core, np.clip((900.0 - nearest_town) / 500.0, 0.0, 0.8)), np.float64)

    return built


def _wanted(rng: np.random.Generator, land: Terrain) -> Wanted:
    """How large a unit grid may be: 1 (100 m) in the core and the middle of towns, up to 8 in the hills, 0 outside."""
    ragged, outline = Noise(rng, 2400.0), Noise(rng, 6500.0)

    def wanted(x: Floats, y: Floats) -> npt.NDArray[np.int64]:
        away = np.hypot(x, y) + 800.0 * ragged(x, y)
        town = np.min([np.hypot(x - sx, y - sy) for sx, sy, _ in SEATS.values()], axis=0) + 250.0 * ragged(y, x)
        high = land.elevation(*land.frame.to_degrees(x, y))
        size = np.where(high > 210.0, 8, 4)
        size = np.where((away < 7700.0) | (town < 1500.0), 2, size)
        size = np.where((away < 5750.0) | (town < 680.0), 1, size)
        return np.where(np.hypot(x, y * 0.97) < 17_200.0 + 1500.0 * outline(x, y), size, 0)

    return wanted


def _grids(rng: np.random.Generator, leaves: Leaves, facts: _Divisions) -> tuple[GridSet, list[str]]:
    community = communities.assign(rng, leaves, facts.communities)
    polygons = Polygons.build([[[ring]] for ring in leaves.rings])
    middle, bounds = polygons.middles(), polygons.bounds().astype(np.int64)
    code_of = [""] * len(leaves.rings)
    for name in np.unique(community).tolist():
        mine = np.flatnonzero(community == name)
        row_e7 = codes.row_height(bounds[mine, 3] - bounds[mine, 1])
        numbered = codes.generate(f"{name:012d}", middle[mine, 0], middle[mine, 1], row_e7)
        for leaf, code in zip(mine.tolist(), numbered, strict=True):
            code_of[leaf] = code
    order = np.argsort(np.array(code_of))
    ordered = [code_of[i] for i in order.tolist()]
    officers, looks_after = communities.officers(rng, [code[:12] for code in ordered])
    size_m = (leaves.size[order] * int(UNIT_M)).tolist()
    rows = zip(ordered, looks_after, size_m, strict=True)
    properties = [_properties(code, officer, size, facts) for code, officer, size in rows]
    return GridSet(ordered, polygons.take(order), properties), officers


def _properties(code: str, officer: int, size_m: int, facts: _Divisions) -> Mapping[str, Any]:
    community_name = facts.communities[code[:12]]
    name = f"{facts.streets[code[:9]]}{community_name}第{int(code[12:])}网格"
    community = {"community": code[:12], "community_name": community_name}
    return {"name": name, **community, "officer": officer, "size_m": size_m}


def _write_terrain(path: Path, land: Terrain) -> None:
    dm = np.rint(land.height_m.astype(np.float64) * 10).astype(np.int32)
    step = np.diff(np.diff(dm, axis=1, prepend=0), axis=0, prepend=0)
    place = np.array([land.west_m, land.south_m, land.cell_m])
    _write_npz(path, {"step_dm": step.astype(np.int16), "place": place})


def _write_grids(path: Path, grids: GridSet) -> None:
    p = grids.polygons
    pairs, vertex = np.unique(np.stack([p.x, p.y], axis=1), axis=0, return_inverse=True)
    step = np.diff(pairs.astype(np.int64), axis=0, prepend=0).astype(np.int32)
    arrays: dict[str, npt.NDArray[Any]] = {
        "dx": step[:, 0],
        "dy": step[:, 1],
        "vertex": vertex.ravel().astype(np.int32),
        "ring": p.ring,
        "part": p.part,
        "row": p.row,
        "community": np.array([int(code[:12]) for code in grids.codes], np.int64),
        "serial": np.array([int(code[12:]) for code in grids.codes], np.int16),
        "officer": np.array([q["officer"] for q in grids.properties], np.int32),
        "size_m": np.array([q["size_m"] for q in grids.properties], np.int32),
    }
    _write_npz(path, arrays)


def _write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """A compressed npz whose bytes depend on the arrays alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            file.writestr(entry, data.getvalue())


def _city_json(
    seed: int,
    facts: _Divisions,
    frame: LocalFrame,
    grids: GridSet,
    courses: list[River],
    officers: list[str],
    placed: sites.Sites,
) -> bytes:
    bounds = grids.polygons.bounds()
    low, high = bounds[:, :2].min(axis=0) / 1e7, bounds[:, 2:].max(axis=0) / 1e7
    content = {
        "key": KEY,
        "code": facts.code,
        "name": facts.name,
        "seed": seed,
        "frame": [frame.lon, frame.lat, frame.metres_per_lon, frame.metres_per_lat],
        "bounds": [*low.tolist(), *high.tolist()],
        "divisions": {facts.code: facts.name, **facts.streets, **facts.communities},
        "departments": _OFFICES | {code: _office(name) for code, name in facts.streets.items()},
        "seats": {code: _rounded(frame, np.array([[x, y]]))[0] for code, (x, y, _) in SEATS.items()},
        "river": [_rounded(frame, river.line) for river in courses],
        "underpasses": placed.underpasses,
        "low_points": placed.low_points,
        "drains": placed.drains,
        "rain_gauges": placed.rain_gauges,
        "gas_sites": placed.gas_sites,
        "officers": officers,
        "gas_spaces": placed.gas_spaces,
        "muck_sites": placed.muck_sites,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1)


def _rounded(frame: LocalFrame, line: Floats) -> list[tuple[float, float]]:
    lon, lat = frame.to_degrees(line[:, 0], line[:, 1])
    return [(round(a, 6), round(b, 6)) for a, b in zip(lon.tolist(), lat.tolist(), strict=True)]


def _office(street: str) -> str:
    """Who runs a street: its office, or a town's or township's government."""
    return f"{street}办事处" if street.endswith("街道") else f"{street}人民政府"
