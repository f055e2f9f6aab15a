"""What the journal lets go of: by age and by size, never what a checkpoint, a reader or a rebuild still needs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from engine.runtime.journal import Journal
from engine.runtime.log import Stream
from engine.runtime.readings import PLAN_KEY
from rules.plan import Plan

PERIOD_S = 30.0
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Retention:
    """Keep records for `age_ms` of log time (last values: at most a day), the file under `size_bytes`.

    In any case `least_ms` of readings stay.
    `least_ms` is the plan's longest window, absence or hold and a day more: what a rebuild of detect's state needs.
    """

    age_ms: int
    size_bytes: int
    least_ms: int


def rebuild_ms(plan: Plan) -> int:
    """Return how many ms of readings a rebuild of detect's state needs: the longest time of any rule, and a day."""
    longest = 0
    for rule in plan.rules:
        spans = [
            rule.clear_for_ms,
            rule.max_gap_ms,
            rule.quiet_ms,
            rule.absent_ms,
            *(level.for_ms for level in rule.levels),
        ]
        spans.append(rule.window.over_ms if rule.window else None)
        longest = max(longest, *(span or 0 for span in spans))
    return longest + plan.max_delay_ms + DAY_MS


class Trimmer:
    """Trim one journal. The callables give the offset up to which the reader of a stream is done for good.

    messages: lets go of messages in the case store; called at the same times.
    """

    def __init__(
        self,
        journal: Journal,
        retention: Retention,
        *,
        readings_done: Callable[[], int],
        alerts_done: Callable[[], int],
        messages: Callable[[], object] = lambda: None,
    ) -> None:
        self._journal = journal
        self._retention = retention
        self._readings_done = readings_done
        self._alerts_done = alerts_done
        self._messages = messages

    def run(self, stopping: threading.Event) -> None:
        """Trim now and then until `stopping` is set."""
        while not stopping.wait(PERIOD_S):
            self.trim(stopping)
            self._messages()

    def trim(self, stopping: threading.Event) -> None:
        """Let go of what may go, in small steps between which others write."""
        for stream in Stream:
            goal = self.goal(stream)
            while not stopping.is_set() and self._journal.start(stream, 0) <= goal:
                self._journal.trim(stream, 0, goal)

    def goal(self, stream: Stream) -> int:
        """Return the largest offset that may go (start - 1: none)."""
        journal, keep = self._journal, self._retention
        now = journal.last_log_time(stream, 0)
        age = min(keep.age_ms, DAY_MS) if stream is Stream.SENSORS else keep.age_ms
        least = keep.least_ms if stream is Stream.READINGS else 0
        too_big = journal.size_bytes() > keep.size_bytes
        # too big: the oldest tenth of what is left goes, run by run
        share = (journal.end(stream, 0) - journal.start(stream, 0)) // 10 if too_big else 0
        goal = max(journal.offset_before(stream, 0, now - age), journal.start(stream, 0) - 1 + share)
        goal = min(goal, journal.offset_before(stream, 0, now - least), journal.end(stream, 0) - 1, self._done(stream))
        if stream is Stream.READINGS and goal >= journal.start(stream, 0):
            # what is kept must begin with the plan that it is judged by
            plan = journal.last_with_key(stream, 0, PLAN_KEY, goal + 1)
            goal = plan - 1 if plan else journal.start(stream, 0) - 1
        return goal

    def _done(self, stream: Stream) -> int:
        if stream is Stream.READINGS:
            return self._readings_done()
        if stream is Stream.ALERTS:
            return self._alerts_done()
        return self._journal.end(stream, 0)
