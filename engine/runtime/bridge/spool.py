"""Messages on disk while the log is away: a journal of their own, checksummed and synced, bounded in bytes.

What is in it was acknowledged to the broker, so it is let go of only after the log has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from engine.clock import wall_clock_ms
from engine.runtime.bridge.payloads import Message
from engine.runtime.errors import Corrupt, DiskFull, LogFailed, Overloaded
from engine.runtime.journal import Journal
from engine.runtime.lock import FolderLock
from engine.runtime.log import Append, CursorMove, Entry

MESSAGES = "mqtt.messages"
REFUSED = "mqtt.refused"
READER = "forward"
READ_BYTES = 2 << 20
OVERHEAD_BYTES = 128
HALF_FULL = 2
"""Records fill at least half of their pages: a page that has no room for the next one is left as it is."""
EDGE_BYTES = 64 << 10
"""Pages of the tables' and the index's own, and what cursors and refused texts need on a spool that is full."""


class Spool:
    """The spool of one folder, for one process at a time.

    `limit_bytes` bounds the pages in use; `append` then raises Overloaded, and DiskFull where the device has no room.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = FolderLock(folder)
        try:
            self._journal = Journal(folder / "spool.db", clock=wall_clock_ms)
        except Corrupt as error:
            self._lock.release()
            raise Corrupt(f"{error}; or move {folder} away and keep it: what it held unsent is then missing") from error
        except BaseException:
            self._lock.release()
            raise
        self._sent = self._noted = self._journal.cursor(READER, 0)
        self._changed = asyncio.Event()

    @property
    def messages(self) -> int:
        """Return how many messages wait."""
        return self._journal.end(MESSAGES, 0) - self._sent

    @property
    def refused(self) -> int:
        """Return how many texts the server has refused since the spool was made."""
        return self._journal.end(REFUSED, 0)

    def size_bytes(self) -> int:
        """Return the bytes in use."""
        return self._journal.size_bytes()

    def oldest_s(self) -> float:
        """Return the age of the oldest message that waits, 0 for none."""
        if not self.messages:
            return 0.0
        found = self._journal.read(MESSAGES, 0, self._sent, limit_bytes=1, upto=self._sent + 1)
        return max(0.0, (wall_clock_ms() - int(found.log_time[0])) / 1000)

    async def append(self, messages: Sequence[Message]) -> None:
        """Keep messages behind those that wait; they are on disk on return."""
        rows = sum(len(message.payload) + len(message.topic.encode()) + OVERHEAD_BYTES for message in messages)
        used = self.size_bytes()
        if used + HALF_FULL * rows + EDGE_BYTES > self._limit:
            raise Overloaded(1, f"the spool holds {used >> 20} MiB of the {self._limit >> 20} MiB of --spool-size")
        entries = [Entry(message.payload, message.topic) for message in messages]
        await asyncio.wrap_future(self._journal.commit([Append(MESSAGES, 0, entries)]))
        self._changed.set()

    async def waiting(self) -> tuple[list[Message], int]:
        """Wait until there are messages; return the oldest, about `READ_BYTES` of them, and the last one's position."""
        while not self.messages:
            self._changed.clear()
            await self._changed.wait()
        found = self._journal.read(MESSAGES, 0, self._sent, limit_bytes=READ_BYTES)
        messages = [Message(key or "", value) for key, value in zip(found.keys, found.values, strict=True)]
        return messages, int(found.offset[-1])

    async def sent(self, position: int) -> None:
        """Let go of messages up to a position. Where there is no room to note that, a crash has them sent again."""
        self._sent = position
        try:
            await asyncio.wrap_future(self._journal.commit([], [CursorMove(READER, 0, self._noted, self._sent)]))
            self._noted = self._sent
            await asyncio.to_thread(self._trim)
        except (DiskFull, LogFailed):
            return

    def _trim(self) -> None:
        while self._journal.trim(MESSAGES, 0, self._noted) <= self._noted:
            pass

    async def keep_refused(self, texts: Sequence[tuple[str, bytes]]) -> None:
        """Keep what the server refuses for good: (reason, text)."""
        entries = [Entry(text, reason) for reason, text in texts]
        await asyncio.wrap_future(self._journal.commit([Append(REFUSED, 0, entries)]))

    def close(self) -> None:
        """Close the file and let the folder go."""
        self._journal.close()
        self._lock.release()
