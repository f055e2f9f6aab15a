"""The one command: help with an example everywhere, four exit codes, four layers of settings."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli import COMMANDS, app, loaded
from engine.commands.city_files import read_city
from engine.detect.offline import FilesRefused
from engine.runtime.config import Config
from rules.load import LIBRARY

ROOT = Path(__file__).parent.parent.parent
RULE = 'id: gas.watch\nreads: gas.methane\nlevels: {red: {set: ">= 50"}}\n'
READING = '{"sensor":"s","kind":"gas.methane","t":1700000000000,"v":60}\n'
runner = CliRunner()


def tongguan(*args: str) -> tuple[int, str, str]:
    """Run the command in this process; return its exit code and what it wrote to both outputs."""
    result = runner.invoke(app, list(args), prog_name="tongguan")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def every_command() -> Iterator[tuple[str, Any]]:
    """Yield each command that can be called, as it is typed, with what the command line knows of it."""
    for name in COMMANDS:
        command = loaded(name)
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {below}", one) for below, one in inner.items())


EVERY = dict(every_command())


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, without settings of the environment, on a wide terminal."""
    for name in os.environ:
        if name.startswith("TONGGUAN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")


# ---- help


@pytest.mark.parametrize("typed", EVERY)
def test_every_command_has_help_with_an_example(typed: str) -> None:
    code, out, _ = tongguan(*typed.split(), "--help")
    assert code == 0
    assert re.search(rf"Example: tongguan {typed}\b", " ".join(out.split())), out


@pytest.mark.parametrize("typed", EVERY)
def test_the_example_is_one_that_the_command_takes(typed: str) -> None:
    command = EVERY[typed]
    (example,) = re.findall(rf"Example: tongguan {typed}\b([^>\n]*)", command.help)
    context = command.make_context(typed, [], resilient_parsing=True)
    _, rest, _ = command.make_parser(context).parse_args(shlex.split(example))
    assert rest == []


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{typed} {parameter.name}"
        for typed, command in EVERY.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert silent == []


def test_help_names_every_command() -> None:
    code, out, _ = tongguan("--help")
    assert code == 0
    assert [name for name in COMMANDS if not re.search(rf"^\W*{name}\b", out, re.M)] == []


def test_the_version_is_that_of_the_package() -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert tongguan("--version") == (0, f"tongguan {said}\n", "")


# ---- exit codes


def test_what_went_well_ends_with_0(tmp_path: Path) -> None:
    (tmp_path / "watch.yaml").write_text(RULE)
    (tmp_path / "in.ndjson").write_text(READING)
    code, out, err = tongguan("detect", "--rules", ".", "in.ndjson")
    assert (code, out.count("\n"), err) == (0, 1, "")


def test_a_faulty_rule_ends_with_1_and_the_others_were_heard(tmp_path: Path) -> None:
    (tmp_path / "watch.yaml").write_text(RULE)
    (tmp_path / "wrong.yaml").write_text(RULE + "colour: red\n")
    (tmp_path / "in.ndjson").write_text(READING)
    code, out, err = tongguan("detect", "--rules", ".", "in.ndjson")
    assert (code, out.count("\n")) == (1, 1)
    assert err.startswith("wrong.yaml:4:1: colour: unknown key")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "explode",
        "detect",
        "detect --fast",
        "geo locate 29.6 120.83",
        "serve",
        "quarantine replay",
        "token revoke x",
    ],
)
def test_wrong_use_ends_with_2_and_says_why(typed: str) -> None:
    code, out, err = tongguan(*typed.split())
    assert code == 2
    assert out + err


def served(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run an engine that is expected to refuse, in a process of its own."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "watch.yaml").write_text(RULE)
    (folder / "sensors.csv").write_text("sensor,kind\ns,gas.methane\n")
    city = ("--rules", "rules", "--registry", "sensors.csv", "--metrics-port", "0")
    command = [sys.executable, "-m", "engine.cli", "serve", "--embedded", *city, *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )


def test_what_cannot_be_used_as_it_is_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    done = served(tmp_path, "--data", "data")
    assert (done.returncode, "give another --data" in done.stderr) == (1, True), done.stderr


def test_a_city_open_to_the_world_without_tokens_is_refused_with_1(tmp_path: Path) -> None:
    done = served(tmp_path, "--host", "0.0.0.0")
    assert (done.returncode, "tongguan token create" in done.stderr) == (1, True), done.stderr


def test_an_engine_whose_rules_are_nowhere_is_refused_before_it_is_blind() -> None:
    with pytest.raises(FilesRefused, match=r"^nowhere: rules must be a folder of rules or a rule file; got nothing$"):
        read_city(Config(rules="nowhere"))


def test_what_may_go_well_later_ends_with_75(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = served(tmp_path, "--port", str(taken.getsockname()[1]))
    assert (done.returncode, "in use" in done.stderr) == (75, True), done.stderr


# ---- settings


def settings(*flags: str) -> dict[str, Any]:
    code, out, err = tongguan("serve", "--print-config", *flags)
    assert code == 0, err
    return tomllib.loads(out)


def test_flags_are_above_the_environment_above_the_file_above_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = settings()
    (tmp_path / "tongguan.toml").write_text('port = 1\nhost = "127.0.0.2"\ndata = "from-file"\n')
    monkeypatch.setenv("TONGGUAN_PORT", "2")
    monkeypatch.setenv("TONGGUAN_HOST", "127.0.0.3")
    said = {"port": 3, "host": "127.0.0.3", "data": "from-file"}
    assert settings("--port", "3") == {**defaults, **said}


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "tongguan.toml").write_text("port = 1\n")
    (tmp_path / "other.toml").write_text("port = 2\n")
    assert settings("--config", "other.toml")["port"] == 2


def test_what_is_printed_is_a_settings_file(tmp_path: Path) -> None:
    printed = tongguan("serve", "--print-config", "--max-delay", "30s")[1]
    (tmp_path / "tongguan.toml").write_text(printed)
    assert settings()["max_delay"] == "30s"


def test_unknown_keys_are_errors_in_every_layer_all_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tongguan.toml").write_text("prot = 80\n[engine]\nport = 80\n")
    monkeypatch.setenv("TONGGUAN_COLOUR", "red")
    code, out, err = tongguan("serve", "--print-config")
    assert (code, out) == (1, "")
    for key in ("tongguan.toml: prot", "tongguan.toml: engine", "TONGGUAN_COLOUR"):
        assert f"{key}: unknown key; known are data, rules" in err


def test_other_commands_take_their_data_folder_from_the_settings_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONGGUAN_DATA", "elsewhere")
    assert tongguan("db", "upgrade")[0] == 0
    assert (tmp_path / "elsewhere" / "cases.db").exists()
    monkeypatch.setenv("TONGGUAN_DATAA", "x")
    assert tongguan("db", "upgrade")[0] == 1


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGGUAN_DATA", "postgresql://city:open-sesame@db/cases")
    assert settings()["data"] == "postgresql://city:***@db/cases"
    monkeypatch.setenv("TONGGUAN_RELAY_TOKEN", "open-sesame")
    code, out, err = tongguan("serve", "--print-config")
    assert (code, "open-sesame" in out + err) == (1, False), err


def test_detect_stops_when_more_waits_than_it_was_given_and_says_behind_which_line(tmp_path: Path) -> None:
    lines = [b'{"sensor":"s","kind":"gas.methane","t":%d,"v":1}' % (1_000 * n) for n in range(1, 1001)]
    (tmp_path / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    where = ("detect", "--rules", str(LIBRARY / "gas"), "--max-delay", "1h", str(tmp_path / "in.ndjson"))
    code, out, err = tongguan(*where, "--waiting-size", "16KiB")
    assert (code, out) == (1, "")
    assert "stopped behind line 1000: 0 MiB of readings wait for the watermark; give a larger --waiting-size" in err
    assert tongguan(*where, "--waiting-size", "1MiB")[0] == 0
    assert "must be a whole number and a unit of KiB" in tongguan(*where, "--waiting-size", "many")[2]
