"""State of rules fetched from memory while the rows before are judged: sensors speak in any order."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from engine.detect.decode.rows import Table
from engine.detect.kernels.compiled import inlined
from engine.detect.kernels.layout import HEAD, W_BLOCK, W_END, W_FIRST, W_LENGTH, W_SIZE, WINDOW
from engine.detect.kernels.memory import near

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

AHEAD: Final = 16
"""So many rows before it is their turn."""


@inlined
def bring_near(rows: Table, j: int, slots: I32, S: I64, W: I64, windowed: bool) -> None:
    """Have the state that row `j` will touch fetched while the rows before it are judged."""
    slot = slots[rows[j]["local"]]
    if slot >= 0:
        near(S, slot, 0)
        near(S, slot, HEAD)
        if windowed:
            near(W, slot, 0)
            near(W, slot, WINDOW - 1)


@inlined
def bring_panes_near(rows: Table, j: int, slots: I32, W: I64, pool: I64) -> None:
    """Have the oldest and the next pane of the window of row `j` fetched."""
    slot = slots[rows[j]["local"]]
    if slot >= 0 and rows[j]["t"] >= W[slot, W_END]:
        first = W[slot, W_FIRST]
        block = W[slot, W_BLOCK]
        near(pool, block + first, 0)
        near(pool, block + ((first + W[slot, W_LENGTH]) & (W[slot, W_SIZE] - 1)), 0)
