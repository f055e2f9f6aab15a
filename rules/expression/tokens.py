"""Text to tokens."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rules.errors import ExpressionError

MAX_BYTES = 4096

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<string>"(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*')
      | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:()\[\],.])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?"}
_PLAIN_ESCAPES |= {"a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    """`what` is number, name, string, op or end; `value` the number or the unescaped string."""

    at: int
    what: str
    text: str
    value: float | str | None = None


def tokens(text: str) -> list[Token]:
    """Split an expression; the last token is `end`.

    Raises ExpressionError for a text over 4 KiB, an unknown character, an unclosed string and a number out of range.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ExpressionError(0, f"an expression must be at most {MAX_BYTES} bytes", str(size))
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            rule = "a string must be closed" if text[at] in "\"'" else "must be an expression"
            raise ExpressionError(at, rule, text[at : at + 12])
        what = match.lastgroup or "op"
        if what != "space":
            found.append(_token(at, what, match[0]))
        at = match.end()
        if what == "number" and at < len(text) and (text[at].isalnum() or text[at] in "_."):
            raise ExpressionError(at, "a number must end before a letter", text[match.start() : at + 1])
    found.append(Token(len(text), "end", ""))
    return found


def _token(at: int, what: str, text: str) -> Token:
    if what == "number":
        value = float(text)
        if not math.isfinite(value):
            raise ExpressionError(at, "a number must be a finite double", text[:24])
        return Token(at, what, text, value)
    if what == "string":
        return Token(at, what, text, _ESCAPE.sub(lambda match: _unescape(at, match), text[1:-1]))
    return Token(at, what, text)


def _unescape(at: int, match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        plain = _PLAIN_ESCAPES.get(match[4])
        if plain is None:
            raise ExpressionError(at + 1 + match.start(), "must be a known escape", match[0])
        return plain
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ExpressionError(at + 1 + match.start(), "must be a Unicode character", match[0])
    return chr(code)
