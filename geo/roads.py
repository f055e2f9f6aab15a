"""Roads: a graph of stretches between crossings, the shortest way over it, and places along a way."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geo import E7
from geo.errors import GeoError
from geo.frame import LocalFrame
from geo.grids import feature_collection
from geo.lines import Line, load_lines

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_Step = tuple[int, float, float]
"""An edge, and from where to where on it, in metres."""
USUAL_WIDTH_M: Final = 12.0


class NoWay(GeoError):
    """Two places that no allowed road connects, or a graph without an allowed road."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A stretch of road between two crossings, passable both ways.

    start, end: its crossings, rows of `RoadGraph.nodes`; kind: its class (main, secondary, branch, county, ...);
    muck: whether it is a permitted corridor for construction waste 建筑垃圾; path: float64[n, 2] of lon, lat from
    start to end; length_m: along it.
    """

    start: int
    end: int
    name: str
    kind: str
    width_m: float
    muck: bool
    path: Floats
    length_m: float


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on an edge: how far from the edge's start, and how far from the place that was asked for."""

    edge: int
    metres: float
    away_m: float


@dataclass(frozen=True, slots=True)
class _Segments:
    """All straight pieces of all edges, in metres: from (x, y) by (dx, dy), `before` metres along their edge."""

    edge: npt.NDArray[np.intp]
    x: Floats
    y: Floats
    dx: Floats
    dy: Floats
    length: Floats
    before: Floats


class RoadGraph:
    """Edges that meet where their ends are the same place (to 1e-7 degrees).

    nodes: float64[n, 2], lon and lat of each crossing, sorted; muck: bool[edges], the permitted corridors.
    """

    def __init__(self, paths: Sequence[Line], properties: Sequence[Mapping[str, Any]]) -> None:
        """`paths`: whole numbers of 1e-7 degrees, at least two places each."""
        ends = sorted({end for path in paths for end in (path[0], path[-1])})
        self.nodes: Floats = np.array(ends, np.float64).reshape(-1, 2) / E7
        row = {end: i for i, end in enumerate(ends)}
        middle = self.nodes.mean(axis=0) if ends else np.zeros(2)
        self._frame = LocalFrame.around(float(middle[0]), float(middle[1]))
        rows = zip(paths, properties, strict=True)
        self.edges: tuple[Edge, ...] = tuple(self._edge(row[p[0]], row[p[-1]], p, q) for p, q in rows)
        self.muck: Mask = np.array([edge.muck for edge in self.edges], np.bool_)

    @classmethod
    def load(cls, path: str | Path) -> RoadGraph:
        """Read a `roads.geojson` of LineStrings; properties (all may lack): name, class, width_m, muck.

        Raises FileRefused with every fault of the file.
        """
        layer = load_lines(Path(path), assume="wgs84")
        return cls(layer.paths, layer.properties)

    def _edge(self, start: int, end: int, path: Line, of: Mapping[str, Any]) -> Edge:
        lonlat = np.array(path, np.float64) / E7
        width = of.get("width_m")
        return Edge(
            start=start,
            end=end,
            name=str(of.get("name") or ""),
            kind=str(of.get("class") or ""),
            width_m=float(width) if isinstance(width, int | float) and 0 < width < 1000 else USUAL_WIDTH_M,
            muck=of.get("muck") is True,
            path=lonlat,
            length_m=self.length_m(lonlat),
        )

    def length_m(self, polyline: npt.ArrayLike) -> float:
        """Metres along a polyline of lon, lat, float64[n, 2]."""
        x, y = self._frame.to_metres(*np.asarray(polyline, np.float64).reshape(-1, 2).T)
        return float(np.hypot(np.diff(x), np.diff(y)).sum())

    def along(self, polyline: npt.ArrayLike, metres: npt.ArrayLike) -> tuple[Floats, Floats]:
        """(lon, lat) so many metres from the start of a polyline, of the shape of `metres`; its ends beyond them."""
        line = np.asarray(polyline, np.float64).reshape(-1, 2)
        x, y = self._frame.to_metres(line[:, 0], line[:, 1])
        at = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        wanted = np.asarray(metres, np.float64)
        return np.interp(wanted, at, line[:, 0]), np.interp(wanted, at, line[:, 1])

    def nearest(self, lon: float, lat: float, allowed: Mask | None = None) -> Spot:
        """The nearest place on an allowed edge (all edges if None). Raises NoWay if there is none."""
        s = self._segments
        x, y = (float(v) for v in self._frame.to_metres(lon, lat))
        share = np.clip(((x - s.x) * s.dx + (y - s.y) * s.dy) / np.maximum(s.length**2, 1e-12), 0.0, 1.0)
        away = np.hypot(s.x + share * s.dx - x, s.y + share * s.dy - y)
        if allowed is not None:
            away = np.where(allowed[s.edge], away, np.inf)
        if not away.size or not np.isfinite(best := away[i := int(away.argmin())]):
            raise NoWay(f"no allowed road near {lon:.6f}, {lat:.6f}")
        return Spot(int(s.edge[i]), float(s.before[i] + share[i] * s.length[i]), float(best))

    def route(
        self, from_lon: float, from_lat: float, to_lon: float, to_lat: float, allowed: Mask | None = None
    ) -> Floats:
        """The shortest way over allowed edges (bool[edges]; all if None), float64[n, 2] of lon, lat.

        It begins and ends on the roads, at the places nearest to those that were asked for. Raises NoWay.
        """
        a, b = self.nearest(from_lon, from_lat, allowed), self.nearest(to_lon, to_lat, allowed)
        direct_m = abs(b.metres - a.metres) if a.edge == b.edge else np.inf
        around_m, steps = self._shortest(a, b, allowed)
        if not np.isfinite(min(direct_m, around_m)):
            raise NoWay(f"no allowed road leads from {from_lon:.6f}, {from_lat:.6f} to {to_lon:.6f}, {to_lat:.6f}")
        if direct_m <= around_m:
            steps = [(a.edge, a.metres, b.metres)]
        line = np.concatenate([self._piece(*step) for step in steps])
        moved = np.concatenate([[True], (np.diff(line, axis=0) != 0.0).any(axis=1)])
        return line[moved] if moved.sum() > 1 else line[:2]

    def _shortest(self, a: Spot, b: Spot, allowed: Mask | None) -> tuple[float, list[_Step]]:
        """Dijkstra from a to b by way of crossings: metres (inf: not reached), and the steps."""
        came: dict[int, tuple[int, _Step]] = {}
        heap = [(abs(a.metres - at), node, -1, (a.edge, a.metres, at)) for node, at in self._ends(a.edge)]
        heapq.heapify(heap)
        goal = dict(self._ends(b.edge))
        best_m, best = np.inf, -1
        while heap and heap[0][0] < best_m:
            cost_m, node, before, step = heapq.heappop(heap)
            if node in came:
                continue
            came[node] = before, step
            for end, at in self._ends(b.edge) if node in goal else ():
                if end == node and cost_m + abs(b.metres - at) < best_m:
                    best_m, best, goal[node] = cost_m + abs(b.metres - at), node, at
            for edge, at, to, to_at in self._leaving[node]:
                if to not in came and (allowed is None or allowed[edge]):
                    heapq.heappush(heap, (cost_m + self.edges[edge].length_m, to, node, (edge, at, to_at)))
        if best < 0:
            return np.inf, []
        steps = [(b.edge, goal[best], b.metres)]
        node = best
        while node >= 0:
            node, step = came[node]
            steps.append(step)
        return float(best_m), steps[::-1]

    def _ends(self, edge: int) -> tuple[tuple[int, float], tuple[int, float]]:
        """Both crossings of an edge, and how many metres from its start each lies."""
        one = self.edges[edge]
        return (one.start, 0.0), (one.end, one.length_m)

    def _piece(self, edge: int, from_m: float, to_m: float) -> Floats:
        """The part of an edge between two places on it, in that direction."""
        path = self.edges[edge].path
        x, y = self._frame.to_metres(path[:, 0], path[:, 1])
        at = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        low, high = min(from_m, to_m), max(from_m, to_m)
        between = path[(at > low) & (at < high)]
        ends = np.stack([np.interp([low, high], at, path[:, i]) for i in (0, 1)], axis=1)
        line = np.concatenate([ends[:1], between, ends[1:]])
        return line if from_m <= to_m else line[::-1]

    @cached_property
    def _leaving(self) -> list[list[tuple[int, float, int, float]]]:
        """By crossing: edge, metres of this end, the crossing at its other end, metres of that."""
        out: list[list[tuple[int, float, int, float]]] = [[] for _ in self.nodes]
        for i, edge in enumerate(self.edges):
            out[edge.start].append((i, 0.0, edge.end, edge.length_m))
            out[edge.end].append((i, edge.length_m, edge.start, 0.0))
        return out

    @cached_property
    def _segments(self) -> _Segments:
        parts = []
        for i, edge in enumerate(self.edges):
            x, y = self._frame.to_metres(edge.path[:, 0], edge.path[:, 1])
            dx, dy = np.diff(x), np.diff(y)
            length = np.hypot(dx, dy)
            before = np.cumsum(length) - length
            parts.append(np.stack([np.full(dx.size, float(i)), x[:-1], y[:-1], dx, dy, length, before]))
        table = np.concatenate(parts, axis=1) if parts else np.empty((7, 0))
        return _Segments(table[0].astype(np.intp), *table[1:])

    def geojson(self) -> bytes:
        """The roads as a GeoJSON FeatureCollection in WGS-84 degrees."""
        return feature_collection([_feature(edge) for edge in self.edges])


def _feature(edge: Edge) -> Mapping[str, Any]:
    properties = {"name": edge.name, "class": edge.kind, "width_m": edge.width_m, "muck": edge.muck}
    line = {"type": "LineString", "coordinates": edge.path.tolist()}
    return {"type": "Feature", "properties": properties, "geometry": line}
