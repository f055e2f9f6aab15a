"""How kernels are compiled: explicit signatures, kept on disk, without the interpreter's lock."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

NEVER: Final = -(1 << 62)
"""Before all time; also "unset"."""
FOREVER: Final = 1 << 62
"""After all time; the due time of a timer that does not run."""


def compiled(signature: object, **options: Any) -> Callable[[F], F]:
    """Compile a loop for one signature, at import; without a place for the cache it is compiled anew each time, and says so.

    With `_nrt=False` nothing is allocated inside, and no references to arrays are counted: without it each call of a piece that takes
    arrays costs atomic operations for each of them.
    """

    def build(function: F) -> F:
        try:
            built: F = njit(signature, cache=True, nogil=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            warnings.warn(f"compiling {function.__name__} without a cache: {error}; set NUMBA_CACHE_DIR", stacklevel=2)
            built = njit(signature, nogil=True, **options)(function)
        return built

    return build


def inlined(function: F) -> F:
    """Mark a piece of a kernel: compiled together with its callers, which stand in the same file."""
    built: F = njit(nogil=True)(function)
    return built
