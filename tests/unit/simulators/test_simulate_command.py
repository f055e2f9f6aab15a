"""`tongguan simulate`, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner

from engine.commands.simulate import simulate
from simulators.load import names

APP = typer.Typer()
APP.command()(simulate)

SMALL = ["--sensors", "200", "--no-prelude", "--scenario", "calm_day"]


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(APP, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_readings_go_to_stdout_and_nothing_else_does() -> None:
    code, out, err = call(*SMALL, "--duration", "1m")
    readings = [orjson.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert len(readings) > 100
    assert all({"sensor", "kind", "t", "v", "attrs"} <= set(reading) for reading in readings)


def test_files_are_the_same_for_the_same_seed_and_others_for_another(tmp_path: Path) -> None:
    for name, seed in (("a", "4"), ("b", "4"), ("c", "5")):
        to, truth = str(tmp_path / name), str(tmp_path / f"{name}.truth")
        assert (
            call("--sensors", "200", "--no-prelude", "--seed", seed, "--duration", "2m", "--to", to, "--truth", truth)[
                0
            ]
            == 0
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()
    assert (tmp_path / "a.truth").read_bytes() == (tmp_path / "b.truth").read_bytes()
    assert orjson.loads((tmp_path / "a.truth").read_bytes().splitlines()[0])["truth"] == "water.depth_cm"


def test_the_prelude_comes_before_the_story(tmp_path: Path) -> None:
    to = tmp_path / "gas"
    assert call("--scenario", "gas_leak", "--sensors", "60", "--duration", "1m", "--to", str(to))[0] == 0
    times = [orjson.loads(line)["t"] for line in to.read_bytes().splitlines()]
    assert max(times) - min(times) > 3_500_000
    assert times == sorted(times)


def test_the_story_can_start_at_another_time_and_tick() -> None:
    code, out, _ = call(*SMALL, "--duration", "1m", "--starts", "2030-01-01T00:00:00+00:00", "--ticks", "--log-t")
    lines = [orjson.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["t"] for line in lines if line["kind"] == "tick"] == [1893456000000 + 10_000 * i for i in range(1, 7)]
    assert all(line["log_t"] == line["t"] for line in lines if line["kind"] != "tick")


def test_the_registry_of_the_played_sensors_can_be_written(tmp_path: Path) -> None:
    assert call(*SMALL, "--duration", "1m", "--registry", str(tmp_path / "r.csv"), "--to", str(tmp_path / "o"))[0] == 0
    assert len((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()) == 201


def test_describe_tells_the_story_without_readings() -> None:
    code, out, _ = call("--describe", "--scenario", "gas_leak", "--duration", "1h")
    assert code == 0
    assert out.startswith("燃气管线泄漏 (gas_leak), seed 1")
    assert len(out.splitlines()) > 10


@pytest.mark.parametrize("name", names())
def test_every_scenario_is_described_by_what_happens_in_it(name: str) -> None:
    few = ("--scenario", name, "--duration", "1h" if name in ("cloudburst", "bad_day") else "10h")
    code, out, _ = call("--describe", *few, "--lang", "en")
    events = [line for line in call("--explain", *few, "--lang", "en")[1].splitlines() if line[:2] == "20"]
    assert code == 0
    heading, *lines = out.splitlines()
    assert f"({name}), seed 1" in heading
    assert lines[: len(events)] == events
    assert events or (name, lines) == ("calm_day", ["Nothing goes wrong: an ordinary day."])


def test_explain_says_in_sentences_what_will_happen() -> None:
    code, out, _ = call("--explain", "--scenario", "kitchen-fire", "--seed", "3")
    assert code == 0
    assert out.startswith("餐馆厨房起火（kitchen_fire），种子3：2026-10-17 17:30开始，历时4小时")
    said = [line[17:] for line in out.splitlines()[1:-1]]
    assert any("开始阴燃" in line for line in said)
    assert any("的火被扑灭" in line for line in said)
    assert out == call("--explain", "--scenario", "kitchen-fire", "--seed", "3")[1]
    english = call("--explain", "--scenario", "kitchen-fire", "--seed", "3", "--lang", "en")[1]
    assert english.startswith("kitchen_fire, seed 3: from 2026-10-17 17:30, for 4 h")
    assert len(english.splitlines()) == len(out.splitlines())


def test_a_calm_day_is_explained_as_one_in_which_nothing_goes_wrong() -> None:
    assert "没有事故发生" in call("--explain", "--scenario", "calm-day")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["--scenario", "sunshine"],
            1,
            "sunshine:1:1: file: must be a file, or one of bad_day, calm_day, cloudburst, ",
        ),
        (["--fault", "explode: {chance: 1}"], 1, "must be one of drop_out"),
        (["--city", "/no/such/city"], 1, "must be a city"),
        (["--rate", "fast"], 2, "--rate"),
        (["--duration", "3 hours"], 2, "--duration"),
        (["--starts", "tomorrow"], 2, "--starts"),
        (["--sensors", "0"], 2, "--sensors"),
        (["--seed", "-1"], 2, "--seed"),
        (["--ticks", "--to", "http://127.0.0.1:9"], 2, "--ticks"),
    ],
)
def test_wrong_use_and_refusals_are_told_apart(arguments: list[str], code: int, said: str) -> None:
    got, out, err = call(*SMALL, "--duration", "1m", *arguments)
    assert (got, out) == (code, "")
    assert said in err
