"""Eight bytes at a time: loads, and tests of all eight in a few instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from engine.detect.kernels.compiled import inlined

ONES = np.uint64(0x0101010101010101)
HIGHS = np.uint64(0x8080808080808080)
QUOTES = np.uint64(0x2222222222222222)
BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
SPACES = np.uint64(0x2020202020202020)
NEWLINES = np.uint64(0x0A0A0A0A0A0A0A0A)


Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Word = Any
"""uint64 in compiled code, where it mixes with whole numbers otherwise than numpy's own type does."""


def record_type(record: type[Any], fields: Sequence[Any]) -> Any:
    """Return the compiled type of a NamedTuple with these types of fields."""
    return types.NamedTuple(tuple(fields), record)  # type: ignore[no-untyped-call]


@intrinsic
def _load8(typing_context: Any, data: Any, position: Any) -> Any:
    del typing_context
    signature = types.uint64(data, position)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        index = context.cast(builder, args[1], signature.args[1], types.intp)
        address = builder.gep(array.data, [index])
        word = builder.load(builder.bitcast(address, ir.PointerType(ir.IntType(64))))
        word.align = 1
        return word

    return signature, generate


load8: Callable[[Bytes, int], Word] = cast(Any, _load8)
"""Load uint64 from `data[position : position + 8]` (uint8[n]), little end first, unaligned, unchecked."""


@intrinsic
def _store8(typing_context: Any, data: Any, position: Any, word: Any) -> Any:
    del typing_context, word
    signature = types.void(data, position, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        index = context.cast(builder, args[1], signature.args[1], types.intp)
        address = builder.gep(array.data, [index])
        builder.store(args[2], builder.bitcast(address, ir.PointerType(ir.IntType(64)))).align = 1
        return context.get_dummy_value()

    return signature, generate


store8: Callable[[Bytes, int, Word], None] = cast(Any, _store8)
"""Store a word at `data[position : position + 8]`, as `load8` loads it."""


@intrinsic
def _byte_at(typing_context: Any, data: Any, position: Any) -> Any:
    del typing_context
    signature = types.int64(data, position)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        index = context.cast(builder, args[1], signature.args[1], types.intp)
        return builder.zext(builder.load(builder.gep(array.data, [index])), ir.IntType(64))

    return signature, generate


byte_at: Callable[[Bytes, int], int] = cast(Any, _byte_at)
"""Load one byte as int64, unchecked; unlike `data[position]` without a thought for negative positions."""


@intrinsic
def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    del typing_context
    signature = types.int64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.cttz(args[0], cgutils.false_bit)

    del word
    return signature, generate


trailing_zeros: Callable[[Word], int] = cast(Any, _trailing_zeros)
"""Count the zero bits below the lowest one bit of a word; 64 for zero."""


@intrinsic
def _leading_zeros(typing_context: Any, word: Any) -> Any:
    del typing_context, word
    signature = types.int64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.ctlz(args[0], cgutils.false_bit)

    return signature, generate


leading_zeros: Callable[[Word], int] = cast(Any, _leading_zeros)
"""Count the zero bits above the highest one bit of a word; 64 for zero."""


@intrinsic
def _upper_product(typing_context: Any, left: Any, right: Any) -> Any:
    del typing_context, left, right
    signature = types.uint64(types.uint64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))

    return signature, generate


upper_product: Callable[[Word, Word], Word] = cast(Any, _upper_product)
"""Return the upper 64 of the 128 bits of a product."""


@intrinsic
def _float_of(typing_context: Any, bits: Any) -> Any:
    del typing_context, bits
    signature = types.float64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.bitcast(args[0], ir.DoubleType())

    return signature, generate


float_of: Callable[[Word], float] = cast(Any, _float_of)
"""Return the double that has these bits."""


@inlined
def masked(word: Word, length: int) -> Word:
    """Keep the first `length` (0 to 8) bytes of a word."""
    if length >= 8:
        return word
    return word & ((np.uint64(1) << np.uint64(8 * length)) - np.uint64(1))


@inlined
def _signed(word: Word) -> Any:
    return np.int64(word)


signed: Callable[[Word], int] = _signed
"""Take a word below 2**63, or an element of an array, as a signed whole number."""
