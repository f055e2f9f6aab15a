"""The rule of the peers' job for the Python peers: three levels with hold and hysteresis, one sensor at a time.

Written from README.md, not from the engine. A sensor with nothing going on has no state: `see` returns None for it.
"""

from __future__ import annotations

import msgspec

KIND = "gas.methane"
LEVELS = (None, "yellow", "orange", "red")
SET = (0.0, 10.0, 25.0, 50.0)
CLEAR = (0.0, 8.0, 20.0, 40.0)
FOR_MS = (0, 60_000, 30_000, 0)
CLEAR_FOR_MS = 120_000


class Reading(msgspec.Struct, gc=False):
    """What the job needs of a reading. Plan and tick records of the log have no sensor."""

    kind: str
    t: int
    sensor: str | None = None
    v: float = 0.0
    lon: float | None = None
    lat: float | None = None


class Change(msgspec.Struct, gc=False):
    """One change, as it is written to the output topic."""

    sensor: str
    kind: str
    change: str
    level: str | None
    previous: str | None
    t: int
    since: int | None
    value: float
    lon: float | None
    lat: float | None


class State(msgspec.Struct, array_like=True):
    """One sensor: its level, since when each level's `set` has held, since when the level's `clear` has; 0 is unset."""

    level: int = 0
    yellow: int = 0
    orange: int = 0
    red: int = 0
    clear: int = 0


def see(state: State | None, reading: Reading) -> tuple[State | None, Change | None]:
    """Return the state after a reading and the change it makes. The state is changed in place."""
    x = reading.v
    if state is None:
        if x < SET[1]:
            return None, None
        state = State()
    t = reading.t
    state.yellow = (state.yellow or t) if x >= SET[1] else 0
    state.orange = (state.orange or t) if x >= SET[2] else 0
    state.red = (state.red or t) if x >= SET[3] else 0
    since = (0, state.yellow, state.orange, state.red)
    reached = 0
    for level in (3, 2, 1):
        if since[level] and t - since[level] >= FOR_MS[level]:
            reached = level
            break
    before = state.level
    if reached > before:
        state.level, state.clear = reached, 0
        return state, _change("escalated" if before else "raised", reading, reached, before, since[reached])
    if before:
        if x >= CLEAR[before]:
            state.clear = 0
        else:
            state.clear = state.clear or t
            if t - state.clear >= CLEAR_FOR_MS:
                after = before - 1
                while after and x < CLEAR[after]:
                    after -= 1
                state.level, state.clear = after, 0
                change = _change("downgraded" if after else "cleared", reading, after, before, since[after])
                return _kept(state), change
    return _kept(state), None


def _kept(state: State) -> State | None:
    return state if state.level or state.yellow else None


def _change(change: str, reading: Reading, level: int, previous: int, since: int) -> Change:
    return Change(
        reading.sensor or "", reading.kind, change, LEVELS[level], LEVELS[previous], reading.t,
        since or None, reading.v, reading.lon, reading.lat,
    )  # fmt: skip
