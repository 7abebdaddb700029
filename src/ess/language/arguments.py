"""Arguments of a call: matched to the signature, checked and converted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.language import syntax
from ess.language.function import Argument, Form, Function, Parameter
from ess.language.functions import FUNCTIONS
from ess.language.nearest import nearest
from ess.language.regex import REGEX_WORDS
from ess.language.scope import Scope
from ess.language.tree import Attributes, Constant, Node, Target, ToFloat, ToInteger, ValueType, value_type
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.language.checker import Checker


def check_arguments(
    checker: Checker, function: Function, call: syntax.Invocation
) -> tuple[Function, tuple[Argument, ...], list[int]]:
    """The arguments of a call in the order of the signature, and the position of each.

    An optional word list that is left out becomes an empty ``Attributes``, so that a function
    finds each argument at a fixed place.

    Raises:
        OptionError: If their number, form or type does not fit.
    """
    if function.key == "patcmp" and len(call.arguments) == 3:
        function = _pattern_function(call.arguments[2], function)
    matched = _match(checker, function, call)
    arguments: list[Argument] = []
    positions: list[int] = []
    for parameter, expression in matched:
        positions.append(call.position if expression is None else expression.position)
        argument = Attributes(()) if expression is None else _argument(checker, function, parameter, expression)
        arguments.append(_with_default_regex(checker, parameter, argument))
    if function.stores_by_name:
        arguments.extend(settable(checker.scope, arguments[1]))
    return function, tuple(arguments), positions


def _with_default_regex(checker: Checker, parameter: Parameter, argument: Argument) -> Argument:
    """Give the attributes of ``-rx`` to a regular expression whose own attributes choose no engine."""
    default = checker.scope.default_regex
    if not default or not isinstance(argument, Attributes) or "rx_extended" not in parameter.words:
        return argument
    if any(word in REGEX_WORDS and word != "ncas" for word in argument.words):
        return argument
    return Attributes((*argument.words, *(word for word in default if word not in argument.words)))


def _pattern_function(words: syntax.Expression, function: Function) -> Function:
    """``PatCmp(Val, "^H", "rx")`` is how regular expressions were compared before RxCmp."""
    found = _words(words)
    return FUNCTIONS.get("rxcmp", function) if found and any(w.startswith(("rx", "pcre")) for w in found) else function


def settable(scope: Scope, value: Argument) -> list[Target]:
    """Every column that ``Set`` could find at run time and that can hold the value."""
    if isinstance(value, Attributes | Target):
        return []
    numbers = (ValueType.INTEGER, ValueType.FLOAT)
    return [
        Target(slot)
        for slot in (*scope.columns(), *scope.variables())
        if (value_type(slot.type) is value.type or (value_type(slot.type) in numbers and value.type in numbers))
        and not scope.refusal(slot)
    ]


def _match(
    checker: Checker, function: Function, call: syntax.Invocation
) -> list[tuple[Parameter, syntax.Expression | None]]:
    given = list(call.arguments)
    matched: list[tuple[Parameter, syntax.Expression | None]] = []

    def take(parameters: Sequence[Parameter]) -> None:
        for parameter in parameters:
            if parameter.form is Form.ATTRIBUTES and parameter.optional:
                fits = bool(given) and _is_word_list(given[0], parameter, last=len(given) == 1)
                matched.append((parameter, given.pop(0) if fits else None))
            elif given:
                matched.append((parameter, given.pop(0)))
            elif not parameter.optional:
                raise checker.error(
                    f"function {function.name} needs {parameter.name}", call.position, f"write {function.signature}"
                )

    take(function.parameters)
    if function.repeated:
        required = sum(not parameter.optional for parameter in function.repeated)
        rounds = 0
        while rounds < function.at_least or len(given) >= required:
            take(function.repeated)
            rounds += 1
    take(function.trailing)
    if given:
        raise checker.error(
            f"function {function.name} takes fewer arguments", given[0].position, f"write {function.signature}"
        )
    return matched


def _is_word_list(expression: syntax.Expression, parameter: Parameter, *, last: bool) -> bool:
    """True if an argument is meant as the optional word list.

    The last argument of a call always is, unless a column follows in the group (then an unknown
    word is a column's name).
    """
    words = _words(expression)
    if words is None:
        return False
    known = all(is_known_word(word, parameter) for word in words)
    return known or (last and (len(words) > 1 or isinstance(expression, syntax.Text | syntax.Name)))


def is_known_word(word: str, parameter: Parameter) -> bool:
    """True if a list of attributes may have the word, with its value if it takes one."""
    name, equals, _ = word.partition("=")
    return name + equals in parameter.words


def _words(expression: syntax.Expression) -> tuple[str, ...] | None:
    """The words of ``a|b``, ``"a,b"`` or ``zero|dec=2``, names in lower case; None if it is none of these."""
    match expression:
        case syntax.Name(_, text):
            return (text.lower(),)
        case syntax.Words(_, text):
            return _split(text, "|")
        case syntax.Text(_, value):
            text = os.fsdecode(value)
            return _split(text, "|" if "|" in text else ",") if text else ()
        case syntax.Chain(_, first, steps):
            names = [first, *(step.operand for step in steps)]
            if all(step.operator == "|" for step in steps) and all(isinstance(n, syntax.Name) for n in names):
                return tuple(n.text.lower() for n in names if isinstance(n, syntax.Name))
    return None


def _split(text: str, separator: str) -> tuple[str, ...]:
    words = []
    for part in text.split(separator):
        name, equals, value = part.partition("=")
        words.append(name.strip().lower() + equals + value)
    return tuple(words)


def _argument(checker: Checker, function: Function, parameter: Parameter, expression: syntax.Expression) -> Argument:
    if parameter.form in (Form.ATTRIBUTES, Form.WORD):
        return _attributes(checker, function, parameter, expression)
    if parameter.form is Form.TARGET_OR_TYPE and isinstance(expression, syntax.Text):
        letters = os.fsdecode(expression.value).upper()
        if letters not in ColumnType.__members__:
            raise checker.error(f"unknown column type '{letters}'", expression.position)
        return Attributes((letters.lower(),))
    if parameter.form in (Form.TARGET, Form.TARGET_OR_TYPE):
        return _target(checker, function, parameter, expression)
    node = checker.value(expression)
    if parameter.form is Form.CONSTANT:
        if isinstance(node, Constant) and node.type is ValueType.STRING:
            return node
        raise _wrong(checker, function, parameter, expression, "must be a string constant")
    if node.type not in parameter.types:
        raise _wrong(checker, function, parameter, expression, f"must be {parameter.kinds}, not {node.type.noun}")
    return _converted(node, parameter.convert)


def _converted(node: Node, wanted: ValueType | None) -> Node:
    if wanted is None or node.type is wanted:
        return node
    return ToFloat(node) if wanted is ValueType.FLOAT else ToInteger(node)


def _attributes(
    checker: Checker, function: Function, parameter: Parameter, expression: syntax.Expression
) -> Attributes:
    words = _words(expression)
    if words is None:
        raise _wrong(checker, function, parameter, expression, f"must be {parameter.form.value}")
    for word in words:
        if not is_known_word(word, parameter):
            near = nearest(word, parameter.words)
            hint = f"did you mean '{near}'?" if near else f"known: {' '.join(sorted(parameter.words))}"
            raise checker.error(f"{function.name}: unknown attribute '{word}'", expression.position, hint)
    if parameter.form is Form.WORD and len(words) != 1:
        raise _wrong(checker, function, parameter, expression, "must be one word")
    return Attributes(words)


def _target(checker: Checker, function: Function, parameter: Parameter, expression: syntax.Expression) -> Target:
    if not isinstance(expression, syntax.Name):
        raise _wrong(checker, function, parameter, expression, "must be the name of a column")
    slot = checker.scope.find(expression.text)
    if slot is None:
        raise checker.error(
            f"unknown column '{expression.text}'", expression.position, checker.scope.suggestion(expression.text)
        )
    if value_type(slot.type) not in parameter.types:
        raise _wrong(checker, function, parameter, expression, f"cannot be a column of type {slot.type.value}")
    refusal = checker.scope.refusal(slot)
    if refusal:
        raise checker.error(f"{function.name}: {refusal}", expression.position)
    return Target(slot)


def _wrong(
    checker: Checker, function: Function, parameter: Parameter, expression: syntax.Expression, what: str
) -> OptionError:
    return checker.error(
        f"argument {parameter.name} of {function.name} {what}", expression.position, f"write {function.signature}"
    )
