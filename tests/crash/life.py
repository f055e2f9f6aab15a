"""Lives of a real engine process, begun by one that has everything imported: `python tests/crash/life.py`.

Reads a JSON line per life `{"data", "rules", "crash"}` from standard input; answers with a line `{"pid"}`, the life's
own line with its address, and, when it has ended, `{"pid", "status"}`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from engine.commands.run import serve_until
from engine.runtime import crashpoints
from engine.runtime.config import Config
from engine.runtime.embedded import Limits

LIMITS = Limits(checkpoint_s=0.15, chunk_bytes=16_384)
"""Checkpoints often and of many chunks, so that a short life meets every point."""


def live(order: dict[str, str]) -> None:
    """Serve until killed; what goes wrong is written beside the data."""
    with (Path(order["data"]).parent / "life.log").open("ab") as log:
        os.dup2(log.fileno(), 2)
    crashpoints.arm(order["crash"])
    config = Config(data=order["data"], rules=order["rules"], registry=order["registry"], port=0, metrics_port=0)
    try:
        serve_until(threading.Event(), config, LIMITS)
    finally:
        os._exit(3)


def main() -> None:
    """Begin one life after another."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.close(0)
            live(json.loads(line))
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"pid": pid, "status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
