"""Errors of this room. Bad readings are no errors: they are rows of `Output.rejects` (quarantine and go on).

DetectError               refuse to go on with this partition
├── PlanMissing           the log names a plan that this worker has not got; `digest` says which
├── NoPlan                the first record of a partition is not a plan record
└── CheckpointUnreadable  bytes that are no snapshot, or one of another format: rebuild from the log
"""

from __future__ import annotations


class DetectError(Exception):
    """Anything that stops detect on a partition."""


class PlanMissing(DetectError):
    """The plan of a plan record or a snapshot cannot be had."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"plan {digest} is not stored here; this partition is not touched without it")
        self.digest = digest


class NoPlan(DetectError):
    """A partition that does not begin with a plan record."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the first record of a partition must be a plan record; got another at offset {offset}")
        self.offset = offset


class CheckpointUnreadable(DetectError):
    """A snapshot that cannot be restored."""
