"""How fast the player's clock runs against the wall's."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from simulators.run import Batch

RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)x?")
SECOND_MS = 1_000
SLOW = 10.0


def parse_rate(text: str) -> float | None:
    """Return how many times faster than life `60x` is; None for `max`. ValueError otherwise."""
    if text == "max":
        return None
    match = RATE.fullmatch(text)
    if match is None or float(match[1]) <= 0.0:
        raise ValueError(f"must be max, or a number above 0 with x, such as 60x; got {text}")
    return float(match[1])


def paced(
    batches: Iterator[Batch],
    speed: float | None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Batch]:
    """Yield batches when the player's clock has reached them; the prelude, and all at speed None, at once.

    When the taker is slow the player falls behind and then hurries; nothing is left out. Slower than ten times life,
    batches are cut by the second.
    """
    begun: tuple[float, int] | None = None
    for batch in batches:
        if speed is None or batch.prelude:
            yield batch
            continue
        if begun is None:
            begun = clock(), batch.t_ms
        for piece in pieces(batch, SECOND_MS) if speed <= SLOW else (batch,):
            wait = (piece.t_ms - begun[1]) / SECOND_MS / speed - (clock() - begun[0])
            if wait > 0.0:
                sleep(wait)
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
