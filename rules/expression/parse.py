"""Tokens to a tree: recursive descent by precedence, bounded in depth and size.

expression := or ('?' expression ':' expression)?
binary     := by precedence || < && < relations and in < + - < * / %   (all left-associative)
unary      := ('!' | '-')* primary
primary    := literal | list | name | attrs.NAME | function '(' arguments ')' | '(' expression ')'
"""

from __future__ import annotations

from rules.errors import ExpressionError
from rules.expression.tokens import Token, tokens
from rules.expression.tree import Attr, Binary, Call, Choice, Constant, ListLiteral, Literal, Name, Tree, Unary

MAX_NODES = 200
MAX_DEPTH = 64

NAMES = ("v", "lon", "lat", "sensor", "kind")
FUNCTIONS = ("abs", "min", "max", "has", "hour", "weekday", "inside", "outside", "starts_with", "ends_with")
_WORDS: dict[str, Constant] = {"true": True, "false": False, "null": None}
_PRECEDENCE = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3}
_PRECEDENCE |= {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5}


def parse(text: str) -> Tree:
    """Parse an expression of at most 4 KiB, 200 nodes and 64 levels of brackets.

    Raises ExpressionError with the offset of what does not fit.
    """
    return _Parser(tokens(text)).whole()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.next = 0
        self.nodes = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def whole(self) -> Tree:
        if self.token.what == "end":
            raise ExpressionError(0, "must be an expression", "nothing")
        tree = self.expression()
        if self.token.what != "end":
            raise ExpressionError(self.token.at, "must end or go on with an operator", self.token.text)
        return tree

    def expression(self) -> Tree:
        """Parse a choice or anything that binds more tightly; chains of `? :` to the right need no recursion."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(self.token.at, f"must be nested at most {MAX_DEPTH} deep", "more")
        chain: list[tuple[int, Tree, Tree]] = []
        tree = self.binary(1)
        while self.token.text == "?" and self.token.what == "op":
            at = self.take().at
            yes = self.expression()
            self.expect(":")
            chain.append((at, tree, yes))
            tree = self.binary(1)
        for at, condition, yes in reversed(chain):
            tree = self.count(Choice(at, condition, yes, tree))
        self.depth -= 1
        return tree

    def binary(self, lowest: int) -> Tree:
        left = self.unary()
        while True:
            token = self.token
            strength = _PRECEDENCE.get(token.text, 0) if token.what in ("op", "name") else 0
            if strength < lowest:
                return left
            self.take()
            left = self.count(Binary(token.at, token.text, left, self.binary(strength + 1)))

    def unary(self) -> Tree:
        signs: list[Token] = []
        while self.token.what == "op" and self.token.text in ("!", "-"):
            signs.append(self.take())
        tree = self.primary()
        for sign in reversed(signs):
            tree = self.count(Unary(sign.at, sign.text, tree))
        return tree

    def primary(self) -> Tree:
        token = self.take()
        if token.what in ("number", "string"):
            return self.count(Literal(token.at, token.value))
        if token.what == "name":
            return self.named(token)
        if token.text == "(" and token.what == "op":
            tree = self.expression()
            self.expect(")")
            return tree
        if token.text == "[" and token.what == "op":
            return self.list_literal(token.at)
        raise ExpressionError(token.at, "must be a value here", token.text or "the end")

    def named(self, token: Token) -> Tree:
        name = token.text
        if name in _WORDS:
            return self.count(Literal(token.at, _WORDS[name]))
        if name == "attrs":
            self.expect(".")
            field = self.take()
            if field.what != "name":
                raise ExpressionError(field.at, "attrs. must be followed by a name", field.text or "the end")
            tree: Tree = self.count(Attr(token.at, field.text))
        elif self.token.text == "(" and self.token.what == "op":
            tree = self.call(token)
        elif name in NAMES:
            tree = self.count(Name(token.at, name))
        else:
            rule = f"must be one of {', '.join(NAMES)}, attrs.NAME or a function"
            raise ExpressionError(token.at, rule, name)
        if self.token.what == "op" and self.token.text in (".", "[", "("):
            raise ExpressionError(self.token.at, "there are no methods, fields or indices here", self.token.text)
        return tree

    def call(self, token: Token) -> Tree:
        if token.text not in FUNCTIONS:
            raise ExpressionError(token.at, f"must be one of the functions {', '.join(FUNCTIONS)}", token.text)
        self.expect("(")
        args: list[Tree] = []
        if self.token.text != ")":
            args.append(self.expression())
            while self.token.text == "," and self.token.what == "op":
                self.take()
                args.append(self.expression())
        self.expect(")")
        return self.count(Call(token.at, token.text, tuple(args)))

    def list_literal(self, at: int) -> Tree:
        items: list[Constant] = []
        while not (self.token.what == "op" and self.token.text == "]"):
            if items:
                self.expect(",")
            items.append(self.constant())
        self.take()
        return self.count(ListLiteral(at, tuple(items)))

    def constant(self) -> Constant:
        token = self.take()
        minus = token.what == "op" and token.text == "-"
        if minus:
            token = self.take()
        self.count_one(token.at)
        if token.what == "number" and isinstance(token.value, float):
            return -token.value if minus else token.value
        if not minus and token.what == "string":
            return token.value
        if not minus and token.what == "name" and token.text in _WORDS:
            return _WORDS[token.text]
        raise ExpressionError(token.at, "a list must hold literals only", token.text or "the end")

    def take(self) -> Token:
        token = self.token
        if token.what != "end":
            self.next += 1
        return token

    def expect(self, text: str) -> None:
        token = self.take()
        if token.what != "op" or token.text != text:
            raise ExpressionError(token.at, f"must be {text!r} here", token.text or "the end")

    def count(self, tree: Tree) -> Tree:
        self.count_one(tree.at)
        return tree

    def count_one(self, at: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ExpressionError(at, f"an expression must have at most {MAX_NODES} nodes", "more")
