"""A tree over columns, one vector operation a node. Null is a tag; constants stay scalars until they meet a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from geo import NO_PLACE
from rules.civil import civil_time
from rules.columns import BOOL, NULL, NUMBER, STRING, Column, Columns, Strings
from rules.expression import text
from rules.expression.tree import Attr, Binary, Call, Choice, Constant, ListLiteral, Literal, Name, Tree, Unary
from rules.expression.types import ARITHMETIC, LOGIC, ORDER

Scalar = TypeVar("Scalar", bound=np.generic)
Mask = npt.NDArray[np.bool_]
_ORDER_OPS: dict[str, Any] = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
_ARITHMETIC_OPS: dict[str, Any] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod}


@dataclass(frozen=True, slots=True)
class Value:
    """tag uint8[n] or scalar, num float64[n] or scalar, text of n rows, or one literal, or None: no row is a string."""

    tag: npt.NDArray[np.uint8]
    num: npt.NDArray[np.float64]
    text: Strings | bytes | None = None


def evaluate(tree: Tree, columns: Columns, tz: str) -> Column:
    """Judge n rows at once; the result has n rows, with `num` 0 where a row is neither boolean nor number."""
    n = columns.n
    with np.errstate(all="ignore"):
        value = _Run(columns, tz).value(tree)
    strings = text.repeat(value.text, n) if isinstance(value.text, bytes) else value.text
    return Column(_spread(value.tag, n), _spread(value.num, n), strings)


def constant(value: Constant) -> Value:
    """Turn a literal into a scalar value."""
    if isinstance(value, str):
        return Value(np.uint8(STRING), np.float64(0), value.encode("utf-8"))  # type: ignore[arg-type]
    tag = NULL if value is None else BOOL if isinstance(value, bool) else NUMBER
    return Value(np.uint8(tag), np.float64(value or 0))  # type: ignore[arg-type]


class _Run:
    def __init__(self, columns: Columns, tz: str) -> None:
        self.columns = columns
        self.tz = tz

    def value(self, tree: Tree) -> Value:
        match tree:
            case Literal(value=value):
                return constant(value)
            case Name(name=name):
                return self.named(name)
            case Attr(name=name):
                column = self.columns.attr(name)
                return Value(column.tag, column.num, column.text)
            case Unary(op=op, operand=operand):
                return _negated(self.value(operand)) if op == "-" else _inverted(self.value(operand))
            case Binary(op=op, left=left, right=right):
                return self.binary(op, left, right)
            case Choice(condition=condition, yes=yes, no=no):
                return self.choice(self.value(condition), self.value(yes), self.value(no))
            case Call(name=name, args=args):
                return self.call(name, args)
            case ListLiteral():
                raise AssertionError("a list has no value of its own")

    def named(self, name: str) -> Value:
        columns = self.columns
        if name == "v":
            return Value(np.uint8(NUMBER), columns.v)  # type: ignore[arg-type]
        if name in ("lon", "lat"):
            e7 = columns.lon_e7 if name == "lon" else columns.lat_e7
            there = e7 != NO_PLACE
            return _numbers(np.where(there, e7, 0) / 1e7, there)
        column = columns.sensor() if name == "sensor" else columns.kind()
        return Value(column.tag, column.num, column.text)

    def binary(self, op: str, left: Tree, right: Tree) -> Value:
        if op in ("==", "!=", "in"):
            found = self.equality(op, left, right)
            return _truth(~found if op == "!=" else found)
        a, b = self.value(left), self.value(right)
        if op in LOGIC:
            return _both(a, b) if op == "&&" else _either(a, b)
        if op in ORDER:
            return self.order(op, a, b)
        assert op in ARITHMETIC
        ok = (a.tag == NUMBER) & (b.tag == NUMBER)
        if op in "/%":
            ok = ok & (b.num != 0)
        return _numbers(_ARITHMETIC_OPS[op](a.num, b.num), ok)

    def equality(self, op: str, left: Tree, right: Tree) -> Mask:
        no: Mask = np.zeros((), np.bool_)
        if op == "in":
            if not isinstance(right, ListLiteral) or isinstance(left, ListLiteral):
                return no
            a, found = self.value(left), no
            for item in right.items:
                found = found | self.equal(a, constant(item))
            return found
        if isinstance(left, ListLiteral) or isinstance(right, ListLiteral):
            same = isinstance(left, ListLiteral) and isinstance(right, ListLiteral) and _typed(left) == _typed(right)
            return np.asarray(same)
        return self.equal(self.value(left), self.value(right))

    def equal(self, a: Value, b: Value) -> Mask:
        """Null equals null, values of different types are unequal."""
        if isinstance(a.text, bytes):
            a, b = b, a
        if isinstance(b.text, bytes) and isinstance(a.text, Strings):  # b is one string, and equals strings only
            return text.equals_one(a.text, b.text, self.rows(a.tag == STRING))
        same: Mask = (a.tag == b.tag) & (a.num == b.num)
        if a.text is None or b.text is None:
            return np.asarray(same & (a.tag != STRING))
        strings: Mask = (a.tag == STRING) & (b.tag == STRING)
        if isinstance(a.text, bytes) and isinstance(b.text, bytes):
            return np.asarray(same & (~strings | (a.text == b.text)))
        alike = text.order(*self.texts(a, b), self.rows(strings)) == 0
        return np.asarray(same & (~strings | alike))

    def order(self, op: str, a: Value, b: Value) -> Value:
        compare = _ORDER_OPS[op]
        numbers = (a.tag == NUMBER) & (b.tag == NUMBER)
        result, ok = compare(a.num, b.num), numbers
        if a.text is not None and b.text is not None:
            strings = self.rows((a.tag == STRING) & (b.tag == STRING))
            sign = text.order(*self.texts(a, b), strings)
            result, ok = np.where(strings, compare(sign, 0), result), numbers | strings
        return _boolean(result, ok)

    def choice(self, condition: Value, yes: Value, no: Value) -> Value:
        known = condition.tag == BOOL
        first = known & (condition.num == 1)
        tag = np.where(known, np.where(first, yes.tag, no.tag), np.uint8(NULL)).astype(np.uint8)
        num = np.where(known, np.where(first, yes.num, no.num), 0.0)
        strings: Strings | None = None
        if yes.text is not None or no.text is not None:
            strings = _picked(self.rows(first), self.strings(yes), self.strings(no))
            tag, num = _spread(tag, self.columns.n), _spread(num, self.columns.n)
        return Value(tag, num, strings)

    def call(self, name: str, args: tuple[Tree, ...]) -> Value:
        if name in ("inside", "outside"):
            assert isinstance(args[0], Literal)
            return self.zone(str(args[0].value), inside=name == "inside")
        if name in ("hour", "weekday"):
            civil = civil_time(self.tz)
            part = civil.hour if name == "hour" else civil.weekday
            return Value(np.uint8(NUMBER), part(self.columns.t).astype(np.float64))  # type: ignore[arg-type]
        values = [self.value(arg) for arg in args]
        first = values[0]
        if name == "has":
            return _truth(first.tag != NULL)
        if name in ("starts_with", "ends_with"):
            return self.affix(first, values[1], at_end=name == "ends_with")
        if name == "abs":
            return _numbers(np.abs(first.num), first.tag == NUMBER)
        num, ok = first.num, first.tag == NUMBER
        for other in values[1:]:
            num = np.minimum(num, other.num) if name == "min" else np.maximum(num, other.num)
            ok = ok & (other.tag == NUMBER)
        return _numbers(num, ok)

    def zone(self, name: str, *, inside: bool) -> Value:
        columns = self.columns
        there = columns.lon_e7 != NO_PLACE
        found = np.zeros(columns.n, np.bool_)
        if there.all():
            found = columns.zone(name).contains(columns.lon_e7, columns.lat_e7)
        elif there.any():
            found[there] = columns.zone(name).contains(columns.lon_e7[there], columns.lat_e7[there])
        return _boolean(found if inside else ~found, there)

    def affix(self, a: Value, b: Value, *, at_end: bool) -> Value:
        ok = (a.tag == STRING) & (b.tag == STRING)
        if a.text is None or b.text is None:
            return _boolean(np.zeros((), np.bool_), ok)
        rows = self.rows(ok)
        return _boolean(text.affix(*self.texts(a, b), rows, at_end=at_end), rows)

    def texts(self, a: Value, b: Value) -> tuple[Strings, Strings]:
        return self.strings(a), self.strings(b)

    def strings(self, a: Value) -> Strings:
        return a.text if isinstance(a.text, Strings) else text.repeat(a.text or b"", self.columns.n)

    def rows(self, mask: Mask) -> Mask:
        return _spread(mask, self.columns.n)


def _spread(values: npt.NDArray[Scalar], n: int) -> npt.NDArray[Scalar]:
    """Return n contiguous values; a scalar is repeated."""
    return np.ascontiguousarray(values) if np.ndim(values) else np.full(n, values)


def _numbers(num: npt.NDArray[np.float64], ok: Mask) -> Value:
    """A number where `ok` and finite, else null."""
    ok = ok & np.isfinite(num)
    return Value(np.where(ok, np.uint8(NUMBER), np.uint8(NULL)), np.where(ok, num, 0.0))


def _boolean(truth: Mask, ok: Mask) -> Value:
    return Value(np.where(ok, np.uint8(BOOL), np.uint8(NULL)), np.where(ok & truth, 1.0, 0.0))


def _truth(truth: Mask) -> Value:
    return Value(np.uint8(BOOL), np.where(truth, 1.0, 0.0))  # type: ignore[arg-type]


def _negated(a: Value) -> Value:
    return _numbers(-a.num, a.tag == NUMBER)


def _inverted(a: Value) -> Value:
    return _boolean(a.num == 0, a.tag == BOOL)


def _both(a: Value, b: Value) -> Value:
    """Three-valued and: what is not boolean counts as null."""
    a_bool, b_bool = a.tag == BOOL, b.tag == BOOL
    no = (a_bool & (a.num == 0)) | (b_bool & (b.num == 0))
    return _boolean(~no, no | (a_bool & b_bool))


def _either(a: Value, b: Value) -> Value:
    a_bool, b_bool = a.tag == BOOL, b.tag == BOOL
    yes = (a_bool & (a.num == 1)) | (b_bool & (b.num == 1))
    return _boolean(yes, yes | (a_bool & b_bool))


def _picked(first: Mask, yes: Strings, no: Strings) -> Strings:
    heap = np.concatenate((yes.heap, no.heap))
    start = np.where(first, yes.start, no.start + yes.heap.size)
    return Strings(heap, start, np.where(first, yes.length, no.length).astype(np.int32))


def _typed(literal: ListLiteral) -> list[tuple[type, Constant]]:
    return [(type(item), item) for item in literal.items]
