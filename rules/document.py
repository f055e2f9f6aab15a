"""A YAML 1.2 file as nodes that know where they stand.

Built from ruamel.yaml's event stream, iteratively, so that size, depth and aliases are bounded while reading: an alias
bomb or a thousand brackets end in one fault, not in an exhausted machine. Plain
scalars follow the core schema of YAML 1.2 (10.3.2).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from rules.faults import Fault

MAX_BYTES = 1 << 20
MAX_DEPTH = 24
MAX_NODES = 50_000

Scalar = None | bool | int | float | str
Data = Scalar | list["Data"] | dict[str, "Data"]

_INT = re.compile(r"[-+]?[0-9]+")
_OCT_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(slots=True)
class Node:
    """A scalar (`value`, `text`), a list (`items`) or a mapping (`entries`, in file order, duplicates kept)."""

    line: int
    column: int
    value: Scalar = None
    text: str = ""
    items: list[Node] | None = None
    entries: list[tuple[Node, Node]] | None = None
    size: int = 1

    @property
    def scalar(self) -> bool:
        return self.items is None and self.entries is None

    def shown(self, limit: int = 80) -> str:
        """Return the value as a message quotes it."""
        if self.scalar:
            whole = (
                json.dumps(self.value, ensure_ascii=False) if isinstance(self.value, str) else self.text or "nothing"
            )
        elif self.items is not None:
            whole = "[" + ", ".join(item.shown(20) for item in self.items[:8]) + (", …" * (len(self.items) > 8)) + "]"
        else:
            pairs = (f"{key.text}: {value.shown(20)}" for key, value in (self.entries or [])[:8])
            whole = "{" + ", ".join(pairs) + "}"
        return whole if len(whole) <= limit else whole[: limit - 1] + "…"


@dataclass(slots=True)
class FaultList:
    """Gathers the faults of one file."""

    file: str
    faults: list[Fault] = field(default_factory=list)

    def add(self, node: Node, key: str, rule: str, got: str | None = None) -> None:
        self.at(node.line, node.column, key, rule, node.shown() if got is None else got)

    def at(self, line: int, column: int, key: str, rule: str, got: str) -> None:
        self.faults.append(Fault(self.file, line, column, _printable(key), rule, _printable(got)))


def read_text(path: Path, faults: FaultList, limit: int = MAX_BYTES) -> str | None:
    """Read a UTF-8 file of at most `limit` bytes; None and a fault if it cannot be."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        faults.at(0, 0, "file", "must be readable", error.strerror or type(error).__name__)
        return None
    if len(data) > limit:
        faults.at(0, 0, "file", f"must be at most {limit} bytes", "more")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        faults.at(line, column, "file", "must be UTF-8", f"byte 0x{data[error.start]:02x}")
        return None


def read_yaml(text: str, faults: FaultList) -> Node | None:
    """Parse one document; None and a fault where it is not YAML, not one document, or over the limits."""
    before = len(faults.faults)
    try:
        node = _Builder(faults).build(text)
        return node if len(faults.faults) == before else None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        faults.at(line, column, "yaml", "must be well-formed YAML 1.2", str(error.problem or error.context))
    except YAMLError as error:
        faults.at(0, 0, "yaml", "must be well-formed YAML 1.2", " ".join(str(error).split()))
    except _TooMuch as error:
        faults.at(error.line, error.column, "yaml", error.rule, "more")
    except (ValueError, OverflowError) as error:  # e.g. \U00110000 in a quoted string
        faults.at(0, 0, "yaml", "must be well-formed YAML 1.2", str(error))
    return None


def from_data(data: Any) -> Node:
    """Turn plain data (as JSON has it) into nodes without places."""
    if isinstance(data, dict):
        entries = [(from_data(key), from_data(value)) for key, value in data.items()]
        return Node(0, 0, entries=entries)
    if isinstance(data, list):
        return Node(0, 0, items=[from_data(item) for item in data])
    return Node(0, 0, data, data if isinstance(data, str) else json.dumps(data))


class _TooMuch(Exception):
    def __init__(self, mark: Any, rule: str) -> None:
        super().__init__(rule)
        self.line, self.column, self.rule = mark.line + 1, mark.column + 1, rule


class _Builder:
    def __init__(self, faults: FaultList) -> None:
        self.faults = faults
        self.anchors: dict[str, Node] = {}
        self.open: list[tuple[Node, list[Node], str | None]] = []
        self.total = 0
        self.root: Node | None = None

    def build(self, text: str) -> Node:
        for event in YAML(typ="rt", pure=True).parse(text):
            mark = event.start_mark
            if isinstance(event, ScalarEvent):
                self._refuse_tag(event)
                plain = event.style is None and event.tag is None
                value: Scalar = resolve(event.value) if plain else event.value
                node = Node(mark.line + 1, mark.column + 1, value, event.value)
                if plain and not event.value and self.open and self.open[-1][1]:
                    before = self.open[-1][1][-1]  # what is not there stands where its key stands
                    node.line, node.column = before.line, before.column
                self._place(node, event.anchor, mark)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._refuse_tag(event)
                node = Node(mark.line + 1, mark.column + 1)
                if isinstance(event, SequenceStartEvent):
                    node.items = []
                else:
                    node.entries = []
                self.open.append((node, [], event.anchor))
                if len(self.open) > MAX_DEPTH:
                    raise _TooMuch(mark, f"must be nested at most {MAX_DEPTH} deep")
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._close(mark)
            elif isinstance(event, AliasEvent):
                self._alias(event)
            elif isinstance(event, DocumentStartEvent) and self.root is not None:
                raise _TooMuch(mark, "must be one document")
        return self.root if self.root is not None else Node(1, 1)

    def _close(self, mark: Any) -> None:
        node, children, anchor = self.open.pop()
        if node.items is not None:
            node.items = children
        else:
            node.entries = list(zip(children[::2], children[1::2], strict=True))
        node.size = 1 + sum(child.size for child in children)
        self._place(node, anchor, mark, counted=True)

    def _place(self, node: Node, anchor: str | None, mark: Any, *, counted: bool = False) -> None:
        self.total += 1 if counted else node.size
        if self.total > MAX_NODES:
            raise _TooMuch(mark, f"must hold at most {MAX_NODES} values, aliases expanded")
        if anchor:
            self.anchors[anchor] = node
        if self.open:
            self.open[-1][1].append(node)
        else:
            self.root = node

    def _alias(self, event: Any) -> None:
        mark = event.start_mark
        target = self.anchors.get(event.anchor)
        if target is None:
            self.faults.at(
                mark.line + 1, mark.column + 1, "yaml", "an alias must follow its anchor", f"*{event.anchor}"
            )
            target = Node(mark.line + 1, mark.column + 1)
        self._place(target, None, mark)

    def _refuse_tag(self, event: Any) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) not in ("tag:yaml.org,2002:str", "!"):
            mark = event.start_mark
            self.faults.at(mark.line + 1, mark.column + 1, "yaml", "tags are not used here", str(tag))


def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar by the core schema of YAML 1.2; infinities and NaN stay text."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INT.fullmatch(text) and len(text) <= 4000:
        return int(text)
    if _OCT_HEX.fullmatch(text) and len(text) <= 4000:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _printable(text: str) -> str:
    """Keep a quoted value on one line and encodable."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
