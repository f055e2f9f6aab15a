"""Random plans and logs for comparing the engine with the interpreter.

A story is a list of plans and a list of steps; `log_of` turns the steps to records. Values, gaps and thresholds
come from small sets that meet at their borders, so that ``>=`` and ``>``, due and due + 1 ms, pane and next pane are
told apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.reference.times import duration, next_end

DAY = 86_400_000
BASES = [  # a Monday evening, a Saturday before the clocks go forward, another before they go back
    int(datetime.fromisoformat("2026-03-02T20:25:00+08:00").timestamp() * 1000),
    int(datetime.fromisoformat("2026-03-28T21:00:00+01:00").timestamp() * 1000),
    int(datetime.fromisoformat("2026-10-24T21:00:00+02:00").timestamp() * 1000),
]
KINDS = {"t.a": (-50.0, 200.0), "t.b": (-50.0, 200.0), "u.c": (-50.0, 200.0)}
SENSORS = ["s1", "s2", "s10", "m1"]
GAPS = [
    0,
    1,
    999,
    1000,
    1001,
    2000,
    4999,
    5000,
    10_000,
    29_999,
    30_000,
    59_999,
    60_000,
    60_001,
    120_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    7_200_000,
]
PLACES = [
    None,
    (1_000_000, 1_000_000),
    (1_000_500, 1_000_500),
    (1_001_000, 1_000_700),
    (1_002_500, 1_001_000),
    (1_009_000, 1_009_000),
]
DURATIONS = ["1s", "5s", "10s", "30s", "1m", "2m"]
EXPRESSIONS = [
    'attrs.mode != "calibration"',
    "v > 1 || attrs.x == null",
    "v * 1e308 > 1",
    'inside("z1")',
    'outside("z2") && v >= 0',
    "attrs.x + 1 > 2",
    'sensor in ["s1", "m1"]',
    'starts_with(sensor, "s")',
    "hour() < 22 ? true : v > 3",
    "weekday() == 1 || weekday() > 5",
    'has(attrs.mode) && ends_with(attrs.mode, "n")',
    "!(attrs.flag == true)",
    "attrs.flag || v > 2",
    "lon > 0.1 && lat <= 0.10007",
    'attrs.mode < "rum" || attrs.x in [1, 2, "two", null]',
    'kind == "t.a" || (v - 8) % 3 == -2',
    "-v < 0",
]
MEASURES = [
    "v * 2",
    "v + attrs.x",
    "abs(v - 5)",
    "v / attrs.x",
    "v + v / 3",
    "v + v / 128",
    "max(v, attrs.x)",
    "v > 4",
    "attrs.flag ? v : 0",
    "min(v, 6, 8)",
    "(v - 6) % 4 + 5",
]

WINDOWS = [
    {"over": "1m"},
    {"over": "5s", "step": "1s"},
    {"over": "30s", "step": "10s"},
    {"over": "2m", "step": "1m"},
    {"over": "3h", "step": "5m"},
]


def square(x: int, y: int, size: int) -> list[tuple[int, int]]:
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]


GRIDS = [
    (f"330102001001{i:03d}", [square(1_000_000 + 1000 * (i % 3), 1_000_000 + 1000 * (i // 3), 1000)]) for i in range(6)
]
ZONES = {
    "z1": [[square(1_000_000, 1_000_000, 500)]],
    "z2": [[square(1_000_500, 1_000_200, 3000), square(1_001_000, 1_000_500, 800)]],
}


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


def levels(dice: Random) -> dict[str, Any]:
    names = dice.choice([["yellow"], ["yellow", "orange"], ["blue", "red"], ["blue", "yellow", "orange", "red"]])
    up = dice.randint(0, 1)
    if len(names) == 1 and dice.randint(0, 5) == 0:
        return {names[0]: {"set": dice.choice(["== 4", "!= 4"])}}
    out: dict[str, Any] = {}
    for place, name in enumerate(names):
        at = 2 + 2 * place if up else 8 - 2 * place
        sign = dice.choice([">", ">="] if up else ["<", "<="])
        out[name] = {"set": f"{sign} {at}"}
        if dice.randint(0, 1):
            gap = dice.choice([0.5, 1, 2])
            out[name]["clear"] = f"< {at - gap}" if up else f"> {at + gap}"
        if dice.randint(0, 1):
            out[name]["for"] = dice.choice(DURATIONS)
    return out


def schedule(dice: Random) -> dict[str, Any]:
    spans = []
    for _ in range(dice.randint(1, 2)):
        start, end = dice.choice(
            [
                ("20:30", "06:00"),
                ("20:00", "20:27"),
                ("00:00", "24:00"),
                ("22:00", "02:30"),
                ("00:00", "04:30"),
                ("08:00", "21:00"),
                ("20:00", "22:00"),
            ]
        )
        span: dict[str, Any] = {"from": start, "to": end}
        if dice.randint(0, 3) == 0:
            span["days"] = dice.choice([["mon"], ["mon", "tue", "sun"], ["sat", "sun"]])
        spans.append(span)
    out: dict[str, Any] = {dice.choice(["active", "active", "inactive"]): spans}
    if dice.randint(0, 1):
        out["tz"] = dice.choice(["Asia/Shanghai", "Europe/Berlin", "UTC"])
    return out


def rules(dice: Random, name: str) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": name,
        "version": dice.randint(1, 2),
        "title": "试验",
        "source": "test",
        "reads": dice.choice(["t.a", "t.*", ["t.b", "u.c"], ["t.a", "u.*"]]),
    }
    if dice.randint(0, 7) == 0:
        rule["enabled"] = "shadow"
    if dice.randint(0, 3) == 0:
        return {**rule, "levels": {dice.choice(["yellow", "red"]): {}}, "absent": dice.choice(["10s", "1m", "10m"])}
    rule["levels"] = levels(dice)
    scheduled = dice.randint(0, 2) > 0
    picky = 6 if scheduled else 1
    if dice.randint(0, picky) == 0:
        rule["where"] = dice.choice(EXPRESSIONS)
    if dice.randint(0, picky) == 0:
        rule["measure"] = dice.choice(MEASURES)
    if dice.randint(0, 3 if scheduled else 1) == 0:
        agg = dice.choice(["sum", "count", "mean", "min", "max", "delta", "rate"])
        rule["window"] = {"agg": agg, **dice.choice(WINDOWS)}
        if agg in ("sum", "mean", "count") and dice.randint(0, 1):
            rule["measure"] = "v > 4" if agg == "count" else dice.choice(["v + v / 3", "v + v / 128"])
    if scheduled:
        rule["schedule"] = schedule(dice)
    for key, chance in (("clear_for", 1), ("max_gap", 3), ("quiet", 4 if scheduled else 1)):
        if dice.randint(0, chance) == 0:
            rule[key] = dice.choice([*DURATIONS, "10m"])
    return rule


def plans(dice: Random, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """A plan; with ``before``, one that changes some of it."""
    if before is None:
        chosen = [rules(dice, f"r.{c}") for c in "abcd"[: dice.randint(2, 4)]]
        rows = [{"sensor": s, "kind": k} for s in SENSORS for k in ("t.a", "t.b") if dice.randint(0, 2)]
        max_delay = dice.choice([0, 1000, 30_000])
    else:
        chosen = [r if dice.randint(0, 1) else rules(dice, r["id"]) for r in before["rules"] if dice.randint(0, 4)]
        rows = [r for r in before["registry"] if dice.randint(0, 5)] if dice.randint(0, 1) else before["registry"]
        max_delay = dice.choice([before["max_delay"], 0, 5000, 30_000])
    registry = []
    for row in rows:
        place = None if row["sensor"] == "m1" else PLACES[1 + (SENSORS.index(row["sensor"]) + len(row["kind"])) % 5]
        new = {**row, "lon_e7": place and place[0], "lat_e7": place and place[1]}
        new["since"] = row.get("since", dice.choice([None, None, 0, 30_000]) if before is None else None)
        registry.append(new)
    return {
        "rules": chosen,
        "registry": registry,
        "kinds": KINDS,
        "grids": GRIDS,
        "zones": ZONES,
        "tz": dice.choice(["Asia/Shanghai", "Europe/Berlin"]) if before is None else before["tz"],
        "max_delay": max_delay,
        "max_age": 7 * DAY,
    }


WHATS = (
    ["reading"] * 12
    + ["tick"] * 2
    + ["late", "same", "stale", "future", "frame", "lines", "bad", "lag", "backfill", "jump", "border", "burst"]
)


def widen(rule: dict[str, Any], dice: Random) -> None:
    """Now and then make a window one of the last readings or of their range, and let absence go by spans."""
    if "absent" in rule and dice.randint(0, 2) == 0:
        start, end = dice.choice([("20:30", "22:00"), ("20:26", "20:31"), ("21:00", "01:30"), ("00:00", "24:00")])
        days = {"days": ["mon", "wed", "sun"]} if end == "24:00" or dice.randint(0, 3) == 0 else {}
        key = dice.choice(["active", "active", "inactive"])
        rule |= {"absent": "span", "schedule": {key: [{**days, "from": start, "to": end}]}}
    if "window" in rule and dice.randint(0, 1):
        rule["window"] = {k: v for k, v in rule["window"].items() if k != "step"} | {"last": dice.choice([1, 2, 3, 5])}
    if "window" in rule and dice.randint(0, 4) == 0:
        rule["window"]["agg"] = "range"
        for level in rule["levels"].values():  # a range is never below 0
            level.pop("clear", None)
    elif rule.get("window", {}).get("agg") == "count" and "last" in rule["window"]:  # no more than there are
        rule["levels"] = {"yellow": {"set": f">= {max(1, rule['window']['last'] - 1)}", "clear": "< 1"}}


def story(seed: int, length: int, offline: bool, *, wide: bool = True) -> Story:
    """Roll a story of so many steps; the same numbers give the same story."""
    dice = Random(seed)
    first = plans(dice)
    chosen = [first] if offline else [first, plans(dice, first)]
    if wide:
        more = Random(seed + 1)
        for rule in {id(rule): rule for plan in chosen for rule in plan["rules"]}.values():
            widen(rule, more)
    base = dice.choice(BASES)
    for plan in chosen:
        plan["registry"] = [{**r, "since": None if r["since"] is None else base + r["since"]} for r in plan["registry"]]
    whats = WHATS if offline else [*WHATS, *WHATS, "plan"]
    lists = (whats, ["s1", *SENSORS], ["t.a", "t.a", "t.b", "u.c"], GAPS, range(21), range(64), PLACES)
    return Story(chosen, [tuple(dice.choice(values) for values in lists) for _ in range(length)], offline, base)


def stories(offline: bool | None = None) -> st.SearchStrategy[Story]:
    """Stories from a seed: hypothesis varies, keeps and shortens them; dice spread them better than its own draws."""
    modes = st.booleans() if offline is None else st.just(offline)
    return st.builds(story, st.integers(0, 2**32 - 1), st.integers(30, 70), modes)


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


def spelled(t: int, bits: int) -> int | str:
    """Milliseconds, or now and then the same time with an offset and digits that are cut."""
    if bits % 11:
        return t
    local = datetime.fromtimestamp(t // 1000, timezone(timedelta(minutes=[0, 480, -210][bits % 3])))
    offset = local.isoformat()[-6:]
    return f"{local:%Y-%m-%dT%H:%M:%S}.{t % 1000:03d}{'999' * (bits % 2)}{offset}"


def observed(sensor: str, kind: str, t: int, half: int, bits: int, place: tuple[int, int] | None) -> dict[str, Any]:
    """One reading; its place is outside China, where a crs shifts nothing."""
    reading: dict[str, Any] = {"sensor": sensor, "kind": kind, "t": t, "v": half / 2 if bits % 9 else bits % 2 == 0}
    if place is not None:
        reading |= {"lon": place[0] / 1e7, "lat": place[1] / 1e7}
        crs = ["", "", "wgs84", "cgcs2000", "gcj02", "bd09", None][bits % 7]
        if crs != "":
            reading["crs"] = crs
    if (said := attributes(bits)) is not None:
        reading["attrs"] = said
    return reading


class Log:
    """Records as they are written: offset from 1, log time (None offline: each reading carries it), value."""

    def __init__(self, offline: bool) -> None:
        self.offline = offline
        self.records: list[tuple[int, int | None, bytes]] = []

    def add(self, now: int, *values: dict[str, Any], form: str = "one") -> None:
        """Append a record of one value, one over several lines, an array, or a value a line."""
        said = [{**value, "log_t": now} for value in values] if self.offline else list(values)
        texts = [json.dumps(value, ensure_ascii=False, indent=1 if form == "spread" else None) for value in said]
        text = "[" + ", ".join(texts) + "]" if form == "array" else "\n".join(texts)
        self.records.append((len(self.records) + 1, None if self.offline else now, text.encode()))


def border(story: Story, now: int, bits: int) -> int:
    """Go on to a full minute, or to just before or at an end of a schedule, or to when `quiet` is due with it."""
    full = -(-now // 60_000) * 60_000
    ruled = [rule for rule in story.plans[0]["rules"] if "schedule" in rule]
    if bits % 2 or not ruled:
        return full
    rule = ruled[bits % len(ruled)]
    end = next_end(rule["schedule"], story.plans[0]["tz"], full)
    ahead = [0, 1, duration(rule.get("quiet", "1m"))][bits // 2 % 3]
    return now if end is None or end - now > DAY else max(now, end - ahead)


def burst(story: Story, now: int, bits: int) -> list[tuple[str, int, float]]:
    """Readings of one sensor where a window or a hold turns: the kind, how long to wait for each, and its value."""
    rules = [rule for rule in story.plans[0]["rules"] if "window" in rule or "clear_for" in rule]
    if not rules:
        return [("t.a", 0, 3)]
    rule = rules[bits % len(rules)]
    kind = "t.b" if rule["reads"] == ["t.b", "u.c"] else "t.a"
    at = panes(rule["window"], now, bits) if "window" in rule else zigzag(rule)
    return [(kind, wait, value) for wait, value in at]


def panes(window: dict[str, Any], now: int, bits: int) -> list[tuple[int, float]]:
    """Just before and at the borders of panes."""
    over = duration(window["over"])
    if "last" in window:
        return [(1000, 9), (1000, 4), (1, 1), (over - 1, 6), (1, 6), (over, 3), (over + 1, bits % 10)]
    step = duration(window["step"]) if "step" in window else max(over // 60, 1000)
    to_border, last_pane = -now % step, over - step - 1
    return [(to_border, 9), (last_pane, 4), (1, 1), (step - 1, 6), (1, 2), (step, 3), (over, bits % 10)]


def zigzag(rule: dict[str, Any]) -> list[tuple[int, float]]:
    """A raise, down for a moment, up to the top, down again until `clear_for` would be over since the first time."""
    up = ">" in next(iter(rule["levels"].values()))["set"]
    hold = duration(rule["clear_for"])
    values = (3, 0, 20, 0, 0, 0) if up else (7, 20, 0, 20, 20, 20)
    return list(zip((1000, 1000, 1000, max(hold - 1000, 1), 999, 1), values, strict=True))


def log_of(story: Story, digests: list[str]) -> list[tuple[int, int | None, bytes]]:
    """Turn the steps to records; the first names the first plan."""
    log, now, last, turn = Log(story.offline), story.base, story.base, 0
    if not story.offline:
        log.add(now, {"kind": "plan", "digest": digests[0], "t": now})
    same = ("s1", "t.a")
    for what, sensor, kind, gap, half, bits, place in story.steps:
        same = sensor, kind = same if half % 3 else (sensor, kind)  # sensors like to go on speaking
        now += gap
        if what == "border":
            now = border(story, now, bits)
        event = now if what != "lag" else now - [500, 5000, 29_999, 59_999, 299_999][bits % 5]
        reading = observed(sensor, kind, event, half, bits, place)
        if what == "tick":  # now and then behind the log, or just when what waits longest may go
            now = max(now, last + story.plans[0]["max_delay"]) if bits % 4 == 0 else now
            log.add(now, {"kind": "tick", "t": now - (29_999 if bits % 4 == 1 else 0)})
        elif what == "plan":
            turn += 1
            log.add(now, {"kind": "plan", "digest": digests[turn % len(digests)], "t": now})
            if bits % 2:
                log.add(now, {"kind": "tick", "t": now})
        elif what == "bad":
            log.add(now, {**reading, **[{"v": "9"}, {"t": 0.5}, {"crs": "wgs"}, {"v": 201}][bits % 4]})
        elif what in ("frame", "lines"):
            mixed = [
                {**reading, "t": event - back, "sensor": who}
                for who, back in ((sensor, 1000), ("s2", 0), (sensor, 0), ("s1", 2000))
            ]
            odd = {"kind": "tick", "t": now} if bits % 2 else {**reading, "kind": "no.such"}
            log.add(now, mixed[0], odd, *mixed[1:], form="array" if what == "frame" else "lines")
        elif what == "backfill":  # a sensor speaks, falls silent, and tells later what it saw soon after
            log.add(now, reading)
            late = [500, 4999, 29_999, 59_999][bits % 4]
            now += 200_000
            log.add(now, {"kind": "tick", "t": now})
            log.add(now, {**reading, "t": event + late, "v": bits % 10})
        elif what == "burst":
            for of_kind, wait, value in burst(story, now, bits):
                now += wait
                log.add(now, {**reading, "t": now, "kind": of_kind, "v": value})
        elif what == "jump":
            log.add(now + [-3_600_000, 200_000, 7 * DAY + 1][bits % 3], reading)
        else:
            shift = {"late": -1 - gap, "stale": -7 * DAY - bits % 2, "future": 300_000 + bits % 2, "same": 0}.get(
                what, 0
            )
            log.add(now, {**reading, "t": spelled(event + shift, bits)}, form="spread" if bits % 13 == 0 else "one")
            if what == "same":
                log.add(now, {**reading, "v": 1})
        last = event if what != "tick" else last
    if story.offline:  # the input ends just when a timer is due, if one runs that long
        log.add(now, {"kind": "tick", "t": last + [10_000, 60_000, 600_000, 30_000][story.steps[-1][5] % 4]})
    return log.records
