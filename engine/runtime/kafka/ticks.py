"""Ticks: about once a second the log is told the time in every partition of city.readings, by one worker.

It is the worker that owns partition 0; while that moves, two may write for a moment, which is harmless, and nobody may
for a few seconds, which only delays timers. On a player's clock the player writes its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from engine.runtime.errors import TryAgain
from engine.runtime.kafka.sending import Record, Sender
from engine.runtime.readings import TICK_KEY, tick_record

PERIOD_S = 1.0
LOOK_S = 60.0
_log = logging.getLogger(__name__)


class Ticker:
    """Write ticks of `clock` (ms) into every partition of `topic` while `owns` says that it is our turn."""

    def __init__(self, sender: Sender, topic: str, owns: Callable[[], bool], clock: Callable[[], int]) -> None:
        self._sender = sender
        self._topic = topic
        self._owns = owns
        self._clock = clock
        self.ticking = False

    async def run(self) -> None:
        """Tick until cancelled; a tick that cannot be written now is left out, the next one says more."""
        loop = asyncio.get_running_loop()
        due, told = loop.time(), ""
        while True:
            due = max(due + PERIOD_S, loop.time())
            await asyncio.sleep(due - loop.time())
            if self.ticking != self._owns():
                self.ticking = not self.ticking
                _log.info("this worker %s", "writes the ticks now" if self.ticking else "no longer writes the ticks")
            if not self.ticking:
                continue
            try:
                await self.tick()
                told = ""
            except TryAgain as fault:
                if str(fault) != told:
                    _log.warning("no ticks now: %s", fault)
                told = str(fault)

    async def tick(self) -> None:
        """Write one tick into each partition; durable on return."""
        partitions = await self._sender.partitions(self._topic)
        value = tick_record(self._clock()).value
        await self._sender.send([Record(self._topic, value, TICK_KEY.encode(), one) for one in partitions])
