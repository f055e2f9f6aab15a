"""The scanner and the slow exact path say the same of any bytes."""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
from hypothesis import event, example, given
from hypothesis import strategies as st

from engine.detect.batch import RecordBatch
from engine.detect.decode.decoded import Decoded
from engine.detect.decode.decoder import Decoder
from engine.detect.decode.rows import Rows
from engine.detect.decode.scanner import WHOLE_RECORD, Holes
from engine.detect.decode.vocabulary import Vocabulary
from rules.plan import Plan
from rules.registry import Registry, Row

PLAN = Plan(registry=Registry([Row("s1", "gas.methane", 1_132_644_000, 231_291_000), Row("s2", "water.level")]))
ASKED = ("mode", "level of water", "名")


class SlowDecoder(Decoder):
    """The oracle: every record is left to the slow path."""

    def _scan(self, batch: RecordBatch, first: int) -> tuple[Rows, Holes, np.ndarray]:
        holes = Holes.empty(len(batch) - first)
        holes.row[:] = holes.part[:] = 0
        holes.record[:] = np.arange(first, len(batch))
        holes.shape[:] = WHOLE_RECORD
        holes.start[:], holes.end[:] = batch.start[first:], batch.end[first:]
        return Rows.empty(0, len(self._attrs)), holes, np.empty(0, np.uint8)


def told(decoded: Decoded, vocabulary: Vocabulary) -> dict[str, Any]:
    """Everything that a decoded batch says, with names instead of numbers."""
    table = decoded.table
    return {
        "sensor": [vocabulary.sensor_name(int(vocabulary.series_sensor[number])) for number in table["series"]],
        "kind": [vocabulary.series_kind_name(int(number)) for number in table["series"]],
        **{
            name: table[name].tolist()
            for name in ("record", "index", "offset", "t", "log_time", "lon", "lat", "raw_start", "raw_length")
        },
        "v": [value.hex() for value in table["v"].tolist()],
        "kinds": [vocabulary.kind_name(int(kind)) for kind in table["kind"]],
        "attrs": {
            name: [(int(column.tag[row]), repr(column.value(row))) for row in range(decoded.n)]
            for name, column in decoded.attrs.items()
        },
        "controls": decoded.controls,
        "rejects": decoded.rejects,
        "counts": (decoded.unknown_fields, decoded.far_from_registry, decoded.next_record),
    }


def both_ways(records: list[bytes], *, offline: bool) -> dict[str, Any]:
    batch = RecordBatch.from_records(records, log_times=None if offline else range(1000, 1000 + len(records)))
    answers = []
    for decoder in (Decoder, SlowDecoder):
        vocabulary = Vocabulary(PLAN)
        answers.append(told(decoder(PLAN, vocabulary, ASKED).decode(batch), vocabulary))
    assert answers[0] == answers[1]
    return answers[0]


def dumped(text: str) -> st.SearchStrategy[str]:
    """A JSON string, as it is or with escapes."""
    return st.sampled_from([json.dumps(text), json.dumps(text, ensure_ascii=False)])


texts = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "normal",
            "calibration",
            "泵房",
            "é",
            "𝄞",
            "a\tb",
            'q"q',
            "back\\slash",
            "\u0000",
            "12345678",
            "\ud800",
        ]
    ),
    st.text(max_size=20),
)
strings = texts.flatmap(lambda text: st.just(json.dumps(text)) if "\ud800" in text else dumped(text))
whole = st.one_of(st.integers(-10, 200), st.integers(-(10**20), 10**20)).map(str)
decimal = st.builds(
    lambda sign, a, b, e: f"{sign}{a}{b}{e}",
    st.sampled_from(["", "-"]),
    st.one_of(st.integers(0, 200), st.integers(0, 10**25)),
    st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,20}", fullmatch=True)),
    st.sampled_from(["", "", "", "", "e2", "E-3", "e400", "e-400", "e+22"]),
)
numbers = st.one_of(
    whole,
    decimal,
    st.floats().map(repr),
    st.floats(-200, 200).map(lambda x: f"{x:.7f}"),
    st.sampled_from(
        [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "00",
            "1.",
            ".5",
            "+1",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            "9007199254740993",
            "0x1",
        ]
    ),
)
literals = st.sampled_from(["true", "false", "null", "True", "nul", "truex"])
nested = st.sampled_from(["[]", "{}", '[1,{"a":[null]}]', '{"a":{"b":"}"}}', "[[[[]]]]", '{"a":1'])
anything = st.one_of(strings, numbers, literals, nested)

times = st.one_of(
    st.integers(1_700_000_000_000, 1_800_000_000_000).map(str),
    st.datetimes().map(lambda moment: f'"{moment.isoformat()}Z"'),
    st.builds(
        lambda moment, fraction, zone: f'"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{zone}"',
        st.datetimes(min_value=datetime.datetime.fromisoformat("1000-01-01")),
        st.sampled_from(["", ".1", ".12", ".123", ".1239", ".123456789", ".", ".0000000000000000000001"]),
        st.sampled_from(["Z", "z", "+08:00", "-00:00", "+23:59", "-24:00", "+0800", "", "+08:60"]),
    ),
    st.sampled_from(
        [
            "253402300799999",
            "253402300800000",
            "-62167219200000",
            "-62167219200001",
            "-0",
            "1.0",
            "1e3",
            "1" * 30,
            '"2024-02-29T00:00:00Z"',
            '"2023-02-29T00:00:00Z"',
            '"1900-02-29T00:00:00Z"',
            '"2000-02-29t00:00:00z"',
            '"2016-12-31T23:59:60Z"',
            '"2016-12-31T23:58:60Z"',
            '"0000-01-01T00:00:00+00:01"',
            '"2024-04-31T00:00:00Z"',
            '"2024-01-01 00:00:00Z"',
            '"2024-01-01T24:00:00Z"',
            '"2024-13-01T00:00:00Z"',
            '"2024-01-01T00:00:00Zx"',
        ]
    ),
)
lons = st.one_of(
    st.floats(112, 115).map(repr),
    st.floats(112, 115).map(lambda x: f"{x:.7f}"),
    st.sampled_from(
        [
            "113.2644",
            "113.26440000000001",
            "113.26440005",
            "113.264400049999999",
            "180",
            "180.0000000",
            "180.00000001",
            "-180.0000001",
        ]
    ),
    st.sampled_from(["null", "-0.0", "113", "1132644e-4"]),
)
lats = st.one_of(
    st.floats(22, 24).map(repr),
    st.floats(22, 24).map(lambda x: f"{x:.9f}"),
    st.sampled_from(["23.1291", "90", "90.00000000001", "-90.0", "113.5", "null", "23.00000005", "23.000000050000000"]),
)
attr_pairs = st.tuples(
    st.one_of(
        st.sampled_from([json.dumps(name, ensure_ascii=False) for name in (*ASKED, "battery")] + ['"m\\u006fde"']),
        strings,
    ),
    st.one_of(strings, numbers, literals, st.sampled_from(["1", "2.5", "true", '"normal"'])),
)


@st.composite
def objects(draw: st.DrawFn, pairs: st.SearchStrategy[list[tuple[str, str]]]) -> str:
    """An object's text with white space here and there."""
    space = draw(st.sampled_from(["", "", "", " ", "\n", " \t\r\n "]))
    inner = f"{space},{space}".join(f"{name}{space}:{space}{value}" for name, value in draw(pairs))
    return f"{{{space}{inner}{space}}}"


attrs = st.one_of(
    objects(st.lists(attr_pairs, max_size=6)),
    objects(st.integers(30, 34).map(lambda n: [(f'"k{number}"', str(number)) for number in range(n)])),
    st.just('{"mode":"normal","battery":93}'),
    anything,
)
kinds = st.sampled_from(
    ["gas.methane", "water.level", "rain.minute", "video.flame", "no.such", "tick", "plan", "gas.methan", "GAS.methane"]
)
sensors = st.one_of(
    st.sampled_from(["s1", "s2", "a" * 64, "a" * 65, "A-b_c:d.9", "eight888", "sixteen_sixteen_", "泵", "a b", ""]),
    st.from_regex(r"[A-Za-z0-9._:-]{1,30}", fullmatch=True),
)
fields = {
    "sensor": st.one_of(sensors.flatmap(dumped), sensors.map(json.dumps)),
    "kind": kinds.flatmap(dumped),
    "t": times,
    "v": st.one_of(
        st.integers(0, 100).map(str),
        st.floats(0, 30).map(lambda x: f"{x:.2f}"),
        st.sampled_from(["true", "false"]),
        numbers,
    ),
    "lon": lons,
    "lat": lats,
    "crs": st.sampled_from(['"wgs84"', '"cgcs2000"', '"gcj02"', '"bd09"', "null", '"WGS84"', '"wgs8\\u0034"', "1"]),
    "attrs": attrs,
    "log_t": times,
    "digest": st.sampled_from(['"' + "ab" * 32 + '"', '"x"']),
    "note": anything,
}
REQUIRED = ("sensor", "kind", "t", "v")


@st.composite
def plain(draw: st.DrawFn) -> str:
    """A reading as most are."""
    place = draw(
        st.sampled_from(["", ',"lon":113.2644000,"lat":23.1291000', ',"lon":113.2744,"lat":23.1291,"crs":"gcj02"'])
    )
    more = draw(
        st.sampled_from(
            [
                "",
                ',"attrs":{"mode":"normal","battery":93}',
                ',"attrs":{"名":"泵房","level of water":2.5}',
                ',"log_t":1700000000500',
                ',"note":1',
            ]
        )
    )
    sensor, kind = (
        draw(st.sampled_from(["s1", "s2", "sensor-00017"])),
        draw(st.sampled_from(["gas.methane", "water.level"])),
    )
    return f'{{"sensor":"{sensor}","kind":"{kind}","t":1700000000000,"v":{draw(st.integers(0, 100))}{place}{more}}}'


@st.composite
def odd_pairs(draw: st.DrawFn) -> list[tuple[str, str]]:
    names = list(
        draw(st.permutations([*REQUIRED, *draw(st.sets(st.sampled_from(sorted(set(fields) - set(REQUIRED)))))]))
    )
    if draw(st.integers(0, 4)) == 0:
        names.append(draw(st.sampled_from(sorted(fields))))
    if draw(st.integers(0, 9)) == 0:
        names.pop(draw(st.integers(0, len(names) - 1)))
    odd = draw(st.sampled_from(names))
    pairs = []
    for name in names:
        value = draw(anything if name == odd and draw(st.booleans()) else fields[name])
        pairs.append((f'"{name}"' if draw(st.integers(0, 30)) else json.dumps(name).replace("s", "\\u0073"), value))
    return pairs


readings = st.one_of(plain(), objects(odd_pairs()), st.just('{"kind":"tick","t":1700000000000}'))
cuts = st.tuples(
    st.integers(0, 400),
    st.integers(0, 3),
    st.sampled_from(
        [b"", b'"', b"\\", b",", b"}", b"{", b"[", b"]", b"\n", b"\x00", b"\xff", b"\xe6\xb3", b"0", b"e5", b" "]
    ),
)


@st.composite
def damaged(draw: st.DrawFn, whole_text: st.SearchStrategy[bytes]) -> bytes:
    """Bytes cut out, put in, or replaced."""
    text = draw(whole_text)
    for place, length, put in draw(st.lists(cuts, min_size=1, max_size=2)):
        at = place % (len(text) + 1)
        text = text[:at] + put + text[at + length :]
    return text


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


parts = st.one_of(readings.map(encoded), readings.map(encoded), damaged(plain().map(encoded)), anything.map(encoded))
arrays = st.builds(
    lambda items, comma, left, right: b"[" + left + comma.join(items) + right + b"]",
    st.lists(parts, max_size=5),
    st.sampled_from([b",", b", ", b" ,\n"]),
    st.sampled_from([b"", b" "]),
    st.sampled_from([b"", b"", b"\n", b","]),
)
lines = st.builds(
    lambda items, newline, last: newline.join(items) + last,
    st.lists(parts, min_size=1, max_size=5),
    st.sampled_from([b"\n", b"\r\n", b"\n \n"]),
    st.sampled_from([b"", b"\n", b"  "]),
)
frames = st.one_of(arrays, lines)
records = st.one_of(parts, frames, damaged(frames), st.binary(max_size=30))


@given(st.lists(records, max_size=6), st.booleans())
@example([b"[]", b"[ ]x", b"", b" ", b"[[]]", b"{}", b"{}\n{}", b"[{}", b'{"a":"\n{}'], False)
def test_both_paths_give_equal_columns_and_rejects(batch: list[bytes], offline: bool) -> None:
    answer = both_ways(batch, offline=offline)
    event(f"accepted {min(len(answer['record']), 3)}")
    for reject in answer["rejects"]:
        event(reject.reason)


@given(st.lists(st.one_of(plain(), objects(odd_pairs())), min_size=1, max_size=4), st.booleans())
def test_both_paths_give_equal_columns_for_readings_with_one_odd_field(batch: list[str], offline: bool) -> None:
    both_ways([encoded(text) for text in batch], offline=offline)
