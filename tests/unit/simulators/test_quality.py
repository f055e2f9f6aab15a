"""How `tongguan quality` counts, and that it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.commands.measured import Episode, compared
from engine.commands.quality import quality

MINUTE_MS = 60_000
APP = typer.Typer()
APP.command()(quality)


def at(since: int, begins: int, ends: int) -> Episode:
    return Episode(since * MINUTE_MS, begins * MINUTE_MS, ends * MINUTE_MS)


@pytest.mark.parametrize(
    ("said", "true", "counts"),
    [
        ({"a": [at(10, 11, 30)]}, {"a": [at(10, 11, 30)]}, (1, 1, 1, 1)),
        ({"a": [at(12, 13, 30)]}, {"b": [at(12, 13, 30)]}, (1, 0, 1, 0)),
        ({"a": [at(36, 36, 40)]}, {"a": [at(10, 11, 30)]}, (1, 0, 1, 0)),
        ({"a": [at(35, 35, 40)]}, {"a": [at(10, 11, 30)]}, (1, 1, 1, 1)),
        ({}, {"a": [at(10, 11, 30)]}, (0, 0, 1, 0)),
        ({"a": [at(10, 11, 30)]}, {}, (1, 0, 0, 0)),
    ],
    ids=["found", "another sensor", "too late", "just in time", "missed", "false"],
)
def test_alerts_and_occasions_of_one_sensor_meet_in_time(
    said: dict[str, list[Episode]], true: dict[str, list[Episode]], counts: tuple[int, int, int, int]
) -> None:
    score = compared(said, true)
    assert (score.alerts, score.right, score.occasions, score.found) == counts


def test_the_delay_runs_from_when_it_truly_began() -> None:
    assert compared({"a": [at(11, 13, 30)]}, {"a": [at(10, 12, 30)]}).delays_s == [180.0]


@pytest.mark.timeout(600)
def test_it_measures_a_scenario_and_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "quality.md"
    said = CliRunner().invoke(
        APP, ["kitchen-fire", "--seeds", "5", "--sensors", "320", "--json", "--page", str(page)], catch_exceptions=False
    )
    assert said.exit_code == 0
    told = json.loads(said.stdout)
    assert (told["scenarios"], told["seeds"]) == (["kitchen_fire"], [5, 5])
    rules = {row["rule"]: row for row in told["rules"]}
    assert rules["fire.heat"]["recall"] == 1.0
    assert "| fire.heat |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("seeds", ["", "a", "5-4", "1-5000"])
def test_wrong_seeds_are_refused(seeds: str) -> None:
    assert CliRunner().invoke(APP, ["gas-leak", "--seeds", seeds]).exit_code == 2


def test_an_unknown_scenario_is_refused() -> None:
    assert CliRunner().invoke(APP, ["sunshine"]).exit_code == 1
