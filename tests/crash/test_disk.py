"""A disk that gets full, and a folder that cannot be written: a clear end, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
ROOM_BYTES = 6 << 20


def filling(data: Path, what: str, *, room_bytes: int | None) -> subprocess.CompletedProcess[str]:
    """Run filling.py; with `room_bytes` no file of it may grow beyond that."""

    def bound() -> None:
        if room_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room_bytes))

    command = [sys.executable, str(HERE / "filling.py"), str(data), what]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=200, check=False, preexec_fn=bound
    )


def test_without_room_the_process_ends_with_75_naming_the_file_and_goes_on_once_there_is_room(tmp_path: Path) -> None:
    ended = filling(tmp_path / "data", "begin", room_bytes=ROOM_BYTES)
    assert ended.returncode == 75, ended.stderr[-2000:]
    assert "nothing acknowledged is lost" in ended.stderr
    assert str(tmp_path / "data" / "journal.db") in ended.stderr or "cases.db" in ended.stderr
    acknowledged = list(map(int, ended.stdout.split()))
    assert len(acknowledged) >= 20
    again = filling(tmp_path / "data", "again", room_bytes=None)
    assert again.returncode == 0, again.stderr[-2000:]
    kept = json.loads(again.stdout)
    assert sorted(set(kept)) == sorted(kept)
    assert set(acknowledged) <= set(kept)


SMALL_DISK = """
mount -t tmpfs -o size=6m tmpfs "$1" || exit 99
"$2" "$3" "$1/data" begin > "$4/acknowledged"
echo $? > "$4/code"
mount -o remount,size=200m "$1"
"$2" "$3" "$1/data" again > "$4/kept"
"""


def may_mount(folder: Path) -> bool:
    """Say whether this machine lets us have a small disk of our own."""
    try:
        tried = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)], check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def test_on_a_small_disk_that_is_full_the_same(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not may_mount(disk):
        pytest.skip("a small disk needs unshare and a user namespace")
    script = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        SMALL_DISK,
        "sh",
        str(disk),
        sys.executable,
        str(HERE / "filling.py"),
        str(tmp_path),
    ]
    ended = subprocess.run(script, capture_output=True, text=True, env=ENVIRONMENT, timeout=250, check=False)
    assert (tmp_path / "code").read_text() == "75\n", ended.stderr[-2000:]
    assert "no room left on the device" in ended.stderr
    acknowledged = list(map(int, (tmp_path / "acknowledged").read_text().split()))
    kept = json.loads((tmp_path / "kept").read_text())
    assert len(acknowledged) >= 20
    assert sorted(set(kept)) == sorted(kept)
    assert set(acknowledged) <= set(kept)
