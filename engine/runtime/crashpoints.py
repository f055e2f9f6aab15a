"""Named points at which a test kills the process, to see what a crash there leaves behind.

`TONGGUAN_CRASH_AT=name[:nth]` ends the process by SIGKILL when the named point is reached for the nth time
(default the first). `TONGGUAN_POISON_AT=text[:kill|:raise]` makes each record that holds the text kill whoever judges
it, or raise (the default). Unset, a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from enum import StrEnum

from engine.detect.batch import RecordBatch


class CrashPoint(StrEnum):
    """Every point, in the order in which a reading meets them."""

    JOURNAL_BEFORE = "journal.before_commit"
    JOURNAL_AFTER = "journal.after_commit"
    ALERTS_BEFORE = "alerts.before_commit"
    ALERTS_AFTER = "alerts.after_commit"
    CHECKPOINT_BEFORE = "checkpoint.before_first_chunk"
    CHECKPOINT_MID = "checkpoint.between_chunks"
    CHECKPOINT_LAST = "checkpoint.before_last_commit"
    CHECKPOINT_AFTER = "checkpoint.after_complete"
    CASEWORK_BEFORE = "casework.before_commit"
    CASEWORK_AFTER = "casework.after_commit"
    RELAY_BEFORE = "relay.before_positions"
    RELAY_AFTER = "relay.after_positions"
    RELAY_PUBLISHED = "relay.after_publish"


VARIABLE = "TONGGUAN_CRASH_AT"


class _Armed:
    """The one point that is armed in this process, and how often it was passed."""

    def __init__(self, text: str) -> None:
        name, _, nth = text.partition(":")
        if name and name not in set(CrashPoint):
            raise ValueError(f"{VARIABLE}: unknown crash point; known are {', '.join(CrashPoint)}; got {name!r}")
        self.name = name
        self.left = int(nth) if nth else 1
        self.lock = threading.Lock()

    def pass_by(self, point: CrashPoint) -> None:
        if self.name != point:
            return
        with self.lock:
            self.left -= 1
            if self.left > 0:
                return
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)


_armed = _Armed(os.environ.get(VARIABLE, ""))


def arm(text: str) -> None:
    """Arm `name[:nth]` in this process, in place of what the environment said."""
    global _armed
    _armed = _Armed(text)


def crash_point(point: CrashPoint) -> None:
    """Die here if the environment says so."""
    _armed.pass_by(point)


POISON = "TONGGUAN_POISON_AT"
_poison = os.environ.get(POISON, "")


def arm_poison(text: str) -> None:
    """Let records be poison in this process, in place of what the environment said."""
    global _poison
    _poison = text


def poisoned(batch: RecordBatch) -> None:
    """Die or raise here if a record of the batch holds the text that the environment names."""
    if not _poison:
        return
    text, _, how = _poison.rpartition(":") if _poison.endswith((":kill", ":raise")) else (_poison, "", "raise")
    if any(text.encode() in batch.text(record) for record in range(len(batch))):
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError(f"poison: {text}")
