"""`serve`, `journal export`, `quarantine list | replay` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.runtime.journal import Journal
from engine.runtime.lock import FolderLock
from engine.runtime.log import Entry, Stream


def typed(*arguments: object, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two readings, a change, a mark, and two rejected texts."""
    journal = Journal(tmp_path / "journal.db", clock=lambda: 7)
    journal.append(Stream.READINGS, 0, [Entry(b'{"sensor":"s","v":1}'), Entry(b'[{"v":2}]')])
    journal.append(Stream.ALERTS, 0, [Entry(b'{"id":"x:0","change":"raised"}'), Entry(b'{"mark":5}')])
    for index, reason in enumerate(("bad_kind", "bad_time")):
        row = {
            "reason": reason,
            "topic": "city.readings",
            "partition": 0,
            "offset": 2,
            "index": index,
            "raw": '{"t":1}',
        }
        journal.append(Stream.QUARANTINE, 0, [Entry(orjson.dumps(row))])
    journal.close()
    return tmp_path


def test_readings_are_exported_a_line_a_record(data: Path) -> None:
    result = typed("journal", "export", "--data", data)
    assert (result.exit_code, result.stdout) == (0, '{"sensor":"s","v":1,"log_t":7}\n[{"v":2,"log_t":7}]\n')


def test_changes_are_exported_to_a_file(data: Path) -> None:
    result = typed("journal", "export", "--stream", "city.alerts", "--data", data, "--out", data / "changes.ndjson")
    assert result.exit_code == 0
    assert (data / "changes.ndjson").read_text() == '{"id":"x:0","change":"raised"}\n'


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    result = typed("journal", "export", "--data", tmp_path)
    assert result.exit_code == 1
    assert "no journal here" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_was_rejected_is_listed_with_where_it_came_from(data: Path) -> None:
    result = typed("quarantine", "list", "--data", data, "--reason", "bad_time")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "number": 2,
            "at": "1970-01-01T00:00:00.007+00:00",
            "reason": "bad_time",
            "topic": "city.readings",
            "partition": 0,
            "offset": 2,
            "index": 1,
            "raw": '{"t":1}',
            "replayed_as": None,
        }
    ]


def test_replaying_twice_brings_it_back_once(data: Path) -> None:
    first = typed("quarantine", "replay", 1, "--data", data, "--as", "officer")
    second = typed("quarantine", "replay", 1, "--data", data)
    everything = typed("quarantine", "replay", "--all", "--data", data)
    assert [one.stdout for one in (first, second, everything)] == [
        "replayed 1 of 1 as records 3 to 3\n",
        "replayed 0 of 1\n",
        "replayed 1 of 2 as records 4 to 4\n",
    ]
    journal = Journal(data / "journal.db", clock=lambda: 0)
    assert journal.read(Stream.READINGS, 0, 2, limit_bytes=1000).values == [b'{"t":1}', b'{"t":1}']
    assert journal.replays()[1][1] == "officer"
    journal.close()


def test_numbers_that_are_not_there_are_named(data: Path) -> None:
    result = typed("quarantine", "replay", 1, 9, "--data", data)
    assert result.exit_code == 1
    assert "no row 9 in the quarantine" in result.stderr


def test_replay_asks_what_to_replay(data: Path) -> None:
    result = typed("quarantine", "replay", "--data", data)
    assert (result.exit_code, result.stderr) == (2, "tongguan: give numbers, --reason or --all\n")


def test_settings_are_shown_as_they_hold(tmp_path: Path) -> None:
    (tmp_path / "tongguan.toml").write_text('port = 1\ntz = "UTC"\n')
    config = ("--config", tmp_path / "tongguan.toml")
    result = typed("serve", "--print-config", *config, "--port", 3, environment={"TONGGUAN_MAX_DELAY": "5s"})
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert {"port = 3", 'tz = "UTC"', 'max_delay = "5s"', 'log_time = "commit"'} <= set(lines)


def test_every_fault_of_the_settings_is_told_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "tongguan.toml").write_text('prot = 1\ntz = "Mars"\n')
    config = ("--config", tmp_path / "tongguan.toml")
    result = typed("serve", "--embedded", "--data", tmp_path / "data", *config)
    assert result.exit_code == 1
    assert "prot: unknown key" in result.stderr
    assert "tz: must be a time zone" in result.stderr
    assert not (tmp_path / "data").exists()


def test_serve_on_a_folder_in_use_says_whose_it_is(tmp_path: Path) -> None:
    (tmp_path / "tongguan.toml").write_text("")
    lock = FolderLock(tmp_path / "data")
    result = typed("serve", "--embedded", "--data", tmp_path / "data", "--config", tmp_path / "tongguan.toml")
    lock.release()
    assert result.exit_code == 1
    assert "already works on this data folder; stop it first" in result.stderr


def test_serve_beyond_loopback_without_tokens_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tongguan.toml").write_text("")
    config = ("--config", tmp_path / "tongguan.toml")
    result = typed("serve", "--embedded", "--data", tmp_path / "data", "--host", "0.0.0.0", "--port", 0, *config)
    assert result.exit_code == 1
    assert "tongguan token create" in result.stderr
    lock = FolderLock(tmp_path / "data")
    lock.release()
