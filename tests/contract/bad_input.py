"""Every named bad input with its answer: the tables from which docs/bad_input.md is written and the tests are driven.

`python -m tests.contract.bad_input > docs/bad_input.md` writes the page anew; a test holds the page to the tables.
Readings, rules, registries and shapes are the tables of their rooms' own tests; here they meet the real commands.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from engine.detect.decode.reasons import Reason
from tests.contract.test_http_bad_input import TABLE as HTTP
from tests.contract.test_http_slow_clients import RAW as CONNECTIONS
from tests.unit.decode.test_bad_input import ACCEPTED, GOOD, REJECTED, reading
from tests.unit.geo.test_load import BAD_FEATURES, SQUARE, collection, feature, square
from tests.unit.rules.test_faulty_rule_files import HEAD, LEVELS, ONE_FAULT
from tests.unit.rules.test_kinds_and_registry import CSV_FAULTS, HEADER

T = 1_700_000_000_000
DAY_MS = 86_400_000
GOOD_1, GOOD_2, NAN = GOOD.encode(), reading(t=str(T + 1)), reading(v="NaN")


@dataclass(frozen=True)
class Odd:
    """Lines that are taken, and what becomes of them: the value and time judged, and the reasons of late ones."""

    lines: tuple[bytes, ...]
    v: float
    t: int = T
    late: tuple[str, ...] = ()


FRAMES: dict[str, tuple[bytes, dict[int, Reason]]] = {
    "NaN between good readings": (b"[%b,%b,%b]" % (GOOD_1, NAN, GOOD_2), {1: Reason.NOT_FINITE}),
    "a part that is no JSON": (b"[%b,{oops},%b]" % (GOOD_1, GOOD_2), {1: Reason.BAD_JSON}),
    "a tick between good readings": (
        b'[%b,{"kind":"tick","t":1},%b]' % (GOOD_1, GOOD_2),
        {1: Reason.CONTROL_IN_FRAME},
    ),
    "several faults": (
        b"[%b,%b,5,%b]" % (NAN, GOOD_1, reading(kind='"gas.argon"')),
        {0: Reason.NOT_FINITE, 2: Reason.NOT_AN_OBJECT, 3: Reason.BAD_KIND},
    ),
    "an array in an array": (b"[[%b],%b]" % (GOOD_1, GOOD_2), {0: Reason.NOT_AN_OBJECT}),
    "an empty array": (b"[ ]", {}),
}
"""One record of several readings: the rejected ones by their place from 0; the others are judged."""

ODD: dict[str, Odd] = {
    "a clock an hour ahead": Odd((reading(t=str(T + 3_600_000), log_t=str(T)),), 1.5),
    "the same reading twice": Odd((reading(), reading()), 1.5, late=("duplicate",)),
    "an earlier time than the one before": Odd((reading(), reading(t=str(T - 1), v="3")), 1.5, late=("late",)),
    "older than max_age": Odd((reading(), reading(t=str(T - 1), log_t=str(T + 7 * DAY_MS))), 1.5, late=("stale",)),
}

KINDS: dict[str, tuple[str, str]] = {
    "a name without domain": (
        "methane: {unit: x, range: [0, 1]}\n",
        "1:1: methane: a kind must be named domain.name in lower case; got methane",
    ),
    "a range inside out": (
        "air.a: {unit: x, range: [1, 0]}\n",
        "1:25: air.a.range: the lowest value must be below the highest; got [1, 0]",
    ),
    "a range without end": (
        "air.a: {unit: x, range: [0, .inf]}\n",
        '1:29: air.a.range: must be a finite number; got ".inf"',
    ),
    "an unknown key": (
        "air.a: {unit: x, range: [0, 1], colour: red}\n",
        '1:33: air.a.colour: unknown key; known are unit, range, title; got "red"',
    ),
    "a kind twice": (
        "air.a: {unit: x, range: [0, 1]}\nair.a: {unit: y, range: [0, 1]}\n",
        '2:1: air.a: a key must stand once (first on line 1); got {unit: "y", range: [0, 1]}',
    ),
}

SHAPE_FILES: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "must be JSON"),
    "a list": (b"[1, 2]", "must be a GeoJSON object"),
    "a file that is cut off": (b'{"type": "FeatureCollection", "crs": "wgs84", "features": [', "must be JSON"),
    "another type": (b'{"type": "Topology", "crs": "wgs84"}', "must be FeatureCollection"),
    "features that are no list": (b'{"type": "FeatureCollection", "crs": "wgs84", "features": {}}', "must be a list"),
    "no coordinate system": (
        orjson.dumps({"type": "FeatureCollection", "features": [feature(SQUARE)]}),
        "a file must declare its coordinate system",
    ),
    "a coordinate system of Mars": (
        b'{"type": "FeatureCollection", "crs": "mars", "features": []}',
        "must name EPSG:4326",
    ),
    "nested 100,000 deep": (b"[" * 100_000, "nested at most 32 deep"),
    "1e400 for a coordinate": (collection(feature(SQUARE)).replace(b"120.001", b"1e400"), "must be JSON"),
    "NaN for a coordinate": (collection(feature(SQUARE)).replace(b"120.001", b"NaN"), "must be JSON"),
    "1e308 for a latitude": (
        collection(feature([[1.0, 1e308], *SQUARE[1:-1], [1.0, 1e308]])),
        "lat within 90",
    ),
    "one code twice": (collection(feature(SQUARE), feature(SQUARE)), "a code stands once"),
}  # fmt: skip

WIDE, HOLE, INNER = square(120.0, 30.0, 0.01), square(120.001, 30.001, 0.006), square(120.002, 30.002)


def _made(kind: str, coordinates: Any) -> bytes:
    return collection({**feature(WIDE), "geometry": {"type": kind, "coordinates": coordinates}})


NESTED: dict[str, tuple[bytes, str]] = {
    "a hole inside a hole": (_made("Polygon", [WIDE, HOLE, INNER]), "holes are nested at 120.0020000, 30.0020000"),
    "two holes that cross": (_made("Polygon", [WIDE, HOLE, square(120.003, 30.003, 0.006)]), "self-intersection at"),
    "a hole as large as its polygon": (_made("Polygon", [WIDE, WIDE]), "self-intersection at 120.0000000, 30.0000000"),
    "a part inside another": (_made("MultiPolygon", [[WIDE], [INNER]]), "nested shells at 120.0020000, 30.0020000"),
    "parts that overlap": (_made("MultiPolygon", [[WIDE], [square(120.005, 30.005, 0.01)]]), "self-intersection at"),
    "rings nested too deep": (_made("Polygon", [[[[120, 30]]]]), "must have at least 4 positions"),
    "a grid inside another": (
        collection(feature(WIDE), feature(INNER, "330683001028002")),
        "330683001028001 and 330683001028002 overlap",
    ),
    "two grids of one shape": (
        collection(feature(WIDE), feature(WIDE, "330683001028002")),
        "330683001028001 and 330683001028002 overlap",
    ),
}
"""Whole files of shapes within shapes; what one polygon may not, `geo check` says, and what two grids may not."""

COMMANDS: dict[str, tuple[str, int, str]] = {
    "swapped coordinates": ("geo locate 29.6 120.83", 2, "are they swapped? LON comes first"),
    "NaN for a place": ("geo locate nan 29.6", 2, "must be finite"),
    "a coordinate system that nobody knows": ("geo locate 120.83 29.6 --crs mars", 2, "must be one of wgs84"),
    "a file that is not there": ("geo check none.geojson", 1, "none.geojson: the file must be readable"),
    "rules that are not there": ("detect --rules nowhere", 2, "does not exist"),
    "readings that are not there": ("detect --rules . nowhere.ndjson", 1, "No such file or directory"),
    "a duration without a unit": ("detect --rules . --max-delay 30 -", 2, "a whole number and a unit of ms"),
    "a duration of ages": ("detect --rules . --max-delay 999999999999d -", 2, "must be at most 36500d"),
    "a time zone of nowhere": ("detect --rules . --tz Mars/Base -", 2, "must be a time zone such as Asia/Shanghai"),
    "an unknown flag": ("detect --rules . --fast", 2, "No such option"),
    "an unknown command": ("explode", 2, "No such command"),
    "a folder without rules": ("rules check .", 1, "must hold rule files"),
    "an unknown setting": ("serve --config unknown.toml", 1, "unknown key; known are data"),
    "a setting of the wrong type": ("serve --config wrong.toml", 1, "port: Expected `int`, got `str`"),
    "serve without its log": ("serve", 2, "needs --embedded"),
    "a scenario that nobody wrote": ("simulate --scenario ../../etc/passwd", 1, "passwd"),
    "a rate that is no rate": ("simulate --rate fast", 2, "--rate"),
    "a role that nobody has": ("token create --name x --role king --data d", 2, "king"),
    "an area that is no code": ("token create --name x --role viewer --area 33' --data d", 2, "33'"),
    "a token of no number": ("token revoke 99 --data d", 1, "no good token has number 99"),
    "a folder without journal": ("journal export --data nowhere", 1, "no journal here"),
    "a replay of nothing named": ("quarantine replay --data d", 2, "give numbers, --reason or --all"),
}
"""What is typed behind `tongguan`, the exit code, and what is said; in a folder with two faulty settings files."""


def registry_text(rows: str) -> str:
    """Return a registry with its header."""
    return HEADER + rows


def shape(bad: Any) -> bytes:
    """Return a file of one good feature and the bad one."""
    other = [[x + 10, y] for x, y in SQUARE]
    return collection(feature(other, "330683001028777"), bad)


def page() -> str:
    """Return docs/bad_input.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    sections = [
        list(section)
        for section in (_readings(), _taken(), _rules(), _files(), _shapes(), _http(), _connections(), _commands())
    ]
    count = sum(line.startswith("| ") and not line.startswith("| case") for section in sections for line in section)
    yield "# Bad input and its answer"
    yield ""
    yield f"{count} named cases, tried against the real commands and real listeners whenever the tests run. This page"
    yield "is written from the tables of these tests (`python -m tests.contract.bad_input`); `…`: something was cut."
    for section in sections:
        yield ""
        yield from section


def _readings() -> Iterator[str]:
    yield from (
        "## Readings that are rejected",
        "",
        "The one reading goes to quarantine with its reason, its place in the log and its own text; what stands",
        "before, behind and beside it is judged as if it were not there. `tongguan detect --rejects FILE` writes it;",
        "of a running engine `tongguan quarantine list` shows it. In a file of lines a blank line is no record.",
        "",
    )
    rows = [(name, _shown(text), f"`{reason}`") for name, (text, reason, _) in REJECTED.items()]
    for name, (text, reasons) in FRAMES.items():
        said = ", ".join(f"part {index}: `{reason}`" for index, reason in reasons.items())
        rows.append((f"frame: {name}", _shown(text), f"{said or 'says nothing'}; the others are judged"))
    yield from _table(rows)


def _taken() -> Iterator[str]:
    yield from (
        "## Odd readings that are taken",
        "",
        "Late ones go to the late store: `tongguan detect --late FILE`.",
        "",
    )
    rows = [(name, _shown(text), f"judged as {value:g}") for name, (text, value) in ACCEPTED.items()]
    for name, odd in ODD.items():
        said = f"the last is `{odd.late[0]}`" if odd.late else "judged at the log's time, counted"
        rows.append((name, _shown(b" ".join(odd.lines)), said))
    yield from _table(rows)


def _rules() -> Iterator[str]:
    yield from (
        "## Rules",
        "",
        "`tongguan rules check DIR` names every fault of every file as `file:line:column: key: rule; got value`,",
        f"exit 1; the other rules run. Shown is what stands behind `{_oneline(HEAD)}`.",
        "",
    )
    yield from _table((name, _shown(_without_head(text)), _code(fault)) for name, (text, fault) in ONE_FAULT.items())


def _without_head(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return raw.removeprefix(HEAD.encode()).removeprefix(LEVELS.encode())


def _files() -> Iterator[str]:
    yield from (
        "## Registries and kinds",
        "",
        "A registry or kinds file with a fault is refused whole, every fault named, exit 1. Columns:",
        f"`{_oneline(HEADER)}`.",
        "",
    )
    rows = [(f"registry: {name}", _shown(text.encode()), _code(fault)) for name, (text, fault) in CSV_FAULTS.items()]
    rows += [(f"kinds: {name}", _shown(text.encode()), _code(fault)) for name, (text, fault) in KINDS.items()]
    yield from _table(rows)


def _shapes() -> Iterator[str]:
    yield from (
        "## Grids and zones",
        "",
        "`tongguan geo check`, `geo import` and every command that reads shapes refuse the file, every fault named by",
        "its feature, exit 1; nothing reaches the geometry library before size, nesting and finiteness are checked.",
        "",
    )
    rows = [(f"file: {name}", _shown(data), f"… {why} …") for name, (data, why) in SHAPE_FILES.items()]
    for name, (data, why) in NESTED.items():
        rows.append((f"nested: {name}", _shown(orjson.dumps(_shapes_of(data))), f"… {why} …"))
    for name, (bad, why) in BAD_FEATURES.items():
        rows.append((f"feature: {name}", _shown(orjson.dumps(_inner(bad))), f"`features[1]` … {_escaped(why)} …"))
    yield from _table(rows)


def _shapes_of(data: bytes) -> list[Any]:
    return [one["geometry"]["coordinates"] for one in orjson.loads(data)["features"]]


def _inner(bad: Any) -> Any:
    return bad["geometry"] if isinstance(bad, dict) and bad.get("geometry") else bad


def _http() -> Iterator[str]:
    yield from (
        "## HTTP",
        "",
        "The answer is a problem document (RFC 9457) with a stable `code`; nothing is stored, nothing changes.",
        "",
    )
    rows = []
    for one in HTTP:
        headers = "".join(f" · {key}: {value}" for key, value in one.headers.items())
        body = (
            b"" if not isinstance(one.body, bytes) else b" \xc2\xb7 " + re.sub(rb'"t": [0-9]+', b'"t": now', one.body)
        )
        said = f"{one.method} {one.path}{headers}".encode() + body
        rows.append((one.name, _shown(said), f"{one.status} `{one.code}`"))
    yield from _table(rows)


def _connections() -> Iterator[str]:
    yield from ("## Connections that misbehave", "", "They get their answer and are closed; the others are served.", "")
    yield from _table(
        (name, "a raw connection", f"{status} `{code}`") for name, (_, status, code) in CONNECTIONS.items()
    )


def _commands() -> Iterator[str]:
    yield from ("## Command line", "", "Exit 1: failed; 2: wrong use; 75: try again. Nothing is written.", "")
    rows = (
        (name, _code(f"tongguan {typed}"), f"{code}: … {_escaped(said)} …")
        for name, (typed, code, said) in COMMANDS.items()
    )
    yield from _table(rows)


def _table(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield "| case | what comes | answer |"
    yield "|---|---|---|"
    for name, comes, answer in rows:
        yield f"| {_escaped(name)} | {comes} | {answer} |"


MOST = 150


def _shown(raw: bytes) -> str:
    """Return bytes as a piece of code in a table: printable, on one line, cut in the middle."""
    text = raw[: 8 * MOST].decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(text) > MOST or len(raw) > 8 * MOST:
        text = f"{text[: MOST - 30]}…" + (text[-29:] if len(raw) <= 8 * MOST else "")
    return _code(text) if text else "nothing"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    room = " " if "`" in text or text != text.strip() or not text.strip() else ""
    return f"{fence}{room}{text.replace('|', chr(92) + '|')}{room}{fence}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[[", "\\[\\[").replace("{{", "\\{\\{")


def _oneline(text: str) -> str:
    return text.strip().replace("\n", " ⏎ ")


if __name__ == "__main__":
    sys.stdout.write(page())
