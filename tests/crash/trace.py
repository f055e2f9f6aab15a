"""System calls of a traced process, in the order in which they began or ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CALLS = "pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg"
COMMAND = ["strace", "-f", "-y", "-xx", "-s", "65536", "-e", f"trace={CALLS}", "-o"]
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\((\d+)<([^>]*)>)(.*)$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Call:
    """A call of a thread on a file: when it was begun, with its bytes, or (`ended`) when it came back."""

    thread: str
    name: str
    file: str
    data: bytes
    ended: bool


def read(path: Path) -> list[Call]:
    """Read a trace; a call that was not interrupted begins and ends in one line, so it is both."""
    calls: list[Call] = []
    under_way: dict[str, Call] = {}
    for line in path.read_text("ascii", "replace").splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        thread, resumed, name, _, file, rest = found.groups()
        if resumed:
            begun = under_way.pop(thread, None)
            if begun is not None:
                calls.append(Call(thread, begun.name, begun.file, b"", True))
            continue
        data = b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(rest))
        begun = Call(
            thread,
            name,
            bytes.fromhex(file.replace("\\x", "")).decode() if file.startswith("\\x") else file,
            data,
            False,
        )
        calls.append(begun)
        if "<unfinished ...>" in rest:
            under_way[thread] = begun
        else:
            calls.append(Call(thread, name, begun.file, b"", True))
    return calls
