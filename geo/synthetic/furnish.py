"""What a city's own folder lacks to be played: sites, sensors, roads and zones, made up from its grids.

The city's own files are never touched, and nothing of this stands in a plan of `serve` or `plan set`: a real city
knows the sensors that it has.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from geo import E7, city_folder, crs
from geo.city import City, Drain, Facts, GasSite, LowPoint, MuckSite, RainGauge, Sensor, Underpass
from geo.grids import GridSet
from geo.load import as_shapely
from geo.roads import RoadGraph
from geo.synthetic import areas, sensors

Floats = npt.NDArray[np.float64]
_BLOCK_M: Final = 360.0
_MOST_STREETS: Final = 60
_DIPS: Final = ("下穿", "隧道", "地道", "立交", "桥洞", "涵洞", "地下通道")


class _Places:
    """Places in the unit grids, small grids (the built-up ones) more often."""

    def __init__(self, rng: np.random.Generator, grids: GridSet) -> None:
        self._rng, self._grids = rng, grids
        weight = 1.0 / np.maximum([float(p.get("size_m") or 100.0) for p in grids.properties], 50.0) ** 2
        self._weight = weight / weight.sum()

    def some(self, count: int) -> Iterator[tuple[float, float, str, str]]:
        """So many places: lon, lat, code and name of the grid."""
        many = count > len(self._grids)
        rows = self._rng.choice(len(self._grids), count, replace=many, p=self._weight)
        for row, shape in zip(rows.tolist(), as_shapely(self._grids.polygons.take(rows)), strict=True):
            inside = shape.representative_point()
            name = str(self._grids.properties[row].get("name") or self._grids.codes[row])
            yield round(inside.x) / E7, round(inside.y) / E7, self._grids.codes[row], name


def playable(city: City, folder: Path) -> City:
    """The city itself if all that it is played with is there, else a furnished copy of it in `folder`."""
    owned = _owned(city.facts)
    alone = [s for s in city.sensors if s.kind in _SITED and s.sensor not in owned and s.lon is not None]
    if city.sensors and not alone:
        return city
    (folder / "zones").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([city.seed, 0xF0F])
    graph = _with_corridors(city.roads) if city.roads.edges else _lattice(city)
    grids = _sized(city.grids)
    facts = _around(city.facts, alone, grids) if city.sensors else _invented(rng, city.facts, grids, graph)
    (folder / "city.json").write_bytes(msgspec.json.encode(facts))
    (folder / "grids.geojson").write_bytes(grids.geojson())
    (folder / "roads.geojson").write_bytes(graph.geojson())
    _zones(rng, city, facts, graph, folder)
    made = City(folder)
    made.grids = grids
    if city.sensors:
        shutil.copyfile(city.registry_path, made.registry_path)
    else:
        rows = int(np.clip(len(grids) * 0.35, 400, 6700))
        made.registry_path.write_bytes(sensors.registry(made, rows, city.seed))
    return made


def _sized(grids: GridSet) -> GridSet:
    """Grids with what a made-up registry asks of their properties."""
    rows = [
        {"name": code, "community": code[:12], "size_m": 100.0, **properties}
        for code, properties in zip(grids.codes, grids.properties, strict=True)
    ]
    return GridSet(grids.codes, grids.polygons, rows)


_SITED: Final = ("water.level", "rain.minute", "drain.level", "gas.methane", "gas.pressure")


def _owned(facts: Facts) -> set[str]:
    sites: Sequence[Underpass | GasSite] = (*facts.underpasses, *facts.gas_sites, *facts.gas_spaces)
    single: Sequence[LowPoint | Drain | RainGauge] = (*facts.low_points, *facts.drains, *facts.rain_gauges)
    return {name for site in sites for name in site.sensors} | {site.sensor for site in single}


def _around(facts: Facts, alone: Sequence[Sensor], grids: GridSet) -> Facts:
    """A site for each sensor that has none, of a middling size."""
    places = np.array([(s.lon, s.lat) for s in alone], np.float64).reshape(-1, 2)
    x, y = crs.quantize(places[:, 0], places[:, 1])
    codes = [grids.code_of(row) or "" for row in grids.locate(x, y).tolist()]
    made: dict[str, list[msgspec.Struct]] = {"underpasses": [], "low_points": [], "drains": []}
    made |= {"rain_gauges": [], "gas_sites": []}
    for number, (sensor, code) in enumerate(zip(alone, codes, strict=True), start=1):
        part, site = _site(f"S{number:05d}", sensor, code)
        made[part].append(site)
    return msgspec.structs.replace(facts, **{part: (*getattr(facts, part), *more) for part, more in made.items()})


def _site(number: str, sensor: Sensor, grid: str) -> tuple[str, msgspec.Struct]:
    assert sensor.lon is not None
    assert sensor.lat is not None
    lon, lat, name = sensor.lon, sensor.lat, sensor.site or sensor.sensor
    if sensor.kind == "rain.minute":
        return "rain_gauges", RainGauge(number, name, lon, lat, sensor.sensor)
    if sensor.kind == "drain.level":
        return "drains", _drain(number, name, lon, lat, grid, sensor.sensor)
    if sensor.kind == "water.level":
        if any(word in name for word in _DIPS):
            return "underpasses", _underpass(number, name, lon, lat, grid, (sensor.sensor,))
        return "low_points", _low_point(number, name, lon, lat, grid, sensor.sensor)
    use = "regulator" if sensor.kind == "gas.pressure" else "kitchen"
    return "gas_sites", _gas_site(number, name, lon, lat, grid, use, number, (sensor.sensor,))


def _underpass(
    number: str, name: str, lon: float, lat: float, grid: str, names: tuple[str, ...], pumps: tuple[str, ...] = ()
) -> Underpass:
    return Underpass(number, name, lon, lat, grid, 10.0, 4.4, 240.0, 18.0, 59_000.0, 0.85, 0.26, names, pumps)


def _low_point(number: str, name: str, lon: float, lat: float, grid: str, sensor: str) -> LowPoint:
    return LowPoint(number, name, lon, lat, grid, 1500.0, 0.5, 25_000.0, 0.78, 0.33, sensor)


def _drain(number: str, name: str, lon: float, lat: float, grid: str, sensor: str) -> Drain:
    return Drain(number, name, lon, lat, grid, 1.0, 0.003, 1.31, 28_000.0, 0.7, None, sensor)


def _gas_site(
    number: str, name: str, lon: float, lat: float, grid: str, use: str, head: str, names: tuple[str, ...]
) -> GasSite:
    volume, air, kpa = {
        "regulator": (40.0, 6.0, 300.0),
        "valve_well": (5.0, 0.8, 300.0),
        "kitchen": (50.0, 6.0, 2.5),
        "basement": (300.0, 1.2, 2.5),
        "underground": (20.0, 0.4, 2.5),
        "outdoor": (0.0, 0.0, 300.0),
    }[use]
    return GasSite(number, name, lon, lat, grid, use, volume, air, head, kpa, names)


def _invented(rng: np.random.Generator, facts: Facts, grids: GridSet, graph: RoadGraph) -> Facts:
    """Sites all over the city, more in a larger one."""
    places = _Places(rng, grids)

    def some(each: int, least: int, most: int) -> Iterator[tuple[str, float, float, str, str]]:
        count = int(np.clip(len(grids) // each, least, most))
        for i, (lon, lat, grid, name) in enumerate(places.some(count), start=1):
            yield f"{i:03d}", lon, lat, grid, name

    dips = [
        _underpass(
            f"UP{n}", f"{name}下穿立交", lon, lat, grid, (f"WL-UP{n}-1", f"WL-UP{n}-2"), (f"PU-UP{n}-1", f"PU-UP{n}-2")
        )
        for n, lon, lat, grid, name in some(400, 2, 8)
    ]
    low = [
        _low_point(f"LP{n}", f"{name}路口", lon, lat, grid, f"WL-LP{n}")
        for n, lon, lat, grid, name in some(120, 4, 120)
    ]
    drains = [
        _drain(f"DR{n}", f"{name}雨水管井", lon, lat, grid, f"DL-DR{n}") for n, lon, lat, grid, name in some(80, 6, 240)
    ]
    gauges = [RainGauge(f"RG{n}", f"{name}雨量站", lon, lat, f"RN-RG{n}") for n, lon, lat, _, name in some(600, 2, 36)]
    heads = [
        _gas_site(f"GR{n}", f"{name}调压站", lon, lat, grid, "regulator", f"GR{n}", (f"GP-GR{n}", f"GM-GR{n}"))
        for n, lon, lat, grid, name in some(800, 1, 24)
    ]
    rooms = list(_rooms(heads, some(12, 16, 900)))
    spaces = list(_spaces(rooms[:60], heads))
    muck = _muck_sites(graph, grids)
    return msgspec.structs.replace(
        facts, underpasses=tuple(dips), low_points=tuple(low), drains=tuple(drains), rain_gauges=tuple(gauges),
        gas_sites=(*heads, *rooms), gas_spaces=tuple(spaces), muck_sites=tuple(muck),
    )  # fmt: skip


def _pair(name: str) -> tuple[str, str]:
    return f"{name}-1", f"{name}-2"


def _rooms(heads: Sequence[GasSite], places: Iterator[tuple[str, float, float, str, str]]) -> Iterator[GasSite]:
    uses = ("valve_well", "kitchen", "kitchen", "basement")
    nouns = {"valve_well": "燃气阀井", "kitchen": "餐饮后厨", "basement": "地下燃气间"}
    for n, lon, lat, grid, name in places:
        use = uses[int(n) % len(uses)]
        head = min(heads, key=lambda h: (h.lon - lon) ** 2 + (h.lat - lat) ** 2)
        own = (f"GM-GS{n}", f"GV-GS{n}") if use == "valve_well" else (f"GM-GS{n}",)
        yield _gas_site(f"GS{n}", f"{name}{nouns[use]}", lon, lat, grid, use, head.id, own)


def _spaces(rooms: Sequence[GasSite], heads: Sequence[GasSite]) -> Iterator[GasSite]:
    """Beside rooms an underground space, beside regulators the open air."""
    for i, room in enumerate(rooms, start=1):
        n = f"GU{i:03d}"
        yield _gas_site(
            n, f"{room.name}旁污水井", room.lon, room.lat, room.grid, "underground", room.regulator, (f"GU-{n}",)
        )
    for i, head in enumerate(heads, start=1):
        n = f"GO{i:03d}"
        yield _gas_site(n, f"{head.name}室外", head.lon, head.lat, head.grid, "outdoor", head.id, (f"GO-{n}",))


def _muck_sites(graph: RoadGraph, grids: GridSet) -> Iterator[MuckSite]:
    """Building sites and two disposal sites beside corridors, as far from each other as they come."""
    edges = [edge for edge in graph.edges if edge.muck]
    chosen = np.unique(np.linspace(0, len(edges) - 1, 8).astype(int)).tolist() if edges else []
    for number, index in enumerate(chosen, start=1):
        edge = edges[index]
        lon, lat = (round(float(v), 7) for v in graph.along(edge.path, edge.length_m / 2))
        row = int(grids.locate(*crs.quantize([lon], [lat]))[0])
        use = "disposal" if number in (1, len(chosen)) else "works"
        noun = "建筑垃圾消纳场" if use == "disposal" else "工地"
        yield MuckSite(f"MK{number:02d}", f"{edge.name}{number}号{noun}", lon, lat, grids.code_of(row) or "", use)


def _with_corridors(graph: RoadGraph) -> RoadGraph:
    """The roads as they are; if none of them is told to be a corridor for muck trucks, all are."""
    if graph.muck.any():
        return graph
    paths = [[(round(x * E7), round(y * E7)) for x, y in edge.path.tolist()] for edge in graph.edges]
    told = [{"name": e.name, "class": e.kind, "width_m": e.width_m, "muck": True} for e in graph.edges]
    return RoadGraph(paths, told)


def _lattice(city: City) -> RoadGraph:
    """Streets along and across its bounds, a block apart; every third is a corridor for muck trucks."""
    west, south, east, north = city.bounds
    left, bottom = (float(v) for v in city.frame.to_metres(west, south))
    right, top = (float(v) for v in city.frame.to_metres(east, north))
    columns, rows = (
        np.linspace(low, high, int(np.clip(round((high - low) / _BLOCK_M), 3, _MOST_STREETS)))
        for low, high in ((left, right), (bottom, top))
    )
    x, y = np.meshgrid(columns, rows, indexing="ij")
    lon, lat = (v.reshape(x.shape) for v in crs.quantize(*(v.ravel() for v in city.frame.to_degrees(x, y))))
    paths, properties = [], []
    for i, j in np.ndindex(x.shape):
        for k, m, line, name in ((i + 1, j, j, f"横{j + 1}路"), (i, j + 1, i, f"纵{i + 1}路")):
            if k < x.shape[0] and m < x.shape[1]:
                paths.append([(int(lon[i, j]), int(lat[i, j])), (int(lon[k, m]), int(lat[k, m]))])
                muck = line % 3 == 1
                kind = "main" if muck else "secondary" if line % 3 == 0 else "branch"
                properties.append({"name": name, "class": kind, "width_m": 32.0 if muck else 16.0, "muck": muck})
    return RoadGraph(paths, properties)


def _zones(rng: np.random.Generator, city: City, facts: Facts, graph: RoadGraph, folder: Path) -> None:
    """The city's own zone sets; made-up ones where it has none, or an empty one."""
    places = _Places(rng, city.grids)
    own = city.zones
    made = {
        "underpasses": areas.underpass_zones(city.frame, facts.underpasses),
        "muck_corridors": areas.corridors(city.frame, facts.muck_sites, graph),
        "sidewalks": areas.sidewalks(city.frame, graph),
        "school": areas.rings(city.frame, places.some(6), 200.0, "学校周边"),
        "fire_lane": areas.rings(city.frame, places.some(12), 45.0, "消防通道"),
        "no_dumping": areas.rings(city.frame, places.some(8), 150.0, "禁倒区"),
        "no_vending": areas.rings(city.frame, places.some(8), 150.0, "严禁设摊区"),
        "river_bank": areas.rings(city.frame, places.some(2), 120.0, "河道管理范围"),
    }
    for name, zones in own.items():
        if len(zones.polygons) and not (name == "muck_corridors" and city_folder.is_everywhere(zones)):
            made[name] = zones.geojson()
    for name, text in made.items():
        (folder / "zones" / f"{name}.geojson").write_bytes(text)
