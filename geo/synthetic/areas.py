"""The zone sets of the city, cut from its unit grids or drawn around places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo import E7, crs
from geo.city import Underpass
from geo.frame import LocalFrame
from geo.grids import GridSet, feature_collection
from geo.load import as_shapely
from geo.synthetic.ground import River
from geo.synthetic.sites import Ground

Floats = npt.NDArray[np.float64]


def zone_sets(rng: np.random.Generator, ground: Ground, underpasses: Sequence[Underpass]) -> dict[str, bytes]:
    """GeoJSON by the name of the set."""
    return {
        "school": _circles(rng, ground, 42, 220.0, "学校周边", "第{}小学周边"),
        "no_dumping": _blocks(rng, ground.grids, 26, "禁倒区"),
        "no_vending": _blocks(rng, ground.grids, 18, "严禁设摊区"),
        "fire_lane": _circles(rng, ground, 60, 45.0, "消防通道", "{}号消防通道"),
        "river_bank": _banks(ground, ground.rivers),
        "underpasses": underpass_zones(ground.terrain.frame, underpasses),
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


def _circles(rng: np.random.Generator, ground: Ground, count: int, radius_m: float, kind: str, name: str) -> bytes:
    features: list[dict[str, Any]] = []
    while len(features) < count:
        x, y = rng.normal(0.0, 4200.0, 2)
        if rng.random() > ground.built(np.atleast_1d(x), np.atleast_1d(y))[0] or not ground.place(x, y)[2]:
            continue
        turn = np.arange(16) * (2 * np.pi / 16)
        reach = radius_m * rng.uniform(0.8, 1.2, 16)
        ring = _degrees(ground, x + reach * np.cos(turn), y + reach * np.sin(turn))
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
        rings = [np.array(r.coords)[:-1] for r in (strip.exterior, *strip.interiors)]
        part = [_degrees(ground, *ring.T) for ring in rings]
        features.append(_feature({"name": f"河道管理范围{i}", "use": "河道管理范围"}, [part]))
    return feature_collection(features)


def _degrees(ground: Ground, x: Floats, y: Floats) -> list[list[float]]:
    lon, lat = crs.quantize(*ground.terrain.frame.to_degrees(x, y))
    ring = np.stack([lon, lat], axis=1) / E7
    return [*ring.tolist(), ring[0].tolist()]


def _feature(properties: Mapping[str, Any], parts: Sequence[Any]) -> dict[str, Any]:
    single = len(parts) == 1
    geometry = {"type": "Polygon" if single else "MultiPolygon", "coordinates": parts[0] if single else list(parts)}
    return {"type": "Feature", "properties": dict(properties), "geometry": geometry}
