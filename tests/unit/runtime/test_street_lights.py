"""A domain of a city's own, street lights: kinds, rules, categories and sensors as data, and no code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from engine.casework.directory import catalogue, use_catalogue
from engine.casework.people import SYSTEM
from engine.casework.queries import CaseFilter
from engine.commands.city_files import read_city, use_categories
from engine.commands.detect import detect
from engine.commands.rules import app
from engine.detect.offline import FilesRefused, PlanFiles, build_plan
from engine.runtime.config import Config
from engine.runtime.embedded import Embedded, Limits
from geo.city_folder import empty_zones, write_grids
from rules.catalogue import load_catalogue
from tests.town import grids

FOLDER = Path(__file__).parents[3] / "rules" / "examples" / "street_lights"
RULES, KINDS, SENSORS = FOLDER / "rules", FOLDER / "kinds.yaml", FOLDER / "sensors.csv"
NIGHT = FOLDER / "night.ndjson"
RAISED = {("lamp.dark", "L-001"), ("lamp.leakage", "CAB-01"), ("lamp.silent", "L-002")}


def run(command: Typer, *args: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(arg) for arg in args])
    return done.exit_code, done.output


@pytest.fixture
def own_words() -> Iterator[None]:
    before = catalogue()
    use_catalogue(load_catalogue(FOLDER / "categories.yaml"))
    yield
    use_catalogue(before)


def test_its_rules_are_checked_and_their_cases_come_out() -> None:
    words = ("--kinds", KINDS, "--categories", FOLDER / "categories.yaml")
    assert run(app, "check", RULES, *words) == (0, "4 rules, 12 test cases, 0 faults\n")
    code, output = run(app, "test", RULES, "--kinds", KINDS)
    assert (code, output.splitlines()[-1]) == (0, "12 passed, 0 failed, 4 rules")


def test_without_its_kinds_every_rule_of_it_is_named() -> None:
    code, output = run(app, "check", RULES)
    assert code == 1
    assert output.count("must be a known kind") == 4


def test_its_evening_is_judged_from_files() -> None:
    command = Typer(add_completion=False)
    command.command()(detect)
    code, output = run(command, "--rules", RULES, "--kinds", KINDS, "--registry", SENSORS, NIGHT)
    changes = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    assert {(change["rule"], change["sensor"]) for change in changes if change["change"] == "raised"} == RAISED


@pytest.mark.usefixtures("own_words")
def test_its_evening_becomes_cases_of_its_own_categories_and_department(tmp_path: Path) -> None:
    built = build_plan(PlanFiles(RULES, SENSORS, kinds=KINDS))
    assert built.rule_faults == ()
    engine = Embedded(tmp_path / "data", built.plan, player=True, limits=Limits(checkpoint_s=0.0))
    engine.start()
    try:
        for line in NIGHT.read_bytes().splitlines():
            now = json.loads(line)["t"]
            engine.intake.append([line], log_time=now)
            engine.intake.tick(now)
        assert engine.drain(60)
        found = engine.casework.cases(CaseFilter(), SYSTEM).cases
    finally:
        engine.stop()
    assert {(case.category_title, case.department_title, case.state, case.peak) for case in found} == {
        ("路灯不亮", "城市照明管理所", "dispatched", "blue"),
        ("路灯漏电", "城市照明管理所", "dispatched", "red"),
        ("路灯控制器失联", "城市照明管理所", "filed", "blue"),
    }


@pytest.fixture
def with_lights(tmp_path: Path) -> Iterator[Path]:
    """A city's folder with the domain beside its geometry."""
    folder = tmp_path / "city"
    write_grids(folder, grids(), "小城")
    empty_zones(folder)
    for name in ("kinds.yaml", "categories.yaml", "sensors.csv"):
        shutil.copyfile(FOLDER / name, folder / name)
    shutil.copytree(RULES, folder / "rules")
    before = catalogue()
    yield folder
    use_catalogue(before)


def test_a_city_s_folder_brings_the_domain_with_it(with_lights: Path) -> None:
    config = Config(city=str(with_lights))
    city = read_city(config)
    use_categories(None, config.city)
    rules = {rule.id for rule in city.plan.rules}
    assert city.faults == ()
    assert {"lamp.dark", "lamp.leakage", "lamp.silent", "gas.methane_leak"} <= rules
    assert {row.kind for row in city.plan.registry.rows} == {"lamp.lit", "lamp.current", "lamp.leakage"}
    assert (catalogue().category("0121").title, catalogue().departments["lighting"]) == ("路灯不亮", "城市照明管理所")
    only = read_city(Config(city=str(with_lights), rules=str(RULES)))
    assert {rule.id.partition(".")[0] for rule in only.plan.rules} == {"lamp"}


def test_a_faulty_file_of_the_folder_is_refused_with_its_place(with_lights: Path) -> None:
    (with_lights / "kinds.yaml").write_text("lamp.lit: {unit: 亮灭, range: [1, 0], title: 亮灭}\n")
    (with_lights / "categories.yaml").write_text("lamps: {}\n")
    with pytest.raises(FilesRefused, match=r"kinds\.yaml:1:"):
        read_city(Config(city=str(with_lights)))
    with pytest.raises(FilesRefused, match=r"categories\.yaml:1:1: lamps: unknown key"):
        use_categories(None, with_lights)


def test_its_evening_is_judged_in_the_city(with_lights: Path) -> None:
    command = Typer(add_completion=False)
    command.command()(detect)
    code, output = run(command, "--rules", with_lights / "rules", "--city", with_lights, NIGHT)
    changes = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    assert {(change["rule"], change["sensor"]) for change in changes if change["change"] == "raised"} == RAISED
