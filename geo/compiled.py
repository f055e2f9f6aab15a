"""Loops compiled by numba, as this project compiles them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


@cache
def warn_uncached() -> None:
    """Say, once in a process, that compiled code cannot be kept."""
    said = "code is compiled anew at each start: set NUMBA_CACHE_DIR to a folder that can be written"
    warnings.warn(said, stacklevel=2)


def compiled(signature: str, **options: Any) -> Callable[[F], F]:
    """Compile for one signature, at import, without the GIL, and keep the code in numba's cache.

    Where the cache has no place (NUMBA_CACHE_DIR names one) the loop is compiled anew each time, with a warning.
    """

    def build(function: F) -> F:
        try:
            return cast(F, njit(signature, cache=True, nogil=True, **options)(function))
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            warn_uncached()
            return cast(F, njit(signature, nogil=True, **options)(function))

    return build
