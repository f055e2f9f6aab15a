"""Shapefile and GeoPackage in, as the GeoJSON object that they say.

GDAL reads the bytes (through pyogrio); attribute text is decoded here, since a .dbf often does not say how.
"""

from __future__ import annotations

import codecs
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from geo.errors import Fault, FileRefused
from geo.reading import MAX_FEATURES, How
from geo.wkb import TornGeometry, geometry

SUFFIXES: Final = (".shp", ".gpkg", ".zip")
MAX_BYTES: Final = 256 << 20
_SHAPEFILE: Final = b"\x00\x00\x27\x0a"
_SQLITE: Final = b"SQLite format 3\0"
_UNDEFINED: Final = ("undefined", "unknown")


def read(path: Path, how: How) -> tuple[dict[str, Any], list[str]]:
    """The layer as a FeatureCollection with `crs` if it declares one, and what GDAL remarked. Raises FileRefused."""
    source, names = _source(path)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        layer = _layer(path, source, how.layer)
        meta, geometries, columns = _rows(path, source, layer)
    if path.suffix.lower() == ".gpkg":
        decode = None
    else:
        decode = _decoder(path, names, how.encoding, [*meta["fields"], *_texts(columns)])
    fields = [_text(path, name, decode, "a field's name") for name in meta["fields"].tolist()]
    features = []
    for i, data in enumerate(geometries.tolist()):
        where = f"features[{i}]"
        values = {name: _value(path, c[i], decode, where) for name, c in zip(fields, columns, strict=True)}
        body = {k: v for k, v in values.items() if v is not None and v != ""}
        features.append({"type": "Feature", "properties": body, "geometry": _shape(path, where, data)})
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    crs = meta.get("crs")
    if crs and not any(word in crs.lower()[:60] for word in _UNDEFINED):
        document["crs"] = crs
    return document, sorted({str(warning.message).split(". ")[0] for warning in heard})


def _source(path: Path) -> tuple[str, list[str]]:
    """What GDAL opens, and the names of the files beside; too large or not there is refused."""
    if path.suffix.lower() != ".zip":
        beside = sorted(p for p in path.parent.glob(f"{_escaped(path.stem)}.*") if p.is_file()) if path.exists() else []
        if not path.is_file():
            raise _refused(path, "the file must be readable", "no such file")
        _limit(path, sum(p.stat().st_size for p in beside))
        with path.open("rb") as file:
            _known(path, file.read(16))
        return str(path), [p.name for p in beside]
    try:
        with zipfile.ZipFile(path) as pack:
            members = pack.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise _refused(path, "the file must be readable", str(error)) from error
    _limit(path, sum(member.file_size for member in members))
    names = [member.filename for member in members]
    shapes = [name for name in names if name.lower().endswith((".shp", ".gpkg"))]
    if len(shapes) != 1:
        raise _refused(path, "must hold one Shapefile or GeoPackage", ", ".join(shapes) or "none")
    try:
        with zipfile.ZipFile(path) as pack, pack.open(shapes[0]) as file:
            _known(path, file.read(16))
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise _refused(path, "the file must be readable", str(error)) from error
    return f"/vsizip/{path.resolve()}/{shapes[0]}", names


def _known(path: Path, head: bytes) -> None:
    """Refuse what only bears the name: GDAL would read anything, also files that point to other files."""
    if not head.startswith((_SHAPEFILE, _SQLITE)):
        raise _refused(path, "must be a Shapefile or a GeoPackage", repr(head[:16]))


def _escaped(stem: str) -> str:
    return "".join(f"[{c}]" if c in "[*?" else c for c in stem)


def _limit(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise _refused(path, f"a file has at most {MAX_BYTES >> 20} MiB", "more")


def _layer(path: Path, source: str, wanted: str | None) -> str:
    import pyogrio  # type: ignore[import-untyped, unused-ignore]

    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(source) if kind is not None]
    except (pyogrio.errors.DataSourceError, RuntimeError) as error:
        if ".shx" in str(error):
            raise _refused(path, "a Shapefile is .shp, .shx and .dbf together", "no .shx") from error
        raise _refused(path, "must be a Shapefile or a GeoPackage", str(error).split("\n")[0]) from error
    if wanted is not None and wanted in layers:
        return wanted
    if wanted is not None or len(layers) != 1:
        rule = "must have one layer with geometry, or be told which: --layer NAME"
        raise _refused(path, rule, ", ".join(layers) or "none")
    return layers[0]


def _rows(path: Path, source: str, layer: str) -> tuple[Mapping[str, Any], Any, Sequence[Any]]:
    import pyogrio  # type: ignore[import-untyped, unused-ignore]
    from pyogrio.raw import read as read_raw  # type: ignore[import-untyped, unused-ignore]

    # Latin 1 is one byte a character: what it gives is the bytes of the file, to be decoded by us
    text = {} if ".gpkg" in source.lower() else {"encoding": "ISO-8859-1"}
    try:
        count = pyogrio.read_info(source, layer=layer, force_feature_count=True, **text)["features"]
        if count > MAX_FEATURES:
            raise _refused(path, f"at most {MAX_FEATURES} features", str(count))
        meta, _, geometries, columns = read_raw(source, layer=layer, force_2d=True, datetime_as_string=True, **text)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, RuntimeError, ValueError) as error:
        if isinstance(error, FileRefused):
            raise
        raise _refused(path, "the file must be readable", str(error).split("\n")[0]) from error
    if geometries is None:
        raise _refused(path, "must have geometry", "none")
    return meta, geometries, columns


def _texts(columns: Sequence[Any]) -> list[str]:
    return [value for column in columns if column.dtype == object for value in column.tolist() if type(value) is str]


def _decoder(path: Path, names: Sequence[str], told: str | None, texts: Sequence[str]) -> str | None:
    """The encoding of attribute text: as told, as the .cpg says, UTF-8 if all of it is; None if it is all ASCII."""
    name = told or _code_page(path, names)
    if name is not None:
        try:
            found = codecs.lookup(name).name
        except LookupError as error:
            raise _refused(path, "the encoding of attribute text must be known, such as gbk or utf-8", name) from error
        return "gb18030" if found in ("gbk", "gb2312") else found
    raw = [text.encode("latin-1", "replace") for text in texts if not text.isascii()]
    if not raw:
        return None
    try:
        for one in raw:
            _decoded(one, "utf-8")
    except UnicodeDecodeError as error:
        rule = "a Shapefile must say how its text is encoded: a .cpg file, or --encoding gbk"
        raise _refused(path, rule, "none, and the text is not UTF-8") from error
    return "utf-8"


def _decoded(raw: bytes, encoding: str) -> str:
    """The text without what is left of a character at its end: a .dbf cuts names and long text anywhere."""
    return codecs.getincrementaldecoder(encoding)().decode(raw, final=False)


def _code_page(path: Path, names: Sequence[str]) -> str | None:
    """What the .cpg file says: `GBK`, `UTF-8`, or a number of a code page such as 936."""
    found = [name for name in names if name.lower().endswith(".cpg")]
    if not found:
        return None
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as pack:
            raw = pack.read(found[0])
    else:
        raw = (path.parent / found[0]).read_bytes()
    text = raw[:40].decode("ascii", "replace").strip().strip("\x00\ufeff")
    number = text.lower().removeprefix("ansi").removeprefix("cp").strip(" -_")
    return {"936": "gbk", "65001": "utf-8", "54936": "gb18030"}.get(number, text) or None


def _text(path: Path, value: str, encoding: str | None, where: str) -> str:
    if encoding is None:
        return value
    raw = value.encode("latin-1", "replace")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        if error.end >= len(raw) - 1:  # a .dbf cuts long text anywhere, also inside a character
            return raw[: error.start].decode(encoding)
        raise _refused(
            path, f"its text must be {encoding}; say another with --encoding", f"{raw[:40]!r}", where
        ) from error


def _value(path: Path, value: Any, encoding: str | None, where: str) -> Any:
    """A plain text, number or bool of an attribute; None for what is missing."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _text(path, value, encoding, where).strip()
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value if isinstance(value, int | bool) else None if value is None else str(value)


def _shape(path: Path, where: str, data: bytes | None) -> dict[str, Any] | None:
    try:
        return None if data is None else geometry(bytes(data))
    except TornGeometry as error:
        raise _refused(path, "its geometry must be readable", str(error), where) from error


def _refused(path: Path, rule: str, got: str, where: str = "") -> FileRefused:
    return FileRefused([Fault(str(path), where, rule, got if len(got) <= 200 else got[:197] + "...")])
