"""Compiled code is kept apart by the sources it was made of."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SPLIT = """
from engine.detect.batch import RecordBatch
print(len(RecordBatch.from_lines(b"a\\nb;c;d\\n")))
"""


def test_a_piece_that_changes_in_another_file_changes_the_kernel(tmp_path: Path) -> None:
    for room in ("engine", "geo", "rules"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "cities"))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def lines() -> str:
        run = subprocess.run(
            [sys.executable, "-c", SPLIT], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return run.stdout.strip()

    assert lines() == "2"
    words = tmp_path / "engine/detect/decode/words.py"
    text = words.read_text()
    newlines = "NEWLINES = np.uint64(0x0A0A0A0A0A0A0A0A)"
    assert newlines in text
    words.write_text(text.replace(newlines, "NEWLINES = np.uint64(0x3B3B3B3B3B3B3B3B)  # semicolons"))
    assert lines() == "3"
