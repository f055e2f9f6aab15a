"""`tongguan geo`: where a point belongs, the city's own files in, do grids tile, the shipped city anew."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from engine.commands import geo_import
from geo import checking
from geo import city as cities
from geo.city import City
from geo.crs import NAMES, degrees, quantize, to_wgs84
from geo.errors import FileRefused, GeoError
from geo.grids import GridSet
from geo.reading import How
from geo.zones import load_zones

FAILED = 1
MOST_TOLD = 1000
_NOUNS = {
    "invalid": "invalid rings", "code": "wrong codes", "duplicate": "duplicate codes", "sliver": "slivers",
}  # fmt: skip
_CRS_HELP = f"Coordinate system: {', '.join(NAMES)}."

app = typer.Typer(no_args_is_help=True, help="Where things are: unit grids, zones, coordinate systems.")


@contextmanager
def refusals_named() -> Iterator[None]:
    """Print every fault of a refused file, or why a file cannot be written, on stderr and end with 1."""
    try:
        yield
    except FileRefused as refusal:
        for fault in refusal.faults:
            typer.echo(str(fault), err=True)
        raise typer.Exit(FAILED) from None
    except (GeoError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None


def _crs(text: str | None) -> str | None:
    if text is not None and text not in NAMES:
        raise typer.BadParameter(f"must be one of {', '.join(NAMES)}; got {text!r}")
    return text


@app.command(context_settings={"ignore_unknown_options": True})
def locate(
    lon: Annotated[float, typer.Argument(help="Longitude in degrees.")],
    lat: Annotated[float, typer.Argument(help="Latitude in degrees.")],
    crs: Annotated[str, typer.Option(callback=_crs, help=_CRS_HELP)] = "wgs84",
    folder: Annotated[Path | None, typer.Option("--city", help="Folder of a city; default: the shipped one.")] = None,
    grids: Annotated[Path | None, typer.Option(help="Unit grids, GeoJSON; the city's if not given.")] = None,
    zones: Annotated[Path | None, typer.Option(help="Folder of zone sets; the city's if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say which unit grid and zones a place belongs to.

    Example: tongguan geo locate 120.83 29.60 --crs gcj02
    """
    _check_place(lon, lat)
    with refusals_named():
        place = City(folder) if folder is not None else cities.load()
        grid_set = place.grids if grids is None else GridSet.from_geojson(grids, assume="wgs84")
        own = grids is None or folder is not None
        zone_sets = load_zones(zones, assume="wgs84") if zones is not None else place.zones if own else {}
    x, y = quantize(*(values.reshape(1) for values in to_wgs84(lon, lat, crs)))
    row = int(grid_set.locate(x, y)[0])
    inside = [name for name, zone in zone_sets.items() if zone.contains(x, y)[0]]
    found = {"grid": grid_set.code_of(row), "lon": float(degrees(x)[0]), "lat": float(degrees(y)[0]), "zones": inside}
    properties = dict(grid_set.properties[row]) if row >= 0 else {}
    if as_json:
        typer.echo(orjson.dumps({**found, "properties": properties}).decode())
        return
    typer.echo(found["grid"] or "outside every unit grid")
    typer.echo(f"  {'place':<15} {found['lon']:.7f}, {found['lat']:.7f} (WGS-84)")
    for key, value in properties.items():
        typer.echo(f"  {key:<15} {value}")
    typer.echo(f"  {'zones':<15} {', '.join(inside) or 'none'}")


def _check_place(lon: float, lat: float) -> None:
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise typer.BadParameter(f"LON and LAT must be finite; got {lon} {lat}")
    if abs(lon) > 180 or abs(lat) > 90:
        hint = "; are they swapped? LON comes first" if abs(lon) <= 90 and abs(lat) <= 180 else ""
        raise typer.BadParameter(f"LON must be within 180 and LAT within 90 degrees{hint}; got {lon} {lat}")


@app.command("import")
@functools.wraps(geo_import.import_)
def import_(*args: Any, **kwargs: Any) -> None:
    """Put a city's own file into our shape; see geo_import."""
    with refusals_named():
        geo_import.import_(*args, **kwargs)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Unit grids: GeoJSON, GeoPackage, Shapefile, or the folder of a city.")],
    crs: geo_import.Crs = None,
    png: Annotated[Path | None, typer.Option(help="File for a picture of what was found.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    lat_first: geo_import.LatFirst = False,
    layer: geo_import.LayerName = None,
    encoding: geo_import.Encoding = None,
) -> None:
    """Check unit grids: rings, codes, overlaps, gaps, slivers, each with its place. Ends with 1 if there is any flaw.

    Serials that do not run from west to east, north to south are a remark: cities renumber.
    Example: tongguan geo check 网格.shp --crs gcj02 --png flaws.png
    """
    with refusals_named():
        folder = file.is_dir()
        source = file / "grids.geojson" if folder else file
        how = How(crs, "wgs84" if folder else None, lat_first, layer, encoding)
        opened = geo_import.opened_file(source, how)
        findings = checking.check(opened)
        if png is not None:
            from geo.picture import png as drawn  # only here: it takes a while to import

            png.write_bytes(drawn(findings))
    for remark in opened.remarks:
        typer.echo(f"{file}: remark: {remark}", err=True)
    if as_json:
        typer.echo(orjson.dumps(_plain(file, findings)).decode())
    else:
        _tell(file, findings)
    if findings.flaws:
        raise typer.Exit(FAILED)


def _plain(file: Path, findings: checking.Findings) -> dict[str, Any]:
    rows = {"flaws": findings.flaws, "remarks": findings.remarks}
    told = {name: [flaw.plain() for flaw in flaws] for name, flaws in rows.items()}
    counts = {"grids": findings.count, "communities": findings.communities, "counts": findings.counts()}
    return {"file": str(file), **counts, **told}


def _tell(file: Path, findings: checking.Findings) -> None:
    """Name each flaw on stderr, the first MOST_TOLD of them, and count all on stdout."""
    for number, flaw in enumerate(findings.flaws[:MOST_TOLD], start=1):
        typer.echo(f"{file}: {number}: {flaw}", err=True)
    if len(findings.flaws) > MOST_TOLD:
        typer.echo(f"{file}: {len(findings.flaws) - MOST_TOLD} more; --json has all of them", err=True)
    for remark in findings.remarks[:MOST_TOLD]:
        typer.echo(f"{file}: remark: {remark}", err=True)
    counts = findings.counts()
    rest = [f"{counts[what]} {noun}" for what, noun in _NOUNS.items() if counts[what]]
    told = ", ".join([f"{counts['overlap']} overlaps, {counts['gap']} gaps", *rest])
    typer.echo(f"{findings.count} unit grids in {findings.communities} communities: {told}")


@app.command()
def city(
    out: Annotated[Path, typer.Option(help="Folder to write to; made if missing.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    sensors: Annotated[int, typer.Option(min=1, help="About how many rows the registry gets.")] = 6700,
) -> None:
    """Make the synthetic city from a seed: real names and codes, made-up ground, grids, sites and sensors.

    Example: tongguan geo city --seed 1 --out city/
    """
    from geo.synthetic.build import build  # a generator that nothing else of the command line needs

    with refusals_named():
        made = build(seed, out, sensors)
        (out / "grids.geojson").write_bytes(made.grids.geojson())
    typer.echo(
        f"{made.name} (seed {seed}): {len(made.grids)} unit grids, {len(made.sensors)} sensor rows, "
        f"{len(made.underpasses)} underpasses, {len(made.zones)} zone sets, written to {out}"
    )


@app.command()
def furnish(
    folder: Annotated[Path, typer.Argument(help="Folder of a city, as `geo import --city` makes it.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; made if missing.")],
) -> None:
    """Copy a city and make up what it lacks to be played: sensors, sites, roads, zones. For trials, never for duty.

    demo and simulate do the same by themselves; a copy of your own lets serve and detect judge what simulate plays.
    Example: tongguan geo furnish mycity --out mycity-trial
    """
    from geo.synthetic.furnish import playable

    with refusals_named():
        city = City(folder)
        if out.resolve() == folder.resolve():
            raise typer.BadParameter("must be another folder: what is made up is kept apart", param_hint="--out")
        made = playable(city, out)
    if made is city:
        typer.echo(f"{folder} lacks nothing that it is played with")
        return
    typer.echo(f"{made.name}: {len(made.sensors)} sensor rows, {len(made.roads.edges)} stretches of road, in {out}")
