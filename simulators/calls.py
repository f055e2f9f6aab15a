"""Citizens who call about what they see: reports, not readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from geo.frame import LocalFrame
from simulators.scenario import Calls
from simulators.streams import key_of

MINUTE_MS = 60_000
AROUND_M = 8.0
FEW = 0.05


class Call(msgspec.Struct, frozen=True):
    """One citizen's report."""

    t: int
    category: str
    lon: float
    lat: float
    text: str
    contact: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What may be called about: places in degrees, how bad it is there now, in the unit of `Calls.half_at`."""

    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    bad: npt.NDArray[np.float64]


def calls_in_minute(calls: Calls, seed: int, minute: int, sights: Seen, frame: LocalFrame) -> Sequence[Call]:
    """Return the calls of one minute since 1970, by time: half of `per_hour` where it is as bad as `half_at`.

    A minute's calls depend on the seed, the minute and the sights only.
    """
    squared = (sights.bad / calls.half_at) ** 2
    rate = np.where(squared > FEW, calls.per_hour / 60.0 * squared / (1.0 + squared), 0.0)
    generator = np.random.Generator(np.random.Philox(key=key_of(seed, f"calls {calls.about}"), counter=minute << 64))
    found: list[Call] = []
    for i, count in enumerate(generator.poisson(rate).tolist()):
        for _ in range(count):
            east, north = generator.uniform(-AROUND_M, AROUND_M, 2)
            x, y = frame.to_metres(sights.lon[i : i + 1], sights.lat[i : i + 1])
            lon, lat = frame.to_degrees(x + east, y + north)
            found.append(
                Call(
                    t=minute * MINUTE_MS + int(generator.integers(MINUTE_MS)),
                    category=calls.category,
                    lon=round(float(lon[0]), 6),
                    lat=round(float(lat[0]), 6),
                    text=calls.says[int(generator.integers(len(calls.says)))],
                    contact=f"1390000{int(generator.integers(10_000)):04d}",
                )
            )
    return sorted(found, key=lambda call: (call.t, call.contact))
