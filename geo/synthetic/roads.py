"""The roads of the city: streets of the core, of the towns, and county roads between them.

Streets of the core run along and across the railway: roads with an underpass cross it there. All draws come from a
generator of their own, so that the rest of the city is as it was before it had roads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from geo import crs
from geo.city import MuckSite, Underpass
from geo.roads import RoadGraph
from geo.synthetic.communities import SEATS
from geo.synthetic.noise import Noise
from geo.synthetic.sites import ROADS, Ground

Floats = npt.NDArray[np.float64]
Place = tuple[float, float]

# Along the railway (u, towards south-east) and across it (v); roads of one u run across, of one v along.
_ALONG: Final = (0.7593, -0.6508)
_ACROSS: Final = (0.6508, 0.7593)
_U_ROADS: Final = (
    *((-4700.0, "江湾路"), (-3183.0, "官河路"), (-1556.0, "剡溪路"), (428.0, "越音路"), (2196.0, "领带路")),
    *((3731.0, "双塔路"), (5000.0, "五合路")),
)
_V_ROADS: Final = (
    *((-4110.0, "书圣路"), (-2028.0, "鹿鸣路"), (-350.0, "唐诗路"), (1050.0, "金湾路"), (2403.0, "艇湖路")),
    (4000.0, "兴剡路"),
)
_MUCK: Final = frozenset({"江湾路", "五合路", "书圣路", "兴剡路", "领带路", "金湾路"})
_WIDTH_M: Final = {"main": 32.0, "secondary": 20.0, "branch": 12.0, "county": 14.0, "town": 10.0}
_BLOCK_M: Final = 330.0
_WORKS: Final = ("安置房", "商业中心", "学校扩建", "医院迁建", "综合管廊", "科创园", "停车楼", "体育馆")


@dataclass
class _Net:
    """Stretches so far: ends and bends in metres, with name, class and whether muck trucks may pass."""

    rows: list[tuple[list[Place], str, str, bool]] = field(default_factory=list)

    def add(self, places: Sequence[Place], name: str, kind: str, muck: bool = False) -> None:
        """Add a stretch."""
        self.rows.append((list(places), name, kind, muck))

    def nodes(self, muck: bool = False) -> Floats:
        """Both ends of all stretches (only of corridors), float64[n, 2], sorted."""
        return np.array(sorted({end for p, _, _, m in self.rows if m or not muck for end in (p[0], p[-1])}))


def roads(seed: int, ground: Ground, underpasses: Sequence[Underpass], streets: Mapping[str, str]) -> RoadGraph:
    """The road graph of this seed; `streets`: names by 9-digit code."""
    rng = np.random.default_rng([seed, 0x60AD])
    net = _Net()
    _core(rng, ground, underpasses, net)
    for seat, (x, y, _) in SEATS.items():
        if seat[6:] >= "100":
            _town(rng, streets[seat].rstrip("镇乡"), (x, y), net)
    _county(rng, net)
    return _graph(ground, net)


def _core(rng: np.random.Generator, ground: Ground, underpasses: Sequence[Underpass], net: _Net) -> None:
    names = iter([*(r for r in ROADS if r not in dict(_known())), *_further()])
    us, vs = _lines(_U_ROADS, names), _lines(_V_ROADS, names)
    u, v = np.meshgrid([at for at, _, _ in us], [at for at, _, _ in vs], indexing="ij")
    x, y = u * _ALONG[0] + v * _ACROSS[0], u * _ALONG[1] + v * _ACROSS[1]
    bend = Noise(rng, 2600.0), Noise(rng, 2600.0)
    x, y = x + 130.0 * bend[0](x, y), y + 130.0 * bend[1](x, y)
    x, y = _through(x, y, us, vs, ground, underpasses)
    built, water = ground.built(x, y), shapely.MultiLineString([river.line for river in ground.rivers])
    shapely.prepare(water)
    for i in range(len(us)):
        for j in range(len(vs)):
            for k, m, (_, name, kind) in ((i + 1, j, vs[j]), (i, j + 1, us[i])):
                if k == len(us) or m == len(vs):
                    continue
                ends = [(float(x[i, j]), float(y[i, j])), (float(x[k, m]), float(y[k, m]))]
                minor = kind == "branch" and min(built[i, j], built[k, m]) < 0.25
                if minor or (kind == "branch" and water.intersects(shapely.LineString(ends))):
                    continue
                net.add(_by_way_of(ends, name, ground, underpasses), name, kind, name in _MUCK)


def _known() -> Iterator[tuple[str, float]]:
    yield from ((name, at) for at, name in (*_U_ROADS, *_V_ROADS))


def _further() -> Iterator[str]:
    for name in ROADS:
        for side in "东西南北":
            yield f"{name[:-1]}{side}路"


def _lines(main: Sequence[tuple[float, str]], names: Iterator[str]) -> list[tuple[float, str, str]]:
    """Where roads run: the given ones, and branches between them a block apart."""
    out: list[tuple[float, str, str]] = []
    for (at, name), (until, _) in pairwise([*main, main[-1]]):
        out.append((at, name, "main" if name in _MUCK or len(out) % 2 == 0 else "secondary"))
        blocks = max(1, round((until - at) / _BLOCK_M))
        out += [(at + (until - at) * b / blocks, next(names), "branch") for b in range(1, blocks)]
    return out


def _through(
    x: Floats, y: Floats, us: Sequence[tuple[float, str, str]], vs: Sequence[tuple[float, str, str]], ground: Ground,
    underpasses: Sequence[Underpass],
) -> tuple[Floats, Floats]:  # fmt: skip
    """Bend the streets so that each underpass lies on the road it is named after."""
    for _ in range(3):
        for underpass in underpasses:
            px, py = (float(a) for a in ground.terrain.frame.to_metres(underpass.lon, underpass.lat))
            road = underpass.name.partition("下穿")[0]
            lines = [(x[i], y[i]) for i, row in enumerate(us) if row[1] == road]
            lines += [(x[:, j], y[:, j]) for j, row in enumerate(vs) if row[1] == road]
            if lines:
                line = shapely.LineString(np.stack(lines[0], axis=1))
                at = line.interpolate(line.project(shapely.Point(px, py)))
                pull = np.exp(-(((x - px) ** 2 + (y - py) ** 2) / 900.0**2))
                x, y = x + (px - at.x) * pull, y + (py - at.y) * pull
    return x, y


def _by_way_of(ends: list[Place], name: str, ground: Ground, underpasses: Sequence[Underpass]) -> list[Place]:
    """The stretch with a bend at its underpass, if it has one."""
    line = shapely.LineString(ends)
    for underpass in underpasses:
        place = shapely.Point(*ground.terrain.frame.to_metres(underpass.lon, underpass.lat))
        here = underpass.name.startswith(f"{name}下穿") and line.distance(place) < 40.0
        if here and 15.0 < line.project(place) < line.length - 15.0:
            return [ends[0], (place.x, place.y), ends[1]]
    return ends


def _town(rng: np.random.Generator, town: str, middle: Place, net: _Net) -> None:
    """A few streets around the middle of a town."""
    turn, count = rng.uniform(0.0, np.pi / 2), int(rng.integers(2, 4))
    step = np.arange(-count, count + 1) * 240.0
    a, b = np.meshgrid(step, step, indexing="ij")
    x = middle[0] + a * np.cos(turn) - b * np.sin(turn)
    y = middle[1] + a * np.sin(turn) + b * np.cos(turn)
    for i, j in np.ndindex(x.shape):
        for k, m, name in ((i + 1, j, f"{town}{'一二三四五六七'[j]}街"), (i, j + 1, f"{town}{'东中西南北前后'[i]}路")):
            if k < len(step) and m < len(step):
                net.add([(float(x[i, j]), float(y[i, j])), (float(x[k, m]), float(y[k, m]))], name, "town")


def _county(rng: np.random.Generator, net: _Net) -> None:
    """A road from each town to the nearest town that lies nearer to the core, or to a corridor of the core."""
    towns = {seat: place for seat, place in SEATS.items() if seat[6:] >= "100"}
    corridor = net.nodes(muck=True)
    for number, (x, y, _) in enumerate(sorted(towns.values(), key=lambda p: np.hypot(p[0], p[1])), start=301):
        core = corridor[int(np.hypot(*(corridor - (x, y)).T).argmin())]
        ends = [(float(core[0]), float(core[1]))]
        ends += [(float(a), float(b)) for a, b, _ in towns.values() if np.hypot(a, b) < np.hypot(x, y) - 1.0]
        nearest = min(ends, key=lambda end: float(np.hypot(end[0] - x, end[1] - y)))
        net.add(_winding(rng, (float(x), float(y)), nearest), f"X{number}县道", "county", muck=True)


def _winding(rng: np.random.Generator, start: Place, end: Place) -> list[Place]:
    count = max(2, int(np.hypot(end[0] - start[0], end[1] - start[1]) / 400.0))
    share = np.arange(1, count) / count
    wave = np.sin(share * np.pi * rng.uniform(2.0, 4.0)) * np.sin(share * np.pi) * rng.uniform(120.0, 320.0)
    away = np.hypot(end[0] - start[0], end[1] - start[1])
    x = start[0] + share * (end[0] - start[0]) - wave * (end[1] - start[1]) / away
    y = start[1] + share * (end[1] - start[1]) + wave * (end[0] - start[0]) / away
    return [start, *zip(x.tolist(), y.tolist(), strict=True), end]


def _graph(ground: Ground, net: _Net) -> RoadGraph:
    paths, properties = [], []
    for places, name, kind, muck in net.rows:
        x, y = np.array(places).T
        lon, lat = crs.quantize(*ground.terrain.frame.to_degrees(x, y))
        if (ground.grids.locate(lon, lat) < 0).any():
            continue
        paths.append(list(zip(lon.tolist(), lat.tolist(), strict=True)))
        properties.append({"name": name, "class": kind, "width_m": _WIDTH_M[kind], "muck": muck})
    connected = _largest_piece(paths)
    return RoadGraph([paths[i] for i in connected], [properties[i] for i in connected])


def _largest_piece(paths: Sequence[Sequence[tuple[int, int]]]) -> list[int]:
    """The stretches of the largest connected piece, in their order."""
    piece: dict[tuple[int, int], int] = {}
    members: dict[int, list[tuple[int, int]]] = {}
    for path in paths:
        for end in (path[0], path[-1]):
            if end not in piece:
                piece[end] = len(members)
                members[piece[end]] = [end]
        one, other = piece[path[0]], piece[path[-1]]
        if one != other:
            for end in members[other]:
                piece[end] = one
            members[one] += members.pop(other)
            members.setdefault(other, [])
    largest = max(members, key=lambda number: len(members[number]))
    return [i for i, path in enumerate(paths) if piece[path[0]] == largest]


def muck_sites(seed: int, ground: Ground, graph: RoadGraph) -> list[MuckSite]:
    """Building sites in the core and disposal sites beyond it, all beside permitted corridors."""
    rng = np.random.default_rng([seed, 0x3C4])
    edges = [edge for edge, muck in zip(graph.edges, graph.muck.tolist(), strict=True) if muck]
    x, y = ground.terrain.frame.to_metres(*np.array([graph.along(e.path, e.length_m / 2) for e in edges]).T)
    out: list[MuckSite] = []
    far = np.hypot(x, y)
    wanted = (("works", len(_WORKS), far < 5500.0, 1500.0), ("disposal", 3, far > 7500.0, 5000.0))
    for use, count, near, apart_m in wanted:
        taken: list[Place] = []
        for i in rng.permutation(np.flatnonzero(near)).tolist():
            place = float(x[i]) + 70.0, float(y[i]) + 45.0
            lon, lat, grid = ground.place(*place)
            if len(taken) == count or not grid or any(np.hypot(a - place[0], b - place[1]) < apart_m for a, b in taken):
                continue
            community = str(ground.grids.properties[ground.grids.row_of(grid)]["community_name"])
            name = f"{community}{_WORKS[len(taken)]}工地" if use == "works" else f"{community}建筑垃圾消纳场"
            out.append(MuckSite(f"MK{len(out) + 1:02d}", name, lon, lat, grid, use))
            taken.append(place)
    return out
