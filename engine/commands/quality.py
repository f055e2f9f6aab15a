"""`tongguan quality`: how precisely, completely and soon the rules find what truly happens in simulated cities."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.commands.measured import Frames, Measured, Score, measure
from engine.commands.quality_page import Asked, Result, Totals, curve, page_of, results, table
from geo.city import load as load_city
from rules.load import LIBRARY, load_rules
from simulators.errors import ScenarioError
from simulators.load import load
from simulators.scenario import Scenario

SEEDS = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
MOST_SEEDS = 1_000


def quality(
    scenarios: Annotated[list[str], typer.Argument(help="cloudburst, kitchen-fire, … or scenario files.")],
    seeds: Annotated[str, typer.Option(help="One seed, or the first and the last, such as 101-110.")] = "1-3",
    others: Annotated[str | None, typer.Option(help="Other seeds, to compare with.")] = None,
    sensors: Annotated[
        int | None, typer.Option(min=1, help="How many beside those that something reaches; default: all.")
    ] = None,
    rules: Annotated[Path, typer.Option(exists=True, help="Folder of rules with the library's names.")] = LIBRARY,
    keep: Annotated[
        Path | None, typer.Option(help="Folder that keeps each run; kept ones are not played again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    page: Annotated[Path | None, typer.Option(help="Also write a page in Markdown.")] = None,
) -> None:
    """Measure precision, recall and delay of every rule against what physically happens.

    Example: tongguan quality cloudburst gas-leak --seeds 101-110
    """
    spans = [_seeds(seeds, "--seeds"), *([_seeds(others, "--others")] if others is not None else [])]
    try:
        scripts = [load(name) for name in scenarios]
    except ScenarioError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    first, *second = [_played(scripts, span, sensors, rules, keep) for span in spans]
    told = Result(
        scenarios=[script.name for script in scripts],
        seeds=list(spans[0]),
        rules=results(first),
        video={kind: curve(frames) for kind, frames in sorted(first.frames.items())},
        others=results(second[0]) if second else [],
    )
    typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=1).decode() if as_json else table(first, second))
    if page is not None:
        asked = Asked([s.name.replace("_", "-") for s in scripts], seeds, others, sensors)
        judged = load_rules(rules, zones=load_city().zones).rules
        page.write_text(page_of(asked, first, second, judged), encoding="utf-8")


def _seeds(text: str, option: str) -> tuple[int, int]:
    match = SEEDS.fullmatch(text)
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else -1
    if not match or last < first or last - first >= MOST_SEEDS:
        raise typer.BadParameter(f"must be A or A-B, at most {MOST_SEEDS} seeds; got {text}", param_hint=option)
    return first, last


def _played(
    scripts: Sequence[Scenario], span: tuple[int, int], sensors: int | None, rules: Path, keep: Path | None
) -> Totals:
    """Play every scenario with every seed, or take what is kept of it."""
    city, total = load_city(), Totals()
    for seed in range(span[0], span[1] + 1):
        for script in scripts:
            kept = None if keep is None else keep / f"{_key(script, seed, sensors, rules)}.json"
            if kept is not None and kept.exists():
                one = msgspec.json.decode(kept.read_bytes(), type=Measured)
            else:
                one = measure(script, city, seed, sensors, rules)
                if kept is not None:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    kept.write_bytes(msgspec.json.encode(one))
            _add(total, one)
            typer.echo(f"{script.name} {seed}", err=True)
    return total


def _add(total: Totals, one: Measured) -> None:
    total.runs += 1
    for rule, score in one.scores.items():
        total.scores.setdefault(rule, Score()).add(score)
    for kind, frames in one.frames.items():
        total.frames.setdefault(kind, Frames()).add(frames)


def _key(script: Scenario, seed: int, sensors: int | None, rules: Path) -> str:
    """Return what a run is kept as: it changes with the scenario and with every rule."""
    digest = hashlib.sha256(repr((script, sensors)).encode())
    for path in sorted(rules.rglob("*.yaml")):
        if not path.name.endswith(".test.yaml"):
            digest.update(path.read_bytes())
    return f"{script.name}-{seed}-{digest.hexdigest()[:12]}"
