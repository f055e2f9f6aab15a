"""What the runtime says when it cannot go on.

RuntimeFault
├── Refused            refuse to start (exit 1): the folder, a file or a setting is not usable as it is
│   ├── ConfigFault        every fault of the settings at once
│   ├── AlreadyRunning     another process holds the data folder
│   ├── Unusable           a folder or file that cannot be read or written
│   ├── Corrupt            a file whose content is not what was written
│   ├── Misfit             two files that do not belong together (one was restored, recreated or trimmed)
│   ├── LogTimeMissing     records without their log time where the player's clock rules
│   ├── BrokerRefused      the broker turns us away: certificate, secret, rights, a topic that is not as it must be
│   ├── Damaged            records that are not what was written
│   └── OffLog             a position that the log does not have: trimmed, or a topic made anew
├── TryAgain           stop, and start again (exit 75): nothing acknowledged is lost
│   ├── DiskFull           no room left for the file named
│   ├── LogFailed          writing failed for another reason
│   ├── LogClosed          the log is shutting down
│   └── BrokerAway         no broker answers
├── Overloaded         count and go on: the caller comes back after `retry_after_s`
├── AlreadyReplayed    a row of the quarantine that is in the log again already
├── CursorMoved        another writer moved a cursor that only one may move
└── Trimmed            the records asked for are older than what the log keeps
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


class RuntimeFault(Exception):
    """Something that the runtime refuses to pass over."""

    exit_code = 1


class Refused(RuntimeFault):
    """The engine does not start on this folder with these settings."""


class ConfigFault(Refused):
    """Settings that cannot be used; `faults` has one sentence for each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class AlreadyRunning(Refused):
    """Another process works on the data folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{folder}: {who} already works on this data folder; stop it first, or give another --data")


class Unusable(Refused):
    """A folder or file that cannot be read or written."""


class Corrupt(Refused):
    """A file whose content is not what was written."""


class Misfit(Refused):
    """Two files of one data folder that do not belong together."""


class LogTimeMissing(Refused):
    """A record without log time where the player's clock rules."""


class BrokerRefused(Refused):
    """The broker answers, and does not let us do what we must."""


class Damaged(Refused):
    """Records from `first` to `last` (both included) of a partition that are not what was written."""

    def __init__(self, topic: str, partition: int, first: int, last: int, why: str) -> None:
        self.topic, self.partition, self.first, self.last, self.why = topic, partition, first, last, why
        where = f"offset {first}" if first == last else f"offsets {first} to {last}"
        super().__init__(f"{topic}, partition {partition}, {where}: {why}")


class OffLog(Refused):
    """Positions that their partitions do not have: (topic, partition) → position."""

    def __init__(self, positions: Mapping[tuple[str, int], int]) -> None:
        self.positions = dict(positions)
        rows = (f"{topic}, partition {partition}: no offset {at}" for (topic, partition), at in positions.items())
        super().__init__("; ".join(rows))


class TryAgain(RuntimeFault):
    """The process ends; a supervisor starts it again."""

    exit_code = 75


class DiskFull(TryAgain):
    """No room left on the device of the file named."""


class LogFailed(TryAgain):
    """The log could not be written."""


class LogClosed(TryAgain):
    """The log takes nothing more."""


class BrokerAway(TryAgain):
    """No broker answers."""


class Overloaded(RuntimeFault):
    """More is waiting than memory is given for it; come back later."""

    exit_code = 75

    def __init__(self, retry_after_s: int, what: str) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"{what}; try again in {retry_after_s} s")


class CursorMoved(RuntimeFault):
    """Somebody else moved a cursor that only one reader may move."""

    exit_code = 75


class Trimmed(RuntimeFault):
    """Records asked for that the log no longer keeps."""


class AlreadyReplayed(RuntimeFault):
    """A row of the quarantine that is in the log again already."""
