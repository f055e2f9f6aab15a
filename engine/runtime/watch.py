"""The threads of the engine: if one dies, the process ends and is started again, rather than going on half blind."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable

from engine.runtime.errors import RuntimeFault, TryAgain

_log = logging.getLogger(__name__)
AGAIN = 75

OnDeath = Callable[[str, BaseException], None]


def end_process(name: str, error: BaseException) -> None:
    """Log what happened and leave at once, with 75 (try again) or what the fault says: the log has all that counts."""
    if isinstance(error, RuntimeFault):
        _log.critical("thread %s: %s", name, error)
    else:
        _log.critical("thread %s died", name, exc_info=error)
    sys.stderr.flush()
    os._exit(error.exit_code if isinstance(error, RuntimeFault) and not isinstance(error, TryAgain) else AGAIN)


class Threads:
    """Start threads that must live until `stopping`; tell `on_death` of the first that does not."""

    def __init__(self, on_death: OnDeath) -> None:
        self._on_death = on_death
        self._threads: list[threading.Thread] = []
        self._watched: list[threading.Thread] = []
        self.stopping = threading.Event()
        self.dead: tuple[str, BaseException] | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` in a thread of this name; returning before `stopping` counts as dying."""
        thread = threading.Thread(target=self._guard, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def watch(self, thread: threading.Thread) -> None:
        """Hold somebody else's thread to the same rule, when `alive` is asked; it is not waited for."""
        self._watched.append(thread)

    def watching(self) -> None:
        """Look every second whether a watched thread has ended; it is reported as the others are."""
        while not self.stopping.wait(1.0):
            for thread in self._watched:
                if not thread.is_alive() and not self.stopping.is_set():
                    raise RuntimeError(f"thread {thread.name} ended by itself")

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
            if not self.stopping.is_set():
                raise RuntimeError(f"{name} ended by itself")
        except BaseException as error:  # noqa: BLE001 - the one edge: the process ends
            self.die(name, error)

    def die(self, name: str, error: BaseException) -> None:
        """Report the first death; during a stop it is only logged."""
        if self.stopping.is_set():
            _log.error("thread %s failed while stopping: %s", name, error)
            self.dead = self.dead or (name, error)
            return
        self.dead = self.dead or (name, error)
        self._on_death(name, error)

    def alive(self) -> bool:
        """Return False once a thread has ended that must not."""
        return self.dead is None and all(thread.is_alive() for thread in (*self._threads, *self._watched))

    def join(self, timeout_s: float) -> list[str]:
        """Wait for the threads to end after `stopping` was set; return the names of those that did not."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout_s)
        return [thread.name for thread in self._threads if thread.is_alive()]
