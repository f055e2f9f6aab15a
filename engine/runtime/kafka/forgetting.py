"""The worker that relays lets go of messages that everybody has had for a week."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from engine.casework.errors import StoreAway
from engine.casework.store import Store
from engine.casework.trimming import let_go, told
from engine.clock import wall_clock_ms

PERIOD_S = 600.0
_log = logging.getLogger(__name__)


class Forgetting:
    """Let go now and then, while `owns` says that it is our turn; `names` are those who must have had a message."""

    def __init__(self, store: Store, names: Sequence[str], owns: Callable[[], bool], threads: Executor) -> None:
        self._store = store
        self._names = list(names)
        self._owns = owns
        self._threads = threads

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            if not self._owns():
                continue
            try:
                gone = await asyncio.get_running_loop().run_in_executor(self._threads, self._step)
            except StoreAway as fault:
                _log.warning("%s", fault)
                continue
            if gone:
                _log.info("%d messages that everybody had are let go of", gone)

    def _step(self) -> int:
        return let_go(self._store, told(self._store, self._names), now_ms=wall_clock_ms())
