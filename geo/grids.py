"""Unit grids 单元网格: which grid holds a place, and what is known of each grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from geo import codes as grid_codes
from geo.errors import Fault, FileRefused, GeoError
from geo.index import PolygonIndex
from geo.load import Layer, load_polygons
from geo.polygons import Polygons

CODE_KEYS: Final = ("code", "grid", "grid_code", "gridcode", "bgcode", "网格编码")
_MAGIC: Final = b"tongguan grids 1\n"


class GridSet:
    """Unit grids in ascending order of their codes, with an exact index.

    codes: the 15-digit codes, ascending; a grid's row is its place in there.
    polygons: their shapes, by row.
    properties: by row, what the source said of the grid (name, street, community, department, officer, ...).
    """

    def __init__(
        self, codes: Sequence[str], polygons: Polygons, properties: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        if len(codes) != len(polygons) or list(codes) != sorted(set(codes)):
            raise GeoError("grids need one polygon for each code, and codes that ascend without repeats")
        self.codes: tuple[str, ...] = tuple(codes)
        self.polygons = polygons
        self.properties: Sequence[Mapping[str, Any]] = properties if properties is not None else [{}] * len(codes)

    @classmethod
    def empty(cls) -> GridSet:
        """No grids: every place is outside."""
        return cls((), Polygons.build([]))

    @classmethod
    def from_geojson(cls, path: str | Path, crs: str | None = None, *, assume: str | None = None) -> GridSet:
        """Load grids from a GeoJSON file (.geojson, .json, .gz of these).

        A feature's code stands in one of the properties CODE_KEYS (any case) or in its `id`. `crs` and `assume` as in
        `geo.load.load_polygons`. Raises FileRefused with every fault, bad and repeated codes included.
        """
        return cls._of(load_polygons(Path(path), crs, assume, code_faults))

    @classmethod
    def from_layer(cls, layer: Layer) -> GridSet:
        """The same from a loaded layer."""
        faults = list(code_faults(layer))
        if faults:
            raise FileRefused(faults)
        return cls._of(layer)

    @classmethod
    def _of(cls, layer: Layer) -> GridSet:
        found = [_code(p, i) for p, i in zip(layer.properties, layer.ids, strict=True)]
        order = np.argsort(np.array(found, dtype="U15"), kind="stable") if found else np.empty(0, np.intp)
        rows = order.tolist()
        properties = [layer.properties[i] for i in rows]
        return cls([str(found[i]) for i in rows], layer.polygons.take(order), properties)

    def __len__(self) -> int:
        return len(self.codes)

    def prepare(self) -> None:
        """Build the index now, not at the first place that is asked for."""
        _ = self._index

    def locate(self, lon_e7: npt.NDArray[np.int32], lat_e7: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Row of the grid of each place, int32[n], or -1: outside every grid, or NO_PLACE.

        A place on a border belongs to the grid with the smallest code. Exact on whole numbers of 1e-7 degrees.
        """
        return self._index.locate(lon_e7, lat_e7)

    def code_of(self, row: int) -> str | None:
        """The code of a row as `locate` gives it; None for -1."""
        return self.codes[row] if row >= 0 else None

    def row_of(self, code: str) -> int:
        """The row of a code. Raises KeyError if there is no such grid."""
        return self._rows[code]

    @cached_property
    def _index(self) -> PolygonIndex:
        return PolygonIndex(self.polygons)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {code: row for row, code in enumerate(self.codes)}

    def canonical(self) -> bytes:
        """What of the grids shapes a decision, codes and polygons, as bytes; equal grids give equal bytes."""
        text = orjson.dumps(self.codes)
        return b"".join([_MAGIC, len(text).to_bytes(8, "little"), text, self.polygons.pack()])

    @classmethod
    def from_canonical(cls, data: bytes) -> GridSet:
        """The grids of `canonical`, without their properties. Raises GeoError for other bytes."""
        start = len(_MAGIC) + 8
        if not data.startswith(_MAGIC) or len(data) < start:
            raise GeoError("these bytes are not grids")
        end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
        return cls(orjson.loads(data[start:end]), Polygons.unpack(data[end:]))

    def feature(self, row: int) -> dict[str, Any]:
        """One grid as a GeoJSON feature in WGS-84 degrees, its code as `id` and in its properties."""
        code = self.codes[row]
        properties = {"code": code, **self.properties[row]}
        return {"type": "Feature", "id": code, "properties": properties, "geometry": self.polygons.geometry(row)}

    def geojson(self, rows: Iterable[int] | None = None) -> bytes:
        """A FeatureCollection of these rows (all if None), UTF-8, with its crs declared."""
        chosen = range(len(self)) if rows is None else rows
        return feature_collection([self.feature(int(row)) for row in chosen])

    def within(self, west: float, south: float, east: float, north: float) -> list[int]:
        """Rows of the grids whose bounds meet this box (degrees, borders included)."""
        b = self._degrees
        return np.flatnonzero((b[:, 0] <= east) & (b[:, 2] >= west) & (b[:, 1] <= north) & (b[:, 3] >= south)).tolist()

    @cached_property
    def _degrees(self) -> npt.NDArray[np.float64]:
        return self.polygons.bounds() / 1e7


def feature_collection(features: Sequence[Mapping[str, Any]]) -> bytes:
    """A GeoJSON FeatureCollection in WGS-84 with its `crs` declared, as UTF-8 bytes."""
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    return orjson.dumps({"type": "FeatureCollection", "crs": crs, "features": features})


def _code(properties: Mapping[str, Any], feature_id: str | int | None) -> object:
    if type(properties.get("code")) is str:
        return properties["code"]
    lowered = {key.lower(): value for key, value in properties.items()}
    for key in CODE_KEYS:
        if lowered.get(key) is not None:
            value = lowered[key]
            return str(value) if type(value) is int else value
    return str(feature_id) if type(feature_id) is int else feature_id


def code_faults(layer: Layer) -> Iterator[Fault]:
    """Missing, bad and repeated codes of a file's features."""
    first: dict[object, str] = {}
    for where, properties, feature_id in zip(layer.wheres, layer.properties, layer.ids, strict=True):
        code = _code(properties, feature_id)
        problem = grid_codes.problem(code)
        if code is None:
            rule = f"must carry its code in one of {', '.join(CODE_KEYS)} or in its id"
            yield Fault(layer.file, where, rule, "none")
        elif problem is not None:
            yield Fault(layer.file, where, problem, "")
        elif code in first:
            yield Fault(layer.file, where, f"a code stands once; it is also that of {first[code]}", "")
        else:
            first[code] = where
