"""`tongguan rules`: check, list and test."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from engine.commands.rules import app
from rules.load import LIBRARY

RULE = """id: gas.leak
version: 2
title: 燃气泄漏
source: "(general)"
reads: gas.methane
levels:
  yellow: {set: ">= 10", clear: "< 8", for: 60s}
clear_for: 2m
case: {category: "0401", department: gas}
"""
TRIALS = """cases:
  - name: 超限六十秒，黄色；回落两分钟，解除
    readings:
      - {from: 0s, to: 60s, every: 30s, v: 12}
      - {from: 2m, to: 4m, every: 1m, v: 5}
    expect:
      - {at: 60s, change: raised, level: yellow}
      - {at: 4m, change: cleared}
  - name: 不到，不报
    readings:
      - {from: 0s, to: 5m, every: 30s, v: 9.9}
    expect: []
"""


def folder(where: Path, rule: str = RULE, trials: str = TRIALS) -> Path:
    (where / "gas").mkdir(parents=True)
    (where / "gas" / "leak.yaml").write_text(rule, encoding="utf-8")
    if trials:
        (where / "gas" / "leak.test.yaml").write_text(trials, encoding="utf-8")
    return where


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_check_says_what_it_found(tmp_path: Path) -> None:
    result = run("check", folder(tmp_path))
    assert (result.exit_code, result.output) == (0, "1 rules, 2 test cases, 0 faults\n")


def test_check_names_all_faults_of_rules_and_of_their_tests(tmp_path: Path) -> None:
    root = folder(tmp_path, trials=TRIALS.replace("level: yellow", "level: green").replace("v: 9.9", "v: high"))
    (root / "gas" / "bad.yaml").write_text("id: gas.bad\nreads: gas.smell\n")
    result = run("check", root)
    assert result.exit_code == 1
    named = [line.removeprefix(f"{root}/gas/").split("; got")[0] for line in result.stdout.splitlines()]
    assert [line.split(", or domain")[0] for line in named] == [
        "bad.yaml:1:1: levels: is required",
        "bad.yaml:1:1: source: is required",
        "bad.yaml:1:1: title: is required",
        "bad.yaml:1:1: version: is required",
        "bad.yaml:2:8: reads: must be a known kind",
        "leak.test.yaml:7:42: cases[0].expect[0].level: must be one of blue, yellow, orange, red",
        "leak.test.yaml:11:43: cases[1].readings[0].v: must be a finite number",
    ]
    assert result.stderr == "1 rules, 0 test cases, 7 faults\n"


def test_check_refuses_a_rule_without_tests(tmp_path: Path) -> None:
    result = run("check", folder(tmp_path, trials=""))
    assert result.exit_code == 1
    assert "must have its test cases beside it in leak.test.yaml; got nothing" in result.stdout


TEST_FAULTS = {
    "only one sort of case": (
        TRIALS.split("  - name: 不到")[0],
        "2:3: cases: must have a case in which the rule speaks and one in which it must not; got 1 of one sort",
    ),
    "no step": (
        TRIALS.replace("to: 5m, every: 30s", "to: 5m"),
        "11:9: cases[1].readings[0].every: is required; got nothing",
    ),
    "two times": (
        TRIALS.replace("to: 5m, ", "to: 5m, at: 1s, "),
        "11:10: cases[1].readings[0].from: cannot stand beside at; got both",
    ),
    "an unknown change": (
        TRIALS.replace("change: raised", "change: rises"),
        '7:27: cases[0].expect[0].change: must be one of raised, escalated, downgraded, cleared; got "rises"',
    ),
    "no readings": (
        TRIALS.replace("readings:", "given:", 1),
        "2:5: cases[0].readings: is required; got nothing",
    ),
    "a kind that the rule does not read": (
        TRIALS.replace("v: 9.9", "v: 9.9, kind: rain.minute"),
        '11:54: cases[1].readings[0].kind: must be one of gas.methane; got "rain.minute"',
    ),
    "no case": ("cases: []\n", "1:8: cases: must be a list of cases; got []"),
    "a zone that is no box": (
        TRIALS + "zones: {a: [[1, 2, 3]]}\n",
        "13:13: zones.a: must be a box [west, south, east, north]; got [1, 2, 3]",
    ),
}


@pytest.mark.parametrize(("trials", "fault"), TEST_FAULTS.values(), ids=TEST_FAULTS.keys())
def test_check_names_the_fault_of_a_test_file(tmp_path: Path, trials: str, fault: str) -> None:
    result = run("check", folder(tmp_path, trials=trials))
    assert result.exit_code == 1
    assert f"{tmp_path}/gas/leak.test.yaml:{fault}" in result.stdout.splitlines()


def test_check_of_a_folder_without_rules_fails(tmp_path: Path) -> None:
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path}:0:0: file: must hold rule files, <domain>/<name>.yaml; got none" in result.stdout


def test_test_plays_every_case(tmp_path: Path) -> None:
    result = run("test", folder(tmp_path))
    assert (result.exit_code, result.output) == (
        0,
        "ok     gas.leak: 超限六十秒，黄色；回落两分钟，解除\n"
        "ok     gas.leak: 不到，不报\n"
        "2 passed, 0 failed, 1 rules\n",
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("{at: 60s, change: raised", "{at: 30s, change: raised"), [
            "expected, did not come: 30s  S1  gas.methane  raised  None → yellow  reading",
            "expected, did not come: 4m  S1  gas.methane  cleared  yellow → None  reading",
            "came, not expected: 1m  S1  gas.methane  raised  None → yellow  reading  since 0s  value 12",
            "came, not expected: 4m  S1  gas.methane  cleared  yellow → None  reading  value 5",
        ]),
        (("level: yellow", "level: red, cause: quiet"), [
            "expected, did not come: 1m  S1  gas.methane  raised  None → red  quiet",
            "expected, did not come: 4m  S1  gas.methane  cleared  red → None  reading",
            "came, not expected: 1m  S1  gas.methane  raised  None → yellow  reading  since 0s  value 12",
            "came, not expected: 4m  S1  gas.methane  cleared  yellow → None  reading  value 5",
        ]),
        (("level: yellow", "level: yellow, since: 30s"), [
            "expected, did not come: 1m  S1  gas.methane  raised  None → yellow  reading  since 30s",
            "expected, did not come: 4m  S1  gas.methane  cleared  yellow → None  reading",
            "came, not expected: 1m  S1  gas.methane  raised  None → yellow  reading  since 0s  value 12",
            "came, not expected: 4m  S1  gas.methane  cleared  yellow → None  reading  value 5",
        ]),
        (("v: 9.9", "v: 12"), [
            "came, not expected: 1m  S1  gas.methane  raised  None → yellow  reading  since 0s  value 12",
        ]),
        (("v: 9.9", "v: 900"), [f"not judged: line {line}: out_of_range" for line in range(1, 12)]),
    ],
    ids=["another time", "another level and cause", "another since", "one too many", "readings out of range"],
)  # fmt: skip
def test_test_says_what_came_and_what_did_not(tmp_path: Path, changed: tuple[str, str], told: list[str]) -> None:
    result = run("test", folder(tmp_path, trials=TRIALS.replace(*changed)))
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    found = [line for line in lines if line.startswith(("expected", "came", "not judged"))]
    assert [line[: len(wanted)] for line, wanted in zip(found, told, strict=True)] == told
    assert "1 passed, 1 failed, 1 rules" in result.stdout


def test_a_rule_that_is_off_is_played_too(tmp_path: Path) -> None:
    for state in ("false", "shadow"):
        assert run("test", folder(tmp_path / state, rule=RULE + f"enabled: {state}\n")).exit_code == 0


def test_list_shows_the_rules(tmp_path: Path) -> None:
    (root := folder(tmp_path, rule=RULE + "enabled: shadow\n")).joinpath("bad.yaml").write_text("id: 5\n")
    result = run("list", root)
    assert result.exit_code == 1
    for word in ("gas.leak", "2", "燃气泄漏 (shadow)", "gas.methane", "黄 >= 10 for 1m", "0401 gas, report, inspector"):
        assert word in result.stdout
    assert f"{root}/bad.yaml:1:5: id: must be <domain>.<name>, lower case; got 5" in result.stderr


def test_what_rules_stand_on_must_be_readable(tmp_path: Path) -> None:
    kinds = tmp_path / "kinds.yaml"
    kinds.write_text("smell: 1\n")
    assert run("check", folder(tmp_path / "rules"), "--kinds", kinds).exit_code == 2
    assert run("check", tmp_path / "rules", "--tz", "Mars/Base").exit_code == 2


def test_a_city_s_own_kinds_and_zones_are_used(tmp_path: Path) -> None:
    kinds, zones = tmp_path / "kinds.yaml", tmp_path / "zones"
    kinds.write_text("air.pm25: {unit: µg/m³, range: [0, 2000]}\n", encoding="utf-8")
    zones.mkdir()
    ring = "[[[120, 30], [121, 30], [121, 31], [120, 30]]]"
    feature = f'{{"type": "Feature", "properties": {{}}, "geometry": {{"type": "Polygon", "coordinates": {ring}}}}}'
    (zones / "old_town.geojson").write_text(f'{{"type": "FeatureCollection", "crs": "wgs84", "features": [{feature}]}}')
    rule = RULE.replace("gas.methane", "air.pm25") + 'where: inside("old_town")\n'
    trials = TRIALS + "place: [120.5, 30.2]\n"
    root = folder(tmp_path / "rules", rule, trials)
    result = run("test", root, "--kinds", kinds, "--zones", zones)
    assert (result.exit_code, result.stderr) == (0, "")
    assert run("check", root).exit_code == 1


def test_a_rule_is_explained_in_chinese_and_in_english(tmp_path: Path) -> None:
    text = RULE.replace("clear_for: 2m\n", "window: {agg: count, over: 2m, last: 5}\nclear_for: 2m\nquiet: 1h\n")
    text = text.replace(', clear: "< 8"', ', clear: "< 1"').replace(">= 10", ">= 3")
    text = text.replace("reads: gas.methane\n", "reads: gas.methane\nrunbook: 关阀。\nmeasure: v >= 5\n")
    done = run("explain", folder(tmp_path, text), "--lang", "both")
    assert done.output.splitlines() == [
        "gas.leak  燃气泄漏  v2",
        "  看可燃气体浓度（gas.methane，%LEL），每个设备各自判断。"
        "比较的是最近 5 次读数（2 分钟以内）里 v >= 5 成立的次数。"
        "黄色：>= 3，持续 1 分钟；< 1 解除。满足解除条件要持续 2 分钟才降级。1 小时没有读数就自行解除。"
        "开案：0401 燃气泄漏，责任单位燃气管理服务中心，自动上报，由核查人员确认后结案；同一设备的告警归到一个案件。"
        "处置：关阀。依据：(general)",
        "  It reads gas.methane (%LEL); each sensor is judged by itself. Compared is how often v >= 5 holds among the "
        "last 5 readings within 2 minutes. yellow: >= 3, held for 1 minute; clear at < 1. It goes down after being "
        "clear for 2 minutes. It clears by itself after 1 hour without a reading. Opens a case of 0401 for gas, "
        "which is reported; an inspector confirms the repair; alerts of one sensor are one case. "
        "What to do: 关阀。 Source: (general)",
        "",
    ]


def test_every_shipped_rule_is_explained_in_either_language() -> None:
    for lang in ("zh", "en"):
        done = run("explain", LIBRARY, "--lang", lang)
        assert (done.exit_code, done.output.count("\n\n")) == (0, len(list(LIBRARY.rglob("*.test.yaml"))))


def test_a_rule_that_is_not_there_cannot_be_explained(tmp_path: Path) -> None:
    done = run("explain", folder(tmp_path), "--rule", "gas.smell")
    assert done.exit_code == 2
    assert "gas.smell" in done.output


def test_the_page_of_the_library_is_written_from_the_rule_files() -> None:
    page = Path(__file__).parents[3] / "docs" / "library.md"
    assert page.read_text(encoding="utf-8") == run("list", LIBRARY, "--markdown").output


def test_with_a_catalogue_work_must_be_of_a_known_category_and_department(tmp_path: Path) -> None:
    rules = folder(tmp_path / "rules", RULE.replace("department: gas", "department: lighting"))
    (tmp_path / "own.yaml").write_text("departments: {lighting: 路灯管理所}\n", encoding="utf-8")
    (tmp_path / "empty.yaml").write_text("categories: {}\n", encoding="utf-8")
    assert run("check", rules).exit_code == 0
    assert run("check", rules, "--categories", str(tmp_path / "own.yaml")).exit_code == 0
    done = run("check", rules, "--categories", str(tmp_path / "empty.yaml"))
    assert done.exit_code == 1
    assert "case.department: must be a department of the catalogue; got lighting" in done.output
