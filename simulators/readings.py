"""Readings on their way from the sensors, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Readings:
    """Columns of one length n. `lon`, `lat` in degrees are nan unless the reading says where a moving sensor is."""

    row: Ints
    t_ms: Ints
    arrives_ms: Ints
    v: Floats
    lon: Floats
    lat: Floats
    weak_db: Ints
    more: Floats
    """float64[n, 2]: what stands beside the value in `attrs`, nan for nothing (lines.MORE)."""
    normal: Floats
    chance: Floats
    """float64[n, LANES] in [0, 1): the faults' draws of this reading."""

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: npt.NDArray[np.bool_] | Ints) -> Readings:
        """Return some of them, by mask or by number."""
        return Readings(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def in_order(self) -> Readings:
        """Return them as they arrive: by (arrival, event time, row)."""
        return self.take(np.lexsort((self.row, self.t_ms, self.arrives_ms)).astype(np.int64))


def join(parts: Sequence[Readings]) -> Readings:
    """Return all parts one after the other; at least one is needed."""
    return Readings(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Readings)))
