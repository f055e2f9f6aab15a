"""The command `tongguan`, in a process of its own or in this one, and the two rules that bad readings stand between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from engine.cli import app

ROOT = Path(__file__).parent.parent.parent
RULE = 'id: {id}\nreads: gas.methane\nwhere: starts_with(sensor, "{name}")\nlevels: {{red: {{{level}}}}}\n'
WATCHED = RULE.format(id="gas.watch", name="good", level='set: ">= 100", clear: "< 100"')
SEEN = RULE.format(id="gas.seen", name="s", level='set: ">= -5"')
runner = CliRunner()


def tongguan(*args: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", *args], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr.decode(errors="replace")[-2000:]
    return done


def in_process(*args: str) -> tuple[int, str]:
    """Run the command in this process; return its exit code and what it said."""
    result = runner.invoke(app, list(args), prog_name="tongguan")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def json_lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
