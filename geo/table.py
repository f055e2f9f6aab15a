"""A table of sensors (CSV) in, as the GeoJSON object that it says: a point for each row that has a place."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from geo import attributes, geojson_text
from geo.errors import Fault, FileRefused
from geo.reading import MAX_FEATURES, How


def read(path: Path, how: How) -> dict[str, Any]:
    """The table as a FeatureCollection; its `crs` is the one that all rows name, if they do. Raises FileRefused."""
    data = geojson_text.read_bytes(path)
    if len(data) > geojson_text.MAX_BYTES:
        raise FileRefused([Fault(str(path), "", f"a file has at most {geojson_text.MAX_BYTES >> 20} MiB", "more")])
    encoding = how.encoding or "utf-8-sig"
    try:
        lines = list(csv.DictReader(io.StringIO(data.decode(encoding))))
    except (UnicodeDecodeError, LookupError, csv.Error) as error:
        rule = "must be CSV in UTF-8, or say --encoding gbk"
        raise FileRefused([Fault(str(path), "", rule, str(error)[:120])]) from error
    if len(lines) > MAX_FEATURES:
        raise FileRefused([Fault(str(path), "", f"at most {MAX_FEATURES} rows", str(len(lines)))])
    names = attributes.table(attributes.SENSOR)
    faults: list[Fault] = []
    features = [_feature(line, names, f"row {i}", str(path), faults) for i, line in enumerate(lines, start=2)]
    said = {attributes.renamed(line, names)[0].get("crs") or None for line in lines} - {None}
    if len(said) > 1:
        faults.append(Fault(str(path), "", "all rows must be in one coordinate system", ", ".join(map(str, said))))
    if faults:
        raise FileRefused(faults)
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    return document | ({"crs": said.pop()} if said else {})


def _feature(line: dict[str, Any], names: dict[str, str], where: str, file: str, faults: list[Fault]) -> dict[str, Any]:
    row, _ = attributes.renamed(line, names)
    lon, lat = (attributes.text(row.get(name)) for name in ("lon", "lat"))
    geometry = None
    if lon or lat:
        try:
            geometry = {"type": "Point", "coordinates": [float(lon), float(lat)]}
        except ValueError:
            faults.append(Fault(file, where, "lon and lat must be numbers, or both empty", f"{lon}, {lat}"))
    properties = {str(name): value for name, value in line.items() if name is not None}
    return {"type": "Feature", "properties": properties, "geometry": geometry}
