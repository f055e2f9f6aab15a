"""Nanoseconds per stage: functions are wrapped for one run of the benchmark, and nothing is in the engine for it."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Clock = Callable[[], int]


class Stages:
    """CPU time of this thread by stage; the time of an inner stage is not in the outer one."""

    def __init__(self, clock: Clock = time.thread_time_ns) -> None:
        self.ns: dict[str, int] = {}
        self._clock = clock
        self._running: list[str] = []
        self._since = 0

    def enter(self, stage: str) -> None:
        self._charge()
        self._running.append(stage)

    def leave(self) -> None:
        self._charge()
        self._running.pop()

    def _charge(self) -> None:
        now = self._clock()
        if self._running:
            stage = self._running[-1]
            self.ns[stage] = self.ns.get(stage, 0) + now - self._since
        self._since = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.enter(name)
        try:
            yield
        finally:
            self.leave()

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **named: Any) -> Any:
            with self.stage(name):
                return function(*args, **named)

        return timed


@contextmanager
def watched(stages: Stages, where: dict[str, str]) -> Iterator[None]:
    """Time functions and methods while inside: `where` maps `module:Class.name` or `module:name` to a stage."""
    before = []
    for path, name in where.items():
        module, _, dotted = path.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, last = dotted.split(".")
        for part in outer:
            owner = getattr(owner, part)
        kept = owner.__dict__[last] if isinstance(owner, type) else getattr(owner, last)
        before.append((owner, last, kept))
        setattr(owner, last, _wrapped(stages, name, kept))
    try:
        yield
    finally:
        for owner, last, kept in reversed(before):
            setattr(owner, last, kept)


def _wrapped(stages: Stages, name: str, kept: Any) -> Any:
    if isinstance(kept, classmethod):
        return classmethod(stages.wrapped(name, kept.__func__))
    return stages.wrapped(name, kept)
