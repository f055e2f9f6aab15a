"""How kernels are compiled: explicit signatures, kept on disk, without the interpreter's lock.

A kernel allocates nothing, so that references to its arrays need not be counted (`_nrt=False`): counting took four
fifths of the time of a window.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

njit: Any = numba.njit

NEVER: Final = -(1 << 62)
"""Before all time; also "unset"."""
FOREVER: Final = 1 << 62
"""After all time; the due time of a timer that does not run."""


def compiled(signature: object, *, _nrt: bool = False) -> Callable[[F], F]:
    """Compile a loop for one signature, at import, or take it from the cache.

    Where no cache can be written it is compiled anew each time, with a warning. `_nrt=True` is for one that allocates.
    """

    def build(function: F) -> F:
        try:
            built: F = njit(signature, cache=True, nogil=True, _nrt=_nrt)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            said = "compiled without a cache; set NUMBA_CACHE_DIR to a folder that can be written"
            warnings.warn(f"{function.__name__} is {said}", stacklevel=2)
            built = njit(signature, nogil=True, _nrt=_nrt)(function)
        return built

    return build


def inlined(function: F) -> F:
    """Mark a piece of a kernel that every row passes: it becomes part of its callers, which stand in the same file."""
    built: F = njit(nogil=True, _nrt=False, forceinline=True)(function)
    return built


def called(function: F) -> F:
    """Mark a piece of a kernel that few rows pass: a function of its own, called in the same file."""
    built: F = njit(nogil=True, _nrt=False)(function)
    return built
