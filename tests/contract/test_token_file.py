"""A token that nobody is to see goes into a file: once."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app

runner = CliRunner()


def create(folder: Path, role: str = "sensor") -> Result:
    words = ["token", "create", "--name", "gateway", "--role", role, "--data", str(folder / "data")]
    return runner.invoke(app, [*words, "--out", str(folder / "token")])


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TONGGUAN_DATABASE", raising=False)


def tokens(folder: Path) -> int:
    return runner.invoke(app, ["token", "list", "--data", str(folder / "data")]).stdout.count("gateway")


def test_it_is_written_for_owner_and_group_and_not_shown(tmp_path: Path) -> None:
    done = create(tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "token").read_text().startswith("tg_")
    assert (tmp_path / "token").stat().st_mode & 0o137 == 0
    assert tokens(tmp_path) == 1


def test_where_a_file_is_already_nothing_is_made(tmp_path: Path) -> None:
    create(tmp_path)
    before = (tmp_path / "token").read_text()
    again = create(tmp_path)
    assert (again.exit_code, "there is one already" in again.stdout) == (0, True)
    assert (tmp_path / "token").read_text() == before
    assert tokens(tmp_path) == 1


def test_a_token_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    assert create(tmp_path, role="mayor").exit_code == 2
    assert not (tmp_path / "token").exists()
