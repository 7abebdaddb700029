"""``-mapf``, ``-mapc`` and ``-map`` as functions, so that the engines need to know nothing of them.

They are not in the table of functions that expressions may call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ess.language.function import (
    Argument,
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
from ess.language.mapping.template import parse_template
from ess.language.regex import REGEX_WORDS, RegexError, compile_regex
from ess.language.regex.template import first_of
from ess.language.tree import ValueType

#: The attributes of -mapf and -map.
MAP_WORDS = tuple(sorted(REGEX_WORDS))


def map_from_names(source: bytes, words: Sequence[str]) -> tuple[str, ...]:
    """The variables that a MapFrom extracts, in lower case: their names compare without regard to case.

    Those of a regular expression are ``0``, ``1`` ... and its named groups.

    Raises:
        PatternError: If the pattern is wrong.
    """
    if not set(words) - {"ncas"}:
        return tuple(dict.fromkeys(name for name in _compiled(source, words).names if name != "*"))
    try:
        regex = compile_regex(source, words)
    except RegexError as error:
        raise PatternError(f"bad regular expression: {error}") from None
    return (*map(str, range(len(regex.groups) + 1)), *sorted({name.lower() for name in regex.names}))


def _compiled(source: bytes, words: Sequence[str]) -> Pattern:
    return compile_pattern(source, ignore_case="ncas" in words)


def _extractor(source: bytes, words: Sequence[str]) -> Callable[[bytes], list[bytes] | None]:
    """A function to the values of ``map_from_names``, or None where the value does not match."""
    names = map_from_names(source, words)
    if not set(words) - {"ncas"}:
        pattern = _compiled(source, words)
        last = {name: group for group, name in enumerate(pattern.names)}
        groups = [last[name] for name in names]

        def extract(value: bytes) -> list[bytes] | None:
            found = pattern.extract(value)
            return None if found is None else [found[group] for group in groups]

        return extract
    regex = compile_regex(source, words)
    search = regex.search()
    references = [regex.groups_of(name) for name in names]

    def search_values(value: bytes) -> list[bytes] | None:
        match = search(value)
        return None if match is None else [first_of(match, groups) for groups in references]

    return search_values


def _map_from(arguments: Sequence[Argument]) -> RowFunction:
    extract = _extractor(fixed_text(arguments[1]), words_of(arguments[2]))
    if len(arguments) == 3:
        return lambda value: 0 if extract(value) is None else 1

    def into_targets(value: bytes, *current: bytes) -> tuple[int | bytes, ...]:
        found = extract(value)
        return (0, *current) if found is None else (1, *found)

    return into_targets


def _map_to(arguments: Sequence[Argument]) -> RowFunction:
    template = parse_template(fixed_text(arguments[0]))
    names = template.names
    return lambda *values: template.render(dict(zip(names, values, strict=True)))


def _map(arguments: Sequence[Argument]) -> RowFunction:
    source, words = fixed_text(arguments[1]), words_of(arguments[3])
    extract = _extractor(source, words)
    names = map_from_names(source, words)
    template = parse_template(fixed_text(arguments[2]))

    def rewrite(current: bytes) -> tuple[int, bytes]:
        found = extract(current)
        return (0, current) if found is None else (1, template.render(dict(zip(names, found, strict=True))))

    return rewrite


#: (Val, MapFrom, attributes, Target ...): 1 and the variables' values, or 0 where Val does not match. The targets
#: are those of ``map_from_names``, in order.
MAP_FROM = Function(
    "MapFrom",
    (text("Val"), constant("MapFrom"), attributes(*MAP_WORDS)),
    ValueType.INTEGER,
    "",
    specialize=_map_from,
    repeated=(target("Var"),),
)

#: (MapTo, Val ...): the template rendered; the values are those of the variables it names, in order.
MAP_TO = Function("MapTo", (constant("MapTo"),), ValueType.STRING, "", specialize=_map_to, repeated=(text("Val"),))

#: (Target, MapFrom, MapTo, attributes): 1 and the target rewritten, or 0 where it does not match.
MAP = Function(
    "Map",
    (target("Col"), constant("MapFrom"), constant("MapTo"), attributes(*MAP_WORDS)),
    ValueType.INTEGER,
    "",
    specialize=_map,
)
