"""Names, types and constants: a syntax tree becomes the checked tree that engines compile."""

from __future__ import annotations

from ess.errors import OptionError
from ess.language import syntax
from ess.language.arguments import check_arguments
from ess.language.folding import fold
from ess.language.function import ArgumentError
from ess.language.functions import FUNCTIONS
from ess.language.lexer import expression_error
from ess.language.nearest import nearest
from ess.language.older import REPLACED, of_today
from ess.language.parser import parse
from ess.language.scope import Scope
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
    ToFloat,
    ToInteger,
    Truth,
    ValueType,
    value_type,
)
from ess.schema.types import INTEGER_RANGES, ColumnType

_NUMBERS = (ValueType.INTEGER, ValueType.FLOAT)

# operator -> (comparison, ignores case, negated)
_COMPARISONS: dict[str, tuple[CompareOperator, bool, bool]] = {
    "==": (CompareOperator.EQUAL, False, False),
    ">": (CompareOperator.GREATER, False, False),
    "<": (CompareOperator.LESS, False, False),
    ">=": (CompareOperator.GREATER_EQUAL, False, False),
    "<=": (CompareOperator.LESS_EQUAL, False, False),
    "~==": (CompareOperator.EQUAL, True, False),
    "===": (CompareOperator.EQUAL, True, False),  # the older spelling, still in the manual's example
    "~>": (CompareOperator.GREATER, True, False),
    "~<": (CompareOperator.LESS, True, False),
    "~>=": (CompareOperator.GREATER_EQUAL, True, False),
    "~<=": (CompareOperator.LESS_EQUAL, True, False),
    "!=": (CompareOperator.EQUAL, False, True),
    "!~=": (CompareOperator.EQUAL, True, True),
    "!~==": (CompareOperator.EQUAL, True, True),
    "&=": (CompareOperator.BITS_ALL, False, False),
    "!&=": (CompareOperator.BITS_ALL, False, True),
    "!&": (CompareOperator.BITS_ANY, False, True),
}
_BITS = (CompareOperator.BITS_ALL, CompareOperator.BITS_ANY)
_BITWISE = (ArithmeticOperator.AND, ArithmeticOperator.OR, ArithmeticOperator.XOR)


def check_expression(text: str, scope: Scope, *, where: str) -> Node:
    """Parse and check an expression.

    Args:
        text: For example ``ToS(count + 1)``.
        scope: The names that are defined here.
        where: The option it stands in, for errors.

    Raises:
        OptionError: If it is malformed, a name is unknown or types do not fit.
    """
    return fold(Checker(text, scope, where).value(parse(text, where=where)))


def check_filter(text: str, scope: Scope, *, where: str) -> Node:
    """Parse and check a filter; the result's value is 1 or 0.

    Raises:
        OptionError: As ``check_expression``.
    """
    return fold(Checker(text, scope, where).truth(parse(text, where=where)))


def fit(node: Node, column_type: ColumnType, *, where: str) -> Node:
    """``node`` made storable into a column: strings to S, numbers to numeric types, addresses to IP.

    Raises:
        OptionError: If the types do not go together.
    """
    wanted = value_type(column_type)
    if node.type is wanted:
        return node
    if node.type in _NUMBERS and wanted in _NUMBERS:
        return fold(ToFloat(node) if wanted is ValueType.FLOAT else ToInteger(node))
    hint = {
        ValueType.STRING: "convert it with ToS()",
        ValueType.INTEGER: "convert it with ToI()",
        ValueType.FLOAT: "convert it with ToF()",
        ValueType.IP: "convert it with ToIP()",
    }[wanted]
    raise OptionError(
        f"a value of type {node.type.value} cannot be stored in a column of type {column_type.value}",
        where=where,
        hint=hint,
    )


def check_constant(text: str, column_type: ColumnType, *, where: str) -> bytes | int | float:
    """The value of an expression without columns, as a column of that type holds it (for ``-var``).

    >>> check_constant("60 * 60", ColumnType.I, where="-var")
    3600
    >>> check_constant('"a" "b"', ColumnType.S, where="-var")
    b'ab'

    Raises:
        OptionError: If it is not constant, or of another type.
    """
    try:
        node = check_expression(text, _NoNames(), where=where)
    except OptionError:
        if value_type(column_type) is ValueType.STRING and text[:1] not in ('"', "'", ""):
            raise OptionError(
                f"'{text}' is not a string constant", where=where, hint=f"quote it once more: '\"{text}\"'"
            ) from None
        raise
    node = fit(node, column_type, where=where)
    if not isinstance(node, Constant):
        raise OptionError(f"'{text}' is not constant", where=where)
    value = node.value
    if isinstance(value, int) and column_type in INTEGER_RANGES:
        low, high = INTEGER_RANGES[column_type]
        return (value - low) % (high - low + 1) + low
    return value


class _NoNames(Scope):
    """The names that a constant may use."""

    def suggestion(self, name: str) -> str:
        """As in any scope."""
        return "a variable starts with a constant, before there are rows; -eval sets it from columns"


class Checker:
    """Checks one expression; ``arguments`` uses it for the arguments of calls."""

    def __init__(self, text: str, scope: Scope, where: str) -> None:
        self.text = text
        self.scope = scope
        self.where = where

    def error(self, what: str, position: int, hint: str = "") -> OptionError:
        """An error that points into the expression."""
        return expression_error(what, self.text, position, self.where, hint)

    def value(self, expression: syntax.Expression) -> Node:
        """The checked tree of a part whose value is wanted."""
        match expression:
            case syntax.Number(_, value):
                return Constant(ValueType.FLOAT if isinstance(value, float) else ValueType.INTEGER, value)
            case syntax.Text(_, value):
                return Constant(ValueType.STRING, value)
            case syntax.Address(_, value):
                return Constant(ValueType.IP, value)
            case syntax.Group(_, inner):
                return self.value(inner)
            case syntax.Name(position, name):
                return self._reference(name, position)
            case syntax.BuiltinName(position, name):
                return self._builtin(name, position)
            case syntax.Negative(position, operand):
                return self._negative(operand, position)
            case syntax.Chain(_, first, steps):
                node = self.value(first)
                for step in steps:
                    node = self._arithmetic(step.operator, node, self.value(step.operand), step.position)
                return node
            case syntax.Invocation():
                return self._call(expression)
            case syntax.Words(position, words):
                raise self.error(f"'{words}' is not a value", position, "compare with '=='")
            case _:
                return self.truth(expression)

    def truth(self, expression: syntax.Expression) -> Node:
        """The checked tree of a part that is asked whether it holds."""
        match expression:
            case syntax.Group(_, inner):
                return self.truth(inner)
            case syntax.Negation(_, operand):
                return Not(self.truth(operand))
            case syntax.Comparison(position, operator, left, right):
                return self._compare(operator, self.value(left), self.value(right), position)
            case syntax.Logical(_, first, steps):
                node = self.truth(first)
                for step in steps:
                    other = self.truth(step.operand)
                    node = Both(node, other) if step.operator == "&&" else Either(node, other)
                return node
            case syntax.Chain(position, first, steps) if any(step.operator == "&" for step in steps):
                return self._common_bits(position, first, steps)
            case _:
                node = self.value(expression)
                return node if isinstance(node, Compare | Not | Both | Either | Truth) else Truth(node)

    def _common_bits(self, position: int, first: syntax.Expression, steps: tuple[syntax.Step, ...]) -> Node:
        """``LHS & RHS`` as a filter: the first ``&`` compares, so each side is a chain of its own."""
        at = next(index for index, step in enumerate(steps) if step.operator == "&")
        left: syntax.Expression = syntax.Chain(position, first, steps[:at]) if at else first
        right: syntax.Expression = steps[at].operand
        if steps[at + 1 :]:
            right = syntax.Chain(right.position, right, steps[at + 1 :])
        return self._compare("&", self.value(left), self.value(right), steps[at].position)

    def _reference(self, name: str, position: int) -> Node:
        slot = self.scope.find(name)
        if slot is None:
            if name.lower() in FUNCTIONS:
                raise self.error(f"function {name} without arguments", position, f"write {name}(...)")
            hint = self.scope.suggestion(name)
            if not hint.startswith("did you mean") and self.scope.names():
                hint = f'{hint}; a string needs quotes: "{name}"'
            raise self.error(f"unknown column '{name}'", position, hint)
        return Reference(value_type(slot.type), slot)

    def _builtin(self, name: str, position: int) -> Node:
        try:
            builtin = BuiltinName(name.lower())
        except ValueError:
            known = "known: $RowNum $Random $CurSec $CurUSec"
            raise self.error(f"unknown builtin variable '${name}'", position, known) from None
        return Builtin(builtin, self.scope.next_random_site() if builtin is BuiltinName.RANDOM else 0)

    def _negative(self, operand: syntax.Expression, position: int) -> Node:
        node = self.value(operand)
        if node.type is ValueType.INTEGER:
            return Arithmetic(node.type, ArithmeticOperator.SUBTRACT, Constant(node.type, 0), node)
        if node.type is ValueType.FLOAT:  # -1.0 * x, so that -0.0 keeps its sign
            return Arithmetic(node.type, ArithmeticOperator.MULTIPLY, Constant(node.type, -1.0), node)
        raise self.error(f"'-' before a value of type {node.type.value}", position)

    def _arithmetic(self, symbol: str, left: Node, right: Node, position: int) -> Node:
        operator = ArithmeticOperator(symbol)
        if operator is ArithmeticOperator.ADD and left.type is right.type is ValueType.STRING:
            return Concatenate(left, right)
        if left.type not in _NUMBERS or right.type not in _NUMBERS:
            raise self._mismatch(symbol, left, right, position)
        if operator in _BITWISE:
            return Arithmetic(ValueType.INTEGER, operator, _to_integer(left), _to_integer(right))
        left, right = _balance(left, right)
        return Arithmetic(left.type, operator, left, right)

    def _compare(self, symbol: str, left: Node, right: Node, position: int) -> Node:
        operator, ignore_case, negated = _COMPARISONS.get(symbol, (CompareOperator.BITS_ANY, False, False))
        numbers = left.type in _NUMBERS and right.type in _NUMBERS
        if not numbers and left.type is not right.type:
            raise self._mismatch(symbol, left, right, position)
        if ignore_case and left.type is not ValueType.STRING:
            raise self.error(f"'{symbol}' compares strings only", position, "use the operator without '~'")
        if operator in _BITS:
            if not numbers:
                raise self.error(f"'{symbol}' compares numbers only", position)
            left, right = _to_integer(left), _to_integer(right)
        elif numbers:
            left, right = _balance(left, right)
        result = Compare(operator, left, right, ignore_case)
        return Not(result) if negated else result

    def _mismatch(self, symbol: str, left: Node, right: Node, position: int) -> OptionError:
        types = {left.type, right.type}
        hint = "convert one side with ToS(), ToI(), ToF() or ToIP()"
        if types == {ValueType.STRING} and symbol not in _COMPARISONS:
            hint = "strings can only be joined, with '+'"
        elif left.type is right.type:
            hint = "addresses can only be compared"
        return self.error(f"'{symbol}' between {left.type.value} and {right.type.value}", position, hint)

    def _call(self, call: syntax.Invocation) -> Node:
        if call.name.lower() == "eval" and len(call.arguments) == 1:  # an older spelling of parentheses
            return self.value(call.arguments[0])
        call = of_today(call)
        key = call.name.lower()
        function = FUNCTIONS.get(key)
        if function is None:
            near = REPLACED.get(key) or nearest(call.name, [known.name for known in FUNCTIONS.values()])
            hint = f"did you mean {near}()?" if near else "the page aq-emod lists the functions"
            if key in ("if", "iif", "case"):
                hint = "choose with -if -filt ... -else ... -endif"
            raise self.error(f"unknown function '{call.name}'", call.position, hint)
        if function.key == "rowcount":
            return self._row_count(call)
        function, arguments, positions = check_arguments(self, function, call)
        types = [node.type for node in function.evaluated(arguments)]
        result = function.result if isinstance(function.result, ValueType) else function.result(types)
        try:
            function.bind(arguments)
        except ArgumentError as error:
            position = positions[error.argument] if error.argument < len(positions) else call.position
            raise self.error(f"{function.name}: {error.what}", position, error.hint) from None
        return Call(result, function, arguments)

    def _row_count(self, call: syntax.Invocation) -> Node:
        """The number of rows that a key has in a table; a database's scope keeps it in a hidden column."""
        name = call.arguments[0] if len(call.arguments) == 1 else None
        if not isinstance(name, syntax.Name):
            raise self.error("function RowCount needs the name of a table", call.position, "write RowCount(TabName)")
        slot = self.scope.row_count(name.text)
        if slot is None:
            raise self.error(
                f"there are no rows of '{name.text}' to count",
                call.position,
                "RowCount works in the rules of aq_udb, with a table or vector of the database",
            )
        return Reference(value_type(slot.type), slot)


def _to_integer(node: Node) -> Node:
    return ToInteger(node) if node.type is ValueType.FLOAT else node


def _balance(left: Node, right: Node) -> tuple[Node, Node]:
    """Two numbers of one type."""
    if left.type is right.type:
        return left, right
    return (ToFloat(left), right) if left.type is ValueType.INTEGER else (left, ToFloat(right))
