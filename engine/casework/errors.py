"""What casework says when something cannot be done.

CaseworkFault
├── Refused            a person's move or report that is not done: code, HTTP status, sentence; nothing changed
├── CannotGoOn         refuse to go on with the alerts log; nothing was applied
│   ├── CursorLost         another writer applied records since this one looked
│   ├── OffsetGap          the next record is not the one after the cursor
│   └── PlanUnknown        a change names a plan that is not stored
├── StoreAway          try again (exit 75): the database does not answer; what was to be done is not done
├── BadStore           refuse to start: a URL that names no store of ours
├── BackupRefused      nothing restored: the file is not whole or of another schema, or the store is not empty
├── SchemaMismatch     refuse to start: the store is empty, older or newer than this program
└── Unprocessable      quarantine and go on: one record of the alerts log (reason from a closed set)
"""

from __future__ import annotations


class CaseworkFault(Exception):
    """Anything that casework refuses or sets aside."""

    exit_code = 1


class Refused(CaseworkFault):
    """A move or report that is not done.

    `code` is stable; `status` is 403 (not his), 404 (no such case), 409 (not now), 412 (another move came first) or
    422 (the arguments); `detail` is a Chinese sentence for the person.
    """

    def __init__(self, code: str, status: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.status = status
        self.detail = detail


class CannotGoOn(CaseworkFault):
    """The alerts log cannot be applied any further as things are."""


class CursorLost(CannotGoOn):
    """Another writer moved the cursor: read `cursor()` again and continue from there."""

    def __init__(self, expected: int) -> None:
        super().__init__(f"city.alerts: the cursor left offset {expected}: another casework writer is at work")
        self.expected = expected


class OffsetGap(CannotGoOn):
    """Records of the alerts log are missing between the cursor and what was handed over."""

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"city.alerts: the next record must have offset {expected}; got {got}")
        self.expected = expected
        self.got = got


class PlanUnknown(CannotGoOn):
    """A change was decided by a plan that the store does not hold."""

    def __init__(self, short: str, offset: int) -> None:
        super().__init__(f"city.alerts: offset {offset}: plan {short} is not stored; store it, then go on")
        self.short = short
        self.offset = offset


class StoreAway(CaseworkFault):
    """The database cannot be reached, was stopped, or did not answer in time; `detail` is for the person who waits."""

    exit_code = 75
    detail = "案件库暂时无法访问，请稍后重试"

    def __init__(self, store: str, cause: Exception) -> None:
        said = " ".join(str(getattr(cause, "orig", None) or cause).split())
        super().__init__(f"case store: {store}: {said}")


class BadStore(CaseworkFault):
    """A URL that names neither a PostgreSQL database nor a file."""


class BackupRefused(CaseworkFault):
    """A backup that is not restored; the store is as it was."""


class SchemaMismatch(CaseworkFault):
    """The store has another schema than this program."""


class Unprocessable(CaseworkFault):
    """One record that cannot be processed: it is kept in quarantine and opens a case for the supervisor."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
