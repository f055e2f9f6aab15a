"""What is passed over knowingly: a stretch of the log that is damaged, gone or begun anew, and who answers for it.

The engine never skips by itself. Each refusal names the command that goes on, `tongguan gap accept`; what was accepted
is audited, stands in city.quarantine as a record of reason `gap`, and is shown on the page for a week.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from engine.runtime.log import Entry

SHOWN_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Gap:
    """A reader that wants offset `first` of the partition goes on behind `last`; last < first: the log began anew."""

    stream: str
    partition: int
    first: int
    last: int
    reason: str
    actor: str
    at_ms: int

    def covers(self, offset: int) -> bool:
        """Tell whether a reader that wants `offset` may go on behind the gap."""
        return self.first <= offset <= self.last or offset == self.first > self.last


def covered(gaps: Iterable[Gap], stream: str, partition: int, first: int, last: int) -> bool:
    """Tell whether the offsets `first` to `last` (both included) were all accepted as missing; none: yes."""
    place = [gap for gap in gaps if (gap.stream, gap.partition) == (stream, partition)]
    offset = first
    while offset <= last:
        beyond = max((gap.last for gap in place if gap.first <= offset <= gap.last), default=None)
        if beyond is None:
            return False
        offset = beyond + 1
    return True


def unread(gaps: Iterable[Gap], stream: str, known: int, now: int) -> list[int]:
    """Return the partitions of a stream beyond the `known` ones that nobody accepted, as a log that begins at 0."""
    taken = {gap.partition for gap in gaps if gap.stream == stream and gap.last < gap.first == 0}
    return [number for number in range(known, now) if number not in taken]


def command(stream: str, partition: int, first: int, last: int, where: str) -> str:
    """Return the line that accepts a gap; `where` names the folder or the database."""
    place = f"--stream {stream} --partition {partition} --from {first} --to {last}"
    return f"tongguan gap accept {where} {place} --as NAME --reason TEXT"


def record(gap: Gap) -> Entry:
    """Return what city.quarantine says of a gap."""
    said = {
        "reason": "gap",
        "detail": gap.reason,
        "topic": gap.stream,
        "partition": gap.partition,
        "offset": gap.first,
        "last": gap.last,
        "index": 0,
        "actor": gap.actor,
        "raw": "",
    }
    return Entry(orjson.dumps(said))


def banner(gaps: Iterable[Gap], now_ms: int) -> tuple[str, ...]:
    """Return a sentence for the page, Chinese and English, for each gap accepted within a week."""
    return tuple(
        f"已知缺口：{gap.stream}/{gap.partition} 从 {gap.first} 到 {gap.last}（{gap.actor}：{gap.reason}） / "
        f"passed over knowingly: {gap.stream}/{gap.partition} from {gap.first} to {gap.last}"
        for gap in gaps
        if now_ms - gap.at_ms < SHOWN_MS
    )
