"""Function calls: Polars expressions where they pay, else the row implementation over distinct values.

A function without a kernel is computed by its own row implementation, once a distinct argument
tuple, so a function that is new in the language needs nothing here.
"""

from __future__ import annotations

import polars as pl

from ess.engines.columnar.distinct import Scalar, map_distinct_to_frame, row_kernel
from ess.engines.columnar.kernels import KERNELS
from ess.engines.columnar.lookup import FirstMatch
from ess.engines.columnar.plan import Context, ExceptionalRowError
from ess.engines.columnar.storage import VALUE_DTYPES, value_literal
from ess.engines.columnar.support import STORING_ELSEWHERE, gap
from ess.engines.rowwise.storing import STORE
from ess.language.function import RecordError, RowFunction
from ess.language.tree import Call, Constant, ValueType, value_type

#: The constant arguments of a call, None where an argument varies.
_Constants = tuple[Scalar | None, ...]


def call_value(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr:
    """The value of ``call``; ``arguments`` are those of ``call.function.evaluated``.

    Calls that store into columns have been taken out of the expression before, where they can be.

    Raises:
        Unsupported: If the function stores into columns or is not pure.
    """
    function = call.function
    if function.targets(call.arguments):
        raise gap(STORING_ELSEWHERE)
    if not function.pure:
        raise gap("functions that are not pure")
    evaluated = function.evaluated(call.arguments)
    constants = tuple(node.value if isinstance(node, Constant) else None for node in evaluated)
    if None not in constants:
        return _constant_call(call, constants, context)
    kernel = KERNELS.get(function.key)
    expression = kernel(call, arguments, context) if kernel is not None else None
    return expression if expression is not None else _distinct_call(call, arguments, constants, context)


def _constant_call(call: Call, constants: _Constants, context: Context) -> pl.Expr:
    try:
        return value_literal(call.function.bind(call.arguments)(*constants), call.type)
    except RecordError:
        context.guard(pl.lit(True))
        return value_literal(b"" if call.type in (ValueType.STRING, ValueType.IP) else 0, call.type)


def _distinct_call(call: Call, arguments: tuple[pl.Expr, ...], constants: _Constants, context: Context) -> pl.Expr:
    function = call.function.bind(call.arguments)
    if isinstance(function, FirstMatch) and all(constant is None for constant in constants):
        over = function.over
        return context.stage(
            lambda columns: over(columns).get_column("result"), *(context.only_active(a) for a in arguments)
        )
    varying = [argument for argument, constant in zip(arguments, constants, strict=True) if constant is None]
    kernel = row_kernel(_with_constants(function, constants), VALUE_DTYPES[call.type])
    return context.stage(kernel, *(context.only_active(argument) for argument in varying))


def _with_constants(function: RowFunction, constants: _Constants) -> RowFunction:
    """``function`` of the varying arguments only."""
    if all(constant is None for constant in constants):
        return function
    if constants.count(None) == 1:
        at = constants.index(None)
        before, after = constants[:at], constants[at + 1 :]
        return lambda varying: function(*before, varying, *after)

    def bound(*varying: Scalar) -> Scalar:
        rest = iter(varying)
        result: Scalar = function(*(next(rest) if constant is None else constant for constant in constants))
        return result

    return bound


def stored_values(call: Call, arguments: tuple[pl.Expr, ...], context: Context) -> pl.Expr:
    """The results of a call that stores into columns, as a struct column.

    Its fields are ``result``, the call's value, and ``0``, ``1`` and so on, the new values of the
    targets in the data type that an expression would read; all are null where the call is not made.

    Args:
        call: The call; its function is called with its arguments and the targets' present values.
        arguments: The expressions of both.
        context: The place of the call.
    """
    if not call.function.pure:
        raise gap("functions that are not pure")
    targets = call.function.targets(call.arguments)
    function = call.function.bind(call.arguments)
    if isinstance(function, FirstMatch):
        over = function.over
        return context.stage(
            lambda columns: over(columns).to_struct(), *(context.only_active(argument) for argument in arguments)
        )
    stores = [STORE[target.slot.type] for target in targets]
    schema = {"result": VALUE_DTYPES[call.type]}
    schema |= {str(i): VALUE_DTYPES[value_type(target.slot.type)] for i, target in enumerate(targets)}

    def stored(*values: Scalar) -> list[Scalar]:
        result, *news = function(*values)
        return [result, *(store(new) for store, new in zip(stores, news, strict=True))]

    def kernel(arguments: tuple[pl.Series, ...]) -> pl.Series:
        try:
            return map_distinct_to_frame(stored, arguments, schema).to_struct()
        except RecordError as rejected:
            raise ExceptionalRowError from rejected

    return context.stage(kernel, *(context.only_active(argument) for argument in arguments))
