"""The zone sets of the city, cut from its unit grids or drawn around places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.ops import substring

from geo import E7, crs
from geo.city import MuckSite, Underpass
from geo.frame import LocalFrame
from geo.grids import GridSet, feature_collection
from geo.load import as_shapely
from geo.roads import Edge, RoadGraph
from geo.synthetic.ground import River
from geo.synthetic.sites import Ground, Sites

Floats = npt.NDArray[np.float64]


def zone_sets(rng: np.random.Generator, ground: Ground, sites: Sites, graph: RoadGraph) -> dict[str, bytes]:
    """GeoJSON by the name of the set."""
    frame = ground.terrain.frame
    return {
        "school": _circles(rng, ground, 42, 220.0, "学校周边", "第{}小学周边"),
        "no_dumping": _blocks(rng, ground.grids, 26, "禁倒区"),
        "no_vending": _blocks(rng, ground.grids, 18, "严禁设摊区"),
        "fire_lane": _circles(rng, ground, 60, 45.0, "消防通道", "{}号消防通道"),
        "river_bank": _banks(ground, ground.rivers),
        "underpasses": underpass_zones(frame, sites.underpasses),
        "muck_corridors": corridors(frame, sites.muck_sites, graph),
        "sidewalks": sidewalks(frame, graph),
    }


def underpass_zones(frame: LocalFrame, underpasses: Sequence[Underpass]) -> bytes:
    """The low part of each underpass, a ring of 80 m around its sag; its sensors lie inside, road sensors do not."""
    turn = np.arange(16) * (2 * np.pi / 16)
    features = []
    for underpass in underpasses:
        x, y = frame.to_metres(np.array([underpass.lon]), np.array([underpass.lat]))
        lon, lat = crs.quantize(*frame.to_degrees(x + 80.0 * np.cos(turn), y + 80.0 * np.sin(turn)))
        ring = (np.stack([lon, lat], axis=1) / E7).tolist()
        properties = {"name": underpass.name, "use": "下穿通道", "underpass": underpass.id}
        features.append(_feature(properties, [[[*ring, ring[0]]]]))
    return feature_collection(features)


def rings(frame: LocalFrame, places: Iterable[tuple[float, float, str, str]], radius_m: float, kind: str) -> bytes:
    """A ring around each place (lon, lat, grid, name)."""
    turn = np.arange(16) * (2 * np.pi / 16)
    features = []
    for lon, lat, _, name in places:
        x, y = frame.to_metres(lon, lat)
        ring = _degrees(frame, x + radius_m * np.cos(turn), y + radius_m * np.sin(turn))
        features.append(_feature({"name": f"{name}{kind}", "use": kind}, [[ring]]))
    return feature_collection(features)


def _circles(rng: np.random.Generator, ground: Ground, count: int, radius_m: float, kind: str, name: str) -> bytes:
    features: list[dict[str, Any]] = []
    while len(features) < count:
        x, y = rng.normal(0.0, 4200.0, 2)
        if rng.random() > ground.built(np.atleast_1d(x), np.atleast_1d(y))[0] or not ground.place(x, y)[2]:
            continue
        turn = np.arange(16) * (2 * np.pi / 16)
        reach = radius_m * rng.uniform(0.8, 1.2, 16)
        ring = _degrees(ground.terrain.frame, x + reach * np.cos(turn), y + reach * np.sin(turn))
        features.append(_feature({"name": name.format(len(features) + 1), "use": kind}, [[ring]]))
    return feature_collection(features)


def _blocks(rng: np.random.Generator, grids: GridSet, count: int, kind: str) -> bytes:
    """Whole communities of the core, as the union of their grids."""
    community = np.array([code[:12] for code in grids.codes])
    small = np.array([p["size_m"] for p in grids.properties]) == 100
    core = np.unique(community[small])
    chosen = np.sort(rng.choice(core, min(count, core.size), replace=False))
    features = []
    for code in chosen.tolist():
        rows = np.flatnonzero((community == code) & small)
        merged = shapely.union_all(as_shapely(grids.polygons.take(rows)))
        parts = [_exact(part) for part in getattr(merged, "geoms", [merged])]
        name = str(grids.properties[int(rows[0])]["community_name"])
        features.append(_feature({"name": f"{name}{kind}", "use": kind, "community": code}, parts))
    return feature_collection(features)


def _exact(polygon: shapely.Polygon) -> list[list[list[float]]]:
    rings = [polygon.exterior, *polygon.interiors]
    return [[[round(x) / E7, round(y) / E7] for x, y in ring.coords] for ring in rings]


def _banks(ground: Ground, rivers: Sequence[River]) -> bytes:
    """A strip of 120 m to both sides of each river."""
    features = []
    for i, river in enumerate(rivers, start=1):
        strip = shapely.LineString(river.line[::2]).buffer(120.0, quad_segs=2).simplify(8.0)
        features.append(
            _feature({"name": f"河道管理范围{i}", "use": "河道管理范围"}, [_rings(ground.terrain.frame, strip)])
        )
    return feature_collection(features)


def corridors(frame: LocalFrame, served: Sequence[MuckSite], graph: RoadGraph) -> bytes:
    """Permitted roads of muck trucks with 30 m to both sides, and the yards of the sites that they serve."""
    strips = [_line(frame, e).buffer(e.width_m / 2 + 30.0, quad_segs=2) for e in graph.edges if e.muck]
    yards = [shapely.Point(*frame.to_metres(m.lon, m.lat)).buffer(130.0, quad_segs=3) for m in served]
    merged = shapely.union_all([*strips, *yards]).simplify(2.0)
    properties = {"name": "建筑垃圾运输准许路线", "use": "渣土运输准许路线"}
    return feature_collection([_feature(properties, [_rings(frame, part) for part in shapely.get_parts(merged)])])


def sidewalks(frame: LocalFrame, graph: RoadGraph) -> bytes:
    """Strips of 5 m on both sides of the larger streets of the core, a feature a stretch."""
    features = []
    for edge in graph.edges:
        line = _line(frame, edge)
        middle = line.interpolate(0.5, normalized=True)
        if edge.kind not in ("main", "secondary") or line.length < 120 or np.hypot(middle.x, middle.y) > 2600:
            continue
        clear = substring(line, 25.0, line.length - 25.0)
        half = edge.width_m / 2
        parts = [[_degrees(frame, *_strip(clear, side * half, side * (half + 5.0)).T)] for side in (1, -1)]
        features.append(_feature({"name": f"{edge.name}人行道", "use": "人行道"}, parts))
    return feature_collection(features)


def _strip(line: shapely.LineString, inner_m: float, outer_m: float) -> Floats:
    """The ring between two lines beside a line that bends little."""
    xy = np.array(line.coords)
    heading = np.gradient(xy, axis=0)
    normal = np.stack([-heading[:, 1], heading[:, 0]], axis=1) / np.hypot(heading[:, 0], heading[:, 1])[:, None]
    return np.concatenate([xy + inner_m * normal, (xy + outer_m * normal)[::-1]])


def _line(frame: LocalFrame, edge: Edge) -> shapely.LineString:
    return shapely.LineString(np.stack(frame.to_metres(edge.path[:, 0], edge.path[:, 1]), axis=1))


def _rings(frame: LocalFrame, polygon: shapely.Polygon) -> list[list[list[float]]]:
    return [_degrees(frame, *np.array(ring.coords)[:-1].T) for ring in (polygon.exterior, *polygon.interiors)]


def _degrees(frame: LocalFrame, x: Floats, y: Floats) -> list[list[float]]:
    lon, lat = crs.quantize(*frame.to_degrees(x, y))
    ring = np.stack([lon, lat], axis=1) / E7
    return [*ring.tolist(), ring[0].tolist()]


def _feature(properties: Mapping[str, Any], parts: Sequence[Any]) -> dict[str, Any]:
    single = len(parts) == 1
    geometry = {"type": "Polygon" if single else "MultiPolygon", "coordinates": parts[0] if single else list(parts)}
    return {"type": "Feature", "properties": dict(properties), "geometry": geometry}
