"""Rule expressions on plain Python values: ``None``, ``bool``, ``float`` and ``str``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:(),.\[\]]))""",
    re.X,
)


@dataclass
class Seen:
    """What one reading offers to an expression."""

    v: float
    t: int
    sensor: str
    kind: str
    lon_e7: int | None
    lat_e7: int | None
    attrs: dict[str, Any]
    tz: str
    inside: Callable[[str, int, int], bool]


def tokens(text: str) -> list[tuple[str, str]]:
    out, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"cannot read {text[at:]!r}")
        kind = str(found.lastgroup)
        out.append((kind, found.group(kind)))
        at = found.end()
    return [*out, ("end", "")]


class Parser:
    """Recursive descent, one method a level of binding."""

    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.tokens[self.at][0] in ("sign", "name") else ""

    def take(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, sign: str) -> None:
        kind, text = self.take()
        if text != sign or kind != "sign":
            raise ValueError(f"expected {sign}, got {text}")

    def whole(self) -> Any:
        tree = self.choice()
        if self.tokens[self.at][0] != "end":
            raise ValueError(f"left over: {self.tokens[self.at]}")
        return tree

    def choice(self) -> Any:
        tree = self.either()
        if self.peek() == "?":
            self.take()
            yes = self.choice()
            self.expect(":")
            return ("?:", tree, yes, self.choice())
        return tree

    def chain(self, signs: tuple[str, ...], below: Callable[[], Any]) -> Any:
        tree = below()
        while self.peek() in signs:
            sign = self.take()[1]
            tree = (sign, tree, below())
        return tree

    def either(self) -> Any:
        return self.chain(("||",), self.both)

    def both(self) -> Any:
        return self.chain(("&&",), self.relation)

    def relation(self) -> Any:
        return self.chain(("==", "!=", "<", "<=", ">", ">=", "in"), self.total)

    def total(self) -> Any:
        return self.chain(("+", "-"), self.product)

    def product(self) -> Any:
        return self.chain(("*", "/", "%"), self.unary)

    def unary(self) -> Any:
        if self.peek() in ("!", "-"):
            sign = self.take()[1]
            return ("neg" if sign == "-" else "!", self.unary())
        return self.primary()

    def primary(self) -> Any:
        kind, text = self.take()
        if kind == "number":
            return ("value", float(text))
        if kind == "string":
            return ("value", unquote(text))
        if text == "(":
            tree = self.choice()
            self.expect(")")
            return tree
        if text == "[":
            return ("list", self.arguments("]"))
        if text in ("true", "false", "null"):
            return ("value", {"true": True, "false": False, "null": None}[text])
        if text == "attrs":
            self.expect(".")
            return ("attr", self.take()[1])
        if self.peek() == "(":
            self.take()
            return ("call", text, self.arguments(")"))
        return ("name", text)

    def arguments(self, closing: str) -> list[Any]:
        out: list[Any] = []
        while self.peek() != closing:
            out.append(self.choice())
            if self.peek() == ",":
                self.take()
        self.expect(closing)
        return out


def unquote(text: str) -> str:
    escapes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
    return re.sub(r"\\(.)", lambda m: escapes[m.group(1)], text[1:-1])


def number(x: Any) -> bool:
    return isinstance(x, float) and not isinstance(x, bool)


def finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def arithmetic(sign: str, a: Any, b: Any) -> float | None:
    if not (number(a) and number(b)):
        return None
    if sign in "/%" and b == 0:
        return None
    try:
        if sign == "+":
            return finite(a + b)
        if sign == "-":
            return finite(a - b)
        if sign == "*":
            return finite(a * b)
        return finite(a / b) if sign == "/" else finite(math.fmod(a, b))
    except OverflowError:
        return None


def equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def order(sign: str, a: Any, b: Any) -> bool | None:
    if not ((number(a) and number(b)) or (isinstance(a, str) and isinstance(b, str))):
        return None
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign])


def logic(sign: str, a: Any, b: Any) -> bool | None:
    a, b = (x if isinstance(x, bool) else None for x in (a, b))
    decisive = sign == "||"
    if a is decisive or b is decisive:
        return decisive
    return None if a is None or b is None else not decisive


def evaluate(tree: Any, seen: Seen) -> Any:
    """Give the value of a parsed expression for one reading."""
    head = tree[0]
    if head == "value":
        return tree[1]
    if head == "list":
        return [evaluate(x, seen) for x in tree[1]]
    if head == "attr":
        return seen.attrs.get(tree[1])
    if head == "name":
        return named(tree[1], seen)
    if head == "call":
        return call(tree[1], tree[2], seen)
    if head == "?:":
        chosen = evaluate(tree[1], seen)
        return evaluate(tree[2] if chosen else tree[3], seen) if isinstance(chosen, bool) else None
    a = evaluate(tree[1], seen)
    if head == "!":
        return not a if isinstance(a, bool) else None
    if head == "neg":
        return -a if number(a) else None
    b = evaluate(tree[2], seen)
    if head in ("&&", "||"):
        return logic(head, a, b)
    if head == "in":
        return any(equal(a, x) for x in b)
    if head in ("==", "!="):
        return equal(a, b) == (head == "==")
    return order(head, a, b) if head in ("<", "<=", ">", ">=") else arithmetic(head, a, b)


def named(name: str, seen: Seen) -> Any:
    if name in ("v", "sensor", "kind"):
        return getattr(seen, name)
    e7 = {"lon": seen.lon_e7, "lat": seen.lat_e7}[name]
    return None if e7 is None else e7 / 1e7


def call(name: str, given: list[Any], seen: Seen) -> Any:
    if name == "has":
        return seen.attrs.get(given[0][1]) is not None
    if name in ("hour", "weekday"):
        local = datetime.fromtimestamp(seen.t // 1000, ZoneInfo(seen.tz))
        return float(local.hour if name == "hour" else local.isoweekday())
    values = [evaluate(x, seen) for x in given]
    if name in ("inside", "outside"):
        if seen.lon_e7 is None or seen.lat_e7 is None:
            return None
        return seen.inside(values[0], seen.lon_e7, seen.lat_e7) == (name == "inside")
    if name in ("starts_with", "ends_with"):
        text, part = values
        if not (isinstance(text, str) and isinstance(part, str)):
            return None
        return text.startswith(part) if name == "starts_with" else text.endswith(part)
    if not all(number(x) for x in values):
        return None
    return {"abs": lambda: abs(values[0]), "min": lambda: min(values), "max": lambda: max(values)}[name]()
