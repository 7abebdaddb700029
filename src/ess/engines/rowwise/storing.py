"""Conversion of a value of unknown range to what a slot of some type holds.

A slot holds plain values: bytes, float, or an int inside its type's range. The 64-bit unsigned
type L is held as the signed number of the same bits, as in expressions.
"""

from __future__ import annotations

from collections.abc import Callable

from ess.language.function import Value
from ess.language.values import to_integer, wrap
from ess.schema.types import ColumnType


def _integer(value: Value) -> int:
    if isinstance(value, bytes):
        raise TypeError("a string cannot be stored in a numeric column")
    return to_integer(value) if isinstance(value, float) else value


def _unsigned32(value: Value) -> int:
    return _integer(value) & 0xFFFFFFFF


def _signed32(value: Value) -> int:
    return ((_integer(value) + 2**31) & 0xFFFFFFFF) - 2**31


def _signed64(value: Value) -> int:
    return wrap(_integer(value))


def _float(value: Value) -> float:
    return float(value)


def _bytes(value: Value) -> Value:
    return value


STORE: dict[ColumnType, Callable[[Value], Value]] = {
    ColumnType.S: _bytes,
    ColumnType.IP: _bytes,
    ColumnType.F: _float,
    ColumnType.L: _signed64,
    ColumnType.LS: _signed64,
    ColumnType.I: _unsigned32,
    ColumnType.IS: _signed32,
}
