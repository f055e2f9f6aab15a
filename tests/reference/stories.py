"""Random plans and logs for comparing the engine with the interpreter.

A story is a list of plans and a list of steps; `log_of` turns the steps to records. Values, gaps and thresholds come from
small sets that meet at their borders, so that ``>=`` and ``>``, due and due + 1 ms, pane and next pane are told apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

DAY = 86_400_000
BASES = [  # a Monday evening, a Saturday before the clocks go forward, another before they go back
    int(datetime.fromisoformat("2026-03-02T20:25:00+08:00").timestamp() * 1000),
    int(datetime.fromisoformat("2026-03-28T21:00:00+01:00").timestamp() * 1000),
    int(datetime.fromisoformat("2026-10-24T21:00:00+02:00").timestamp() * 1000),
]
KINDS = {"t.a": (-50.0, 200.0), "t.b": (-50.0, 200.0), "u.c": (-50.0, 200.0)}
SENSORS = ["s1", "s2", "s10", "m1"]
GAPS = [0, 1, 999, 1000, 1001, 2000, 4999, 5000, 10_000, 29_999, 30_000, 59_999, 60_000, 60_001, 120_000, 300_000, 600_000, 3_600_000, 7_200_000]
PLACES = [None, (1_000_000, 1_000_000), (1_000_500, 1_000_500), (1_001_000, 1_000_700), (1_002_500, 1_001_000), (1_009_000, 1_009_000)]
DURATIONS = ["1s", "5s", "10s", "30s", "1m", "2m"]
EXPRESSIONS = [
    'attrs.mode != "calibration"', "v > 1 || attrs.x == null", 'inside("z1")', 'outside("z2") && v >= 0', "attrs.x + 1 > 2",
    'sensor in ["s1", "m1"]', 'starts_with(sensor, "s")', "hour() < 22 ? true : v > 3", "weekday() == 1 || weekday() > 5",
    'has(attrs.mode) && ends_with(attrs.mode, "n")', "!(attrs.flag == true)", "attrs.flag || v > 2", "lon > 0.1 && lat <= 0.10007",
    "attrs.mode < \"c\" || attrs.x in [1, 2, \"two\", null]", "kind == \"t.a\" || v % 2 == 0", "-v < 0",
]
MEASURES = ["v * 2", "v + attrs.x", "abs(v - 5)", "v / attrs.x", "max(v, attrs.x)", "v > 4", "attrs.flag ? v : 0", "min(v, 6, 8)", "v % 4"]


def square(x: int, y: int, size: int) -> list[tuple[int, int]]:
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]


GRIDS = [(f"330102001001{i:03d}", [square(1_000_000 + 1000 * (i % 3), 1_000_000 + 1000 * (i // 3), 1000)]) for i in range(6)]
ZONES = {"z1": [[square(1_000_000, 1_000_000, 500)]], "z2": [[square(1_000_500, 1_000_200, 3000), square(1_001_000, 1_000_500, 800)]]}


@dataclass(frozen=True, repr=False)
class Story:
    """Plans (the first is in force from the start), steps, and whether the log carries its times in the readings."""

    plans: list[dict[str, Any]]
    steps: list[tuple[Any, ...]]
    offline: bool
    base: int

    def __repr__(self) -> str:
        shown = [{k: v for k, v in plan.items() if k not in ("grids", "zones", "kinds")} for plan in self.plans]
        return f"Story(offline={self.offline}, base={self.base}, plans={shown}, steps={self.steps})"


def levels(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sampled_from([["yellow"], ["yellow", "orange"], ["blue", "red"], ["blue", "yellow", "orange", "red"]]))
    up = draw(st.booleans())
    if len(names) == 1 and draw(st.integers(0, 5)) == 0:
        return {names[0]: {"set": draw(st.sampled_from(["== 4", "!= 4"]))}}
    out: dict[str, Any] = {}
    for place, name in enumerate(names):
        at = 2 + 2 * place if up else 8 - 2 * place
        sign = draw(st.sampled_from([">", ">="] if up else ["<", "<="]))
        out[name] = {"set": f"{sign} {at}"}
        if draw(st.booleans()):
            gap = draw(st.sampled_from([0.5, 1, 2]))
            out[name]["clear"] = f"< {at - gap}" if up else f"> {at + gap}"
        if draw(st.booleans()):
            out[name]["for"] = draw(st.sampled_from(DURATIONS))
    return out


def schedule(draw: st.DrawFn) -> dict[str, Any]:
    spans = []
    for _ in range(draw(st.integers(1, 2))):
        start, end = draw(st.sampled_from([("20:30", "06:00"), ("20:00", "20:27"), ("00:00", "24:00"), ("22:00", "02:30"), ("08:00", "21:00"), ("20:00", "22:00")]))
        span: dict[str, Any] = {"from": start, "to": end}
        if draw(st.integers(0, 2)) == 0:
            span["days"] = draw(st.sampled_from([["mon"], ["mon", "tue", "sun"], ["sat", "sun"]]))
        spans.append(span)
    out: dict[str, Any] = {draw(st.sampled_from(["active", "active", "inactive"])): spans}
    if draw(st.booleans()):
        out["tz"] = draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]))
    return out


@st.composite
def rules(draw: st.DrawFn, name: str) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": name, "version": draw(st.integers(1, 2)), "title": "试验", "source": "test",
        "reads": draw(st.sampled_from(["t.a", "t.*", ["t.b", "u.c"], ["t.a", "u.*"]])),
    }
    if draw(st.integers(0, 7)) == 0:
        rule["enabled"] = "shadow"
    if draw(st.integers(0, 3)) == 0:
        return {**rule, "levels": {draw(st.sampled_from(["yellow", "red"])): {}}, "absent": draw(st.sampled_from(["10s", "1m", "10m"]))}
    rule["levels"] = levels(draw)
    if draw(st.integers(0, 2)) == 0:
        rule["where"] = draw(st.sampled_from(EXPRESSIONS))
    if draw(st.integers(0, 2)) == 0:
        rule["measure"] = draw(st.sampled_from(MEASURES))
    if draw(st.integers(0, 2)) == 0:
        agg = draw(st.sampled_from(["sum", "count", "mean", "min", "max", "delta", "rate"]))
        rule["window"] = {"agg": agg, **draw(st.sampled_from([{"over": "1m"}, {"over": "30s", "step": "10s"}, {"over": "10m", "step": "1m"}, {"over": "3h", "step": "5m"}]))}
    scheduled = draw(st.booleans())
    if scheduled:
        rule["schedule"] = schedule(draw)
    for key, chance in (("clear_for", 2), ("max_gap", 3), ("quiet", 9 if scheduled else 2)):
        if draw(st.integers(0, chance)) == 0:
            rule[key] = draw(st.sampled_from([*DURATIONS, "10m"]))
    return rule


@st.composite
def plans(draw: st.DrawFn, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """A plan; with ``before``, one that changes some of it."""
    if before is None:
        chosen = [draw(rules(f"r.{c}")) for c in "abcd"[: draw(st.integers(2, 4))]]
        rows = [{"sensor": s, "kind": k} for s in SENSORS for k in ("t.a", "t.b") if draw(st.integers(0, 2))]
        max_delay = draw(st.sampled_from([0, 0, 1000, 30_000]))
    else:
        chosen = [r if draw(st.booleans()) else draw(rules(r["id"])) for r in before["rules"] if draw(st.integers(0, 4))]
        rows = [r for r in before["registry"] if draw(st.integers(0, 5))] if draw(st.booleans()) else before["registry"]
        max_delay = draw(st.sampled_from([before["max_delay"], 0, 5000]))
    registry = []
    for row in rows:
        place = None if row["sensor"] == "m1" else PLACES[1 + (SENSORS.index(row["sensor"]) + len(row["kind"])) % 5]
        new = {**row, "lon_e7": place and place[0], "lat_e7": place and place[1]}
        new["since"] = row.get("since", draw(st.sampled_from([None, None, 0, 30_000])) if before is None else None)
        registry.append(new)
    return {
        "rules": chosen, "registry": registry, "kinds": KINDS, "grids": GRIDS, "zones": ZONES,
        "tz": draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin"])) if before is None else before["tz"],
        "max_delay": max_delay, "max_age": 7 * DAY,
    }


WHATS = ["reading"] * 13 + ["tick"] * 2 + ["late", "same", "stale", "future", "frame", "bad", "lag"]


@st.composite
def stories(draw: st.DrawFn, offline: bool | None = None) -> Story:
    is_offline = draw(st.booleans()) if offline is None else offline
    first = draw(plans())
    chosen = [first] if is_offline else [first, draw(plans(first))]
    base = draw(st.sampled_from(BASES))
    for plan in chosen:
        plan["registry"] = [{**r, "since": None if r["since"] is None else base + r["since"]} for r in plan["registry"]]
    step = st.tuples(
        st.sampled_from(WHATS if is_offline else [*WHATS, "plan"]),
        st.sampled_from(SENSORS), st.sampled_from(["t.a", "t.a", "t.b", "u.c"]),
        st.sampled_from(GAPS), st.integers(0, 20), st.integers(0, 63), st.sampled_from(PLACES),
    )
    return Story(chosen, draw(st.lists(step, min_size=25, max_size=70)), is_offline, base)


def attributes(bits: int) -> dict[str, Any] | None:
    """Attributes by number: absent, of each type, null."""
    mode = [None, "calibration", "run", "测试n"][bits % 4]
    x = ["absent", 1, 2.5, "two", 0, None, True, 3][(bits // 4) % 8]
    out: dict[str, Any] = {} if mode is None else {"mode": mode}
    if x != "absent":
        out["x"] = x
    if bits >= 32:
        out["flag"] = bits % 3 == 0
    return out or None


def log_of(story: Story, digests: list[str]) -> list[tuple[int, int | None, bytes]]:
    """Turn the steps to records (offset from 1, log time or None offline, value); the first names the first plan."""
    records: list[tuple[int, int | None, bytes]] = []
    now, event, turn = story.base, story.base, 0

    def add(value: dict[str, Any] | list[dict[str, Any]]) -> None:
        if story.offline:
            for one in value if isinstance(value, list) else [value]:
                one["log_t"] = now
            records.append((len(records) + 1, None, json.dumps(value, ensure_ascii=False).encode()))
        else:
            records.append((len(records) + 1, now, json.dumps(value, ensure_ascii=False).encode()))

    if not story.offline:
        add({"kind": "plan", "digest": digests[0], "t": now})
    for what, sensor, kind, gap, half, bits, place in story.steps:
        now += gap
        event = now if what != "lag" else now - [0, 500, 5000, 29_999][bits % 4]
        reading: dict[str, Any] = {"sensor": sensor, "kind": kind, "t": event, "v": half / 2 if bits % 9 else bits % 2 == 0}
        if place is not None:
            reading |= {"lon": place[0] / 1e7, "lat": place[1] / 1e7}
        if (said := attributes(bits)) is not None:
            reading["attrs"] = said
        if what == "tick":
            add({"kind": "tick", "t": now})
        elif what == "plan":
            turn += 1
            add({"kind": "plan", "digest": digests[turn % len(digests)], "t": now})
        elif what == "bad":
            add({**reading, "v": "9"})
        elif what == "frame":
            add([{**reading, "t": event - back, "sensor": who} for who, back in ((sensor, 1000), ("s2", 0), (sensor, 0), ("s1", 2000))])
        else:
            shift = {"late": -1 - gap, "stale": -7 * DAY - bits % 2, "future": 300_000 + bits % 2, "same": 0}.get(what, 0)
            add({**reading, "t": event + shift})
            if what == "same":
                add({**reading, "v": 1})
    return records
