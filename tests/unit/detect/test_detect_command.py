"""`tongguan detect`: flags, faults, exit codes, pipes (spec/interfaces.md)."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from engine.commands.detect import detect
from tests.unit.detect.streams import PONDING, H, M, reading, tick

ONE = PONDING + 'levels: {yellow: {set: ">= 10"}}\n'
COMMAND = [sys.executable, "-c", "from engine.cli import main; main()", "detect"]
ROOT = Path(__file__).parents[3]
APP = Typer(add_completion=False)
APP.command()(detect)


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: bytes
    stderr: bytes


def run(*arguments: str | Path, text: bytes = b"") -> Done:
    """Run the command in this process, with `text` as its input file."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.ndjson"
        source.write_bytes(text)
        result = CliRunner().invoke(APP, [*map(str, arguments), *([str(source)] if text else [])])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout_bytes, result.stderr_bytes)


def piped(*arguments: str | Path, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process of its own, with `text` on standard input."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*COMMAND, *map(str, arguments)], input=text, capture_output=True, env=environment)


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules" / "flood"
    folder.mkdir(parents=True)
    (folder / "ponding.yaml").write_text(ONE, encoding="utf-8")
    return tmp_path / "rules"


def test_readings_come_in_and_changes_go_out(rules: Path) -> None:
    done = run("--rules", rules, text=lines(reading(0, 1), reading(1, 20), reading(2, 1)))
    changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, b"")
    assert [(c["change"], c["evidence"]["last_offset"]) for c in changes] == [("raised", 2), ("cleared", 3)]


def test_a_file_and_standard_input_give_the_same_bytes(rules: Path) -> None:
    text = lines(*[reading(t, t % 20, sensor=f"s{t % 3}") for t in range(500)], tick(900))
    from_file = run("--rules", rules, "--marks", text=text).stdout
    assert from_file == piped("--rules", rules, "--marks", text=text).stdout
    assert len(from_file.splitlines()) > 100


def test_blank_lines_count_as_lines_and_the_last_needs_no_newline(rules: Path) -> None:
    done = run("--rules", rules, text=b"\n\n" + lines(reading(1, 20)).strip())
    assert json.loads(done.stdout)["evidence"] == {"partition": 0, "first_offset": 3, "last_offset": 3}


def test_late_and_rejected_readings_are_written_with_reason_line_index_and_raw(rules: Path, tmp_path: Path) -> None:
    late, rejects = tmp_path / "late", tmp_path / "rejects"
    text = lines([reading(5, 1), reading(5, 2)], reading(4, 1)) + b'{"sensor": 1}\n\xff\n'
    done = run("--rules", rules, "--late", late, "--rejects", rejects, text=text)
    assert done.returncode == 0
    assert [json.loads(line) for line in late.read_text().splitlines()] == [
        {"reason": "duplicate", "line": 1, "index": 1, "raw": json.dumps(reading(5, 2))},
        {"reason": "late", "line": 2, "index": 0, "raw": json.dumps(reading(4, 1))},
    ]
    first, second = (json.loads(line) for line in rejects.read_text().splitlines())
    assert {k: first[k] for k in ("line", "index", "raw")} == {"line": 3, "index": 0, "raw": '{"sensor": 1}'}
    assert set(first) == {"reason", "line", "index", "raw"}
    assert (second["line"], base64.b64decode(second["raw_base64"])) == (4, b"\xff")


def test_faulty_rules_are_all_named_while_the_others_run_and_the_exit_code_is_1(rules: Path) -> None:
    (rules / "bad.yaml").write_text("id: flood.bad\nlevels: 3\n", encoding="utf-8")
    (rules / "worse.yaml").write_text(": {", encoding="utf-8")
    done = run("--rules", rules, text=lines(reading(1, 20)))
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "bad.yaml:" in said
    assert "worse.yaml:" in said
    assert len(done.stdout.splitlines()) == 1


def test_changes_of_shadow_rules_marks_and_stills_are_printed_on_demand(rules: Path) -> None:
    (rules / "shadow.yaml").write_text(ONE.replace("ponding", "shadow") + "enabled: shadow\n", encoding="utf-8")
    text = lines(reading(0, 20), reading(M, 20), tick(2 * M))

    def printed(*flags: str) -> list[str]:
        said = [json.loads(line) for line in run("--rules", rules, *flags, text=text).stdout.splitlines()]
        return ["mark" if "mark" in s else "still" if "still" in s else s["rule"] for s in said]

    assert printed() == ["flood.ponding"]
    assert printed("--shadow") == ["flood.ponding", "flood.shadow"]
    assert printed("--marks") == ["flood.ponding", "still", "mark"]
    assert printed("--shadow", "--marks") == ["flood.ponding", "flood.shadow", "still", "still", "mark"]


def test_delay_age_and_time_zone_are_taken_from_the_flags(rules: Path) -> None:
    (rules / "flood" / "ponding.yaml").write_text(ONE + "where: hour() == 3\n", encoding="utf-8")
    text = lines(reading(3 * H, 20), reading(3 * H - M, 20, log_t=3 * H))
    assert b'"t":10800000' in run("--rules", rules, "--tz", "UTC", text=text).stdout
    assert run("--rules", rules, text=text).stdout == b""
    early = lines(reading(3 * H + 2, 1), reading(3 * H + 1, 20))
    assert run("--rules", rules, "--tz", "UTC", text=early).stdout == b""
    assert b"raised" in run("--rules", rules, "--tz", "UTC", "--max-delay", "1s", text=early).stdout
    stale = lines(reading(3 * H, 20, log_t=3 * H + 2000))
    assert run("--rules", rules, "--tz", "UTC", "--max-age", "1s", text=stale).stdout == b""


def test_registry_grids_zones_and_kinds_are_taken_from_files(rules: Path, tmp_path: Path) -> None:
    ring = [[121.0, 29.0], [121.1, 29.0], [121.1, 29.1], [121.0, 29.1], [121.0, 29.0]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"code": "330200001001001"}, "geometry": shape}
    layer = json.dumps({"type": "FeatureCollection", "features": [feature]})
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "pit.geojson").write_text(layer)
    (tmp_path / "grids.geojson").write_text(layer)
    (tmp_path / "sensors.csv").write_text("sensor,kind,lon,lat,crs\ns1,pond.depth,121.05,29.05,wgs84\n")
    (tmp_path / "kinds.yaml").write_text('pond.depth: {unit: "cm", range: [0, 100]}\n')
    text = ONE.replace("water.level", "pond.depth") + 'where: inside("pit")\n'
    (rules / "flood" / "ponding.yaml").write_text(text, encoding="utf-8")
    files = ("--registry", "sensors.csv", "--grids", "grids.geojson", "--zones", "zones", "--kinds", "kinds.yaml")
    arguments = [tmp_path / name if number % 2 else name for number, name in enumerate(files)]
    done = run("--rules", rules, *arguments, text=lines(reading(0, 20, kind="pond.depth")))
    assert json.loads(done.stdout)["grid"] == "330200001001001"


@pytest.mark.parametrize(
    ("file", "flag", "content"),
    [
        ("sensors.csv", "--registry", "sensor,kind\ns1,no.kind\ns1,water.level\ns1,water.level\n"),
        ("grids.geojson", "--grids", "{"),
        ("kinds.yaml", "--kinds", "a.b: 3\n"),
    ],
)
def test_a_refused_file_is_named_with_its_faults_and_nothing_runs(
    rules: Path, tmp_path: Path, file: str, flag: str, content: str
) -> None:
    (tmp_path / file).write_text(content)
    done = run("--rules", rules, flag, tmp_path / file, text=lines(reading(0, 20)))
    assert (done.returncode, done.stdout) == (1, b"")
    assert file in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize(
    "flags",
    [(), ("--rules", "nowhere"), ("--max-delay", "3"), ("--max-age", "-1s"), ("--tz", "Mars/Base"), ("--no-such",)],
    ids=lambda flags: " ".join(flags) or "none",
)
def test_wrong_use_ends_with_2(rules: Path, flags: tuple[str, ...]) -> None:
    given = flags if not flags or "--rules" in flags else ("--rules", str(rules), *flags)
    assert run(*given).returncode == 2


@pytest.mark.parametrize(
    "listed",
    [
        b"2\n",
        b'{"topic": "city.readings", "partition": 7, "offset": 2, "reason": "kills_process"}\n\n',
        b"99\n2",
    ],
    ids=["a number", "a row of the quarantine", "one that is not there"],
)
def test_records_of_the_skip_list_are_passed_over(rules: Path, tmp_path: Path, listed: bytes) -> None:
    text = lines(reading(0, 5), reading(M, 50), reading(2 * M, 60))
    (tmp_path / "skip").write_bytes(listed)
    found = run("--rules", rules, "--skip", tmp_path / "skip", text=text)
    changes = [json.loads(line) for line in found.stdout.splitlines()]
    assert [(change["t"], change["evidence"]["last_offset"]) for change in changes] == [(2 * M, 3)]


@pytest.mark.parametrize(
    "listed",
    [b"2 3", b"two", b'{"offset": 2}', b'{"topic": "city.alerts", "partition": 0, "offset": 2}', b"true", b"[2]"],
)
def test_a_skip_list_that_names_no_record_is_refused(rules: Path, tmp_path: Path, listed: bytes) -> None:
    (tmp_path / "skip").write_bytes(b"1\n" + listed)
    found = run("--rules", rules, "--skip", tmp_path / "skip", text=lines(reading(0, 5)))
    assert found.returncode == 2
    assert b"skip:2" in found.stderr


def test_a_skip_list_of_two_partitions_is_refused(rules: Path, tmp_path: Path) -> None:
    row = '{"topic": "city.readings", "partition": %d, "offset": 2}\n'
    (tmp_path / "skip").write_text(row % 0 + row % 1)
    found = run("--rules", rules, "--skip", tmp_path / "skip", text=lines(reading(0, 5)))
    assert (found.returncode, b"one partition" in found.stderr) == (2, True)


def test_a_reader_that_goes_away_ends_it_quietly(rules: Path, tmp_path: Path) -> None:
    text = lines(*[reading(t, 20 * (t % 2)) for t in range(20_000)])
    (tmp_path / "in.ndjson").write_bytes(text)
    shell = 'set -o pipefail; "$@" | head -n 1'
    command = ["bash", "-c", shell, "sh", *COMMAND, "--rules", str(rules), str(tmp_path / "in.ndjson")]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == b""


def test_help_shows_an_example() -> None:
    assert b"tongguan detect --rules" in run("--help").stdout
