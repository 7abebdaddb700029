"""String comparisons that need no regular expression: BegCmp, EndCmp, SubCmp, MixedCmp, Contain, PatCmp; NumCmp."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ess.language.function import (
    Argument,
    Example,
    Function,
    RowFunction,
    attributes,
    constant,
    fixed_text,
    real,
    text,
    word,
    words_of,
)
from ess.language.tree import ValueType


def _begins(arguments: Sequence[Argument]) -> RowFunction:
    heads = tuple(fixed_text(argument) for argument in arguments[1:])
    return lambda value: 1 if value.startswith(heads) else 0


def _ends(arguments: Sequence[Argument]) -> RowFunction:
    tails = tuple(fixed_text(argument) for argument in arguments[1:])
    return lambda value: 1 if value.endswith(tails) else 0


def _contains_any(parts: Sequence[bytes]) -> RowFunction:
    if len(parts) == 1:
        part = parts[0]
        return lambda value: 1 if part in value else 0
    return lambda value: 1 if any(part in value for part in parts) else 0


def _contains_all(parts: Sequence[bytes]) -> RowFunction:
    return lambda value: 1 if all(part in value for part in parts) else 0


def _listed(arguments: Sequence[Argument]) -> list[bytes]:
    """The parts of a list separated by a comma and a line end."""
    return re.split(rb",\r?\n", fixed_text(arguments[1]))


def _tests(arguments: Sequence[Argument]) -> list[Callable[[bytes], bool]]:
    def test(part: bytes, where: str) -> Callable[[bytes], bool]:
        if where == "beg":
            return lambda value: value.startswith(part)
        if where == "end":
            return lambda value: value.endswith(part)
        return lambda value: part in value

    return [
        test(fixed_text(part), words_of(where)[0]) for part, where in zip(arguments[1::2], arguments[2::2], strict=True)
    ]


def _mixed_any(arguments: Sequence[Argument]) -> RowFunction:
    tests = _tests(arguments)
    return lambda value: 1 if any(test(value) for test in tests) else 0


def _mixed_all(arguments: Sequence[Argument]) -> RowFunction:
    tests = _tests(arguments)
    return lambda value: 1 if all(test(value) for test in tests) else 0


def wildcard(pattern: bytes, *, ignore_case: bool) -> RowFunction:
    r"""A test of a whole value against ``*`` and ``?``; a backslash makes the next byte literal.

    >>> wildcard(rb"a*\*", ignore_case=False)(b"abc*")
    1
    """
    parts, literal = _wildcard_parts(pattern)
    if literal is not None and not ignore_case:
        fast = _literal_wildcard(literal)
        if fast is not None:
            return fast
    # Atomic groups keep "*a*b*c" linear: the first place a literal fits is as good as any later one.
    expression = parts[0]
    for part in parts[1:-1]:
        expression += b"(?>.*?" + part + b")"
    if len(parts) > 1:
        expression += b".*" + parts[-1]
    match = re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0)).fullmatch
    return lambda value: 1 if match(value) else 0


def literal_parts(pattern: bytes) -> list[bytes] | None:
    r"""The texts between the stars of a ``wildcard``, at least one; None if it holds a ``?``.

    >>> literal_parts(rb"a*\*")
    [b'a', b'*']
    """
    return _wildcard_parts(pattern)[1]


def _wildcard_parts(pattern: bytes) -> tuple[list[bytes], list[bytes] | None]:
    """The texts between the stars as regular expressions, and as they are if there is no ``?``."""
    parts: list[bytes] = [b""]
    literal = True
    position = 0
    while position < len(pattern):
        byte = pattern[position : position + 1]
        if byte == b"\\" and position + 1 < len(pattern):
            position += 1
            parts[-1] += re.escape(pattern[position : position + 1])
        elif byte == b"*":
            parts.append(b"")
        elif byte == b"?":
            literal = False
            parts[-1] += b"."
        else:
            parts[-1] += re.escape(byte)
        position += 1
    plain = [re.sub(rb"\\(.)", rb"\1", part, flags=re.DOTALL) for part in parts]
    return parts, plain if literal else None


def _literal_wildcard(parts: list[bytes]) -> RowFunction | None:
    """The common shapes without a regular expression."""
    head, tail = parts[0], parts[-1]
    if len(parts) == 1:
        return lambda value: 1 if value == head else 0
    if len(parts) == 2:
        size = len(head) + len(tail)
        return lambda value: 1 if len(value) >= size and value.startswith(head) and value.endswith(tail) else 0
    if len(parts) == 3 and not head and not tail:
        return _contains_any(parts[1:2])
    return None


def _pattern(arguments: Sequence[Argument]) -> RowFunction:
    return wildcard(fixed_text(arguments[1]), ignore_case="ncas" in words_of(arguments[2]))


def _near(left: float, right: float, delta: float) -> int:
    return 1 if abs(left - right) <= delta else 0


_PLACES = ("beg", "end", "sub")

FUNCTIONS = (
    Function(
        "BegCmp",
        (text("Val"),),
        ValueType.INTEGER,
        "1 if Val begins with any of the strings, else 0.",
        (
            Example("BegCmp('Pack', 'C', 'P')", 1),
            Example("BegCmp('Pack', 'p')", 0),
            Example("BegCmp('* ABC * x', '* ABC *')", 1),
        ),
        specialize=_begins,
        repeated=(constant("BegStr"),),
    ),
    Function(
        "EndCmp",
        (text("Val"),),
        ValueType.INTEGER,
        "1 if Val ends with any of the strings, else 0.",
        (Example("EndCmp('a.html', '.htm', '.html')", 1), Example("EndCmp('x * ABC *', '* ABC *')", 1)),
        specialize=_ends,
        repeated=(constant("EndStr"),),
    ),
    Function(
        "SubCmp",
        (text("Val"),),
        ValueType.INTEGER,
        "1 if Val contains any of the strings, else 0.",
        (Example("SubCmp('abc', 'x', 'b')", 1), Example("SubCmp('-D * E-', '* ABC *', 'D * E')", 1)),
        specialize=lambda arguments: _contains_any([fixed_text(argument) for argument in arguments[1:]]),
        repeated=(constant("SubStr"),),
    ),
    Function(
        "SubCmpAll",
        (text("Val"),),
        ValueType.INTEGER,
        "1 if Val contains all of the strings, else 0.",
        (Example("SubCmpAll('abc', 'c', 'b')", 1), Example("SubCmpAll('abc', 'x', 'b')", 0)),
        specialize=lambda arguments: _contains_all([fixed_text(argument) for argument in arguments[1:]]),
        repeated=(constant("SubStr"),),
    ),
    Function(
        "MixedCmp",
        (text("Val"),),
        ValueType.INTEGER,
        "1 if any of the strings is found where its word says: BEG, END or SUB (anywhere).",
        (
            Example("MixedCmp('abc', 'x', BEG, 'bc', END)", 1),
            Example("MixedCmp('x D * E', '* ABC *', BEG, 'D * E', END)", 1),
        ),
        specialize=_mixed_any,
        repeated=(constant("SubStr"), word("Typ", *_PLACES)),
    ),
    Function(
        "MixedCmpAll",
        (text("Val"),),
        ValueType.INTEGER,
        "1 if all of the strings are found where their words say: BEG, END or SUB (anywhere).",
        (Example("MixedCmpAll('abc', 'a', BEG, 'bc', END)", 1),),
        specialize=_mixed_all,
        repeated=(constant("SubStr"), word("Typ", *_PLACES)),
    ),
    Function(
        "Contain",
        (text("Val"), constant("SubStrs")),
        ValueType.INTEGER,
        "1 if Val contains any string of a list; a comma and a newline separate them.",
        (Example('Contain("abc", "x,\\nb")', 1), Example('Contain("-D * E-", "* ABC *,\\r\\nD * E")', 1)),
        specialize=lambda arguments: _contains_any(_listed(arguments)),
    ),
    Function(
        "ContainAll",
        (text("Val"), constant("SubStrs")),
        ValueType.INTEGER,
        "1 if Val contains all strings of a list; a comma and a newline separate them.",
        (Example('ContainAll("abc", "x,\\nb")', 0),),
        specialize=lambda arguments: _contains_all(_listed(arguments)),
    ),
    Function(
        "PatCmp",
        (text("Val"), constant("Pattern"), attributes("ncas")),
        ValueType.INTEGER,
        "1 if the whole of Val matches a pattern: * stands for any bytes, ? for one byte, a backslash before * ? or "
        "a backslash makes it literal. ncas ignores the case of ASCII letters.",
        (
            Example("PatCmp('index.html', '*.HTM?', ncas)", 1),
            Example("PatCmp('a*b', 'a\\*b')", 1),
            Example("PatCmp('axb', 'a\\*b')", 0),
            Example("PatCmp('x ABC y', '* ABC *')", 1),
            Example("PatCmp('x ABC', '* ABC *')", 0),
            Example("PatCmp('x abc y', '* ABC *', ncas)", 1),
            Example("""PatCmp('x "ABC" y', "* \\"ABC\\" *")""", 1),
            Example("""PatCmp('x "\\ & *" y', "* \\"\\\\\\\\ & \\\\*\\" *")""", 1),
        ),
        specialize=_pattern,
    ),
    Function(
        "NumCmp",
        (real("Val1"), real("Val2"), real("Delta")),
        ValueType.INTEGER,
        "1 if two numbers are at most Delta apart, else 0.",
        (Example("NumCmp(1.0, 1.05, 0.1)", 1), Example("NumCmp(1, 3, 1)", 0)),
        row=_near,
    ),
)
