"""What a message says: the readings in its payload, each told from the others, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from engine.detect.decode.frames import LARGEST_RECORD_BYTES, split, value_end
from engine.detect.decode.reasons import Refusal
from engine.runtime.errors import Refused

FRAME_READINGS = 5_000
FRAME_BYTES = 900_000
_PLACES = {"{sensor}": "sensor", "{kind}": "kind"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came: its topic and its payload."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one reading. `whole`: one JSON object as far as brackets and quotes tell.

    What is no such object is kept as it is; detect says what is wrong with it.
    """

    text: bytes
    whole: bool


class Topic:
    """A topic filter; levels `{sensor}` and `{kind}` stand for any name, which then counts before the payload's.

    >>> Topic("city/{kind}/{sensor}").filter
    'city/+/+'
    """

    def __init__(self, pattern: str) -> None:
        levels = pattern.split("/")
        for place in _PLACES:
            if levels.count(place) > 1:
                raise Refused(f"--topic: {place} must stand once at most; got {pattern}")
        wrong = [level for level in levels if set("{}+#") & set(level) and level not in {*_PLACES, "+", "#"}]
        if wrong or not pattern or "#" in levels[:-1] or "\x00" in pattern:
            raise Refused(
                "--topic: must be levels joined by /, each a name, +, {sensor}, {kind}, or # as the last; "
                f"got {pattern!r}"
            )
        self.filter = "/".join("+" if level in _PLACES else level for level in levels)
        self._named = {at: _PLACES[level] for at, level in enumerate(levels) if level in _PLACES}

    def names(self, topic: str) -> dict[str, str]:
        """Return sensor and kind as far as the topic of a message names them."""
        levels = topic.split("/")
        return {name: levels[at] for at, name in self._named.items() if at < len(levels)}


def pieces(message: Message, topic: Topic) -> list[Piece]:
    """Take a payload apart: a reading, an array of them, or one a line."""
    try:
        parts = split(message.payload)
    except Refusal:
        # one byte more than a record may have: detect still says that it is too large
        return [Piece(message.payload[: LARGEST_RECORD_BYTES + 1], whole=False)]
    named = topic.names(message.topic)
    return [_piece(message.payload[first:after], named) for first, after in parts.spans if first < after]


def _piece(text: bytes, named: dict[str, str]) -> Piece:
    if not text.startswith(b"{") or value_end(text, 0, len(text)) != len(text):
        return Piece(text, whole=False)
    if named:
        # of duplicate keys the last counts
        comma = b"," if text[1:-1].strip() else b""
        text = text[:-1] + comma + orjson.dumps(named)[1:]
    return Piece(text, whole=True)


def frames(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Cut whole texts into frames within the limits, with room to spare; a text larger than that stands alone."""
    frame: list[bytes] = []
    size = 0
    for text in texts:
        if frame and (len(frame) >= FRAME_READINGS or size + len(text) >= FRAME_BYTES):
            yield frame
            frame, size = [], 0
        frame.append(text)
        size += len(text) + 1
    if frame:
        yield frame


def array(texts: Sequence[bytes]) -> bytes:
    """Put whole texts into one frame, in which no control record can stand alone."""
    return b"[" + b",".join(texts) + b"]"


def as_string(text: bytes) -> bytes:
    """Return what is no JSON object as a JSON string: bytes that are no UTF-8 as `\\xhh`, cut to what a frame takes."""
    shown = text[: FRAME_BYTES // 6].decode("utf-8", "backslashreplace")
    return orjson.dumps(re.sub("[\ud800-\udfff]", "\ufffd", shown))
