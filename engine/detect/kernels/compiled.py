"""How kernels are compiled: explicit signatures, kept on disk, without the interpreter's lock.

A kernel allocates nothing, so that references to its arrays need not be counted (`_nrt=False`): counting took four
fifths of the time of a window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numba

from geo.compiled import warn_uncached

F = TypeVar("F", bound=Callable[..., Any])

njit: Any = numba.njit

NEVER: Final = -(1 << 62)
"""Before all time; also "unset"."""
FOREVER: Final = 1 << 62
"""After all time; the due time of a timer that does not run."""


@cache
def _sources() -> str:
    """Return a digest of the sources of all kernels, pieces of which may stand in other files than they."""
    detect = Path(__file__).parents[1]
    files = sorted(file for room in ("kernels", "decode") for file in (detect / room).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


@contextmanager
def _cache_of_these_sources() -> Iterator[None]:
    """Keep compiled code of other sources apart: numba by itself notices changes of the kernel's own file only."""
    config: Any = numba.config
    before: str = config.CACHE_DIR
    root = Path(before) if before else Path(__file__).parent / "__pycache__"
    config.CACHE_DIR = str(root / _sources())
    try:
        yield
    finally:
        config.CACHE_DIR = before


def compiled(signature: object, *, _nrt: bool = False) -> Callable[[F], F]:
    """Compile a loop for one signature, at import, or take it from the cache.

    Where no cache can be written it is compiled anew each time, with a warning. `_nrt=True` is for one that allocates.
    """

    def build(function: F) -> F:
        try:
            with _cache_of_these_sources():
                built: F = njit(signature, cache=True, nogil=True, _nrt=_nrt)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            warn_uncached()
            built = njit(signature, nogil=True, _nrt=_nrt)(function)
        return built

    return build


def inlined(function: F) -> F:
    """Mark a piece of a kernel that every row passes: it becomes part of its callers."""
    built: F = njit(nogil=True, _nrt=False, forceinline=True)(function)
    return built


def called(function: F) -> F:
    """Mark a piece of a kernel that few rows pass: a function of its own."""
    built: F = njit(nogil=True, _nrt=False)(function)
    return built
