"""Zone sets: named areas that rules ask about, such as no-dumping streets or school surroundings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from geo.errors import Fault, FileRefused, GeoError
from geo.grids import feature_collection
from geo.index import PolygonIndex
from geo.load import load_polygons
from geo.polygons import Polygons

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_MAGIC: Final = b"tongguan zones 1\n"
_SUFFIXES: Final = (".geojson", ".geojson.gz")


class ZoneSet:
    """Polygons under one name; a place is in the set if any of them contains it, border included."""

    def __init__(self, name: str, polygons: Polygons, properties: Sequence[Mapping[str, Any]] | None = None) -> None:
        self.name = name
        self.polygons = polygons
        self.properties: Sequence[Mapping[str, Any]] = properties if properties is not None else [{}] * len(polygons)

    @classmethod
    def from_geojson(
        cls, path: str | Path, crs: str | None = None, *, name: str | None = None, assume: str | None = None
    ) -> ZoneSet:
        """Load a set from a GeoJSON file; its name is the file's, without suffix, unless given.

        `crs` and `assume` as in `geo.load.load_polygons`. Raises FileRefused with every fault.
        """
        path = Path(path)
        layer = load_polygons(path, crs, assume)
        return cls(name or set_name(path), layer.polygons, layer.properties)

    def contains(self, lon_e7: npt.NDArray[np.int32], lat_e7: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Whether each place is in the set, bool[n]; False for NO_PLACE. Exact on whole numbers of 1e-7 degrees."""
        inside: npt.NDArray[np.bool_] = self._index.locate(lon_e7, lat_e7) >= 0
        return inside

    @cached_property
    def _index(self) -> PolygonIndex:
        return PolygonIndex(self.polygons)

    def canonical(self) -> bytes:
        """Name and polygons as bytes; equal sets give equal bytes."""
        name = self.name.encode()
        return b"".join([_MAGIC, len(name).to_bytes(8, "little"), name, self.polygons.pack()])

    @classmethod
    def from_canonical(cls, data: bytes) -> ZoneSet:
        """The set of `canonical`, without properties. Raises GeoError for other bytes."""
        start = len(_MAGIC) + 8
        if not data.startswith(_MAGIC) or len(data) < start:
            raise GeoError("these bytes are not a zone set")
        end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
        return cls(data[start:end].decode(), Polygons.unpack(data[end:]))

    def geojson(self) -> bytes:
        """The set as a GeoJSON FeatureCollection in WGS-84 degrees."""
        return feature_collection(
            [
                {"type": "Feature", "properties": dict(p), "geometry": self.polygons.geometry(row)}
                for row, p in enumerate(self.properties)
            ]
        )


def load_zones(folder: str | Path, *, assume: str | None = None) -> dict[str, ZoneSet]:
    """Every `<set>.geojson` of a folder, by name in ascending order.

    Raises FileRefused with the faults of all files.
    """
    sets: dict[str, ZoneSet] = {}
    faults: list[Fault] = []
    root = Path(folder)
    if not root.is_dir():
        raise FileRefused([Fault(str(root), "", "must be a folder of <set>.geojson files", "none")])
    for path in sorted(p for p in root.iterdir() if p.name.endswith(_SUFFIXES)):
        name = set_name(path)
        if not NAME.fullmatch(name):
            faults.append(Fault(str(path), "", "a zone set's name is lower-case letters, digits, _ . -", name))
            continue
        if name in sets:
            faults.append(Fault(str(path), "", "a zone set stands once", name))
            continue
        try:
            sets[name] = ZoneSet.from_geojson(path, assume=assume)
        except FileRefused as refusal:
            faults += refusal.faults
    if faults:
        raise FileRefused(faults)
    return dict(sorted(sets.items()))


def set_name(path: Path) -> str:
    """The name of the zone set that a file holds."""
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name
