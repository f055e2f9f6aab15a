"""Readings as JSON lines: what never changes of a sensor is made once, the rest is put together by the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import orjson

from simulators.network import Network
from simulators.readings import Readings
from simulators.scenario import Signal
from simulators.streams import stream
from simulators.traffic import plate_of, sort_of

DAY_MS = 86_400_000
WORD = ("false", "true")
MORE = {
    "drain.pump": lambda level, _: f',"sump_cm":{level}',
    "vehicle.position": lambda loaded, lifted: f',"loaded":{WORD[loaded > 0]},"lifted":{WORD[lifted > 0]}',
}
"""What stands in `attrs` beside a value of these kinds (`Readings.more`)."""
FIRMWARE = ("1.8.2", "2.0.1", "2.1.0", "2.1.4", "3.0.0")
Floats = npt.NDArray[np.float64]


class Writer:
    """Writes readings of a network's rows; `sites[i]`: what `attrs.site` of row i says, nothing if empty."""

    def __init__(self, network: Network, signals: Mapping[str, Signal], sites: Sequence[str], seed: int) -> None:
        self._head: list[str] = []
        self._attrs: list[str] = []
        self._battery: list[int] = []
        self._more: list[Callable[[float, float], str] | None] = []
        self._tail: list[str] = []
        self._day = -1
        places = _places(network.lon, network.lat)
        for row, name, site, place in zip(network.rows, network.names, sites, places, strict=True):
            generator = stream(seed, f"device|{name}")
            firmware = FIRMWARE[int(generator.integers(len(FIRMWARE)))]
            attrs = {"site": site} if site else {}
            if row.kind == "vehicle.position":
                attrs |= {"type": sort_of(row.cell("site")), "plate": plate_of(row.sensor, seed)}
            attrs |= {"model": signals[row.kind].model, "fw": firmware, "unit": signals[row.kind].unit}
            self._head.append(orjson.dumps({"sensor": row.sensor, "kind": row.kind}).decode()[:-1] + ',"t":')
            self._attrs.append(f'{place},"attrs":{orjson.dumps(attrs).decode()[:-1]},"battery":')
            self._more.append(MORE.get(row.kind))
            self._battery.append(int(generator.integers(80)))

    def _tails(self, day: int) -> list[str]:
        if day != self._day:
            pairs = zip(self._attrs, self._battery, strict=True)
            self._tail = [f'{attrs}{20 + (battery - day // 9) % 80},"rssi":-' for attrs, battery in pairs]
            self._day = day
        return self._tail

    def write(self, readings: Readings, *, log_t: bool = False) -> list[bytes]:
        """Return one line a reading, without its line end; with `log_t` each says when it came in."""
        if not len(readings):
            return []
        head, tail = self._head, self._tails(int(readings.arrives_ms[0]) // DAY_MS)
        row, t, v, db = readings.row.tolist(), readings.t_ms.tolist(), readings.v.tolist(), readings.weak_db.tolist()
        beside = np.flatnonzero(np.isfinite(readings.more[:, 0]))
        if not log_t and not len(beside) and not np.isfinite(readings.lon).any():
            columns = zip(row, t, v, db, strict=True)
            return [f'{head[r]}{a},"v":{x}{tail[r]}{b}}}}}'.encode() for r, a, x, b in columns]
        places = [""] * len(row)
        moving = np.flatnonzero(np.isfinite(readings.lon))
        for i, place in zip(moving.tolist(), _places(readings.lon[moving], readings.lat[moving]), strict=True):
            places[i] = place
        ends = [f'}},"log_t":{at}}}' for at in readings.arrives_ms.tolist()] if log_t else ["}}"] * len(row)
        for i, (first, second) in zip(beside.tolist(), readings.more[beside].tolist(), strict=True):
            told = self._more[row[i]]
            ends[i] = told(first, second) + ends[i] if told is not None else ends[i]
        every = zip(row, t, v, places, db, ends, strict=True)
        return [f'{head[r]}{a},"v":{x}{place}{tail[r]}{b}{end}'.encode() for r, a, x, place, b, end in every]


def _places(lon: Floats, lat: Floats) -> list[str]:
    """Return `,"lon":…,"lat":…` of each place, empty where it is nan."""
    there, x, y = np.isfinite(lon).tolist(), np.round(lon, 7).tolist(), np.round(lat, 7).tolist()
    return [f',"lon":{a},"lat":{b}' if t else "" for a, b, t in zip(x, y, there, strict=True)]


def tick(t_ms: int) -> bytes:
    """Return a tick, the control record that moves the log's time on."""
    return f'{{"kind":"tick","t":{t_ms}}}'.encode()
