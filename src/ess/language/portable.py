"""Checked expressions as plain values that JSON has, and back: what travels to the servers of a database.

A tree becomes its steps, operands first, so that no depth of it is a depth of the form, and no part can stand in two
places. A peer may send anything: the reader takes nothing on trust. It knows names, arguments and types from its own
scope and its own table of functions, and refuses what the checker would not have made.

>>> from ess.language.checker import check_filter
>>> from ess.language.scope import Scope
>>> from ess.schema import parse_column
>>> scope = Scope()
>>> _ = scope.add(parse_column("i:count", where="-d"))
>>> form = expression_form(check_filter("count > 1", scope, where="-filt"))
>>> form
(('get', 'count'), ('integer', 1), ('compare', '>', False))
>>> read_expression(form, scope) == check_filter("count > 1", scope, where="-filt")
True
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from ess.errors import OptionError
from ess.language.arguments import is_known_word, settable
from ess.language.function import Argument, ArgumentError, Form, Function, Parameter
from ess.language.functions import FUNCTIONS
from ess.language.plain import Plain
from ess.language.scope import Scope
from ess.language.tree import (
    Arithmetic,
    ArithmeticOperator,
    Attributes,
    Both,
    Builtin,
    BuiltinName,
    Call,
    Compare,
    CompareOperator,
    Concatenate,
    Constant,
    Either,
    Node,
    Not,
    Reference,
    Slot,
    Target,
    ToFloat,
    ToInteger,
    Truth,
    ValueType,
    value_type,
)
from ess.language.values import LARGEST, SMALLEST
from ess.schema.types import ColumnType

#: How deep operands may nest, long chains apart, and how long a chain may be; a program that is written has far less.
MAX_NESTING, MAX_CHAIN = 300, 1000

#: How many references to ``$Random`` there may be.
_MOST_SITES = 1 << 20

_NUMBERS = (ValueType.INTEGER, ValueType.FLOAT)
_BITWISE = (ArithmeticOperator.AND, ArithmeticOperator.OR, ArithmeticOperator.XOR)
_BITS = (CompareOperator.BITS_ALL, CompareOperator.BITS_ANY)
_CHAINS = Arithmetic | Concatenate | Both | Either


Kind = TypeVar("Kind", ArithmeticOperator, CompareOperator, BuiltinName)


class MalformedForm(Exception):
    """Raised for a form that is none of ours; the text says what is wrong with it."""


# Writing --------------------------------------------------------------------------------------------------------------


def expression_form(root: Node) -> tuple[Plain, ...]:
    """The steps of a tree.

    Raises:
        OptionError: If it is nested deeper than is taken.
        TypeError: If it calls a function that is not in the table.
    """
    steps: list[Plain] = []
    pending: list[tuple[Argument, bool]] = [(root, False)]
    while pending:
        node, is_ready = pending.pop()
        operands = () if is_ready else _operands(node)
        if operands:
            pending.append((node, True))
            pending += [(operand, False) for operand in reversed(operands)]
        else:
            steps.append(_step(node))
    _require_shallow(root)
    return tuple(steps)


def constant_form(kind: ValueType, value: bytes | int | float) -> tuple[Plain, ...]:
    """The step of a constant."""
    if isinstance(value, bytes):
        if kind is ValueType.IP:
            return ("address", value.hex())
        return ("text", value.decode("utf-8", "surrogateescape"))
    # All 64 bits of a number: JSON has no infinity, and no sign of NaN.
    return ("number", struct.pack(">d", value).hex()) if kind is ValueType.FLOAT else ("integer", int(value))


def _operands(node: Argument) -> tuple[Argument, ...]:
    if isinstance(node, ToFloat | ToInteger | Truth | Not):
        return (node.operand,)
    if isinstance(node, Arithmetic | Concatenate | Compare | Both | Either):
        return (node.left, node.right)
    return node.arguments if isinstance(node, Call) else ()


def _step(node: Argument) -> tuple[Plain, ...]:
    match node:
        case Constant(kind, value):
            return constant_form(kind, value)
        case Reference(_, slot):
            return ("get", slot.key)
        case Builtin(name, site):
            return ("builtin", name.value, site)
        case Arithmetic(_, operator):
            return ("arithmetic", operator.value)
        case Compare(comparison, _, _, ignore_case):
            return ("compare", comparison.value, ignore_case)
        case Attributes(words):
            return ("words", words)
        case Target(slot):
            return ("into", slot.key)
        case Call(_, function, arguments):
            if FUNCTIONS.get(function.key) is not function:
                raise TypeError(f"{function.name} is not in the table of functions")
            return ("call", function.key, len(arguments))
    return (_BY_OPERANDS[type(node)],)


#: Nodes that are told by their operands alone.
_BY_OPERANDS: dict[type, str] = {
    ToFloat: "to_float",
    ToInteger: "to_integer",
    Concatenate: "join",
    Truth: "truth",
    Not: "not",
    Both: "both",
    Either: "either",
}


def _require_shallow(root: Node) -> None:
    """Refuse a tree that the reader would refuse."""
    pending: list[tuple[Argument, int, int]] = [(root, 1, 0)]
    while pending:
        node, depth, chain = pending.pop()
        if depth > MAX_NESTING or chain > MAX_CHAIN:
            raise OptionError("an expression is nested too deeply", hint="split it over several options")
        if isinstance(node, _CHAINS):
            pending += ((node.left, depth, chain + 1), (node.right, depth + 1, 0))
        else:
            pending += ((operand, depth + 1, 0) for operand in _operands(node))


# Reading --------------------------------------------------------------------------------------------------------------


def read_expression(form: Plain, scope: Scope) -> Node:
    """The tree of a form, checked anew.

    Args:
        form: From `expression_form`, or from a peer.
        scope: The names it may use.

    Raises:
        MalformedForm: If it is none of ours.
    """
    reader = _Reader(scope)
    for step in _tuple(form):
        reader.take(_tuple(step))
    return reader.result()


def read_condition(form: Plain, scope: Scope) -> Node:
    """As `read_expression`, for what is asked whether it holds.

    Raises:
        MalformedForm: Also if it is no truth value.
    """
    return _truth(read_expression(form, scope))


def read_constant(form: Plain, kind: ValueType) -> bytes | int | float:
    """A constant of a type.

    Raises:
        MalformedForm: If it is none of ours, or of another type. An integer may be of any size.
    """
    match form:
        case ("text", str() as text) if kind is ValueType.STRING:
            return _bytes(text)
        case ("integer", int() as number) if kind is ValueType.INTEGER and not isinstance(number, bool):
            return number
        case ("number", str() as digits) if kind is ValueType.FLOAT and len(digits) == 16:
            found: float = struct.unpack(">d", _from_hex(digits))[0]
            return found
        case ("address", str() as digits) if kind is ValueType.IP and len(digits) in (0, 8, 32):
            return _from_hex(digits)
    raise MalformedForm(f"no constant of the type {kind.value}")


def read_slot(key: Plain, scope: Scope) -> Slot:
    """The column or variable of a key.

    Raises:
        MalformedForm: If there is none.
    """
    slot = scope.slot_of(key) if isinstance(key, str) else None
    if slot is None:
        raise MalformedForm("an unknown column")
    return slot


class _Reader:
    """Takes steps; operands wait on a stack, each with how deep it nests and how long its chain is."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._stack: list[tuple[Argument, int, int]] = []

    def result(self) -> Node:
        """The tree, when all steps are taken."""
        if len(self._stack) != 1:
            raise MalformedForm("not one expression")
        return _value(self._stack[0][0])

    def take(self, step: tuple[Plain, ...]) -> None:
        """Take the next step."""
        match step:
            case (("text" | "integer" | "number" | "address") as kind, _):
                constant = Constant(_CONSTANTS[kind], read_constant(step, _CONSTANTS[kind]))
                if isinstance(constant.value, int) and not SMALLEST <= constant.value <= LARGEST:
                    raise MalformedForm("an integer of more than 64 bits")
                self._push(constant)
            case ("get", key):
                slot = read_slot(key, self._scope)
                self._push(Reference(value_type(slot.type), slot))
            case ("into", key):
                self._push(Target(read_slot(key, self._scope)))
            case ("words", tuple() as words):
                self._push(Attributes(tuple(_text(word) for word in words)))
            case ("builtin", name, int() as site) if 0 <= site < _MOST_SITES and not isinstance(site, bool):
                self._push(Builtin(_member(BuiltinName, name), site))
            case ("arithmetic", operator):
                self._pair(_arithmetic(_member(ArithmeticOperator, operator)))
            case ("compare", operator, bool() as ignore_case):
                self._pair(_compare(_member(CompareOperator, operator), ignore_case))
            case ("join" | "both" | "either" as name,):
                self._pair(_PAIRS[name])
            case ("to_float" | "to_integer" | "truth" | "not" as name,):
                ((operand, depth, _),) = self._pop(1)
                self._push(_SINGLE[name](_value(operand)), depth + 1)
            case ("call", str() as key, int() as count) if count >= 0 and not isinstance(count, bool):
                found = self._pop(count)
                depth = max((depth for _, depth, _ in found), default=0)
                self._push(_call(self._scope, key, tuple(argument for argument, _, _ in found)), depth + 1)
            case _:
                raise MalformedForm("an unknown step")

    def _pair(self, make: Callable[[Node, Node], Node]) -> None:
        (left, left_depth, chain), (right, right_depth, _) = self._pop(2)
        node = make(_value(left), _value(right))
        if isinstance(node, _CHAINS):
            self._push(node, max(left_depth, right_depth + 1), chain + 1)
        else:
            self._push(node, max(left_depth, right_depth) + 1)

    def _push(self, node: Argument, depth: int = 1, chain: int = 0) -> None:
        if depth > MAX_NESTING or chain > MAX_CHAIN:
            raise MalformedForm("an expression that is nested too deeply")
        self._stack.append((node, depth, chain))

    def _pop(self, count: int) -> list[tuple[Argument, int, int]]:
        if count > len(self._stack):
            raise MalformedForm("an operand that is missing")
        found = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return found


_CONSTANTS = {
    "text": ValueType.STRING,
    "integer": ValueType.INTEGER,
    "number": ValueType.FLOAT,
    "address": ValueType.IP,
}


# Types ----------------------------------------------------------------------------------------------------------------


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise MalformedForm(what)


def _value(node: Argument) -> Node:
    if isinstance(node, Attributes | Target):
        raise MalformedForm("words or a target where a value should be")
    return node


def _truth(node: Node) -> Node:
    """A node whose value is 1 or 0."""
    is_truth = isinstance(node, Compare | Truth | Not | Both | Either)
    is_fixed = isinstance(node, Constant) and node.type is ValueType.INTEGER and node.value in (0, 1)
    _require(is_truth or is_fixed, "a value where a condition should be")
    return node


def _typed(node: Node, *types: ValueType) -> Node:
    _require(node.type in types, f"a value of the type {node.type.value} where another should be")
    return node


def _arithmetic(operator: ArithmeticOperator) -> Callable[[Node, Node], Node]:
    types = (ValueType.INTEGER,) if operator in _BITWISE else _NUMBERS

    def make(left: Node, right: Node) -> Node:
        _require(left.type is right.type, "operands of two types")
        return Arithmetic(_typed(left, *types).type, operator, left, right)

    return make


def _compare(operator: CompareOperator, ignore_case: bool) -> Callable[[Node, Node], Node]:
    def make(left: Node, right: Node) -> Node:
        _require(left.type is right.type, "operands of two types")
        _require(not ignore_case or left.type is ValueType.STRING, "a case to ignore where there are no strings")
        _require(operator not in _BITS or left.type is ValueType.INTEGER, "bits of what is no integer")
        return Compare(operator, left, right, ignore_case)

    return make


_PAIRS: dict[str, Callable[[Node, Node], Node]] = {
    "join": lambda left, right: Concatenate(_typed(left, ValueType.STRING), _typed(right, ValueType.STRING)),
    "both": lambda left, right: Both(_truth(left), _truth(right)),
    "either": lambda left, right: Either(_truth(left), _truth(right)),
}
_SINGLE: dict[str, Callable[[Node], Node]] = {
    "to_float": lambda node: ToFloat(_typed(node, ValueType.INTEGER)),
    "to_integer": lambda node: ToInteger(_typed(node, ValueType.FLOAT)),
    "truth": Truth,
    "not": lambda node: Not(_truth(node)),
}


def _call(scope: Scope, key: str, arguments: tuple[Argument, ...]) -> Call:
    function = FUNCTIONS.get(key)
    if function is None:
        raise MalformedForm("an unknown function")
    own = arguments[: len(function.parameters)] if function.stores_by_name else arguments
    parameters = _parameters(function, len(own))
    for argument, parameter in zip(own, parameters, strict=False):
        _require(_fits(argument, parameter, scope), f"an argument that {function.name} does not take")
    if function.stores_by_name:  # the columns that it could find at run time
        _require(list(arguments[len(own) :]) == settable(scope, own[1]), f"columns that {function.name} does not find")
    types = [node.type for node in function.evaluated(arguments)]
    try:
        result = function.result if isinstance(function.result, ValueType) else function.result(types)
        function.bind(arguments)
    except ArgumentError as error:
        raise MalformedForm(f"{function.name}: {error.what}") from None
    return Call(result, function, arguments)


def _parameters(function: Function, count: int) -> list[Parameter]:
    """The parameters of so many arguments; the checker fills optional lists of words in."""
    parameters = function.parameters_of(count)
    fewest = [*function.parameters, *function.repeated * function.at_least, *function.trailing]
    left_out = max(parameters, fewest, key=len)[count:]
    _require(
        count <= len(parameters) and all(p.optional and p.form is not Form.ATTRIBUTES for p in left_out),
        f"a number of arguments that {function.name} does not take",
    )
    return parameters


def _fits(argument: Argument, parameter: Parameter, scope: Scope) -> bool:
    match parameter.form, argument:
        case Form.ATTRIBUTES, Attributes(words):
            return all(is_known_word(word, parameter) for word in words)
        case Form.WORD, Attributes(words):
            return len(words) == 1 and is_known_word(words[0], parameter)
        case Form.CONSTANT, Constant(ValueType.STRING):
            return True
        case ((Form.TARGET | Form.TARGET_OR_TYPE), Target(slot)):
            return value_type(slot.type) in parameter.types and not scope.refusal(slot)
        case Form.TARGET_OR_TYPE, Attributes(words):
            return len(words) == 1 and words[0].upper() in ColumnType.__members__ and words[0] == words[0].lower()
        case Form.VALUE, node if not isinstance(node, Attributes | Target):
            return node.type in parameter.types and parameter.convert in (None, node.type)
    return False


# Plain values ---------------------------------------------------------------------------------------------------------


def _tuple(form: Plain) -> tuple[Plain, ...]:
    if not isinstance(form, tuple):
        raise MalformedForm("no list where one should be")
    return form


def _text(form: Plain) -> str:
    if not isinstance(form, str):
        raise MalformedForm("no text where some should be")
    return form


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise MalformedForm("half a character") from None


def _from_hex(digits: str) -> bytes:
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    _require(found.hex() == digits, "bad digits")
    return found


def _member(kind: type[Kind], value: Plain) -> Kind:
    try:
        return kind(value)
    except ValueError:
        raise MalformedForm("an unknown operator or variable") from None
