"""Bad input meets the real commands and a real server: each named case gets its documented answer, and nothing else
is disturbed, nothing is lost."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from engine.casework.store import Store, upgrade
from engine.casework.tokens import create_token
from engine.cli import app
from tests.contract import bad_input
from tests.contract.bad_input import COMMANDS, FRAMES, KINDS, NESTED, ODD, SHAPE_FILES, T
from tests.contract.test_http_bad_input import READINGS, TABLE, good, many
from tests.unit.decode.test_bad_input import ACCEPTED, REJECTED, reading
from tests.unit.geo.test_load import BAD_FEATURES, SQUARE, collection, feature
from tests.unit.rules.test_faulty_rule_files import ONE_FAULT
from tests.unit.rules.test_kinds_and_registry import CSV_FAULTS

ROOT = Path(__file__).parent.parent.parent
RULE = "id: gas.watch\nreads: gas.methane\nwhere: starts_with(sensor, {name!r})\nlevels: {{red: {{{level}}}}}\n"
WATCHED = RULE.format(name="good", level='set: ">= 100", clear: "< 100"').replace("'", '"')
SEEN = RULE.format(name="s", level='set: ">= -5"').replace("'", '"').replace("gas.watch", "gas.seen")
runner = CliRunner()


def tongguan(*args: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", *args], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr.decode(errors="replace")[-2000:]
    return done


def in_process(*args: str) -> tuple[int, str]:
    """Run the command in this process; return its exit code and what it said."""
    result = runner.invoke(app, list(args), prog_name="tongguan")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def json_lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_page_is_written_from_the_tables() -> None:
    page = (ROOT / "docs" / "bad_input.md").read_text(encoding="utf-8")
    assert page == bad_input.page(), "python -m tests.contract.bad_input > docs/bad_input.md"
    assert int(re.findall(r"^([0-9]+) named cases", page, re.M)[0]) >= 60


# ---- readings


@dataclass(frozen=True)
class Judged:
    """One run of `tongguan detect` over all bad readings, a good one before, between and behind them."""

    lines: list[bytes]
    line_of: dict[str, int]
    good_lines: list[int]
    changes: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    late: list[dict[str, Any]]

    def rejects_of(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.rejects if row["line"] == self.line_of[name]]

    def first_of(self, name: str) -> dict[str, Any]:
        """Return the first change of the sensors of a case."""
        return next(row for row in self.changes if row["sensor"] == self.sensor(name))

    def sensor(self, name: str) -> str:
        return f"s{self.line_of[name]}"


def in_a_file(text: bytes) -> bool:
    """Whether a text is one line of a file; blank ones are none, and a plan record says nothing where flags do."""
    return b"\n" not in text and bool(text.strip()) and not text.startswith(b'{"kind":"plan"')


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("readings")
    (folder / "rules").mkdir()
    (folder / "rules" / "watch.yaml").write_text(WATCHED)
    (folder / "rules" / "seen.yaml").write_text(SEEN)
    lines: list[bytes] = []
    line_of: dict[str, int] = {}
    good_lines: list[int] = []

    def add_good() -> None:
        number = len(good_lines)
        lines.append(reading(sensor='"good"', t=str(T + number * 1000), v="0" if number % 2 else "120"))
        good_lines.append(len(lines))

    def add(name: str, *texts: bytes) -> None:
        add_good()
        line_of[name] = len(lines) + 1
        lines.extend(text.replace(b'"s1"', f'"s{len(lines) + 1}"'.encode()) for text in texts[:1])
        lines.extend(text.replace(b'"s1"', f'"s{line_of[name]}"'.encode()) for text in texts[1:])

    for name, (text, *_) in (REJECTED | ACCEPTED).items():
        if in_a_file(text):
            add(name, text)
    for name, (text, _) in FRAMES.items():
        add(name, text)
    for name, odd in ODD.items():
        add(name, *odd.lines)
    add_good()
    (folder / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    args = ("--rules", "rules", "--rejects", "rejects", "--late", "late", "in.ndjson")
    done = tongguan("detect", *args, folder=folder)
    rejects, late = ((folder / name).read_bytes() for name in ("rejects", "late"))
    return Judged(lines, line_of, good_lines, json_lines(done.stdout), json_lines(rejects), json_lines(late))


def own_text(row: dict[str, Any]) -> bytes:
    return row["raw"].encode() if "raw" in row else base64.b64decode(row["raw_base64"])


@pytest.mark.parametrize("name", [name for name, (text, *_) in REJECTED.items() if in_a_file(text)])
def test_a_bad_reading_is_rejected_once_with_its_reason_and_its_own_text(judged: Judged, name: str) -> None:
    (row,) = judged.rejects_of(name)
    assert (row["reason"], row["index"]) == (REJECTED[name][1], 0)
    line = judged.lines[row["line"] - 1]
    assert own_text(row).strip() == line.strip(b" \t\r[]" if row["reason"] == "control_in_frame" else b" \t\r")


@pytest.mark.parametrize("name", FRAMES)
def test_a_bad_part_of_a_frame_is_rejected_and_the_others_are_judged(judged: Judged, name: str) -> None:
    rows = judged.rejects_of(name)
    assert {row["index"]: row["reason"] for row in rows} == FRAMES[name][1]
    assert all(own_text(row) in judged.lines[judged.line_of[name] - 1] for row in rows)
    if judged.sensor(name).encode() in judged.lines[judged.line_of[name] - 1]:
        assert judged.first_of(name)["value"] == 1.5


@pytest.mark.parametrize("name", [name for name, (text, _) in ACCEPTED.items() if in_a_file(text)])
def test_an_odd_reading_is_judged_as_documented(judged: Judged, name: str) -> None:
    assert judged.rejects_of(name) == []
    assert judged.first_of(name)["value"] == ACCEPTED[name][1]


@pytest.mark.parametrize("name", ODD)
def test_a_reading_at_an_odd_time_is_judged_or_kept_as_late(judged: Judged, name: str) -> None:
    odd, first = ODD[name], judged.line_of[name]
    assert (judged.first_of(name)["value"], judged.first_of(name)["t"]) == (odd.v, odd.t)
    rows = [row for row in judged.late if first <= row["line"] < first + len(odd.lines)]
    assert [(row["reason"], own_text(row)) for row in rows] == [
        (reason, judged.lines[first + len(odd.lines) - 2]) for reason in odd.late
    ]


def test_no_bad_reading_disturbs_a_good_one(judged: Judged) -> None:
    seen = [
        (row["change"], row["t"], row["value"], row["evidence"]["last_offset"])
        for row in judged.changes
        if row["sensor"] == "good"
    ]
    assert seen == [
        ("cleared" if number % 2 else "raised", T + number * 1000, 0 if number % 2 else 120, line)
        for number, line in enumerate(judged.good_lines)
    ]


def test_of_all_that_came_nothing_is_lost(judged: Judged) -> None:
    """Every line is judged, in the late store, or rejected; and nothing is rejected that is not in the table."""
    counted = {judged.line_of[name] for name in REJECTED if name in judged.line_of}
    counted |= {judged.line_of[name] for name, (_, reasons) in FRAMES.items() if reasons}
    assert {row["line"] for row in judged.rejects} == counted
    assert len(judged.late) == sum(len(odd.late) for odd in ODD.values())


# ---- rules


@dataclass(frozen=True)
class Checked:
    """What `rules check` and `detect` said of a folder in which one rule is good."""

    folder_of: dict[str, str]
    checked: list[str]
    detected: list[str]
    changes: list[dict[str, Any]]

    def faults(self, lines: list[str], name: str) -> list[str]:
        start = f"rules/{self.folder_of[name]}/leak.yaml:"
        return [line.removeprefix(start) for line in lines if line.startswith(start)]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "zones").mkdir()
    zone = {**feature(SQUARE), "crs": "wgs84"}
    (folder / "zones" / "school.geojson").write_text(json.dumps(zone))
    folder_of = {name: f"c{number:03}" for number, name in enumerate(ONE_FAULT)}
    for name, (text, _) in ONE_FAULT.items():
        place = folder / "rules" / folder_of[name]
        place.mkdir(parents=True)
        (place / "leak.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / "rules" / "watch.yaml").write_text(WATCHED)
    (folder / "in.ndjson").write_bytes(reading(sensor='"good"', v="120"))
    zones = ("--zones", "zones")
    check = tongguan("rules", "check", *zones, "rules", folder=folder, code=1)
    detect = tongguan("detect", "--rules", "rules", *zones, "in.ndjson", folder=folder, code=1)
    return Checked(
        folder_of,
        check.stdout.decode().splitlines(),
        detect.stderr.decode().splitlines(),
        json_lines(detect.stdout),
    )


@pytest.mark.parametrize("name", ONE_FAULT)
def test_a_faulty_rule_is_named_with_file_line_column_and_key(checked: Checked, name: str) -> None:
    fault = ONE_FAULT[name][1]
    assert fault in checked.faults(checked.checked, name)
    assert checked.faults(checked.detected, name) == [fault]


def test_no_faulty_rule_stops_a_good_one(checked: Checked) -> None:
    assert [(row["rule"], row["change"]) for row in checked.changes] == [("gas.watch", "raised")]
    assert len(checked.detected) == len(ONE_FAULT)


# ---- registries, kinds, shapes, the command line


@pytest.mark.parametrize("name", CSV_FAULTS)
def test_a_faulty_registry_is_refused_before_a_reading_is_read(tmp_path: Path, name: str) -> None:
    rows, fault = CSV_FAULTS[name]
    path = tmp_path / "sensors.csv"
    path.write_text(bad_input.registry_text(rows))
    (tmp_path / "watch.yaml").write_text(WATCHED)
    assert in_process("detect", "--rules", str(tmp_path), "--registry", str(path), "-") == (1, f"{path}:{fault}\n")


@pytest.mark.parametrize("name", KINDS)
def test_a_faulty_kinds_file_is_refused(tmp_path: Path, name: str) -> None:
    text, fault = KINDS[name]
    path = tmp_path / "kinds.yaml"
    path.write_text(text)
    (tmp_path / "watch.yaml").write_text(WATCHED)
    assert in_process("detect", "--rules", str(tmp_path), "--kinds", str(path), "-") == (1, f"{path}:{fault}\n")


@pytest.mark.parametrize("command", ["check", "import"])
@pytest.mark.parametrize("name", SHAPE_FILES)
def test_a_file_that_holds_no_shapes_is_refused(tmp_path: Path, name: str, command: str) -> None:
    data, why = SHAPE_FILES[name]
    path = tmp_path / "grids.geojson"
    path.write_bytes(data)
    code, said = in_process("geo", command, str(path))
    assert (code, why in said, str(path) in said) == (1, True, True), said


@pytest.mark.parametrize("name", NESTED)
def test_shapes_within_shapes_are_named_by_their_place(tmp_path: Path, name: str) -> None:
    data, why = NESTED[name]
    path = tmp_path / "grids.geojson"
    path.write_bytes(data)
    code, said = in_process("geo", "check", str(path))
    assert (code, why in said) == (1, True), said


@pytest.mark.parametrize("name", BAD_FEATURES)
def test_a_bad_shape_is_refused_by_its_place_in_the_file(tmp_path: Path, name: str) -> None:
    bad, why = BAD_FEATURES[name]
    path = tmp_path / "grids.geojson"
    path.write_bytes(bad_input.shape(bad))
    code, said = in_process("geo", "check", str(path))
    assert (code, len(said.splitlines())) == (1, 1), said
    assert said.startswith(f"{path}: features[1]")
    assert why in said


def test_one_process_names_the_faults_of_all_shapes_at_once(tmp_path: Path) -> None:
    shapes = [bad for bad, _ in BAD_FEATURES.values()]
    (tmp_path / "grids.geojson").write_bytes(collection(*shapes))
    done = tongguan("geo", "check", "grids.geojson", folder=tmp_path, code=1)
    named = {int(number) for number in re.findall(rb"features\[([0-9]+)\]", done.stderr)}
    assert named == set(range(len(shapes)))


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_use_of_a_command_gets_its_exit_code_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    typed, code, said = COMMANDS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    (tmp_path / "unknown.toml").write_text('colour = "red"\n')
    (tmp_path / "wrong.toml").write_text('port = "many"\n')
    found, output = in_process(*typed.split())
    assert (found, said in output) == (code, True), output


# ---- a running server


@dataclass
class Served:
    """A real `tongguan serve --embedded` on a free port."""

    process: subprocess.Popen[str]
    data: Path
    url: str
    metrics_url: str
    tokens: dict[str, str]

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        assert url.port is not None
        return url.host, url.port

    def client(self, role: str | None, **headers: str) -> httpx.Client:
        signed = {} if role is None else {"authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=self.url, headers={**headers, **signed}, timeout=30, trust_env=False)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "rules").mkdir()
    (folder / "rules" / "watch.yaml").write_text(WATCHED)
    (folder / "sensors.csv").write_text("sensor,kind\ngood,gas.methane\n")
    (folder / "data").mkdir()
    store = Store.open(folder / "data" / "cases.db")
    upgrade(store)
    tokens = {role: create_token(store, name=role, role=role, now_ms=T) for role in ("admin", "operator", "sensor")}
    store.close()
    args = ["--data", "data", "--rules", "rules", "--registry", "sensors.csv", "--port", "0", "--metrics-port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli", "serve", "--embedded", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"(http://\S+) \(metrics (http://[^)\s]+)\)", process.stdout.readline())
    assert found, "the server must print where it is"
    yield Served(process, folder / "data", found[1], found[2], tokens)
    process.kill()
    process.wait(60)


OVER_THE_WIRE = [
    "readings: text that is no JSON",
    "readings: over 1 MiB",
    "readings: over 10,000",
    "readings: plain text, as a form of another site can send",
    "report: nested 20,000 deep",
    "report: a lone surrogate",
    "report: 1e400 for a place",
    "list: a misspelt filter",
    "another site asks",
    "a name that was rebound to this address",
    "a file above the page's folder",
    "a file by its whole path",
    "no token",
    "headers of 20 KiB",
]


@pytest.mark.parametrize("name", OVER_THE_WIRE)
def test_a_served_engine_gives_the_documented_answer(served: Served, name: str) -> None:
    (bad,) = [one for one in TABLE if one.name == name]
    with served.client(bad.role, **bad.headers) as client:
        answer = client.send(client.build_request(bad.method, served.url.rstrip("/") + bad.path, content=bad.body))
    assert (answer.status_code, answer.json()["code"]) == (bad.status, bad.code), answer.text


def test_after_all_of_it_good_readings_are_taken_and_bad_ones_are_in_quarantine_once(served: Served) -> None:
    own = {"sensor": "good", "kind": "gas.methane"}
    frame = [good(**own), good(**own, v="high"), good(**{**own, "kind": "gas.argon"}), good(**own, lon=30, lat=120)]
    with socket.create_connection(served.address) as slow, served.client("sensor") as client:
        slow.sendall(b"POST /api/v1/readings HTTP/1.1\r\n")
        assert client.post(READINGS, json=frame).json() == {
            "accepted": 1,
            "rejected": [
                {"index": 1, "reason": "bad_type"},
                {"index": 2, "reason": "bad_kind"},
                {"index": 3, "reason": "bad_place"},
            ],
        }
        slow.settimeout(60)
        assert b" 408 " in slow.recv(4096)
        figures = client.get(served.metrics_url.rstrip("/") + "/metrics").text
    assert 'tongguan_rejects_total{reason="bad_kind"} 1.0' in figures
    served.stop()
    code, text = in_process("quarantine", "list", "--data", str(served.data))
    kept = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [(row["reason"], row["index"], json.loads(row["raw"])) for row in kept] == [
        ("bad_type", 1, frame[1]),
        ("bad_kind", 2, frame[2]),
        ("bad_place", 3, frame[3]),
    ]
    replay = ("quarantine", "replay", "--reason", "bad_kind", "--data", str(served.data))
    assert [in_process(*replay)[1].split(" as ")[0].strip() for _ in range(2)] == ["replayed 1 of 1", "replayed 0 of 1"]


def test_a_frame_over_its_limits_is_not_even_half_taken(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "watch.yaml").write_text(WATCHED)
    (tmp_path / "in.ndjson").write_bytes(many(10_001) + b"\n" + reading(sensor='"good"', v="120"))
    code, text = in_process(
        "detect", "--rules", str(tmp_path / "rules"), "--rejects", str(tmp_path / "r"), str(tmp_path / "in.ndjson")
    )
    (row,) = json_lines((tmp_path / "r").read_bytes())
    assert (code, row["reason"], row["line"], row["index"]) == (0, "frame_too_large", 1, 0)
    assert [json.loads(line)["sensor"] for line in text.splitlines()] == ["good"]
