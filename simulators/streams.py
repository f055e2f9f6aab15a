"""Random numbers: one Philox stream a name, so that what one sensor draws never depends on another."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, Philox

BLOCK = 64
UNIFORMS = 8
NATURE = 8


def key_of(seed: int, name: str) -> int:
    """Return the 128-bit Philox key of a named stream; the same on every machine."""
    return int.from_bytes(blake2b(f"{seed}|{name}".encode(), digest_size=16).digest(), "little")


def stream(seed: int, name: str) -> Generator:
    """Open the stream of this name at its beginning."""
    return Generator(Philox(key=key_of(seed, name)))


def natures(seed: int, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return what makes each sensor itself, float64[n, NATURE] in [0, 1)."""
    table = np.empty((len(names), NATURE))
    for i, name in enumerate(names):
        table[i] = stream(seed, f"nature|{name}").random(NATURE)
    return table


class Streams:
    """Draws of many sensors, a column of numbers for each report.

    The numbers of a report depend on (seed, name, number of the report) only: a simulation that starts
    later, or plays fewer sensors, draws the same ones.
    """

    def __init__(self, seed: int, names: Sequence[str]) -> None:
        self._keys = [key_of(seed, name) for name in names]
        self._block = np.full(len(names), -1, dtype=np.int64)
        self._normal = np.zeros((len(names), BLOCK), dtype=np.float32)
        self._uniform = np.zeros((len(names), UNIFORMS, BLOCK), dtype=np.float32)

    def draw(self, rows: npt.NDArray[np.int64], number: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return what these rows draw for their report of this number (>= 0).

        normal: float64[n], standard normal; uniform: float64[UNIFORMS, n] in [0, 1).
        """
        block, column = divmod(number, BLOCK)
        for row in rows[self._block[rows] != block].tolist():
            generator = Generator(Philox(key=self._keys[row], counter=block << 64))
            generator.standard_normal(out=self._normal[row], dtype=np.float32)
            generator.random(out=self._uniform[row], dtype=np.float32)
            self._block[row] = block
        return self._normal[rows, column].astype(np.float64), self._uniform[rows, :, column].T.astype(np.float64)
