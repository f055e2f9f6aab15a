"""This machine: room on its disks, and a place for compiled code."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.runtime.doctor.finding import Finding, fail, ok, warn

LITTLE_BYTES = 1 << 30
TOO_LITTLE_BYTES = 100 << 20
VARIABLE = "NUMBA_CACHE_DIR"


def disks(folders: Iterable[Path]) -> list[Finding]:
    """Look at the room of the disks that these folders are, or would be, on."""
    found: dict[int, tuple[Path, int]] = {}
    for folder in folders:
        there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
        found.setdefault(there.stat().st_dev, (folder, shutil.disk_usage(there).free))
    return [_room(folder, free) for folder, free in found.values()]


def _room(folder: Path, free: int) -> Finding:
    said = f"{free / (1 << 30):.1f} GiB free for {folder}"
    mend = f"du -xhd 2 {folder.absolute().anchor} | sort -h | tail    # and let go of what is not needed"
    if free < TOO_LITTLE_BYTES:
        return fail("disk", said, mend)
    return warn("disk", said, mend) if free < LITTLE_BYTES else ok("disk", said)


def compiled_code(environment: Mapping[str, str] = os.environ) -> Finding:
    """Look whether compiled code can be kept: without it every start takes minutes of compiling."""
    given = environment.get(VARIABLE)
    folder = Path(given) if given else Path(__file__).parents[1] / "__pycache__"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        mend = f"mkdir -p ~/.cache/tongguan/numba && export {VARIABLE}=~/.cache/tongguan/numba"
        return warn("compiled code", f"{folder} cannot be written: {error.strerror}; each start compiles anew", mend)
    return ok("compiled code", f"kept in {folder}" if given else "kept beside the program")
