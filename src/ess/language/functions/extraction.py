"""Parts of a value by an RT pattern: PatMap."""

from __future__ import annotations

from collections.abc import Sequence

from ess.language.function import (
    Argument,
    ArgumentError,
    Example,
    Function,
    RowFunction,
    attributes,
    constant,
    fixed_text,
    target,
    text,
    words_of,
)
from ess.language.mapping.pattern import Pattern, PatternError, compile_pattern
from ess.language.mapping.template import Template, parse_template
from ess.language.tree import ValueType


def _pattern(arguments: Sequence[Argument]) -> Pattern:
    try:
        return compile_pattern(fixed_text(arguments[1]), ignore_case="ncas" in words_of(arguments[-1]))
    except PatternError as error:
        raise ArgumentError(str(error), argument=1) from None


def _template(argument: Argument, index: int, names: Sequence[str]) -> Template:
    try:
        template = parse_template(fixed_text(argument))
    except PatternError as error:
        raise ArgumentError(str(error), argument=index) from None
    for name in template.names:
        if name not in names:
            raise ArgumentError(f"MapFrom does not extract '{name}'", argument=index)
    return template


def _map(arguments: Sequence[Argument]) -> RowFunction:
    pattern = _pattern(arguments)
    if len(arguments) == 3:
        return lambda value: 0 if pattern.extract(value) is None else 1
    names = [name for name in pattern.names if name != "*"]
    templates = [_template(arguments[index], index, names) for index in range(3, len(arguments) - 1, 2)]

    def extract(value: bytes, *current: bytes) -> tuple[int | bytes, ...]:
        found = pattern.extract(value)
        if found is None:
            return (0, *current)
        values = dict(zip(pattern.names, found, strict=True))
        return (1, *(template.render(values) for template in templates))

    return extract


FUNCTIONS = (
    Function(
        "PatMap",
        (text("Val"), constant("MapFrom")),
        ValueType.INTEGER,
        "1 if an RT pattern, as in -mapf, matches the whole of Val, else 0. On a match, each column gets its template, "
        "in which %%Name%% stands for what the pattern has extracted.",
        (
            Example(
                "PatMap('From=ISGTo=OKA', 'From=%%Org:@b:3-3%%To=%%Dest%%', Str1, '%%org%%', Str2, '%%dest:1%%')",
                1,
                (("Str1", b"ISG"), ("Str2", b"O")),
            ),
            Example("PatMap('abc', 'x%%a%%', Str1, '%%a%%')", 0, (("Str1", b""),)),
            Example("PatMap('ABC', 'a%*', ncas)", 1),
        ),
        specialize=_map,
        repeated=(target("Col"), constant("MapTo")),
        at_least=0,
        trailing=(attributes("ncas"),),
    ),
)
