"""RFC 8259 to the letter: what the standard library lets pass beyond it is refused."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from engine.detect.decode.reasons import Reason, Refusal, got

DEEPEST = 256
"""Levels of objects and arrays that a text may nest; deeper ones are refused before anything recurses."""

_NOT_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+', re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Number(str):
    """The text of a number as it was written."""

    __slots__ = ()

    def is_whole(self) -> bool:
        """Tell whether it has neither fraction nor exponent."""
        return self.lstrip("-").isdigit()

    def as_float(self) -> float:
        """Return the nearest double, infinite beyond its range; never -0."""
        return float(self) + 0.0


class Object(dict[str, object]):
    """A JSON object: of duplicate keys the last counts; `names` has them all."""

    __slots__ = ("names",)

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.names = [name for name, _ in pairs]


def _refuse_constant(name: str) -> NoReturn:
    raise Refusal(Reason.NOT_FINITE, f"number: must be finite; got {name}")


_decoder = json.JSONDecoder(
    object_pairs_hook=Object, parse_float=Number, parse_int=Number, parse_constant=_refuse_constant
)


def parse(text: bytes) -> object:
    """Return the value of one JSON text: `Object`, list, str, `Number`, bool or None.

    Raises `Refusal`: bad_utf8, bad_json (also for a lone surrogate and for nesting beyond `DEEPEST`) or
    not_finite (the literals NaN and Infinity).
    """
    try:
        characters = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(Reason.BAD_UTF8, f"text: must be UTF-8; got {got(text[error.start : error.start + 8])}") from None
    if _depth(text) > DEEPEST:
        raise Refusal(Reason.BAD_JSON, f"text: must nest at most {DEEPEST} levels; got more")
    try:
        value: object = _decoder.decode(characters)
    except json.JSONDecodeError as error:
        near = got(characters[error.pos : error.pos + 20])
        raise Refusal(
            Reason.BAD_JSON, f"text: must be JSON, {error.msg.lower()} at character {error.pos}; got {near}"
        ) from None
    if _ESCAPED_SURROGATE.search(characters):
        _refuse_lone_surrogates(value)
    return value


def _depth(text: bytes) -> int:
    """Return the deepest nesting, at least; exact for texts that are JSON."""
    if text.count(b"[") + text.count(b"{") <= DEEPEST:
        return 0
    depth = deepest = 0
    for bracket in _NOT_STRUCTURE.sub(b"", text):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refuse_lone_surrogates(value: object) -> None:
    if isinstance(value, Object):
        for name in value.names:
            _refuse_lone_surrogates(name)
        for part in value.values():
            _refuse_lone_surrogates(part)
    elif isinstance(value, list):
        for part in value:
            _refuse_lone_surrogates(part)
    elif isinstance(value, str) and not isinstance(value, Number) and not _encodable(value):
        raise Refusal(Reason.BAD_JSON, f"string: must not hold a lone surrogate; got {ascii(value)[:80]}")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_finite(number: Number) -> bool:
    """Tell whether the nearest double of a number is finite."""
    return math.isfinite(number.as_float())
