"""Group commit: one thread that makes durable, in one transaction, whatever came while the last one was written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.runtime.errors import LogClosed, Overloaded
from engine.runtime.log import Append, Appended, CursorMove, Replayed

GROUP_BYTES = 8 << 20


@dataclass(slots=True)
class Request:
    """Appends and cursor moves that go together, and who waits for them."""

    appends: tuple[Append, ...]
    cursors: tuple[CursorMove, ...]
    replays: tuple[Replayed, ...] = ()
    done: Future[list[Appended]] = field(default_factory=Future)

    @property
    def size(self) -> int:
        """Return the bytes that the request holds in memory."""
        return 100 + sum(append.size for append in self.appends)


Write = Callable[[Sequence[Request]], "list[list[Appended] | Exception]"]


class Writer:
    """Feed `write` with groups of requests from one thread.

    A request is answered only after `write` returned, which is after the commit. When `write` raises, every request
    of the group gets that error and the next group is tried anew.
    """

    def __init__(self, write: Write, path: Path, queue_bytes: int) -> None:
        self._write = write
        self._path = path
        self._limit = queue_bytes
        self._waiting: deque[tuple[Request, int]] = deque()
        self._work: deque[tuple[Callable[[], object], Future[None]]] = deque()
        self._lock = threading.Condition()
        self._closed = False
        self.queued = 0
        self.thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self.thread.start()

    def submit(self, request: Request, *, must: bool) -> Future[list[Appended]]:
        """Queue a request. Overloaded when the queue is full and the caller can come back (`must` unset)."""
        size = request.size
        with self._lock:
            if self._closed:
                raise LogClosed(f"{self._path}: the engine is stopping; start it again")
            if not must and self.queued + size > self._limit:
                raise Overloaded(1, f"{self.queued >> 20} MiB wait to be written")
            self.queued += size
            self._waiting.append((request, size))
            self._lock.notify()
        return request.done

    def is_full(self) -> bool:
        """Tell whether half of the queue is taken."""
        return self.queued > self._limit // 2

    def between(self, work: Callable[[], object]) -> None:
        """Run `work` on the writer's thread between two groups and wait for it."""
        done: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise LogClosed(f"{self._path}: the engine is stopping; start it again")
            self._work.append((work, done))
            self._lock.notify()
        done.result()

    def close(self) -> None:
        """Write what is queued and end the thread."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self.thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._waiting or self._work or self._closed)
                if not self._waiting and not self._work:
                    return
                work = self._work.popleft() if self._work else None
                group = self._take()
            if work:
                _answer(work[1], work[0])
            if group:
                self._write_group(group)

    def _take(self) -> list[Request]:
        group: list[Request] = []
        size = 0
        while self._waiting and size < GROUP_BYTES:
            request, bytes_ = self._waiting.popleft()
            group.append(request)
            size += bytes_
        return group

    def _write_group(self, group: list[Request]) -> None:
        try:
            answers: Sequence[list[Appended] | Exception] = self._write(group)
        except Exception as error:  # noqa: BLE001 - each waiting caller gets it
            answers = [error] * len(group)
        with self._lock:
            self.queued -= sum(request.size for request in group)
        for request, answer in zip(group, answers, strict=True):
            if isinstance(answer, Exception):
                request.done.set_exception(answer)
            else:
                request.done.set_result(answer)


def _answer(done: Future[None], work: Callable[[], Any]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the waiting caller gets it
        done.set_exception(error)
    else:
        done.set_result(None)
