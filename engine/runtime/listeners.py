"""Who wants to be called when something was published; any thread may come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Listeners:
    """Callables that return at once, each until it is ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Callable[[], None]] = {}
        self._next = 0

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` from now on; return what ends that."""
        with self._lock:
            self._next += 1
            number = self._next
            self._known[number] = listener

        def end() -> None:
            with self._lock:
                self._known.pop(number, None)

        return end

    def tell(self) -> None:
        """Call everyone."""
        with self._lock:
            known = list(self._known.values())
        for listener in known:
            listener()
