"""What the processor does faster than a loop says it: bytes copied, rows of arrays brought near.

Both do the same, or nothing, where kernels run as plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from engine.detect.kernels.compiled import inlined

LINE_BYTES: Final = 64
AHEAD_BYTES: Final = 4096
"""Texts are brought near so far before it is their turn: some twenty readings."""
LINES: Final = 4
"""At each record: a reading is about as long."""

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


memcpy: Any = cgutils.raw_memcpy


def copy_bytes(target: U8, at: int, source: U8, start: int, length: int) -> None:
    """Copy `source[start : start + length]` to `target[at:]`; that both have room is not checked."""
    target[at : at + length] = source[start : start + length]


def near(rows: I64, row: int, first: int) -> None:
    """Bring the line of the cache that holds `rows[row, first]` near, without waiting for it."""


def ahead(array: npt.NDArray[Any], index: int) -> None:
    """Bring the line of the cache that holds `array[index]` near, without waiting for it; it may be beyond the end."""


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.PointerType(ir.IntType(8)))


@intrinsic
def _copy_bytes(typing_context: Any, target: Any, at: Any, source: Any, start: Any, length: Any) -> Any:
    del typing_context, at, start, length
    signature = types.void(target, types.int64, source, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to_kind, _, from_kind, _, _ = signature.args
        to = _address(context, builder, to_kind, args[0], args[1])
        memcpy(builder, to, _address(context, builder, from_kind, args[2], args[3]), args[4], 1)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _near(typing_context: Any, rows: Any, row: Any, first: Any) -> Any:
    del typing_context, row, first
    signature = types.void(rows, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        width = builder.extract_value(array.shape, 1)
        index = builder.add(builder.mul(args[1], width), args[2])
        return _prefetch(context, builder, _address(context, builder, signature.args[0], args[0], index))

    return signature, generate


@intrinsic
def _ahead(typing_context: Any, array: Any, index: Any) -> Any:
    del typing_context, index
    signature = types.void(array, types.int64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _prefetch(context, builder, _address(context, builder, signature.args[0], args[0], args[1]))

    return signature, generate


def _prefetch(context: Any, builder: Any, address: Any) -> Any:
    number = ir.IntType(32)
    function = builder.module.declare_intrinsic(
        "llvm.prefetch", [address.type], ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
    )
    builder.call(function, [address, number(1), number(3), number(1)])
    return context.get_dummy_value()


@overload(copy_bytes, strict=False)
def _compiled_copy(target: Any, at: Any, source: Any, start: Any, length: Any) -> Callable[..., None]:
    del target, at, source, start, length
    compiled: Any = _copy_bytes
    return lambda target, at, source, start, length: compiled(target, at, source, start, length)


@overload(near, strict=False)
def _compiled_near(rows: Any, row: Any, first: Any) -> Callable[..., None]:
    del rows, row, first
    compiled: Any = _near
    return lambda rows, row, first: compiled(rows, row, first)


@overload(ahead, strict=False)
def _compiled_ahead(array: Any, index: Any) -> Callable[..., None]:
    del array, index
    compiled: Any = _ahead
    return lambda array, index: compiled(array, index)


@inlined
def text_ahead(data: U8, at: int) -> None:
    """Bring a piece of a text near that is read from one end to the other, record by record, and now at `at`."""
    for line in range(LINES):
        ahead(data, at + AHEAD_BYTES + LINE_BYTES * line)
