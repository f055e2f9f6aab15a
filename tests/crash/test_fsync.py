"""Seen from outside: each 2xx and each commit follows a sync of its write."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.crash.conftest import HERE, City
from tests.crash.trace import COMMAND, Call, read

SYNCS = ("fsync", "fdatasync")
POSTS = 12


@pytest.mark.needs("strace")
def test_each_answer_and_each_commit_follows_a_sync_of_its_write(city: City, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = _traced_work(city, trace)
    answers = [n for n, call in enumerate(calls) if call.data.startswith(b"HTTP/1.1 200") and not call.ended]
    assert len(answers) >= POSTS + 1
    for mark in (*(b"reading-%03d" % n for n in range(POSTS)), b"note-of-the-crew"):
        assert _synced_before_answer(calls, mark), f"{mark.decode()} was answered before it was durable"
    for wal in ("journal.db-wal", "cases.db-wal", "checkpoints.db-wal"):
        commits = _commits(calls, wal)
        assert len(commits) >= 1
        assert [n for n in commits if not _sync_is_next(calls, n)] == [], wal


def _traced_work(city: City, trace: Path) -> list[Call]:
    """Serve under strace, post readings one by one, make a move, stop; return the calls."""
    serve = ["-m", "engine.cli", "serve", "--embedded", "--data", str(city.data), "--port", "0", "--metrics-port", "0"]
    files = ["--rules", str(HERE / "rules"), "--registry", str(HERE / "sensors.csv")]
    with subprocess.Popen(
        [*COMMAND, str(trace), sys.executable, *serve, *files],
        stdout=subprocess.PIPE,
        stderr=(trace.parent / "serve.log").open("wb"),
        cwd=HERE.parent.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
    ) as process:
        assert process.stdout is not None
        found = re.search(rb"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found, (trace.parent / "serve.log").read_text()[-2000:]
        _work(found[0].decode(), city)
        pid = int(trace.read_text("ascii", "replace").split(maxsplit=1)[0])
        os.kill(pid, signal.SIGTERM)
        assert process.wait(60) == 0
    return read(trace)


def _work(url: str, city: City) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        for n in range(POSTS):
            reading = {"sensor": "s1", "kind": "water.level", "v": 60, "attrs": {"mark": f"reading-{n:03d}"}}
            reading["t"] = time.time_ns() // 1_000_000
            answer = client.post(
                "/api/v1/readings", json=[reading], headers={"authorization": f"Bearer {city.posting}"}
            )
            assert answer.status_code == 200
        client.headers["authorization"] = f"Bearer {city.handling}"
        cases: list[dict[str, object]] = []
        while not cases:
            cases = client.get("/api/v1/cases").json()["cases"]
        move = {"move": "start", "note": "note-of-the-crew"}
        tag = {"if-match": f'"{cases[0]["version"]}"', "idempotency-key": "crew-1"}
        assert client.post(f"/api/v1/cases/{cases[0]['id']}/moves", json=move, headers=tag).status_code == 200


def _synced_before_answer(calls: Sequence[Call], mark: bytes) -> bool:
    """Say whether, after the first write of the mark to a log, a sync of that file ended before the next answer."""
    wrote = next(n for n, call in enumerate(calls) if call.name == "pwrite64" and mark in call.data)
    for call in calls[wrote:]:
        if call.ended and call.name in SYNCS and call.file == calls[wrote].file:
            return True
        if not call.ended and call.data.startswith(b"HTTP/1.1 200"):
            return False
    return False


def _commits(calls: Sequence[Call], wal: str) -> list[int]:
    """Return where the frames that end a transaction were written: their header names the size of the database."""
    writes = [
        n for n, call in enumerate(calls) if call.name == "pwrite64" and call.file.endswith(wal) and not call.ended
    ]
    return [n for n in writes if len(calls[n].data) == 24 and calls[n].data[4:8] != bytes(4)]


def _sync_is_next(calls: Sequence[Call], commit: int) -> bool:
    """Say whether the thread, once it wrote the last frame, synced the file before it wrote there again."""
    here = calls[commit]
    frames = 0
    for call in calls[commit + 1 :]:
        if call.thread != here.thread or call.file != here.file:
            continue
        if call.ended and call.name in SYNCS:
            return True
        if not call.ended and call.name == "pwrite64":
            frames += 1
            if frames > 1:
                return False
    return False
