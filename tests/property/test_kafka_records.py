"""Record batches to columns: as aiokafka reads them, and nothing that was damaged on its way."""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect.batch import PADDING_BYTES
from engine.runtime.errors import Damaged, LogTimeMissing
from engine.runtime.kafka.batches import HEADER_BYTES
from engine.runtime.kafka.records import RawFetch, decode, decode_keyed, pieces
from tests.parts.wire import CODECS, Record, as_aiokafka_reads, as_java_packs, batch, marker, raw, stamped

T = 1_790_000_000_000
EPOCH_BYTES = range(12, 16)
texts = st.none() | st.binary(max_size=40) | st.integers(100, 5000).map(bytes)
headers = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3)
times = st.integers(T - (1 << 40), T + (1 << 40))


@st.composite
def batches_of(draw: st.DrawFn, *, most: int = 5) -> bytes:
    """Some batches back to back from offset 0, each with records at rising offsets, some missing as if compacted."""
    data, base = b"", 0
    for _ in range(draw(st.integers(1, most))):
        offsets = draw(st.lists(st.integers(0, 300), unique=True, max_size=8).map(sorted))
        span = (offsets[-1] if offsets else 0) + draw(st.integers(1, 4))
        records: list[Record] = [(at, draw(times), draw(texts), draw(texts), draw(headers)) for at in offsets]
        data += batch(
            records,
            base=base,
            codec=draw(st.sampled_from(sorted(CODECS))) if records else "none",
            appended=draw(st.none() | times),
            span=span,
        )
        base += span
    return data


def rows_of(fetched: RawFetch) -> list[tuple[int, int, bytes | None, bytes | None]]:
    found = decode_keyed(fetched)
    assert found.batch.log_time is not None
    return [
        (int(found.batch.offset[j]), int(found.batch.log_time[j]), found.key(j), found.value(j))
        for j in range(len(found))
    ]


def fetched_from(data: bytes, position: int) -> RawFetch:
    """Return what a broker hands out from `position` on: from the batch that has it."""
    begin = [0, *(at for at, behind in starts_of_whole(data) if behind <= position)][-1]
    return raw(data[begin:], position)


@given(batches_of(), st.data())
def test_records_are_those_that_aiokafka_reads(data: bytes, draws: st.DataObject) -> None:
    fetched = fetched_from(data, draws.draw(st.integers(0, raw(data).next_position - 1)))
    expected = [(one.offset, one.timestamp, one.key, one.value) for one in as_aiokafka_reads(fetched)]
    assert rows_of(fetched) == expected
    columns = decode(fetched)
    assert [columns.text(j) for j in range(len(columns))] == [value or b"" for *_, value in expected]
    assert len(columns.data) >= max(columns.end, default=0) + PADDING_BYTES


@given(batches_of(), st.data())
def test_a_last_batch_that_is_cut_waits_for_the_next_fetch(data: bytes, draws: st.DataObject) -> None:
    more = batch([(0, T, None, b"x" * 100, [])], base=raw(data).next_position)
    cut = raw(data + more[: draws.draw(st.integers(0, len(more) - 1))])
    assert cut.next_position == raw(data).next_position
    assert rows_of(cut) == rows_of(raw(data))


@given(batches_of(), st.data())
def test_a_flipped_bit_is_refused_now_or_at_the_next_fetch(data: bytes, draws: st.DataObject) -> None:
    data += batch([(0, T, None, b"last", [])], base=raw(data).next_position)
    at = draws.draw(st.integers(0, len(data) - 1))
    flipped = bytearray(data)
    flipped[at] ^= 1 << draws.draw(st.integers(0, 7))
    of_batch = next(start for start in reversed(starts(data)) if start <= at)
    if at - of_batch in EPOCH_BYTES:  # nobody reads it
        assert rows_of(raw(bytes(flipped))) == rows_of(raw(data))
        return
    with pytest.raises(Damaged, match=r"city\.readings, partition 3, offset") as refusal:
        read_on(bytes(flipped))
    fault = refusal.value
    end = raw(data).next_position
    assert (fault.topic, fault.partition) == ("city.readings", 3)
    assert 0 <= fault.first <= fault.last
    assert fault.first <= end


def starts(data: bytes) -> list[int]:
    """Return where the batches begin."""
    found, at = [], 0
    while at < len(data):
        found.append(at)
        at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    return found


def read_on(data: bytes) -> None:
    """Decode, and again from where the first fetch ends, as a consumer does."""
    first = raw(data)
    decode(first)
    left = next((start for start in starts_of_whole(data) if start[1] == first.next_position), None)
    decode(raw(data[left[0] :], first.next_position) if left else RawFetch("city.readings", 3, 0, data, (), 0))


def starts_of_whole(data: bytes) -> list[tuple[int, int]]:
    """Return where each whole batch ends, and the offset behind it."""
    found, at = [], 0
    while at + HEADER_BYTES <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if at + 12 + length > len(data) or length < 49:
            break
        (delta,) = struct.unpack_from(">i", data, at + 23)
        at += 12 + length
        found.append((at, base + delta + 1))
    return found


@given(st.binary(max_size=300), st.integers(-3, 50), st.sampled_from(sorted(CODECS.values())), st.integers(0, 60))
def test_nonsense_with_a_right_crc_is_refused_or_read_and_never_more(
    body: bytes, records: int, codec: int, delta: int
) -> None:
    head = bytearray(batch([(0, T, None, b"x", [])])[:HEADER_BYTES])
    struct.pack_into(">i", head, 8, HEADER_BYTES - 12 + len(body))
    struct.pack_into(">h", head, 21, codec)
    struct.pack_into(">i", head, 23, delta)
    struct.pack_into(">i", head, 57, records)
    data = stamped(bytes(head) + body, base=0)
    try:
        found = decode_keyed(raw(data))
    except (Damaged, LogTimeMissing):
        return
    assert len(found) <= max(records, 0)
    assert all(0 <= at <= delta for at in found.batch.offset)


@given(
    st.lists(st.one_of(st.binary(max_size=200), st.integers(0, 3000).map(bytes)), min_size=1, max_size=30),
    st.integers(1, 4000),
    st.booleans(),
    st.booleans(),
    st.integers(0, 60),
)
def test_lz4_of_independent_blocks_is_read_whatever_their_size(
    values: list[bytes], block_bytes: int, checksums: bool, size: bool, cut: int
) -> None:
    plain = batch([(j, T + j, None, value, []) for j, value in enumerate(values)])
    packed = as_java_packs(plain, block_bytes, checksums=checksums, size=size)
    found = decode(raw(stamped(packed, base=0)))
    assert [found.text(j) for j in range(len(found))] == values
    with suppress(Damaged):
        found = decode(raw(stamped(_shortened(packed, cut), base=0)))
        assert [found.text(j) for j in range(len(found))] == values


def _shortened(data: bytes, cut: int) -> bytes:
    """Return a batch that says that it ends `cut` bytes before its end."""
    head = bytearray(data[: len(data) - cut])
    struct.pack_into(">i", head, 8, len(head) - 12)
    return bytes(head)


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
def test_a_batch_that_grows_over_the_limit_is_refused(codec: str) -> None:
    bomb = batch([(0, T, None, bytes(4 << 20), [])], base=7, codec=codec)
    assert len(bomb) < 1 << 20
    with pytest.raises(Damaged, match="offset 7: grows over 1048576 bytes when it is uncompressed"):
        next(pieces(raw(bomb, 7), limit_bytes=1 << 20, batch_bytes=1 << 20))
    ((piece, behind),) = pieces(raw(bomb, 7), limit_bytes=1 << 20)
    assert (len(piece.text(0)), behind) == (4 << 20, 8)


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_many_batches_that_grow_come_in_pieces_under_the_limit(codec: str) -> None:
    limit = 1 << 20
    data = b"".join(batch([(0, T + j, None, b"%d" % j + bytes(400_000), [])], base=j, codec=codec) for j in range(10))
    found = list(pieces(raw(data), limit_bytes=limit))
    assert [behind for _, behind in found] == [2, 4, 6, 8, 10]
    assert all(len(piece.data) <= limit + PADDING_BYTES for piece, _ in found)
    assert np.concatenate([piece.offset for piece, _ in found]).tolist() == list(range(10))
    joined = decode(raw(data))
    assert [joined.text(j)[:1] for j in range(10)] == [b"%d" % j for j in range(10)]
    assert joined.log_time is not None
    assert joined.log_time.tolist() == [T + j for j in range(10)]


def test_control_batches_and_aborted_transactions_are_passed_over() -> None:
    def said(base: int, text: bytes, producer: int) -> bytes:
        return batch([(0, T, None, text, [])], base=base, producer=producer, transactional=True)

    data = b"".join(
        (
            said(0, b"kept of 1", 1),
            said(1, b"lost of 2", 2),
            marker(2, 1, commit=True),
            said(3, b"lost of 2 as well", 2),
            batch([(0, T, None, b"of nobody", [])], base=4),
            marker(5, 2, commit=False),
            said(6, b"kept of 2", 2),
            marker(7, 2, commit=True),
        )
    )
    fetched = raw(data, aborted=((2, 1),))
    assert rows_of(fetched) == [(one.offset, one.timestamp, one.key, one.value) for one in as_aiokafka_reads(fetched)]
    assert [value for *_, value in rows_of(fetched)] == [b"kept of 1", b"of nobody", b"kept of 2"]
    only_marks = raw(marker(0, 1, commit=True))
    assert [(len(piece), behind) for piece, behind in pieces(only_marks)] == [(0, 1)]


def test_nothing_fetched_is_no_record() -> None:
    assert [(len(piece), behind) for piece, behind in pieces(raw(b"", 5))] == [(0, 5)]


def test_missing_batches_are_refused_where_no_offset_may_be_missing() -> None:
    data = batch([(0, T, None, b"a", [])]) + batch([(0, T, None, b"b", [])], base=2)
    with pytest.raises(Damaged, match="offsets 1 to 2: offsets 2 to 2 are not those that follow 0"):
        decode(raw(data))
    with pytest.raises(Damaged, match="not those that follow 4"):
        decode(raw(batch([(0, T, None, b"a", [])], base=6), 5))
    assert decode(raw(data), gapless=False).offset.tolist() == [0, 2]


def test_a_record_without_the_logs_own_time_is_refused_where_that_is_asked_for() -> None:
    theirs = batch([(0, T, None, b"a", [])], base=4)
    ours = batch([(0, 1, None, b"a", [])], base=4, appended=T)
    with pytest.raises(LogTimeMissing, match=r"offset 4: .*message\.timestamp\.type=LogAppendTime"):
        decode(raw(theirs, 4), appended=True)
    assert decode(raw(ours, 4), appended=True).log_time == T
    with pytest.raises(LogTimeMissing, match="offset 4: a record without a time"):
        decode(raw(batch([(0, -1, None, b"a", [])], base=4), 4))


@pytest.mark.parametrize("count", [1, 10, 100, 5000])
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_batches_of_any_size(codec: str, count: int) -> None:
    values = [random.Random(j).randbytes(j % 300) for j in range(count)]
    data = batch([(j, T + j, b"k%d" % j, value, []) for j, value in enumerate(values)], codec=codec)
    found = decode(raw(data, count // 2))
    assert [found.text(j) for j in range(len(found))] == values[count // 2 :]
    assert found.offset.tolist() == list(range(count // 2, count))
