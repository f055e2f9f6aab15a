"""What a socket brings, laid into memory of its own size at once: a connection's reader and its protocol in one.

asyncio's own reader copies what comes three times and stops the socket at every 128 KiB; a fetch is megabytes.
"""

from __future__ import annotations

import asyncio
from typing import Final, Self

import numpy as np

SPARE_BYTES: Final = 16 << 10
SMALL_BYTES: Final = 4 << 10
"""Up to here bytes are given out, above a view of the memory."""


class Arriving(asyncio.BufferedProtocol):
    """`readexactly` of a StreamReader, for one caller at a time."""

    def __init__(self) -> None:
        self._closed: asyncio.Future[None] | None = None
        self._spare = memoryview(bytearray(SPARE_BYTES))
        self._early = bytearray()
        """What came before it was asked for."""
        self._into = self._spare[:0]
        self._filled = 0
        self._waiting: asyncio.Future[None] | None = None
        self._error: BaseException | None = None

    def until(self, closed: asyncio.Future[None]) -> Self:
        """Say by `closed` when the connection is lost."""
        self._closed = closed
        return self

    async def readexactly(self, size: int) -> bytes | memoryview:
        """Return the next `size` bytes. IncompleteReadError at the end; what broke the connection, when it breaks."""
        into = memoryview(bytearray(size)) if size <= SMALL_BYTES else np.empty(size, np.uint8).data
        early = min(size, len(self._early))
        into[:early] = self._early[:early]
        del self._early[:early]
        if early < size:
            if self._error is not None:
                raise self._error
            self._into, self._filled = into, early
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._into, self._waiting = self._spare[:0], None
        return bytes(into) if size <= SMALL_BYTES else into

    def at_eof(self) -> bool:
        """Tell whether nothing more comes."""
        return self._error is not None and not self._early

    def exception(self) -> BaseException | None:
        """Return what broke the connection."""
        return self._error

    # ---- the protocol

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return where to write what comes next."""
        rest = self._into[self._filled :]
        return rest if len(rest) >= SPARE_BYTES else self._spare

    def buffer_updated(self, nbytes: int) -> None:
        """Take note that so much was written there."""
        left = len(self._into) - self._filled
        if left < SPARE_BYTES:  # it stands in the spare memory
            wanted = min(left, nbytes)
            self._into[self._filled : self._filled + wanted] = self._spare[:wanted]
            self._early += self._spare[wanted:nbytes]
            nbytes = wanted
        self._filled += nbytes
        if self._filled == len(self._into) and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def eof_received(self) -> None:
        """Take note that nothing more comes."""
        self._end(asyncio.IncompleteReadError(b"", len(self._into) - self._filled))

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is gone."""
        self._end(exc or asyncio.IncompleteReadError(b"", len(self._into) - self._filled))
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
