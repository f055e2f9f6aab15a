"""Ways of vehicles as tables: every way is cut into equal steps, so that many vehicles can be placed at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from geo.frame import LocalFrame
from geo.roads import RoadGraph

STEP_M = 15.0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Line = npt.NDArray[np.float64]
"""float64[n, 2] in metres"""


class Ways:
    """Many ways; length_m: float64[ways]."""

    def __init__(self, lines: Sequence[Line]) -> None:
        cut = [_cut(line) for line in lines]
        self.length_m: Floats = np.array([length for _, length in cut], dtype=np.float64)
        longest = max((len(points) for points, _ in cut), default=1)
        self._points = np.zeros((len(cut), longest, 2))
        for i, (points, _) in enumerate(cut):
            self._points[i, : len(points)] = points
            self._points[i, len(points) :] = points[-1]

    def at(self, way: Ints, metres: Floats) -> tuple[Floats, Floats]:
        """Return where one is so many metres along a way, x and y in metres; its ends beyond them."""
        steps = np.clip(metres, 0.0, self.length_m[way]) / STEP_M
        before = np.minimum(steps.astype(np.int64), self._points.shape[1] - 2)
        share = np.clip(steps - before, 0.0, 1.0)[:, None]
        place = self._points[way, before] * (1.0 - share) + self._points[way, before + 1] * share
        return place[:, 0], place[:, 1]


def _cut(line: Line) -> tuple[Line, float]:
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    length = float(at[-1])
    # the last step reaches beyond the end, where the way stands still
    wanted = np.arange(0.0, length + 2 * STEP_M, STEP_M)
    return np.stack([np.interp(wanted, at, line[:, 0]), np.interp(wanted, at, line[:, 1])], axis=1), length


def metres(frame: LocalFrame, lonlat: npt.ArrayLike) -> Line:
    """Return a polyline of lon, lat in metres."""
    table = np.asarray(lonlat, dtype=np.float64).reshape(-1, 2)
    return np.stack(frame.to_metres(table[:, 0], table[:, 1]), axis=1)


class Walks:
    """Ways at random over a road graph, there and back."""

    def __init__(self, roads: RoadGraph, frame: LocalFrame) -> None:
        self._paths = [metres(frame, edge.path) for edge in roads.edges]
        self._ends = [(edge.start, edge.end) for edge in roads.edges]
        self._long = [edge.length_m for edge in roads.edges]
        self._leaving: list[list[int]] = [[] for _ in roads.nodes]
        for i, (start, end) in enumerate(self._ends):
            self._leaving[start].append(i)
            self._leaving[end].append(i)

    def walk(self, generator: np.random.Generator, reach_m: float) -> Line:
        """Return a way of about `reach_m` and back again, from an edge that chance picks."""
        edge = int(generator.integers(len(self._paths)))
        node, gone, parts = self._ends[edge][1], self._long[edge], [self._paths[edge]]
        while gone < reach_m:
            choice = [e for e in self._leaving[node] if e != edge] or [edge]
            edge = choice[int(generator.integers(len(choice)))]
            start, end = self._ends[edge]
            parts.append(self._paths[edge] if start == node else self._paths[edge][::-1])
            node, gone = (end if start == node else start), gone + self._long[edge]
        there = np.concatenate(parts)
        return np.concatenate([there, there[::-1]])


def figure(generator: np.random.Generator, reach_m: float) -> Line:
    """Return a closed figure around a place of its own, where there are no roads."""
    depot: Any = generator.uniform(-2_500.0, 2_500.0, 2)
    turn = np.linspace(0.0, 2 * np.pi, 200)
    east, north = 0.25 * reach_m * np.sin(turn), 0.15 * reach_m * np.sin(2.0 * turn)
    return np.stack([depot[0] + east, depot[1] + north], axis=1)
