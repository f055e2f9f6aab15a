"""Readings in, alert changes out: the specification, one reading at a time.

A plan is a plain dictionary: ``rules`` (the YAML of each rule as a dictionary), ``kinds`` {name: (low, high)},
``registry`` [{sensor, kind, lon_e7, lat_e7, since}], ``grids`` [(code, rings)], ``zones`` {name: [rings]}, ``tz``,
``max_delay``, ``max_age`` (ms), ``short`` (12 hex). A ring is a list of (lon_e7, lat_e7) without the repeated last
point; the first ring of ``rings`` is the shell, the others are holes.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from functools import cache
from typing import Any

from tests.reference.expression import Parser, Seen, evaluate
from tests.reference.levels import LEVELS, State, aggregate, clears, compare
from tests.reference.own import own, reads
from tests.reference.places import covers
from tests.reference.readings import Reading, decode
from tests.reference.times import active, duration, next_end, span_end, spoken

SUSPECT_MS = 300_000
Key = tuple[str, str]


@cache
def parsed(text: str) -> Any:
    return Parser(text).whole()


class Interpreter:
    """Feed records in log order; ``items`` grows with changes, marks and stills."""

    def __init__(self, plans: dict[str, dict[str, Any]], offline: str | None = None, partition: int = 0) -> None:
        self.plans = plans
        self.partition = partition
        self.offline = offline is not None
        self.plan: dict[str, Any] = {}
        self.rules: list[dict[str, Any]] = []
        self.registry: dict[Key, dict[str, Any]] = {}
        self.digest: str | None = None
        self.states: dict[str, dict[Key, State]] = {}
        self.trees: dict[str, dict[str, Any]] = {}
        self.kinds: dict[str, list[str]] = {}
        self.items: list[dict[str, Any]] = []
        self.late: list[tuple[str, int, int]] = []
        self.late_by_kind: Counter[tuple[str, str]] = Counter()
        self.readings_by_kind: Counter[str] = Counter()
        self.suspect = 0
        self.rejects: list[tuple[int, int]] = []
        self.hidden: Counter[str] = Counter()
        self.top: int | None = None  # the largest u of a reading, tick or plan
        self.mark: int | None = None  # W
        self.clock: int | None = None  # F
        self.waiting: list[Reading] = []
        self.last: dict[Key, int] = {}
        self.started = False
        if offline is not None:
            self.take_plan(offline, None)

    # -- records ----------------------------------------------------------------------------------------------------
    def record(self, offset: int, value: bytes, log_time: int | None = None) -> None:
        """Take the next record of the log."""
        control, readings, bad = decode(value, offset, log_time, self.plan["kinds"] if self.plan else {})
        self.rejects += [(offset, index) for index in bad]
        moved: list[int] = []
        if control is not None:
            said = spoken(control["t"])
            stamp = log_time if log_time is not None else spoken(control.get("log_t", control["t"]))
            assert said is not None
            assert stamp is not None
            u = min(said, stamp)
            moved.append(u)
            if control["kind"] == "plan" and not self.offline:
                self.take_plan(control["digest"], u)
        for reading in readings:
            if reading.t > reading.log_time + SUSPECT_MS:
                reading.t = reading.log_time
                self.suspect += 1
            reading.stale = reading.t < reading.log_time - self.plan["max_age"]
            reading.u = min(reading.t, reading.log_time)
            if not reading.stale:
                moved.append(reading.u)
        self.waiting += readings
        if moved:
            if self.offline and not self.started:
                self.start_absences(min(moved))
                self.started = True
            self.top = max(moved) if self.top is None else max(self.top, *moved)
            mark = self.top - self.plan["max_delay"]
            self.mark = mark if self.mark is None else max(self.mark, mark)
        self.release(self.mark)
        if self.mark is not None:
            self.fire(self.mark)
        if control is not None and control["kind"] == "tick":
            self.items.append({"mark": self.mark, "partition": self.partition, "plan": self.plan["short"]})

    def finish(self) -> None:
        """End the offline input: what waits is released, timers due before the largest u fire."""
        self.release(math.inf)
        if self.top is not None:
            self.fire(self.top)

    def release(self, until: float | None) -> None:
        if until is None:
            return
        free = sorted((r for r in self.waiting if r.u <= until), key=lambda r: (r.u, r.offset, r.index))
        self.waiting = [r for r in self.waiting if r.u > until]
        for reading in free:
            self.fire(reading.u)
            self.judge(reading)

    # -- the plan ---------------------------------------------------------------------------------------------------
    def take_plan(self, digest: str, u: int | None) -> None:
        """Switch to a plan; ``u`` is the order time of its record, ``None`` offline."""
        if digest == self.digest:
            return
        old_rules, old_own = self.rules, {r["id"]: own(self.plan, r) for r in self.rules}
        self.digest, self.plan = digest, self.plans[digest]
        self.rules = sorted(
            (r for r in self.plan["rules"] if r.get("enabled", True) is not False), key=lambda r: r["id"]
        )
        before = self.registry
        after = {(r["sensor"], r["kind"]): r for r in self.plan["registry"]}
        new_own = {r["id"]: own(self.plan, r) for r in self.rules}
        for rule in sorted(old_rules, key=lambda r: r["id"]):
            for key, state in sorted(self.states[rule["id"]].items()):
                gone = new_own.get(rule["id"]) != old_own[rule["id"]] or (key in before and key not in after)
                if gone and state.level is not None:
                    assert u is not None
                    self.clear(rule, key, state, u, "plan")
        self.registry = after
        fresh = [r["id"] for r in self.rules if new_own[r["id"]] != old_own.get(r["id"])]
        self.states = {r["id"]: {} if r["id"] in fresh else self.states[r["id"]] for r in self.rules}
        for states in self.states.values():
            for key in [k for k in states if k in before and k not in after]:
                del states[key]
        self.trees = {r["id"]: {k: parsed(str(r[k])) for k in ("where", "measure") if k in r} for r in self.rules}
        self.kinds = {r["id"]: reads(self.plan, r) for r in self.rules}
        if u is not None:
            self.start_absences(u)

    def start_absences(self, u: int) -> None:
        for rule in self.rules:
            if "absent" not in rule:
                continue
            for key, row in self.registry.items():
                if row["kind"] in self.kinds[rule["id"]] and key not in self.states[rule["id"]]:
                    place = None if row["lon_e7"] is None else (row["lon_e7"], row["lat_e7"])
                    state = self.states[rule["id"]][key] = State(place=place)
                    state.alive = u if row.get("since") is None else max(u, row["since"])
                    state.absent_due = self.due_after(state.alive, rule)

    def due_after(self, alive: int, rule: dict[str, Any]) -> int:
        if rule["absent"] == "span":
            return span_end(rule["schedule"], self.plan["tz"], alive)
        return alive + duration(rule["absent"])

    # -- timers -----------------------------------------------------------------------------------------------------
    def fire(self, until: float) -> None:
        """Fire every timer due before ``until`` in order of (due, rule, sensor, kind); then it is ``until``."""
        due = []
        for rule in self.rules:
            for key, state in self.states[rule["id"]].items():
                for rank, at in enumerate((state.quiet_due, state.schedule_due, state.absent_due)):
                    if at is not None and at < until:
                        due.append((at, rule["id"], *key, rank, rule, key, state))
        for at, _, _, _, rank, rule, key, state in sorted(due, key=lambda x: x[:5]):
            self.go_off(rank, at, rule, key, state)
        self.clock = int(until) if self.clock is None else max(self.clock, int(until))

    def go_off(self, rank: int, at: int, rule: dict[str, Any], key: Key, state: State) -> None:
        if rank == 2:
            state.absent_due = None
            (level,) = rule["levels"]
            self.raise_to(rule, key, state, level, at, None, "absent", (state.alive or 0, None))
            return
        if rank == 0:
            state.quiet_due = None
        else:
            state.schedule_due = None
        state.since, state.clear_since, state.window = {}, None, []
        if state.level is not None:
            self.clear(rule, key, state, at, "quiet" if rank == 0 else "schedule")

    # -- readings ---------------------------------------------------------------------------------------------------
    def judge(self, reading: Reading) -> None:
        key = (reading.sensor, reading.kind)
        fixed = self.fixed(key)
        # what the registry says of a place is never remembered: a later plan may say otherwise
        reading.told, reading.place = (None, fixed) if fixed else (reading.place, reading.place)
        last = self.last.get(key)
        reason = ""
        if reading.stale:
            reason = "stale"
        elif last is not None and reading.t <= last:
            reason = "duplicate" if reading.t == last else "late"
        else:
            self.last[key] = reading.t
        if reason:
            self.late.append((reason, reading.offset, reading.index))
            self.late_by_kind[reading.kind, reason] += 1
        self.readings_by_kind[reading.kind] += 1
        for rule in self.rules:
            if reading.kind not in self.kinds[rule["id"]]:
                continue
            if "absent" in rule:
                self.alive(rule, key, reading)
            elif not reason:
                self.look(rule, key, reading)

    def fixed(self, key: Key) -> tuple[int, int] | None:
        """Give the place of a sensor that has one in the registry: of this kind, else of its first other kind."""
        own = [self.registry[key]] if key in self.registry else []
        others = [row for (sensor, _), row in sorted(self.registry.items()) if sensor == key[0]]
        return next(((r["lon_e7"], r["lat_e7"]) for r in own + others if r["lon_e7"] is not None), None)

    def alive(self, rule: dict[str, Any], key: Key, reading: Reading) -> None:
        if key not in self.registry:
            return
        state = self.states[rule["id"]][key]
        assert self.clock is not None
        assert state.alive is not None
        state.alive = max(state.alive, reading.t, self.clock)
        state.absent_due = self.due_after(state.alive, rule)
        state.seen_offset = reading.offset
        state.place = reading.told or state.place
        if state.level is not None:
            self.clear(rule, key, state, reading.t, "reading", reading=reading, first=reading.offset)

    def look(self, rule: dict[str, Any], key: Key, reading: Reading) -> None:
        seen = Seen(
            reading.v,
            reading.t,
            reading.sensor,
            reading.kind,
            *(reading.place or (None, None)),
            reading.attrs,
            self.plan["tz"],
            lambda name, x, y: any(covers(rings, x, y) for rings in self.plan["zones"][name]),
        )
        trees = self.trees[rule["id"]]
        if "schedule" in rule and not active(rule["schedule"], self.plan["tz"], reading.t):
            return
        if "where" in trees:
            where = evaluate(trees["where"], seen)
            if where is None:
                self.hidden[rule["id"]] += 1
            if where is not True:
                return
        x = evaluate(trees["measure"], seen) if "measure" in trees else reading.v
        if x is None or not math.isfinite(x) or ("window" in rule and abs(x) > 1e8):
            self.hidden[rule["id"]] += 1
            return
        state = self.states[rule["id"]].setdefault(key, State())
        if "max_gap" in rule and state.seen_t is not None and reading.t - state.seen_t > duration(rule["max_gap"]):
            state.since, state.clear_since = {}, None
        measure = aggregate(rule["window"], state, reading.t, x) if "window" in rule else float(x)
        state.seen_t, state.seen_offset = reading.t, reading.offset
        state.place = reading.told or state.place
        assert self.clock is not None
        if "quiet" in rule:
            state.quiet_due = max(reading.t, self.clock) + duration(rule["quiet"])
        if "schedule" in rule:
            state.schedule_due = next_end(rule["schedule"], self.plan["tz"], reading.t)
        changed = measure is not None and self.decide(rule, key, state, reading, measure)
        if not changed and state.level is not None and reading.t - state.told >= 60_000:
            state.told = reading.t
            self.items.append({"still": state.episode, "t": reading.t, "value": measure})

    def decide(self, rule: dict[str, Any], key: Key, state: State, reading: Reading, x: float) -> bool:
        levels = rule["levels"]
        declared = [name for name in LEVELS if name in levels]
        t, here = reading.t, (reading.t, reading.offset)
        for name in declared:
            if compare(levels[name]["set"], x):
                state.since.setdefault(name, here)
            else:
                state.since.pop(name, None)
        held = [
            n for n in declared if n in state.since and t - state.since[n][0] >= duration(levels[n].get("for", "0s"))
        ]
        rank = -1 if state.level is None else LEVELS.index(state.level)
        if held and LEVELS.index(held[-1]) > rank:
            self.raise_to(rule, key, state, held[-1], t, x, "reading", state.since[held[-1]], reading)
            state.clear_since = None
            return True
        if state.level is None:
            return False
        if not clears(levels[state.level], x):
            state.clear_since = None
            return False
        state.clear_since = state.clear_since or here
        if t - state.clear_since[0] < duration(rule.get("clear_for", "0s")):
            return False
        first = state.clear_since[1]
        state.clear_since = None
        lower = [n for n in declared if LEVELS.index(n) < rank and not clears(levels[n], x)]
        if not lower:
            self.clear(rule, key, state, t, "reading", reading=reading, first=first, value=x)
        else:
            previous, state.level = state.level, lower[-1]
            since = state.since.get(lower[-1], (None, None))[0]
            self.say(rule, key, state, "downgraded", "reading", previous, t, since, x, first, reading)
        return True

    # -- changes ----------------------------------------------------------------------------------------------------
    def raise_to(
        self,
        rule: dict[str, Any],
        key: Key,
        state: State,
        level: str,
        t: int,
        x: float | None,
        cause: str,
        since: tuple[int, int | None],
        reading: Reading | None = None,
    ) -> None:
        previous, state.level = state.level, level
        if previous is None:
            text = "|".join((rule["id"], *key, str(t)))
            state.episode, state.seq = "ep_" + hashlib.sha256(text.encode()).hexdigest()[:20], 0
        change = "raised" if previous is None else "escalated"
        first = since[1] if cause == "reading" else state.seen_offset
        self.say(rule, key, state, change, cause, previous, t, since[0], x, first, reading)

    def clear(
        self,
        rule: dict[str, Any],
        key: Key,
        state: State,
        t: int,
        cause: str,
        *,
        reading: Reading | None = None,
        first: int | None = None,
        value: float | None = None,
    ) -> None:
        previous, state.level = state.level, None
        self.say(
            rule,
            key,
            state,
            "cleared",
            cause,
            previous,
            t,
            None,
            value,
            first if reading else state.seen_offset,
            reading,
        )

    def say(
        self,
        rule: dict[str, Any],
        key: Key,
        state: State,
        change: str,
        cause: str,
        previous: str | None,
        t: int,
        since: int | None,
        x: float | None,
        first: int | None,
        reading: Reading | None,
    ) -> None:
        place = reading.place if reading else self.fixed(key) or state.place
        grid = None
        if place is not None:
            grid = min((code for code, rings in self.plan["grids"] if covers(rings, *place)), default=None)
        item = {
            "id": f"{state.episode}:{state.seq}",
            "episode": state.episode,
            "seq": state.seq,
            "change": change,
            "cause": cause,
            "rule": rule["id"],
            "rule_version": rule["version"],
            "sensor": key[0],
            "kind": key[1],
            "level": state.level,
            "previous": previous,
            "t": t,
            "since": since,
            "value": x,
            "lon": None if place is None else place[0] / 1e7,
            "lat": None if place is None else place[1] / 1e7,
            "grid": grid,
            "evidence": {
                "partition": self.partition,
                "first_offset": first,
                "last_offset": reading.offset if reading else state.seen_offset,
            },
            "plan": self.plan["short"],
        }
        if rule.get("enabled") == "shadow":
            item["shadow"] = True
        state.seq += 1
        state.told = t
        self.items.append(item)
