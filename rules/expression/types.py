"""Static types: what can never fit is an error when the rule is loaded."""

from __future__ import annotations

from rules.errors import ExpressionError
from rules.expression.tree import Attr, Binary, Call, Choice, ListLiteral, Literal, Name, Tree, Type, Unary

ARITHMETIC = frozenset("+-*/%")
ORDER = frozenset(("<", "<=", ">", ">="))
LOGIC = frozenset(("&&", "||"))

_NAMES = {"v": Type.NUMBER, "lon": Type.NUMBER, "lat": Type.NUMBER, "sensor": Type.STRING, "kind": Type.STRING}
_ARITY = {"abs": 1, "hour": 0, "weekday": 0, "starts_with": 2, "ends_with": 2, "has": 1, "inside": 1, "outside": 1}
_FITS_ALL = frozenset((Type.ANY, Type.NULL))


def infer(tree: Tree) -> Type:
    """Return the type of a tree.

    Raises ExpressionError where an operand can never fit: arithmetic wants numbers, logic booleans, an order one type.
    """
    match tree:
        case Literal(value=value):
            return _of_constant(value)
        case ListLiteral():
            return Type.LIST
        case Name(name=name):
            return _NAMES[name]
        case Attr():
            return Type.ANY
        case Unary(op=op, operand=operand):
            wanted = Type.BOOL if op == "!" else Type.NUMBER
            _want(operand, wanted, f"{op} needs a {wanted.value}")
            return wanted
        case Binary():
            return _binary(tree)
        case Choice(condition=condition, yes=yes, no=no):
            _want(condition, Type.BOOL, "? needs a boolean before it")
            return _joined(_no_list(yes), _no_list(no))
        case Call():
            return _call(tree)


def _of_constant(value: object) -> Type:
    if value is None:
        return Type.NULL
    if isinstance(value, bool):
        return Type.BOOL
    return Type.STRING if isinstance(value, str) else Type.NUMBER


def _binary(tree: Binary) -> Type:
    op = tree.op
    if op in ARITHMETIC:
        for side in (tree.left, tree.right):
            _want(side, Type.NUMBER, f"{op} needs numbers on both sides")
        return Type.NUMBER
    if op in LOGIC:
        for side in (tree.left, tree.right):
            _want(side, Type.BOOL, f"{op} needs booleans on both sides")
        return Type.BOOL
    if op in ORDER:
        left, right = _no_list(tree.left), _no_list(tree.right)
        if left is not right and not _FITS_ALL & {left, right}:
            raise ExpressionError(tree.at, f"{op} needs two numbers or two strings", f"{left.value} {op} {right.value}")
        return Type.BOOL
    infer(tree.left)  # == != in: they always answer
    infer(tree.right)
    return Type.BOOL


def _call(tree: Call) -> Type:
    name, args = tree.name, tree.args
    wanted = _ARITY.get(name)
    if wanted is None and not args:
        raise ExpressionError(tree.at, f"{name} needs at least one argument", "none")
    if wanted is not None and len(args) != wanted:
        raise ExpressionError(tree.at, f"{name} needs {wanted} argument(s)", str(len(args)))
    if name == "has":
        if not isinstance(args[0], Attr):
            raise ExpressionError(args[0].at, "has needs attrs.NAME", "something else")
        return Type.BOOL
    if name in ("inside", "outside"):
        if not (isinstance(args[0], Literal) and isinstance(args[0].value, str)):
            raise ExpressionError(args[0].at, f"{name} needs the name of a zone set in quotes", "something else")
        return Type.BOOL
    if name in ("starts_with", "ends_with"):
        for arg in args:
            _want(arg, Type.STRING, f"{name} needs strings")
        return Type.BOOL
    for arg in args:
        _want(arg, Type.NUMBER, f"{name} needs numbers")
    return Type.NUMBER


def _want(tree: Tree, wanted: Type, rule: str) -> None:
    found = infer(tree)
    if found is not wanted and found not in _FITS_ALL:
        raise ExpressionError(tree.at, rule, f"a {found.value}")


def _no_list(tree: Tree) -> Type:
    found = infer(tree)
    if found is Type.LIST:
        raise ExpressionError(tree.at, "a list may stand beside in, == and != only", "a list")
    return found


def _joined(yes: Type, no: Type) -> Type:
    if yes is no or no is Type.NULL:
        return yes
    return no if yes is Type.NULL else Type.ANY
