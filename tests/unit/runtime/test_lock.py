"""One process a data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime.errors import AlreadyRunning, Unusable
from engine.runtime.lock import FolderLock

HOLDER = """
import sys
from pathlib import Path
from engine.runtime.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_that_another_process_holds_is_refused_with_its_pid_and_free_once_it_was_killed(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid} already works on this data folder") as refused:
            FolderLock(tmp_path)
        assert refused.value.pid == holder.pid
        holder.kill()
    lock = FolderLock(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_released_folder_can_be_locked_again(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "new" / "folder")
    lock.release()
    lock.release()
    FolderLock(tmp_path / "new" / "folder").release()


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(Unusable, match=r"data: not a folder; give another --data"):
        FolderLock(tmp_path / "data")


@pytest.fixture
def somebody_else(tmp_path: Path) -> Iterator[None]:
    """Root may write everywhere: be nobody for a while."""
    tmp_path.chmod(0o500)
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("somebody_else")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    with pytest.raises(Unusable, match="closed: no permission; give this user the folder, or another --data"):
        FolderLock(folder)


def test_a_folder_that_the_engine_makes_is_its_owners_alone(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "data")
    lock.release()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
