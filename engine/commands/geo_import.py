"""`tongguan geo import`: a city's own file in, out again as WGS-84, or into the folder of a city."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from geo import city_folder, imports
from geo.city import load as load_city
from geo.crs import NAMES
from geo.document import LINES, POINTS, Opened, open_file
from geo.errors import Fault, FileRefused
from geo.grids import GridSet
from geo.lines import lines_of, points_of
from geo.load import polygons_of
from geo.reading import How
from geo.roads import RoadGraph
from geo.zones import ZoneSet, set_name

CRS_HELP = f"Coordinate system: {', '.join(NAMES)}, or a projection such as EPSG:4549."
Sort = Literal["grids", "zones", "roads", "sensors"]
Crs = Annotated[str | None, typer.Option(help=f"{CRS_HELP} Needed if the file names none.")]
LatFirst = Annotated[bool, typer.Option("--lat-first", help="The file gives lat before lon, northing before easting.")]
LayerName = Annotated[str | None, typer.Option("--layer", help="Of a GeoPackage with several.")]
Encoding = Annotated[str | None, typer.Option(help="Of a Shapefile's text without a .cpg, or of a CSV: gbk, utf-8.")]


def import_(
    file: Annotated[Path, typer.Argument(help="GeoJSON, GeoPackage, Shapefile (or a .zip of one); sensors also CSV.")],
    crs: Crs = None,
    city: Annotated[Path | None, typer.Option(help="Folder of a city to put it into; made if missing.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; stdout if neither this nor --city is given.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the city (for grids), or of the zone set.")] = None,
    sort: Annotated[Sort | None, typer.Option("--as", help="What it is, if the file does not tell.")] = None,
    number: Annotated[bool, typer.Option(help="Give grids new codes, by place within their `community`.")] = False,
    lat_first: LatFirst = False,
    layer: LayerName = None,
    encoding: Encoding = None,
) -> None:
    """Check a city's own file and take it over as WGS-84: unit grids, zones, roads (lines) or sensors (points).

    Chinese names of attributes are known (网格编码, 网格名称, 责任人, 责任部门 …); what nobody asks for is left out.
    Example: tongguan geo import 网格.shp --crs gcj02 --encoding gbk --city mycity --name 示范区
    """
    opened = opened_file(file, How(crs, None, lat_first, layer, encoding))
    taken = _taken(opened, sort or _sort(opened), number, name or set_name(file))
    if city is not None:
        written = _into_city(city, taken, name)
    elif out is not None:
        out.write_bytes(taken.text)
        written = str(out)
    else:
        sys.stdout.buffer.write(taken.text)
        written = ""
    for remark in opened.remarks:
        typer.echo(f"{file}: remark: {remark}", err=True)
    if taken.left_out:
        typer.echo(f"{file}: left out: {', '.join(taken.left_out)}", err=True)
    typer.echo(f"{taken.summary} from {opened.crs.name}{f', written to {written}' if written else ''}", err=True)


def opened_file(file: Path, how: How) -> Opened:
    """Open a file; one that declares no coordinate system is refused with the line to type."""
    opened = open_file(file, how)
    if any("must declare its coordinate system" in fault.rule for fault in opened.report.faults):
        command = " ".join(["tongguan geo", "check" if "check" in sys.argv[1:3] else "import", str(file)])
        rule = (
            "a file must declare its coordinate system: a `crs` member, a .prj, or --crs; type one of\n"
            f"  {command} --crs cgcs2000   surveyed data, 天地图\n"
            f"  {command} --crs gcj02      高德, 腾讯, and most maps from the internet\n"
            f"  {command} --crs bd09       百度\n"
            f"  {command} --crs wgs84      GPS\n"
            f"  {command} --crs EPSG:4549  metres: CGCS2000 / 3-degree Gauss-Kruger CM 120E; others have other numbers"
        )
        raise FileRefused([Fault(str(file), "crs", rule, "")])
    return opened


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a file held, as text and in words."""

    what: GridSet | ZoneSet | RoadGraph | list[tuple[str, ...]]
    text: bytes
    summary: str
    left_out: tuple[str, ...] = ()


def _sort(opened: Opened) -> Sort:
    if opened.shapes == LINES:
        return "roads"
    return "sensors" if opened.shapes == POINTS else "grids" if imports.carries_codes(opened) else "zones"


def _taken(opened: Opened, sort: Sort, number: bool, name: str) -> _Taken:
    if sort == "roads":
        roads = imports.roads(lines_of(opened))
        found = roads.what
        told = f"{len(found.edges)} stretches of road, {int(found.muck.sum())} of them corridors,"
        return _Taken(found, found.geojson() + b"\n", told, roads.left_out)
    if sort == "sensors":
        from rules.kinds import load_kinds  # only here: it takes a while to import

        kinds = {alias: kind.name for kind in load_kinds() for alias in (kind.name, kind.title)}
        departments = {title: code for code, title in load_city().departments.items()}
        rows = imports.sensors(points_of(opened), opened.report.file, kinds, departments)
        told = f"{len(rows.what)} rows of sensors"
        return _Taken(rows.what, city_folder.registry_csv(rows.what), told, rows.left_out)
    layer = polygons_of(opened)
    if sort == "zones" and not number:
        zones = ZoneSet(name, layer.polygons, layer.properties)
        return _Taken(zones, zones.geojson() + b"\n", f"{len(zones.polygons)} zones")
    grids = imports.numbered(layer) if number else imports.grids(layer)
    told = f"{len(grids.what)} unit grids{', newly numbered,' if number else ''}"
    return _Taken(grids.what, grids.what.geojson() + b"\n", told, grids.left_out)


def _into_city(folder: Path, taken: _Taken, name: str | None) -> str:
    """Put it into the city's folder; return what was written."""
    if isinstance(taken.what, GridSet):
        made = city_folder.write_grids(folder, taken.what, name)
        empty = city_folder.empty_zones(folder)
        if empty:
            typer.echo(f"{folder}: zone sets without zones yet: {', '.join(empty)}", err=True)
        return f"{folder} ({made.name}, {made.code})"
    if isinstance(taken.what, ZoneSet):
        return str(city_folder.write_zones(folder, taken.what))
    if isinstance(taken.what, RoadGraph):
        return str(city_folder.write_roads(folder, taken.what))
    return str(city_folder.write_sensors(folder, taken.what))
