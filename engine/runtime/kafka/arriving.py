"""What a socket brings, laid into memory of its own size at once: a connection's reader and its protocol in one.

asyncio's own reader copies what comes three times and stops the socket at every 128 KiB; a fetch is megabytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Self

import numpy as np

SIZE_BYTES: Final = 4
SPARE_BYTES: Final = 16 << 10
SMALL_BYTES: Final = 4 << 10
"""Up to here bytes are given out, above a view of the memory."""


class Arriving(asyncio.BufferedProtocol):
    """`readexactly` of a StreamReader, for one caller at a time, of frames as Kafka writes them: four bytes, then as
    many as these say.

    The memory of a frame is made as soon as its size is known, before anyone asks for it, so that the rest of it comes
    straight there.
    """

    def __init__(self) -> None:
        self._closed: asyncio.Future[None] | None = None
        self._spare = memoryview(bytearray(SPARE_BYTES))
        self._size = bytearray()
        """Of the frame that comes, as far as it has come."""
        self._frame = self._spare[:0]
        self._filled = 0
        self._whole: deque[bytes | memoryview] = deque()
        """Sizes and frames, in turn, that nobody has asked for yet."""
        self._waiting: asyncio.Future[None] | None = None
        self._error: BaseException | None = None

    def until(self, closed: asyncio.Future[None]) -> Self:
        """Say by `closed` when the connection is lost."""
        self._closed = closed
        return self

    async def readexactly(self, size: int) -> bytes | memoryview:
        """Return the next size (4 bytes), or the frame behind it.

        IncompleteReadError at the end; what broke the connection, when it breaks.
        """
        if not self._whole:
            if self._error is not None:
                raise self._error
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        found = self._whole.popleft()
        if len(found) != size:
            raise ValueError(f"{size} bytes were asked for where {len(found)} stand together")
        return found

    def at_eof(self) -> bool:
        """Tell whether nothing more comes."""
        return self._error is not None and not self._whole

    def exception(self) -> BaseException | None:
        """Return what broke the connection."""
        return self._error

    # ---- the protocol

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return where to write what comes next."""
        rest = self._frame[self._filled :]
        return rest if len(rest) >= SPARE_BYTES else self._spare

    def buffer_updated(self, nbytes: int) -> None:
        """Take note that so much was written there."""
        if len(self._frame) - self._filled >= SPARE_BYTES:
            self._filled += nbytes
            self._pass_on()
            return
        came = self._spare[:nbytes]
        while len(came) and self._error is None:
            if len(self._size) < SIZE_BYTES:
                wanted = SIZE_BYTES - len(self._size)
                self._size += came[:wanted]
                came = came[wanted:]
                if len(self._size) == SIZE_BYTES:
                    self._begin(int.from_bytes(self._size, "big", signed=True))
            else:
                some = came[: len(self._frame) - self._filled]
                self._frame[self._filled : self._filled + len(some)] = some
                self._filled += len(some)
                came = came[len(some) :]
            self._pass_on()

    def _begin(self, size: int) -> None:
        """Make room for a frame."""
        if size < 0:
            self._end(ConnectionError(f"the broker says that {size} bytes follow"))
            return
        self._frame = memoryview(bytearray(size)) if size <= SMALL_BYTES else np.empty(size, np.uint8).data
        self._filled = 0

    def _pass_on(self) -> None:
        """Give out the frame if it is whole."""
        if len(self._size) < SIZE_BYTES or self._filled < len(self._frame) or self._error is not None:
            return
        frame = self._frame
        self._whole += bytes(self._size), bytes(frame) if len(frame) <= SMALL_BYTES else frame
        self._size.clear()
        self._frame, self._filled = self._spare[:0], 0
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def eof_received(self) -> None:
        """Take note that nothing more comes."""
        self._end(asyncio.IncompleteReadError(b"", len(self._frame) - self._filled))

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is gone."""
        self._end(exc or asyncio.IncompleteReadError(b"", len(self._frame) - self._filled))
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def _end(self, error: BaseException) -> None:
        self._error = self._error or error
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    async def _drain_helper(self) -> None:
        """Let a StreamWriter write on: requests are small."""


class View:
    """What BytesIO is to a decoder of responses, without a copy of what is large."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int = -1) -> bytes | memoryview:
        """Return the next bytes."""
        upto = len(self._data) if size < 0 else self._at + size
        found = self._data[self._at : upto]
        self._at += len(found)
        return found if len(found) > SMALL_BYTES else found.tobytes()
