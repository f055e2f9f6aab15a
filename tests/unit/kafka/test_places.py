"""Where a reader goes on whose cursor is in the database."""

from __future__ import annotations

import asyncio

import pytest

from engine.runtime.errors import BrokerAway
from engine.runtime.gaps import Gap
from engine.runtime.kafka import places
from engine.runtime.kafka.places import Bookmark, Place, Stuck, Verdict, Watchdog, place

STREAM = "city.alerts"


def gap(first: int, last: int, stream: str = STREAM, partition: int = 0) -> Gap:
    return Gap(stream, partition, first, last, "why", "李工", 0)


@pytest.mark.parametrize(
    ("position", "start", "end", "gaps", "on"),
    [
        pytest.param(0, 0, 0, (), 0, id="an empty log"),
        pytest.param(5, 0, 9, (), 5, id="in the middle"),
        pytest.param(9, 0, 9, (), 9, id="at the end"),
        pytest.param(5, 5, 9, (), 5, id="at the start"),
        pytest.param(5, 8, 9, (gap(5, 7),), 8, id="behind a gap that was accepted"),
        pytest.param(5, 8, 9, (gap(3, 9),), None, id="a gap that leads behind the end"),
        pytest.param(5, 8, 12, (gap(3, 9),), 10, id="a gap that began before"),
        pytest.param(5, 8, 9, (gap(6, 7),), None, id="a gap that begins behind the position"),
        pytest.param(5, 8, 9, (gap(5, 7, partition=1),), None, id="a gap of another partition"),
        pytest.param(5, 8, 9, (gap(5, 7, stream="city.readings"),), None, id="a gap of another stream"),
        pytest.param(5, 8, 9, (), None, id="trimmed"),
        pytest.param(10, 0, 9, (), None, id="shorter than what was done"),
        pytest.param(10, 0, 9, (gap(10, -1),), 0, id="begun anew, and accepted"),
        pytest.param(11, 0, 9, (gap(10, -1),), None, id="begun anew once more"),
    ],
)
def test_a_reader_goes_on_where_the_log_has_what_comes_next_or_says_why_not(
    position: int, start: int, end: int, gaps: tuple[Gap, ...], on: int | None
) -> None:
    found = place(STREAM, 0, position, start, end, gaps)
    if on is not None:
        assert found == Place(on)
    else:
        assert f"tongguan gap accept --database URL --stream {STREAM} --partition 0 --from" in found.refusal


def test_another_log_is_refused_wherever_it_ends_until_somebody_answers_for_it() -> None:
    assert "--from 5 --to -1" in place(STREAM, 0, 5, 0, 9, (), same=False).refusal
    assert "--from 5 --to 6" in place(STREAM, 0, 5, 7, 9, (), same=False).refusal
    assert place(STREAM, 0, 5, 0, 9, (gap(5, -1),), same=False) == Place(0)


def test_an_event_before_the_next_is_passed_the_next_is_taken_and_one_behind_it_means_that_something_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "GRACE_S", 0.0)
    book = Bookmark()
    assert book.judge(4) is Verdict.PASS
    book.set(4)
    assert [book.judge(offset) for offset in (3, 4, 4, 5, 7, 6)] == [
        *(Verdict.PASS, Verdict.TAKE, Verdict.PASS, Verdict.TAKE, Verdict.LOST, Verdict.TAKE),
    ]


def test_what_was_under_way_at_a_seek_is_passed() -> None:
    book = Bookmark()
    book.set(4)
    assert [book.judge(offset) for offset in (9, 10, 4)] == [Verdict.PASS, Verdict.PASS, Verdict.TAKE]


class Reader:
    """A reader that stands at `position`, with a log that ends at `end`."""

    def __init__(self, position: int | None, end: int, *, moves_after: str = "") -> None:
        self.position = position
        self.end = end
        self.moves_after = moves_after
        self.asked: list[str] = []

    async def end_of_log(self) -> int:
        if self.end < 0:
            self.asked.append("away")
            raise BrokerAway("no answer")
        return self.end

    def _tried(self, what: str) -> None:
        self.asked.append(what)
        if what == self.moves_after:
            self.position = self.end

    def watchdog(self) -> Watchdog:
        return Watchdog(
            "a reader",
            lambda: self.position,
            self.end_of_log,
            lambda: self._tried("seek"),
            lambda: self._tried("anew"),
        )


async def watched(reader: Reader, periods: int) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.watchdog().run(0.001), periods * 0.01)


def test_a_reader_that_stands_still_before_something_is_set_anew_then_made_anew_then_given_up() -> None:
    reader = Reader(4, 9)
    with pytest.raises(Stuck, match="offset 4; the log ends at 9"):
        asyncio.run(reader.watchdog().run(0.001))
    assert reader.asked == ["seek", "anew"]


@pytest.mark.parametrize("helps", ["seek", "anew"])
def test_a_reader_that_moves_again_is_left_alone(helps: str) -> None:
    reader = Reader(4, 9, moves_after=helps)
    asyncio.run(watched(reader, 10))
    assert reader.asked[-1] == helps
    assert len(reader.asked) <= 2


@pytest.mark.parametrize("reader", [Reader(9, 9), Reader(None, 9), Reader(4, -1)], ids=["at the end", "waits", "away"])
def test_a_reader_with_nothing_to_read_or_with_a_known_cause_is_left_alone(reader: Reader) -> None:
    asyncio.run(watched(reader, 10))
    assert set(reader.asked) <= {"away"}
