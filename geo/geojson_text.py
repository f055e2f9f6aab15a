"""GeoJSON text: its size, nesting and number of brackets are measured before it is parsed."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from geo.errors import Fault, FileRefused

MAX_BYTES: Final = 256 << 20
MAX_DEPTH: Final = 32
MAX_BRACKETS: Final = 8_000_000
"""Lists and objects of a file, positions included; each costs memory as soon as it is parsed."""


def read_bytes(path: Path) -> bytes:
    """The bytes of a file (.gz is unpacked), not much more than MAX_BYTES of them. Raises FileRefused."""
    try:
        with path.open("rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            return stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileRefused([Fault(str(path), "", "the file must be readable", str(error))]) from error


def document(data: bytes, file: str) -> dict[str, Any]:
    """The JSON object of a text. Raises FileRefused."""
    if len(data) > MAX_BYTES:
        raise FileRefused([Fault(file, "", f"a file has at most {MAX_BYTES >> 20} MiB", "more")])
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise FileRefused([Fault(file, "", f"a file has at most {MAX_BRACKETS} lists and objects", "more")])
    if (deep := depth(data)) > MAX_DEPTH:
        raise FileRefused([Fault(file, "", f"brackets are nested at most {MAX_DEPTH} deep", str(deep))])
    try:
        found = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise FileRefused([Fault(file, place, "must be JSON", error.msg)]) from error
    if not isinstance(found, dict):
        raise FileRefused([Fault(file, "", "must be a GeoJSON object", type(found).__name__)])
    return found


def depth(data: bytes) -> int:
    """How deep brackets are nested in JSON text, whatever stands in strings; nothing is parsed."""
    raw = np.frombuffer(data, np.uint8)
    matters = np.zeros(256, np.bool_)
    matters[list(b'"[]{}')] = True
    at = np.flatnonzero(matters[raw])
    marks = raw[at]
    quotes = np.flatnonzero(marks == 0x22)
    real = np.ones(marks.size, np.bool_)
    for q in quotes[_after_backslash(raw, at[quotes])].tolist():
        real[q] = False
    marks = marks[real]
    outside = np.cumsum(marks == 0x22) % 2 == 0
    step = np.where((marks == 0x5B) | (marks == 0x7B), 1, -1) * (outside & (marks != 0x22))
    return int(np.cumsum(step).max(initial=0))


def _after_backslash(raw: npt.NDArray[np.uint8], at: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Which of these quotes are escaped: an odd number of backslashes stands before them."""
    escaped = np.zeros(at.size, np.bool_)
    for i in np.flatnonzero(raw[np.maximum(at - 1, 0)] == 0x5C).tolist():
        run = 0
        while at[i] - 1 - run >= 0 and raw[at[i] - 1 - run] == 0x5C:
            run += 1
        escaped[i] = run % 2 == 1
    return escaped
