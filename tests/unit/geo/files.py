"""A small district of a user's own, written as cities write theirs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import shapely

from geo import crs

WEST, SOUTH, SIDE = 119.5, 30.2, 0.001
STREET, COMMUNITIES = "330681001", ("330681001001", "330681001002")
Rings = list[npt.NDArray[np.float64]]


def rings(columns: int = 6, rows: int = 4) -> Rings:
    """Squares of about 100 m that share crooked edges, from west to east, north to south; float64[5, 2] each."""
    bend = np.random.default_rng(7).uniform(-0.00015, 0.00015, (columns + 1, rows + 1, 2))
    column, row = np.meshgrid(np.arange(columns + 1), np.arange(rows + 1), indexing="ij")
    corner = np.round(np.stack([WEST + column * SIDE, SOUTH - row * SIDE], axis=2) + bend, 7)
    steps = ((0, 1), (1, 1), (1, 0), (0, 0), (0, 1))
    return [np.array([corner[i + a, j + b] for a, b in steps]) for j in range(rows) for i in range(columns)]


def codes(count: int) -> list[str]:
    """Codes of two communities, one after the other."""
    half = count // 2
    return [f"{COMMUNITIES[0 if i < half else 1]}{i % half + 1:03d}" for i in range(count)]


def attributes(count: int) -> dict[str, list[Any]]:
    """What a district says of its grids, in its own words."""
    return {
        "网格编码": codes(count),
        "网格名称": [f"暨阳街道第{i + 1}网格" for i in range(count)],
        "责任人": ["王伟", "欧阳娜"] * (count // 2),
        "责任部门": ["暨阳街道办事处"] * count,
        "街道名称": ["暨阳街道"] * count,
        "社区名称": ["江新社区"] * (count // 2) + ["友谊社区"] * (count - count // 2),
        "联系电话": ["13900000000"] * count,
    }


def shifted(ring: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    """A ring of WGS-84 in another coordinate system."""
    return np.stack(crs.from_wgs84(ring[:, 0], ring[:, 1], name), axis=1)


def write(
    path: Path, shapes: Sequence[Any], columns: Mapping[str, Sequence[Any]], system: str | None = None, **how: Any
) -> Path:
    """Write shapes with columns; `system`: the coordinate system that the file declares."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        geopandas.GeoDataFrame(dict(columns), geometry=list(shapes), crs=system).to_file(path, **how)
    return path


def polygons(of: Rings) -> list[shapely.Polygon]:
    """Rings as shapes."""
    return [shapely.Polygon(ring) for ring in of]
