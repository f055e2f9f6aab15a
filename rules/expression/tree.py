"""The syntax tree: a finite set of nodes, each with the offset in the text that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Constant = None | bool | float | str


class Type(Enum):
    """What a node can be; ANY is known only when a reading comes (attributes)."""

    NULL = "null"
    BOOL = "boolean"
    NUMBER = "number"
    STRING = "string"
    ANY = "any"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Literal:
    at: int
    value: Constant


@dataclass(frozen=True, slots=True)
class ListLiteral:
    at: int
    items: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """`v`, `lon`, `lat`, `sensor` or `kind`."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Attr:
    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    at: int
    op: str
    operand: Tree


@dataclass(frozen=True, slots=True)
class Binary:
    at: int
    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`."""

    at: int
    condition: Tree
    yes: Tree
    no: Tree


@dataclass(frozen=True, slots=True)
class Call:
    at: int
    name: str
    args: tuple[Tree, ...]


Tree = Literal | ListLiteral | Name | Attr | Unary | Binary | Choice | Call
