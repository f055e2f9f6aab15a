"""What a message says, and what the bridge's disk keeps."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect.decode.frames import LARGEST_RECORD_BYTES, split
from engine.detect.decode.reasons import Refusal
from engine.runtime.bridge.payloads import Message, Topic, array, as_string, frames, pieces
from engine.runtime.bridge.spool import Spool
from engine.runtime.errors import AlreadyRunning, Corrupt, Overloaded, Refused

PLAIN = Topic("city/#")


def told(payload: bytes, pattern: str = "city/#", topic: str = "city/x") -> list[tuple[bytes, bool]]:
    return [(piece.text, piece.whole) for piece in pieces(Message(topic, payload), Topic(pattern))]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b' {"v": 1} ', [(b'{"v": 1}', True)]),
        (b'[{"v":1}, {"v":2}]', [(b'{"v":1}', True), (b'{"v":2}', True)]),
        (b'{"v":1}\n\n{"v":2}\n', [(b'{"v":1}', True), (b'{"v":2}', True)]),
        (b'{"v":1}\nbroken', [(b'{"v":1}', True), (b"broken", False)]),
        (b'{"v":\n1}', [(b'{"v":\n1}', True)]),
        (b'[{"v":1}, 3, "x"]', [(b'{"v":1}', True), (b"3", False), (b'"x"', False)]),
        (b"[1,2", [(b"[1,2", False)]),
        (b'{"kind":"tick"}{"kind":"tick"}', [(b'{"kind":"tick"}{"kind":"tick"}', False)]),
        (b"", []),
        (b" \n ", []),
        (b"[]", []),
    ],
    ids=[
        "one",
        "array",
        "lines",
        "a broken line",
        "over lines",
        "no objects",
        "open",
        "two in one",
        "empty",
        "white",
        "none",
    ],
)
def test_a_payload_is_taken_apart_into_readings(payload: bytes, expected: list[tuple[bytes, bool]]) -> None:
    assert told(payload) == expected


def test_a_payload_beyond_the_limit_is_cut_so_that_detect_says_so() -> None:
    ((text, whole),) = told(b"[" + b'{"v":1},' * 200_000)
    assert (len(text), whole) == (LARGEST_RECORD_BYTES + 1, False)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_control_record_stands_alone_whatever_came(payloads: list[bytes]) -> None:
    tick = b'{"kind":"tick","t":1}'
    for payload in (*payloads, tick, tick + b"\n" + tick, b"\n".join((tick, *payloads)), b"{" + tick):
        for text, whole in told(payload):
            if whole:
                assert split(array([text])).framed
            else:
                try:
                    parts = split(text)
                except Refusal:  # as a whole it is no reading either
                    continue
                assert not any(text[a:b].startswith(b"{") and orjson_ok(text[a:b]) for a, b in parts.spans)


def orjson_ok(text: bytes) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"t":1,"v":2}', {"t": 1, "v": 2, "kind": "gas.methane", "sensor": "GM-1"}),
        (b'{"sensor":"other","t":1}', {"t": 1, "kind": "gas.methane", "sensor": "GM-1"}),
        (b"{ }", {"kind": "gas.methane", "sensor": "GM-1"}),
    ],
    ids=["not named", "named otherwise", "empty"],
)
def test_what_the_topic_names_counts_before_the_payload(payload: bytes, expected: dict[str, object]) -> None:
    ((text, _),) = told(payload, "city/{kind}/+/{sensor}", "city/gas.methane/x/GM-1")
    assert orjson.loads(text) == expected


def test_a_name_that_is_no_name_stays_a_string() -> None:
    ((text, _),) = told(b'{"v":1}', "{sensor}", 'a","kind":"tick')
    assert orjson.loads(text) == {"v": 1, "sensor": 'a","kind":"tick'}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("city/#", "city/#"), ("city/{kind}/{sensor}", "city/+/+"), ("+/{sensor}/#", "+/+/#"), ("#", "#")],
)
def test_a_topic_is_a_filter(pattern: str, expected: str) -> None:
    assert Topic(pattern).filter == expected


@pytest.mark.parametrize("pattern", ["", "a/#/b", "a+/b", "{sensor}/{sensor}", "{what}", "a{sensor}", "a#"])
def test_a_topic_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(Refused, match="--topic: "):
        Topic(pattern)


def test_frames_hold_what_a_frame_may_hold() -> None:
    texts = [b'{"v":1}'] * 12_000 + [b"{" + b"x" * 700_000 + b"}"] * 3
    found = list(frames(texts))
    assert [text for frame in found for text in frame] == texts
    assert all(len(frame) <= 5_000 and len(array(frame)) < LARGEST_RECORD_BYTES for frame in found)


@given(st.binary(max_size=200))
def test_what_is_no_json_becomes_a_json_string(text: bytes) -> None:
    said = orjson.loads(as_string(text))
    assert isinstance(said, str)
    if text.isascii():
        assert said == text.decode()


def messages(*numbers: int) -> list[Message]:
    return [Message(f"t/{n}", str(n).encode() * 100) for n in numbers]


def test_a_spool_gives_back_in_order_what_it_took_also_after_it_was_closed(tmp_path: Path) -> None:
    async def fill() -> None:
        spool = Spool(tmp_path / "s", 1 << 30)
        await spool.append(messages(1, 2, 3))
        found, position = await spool.waiting()
        assert found == messages(1, 2, 3)
        await spool.sent(position - 2)
        assert (spool.messages, spool.oldest_s() >= 0) == (2, True)
        spool.close()

    async def empty() -> None:
        spool = Spool(tmp_path / "s", 1 << 30)
        found, position = await spool.waiting()
        assert found == messages(2, 3)
        await spool.sent(position)
        assert (spool.messages, spool.oldest_s()) == (0, 0.0)
        spool.close()

    asyncio.run(fill())
    asyncio.run(empty())


def test_a_full_spool_takes_nothing_and_has_room_again_when_it_was_sent(tmp_path: Path) -> None:
    async def go() -> None:
        spool = Spool(tmp_path / "s", 1 << 20)
        big = [Message("t", b"x" * 200_000)]
        for _ in range(3):
            await spool.append(big)
        with pytest.raises(Overloaded, match="of --spool-size"):
            await spool.append(big * 3)
        while spool.messages:
            await spool.sent((await spool.waiting())[1])
        await spool.append(big)
        assert spool.size_bytes() <= 1 << 20
        spool.close()

    asyncio.run(go())


@pytest.mark.parametrize("size", [0, 10, 500, 1_900, 2_100, 4_060, 5_100, 6_000])
@pytest.mark.parametrize("many", [3, 30])
def test_a_spool_never_holds_more_than_it_may_whatever_the_size_of_its_messages(
    tmp_path: Path, size: int, many: int
) -> None:
    async def go() -> None:
        spool = Spool(tmp_path / "s", 1 << 19)
        with suppress(Overloaded):
            for _ in range(1 << 20):
                await spool.append([Message("t/1", b"x" * size)] * many)
        assert 1 << 17 < spool.size_bytes() <= 1 << 19
        spool.close()

    asyncio.run(go())


def test_a_spool_has_one_owner_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    async def damaged() -> None:
        spool = Spool(tmp_path / "s", 1 << 30)
        with pytest.raises(AlreadyRunning):
            Spool(tmp_path / "s", 1 << 30)
        await spool.append(messages(*range(50)))
        spool.close()

    asyncio.run(damaged())
    file = tmp_path / "s" / "spool.db"
    shutil.copy(file, tmp_path / "copy")
    file.write_bytes(file.read_bytes()[:4096] + b"\xff" * 4096)
    with pytest.raises(Corrupt, match=r"move .* away and keep it"):
        Spool(tmp_path / "s", 1 << 30)
