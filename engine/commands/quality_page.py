"""The figures of `tongguan quality` as rows, a table and a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from engine.commands.measured import CURVE, FOR, LATE_MS, SEEN, VIDEO, Frames, Score
from rules.model import Rule
from simulators.hazards import HAZARDS, Hazard

GOAL = 0.98
LEAST = re.compile(r"v >= ([\d.]+)")
ABOUT = """# How well the rules find what truly happens

Made by `{command}`: {runs} runs{more}. The seeds were chosen after the thresholds were fixed.

## How it is counted

The truth is made by the simulators alone, from physics, and reads no rule: water that stands, gas that gathers, a joint
that warms, a truck that leaves its roads, a bin that holds as much as its volume. For the place of each sensor the
[table below](#what-counts-as-a-hazard) says in physical terms from when a hazard is *there*, from when it is *grave*,
and for how long it must be grave before nobody may miss it. Between the two lies a grey span: how exactly instruments
measure, and what people may see either way. Sensors see the same city with noise, drift, errors of scale, where they
hang, faults, and gateways without power.

- An **occasion** is a hazard that was grave for long enough at a sensor that had power. A hazard that stays in the grey
  span is **grey**: no alert is missed, and none is wrong.
- **Precision** is the share of right alerts among those that are right or wrong. Right: the sensor is amid an occasion
  (from its beginning to {late} minutes after its end). Wrong: nothing is there. An alert of a grey hazard is neither.
- **Recall** is the share of occasions that an alert found.
- **Delay** runs from when the hazard was first *there* to the alert, and so holds how slowly it grew and the rule's own
  `for`. Wear is there for hours before it is grave; for bins and rounds most of the delay is waiting, too.

The whole city of {sensors} lives; listened to are all sensors that something reached and others of the same kinds.
The goal is {goal} and {goal} on sensor rules; video rules are as measured. A dash: nothing of the kind happened.

## Figures

"""
HAZARD_HEAD = """
## What counts as a hazard

| hazard | at a sensor's place | there | grave | for | why |
|---|---|---:|---:|---:|---|
"""
CURVES = """
## How sure a camera must be

Of frames with something in view (at least {seen:g} of a close view), the share at or above a confidence; of frames with
nothing, how many a camera gives in a day. One frame decides nothing: the rules ask for three of the last five
(overflow: four of six), so that what remains of mistakes at the threshold (**bold**) is about its third power.
Smoke is the faintest thing that a camera is to see, and rain takes from water in view while it makes reflections:
their thresholds are lower, where three mistakes in a few minutes are still hardly ever seen.

"""


class Row(msgspec.Struct, frozen=True):
    """One rule's figures over all runs; shares are null where nothing of the kind happened, delays in seconds."""

    rule: str
    hazard: str
    occasions: int
    found: int
    grey: int
    alerts: int
    right: int
    grey_alerts: int
    precision: float | None
    recall: float | None
    delay_median_s: float | None
    delay_p95_s: float | None
    wrong: list[str]
    missed: list[str]


class Curve(msgspec.Struct, frozen=True):
    """How sure cameras are; shares are null without frames."""

    confidence: list[float]
    of_frames_with_something: list[float | None]
    mistakes_a_camera_day: list[float | None]


class Result(msgspec.Struct, frozen=True):
    """What `--json` tells; `others`: the same of the other seeds."""

    scenarios: list[str]
    seeds: list[int]
    rules: list[Row]
    video: dict[str, Curve]
    others: list[Row]


@dataclass(slots=True)
class Totals:
    """What came of several runs."""

    runs: int = 0
    scores: dict[str, Score] = field(default_factory=dict)
    frames: dict[str, Frames] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was played, as it was asked for."""

    scenarios: Sequence[str]
    seeds: str
    others: str | None
    sensors: int | None


def results(totals: Totals) -> list[Row]:
    """Return a row a rule, by name."""
    return [_row(rule, score) for rule, score in sorted(totals.scores.items())]


def _row(rule: str, score: Score) -> Row:
    median, p95 = (float(np.percentile(score.delays_s, q)) if score.delays_s else None for q in (50, 95))
    judged = score.alerts - score.grey_alerts
    return Row(
        rule=rule,
        hazard=FOR[rule][0],
        occasions=score.occasions,
        found=score.found,
        grey=score.grey,
        alerts=score.alerts,
        right=score.right,
        grey_alerts=score.grey_alerts,
        precision=score.right / judged if judged else None,
        recall=score.found / score.occasions if score.occasions else None,
        delay_median_s=median,
        delay_p95_s=p95,
        wrong=score.wrong,
        missed=score.missed,
    )


def table(first: Totals, second: Sequence[Totals]) -> str:
    """Return the rules as a table in Markdown, with precision and recall of the other seeds beside if there are any."""
    beside = {row.rule: row for row in results(second[0])} if second else {}
    heads = ["rule", "hazard", "occasions", "grey", "alerts", "grey", "precision", "recall", "delay, median", "p95"]
    heads += ["precision, others", "recall, others"] if second else []
    lines = [f"| {' | '.join(heads)} |", "|---|---|" + "---:|" * (len(heads) - 2)]
    for row in results(first):
        cells = [f"{row.rule} (video)" if _is_video(row) else row.rule, row.hazard, str(row.occasions), str(row.grey)]
        cells += [str(row.alerts), str(row.grey_alerts), _share(row.precision), _share(row.recall)]
        cells += [_span(row.delay_median_s), _span(row.delay_p95_s)]
        if second:
            other = beside.get(row.rule)
            cells += [_share(other.precision if other else None), _share(other.recall if other else None)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page_of(asked: Asked, first: Totals, second: Sequence[Totals], rules: Iterable[Rule]) -> str:
    """Return the whole page."""
    command = f"tongguan quality {' '.join(asked.scenarios)} --seeds {asked.seeds}"
    command += f" --others {asked.others}" if asked.others is not None else ""
    command += f" --sensors {asked.sensors}" if asked.sensors is not None else ""
    more = f", and {second[0].runs} with other seeds to compare" if second else ""
    about = ABOUT.format(
        command=command, runs=first.runs, more=more, late=LATE_MS // 60_000, goal=GOAL, sensors="6,660 sensor channels"
    )
    said = about + table(first, second) + "\n\n" + _below(results(first))
    agree = _agree(results(first), results(second[0])) if second else "No other seeds were played to compare with."
    said += f"\n\n{agree}"
    return (
        said + "\n" + HAZARD_HEAD + _hazards() + "\n" + CURVES.format(seen=SEEN) + _curves(first.frames, rules) + "\n"
    )


def _is_video(row: Row) -> bool:
    return row.hazard in VIDEO.values()


def _below(rows: Sequence[Row]) -> str:
    """Say which sensor rules miss the goal, and over how many occasions and alerts all of them come to."""
    sensors = [row for row in rows if not _is_video(row)]
    occasions, found = sum(r.occasions for r in sensors), sum(r.found for r in sensors)
    judged, right = sum(r.alerts - r.grey_alerts for r in sensors), sum(r.right for r in sensors)
    whole = f"All sensor rules together: precision {_part(right, judged)}, recall {_part(found, occasions)}. "
    short = [r.rule for r in sensors if min(_one(r.precision), _one(r.recall)) < GOAL]
    none = [r.rule for r in rows if not r.occasions]
    whole += f"Below the goal: {', '.join(short)}." if short else "No sensor rule with an occasion is below the goal."
    return whole + (f" Without an occasion in these runs: {', '.join(none)}." if none else "")


def _agree(rows: Sequence[Row], others: Sequence[Row]) -> str:
    """Say how far the other seeds give something else."""
    beside, sums = {row.rule: row for row in others}, []
    differ: list[tuple[float, str, str]] = []
    for row in rows:
        other = beside.get(row.rule)
        for what in ("precision", "recall"):
            a, b = getattr(row, what), getattr(other, what, None)
            if a is not None and b is not None:
                differ.append((abs(a - b), row.rule, what))
    for these in (rows, others):
        sensors = [r for r in these if not _is_video(r)]
        sums.append(
            f"{_part(sum(r.right for r in sensors), sum(r.alerts - r.grey_alerts for r in sensors))} and "
            f"{_part(sum(r.found for r in sensors), sum(r.occasions for r in sensors))}"
        )
    if not differ:
        return "The other seeds have no rule in common with these."
    much, rule, what = max(differ)
    over = sorted({f"{r} ({w} by {m:.2f})" for m, r, w in differ if m > 0.05})
    said = (
        f"Other seeds: all sensor rules together have {sums[1]} (these: {sums[0]}); the largest difference of a rule "
    )
    said += f"is {much:.3f} ({what} of {rule})." if much else "is none."
    return said + (f" More than 0.05: {', '.join(over)}." if over else "")


def _hazards() -> str:
    return "\n".join(_hazard(name, hazard) for name, hazard in HAZARDS.items())


def _hazard(name: str, hazard: Hazard) -> str:
    sign = "≤" if hazard.how == "left" else "≥"
    there, grave = (f"{sign} {abs(value):g}" for value in (hazard.there, hazard.grave))
    what = f"`{hazard.of}`" + (f", {hazard.unit}" if hazard.unit else "")
    if hazard.how == "total":
        what += f" in {hazard.over // 60} h"
    return f"| {name} | {what} | {there} | {grave} | {hazard.lasts} min | {hazard.why} |"


def _part(some: int, of: int) -> str:
    return f"{some / of:.3f} ({some} of {of})" if of else "–"


def _one(value: float | None) -> float:
    return 1.0 if value is None else value


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def curve(frames: Frames) -> Curve:
    """Return how sure cameras are of what is and of what is not."""
    return Curve(
        list(CURVE),
        [n / frames.shown if frames.shown else None for n in frames.sure],
        [n / frames.camera_days if frames.camera_days else None for n in frames.mistaken],
    )


def _curves(frames: Mapping[str, Frames], rules: Iterable[Rule]) -> str:
    heads = " | ".join(f"≥ {value:g}" for value in CURVE)
    lines = [f"| kind | | {heads} |", "|---|---|" + "---:|" * len(CURVE)]
    bold = _thresholds(rules)
    for kind, counted in sorted(frames.items()):
        told = curve(counted)
        lines.append(f"| {kind} | seen | {_cells(bold.get(kind), told.of_frames_with_something)} |")
        lines.append(f"| | mistakes a day | {_cells(bold.get(kind), told.mistakes_a_camera_day)} |")
    return "\n".join(lines)


def _thresholds(rules: Iterable[Rule]) -> dict[str, float]:
    """Return by kind of video how sure a frame must be for a rule."""
    found: dict[str, float] = {}
    for rule in rules:
        match = LEAST.search(rule.measure.text) if rule.measure is not None else None
        found |= {kind: float(match[1]) for kind in rule.reads if kind in VIDEO and match is not None}
    return found


def _cells(bold: float | None, values: Sequence[float | None]) -> str:
    texts = ["–" if value is None else f"{value:.2f}" for value in values]
    return " | ".join(f"**{t}**" if c == bold else t for c, t in zip(CURVE, texts, strict=True))
