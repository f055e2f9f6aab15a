"""`tongguan audit export`, `tongguan duty check | now`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.runtime.config import load
from engine.runtime.errors import ConfigFault

ROSTER = "date,post,from,to,name\n2020-01-01,值班领导,08:00,20:00,王强\n"


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Return a data folder with a token in its store."""
    folder = str(tmp_path / "data")
    assert run("token", "create", "--data", folder, "--name", "李工", "--role", "operator")[0] == 0
    return folder


def test_the_audit_is_written_out_as_a_sheet_and_that_is_a_line_of_it(data: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.csv"
    code, _, said = run("audit", "export", "--data", data, "--to", str(path))
    assert (code, said) == (0, "2 lines\n")
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert [(row["action"], row["subject"]) for row in rows] == [
        ("token.create", "李工"),
        ("export.audit", "audit.csv"),
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    assert run("audit", "export", "--data", data, "--to", str(path))[0] == 75


def test_it_is_written_as_lines_of_json_of_a_time_and_an_action(data: str) -> None:
    code, out, _ = run("audit", "export", "--data", data, "--format", "ndjson", "--action", "token.")
    assert (code, [json.loads(line)["action"] for line in out.splitlines()]) == (0, ["token.create"])
    assert run("audit", "export", "--data", data, "--until", "2020-01-01")[2] == "0 lines\n"
    code, _, said = run("audit", "export", "--data", data, "--since", "yesterday")
    assert (code, "got 'yesterday'" in said) == (2, True)


def test_a_roster_is_checked_and_asked(tmp_path: Path) -> None:
    path = tmp_path / "duty.csv"
    path.write_text(ROSTER, encoding="utf-8")
    assert run("duty", "check", str(path)) == (0, f"{path}: 1 posts: 值班领导\n", "")
    assert run("duty", "now", str(path)) == (0, "值班领导: 无人; 下一班: 未排\n", "")
    path.write_text(ROSTER.replace("2020-01-01", "soon").replace("20:00", "24:00"), encoding="utf-8")
    code, _, said = run("duty", "check", str(path))
    assert (code, said.count("tongguan: duty.csv:2")) == (1, 2)


@pytest.mark.parametrize(("given", "fine"), [("365d", True), ("184d", True), ("183d", False), ("30d", False)])
def test_the_audit_is_kept_for_six_months_at_least(given: str, fine: bool) -> None:
    if fine:
        assert load(None, {"TONGGUAN_AUDIT_AGE": given}, {}).audit_age == given
        return
    with pytest.raises(ConfigFault, match="audit_age: must be at least 184d"):
        load(None, {"TONGGUAN_AUDIT_AGE": given}, {})
