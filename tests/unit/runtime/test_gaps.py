"""Going on knowingly: what the engine refuses to pass over, the command that it names, and what stays of that."""

from __future__ import annotations

import re
import shlex
import sqlite3
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.runtime.embedded import Embedded
from engine.runtime.errors import Corrupt
from engine.runtime.gaps import SHOWN_MS, Gap, banner, covered
from engine.runtime.journal import Journal
from engine.runtime.log import Stream
from tests.town import GAS_EAST, city

T = 1_784_000_000_000


def reading(value: float, t_ms: int) -> bytes:
    return orjson.dumps({"sensor": GAS_EAST, "kind": "gas.methane", "t": t_ms, "v": value})


def opened(folder: Path) -> Embedded:
    deaths: list[str] = []
    plan = city(folder / "rules").plan if not (folder / "rules").exists() else PLANS[folder]
    PLANS[folder] = plan
    engine = Embedded(
        folder / "data", plan, player=True, on_death=lambda name, error: deaths.append(f"{name}: {error}")
    )
    DEATHS[folder] = deaths
    return engine


PLANS: dict[Path, object] = {}
DEATHS: dict[Path, list[str]] = {}


def lived(folder: Path, *steps: tuple[float, int]) -> None:
    """Let an engine judge readings (value, second), a tick behind each."""
    engine = opened(folder)
    engine.start()
    try:
        for value, second in steps:
            at = T + second * 1000
            engine.intake.append([reading(value, at)], log_time=at)
            engine.intake.tick(at)
        assert engine.drain(60), DEATHS[folder]
    finally:
        engine.stop()


def damage(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / "data" / "journal.db") as connection:
        connection.execute(sql)
    connection.close()


def offsets(folder: Path, stream: str) -> list[int]:
    with sqlite3.connect(folder / "data" / "journal.db") as connection:
        rows = connection.execute("SELECT offset FROM journal WHERE stream = ? ORDER BY offset", (stream,)).fetchall()
    connection.close()
    return [row[0] for row in rows]


def named_command(text: str) -> list[str]:
    found = re.search(r"tongguan (gap accept .*)$", text, re.MULTILINE)
    assert found is not None, text
    return [{"NAME": "李工", "TEXT": "disk fault"}.get(word, word) for word in shlex.split(found[1])]


@pytest.mark.parametrize("stream", [Stream.READINGS, Stream.ALERTS])
@pytest.mark.parametrize("which", ["first", "middle", "last"])
@pytest.mark.parametrize("how", ["damaged", "lost"])
def test_the_command_that_the_refusal_names_goes_on(tmp_path: Path, stream: Stream, which: str, how: str) -> None:
    lived(tmp_path, (30, 0), (60, 10), (2, 20))
    kept = offsets(tmp_path, stream)
    offset = {"first": kept[0] + 1, "middle": kept[len(kept) // 2], "last": kept[-1]}[which]
    where = f"WHERE stream = '{stream}' AND offset = {offset}"
    damage(tmp_path, f"DELETE FROM journal {where}" if how == "lost" else f"UPDATE journal SET crc = crc + 1 {where}")
    damage(tmp_path, "DELETE FROM reader WHERE reader = 'detect'")  # everything is read again
    for name in ("cases.db", "checkpoints.db"):
        (tmp_path / "data" / name).unlink()

    said = refusal(tmp_path)
    command = named_command(said)
    assert str(offset) in command
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output

    lived(tmp_path, (2, 30), (80, 40))
    log = Journal(tmp_path / "data" / "journal.db", clock=lambda: 0)
    try:
        (gap,) = log.gaps
        assert (gap.stream, gap.first, gap.last, gap.actor, gap.reason) == (
            stream,
            offset,
            offset,
            "李工",
            "disk fault",
        )
        rows = [orjson.loads(v) for v in log.read(Stream.QUARANTINE, 0, 0, limit_bytes=1 << 20).values]
        assert [(row["reason"], row["offset"]) for row in rows if row["reason"] == "gap"] == [("gap", offset)]
    finally:
        log.close()
    with sqlite3.connect(tmp_path / "data" / "cases.db") as cases:
        assert cases.execute("SELECT actor FROM audit WHERE action = 'gap.accept'").fetchall() == [("李工",)]
        told = cases.execute("SELECT count(*) FROM quarantine WHERE reason = 'gap'").fetchone()
        assert told == (1 if stream == Stream.ALERTS else 0,)
    cases.close()
    verified = CliRunner().invoke(app, ["db", "verify", "--data", str(tmp_path / "data")])
    assert verified.exit_code == 0, verified.output


def refusal(folder: Path) -> str:
    """Return what the engine says when it meets the damage."""
    try:
        engine = opened(folder)
    except Corrupt as fault:
        return str(fault)
    engine.start()
    try:
        engine.drain(30)
    finally:
        engine.stop()
    return "\n".join(DEATHS[folder])


def test_the_page_shows_what_was_passed_over() -> None:
    gap = Gap("city.readings", 0, 12, 15, "disk fault", "李工", 1_000)
    (sentence,) = banner([gap], 2_000)
    assert "已知缺口" in sentence
    assert "from 12 to 15" in sentence
    assert banner([gap], 1_000 + SHOWN_MS) == ()


@pytest.mark.parametrize(
    ("first", "last", "whole"),
    [(5, 9, True), (5, 4, True), (4, 9, False), (5, 10, True), (5, 12, True), (5, 13, False), (13, 13, False)],
)
def test_gaps_cover_together_and_no_more_than_they_say(first: int, last: int, whole: bool) -> None:
    gaps = [Gap("s", 0, 5, 9, "", "", 0), Gap("s", 0, 9, 12, "", "", 0), Gap("s", 1, 1, 99, "", "", 0)]
    assert covered(gaps, "s", 0, first, last) is whole


def test_a_running_engine_takes_no_gap(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    try:
        line = ["gap", "accept", "--data", str(tmp_path / "data"), "--stream", "city.readings", "--from", "1"]
        done = CliRunner().invoke(app, [*line, "--to", "1", "--as", "李工", "--reason", "why"])
        assert done.exit_code == 1
        assert "already works on this data folder" in done.output
    finally:
        engine.stop()
