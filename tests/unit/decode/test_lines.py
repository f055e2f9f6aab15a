"""NDJSON is cut into records whatever the chunks in which it comes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect import batch
from engine.detect.batch import RecordBatch, read_lines

LINES = st.lists(
    st.sampled_from([b"", b" \t\r", b"{}", b'{"a":1}\r', b"x" * 70, b"\xff\x00", b"        "]), max_size=12
)


def numbered(batches: list[RecordBatch]) -> list[tuple[int, bytes]]:
    return [(int(one.offset[row]), one.text(row)) for one in batches for row in range(len(one))]


class OnlyRead:
    """A stream without readinto."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(size)


@given(LINES, st.booleans(), st.integers(1, 100), st.booleans())
def test_lines_keep_their_numbers_and_blank_ones_give_no_record(
    lines: list[bytes], last: bool, chunk_bytes: int, only_read: bool
) -> None:
    text = b"\n".join(lines) + (b"\n" if last else b"")
    expected = [(number, line) for number, line in enumerate(lines, 1) if line.strip(b" \t\r\n")]
    stream = OnlyRead(text) if only_read else io.BytesIO(text)
    assert numbered(list(read_lines(stream, chunk_bytes=chunk_bytes))) == expected
    assert numbered([RecordBatch.from_lines(text)]) == expected


@pytest.mark.parametrize("chunk_bytes", [7, 64, 1000])
@pytest.mark.parametrize("last", [b"", b"\nrest"])
def test_of_a_line_that_is_far_too_long_the_beginning_is_kept(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, last: bytes
) -> None:
    monkeypatch.setattr(batch, "LONGEST_LINE_BYTES", 200)
    monkeypatch.setattr(batch, "KEPT_OF_A_LONG_LINE_BYTES", 100)
    text = b"before\n" + bytes(range(128, 228)) * 30 + last
    found = numbered(list(read_lines(io.BytesIO(text), chunk_bytes=chunk_bytes)))
    assert found[0] == (1, b"before")
    assert found[1][0] == 2
    assert found[1][1][:100] == bytes(range(128, 228))
    assert found[2:] == ([(3, b"rest")] if last else [])
    if chunk_bytes < 1000:
        assert found[1][1] == bytes(range(128, 228))


def test_many_short_lines_are_all_found() -> None:
    found = RecordBatch.from_lines(b"1\n" * 5_000)
    assert found.offset.tolist() == list(range(1, 5_001))
