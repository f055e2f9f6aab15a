"""Readings of the benchmark, fixed by the seed: `python -m bench.readings --readings 10000000 --seed 1`.

Every sensor speaks once a minute, in another order each minute; one reading in a hundred is beyond a level (five in a
row), one in a hundred is of an odd shape. Clocks jitter by 150 ms.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from bench import odd, town
from bench.town import KINDS, SENSORS, Town

READINGS = 10_000_000
SEED = 1
CACHE = Path(".cache/bench")
CHUNK = 200_000
BEGIN_MS = 1_767_225_600_000
MINUTE_MS = 60_000
JITTER_MS = 150
ROUNDS_BEYOND = 5
ODD_PER_MILLE = 10
FORMAT = 1
"""Raised when the same seed gives other bytes."""

_LONGEST = 400
Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything of one seed and size is."""

    readings: Path
    registry: Path
    grids: Path
    zones: Path


def files(readings: int, seed: int, cache: Path = CACHE) -> Files:
    """Return the files of a size and seed, writing them if they are not there."""
    folder = cache / f"format{FORMAT}-seed{seed}"
    made = Files(
        folder / f"readings-{readings}.ndjson", folder / "sensors.csv", folder / "grids.geojson", folder / "zones"
    )
    folder.mkdir(parents=True, exist_ok=True)
    place = town.build(seed)
    if not made.zones.exists():
        town.write_registry(place, made.registry)
        town.write_grids(seed, made.grids)
        town.write_zones(seed, made.zones)
    if not made.readings.exists():
        partial = made.readings.with_suffix(".part")
        with partial.open("wb") as file:
            for chunk in chunks(place, readings, seed):
                file.write(chunk.text)
        partial.rename(made.readings)
    return made


class Texts(NamedTuple):
    """Pieces of text in one heap: `heap[start[i] : start[i + 1]]`."""

    heap: Bytes
    start: Int64

    @classmethod
    def of(cls, pieces: list[bytes]) -> Texts:
        start = np.zeros(len(pieces) + 1, np.int64)
        np.cumsum([len(piece) for piece in pieces], out=start[1:])
        return cls(np.frombuffer(b"".join(pieces) or b"\0", np.uint8), start)


class Chunk(NamedTuple):
    """Readings as lines; `sensor[i]` is who speaks in line `i`, `number[i]` which reading of all it is."""

    text: memoryview
    sensor: Int64
    number: Int64


def chunks(place: Town, readings: int, seed: int, odd_per_mille: int = ODD_PER_MILLE) -> Iterator[Chunk]:
    """Write the readings, `CHUNK` at a time."""
    heads = Texts.of(
        [
            f'{{"sensor":"{name}","kind":"{KINDS[kind].name}","t":'.encode()
            for name, kind in zip(place.ids, place.kind, strict=True)
        ]
    )
    tails = Texts.of(
        [
            f',"lon":{lon / 1e7:.7f},"lat":{lat / 1e7:.7f},"attrs":{{"mode":"normal",'
            f'"fw":"2.1.{number % 10}","bay":"{number % 100:02d}","battery":'.encode()
            for number, (lon, lat) in enumerate(zip(place.lon_e7, place.lat_e7, strict=True))
        ]
    )
    orders = np.random.default_rng([seed, 4])
    for first in range(0, readings, CHUNK):
        random = np.random.default_rng([seed, 5, first])
        number = np.arange(first, min(first + CHUNK, readings))
        minutes = -(-len(number) // SENSORS)
        sensor = np.concatenate([orders.permutation(SENSORS) for _ in range(minutes)])[: len(number)]
        t = BEGIN_MS + number * MINUTE_MS // SENSORS + random.integers(-JITTER_MS, JITTER_MS, len(number))
        v = _values(place, sensor, number // SENSORS, random)
        battery, rssi = random.integers(5, 100, len(number)), random.integers(40, 110, len(number))
        shape = np.where(
            random.integers(0, 1000, len(number)) < odd_per_mille, random.integers(0, len(odd.SHAPES), len(number)), -1
        )
        texts = _odd_texts(place, sensor, t, v, battery, shape)
        out = np.empty(len(number) * _LONGEST, np.uint8)
        used = _write(heads, tails, texts, sensor, t, v, battery, rssi, shape, out)
        yield Chunk(out[:used].data, sensor, number)


def overtaken(readings: int, seed: int) -> npt.NDArray[np.bool_]:
    """Tell of each sensor whether one of its readings ever stands behind a later one."""
    found, last = np.zeros(SENSORS, np.bool_), np.full(SENSORS, -MINUTE_MS)
    orders = np.random.default_rng([seed, 4])
    for first in range(0, readings, CHUNK):
        random = np.random.default_rng([seed, 5, first])
        number = np.arange(first, min(first + CHUNK, readings))
        t = number * MINUTE_MS // SENSORS + random.integers(-JITTER_MS, JITTER_MS, len(number))
        for minute in range(0, len(number), SENSORS):
            said = t[minute : minute + SENSORS]
            sensor = orders.permutation(SENSORS)[: len(said)]
            found[sensor] |= said < last[sensor]
            last[sensor] = said
    return found


def _values(place: Town, sensor: Int64, minute: Int64, random: np.random.Generator) -> Int64:
    """Draw values in hundredths; a sensor is beyond a level for `ROUNDS_BEYOND` minutes, in one minute of a hundred."""
    spell = (minute + sensor) // ROUNDS_BEYOND
    mixed = (spell.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ (
        sensor.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
    )
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    beyond = (mixed >> np.uint64(33)) % np.uint64(100) == 0
    bounds = np.array([(*shape.usual, *shape.crossing) for shape in KINDS])[place.kind[sensor]]
    low = np.where(beyond, bounds[:, 2], bounds[:, 0])
    high = np.where(beyond, bounds[:, 3], bounds[:, 1])
    values: Int64 = low + (random.random(len(sensor)) * (high - low + 1)).astype(np.int64)
    return values


def _odd_texts(place: Town, sensor: Int64, t: Int64, v: Int64, battery: Int64, shape: Int64) -> Texts:
    texts = []
    for row in np.flatnonzero(shape >= 0):
        number = sensor[row]
        said = odd.Said(
            place.ids[number],
            KINDS[place.kind[number]].name,
            int(t[row]),
            f"{v[row] // 100}.{v[row] % 100:02d}",
            f"{place.lon_e7[number] / 1e7:.7f}",
            f"{place.lat_e7[number] / 1e7:.7f}",
            int(battery[row]),
        )
        texts.append(odd.SHAPES[shape[row]](said).encode())
    return Texts.of(texts)


@njit(cache=True)
def _put(out: Bytes, at: int, texts: Texts, number: int) -> int:
    for position in range(texts.start[number], texts.start[number + 1]):
        out[at] = texts.heap[position]
        at += 1
    return at


@njit(cache=True)
def _put_number(out: Bytes, at: int, value: int, digits: int) -> int:
    """Write at least `digits` digits."""
    power = 10 ** (digits - 1)
    while value >= 10 * power:
        power *= 10
    while power > 0:
        out[at] = 48 + value // power % 10
        at += 1
        power //= 10
    return at


_RSSI = np.frombuffer(b',"rssi":-', np.uint8)
_END = np.frombuffer(b"}}\n", np.uint8)


@njit(cache=True)
def _write(
    heads: Texts,
    tails: Texts,
    odd_texts: Texts,
    sensor: Int64,
    t: Int64,
    v: Int64,
    battery: Int64,
    rssi: Int64,
    shape: Int64,
    out: Bytes,
) -> int:
    at = 0
    odd_row = 0
    for row in range(len(sensor)):
        if shape[row] >= 0:
            at = _put(out, at, odd_texts, odd_row)
            odd_row += 1
            out[at] = 10
            at += 1
            continue
        at = _put(out, at, heads, sensor[row])
        at = _put_number(out, at, t[row], 1)
        for byte in b',"v":':
            out[at] = byte
            at += 1
        at = _put_number(out, at, v[row] // 100, 1)
        out[at] = 46
        at = _put_number(out, at + 1, v[row] % 100, 2)
        at = _put(out, at, tails, sensor[row])
        at = _put_number(out, at, battery[row], 1)
        for byte in _RSSI:
            out[at] = byte
            at += 1
        at = _put_number(out, at, rssi[row], 1)
        for byte in _END:
            out[at] = byte
            at += 1
    return at


def main() -> None:
    """Write the files, or only the readings to standard output."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--readings", type=int, default=READINGS)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--fresh", action="store_true", help="throw away what is in the cache")
    chosen = options.parse_args()
    if chosen.fresh:
        shutil.rmtree(chosen.cache, ignore_errors=True)
    made = files(chosen.readings, chosen.seed, chosen.cache)
    size = made.readings.stat().st_size
    print(f"{made.readings}: {chosen.readings:,} readings, {size / chosen.readings:.1f} bytes each")


if __name__ == "__main__":
    main()
