"""Bytes of a connection, laid into memory of the size that is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.kafka.arriving import SMALL_BYTES, Arriving, View

FRAMES = st.lists(st.one_of(st.binary(max_size=50), st.integers(0, 60_000).map(bytes)), min_size=1, max_size=6)


def arrive(arriving: Arriving, data: bytes, most: int) -> None:
    """Write into the protocol as an event loop does, at most so much at a time."""
    while data:
        into = arriving.get_buffer(-1)
        some = data[: min(most, len(into))]
        into[: len(some)] = some
        arriving.buffer_updated(len(some))
        data = data[len(some) :]


@given(FRAMES, st.integers(1, 70_000), st.booleans())
def test_frames_are_read_as_they_were_written_however_they_come(frames: list[bytes], most: int, early: bool) -> None:
    async def work() -> None:
        arriving = Arriving()
        data = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
        if early:
            arrive(arriving, data, most)
        else:
            asyncio.get_running_loop().call_soon(arrive, arriving, data, most)
        for frame in frames:
            size = int.from_bytes(await arriving.readexactly(4), "big")
            found = await arriving.readexactly(size)
            assert bytes(found) == frame
            assert isinstance(found, bytes) == (size <= SMALL_BYTES)

    asyncio.run(work())


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        (lambda arriving: arriving.eof_received(), asyncio.IncompleteReadError),
        (lambda arriving: arriving.connection_lost(None), asyncio.IncompleteReadError),
        (lambda arriving: arriving.connection_lost(ConnectionResetError()), ConnectionResetError),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_a_reader_learns_that_the_connection_ended(
    ends: Callable[[Arriving], None], error: type[Exception], waits: bool
) -> None:
    async def work() -> None:
        closed = asyncio.get_running_loop().create_future()
        arriving = Arriving().until(closed)
        arrive(arriving, b"\0\0\0\2ab\0\0\0\3c", 6)
        assert await arriving.readexactly(4) == b"\0\0\0\2"
        assert await arriving.readexactly(2) == b"ab"
        if waits:
            asyncio.get_running_loop().call_soon(ends, arriving)
        else:
            ends(arriving)
        with pytest.raises(error):
            await arriving.readexactly(4)
        assert isinstance(arriving.exception(), error)

    asyncio.run(work())


def test_a_size_below_nothing_ends_the_reading() -> None:
    async def work() -> None:
        arriving = Arriving()
        arrive(arriving, b"\xff\xff\xff\xffabc", 7)
        with pytest.raises(ConnectionError, match="-1 bytes"):
            await arriving.readexactly(4)

    asyncio.run(work())


def test_what_comes_behind_the_size_of_a_large_frame_needs_no_second_copy() -> None:
    arriving = Arriving()
    arrive(arriving, (1 << 20).to_bytes(4, "big") + bytes(100), 104)
    assert len(arriving.get_buffer(-1)) == (1 << 20) - 100


def test_a_view_reads_like_a_file_and_copies_only_what_is_small() -> None:
    data = bytes(range(256)) * 40
    view = View(data)
    assert view.read(3) == data[:3]
    large = view.read(SMALL_BYTES + 1)
    assert isinstance(large, memoryview)
    assert large == data[3 : SMALL_BYTES + 4]
    assert bytes(view.read()) == data[SMALL_BYTES + 4 :]
    assert view.read(1) == b""
