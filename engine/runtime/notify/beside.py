"""Telling destinations beside an embedded engine: one thread with a loop of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from engine.casework.service import Casework
from engine.runtime.notify.telling import Destination, Progress, Telling

LOOK_S = 1.0
STOP_S = 5.0
_log = logging.getLogger(__name__)


class Beside:
    """Tell destinations from a thread; `subscribe` lets the relay wake it."""

    def __init__(
        self,
        casework: Casework,
        destinations: Sequence[Destination],
        subscribe: Callable[[Callable[[], None]], Callable[[], None]],
        *,
        first_pause_s: float = 1.0,
    ) -> None:
        self._casework = casework
        self._destinations = destinations
        self._subscribe = subscribe
        self._first_pause_s = first_pause_s
        self._telling: Telling | None = None
        self._loop = asyncio.new_event_loop()
        self._work = asyncio.Event()
        self._ended = asyncio.Event()
        self.thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self.thread.start()

    def stop(self) -> None:
        """End; what is not told is told after the next start."""
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._ended.set)
        self.thread.join(STOP_S)

    def progress(self) -> dict[str, tuple[int, Progress]]:
        """Return, by destination, how many messages wait and how far it is; empty before the start."""
        telling = self._telling
        return {} if telling is None else {name: (telling.waiting(name), one) for name, one in telling.progress.items()}

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._tell())
        finally:
            self._loop.close()

    async def _tell(self) -> None:
        with ThreadPoolExecutor(1, "notices") as threads:
            telling = self._telling = Telling(
                self._casework, self._destinations, lambda: True, threads, first_pause_s=self._first_pause_s
            )
            quiet = self._subscribe(self._wake)
            try:
                async with asyncio.TaskGroup() as group:
                    work = [group.create_task(one) for one in (telling.run(), self._follow(telling))]
                    await self._ended.wait()
                    for task in work:
                        task.cancel()
            finally:
                quiet()

    def _wake(self) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._work.set)

    async def _follow(self, telling: Telling) -> None:
        """Say what was published, when woken and once a second."""
        while True:
            _, last = await telling.patiently(self._casework.positions)
            await telling.published(last)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), LOOK_S)
            self._work.clear()
