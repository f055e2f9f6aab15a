"""Processes of `tongguan` that are born ready: a parent has imported everything, and forks one at each request.

Importing what a worker needs takes seconds of processor time; a test that starts and kills dozens of them would do
little else. What is forked is a process as any other: of its own, with an environment, a folder and a log of its own.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WAIT_S = 0.02
PR_SET_PDEATHSIG = 1


class Child:
    """A process of the nursery, asked as a `subprocess.Popen` is."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, a signal's number below 0, None while it lives."""
        if self.returncode is None:
            self.returncode = self._nursery.ask({"poll": self.pid})["code"]
        return self.returncode

    def wait(self, timeout_s: float) -> int:
        """Return its exit code once it has ended."""
        deadline = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("tongguan", timeout_s)
            time.sleep(WAIT_S)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still lives."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    """The parent; begun with the first child, and ended with the tests. Its children run the code of `root`."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Child:
        """Run `tongguan ARGUMENTS` in a process of its own; its output is appended to `log`."""
        said = {"argv": list(arguments), "env": dict(environment), "folder": str(folder), "log": str(log)}
        return Child(self, self.ask(said)["pid"])

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parent's answer."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.parts.nursery"],
                    cwd=self._root,
                    env=os.environ | {"PYTHONPATH": str(self._root)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                atexit.register(self._process.kill)
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _born(request: dict[str, Any]) -> None:
    """Become the process that was asked for; does not return."""
    from engine.cli import main
    from engine.runtime import crashpoints

    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # tests that are killed leave nobody behind
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((0, nothing), (1, log), (2, log)):
        os.dup2(target, number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    crashpoints.arm(os.environ.get(crashpoints.VARIABLE, ""))
    crashpoints.arm_poison(os.environ.get(crashpoints.POISON, ""))
    sys.argv = ["tongguan", *request["argv"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve() -> None:
    import engine.commands.worker  # noqa: F401 - what takes so long

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ended: dict[int, int] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" not in request:
            pid = os.fork()
            if not pid:
                _born(request)
            print(json.dumps({"pid": pid}), flush=True)
            continue
        pid = request["poll"]
        if pid not in ended:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                ended[pid] = os.waitstatus_to_exitcode(status)
        print(json.dumps({"code": ended.get(pid)}), flush=True)


if __name__ == "__main__":
    _serve()
