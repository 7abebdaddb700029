"""Checked expressions to Python source."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping

from ess.engines.rowwise import code as level
from ess.engines.rowwise.code import Code, integer
from ess.engines.rowwise.inline import Inline, inline_of
from ess.engines.rowwise.storing import STORE
from ess.language import values
from ess.language.random_sequence import LARGEST as LARGEST_RANDOM
from ess.language.random_sequence import random_value
from ess.language.tree import (
    Arithmetic,
    ArithmeticOperator,
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
    ToFloat,
    ToInteger,
    Truth,
    ValueType,
)
from ess.schema.types import INTEGER_RANGES, ColumnType

#: How deep parentheses may nest before a part is kept in a temporary; Python refuses 200.
_DEEPEST = 40
#: Beyond this many bits an intermediate value is wrapped, so that numbers stay small.
_WIDEST = 2**192

_PLACE = re.compile(r"\$(\w)")

_COMPARE = {
    CompareOperator.EQUAL: "==",
    CompareOperator.GREATER: ">",
    CompareOperator.LESS: "<",
    CompareOperator.GREATER_EQUAL: ">=",
    CompareOperator.LESS_EQUAL: "<=",
}
_FLOAT_LEVELS = {
    ArithmeticOperator.ADD: level.SUM,
    ArithmeticOperator.SUBTRACT: level.SUM,
    ArithmeticOperator.MULTIPLY: level.PRODUCT,
}
_BIT_LEVELS = {
    ArithmeticOperator.AND: level.BIT_AND,
    ArithmeticOperator.XOR: level.BIT_XOR,
    ArithmeticOperator.OR: level.BIT_OR,
}


class ExpressionCompiler:
    """Compiles the expressions of one program.

    Generated code may use the locals ``i`` (0-based row of the batch), ``first`` (row number of row 0)
    and one local per slot.

    Args:
        random_seed: Where ``$Random`` starts.
        names: The locals of slots that the caller has named, by key.
        prefix: Begins the names of the other locals.
        namespace: Collects the globals that the generated code needs; one may serve several compilers.
        row_number: Source of ``$RowNum``.
        random_row: Source of the number of the row that ``$Random`` belongs to.
    """

    def __init__(
        self,
        random_seed: int,
        *,
        names: Mapping[str, str] | None = None,
        prefix: str = "s",
        namespace: dict[str, object] | None = None,
        row_number: str = "first + i",
        random_row: str = "first + i",
    ) -> None:
        self.namespace: dict[str, object] = {} if namespace is None else namespace
        self.namespace |= {
            "divide": values.divide,
            "remainder": values.remainder,
            "divide_floats": values.divide_floats,
            "remainder_floats": values.remainder_floats,
            "to_integer": values.to_integer,
            "is_nonzero_address": values.is_nonzero_address,
            "random_value": random_value,
            "time_ns": time.time_ns,
            "INF": math.inf,
            "NAN": math.nan,
        }
        self.can_reject = False
        self._random_seed = random_seed
        self._row_number = row_number
        self._random_row = random_row
        self._prefix = prefix
        self._locals: dict[str, str] = dict(names or {})
        self._temporaries = 0

    def local(self, slot: Slot) -> str:
        """The local variable that holds a slot's value."""
        return self._locals.setdefault(slot.key, f"{self._prefix}{len(self._locals)}")

    def condition(self, node: Node) -> Code:
        """Source whose truth, in Python's sense, is the truth of ``node``."""
        match node:
            case Not(Compare(CompareOperator.EQUAL, left, right, False)):  # also for NaN, which equals nothing
                return self._compare(Compare(CompareOperator.EQUAL, left, right), symbol="!=")
            case Not(operand):
                return Code(f"not {self.condition(operand).at(level.NOT)}", level.NOT)
            case Both() | Either():
                return self._logic(node)
            case Compare():
                return self._compare(node)
            case Truth(Call() as call) if (inline := inline_of(call)) is not None and inline.is_truth:
                return self._inline(call, inline)
            case Truth(operand):
                return self._truth(operand)
            case _:
                return self._truth(node)

    def value(self, node: Node) -> Code:
        """Source for a node's value; integers may exceed 64 bits (see ``Code``)."""
        match node:
            case Constant():
                return self._constant(node)
            case Reference(_, slot):
                low, high = INTEGER_RANGES.get(slot.type, (values.SMALLEST, values.LARGEST))
                if slot.type is ColumnType.L:
                    low, high = values.SMALLEST, values.LARGEST
                return Code(self.local(slot), level.ATOM, low, high)
            case Builtin():
                return self._builtin(node)
            case ToFloat(operand):
                return Code(f"float({self.value(operand).exact().text})")
            case ToInteger(operand):
                return Code(f"to_integer({self.value(operand).text})")
            case Arithmetic() | Concatenate():
                return self._chain(node)
            case Call():
                return self._call(node)
            case _:
                return Code(f"1 if {self.condition(node).at(level.OR)} else 0", level.CHOICE, 0, 1)

    def _constant(self, node: Constant) -> Code:
        value = node.value
        if isinstance(value, int):
            return integer(value)
        if isinstance(value, float) and not math.isfinite(value):
            return Code("NAN" if math.isnan(value) else "INF" if value > 0 else "-INF", level.UNARY)
        return Code(repr(value), level.UNARY if isinstance(value, float) else level.ATOM)

    def _builtin(self, node: Builtin) -> Code:
        match node.name:
            case BuiltinName.ROW_NUMBER:
                return Code(self._row_number, level.SUM, 0, 2**62)
            case BuiltinName.RANDOM:
                text = f"random_value({self._random_seed}, {node.site}, {self._random_row})"
                return Code(text, level.ATOM, 1, LARGEST_RANDOM)
            case BuiltinName.SECONDS:
                return Code("time_ns() // 1000000000", level.PRODUCT, 0, 2**40)
            case BuiltinName.MICROSECONDS:
                return Code("time_ns() // 1000", level.PRODUCT, 0, 2**60)

    def _chain(self, node: Arithmetic | Concatenate) -> Code:
        """The source of a chain of operators, without recursion into its left side, which may be deep."""
        spine: list[Arithmetic | Concatenate] = []
        first: Node = node
        while isinstance(first, Arithmetic | Concatenate):
            spine.append(first)
            first = first.left
        result = self._operand(first, spine[-1].right)
        spilled: list[str] = []
        for parent in reversed(spine):
            right = self._operand(parent.right, parent.left)
            if _depth(result.text) > _DEEPEST:  # an alternation of + and * nests parentheses on its left
                name = self._temporary()
                spilled.append(f"{name} := {result.text}")
                result = Code(name, level.ATOM, result.low, result.high)
            if isinstance(parent, Concatenate):
                result = Code(f"{result.at(level.SUM)} + {right.at(level.PRODUCT)}", level.SUM)
            elif parent.type is ValueType.FLOAT:
                result = self._float_step(parent, result, right)
            else:
                result = self._integer_step(parent.operator, result, right)
        if spilled:
            return Code(f"({', '.join(spilled)}, {result.text})[-1]", level.ATOM, result.low, result.high)
        return result

    def _operand(self, node: Node, other: Node) -> Code:
        """An operand; Python itself converts an integer if the other operand is a float."""
        if isinstance(node, ToFloat) and not isinstance(other, ToFloat):
            return self.value(node.operand).exact()
        return self.value(node)

    def _float_step(self, node: Arithmetic, left: Code, right: Code) -> Code:
        own = _FLOAT_LEVELS.get(node.operator)
        if own is not None:
            return Code(f"{left.at(own)} {node.operator.value} {right.at(own + 1)}", own)
        if node.operator is ArithmeticOperator.DIVIDE:
            if isinstance(node.right, Constant) and node.right.value:
                return Code(f"{left.at(level.PRODUCT)} / {right.at(level.UNARY)}", level.PRODUCT)
            return Code(f"divide_floats({left.text}, {right.text})")
        return Code(f"remainder_floats({left.text}, {right.text})")

    def _integer_step(self, operator: ArithmeticOperator, left: Code, right: Code) -> Code:
        if operator in (ArithmeticOperator.DIVIDE, ArithmeticOperator.MODULO):
            return self._division(operator, left.exact(), right.exact())
        if operator in _BIT_LEVELS:
            return _bitwise(operator, left, right)
        low, high = _range(operator, left, right)
        if low < -_WIDEST or high > _WIDEST:
            left, right = left.exact(), right.exact()
            low, high = _range(operator, left, right)
        own = _FLOAT_LEVELS[operator]
        return Code(f"{left.at(own)} {operator.value} {right.at(own + 1)}", own, low, high)

    def _division(self, operator: ArithmeticOperator, left: Code, right: Code) -> Code:
        is_division = operator is ArithmeticOperator.DIVIDE
        if right.low > 0 and left.low >= 0:  # here Python rounds as C does
            high = left.high // right.low if is_division else min(left.high, right.high - 1)
            symbol = "//" if is_division else "%"
            return Code(f"{left.at(level.PRODUCT)} {symbol} {right.at(level.UNARY)}", level.PRODUCT, 0, high)
        self.can_reject = self.can_reject or right.low <= 0 <= right.high
        limit = max(abs(left.low), abs(left.high))
        name = "divide" if is_division else "remainder"
        return Code(f"{name}({left.text}, {right.text})", level.ATOM, -limit, limit)

    def _logic(self, node: Both | Either) -> Code:
        kind = type(node)
        word, own = ("and", level.AND) if kind is Both else ("or", level.OR)
        terms: list[Node] = []
        first: Node = node
        while isinstance(first, kind):
            terms.append(first.right)
            first = first.left
        terms.append(first)
        return Code(f" {word} ".join(self.condition(term).at(own + 1) for term in reversed(terms)), own)

    def _truth(self, node: Node) -> Code:
        if node.type is ValueType.IP:
            return Code(f"is_nonzero_address({self.value(node).text})")
        return self.value(node).exact() if node.type is ValueType.INTEGER else self.value(node)

    def _compare(self, node: Compare, *, symbol: str = "") -> Code:
        left, right = self.value(node.left), self.value(node.right)
        if node.left.type is ValueType.INTEGER:
            left, right = left.exact(), right.exact()
        if node.ignore_case:
            left, right = Code(f"{left.at(level.ATOM)}.lower()"), Code(f"{right.at(level.ATOM)}.lower()")
        if node.operator is CompareOperator.BITS_ANY:
            return _bitwise(ArithmeticOperator.AND, left, right)
        if node.operator is CompareOperator.BITS_ALL:
            name = self._temporary()
            return Code(f"({left.at(level.BIT_AND)} & ({name} := {right.text})) == {name}", level.COMPARE)
        symbol = symbol or _COMPARE[node.operator]
        return Code(f"{left.at(level.BIT_OR)} {symbol} {right.at(level.BIT_OR)}", level.COMPARE)

    def _inline(self, call: Call, inline: Inline) -> Code:
        sources = {
            str(index): self.value(argument).exact().at(level.ATOM)
            for index, argument in enumerate(call.function.evaluated(call.arguments))
        }
        for name, thing in inline.names.items():
            sources[name] = f"c{len(self.namespace)}_{call.function.key}"
            self.namespace[sources[name]] = thing
        return Code(_PLACE.sub(lambda place: sources[place[1]], inline.text), inline.binds, inline.low, inline.high)

    def _call(self, node: Call) -> Code:
        inline = inline_of(node)
        if inline is not None:
            code = self._inline(node, inline)
            return Code(f"1 if {code.at(level.OR)} else 0", level.CHOICE, 0, 1) if inline.is_truth else code
        function = node.function
        row = function.bind(node.arguments)
        name = f"f{len(self.namespace)}_{function.key}"
        self.namespace[name] = row
        self.can_reject = True
        given = [self.value(argument).exact().text for argument in function.evaluated(node.arguments)]
        targets = function.targets(node.arguments)
        if not targets:
            return Code(f"{name}({', '.join(given)})")
        given += [self.local(target.slot) for target in targets]
        result = self._temporary()
        stores = [
            f"{self.local(target.slot)} := {self.store_function(target.slot)}({result}[{index}])"
            for index, target in enumerate(targets, 1)
        ]
        return Code(f"({result} := {name}({', '.join(given)}), {', '.join(stores)}, {result}[0])[-1]")

    def store_function(self, slot: Slot) -> str:
        """The name of the conversion for values of unknown range that go into a slot."""
        name = f"store_{slot.type.value}"
        self.namespace[name] = STORE[slot.type]
        return name

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries}"


def _depth(text: str) -> int:
    """The number of parentheses that a piece of source begins with; chains nest on their left side."""
    return len(text) - len(text.lstrip("("))


def _range(operator: ArithmeticOperator, left: Code, right: Code) -> tuple[int, int]:
    """The smallest and the largest result of + - *."""
    if operator is ArithmeticOperator.ADD:
        return left.low + right.low, left.high + right.high
    if operator is ArithmeticOperator.SUBTRACT:
        return left.low - right.high, left.high - right.low
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return min(corners), max(corners)


def _bitwise(operator: ArithmeticOperator, left: Code, right: Code) -> Code:
    own = _BIT_LEVELS[operator]
    text = f"{left.at(own)} {operator.value} {right.at(own + 1)}"
    if operator is ArithmeticOperator.AND and (left.low >= 0 or right.low >= 0):
        bounds = [side.high for side in (left, right) if side.low >= 0]
        return Code(text, own, 0, min(bounds))
    bits = max(n.bit_length() for n in (left.low, left.high, right.low, right.high))
    return Code(text, own, 0 if min(left.low, right.low) >= 0 else -(1 << bits), (1 << bits) - 1)
