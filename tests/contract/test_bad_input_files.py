"""Faulty registries, kinds and shapes are refused whole, every fault named; wrong use of a command is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contract import bad_input
from tests.contract.bad_input import COMMANDS, KINDS, NESTED, SHAPE_FILES
from tests.contract.command import WATCHED, in_process, tongguan
from tests.unit.geo.test_load import BAD_FEATURES, collection
from tests.unit.rules.test_kinds_and_registry import CSV_FAULTS


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
    told = why in said or (command == "check" and "duplicate" in said)  # check tells of it in its own words
    assert (code, told, str(path) in said) == (1, True, True), said


@pytest.mark.parametrize("name", NESTED)
def test_shapes_within_shapes_are_named_by_their_place(tmp_path: Path, name: str) -> None:
    data, why = NESTED[name]
    path = tmp_path / "grids.geojson"
    path.write_bytes(data)
    said = [in_process("geo", command, str(path)) for command in ("import", "check")]
    assert any(code == 1 and why in text for code, text in said), said
    assert said[1][0] == 1


@pytest.mark.parametrize("name", BAD_FEATURES)
def test_a_bad_shape_is_refused_by_its_place_in_the_file(tmp_path: Path, name: str) -> None:
    bad, why = BAD_FEATURES[name]
    path = tmp_path / "grids.geojson"
    path.write_bytes(bad_input.shape(bad))
    code, said = in_process("geo", "import", str(path))
    assert (code, len(said.splitlines())) == (1, 1), said
    assert said.startswith(f"{path}: features[1]")
    assert why in said


def test_one_process_names_the_faults_of_all_shapes_at_once(tmp_path: Path) -> None:
    shapes = [bad for bad, _ in BAD_FEATURES.values()]
    (tmp_path / "grids.geojson").write_bytes(collection(*shapes))
    (tmp_path / "watch.yaml").write_text(WATCHED)
    done = tongguan("detect", "--rules", ".", "--grids", "grids.geojson", "/dev/null", folder=tmp_path, code=1)
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
