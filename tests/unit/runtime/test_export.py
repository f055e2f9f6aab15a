"""The readings log on lines that detect judges as it judged the records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect.decode.frames import split
from engine.detect.decode.reasons import Refusal
from engine.runtime.export import lines_of, reading_line
from engine.runtime.journal import Journal
from engine.runtime.log import Entry, Stream


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (b'{"sensor":"s","v":1}', b'{"sensor":"s","v":1,"log_t":7}'),
        (b' {"a":1 }\n', b'{"a":1 ,"log_t":7}'),
        (b'{\n "a": 1\n}', b'{  "a": 1 ,"log_t":7}'),
        (b"{}", b'{"log_t":7}'),
        (b'{"log_t":5,"a":1}', b'{"log_t":5,"a":1,"log_t":7}'),
        (b'{"kind":"tick","t":5}', b'{"kind":"tick","t":5,"log_t":7}'),
        (b'[{"a":1},\n{"b":2}]', b'[{"a":1,"log_t":7},{"b":2,"log_t":7}]'),
        (b'{"a":1}\n{"b":2}\n', b'[{"a":1,"log_t":7},{"b":2,"log_t":7}]'),
        (b'{"a":1}\nnoise, more\n', b'[{"a":1,"log_t":7},"noise, more"]'),
        (b'{"a":1}\n{"b":\n', b'[{"a":1,"log_t":7},"{\\"b\\":"]'),
        (b"[1, null]", b"[1,null]"),
        (b"[]", b"[]"),
        (b'{"a":"x\ny"}', b'{"a":"x\x0by"}'),
        (b'[{"a":1},', b'[{"a":1},'),
        (b"{\n]", b"{\v]"),
        (b'[{"a":1},\n]', b'"[{\\"a\\":1},\\n]"'),
        (b"", b"null"),
        (b'{"kind":"plan","digest":"short","t":1}', b'"{\\"kind\\":\\"plan\\",\\"digest\\":\\"short\\",\\"t\\":1}"'),
    ],
)
def test_a_record_becomes_one_line_with_its_log_time(record: bytes, line: bytes) -> None:
    assert reading_line(record, 7) == line


def test_a_plan_record_stays_one() -> None:
    record = b'{"kind":"plan","digest":"%s","t":1}' % (b"0" * 64)
    assert reading_line(record, 7) == record[:-1] + b',"log_t":7}'


READING = st.dictionaries(
    st.sampled_from(["sensor", "kind", "v", "attrs"]), st.one_of(st.integers(), st.text('ab{}[],"\n\\', max_size=6))
)
PIECE = st.one_of(
    READING.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=12),
    st.sampled_from([b"{", b"}", b'"', b",", b"\n", b"[", b"]"]),
)


@given(st.lists(PIECE, max_size=6), st.sampled_from([b"\n", b",", b""]), st.booleans())
def test_whatever_the_record_the_line_is_one_line_and_holds_the_same_readings(
    pieces: list[bytes], between: bytes, array: bool
) -> None:
    record = between.join(pieces)
    record = b"[" + record + b"]" if array else record
    line = reading_line(record, 7)
    assert b"\n" not in line
    assert objects(line) == [text | {"log_t": 7} for text in objects(record)]


def objects(record: bytes) -> list[dict[str, object]]:
    """Return what of a record are JSON objects, as the decoder splits it."""
    try:
        spans = split(record).spans
    except Refusal:
        return []
    found = []
    for first, after in spans:
        try:
            value = json.loads(record[first:after].decode())
        except (ValueError, UnicodeDecodeError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db", clock=lambda: 7)
    yield journal
    journal.close()


def test_line_numbers_are_offsets_and_of_alerts_only_changes_are_printed(journal: Journal) -> None:
    journal.append(Stream.READINGS, 0, [Entry(b'{"n":%d}' % n) for n in range(1, 200)])
    journal.append(
        Stream.ALERTS, 0, [Entry(b'{"mark":1}'), Entry(b'{"id":"x","change":"raised"}'), Entry(b'{"still":"x"}')]
    )
    lines = list(lines_of(journal, Stream.READINGS))
    assert [json.loads(line)["n"] for line in lines] == list(range(1, 200))
    assert list(lines_of(journal, Stream.ALERTS)) == [b'{"id":"x","change":"raised"}']


def test_what_the_log_has_let_go_of_keeps_its_line(journal: Journal) -> None:
    journal.append(Stream.READINGS, 0, [Entry(b"{}") for _ in range(5)])
    journal.trim(Stream.READINGS, 0, 3)
    assert list(lines_of(journal, Stream.READINGS)) == [b"", b"", b"", b'{"log_t":7}', b'{"log_t":7}']
