"""A city's folder, written part by part from the city's own files."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from geo import E7
from geo.city import City, Facts
from geo.errors import Fault, FileRefused
from geo.frame import LocalFrame
from geo.grids import GridSet, feature_collection
from geo.imports import COLUMNS
from geo.outlines import outlines
from geo.polygons import Polygons
from geo.roads import RoadGraph
from geo.zones import NAME, ZoneSet

ZONE_SETS: Final = (
    *("fire_lane", "muck_corridors", "no_dumping", "no_vending", "river_bank", "school", "sidewalks", "underpasses"),
)
"""The sets that the shipped rules ask about."""
_EVERYWHERE: Final = "muck_corridors"
_EVERYWHERE_NAME: Final = "未划定准许路线：全域准行"
_KEY: Final = re.compile(r"[^a-z0-9_]+")


def write_grids(folder: Path, grids: GridSet, name: str | None = None) -> City:
    """Make the folder a city of these grids, or give the city that is there these grids; its other files stay.

    `name`: of the city; what its grids or its city.json say if None.
    """
    if len(grids) == 0:
        raise FileRefused([Fault(str(folder), "", "a city has at least one unit grid", "none")])
    (folder / "zones").mkdir(parents=True, exist_ok=True)
    b = grids.polygons.bounds() / E7
    bounds = (*b[:, :2].min(axis=0).tolist(), *b[:, 2:].max(axis=0).tolist())
    frame = LocalFrame.around((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    code = Counter(grid[:6] for grid in grids.codes).most_common(1)[0][0]
    before = City(folder).facts if (folder / "city.json").exists() else None
    called = name or _most(p.get("county_name") for p in grids.properties) or (before.name if before else code)
    said = Facts(
        key=_KEY.sub("_", folder.resolve().name.lower()).strip("_") or "city",
        code=code,
        name=called,
        frame=(frame.lon, frame.lat, frame.metres_per_lon, frame.metres_per_lat),
        bounds=bounds,
        divisions={code: called, **_divisions(grids)},
        departments=_departments(grids),
    )
    if before is not None:
        ours = {field: getattr(said, field) for field in ("code", "name", "frame", "bounds", "divisions")}
        said = msgspec.structs.replace(before, **ours, departments=before.departments | said.departments)
    (folder / "grids.geojson").write_bytes(grids.geojson() + b"\n")
    (folder / "grids.npz").unlink(missing_ok=True)
    (folder / "city.json").write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=1) + b"\n")
    return City(folder)


def empty_zones(folder: Path) -> list[str]:
    """Give the city every zone set that the shipped rules ask about and that it has not got; return their names.

    They are empty, so that their rules find nothing; but muck trucks may go everywhere until corridors are told.
    """
    city = City(folder)
    lacking = [name for name in ZONE_SETS if not (city.zones_path / f"{name}.geojson").exists()]
    for name in lacking:
        write_zones(folder, ZoneSet(name, Polygons.build([])))
    if _EVERYWHERE in lacking:
        shapes = outlines(city.grids, 6).values()
        told = {"name": _EVERYWHERE_NAME}
        features = [{"type": "Feature", "properties": told, "geometry": shape} for shape in shapes]
        (city.zones_path / f"{_EVERYWHERE}.geojson").write_bytes(feature_collection(features) + b"\n")
    return lacking


def is_everywhere(zones: ZoneSet) -> bool:
    """Whether these corridors stand in for ones that were not told yet."""
    return any(p.get("name") == _EVERYWHERE_NAME for p in zones.properties)


def _most(values: Iterable[str | None]) -> str:
    """The text that stands most often, "" if there is none."""
    found = Counter(value for value in values if value).most_common(1)
    return found[0][0] if found else ""


def _divisions(grids: GridSet) -> dict[str, str]:
    """Names of streets and communities as most of their grids say, their code where none does."""
    said: dict[str, list[str]] = {}
    for code, p in zip(grids.codes, grids.properties, strict=True):
        said.setdefault(code[:9], []).append(p.get("street_name", ""))
        said.setdefault(code[:12], []).append(p.get("community_name", ""))
    return {code: _most(names) or code for code, names in sorted(said.items())}


def _departments(grids: GridSet) -> dict[str, str]:
    return {
        p["department"]: p.get("department_name") or p["department"] for p in grids.properties if p.get("department")
    }


def write_zones(folder: Path, zones: ZoneSet) -> Path:
    """Add a zone set, or replace the one of its name. Raises FileRefused for a name that no set can have."""
    city = City(folder)
    if not NAME.fullmatch(zones.name):
        rule = "a zone set's name is lower-case letters, digits, _ . -; say --name, such as --name no_dumping"
        raise FileRefused([Fault(str(folder), "", rule, zones.name)])
    city.zones_path.mkdir(exist_ok=True)
    path = city.zones_path / f"{zones.name}.geojson"
    path.write_bytes(zones.geojson() + b"\n")
    return path


def write_roads(folder: Path, roads: RoadGraph) -> Path:
    """Give the city these roads."""
    path = City(folder).path("roads.geojson")
    path.write_bytes(roads.geojson() + b"\n")
    return path


def write_sensors(folder: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    """Give the city this registry of sensors."""
    path = City(folder).registry_path
    path.write_bytes(registry_csv(rows))
    return path


def registry_csv(rows: Sequence[tuple[str, ...]]) -> bytes:
    """A registry as CSV bytes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue().encode()
