"""Polygons of one layer as flat arrays of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geo import E7
from geo.errors import GeoError

Ring = Sequence[tuple[int, int]]
_MAGIC: Final = b"tongguan polygons 1\n"


@dataclass(frozen=True, slots=True)
class Polygons:
    """n polygons (each of one or more parts, a part of one shell and holes), counted in WGS-84 units of 1e-7 degrees.

    x, y: int32[v], vertices of all rings one after the other, a ring's first vertex not repeated at its end.
    ring: int32[r+1], ring i is vertices ring[i] up to ring[i+1].
    part: int32[p+1], part i is rings part[i] up to part[i+1]; its first ring is the shell.
    row: int32[n+1], polygon i is parts row[i] up to row[i+1].
    """

    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    ring: npt.NDArray[np.int32]
    part: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return int(self.row.size - 1)

    @classmethod
    def build(cls, rows: Sequence[Sequence[Sequence[Ring]]]) -> Polygons:
        """Lay out rows → parts → rings → (x, y) pairs of whole numbers; rings come open, and leave in canonical form.

        Canonical: a shell runs counter-clockwise and a hole clockwise, each from its least vertex; holes and parts are
        sorted.
        """
        flat: list[tuple[int, int]] = []
        ring, part, row = [0], [0], [0]
        for parts in rows:
            for rings in sorted(_canonical_part(p) for p in parts):
                for vertices in rings:
                    flat += vertices
                    ring.append(len(flat))
                part.append(len(ring) - 1)
            row.append(len(part) - 1)
        xy = np.array(flat, np.int32).reshape(-1, 2)
        ends = (np.array(a, np.int32) for a in (ring, part, row))
        return cls(np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1]), *ends)

    def bounds(self) -> npt.NDArray[np.int32]:
        """int32[n, 4]: least x, least y, greatest x, greatest y of each polygon."""
        if len(self) == 0:
            return np.empty((0, 4), np.int32)
        starts = self.ring[self.part[self.row[:-1]]]
        low = (np.minimum.reduceat(self.x, starts), np.minimum.reduceat(self.y, starts))
        high = (np.maximum.reduceat(self.x, starts), np.maximum.reduceat(self.y, starts))
        return np.stack([*low, *high], axis=1)

    def middles(self) -> npt.NDArray[np.int32]:
        """int32[n, 2]: the middle of each polygon's bounds, for labels and sorting."""
        b = self.bounds().astype(np.int64)
        return np.stack([(b[:, 0] + b[:, 2]) // 2, (b[:, 1] + b[:, 3]) // 2], axis=1).astype(np.int32)

    def rings_of(self, index: int) -> list[list[list[tuple[int, int]]]]:
        """Parts → rings → open list of (x, y) of one polygon."""
        parts = []
        for p in range(self.row[index], self.row[index + 1]):
            rings = range(self.part[p], self.part[p + 1])
            parts.append([self._vertices(r) for r in rings])
        return parts

    def _vertices(self, ring: int) -> list[tuple[int, int]]:
        span = slice(self.ring[ring], self.ring[ring + 1])
        return list(zip(self.x[span].tolist(), self.y[span].tolist(), strict=True))

    def geometry(self, index: int) -> dict[str, Any]:
        """The GeoJSON geometry of one polygon in degrees: a Polygon, or a MultiPolygon if it has several parts."""
        parts = [
            [[[x / E7, y / E7] for x, y in (*vertices, vertices[0])] for vertices in rings]
            for rings in self.rings_of(index)
        ]
        if len(parts) == 1:
            return {"type": "Polygon", "coordinates": parts[0]}
        return {"type": "MultiPolygon", "coordinates": parts}

    def take(self, rows: npt.NDArray[np.intp]) -> Polygons:
        """These polygons, in this order."""
        part, row = _gather(self.row, rows)
        ring, part_ends = _gather(self.part, part)
        vertex, ring_ends = _gather(self.ring, ring)
        return Polygons(self.x[vertex], self.y[vertex], ring_ends, part_ends, row)

    def pack(self) -> bytes:
        """Bytes of this layer (little endian); equal layers give equal bytes."""
        arrays = (self.row, self.part, self.ring, self.x, self.y)
        sizes = np.array([a.size for a in arrays], "<i8").tobytes()
        return b"".join([_MAGIC, sizes, *(a.astype("<i4").tobytes() for a in arrays)])

    @classmethod
    def unpack(cls, data: bytes) -> Polygons:
        """The layer of `pack`. Raises GeoError for other bytes."""
        start = len(_MAGIC) + 40
        if not data.startswith(_MAGIC) or len(data) < start:
            raise GeoError("these bytes are not a polygon layer")
        sizes = np.frombuffer(data, "<i8", 5, len(_MAGIC))
        if start + 4 * int(sizes.sum()) != len(data):
            raise GeoError("these bytes are a polygon layer cut short")
        arrays = []
        for size in sizes.tolist():
            arrays.append(np.frombuffer(data, "<i4", size, start).astype(np.int32))
            start += 4 * size
        row, part, ring, x, y = arrays
        return cls(x, y, ring, part, row)


def _gather(
    ends: npt.NDArray[np.int32], rows: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]:
    """Members of the chosen groups, and the ends of the groups in that list."""
    sizes = np.diff(ends)[rows]
    new_ends = np.concatenate([[0], np.cumsum(sizes)])
    members = np.arange(new_ends[-1]) + np.repeat(ends[:-1][rows] - new_ends[:-1], sizes)
    return members.astype(np.intp), new_ends.astype(np.int32)


def _canonical_part(rings: Sequence[Ring]) -> list[list[tuple[int, int]]]:
    shell, *holes = rings
    return [_canonical_ring(shell, 1), *sorted(_canonical_ring(hole, -1) for hole in holes)]


def _canonical_ring(ring: Ring, turn: int) -> list[tuple[int, int]]:
    """The ring from its least vertex, counter-clockwise if turn is 1, clockwise if it is -1."""
    vertices = list(ring)
    if twice_area(vertices) * turn < 0:
        vertices.reverse()
    first = vertices.index(min(vertices))
    return vertices[first:] + vertices[:first]


def twice_area(ring: Ring) -> int:
    """Twice the signed area of an open ring in square units; positive if it runs counter-clockwise. Exact."""
    total = 0
    before_x, before_y = ring[-1]
    for x, y in ring:
        total += before_x * y - x * before_y
        before_x, before_y = x, y
    return total
