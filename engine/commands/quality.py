"""`tongguan quality`: how precisely, how completely and how soon the rules find what is true in simulated cities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from engine.commands.measured import CURVE, VIDEO, Frames, Score, measure
from geo.city import load as load_city
from simulators.errors import ScenarioError
from simulators.load import load

SEEDS = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
MOST_SEEDS = 1_000
ABOUT = """# How well the rules find what is true

Made by `{command}`; {runs} runs. The seeds were chosen after the thresholds.

Each city is played twice with the same seed: seen by real instruments (noise, drift, error of scale, where they hang,
faults, gateways that fail) and by perfect ones. What a rule says of perfect readings is what is true of the physical
quantity; `precision` is the share of alerts that are right, `recall` the share of true occasions that an alert found
(the same sensor, within five minutes), `delay` runs from when the condition truly began to the alert and so holds the
rule's own `for`. Stuck sensors are judged by the fault itself. For cameras the truth is what stands in view (at least
{view:g} of a close view) for as long as the rule asks, whatever the camera says.

The goal is 0.98 and 0.98 on sensor rules. A dash: nothing of the kind happened in these runs.

"""
CURVES = """
## How sure a camera must be

Of frames with something in view, the share at or above a confidence; of frames with nothing, how many a camera gives
in a day. One frame decides nothing: the rules ask for three of the last five (overflow: four of six), so that what
remains of mistakes at the threshold (**bold**) is about its third power.

"""
THRESHOLDS = {
    "video.flame": 0.7, "video.smoke": 0.7, "video.lane_blocked": 0.6, "video.ponding": 0.7, "video.spill": 0.65,
    "video.parking": 0.6, "video.vendor": 0.6, "video.dumping": 0.65, "video.waste_overflow": 0.65,
}  # fmt: skip


class Measured(msgspec.Struct, frozen=True):
    """One rule's figures over all runs; shares are null where nothing of the kind happened, delays in seconds."""

    rule: str
    alerts: int
    right: int
    occasions: int
    found: int
    precision: float | None
    recall: float | None
    delay_median_s: float | None
    delay_p95_s: float | None


def quality(
    scenarios: Annotated[list[str], typer.Argument(help="cloudburst, kitchen-fire, … or scenario files.")],
    seeds: Annotated[str, typer.Option(help="One seed, or the first and the last, such as 101-110.")] = "1-3",
    sensors: Annotated[int | None, typer.Option(min=1, help="How many; default: all of the city.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    page: Annotated[Path | None, typer.Option(help="Also write a page in Markdown.")] = None,
) -> None:
    """Measure precision, recall and delay of every rule against what is physically true.

    Example: tongguan quality cloudburst gas-leak --seeds 101-110
    """
    first, last = _seeds(seeds)
    try:
        scripts = [load(name) for name in scenarios]
    except ScenarioError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    city = load_city()
    scores: dict[str, Score] = {}
    frames: dict[str, Frames] = {}
    for script in scripts:
        for seed in range(first, last + 1):
            found, seen = measure(script, city, seed, sensors)
            for rule, score in found.items():
                scores.setdefault(rule, Score()).add(score)
            for kind, counted in seen.items():
                frames.setdefault(kind, Frames()).add(counted)
            typer.echo(f"{script.name} {seed}", err=True)
    measured = [_measured(rule, score) for rule, score in sorted(scores.items())]
    if as_json:
        curve = {kind: _curve(of) for kind, of in sorted(frames.items())}
        told = {"scenarios": [s.name for s in scripts], "seeds": [first, last], "rules": measured, "video": curve}
        typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
    else:
        typer.echo(_table(measured))
    if page is not None:
        command = f"tongguan quality {' '.join(s.name.replace('_', '-') for s in scripts)} --seeds {seeds}"
        command += f" --sensors {sensors}" if sensors is not None else ""
        runs = len(scripts) * (last - first + 1)
        about = ABOUT.format(command=command, runs=runs, view=0.4)
        page.write_text(about + _table(measured) + "\n" + CURVES + _curves(frames) + "\n", encoding="utf-8")


def _seeds(text: str) -> tuple[int, int]:
    match = SEEDS.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else -1
    if not match or last < first or last - first >= MOST_SEEDS:
        raise typer.BadParameter(f"must be A or A-B, at most {MOST_SEEDS} seeds; got {text}", param_hint="--seeds")
    return first, last


def _measured(rule: str, score: Score) -> Measured:
    median, p95 = (float(np.percentile(score.delays_s, q)) if score.delays_s else None for q in (50, 95))
    return Measured(
        rule=rule,
        alerts=score.alerts,
        right=score.right,
        occasions=score.occasions,
        found=score.found,
        precision=score.right / score.alerts if score.alerts else None,
        recall=score.found / score.occasions if score.occasions else None,
        delay_median_s=median,
        delay_p95_s=p95,
    )


def _table(measured: Sequence[Measured]) -> str:
    lines = [
        "| rule | occasions | alerts | precision | recall | delay, median | p95 |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in measured:
        name = f"{one.rule} (video)" if one.rule in VIDEO else one.rule
        shares = [_share(one.precision), _share(one.recall), _span(one.delay_median_s), _span(one.delay_p95_s)]
        lines.append(f"| {name} | {one.occasions} | {one.alerts} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _curve(frames: Frames) -> dict[str, Any]:
    return {
        "confidence": list(CURVE),
        "of_frames_with_something": [n / frames.shown if frames.shown else None for n in frames.sure],
        "mistakes_a_camera_day": [n / frames.camera_days if frames.camera_days else None for n in frames.mistaken],
    }


def _curves(frames: Mapping[str, Frames]) -> str:
    heads = " | ".join(f"≥ {value:g}" for value in CURVE)
    lines = [f"| kind | | {heads} |", "|---|---|" + "---:|" * len(CURVE)]
    for kind, counted in sorted(frames.items()):
        told = _curve(counted)
        lines.append(f"| {kind} | seen | {_cells(kind, told['of_frames_with_something'])} |")
        lines.append(f"| | mistakes a day | {_cells(kind, told['mistakes_a_camera_day'])} |")
    return "\n".join(lines)


def _cells(kind: str, values: Sequence[float | None]) -> str:
    texts = ["–" if value is None else f"{value:.2f}" for value in values]
    bold = THRESHOLDS.get(kind)
    return " | ".join(f"**{t}**" if c == bold else t for c, t in zip(CURVE, texts, strict=True))
