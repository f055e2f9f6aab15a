"""Text to an expression that can be evaluated, its types checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from rules.civil import CITY_TZ
from rules.columns import BOOL, NULL, NUMBER, Column, Columns
from rules.errors import ExpressionError
from rules.expression.evaluate import evaluate
from rules.expression.parse import parse
from rules.expression.tree import Attr, Binary, Call, Choice, Literal, Tree, Type, Unary
from rules.expression.types import infer


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. Equal when text and time zone are.

    result_type: BOOL, NUMBER or ANY. attrs, zones: names that it reads. clock: it asks for the hour or the weekday.
    """

    text: str
    tz: str
    result_type: Type = field(compare=False)
    attrs: frozenset[str] = field(compare=False)
    zones: frozenset[str] = field(compare=False)
    clock: bool = field(compare=False)
    tree: Tree = field(compare=False, repr=False)
    wants: frozenset[Type] = field(compare=False, repr=False)

    def evaluate(self, columns: Columns) -> Column:
        """Judge n rows at once. A row is of a wanted type or null."""
        column = evaluate(self.tree, columns, self.tz)
        if self.result_type is not Type.ANY:
            return column
        fits = (column.tag == BOOL) & (Type.BOOL in self.wants) | (column.tag == NUMBER) & (Type.NUMBER in self.wants)
        return Column(np.where(fits, column.tag, np.uint8(NULL)), np.where(fits, column.num, 0.0))


def compile_expression(
    text: str,
    *,
    wants: Collection[Type] = (Type.BOOL, Type.NUMBER),
    zones: Collection[str] = (),
    tz: str = CITY_TZ,
) -> Expression:
    """Parse and check an expression whose result must be able to be one of `wants`.

    Raises ExpressionError for a syntax error, types that can never fit, a zone set not in `zones`, and limits.
    """
    tree = parse(text)
    found = infer(tree)
    if found is not Type.ANY and found not in wants:
        names = " or ".join(f"a {want.value}" for want in wants)
        raise ExpressionError(0, f"must be {names}", f"a {found.value}")
    names_read = _Names(set(), set())
    names_read.visit(tree, zones)
    return Expression(
        text,
        tz,
        found,
        frozenset(names_read.attrs),
        frozenset(names_read.zones),
        names_read.clock,
        tree,
        frozenset(wants),
    )


@dataclass(slots=True)
class _Names:
    attrs: set[str]
    zones: set[str]
    clock: bool = False

    def visit(self, tree: Tree, known: Collection[str]) -> None:
        match tree:
            case Attr(name=name):
                self.attrs.add(name)
            case Unary(operand=operand):
                self.visit(operand, known)
            case Binary(left=left, right=right):
                self.visit(left, known)
                self.visit(right, known)
            case Choice(condition=condition, yes=yes, no=no):
                for part in (condition, yes, no):
                    self.visit(part, known)
            case Call(name=name, args=args):
                self._call(name, args, known)
            case _:
                pass

    def _call(self, name: str, args: tuple[Tree, ...], known: Collection[str]) -> None:
        self.clock |= name in ("hour", "weekday")
        if name in ("inside", "outside") and isinstance(args[0], Literal):
            zone = str(args[0].value)
            if zone not in known:
                there = ", ".join(sorted(known)[:20]) or "none"
                raise ExpressionError(args[0].at, f"must name a zone set that exists ({there})", zone)
            self.zones.add(zone)
        for arg in args:
            self.visit(arg, known)
