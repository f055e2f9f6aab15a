"""How fast the player's clock runs against the wall's; it can be paused, sped and made to jump while it runs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf, isfinite

import numpy as np

from simulators.run import Batch

RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)x?")
SECOND_MS = 1_000
SLOW = 10.0
INSTANT_S = 1e-6
LATE_S = 1.0


def parse_rate(text: str) -> float | None:
    """Return how many times faster than life `60x` is; None for `max`. ValueError otherwise."""
    if text == "max":
        return None
    match = RATE.fullmatch(text)
    if match is None or float(match[1]) <= 0.0:
        raise ValueError(f"must be max, or a number above 0 with x, such as 60x; got {text}")
    return float(match[1])


class Pace:
    """The player's clock; from any thread. None as speed: as fast as it goes.

    When the taker is slow the clock falls behind and then hurries; nothing is left out. A jump plays what lies
    between as fast as it goes, so that the log has no hole; there is no way back.
    """

    def __init__(
        self,
        speed: float | None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float | None], object] = threading.Condition.wait,
    ) -> None:
        self._clock, self._wait, self._changed = clock, wait, threading.Condition()
        self._speed, self._paused, self._jump_ms = speed, False, 0
        self._begun: tuple[float, int] | None = None
        self._now_ms = 0
        self._late = self._ended = False

    @property
    def speed(self) -> float | None:
        """Return how many times faster than life it runs."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Tell whether it stands still."""
        return self._paused

    @property
    def jump_ms(self) -> int | None:
        """Return where it jumps to, None when it does not."""
        return self._jump_ms if self._jump_ms > self._now_ms else None

    @property
    def hurries(self) -> bool:
        """Tell whether it goes as fast as it can; also when it fell behind by more than a second."""
        return self._speed is None or self.jump_ms is not None or self._late

    def pause(self) -> None:
        """Stand still."""
        with self._anew():
            self._paused = True

    def resume(self) -> None:
        """Go on."""
        with self._anew():
            self._paused = False

    def run_at(self, speed: float | None) -> None:
        """Run so many times faster than life from now on."""
        with self._anew():
            self._speed = speed

    def jump(self, to_ms: int) -> None:
        """Hurry to a moment; also when it stands still, and then stand there."""
        with self._anew():
            self._jump_ms = to_ms

    def end(self) -> None:
        """Let whoever waits go."""
        with self._anew():
            self._ended = True

    @contextmanager
    def _anew(self) -> Iterator[None]:
        """Change something; the clock counts anew from where it is."""
        with self._changed:
            yield
            self._begun = (self._clock(), self._now_ms) if self._begun is not None else None
            self._changed.notify_all()

    def wait(self, t_ms: int) -> None:
        """Return when the player's clock has reached a moment."""
        with self._changed:
            if self._begun is None:
                self._begun = self._clock(), t_ms
            self._late = self._left(t_ms) < -LATE_S
            while not self._ended and (left := self._left(t_ms)) > INSTANT_S:
                self._wait(self._changed, left if isfinite(left) else None)
            if t_ms <= self._jump_ms:
                self._begun = self._clock(), t_ms
            self._now_ms = t_ms

    def _left(self, t_ms: int) -> float:
        """Return how many seconds of the wall's clock are left until a moment; inf while it stands still."""
        if t_ms <= self._jump_ms:
            return 0.0
        self._jump_ms = 0
        if self._paused:
            return inf
        if self._speed is None or self._begun is None:
            return 0.0
        return (t_ms - self._begun[1]) / SECOND_MS / self._speed - (self._clock() - self._begun[0])


def paced(batches: Iterator[Batch], pace: Pace) -> Iterator[Batch]:
    """Yield batches when the clock has reached them; the prelude at once.

    Slower than ten times life, batches are cut by the second.
    """
    for batch in batches:
        if batch.prelude:
            yield batch
            continue
        slow = pace.speed is not None and pace.speed <= SLOW and pace.jump_ms is None
        for piece in pieces(batch, SECOND_MS) if slow else (batch,):
            pace.wait(piece.t_ms)
            yield piece


def pieces(batch: Batch, every_ms: int) -> Iterator[Batch]:
    """Cut a batch by time of arrival; truth and calls go with the last piece."""
    first = batch.t_ms - 10_000
    cuts = np.searchsorted(batch.arrives_ms, np.arange(first + every_ms, batch.t_ms, every_ms)).tolist()
    begins, ends = [0, *cuts], [*cuts, len(batch.lines)]
    for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        last = i == len(ends) - 1
        yield replace(
            batch,
            t_ms=batch.t_ms if last else first + (i + 1) * every_ms,
            lines=batch.lines[begin:end],
            arrives_ms=batch.arrives_ms[begin:end],
            truth=batch.truth if last else [],
            calls=batch.calls if last else (),
        )
