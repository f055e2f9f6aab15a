"""The report of a soak of the city: a table of what was seen, and whether it held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

MIB, GIB = 1 << 20, 1 << 30
HOUR_MS = 3_600_000
LEAST_RATE = 3_000.0
INTRODUCTION = """# Two hours of the bad day

Written by `make soak` (`python -m tests.soak.city`); not by hand.

`tongguan demo --scenario bad-day` as a user starts it, day after day of the city, with its crews at work on the cases
and `--retention-age 1d`; beside it the console in a headless Chromium without a graphics card, signed in as the duty
officer (`operator`). Twice a minute somebody moves the map, opens a case, looks at the alerts or the overview or walks
through the list, while frames are counted; long tasks of the page's main thread are counted all the time. Then
everything is looked at from outside: `/proc`, the API, the files.
"""
FLAT = 0.05
"""How much of its size memory may gain or lose, by its trend, from the first quarter to the end."""
PAGE_FLAT = 0.10
"""The same of what the page keeps alive, which depends on what is open just then."""
HELD_SPEED = 0.98
FRAME_MS, SLOW_FRAME_MS, TASK_MS, BUSY = 34.0, 250.0, 250.0, 0.25
"""Bounds of half of the frames and of 95 in 100 (a map drawn without a graphics card), of 95 in 100 long tasks, and of
the share of its time that the page's main thread is busy."""
ROWS = 12
Sample = Mapping[str, Any]


def verdict(setting: Sample, samples: Sequence[Sample]) -> list[tuple[str, bool, str]]:
    """Return (what must hold, whether it did, the figures)."""
    faults = [one["fault"] for one in samples if "fault" in one]
    samples = [one for one in samples if "fault" not in one]
    steady = steady_of(setting, samples)
    readings, hours = samples[-1]["readings"] - samples[0]["readings"], _hours(samples)
    rate = readings / hours / 3600
    pace = (samples[-1]["now_ms"] - samples[0]["now_ms"]) / HOUR_MS / hours
    rss, heap = Trend.of(steady, "rss"), Trend.of(steady, "heap")
    kept_h = [_span_h(one) for one in samples]
    bound_h = setting["kept_ms"] / HOUR_MS + setting["slack_ms"] / HOUR_MS
    first = samples[-1]["streams"]["city.readings"]["first"]
    last = samples[-1]
    behind = max(one["behind_s"] for one in samples)
    return [
        ("≥ 3,000 readings a second", rate >= LEAST_RATE, f"{rate:,.0f} a second, {readings:,} in all"),
        (f"the city at {setting['speed']:g}×", pace >= HELD_SPEED * setting["speed"], f"{pace:.1f}× in the mean"),
        ("detect keeps pace", behind < 5.0, f"at most {behind:.1f} s behind"),
        ("memory flat after the first quarter", abs(rss.gain) <= FLAT, rss.told(GIB, "GiB")),
        (
            "the journal stays within its retention",
            first > 1 and max(kept_h) <= bound_h,
            f"at most {max(kept_h):.1f} h of readings kept, {bound_h:.1f} h may be; {first - 1:,} records let go of",
        ),
        (
            "messages are let go of",
            last["messages_kept"] < last["messages_ever"],
            f"{last['messages_kept']:,} of {last['messages_ever']:,} kept",
        ),
        ("the page's memory flat", abs(heap.gain) <= PAGE_FLAT, heap.told(MIB, "MiB")),
        _smooth(steady),
        _quiet(samples, faults),
    ]


def _smooth(steady: Sequence[Sample]) -> tuple[str, bool, str]:
    gaps, tasks = _of_all(steady, "gaps_ms"), _of_all(steady, "long_ms")
    busy = (steady[-1]["main_thread_s"] - steady[0]["main_thread_s"]) / _hours(steady) / 3600
    frames, slow, task = _share(gaps, 50), _share(gaps, 95), _share(tasks, 95)
    told = (
        f"frames while somebody works: median {frames:.0f} ms, p95 {slow:.0f} ms; main thread busy {busy:.0%}, "
        f"{len(tasks) / _hours(steady):.0f} long tasks an hour, p95 {task:.0f} ms, longest {max(tasks, default=0)} ms"
    )
    good = frames <= FRAME_MS and slow <= SLOW_FRAME_MS and task <= TASK_MS and busy <= BUSY
    return "the page stays smooth", good, told


def _quiet(samples: Sequence[Sample], faults: Sequence[str]) -> tuple[str, bool, str]:
    complaints, away = samples[-1]["complaints"], sum(not one["live"] for one in samples)
    what = "the page follows and complains of nothing"
    told = f"{len(complaints)} complaints, {away} looks without a live stream, {len(faults)} looks that failed"
    return what, not complaints and not away and not faults, told


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through a figure: its mean, what it gains in an hour, and in the whole time as a share."""

    mean: float
    per_hour: float
    gain: float

    @classmethod
    def of(cls, samples: Sequence[Sample], name: str) -> Trend:
        """Draw the line."""
        hours = np.array([one["at_s"] for one in samples]) / 3600
        values = np.array([one[name] for one in samples], float)
        per_hour = float(np.polyfit(hours, values, 1)[0]) if len(samples) > 2 else 0.0
        return cls(float(values.mean()), per_hour, per_hour * float(np.ptp(hours)) / float(values.mean()))

    def told(self, unit: int, name: str) -> str:
        """Say it."""
        return f"{self.mean / unit:.2f} {name}, {self.per_hour / MIB:+.1f} MiB an hour ({self.gain:+.1%} in that time)"


def steady_of(setting: Sample, samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples behind the first quarter of the run."""
    return [one for one in samples if one["at_s"] >= setting["minutes"] * 60.0 / 4] or list(samples)


def page_of(setting: Sample, samples: Sequence[Sample]) -> str:
    """Return the report as a page of docs/."""
    held = [
        f"| {what} | {'yes' if good else '**no**'} | {figures} |" for what, good, figures in verdict(setting, samples)
    ]
    good = [one for one in samples if "fault" not in one]
    return "\n".join([*_head(setting, good), *held, "", *_table(good), ""])


def _hours(samples: Sequence[Sample]) -> float:
    return float(samples[-1]["at_s"] - samples[0]["at_s"]) / 3600


def _span_h(sample: Sample) -> float:
    return float(sample["streams"]["city.readings"]["span_ms"]) / HOUR_MS


def _of_all(samples: Sequence[Sample], name: str) -> list[float]:
    return [value for one in samples for value in one[name]]


def _share(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else 0.0


def _head(setting: Sample, samples: Sequence[Sample]) -> list[str]:
    hours, days = _hours(samples), (samples[-1]["now_ms"] - samples[0]["now_ms"]) / HOUR_MS / 24
    cpu = (samples[-1]["cpu_s"] - samples[0]["cpu_s"]) / hours / 3600
    beside = (samples[-1]["browser_cpu_s"] - samples[0]["browser_cpu_s"]) / hours / 3600
    return [
        INTRODUCTION,
        f"{setting['date']}, commit {setting['commit']}, {setting['cpus']} CPUs ({setting['cpu']}), "
        f"{setting['memory'] / GIB:.0f} GiB, {setting['system']}, Python {setting['python']}. {hours * 60:.0f} minutes "
        f"at {setting['speed']:g}×, {setting['sensors']:,} sensors: {days:.1f} days of the city; "
        f"the engine with its player took {cpu:.0%} of one CPU, the browser {beside:.0%}.",
        "",
        "| | held | figures |",
        "|---|---|---|",
    ]


COLUMNS = (
    *("minute", "city's time", "readings/s", "behind s", "memory MiB", "journal MiB", "readings kept h"),
    *("cases.db MiB", "messages", "open alerts", "open cases", "cases ever"),
    *("page MiB", "nodes", "main thread", "frame p95 ms", "longest task ms"),
)


def _table(samples: Sequence[Sample]) -> list[str]:
    """One line for each twelfth of the run."""
    edges = np.linspace(samples[0]["at_s"], samples[-1]["at_s"], ROWS + 1)
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for begins, ends in pairwise(edges):
        some = [one for one in samples if begins <= one["at_s"] <= ends]
        if len(some) > 1:
            lines.append(f"| {' | '.join(_cells(some))} |")
    return lines


def _cells(some: Sequence[Sample]) -> list[str]:
    last = some[-1]
    seconds = last["at_s"] - some[0]["at_s"]
    rate = (last["readings"] - some[0]["readings"]) / seconds
    when = datetime.fromtimestamp(last["now_ms"] / 1000 + 8 * 3600, UTC)
    return [
        f"{last['at_s'] / 60:.0f}",
        f"{when:%m-%d %H:%M}",
        f"{rate:,.0f}",
        f"{max(one['behind_s'] for one in some):.1f}",
        f"{np.mean([one['rss'] for one in some]) / MIB:.0f}",
        f"{last['journal_used_bytes'] / MIB:,.0f}",
        f"{_span_h(last):.1f}",
        f"{last['cases_bytes'] / MIB:.0f}",
        f"{last['messages_kept']:,}",
        f"{last['alerts_open']:,}",
        f"{last['cases_open']:,}",
        f"{last['cases_ever']:,}",
        f"{np.mean([one['heap'] for one in some]) / MIB:.1f}",
        f"{np.mean([one['nodes'] for one in some]):,.0f}",
        f"{(last['main_thread_s'] - some[0]['main_thread_s']) / seconds:.0%}",
        f"{_share(_of_all(some, 'gaps_ms'), 95):.0f}",
        f"{max(_of_all(some, 'long_ms'), default=0):.0f}",
    ]
