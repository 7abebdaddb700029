"""Help pages, made from the option tables."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.language.values import format_address
from ess.pipeline.options import OptionTable

if TYPE_CHECKING:
    from ess.language.function import Function, Value

_WIDTH = 100
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def help_text(table: OptionTable, words: Sequence[str]) -> str:
    """The help that ``-h`` and the words after it ask for: the tool's page, or entries of options and functions.

    Raises:
        OptionError: If a word names neither.
    """
    if not words:
        return help_page(table)
    return "\n".join(option_page(table, word) or function_page(table, word) for word in words)


def help_page(table: OptionTable) -> str:
    """The page that ``-h`` prints: usage, the options by group, and what is missing.

    Options of one group stand together in the order of the table; obsolete ones are left out.
    """
    lines = [f"usage: {table.tool} [-h [Name]] Option ...", "", *_wrap(table.summary, "")]
    group = ""
    for option in table.options:
        if option.obsolete:
            continue
        if option.group != group:
            group = option.group
            lines += ["", f"{group}:"]
        lines += ["", *_wrap(option.synopsis, "  ", hanging="      "), *_wrap(option.help, "      ")]
    if table.missing:
        lines += ["", "Not available yet:", ""]
        lines += _wrap(" ".join(name for name, _ in table.missing), "  ")
    return "\n".join(lines) + "\n"


def option_page(table: OptionTable, name: str) -> str | None:
    """The entry of one option (``eval`` or ``-eval``), or None when the tool has no such option."""
    option = table.find(name if name.startswith("-") else f"-{name}")
    if option is None or option.obsolete:
        return None
    return "\n".join([option.synopsis, *_wrap(option.help, "    ")]) + "\n"


def function_page(table: OptionTable, name: str) -> str:
    """The page of a function of the expression language.

    Raises:
        OptionError: If there is none of that name.
    """
    from ess.language.functions import FUNCTIONS  # the whole table; only help and expressions need it
    from ess.language.nearest import resembling

    function = FUNCTIONS.get(name.lower().removesuffix("()"))
    if function is None:
        known = [option.name for option in table.options if not option.obsolete]
        near = resembling(name.removesuffix("()"), [*known, *(each.name for each in FUNCTIONS.values())])
        hint = f"did you mean {_choice(near)}?" if near else f"see {table.tool} -h for the options"
        raise OptionError(f"there is no option or function '{name}'", where=f"{table.tool} -h", hint=hint)
    entry = function_entry(function)
    lines = [entry.signature, "", *_wrap(entry.summary, "    "), "", *_wrap(entry.types, "    ", hanging="        ")]
    for words in entry.words:
        lines += _wrap(words, "    ", hanging="        ")
    for note in entry.notes:
        lines += ["", *_wrap(note, "    ")]
    if entry.examples:
        lines += ["", "    Examples:", *(f"        {example}" for example in entry.examples)]
    return "\n".join(lines) + "\n"


def _choice(names: Sequence[str]) -> str:
    """Names for a question.

    >>> _choice(["a"]), _choice(["a", "b", "c"])
    ('a', 'a, b or c')
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True)
class FunctionEntry:
    """The entry of a function in help and on the reference page.

    Args:
        signature: ``Name(A, B [, C])``.
        summary: One or two sentences.
        types: What the arguments must be, and what the result is.
        words: For each argument that takes words, its name and the words.
        notes: Where it works, what differs from the reference system, what computes it.
        examples: ``Expression  =>  result``.
    """

    signature: str
    summary: str
    types: str
    words: tuple[str, ...]
    notes: tuple[str, ...]
    examples: tuple[str, ...]


def function_entry(function: Function) -> FunctionEntry:
    """The entry of one function."""
    from ess.engines.columnar.support import function_support
    from ess.language.tree import ValueType

    parameters = (*function.parameters, *function.repeated, *function.trailing)
    notes = []
    if function.only_in:
        notes.append(f"Works only in {function.only_in}.")
    if function.differences:
        notes.append(f"Differs from the reference: {function.differences}")
    if not function.only_in:
        support = function_support(function)
        notes.append(f"Runs over {'columns' if support.compiled else 'rows'}: {support.note}.")
    return FunctionEntry(
        function.signature,
        function.summary,
        _types(function),
        tuple(f"{p.name}: {' '.join(sorted(p.words))}" for p in parameters if p.words),
        tuple(notes),
        tuple(
            f"{example.expression}  =>  {_shown(example.result, address=function.result is ValueType.IP)}"
            + "".join(f", {name} = {_shown(value, address=name == 'Ip1')}" for name, value in example.stores)
            for example in function.examples
        ),
    )


def _shown(value: Value, *, address: bool) -> str:
    """A value as an expression writes it; a blank address, which none can write, as a blank string."""
    if isinstance(value, bytes) and address and value:
        return format_address(value).decode("ascii")
    if isinstance(value, bytes):
        return '"' + "".join(map(_written, value.decode("utf-8", "backslashreplace"))) + '"'
    return f"{value:.17g}" if isinstance(value, float) else str(value)


def _written(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return _ESCAPES.get(character, f"\\x{ord(character):02x}")


def _types(function: Function) -> str:
    """The types of the arguments and of the result; arguments that take words have a line of their own."""
    from ess.language.function import Form
    from ess.language.tree import ValueType

    said: dict[str, str] = {}
    for parameter in (*function.parameters, *function.repeated, *function.trailing):
        if parameter.form is Form.VALUE:
            said[parameter.name] = parameter.kinds
        elif parameter.form in (Form.CONSTANT, Form.TARGET_OR_TYPE):
            said[parameter.name] = parameter.form.value
        elif parameter.form is Form.TARGET:
            said[parameter.name] = f"the name of a {' or '.join(kind.value for kind in parameter.types)} column"
    result = function.result.noun if isinstance(function.result, ValueType) else "a number"
    return "; ".join([*(f"{name}: {kinds}" for name, kinds in said.items()), f"result: {result}"])


def _wrap(text: str, indent: str, hanging: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=hanging or indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
