"""A city's own files in: grids and zones of any declared coordinate system out as WGS-84 GeoJSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geo import codes
from geo.errors import BadCode, Fault, FileRefused
from geo.grids import CODE_KEYS, GridSet
from geo.load import Layer
from geo.zones import ZoneSet


def carries_codes(layer: Layer) -> bool:
    """Whether any feature has a unit-grid code, or what looks like one: then the file is of grids, else of zones."""
    keys = {key.lower() for properties in layer.properties for key in properties}
    return bool(keys & set(CODE_KEYS)) or any(codes.problem(str(i)) is None for i in layer.ids)


def grids(layer: Layer) -> GridSet:
    """The layer as grids. Raises FileRefused with every bad, missing or repeated code."""
    return GridSet.from_layer(layer)


def zones(layer: Layer, name: str) -> ZoneSet:
    """The layer as one zone set."""
    return ZoneSet(name, layer.polygons, layer.properties)


def numbered(layer: Layer) -> GridSet:
    """Give the layer's polygons new codes: serials by place within the `community` (12 digits) that each names.

    Raises FileRefused for a feature without such a community, and for a community of more than 999 grids.
    """
    community = [_community(properties) for properties in layer.properties]
    faults = [
        Fault(layer.file, where, "to be numbered, must name its community by 12 digits", repr(c))
        for where, c in zip(layer.wheres, community, strict=True)
        if codes.problem(f"{c}001") is not None
    ]
    code_of = [""] * len(community)
    middle, bounds = layer.polygons.middles(), layer.polygons.bounds().astype(np.int64)
    for name in sorted(set(community)) if not faults else []:
        rows = np.array([i for i, c in enumerate(community) if c == name])
        height = codes.row_height(bounds[rows, 3] - bounds[rows, 1])
        try:
            found = codes.generate(name, middle[rows, 0], middle[rows, 1], height)
        except BadCode as error:
            faults.append(Fault(layer.file, "", str(error), ""))
            continue
        for row, code in zip(rows.tolist(), found, strict=True):
            code_of[row] = code
    if faults:
        raise FileRefused(faults)
    order = np.argsort(np.array(code_of))
    properties = [{**layer.properties[i], "code": code_of[i]} for i in order.tolist()]
    return GridSet([code_of[i] for i in order.tolist()], layer.polygons.take(order), properties)


def _community(properties: Mapping[str, Any]) -> str:
    value = properties.get("community", "")
    return str(value) if type(value) in (str, int) else ""
