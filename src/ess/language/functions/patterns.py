"""Regular expressions: RxCmp, RxMap, RxReplace, RxRep."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from ess.language.regex import REGEX_WORDS, Regex, RegexError, Template, compile_regex
from ess.language.tree import ValueType


def _compiled(arguments: Sequence[Argument], *, only_whether: bool = False) -> Regex:
    words = [word for word in words_of(arguments[-1]) if word != "all"]
    try:
        return compile_regex(fixed_text(arguments[1]), words, only_whether=only_whether)
    except RegexError as error:
        raise ArgumentError(f"bad regular expression: {error}", argument=1) from None


def _template(arguments: Sequence[Argument], index: int, regex: Regex) -> Template:
    try:
        return Template(fixed_text(arguments[index]), regex)
    except RegexError as error:
        raise ArgumentError(str(error), argument=index) from None


def _compare(arguments: Sequence[Argument]) -> RowFunction:
    search = _compiled(arguments, only_whether=True).search()
    return lambda value: 1 if search(value) else 0


def _map(arguments: Sequence[Argument]) -> RowFunction:
    if len(arguments) == 3:
        return _compare(arguments)
    regex = _compiled(arguments)
    search = regex.search()
    templates = [_template(arguments, index, regex) for index in range(3, len(arguments) - 1, 2)]

    def extract(value: bytes, *current: bytes) -> tuple[int | bytes, ...]:
        match = search(value)
        if match is None:
            return (0, *current)
        return (1, *(template.render(match) for template in templates))

    return extract


def _replacer(arguments: Sequence[Argument], template_at: int) -> Callable[[bytes], tuple[int, bytes]]:
    """A function to (replacements, result). Matches of nothing are left alone."""
    regex = _compiled(arguments)
    template = _template(arguments, template_at, regex)
    search = regex.search()

    def replace_all(value: bytes) -> tuple[int, bytes]:
        result = b""
        done = count = 0
        for match in regex.matches(value):
            start, end = match.start(), match.end()
            if end > start:
                result += value[done:start] + template.render(match)
                done = end
                count += 1
        return (count, result + value[done:]) if count else (0, value)

    def replace_first(value: bytes) -> tuple[int, bytes]:
        match = search(value)
        if match is not None and match.end() == match.start():
            match = next((other for other in regex.matches(value) if other.end() > other.start()), None)
        if match is None:
            return 0, value
        return 1, value[: match.start()] + template.render(match) + value[match.end() :]

    return replace_all if "all" in words_of(arguments[-1]) else replace_first


def _replace_into(arguments: Sequence[Argument]) -> RowFunction:
    replace = _replacer(arguments, 3)
    return lambda value, current: replace(value)


def _replace(arguments: Sequence[Argument]) -> RowFunction:
    replace = _replacer(arguments, 2)
    return lambda value: replace(value)[1]


_WORDS = tuple(REGEX_WORDS)
_ENGINES = (
    "With pcre, of the verbs only (*FAIL), (*PRUNE) and (*SKIP) are known. A search that takes more than 10 seconds "
    "ends the run."
)

FUNCTIONS = (
    Function(
        "RxCmp",
        (text("Val"), constant("Pattern"), attributes(*_WORDS)),
        ValueType.INTEGER,
        "1 if a regular expression matches any part of Val, else 0.",
        (
            Example("RxCmp('index.html', '\\.html$')", 1),
            Example("RxCmp('abc', 'A(x|B)', rx_extended|ncas)", 1),
            Example("RxCmp('abc', '^\\d+$', pcre)", 0),
            Example("RxCmp('x ABC y', '^.* ABC .*$')", 1),
            Example("""RxCmp('x "ABC" y', "^.* \\"ABC\\" .*$")""", 1),
            Example("""RxCmp('x "\\ & *" y', "^.* \\"\\\\\\\\ & \\\\*\\" .*$")""", 1),
        ),
        specialize=_compare,
        differences=_ENGINES,
    ),
    Function(
        "RxMap",
        (text("Val"), constant("MapFrom")),
        ValueType.INTEGER,
        "1 if a regular expression matches any part of Val, else 0. On a match, each column gets its template, in "
        "which %%N%% stands for the N-th group.",
        (
            Example(
                "RxMap('a ABC b', '^\\(.*\\) ABC \\(.*\\)$', Str1, '%%1%%', Str2, '%%2%%-%%1%%')",
                1,
                (("Str1", b"a"), ("Str2", b"b-a")),
            ),
            Example("RxMap('abc', '(x)', Str1, '%%1%%', pcre)", 0, (("Str1", b""),)),
            Example("RxMap('abc', 'B', ncas)", 1),
        ),
        specialize=_map,
        repeated=(target("Col"), constant("MapTo")),
        at_least=0,
        trailing=(attributes(*_WORDS),),
        differences=_ENGINES,
    ),
    Function(
        "RxReplace",
        (text("Val"), constant("RepFrom"), target("Col"), constant("RepTo"), attributes("all", *_WORDS)),
        ValueType.INTEGER,
        "Stores Val into Col with the first match of a regular expression replaced (all: every match), and gives the "
        "number of replacements. %%N%% in RepTo stands for the N-th group. Matches of nothing are not replaced.",
        (
            Example("RxReplace('a  b c', ' *', Str1, '_', 'all')", 2, (("Str1", b"a_b_c"),)),
            Example("RxReplace('abc', 'x', Str1, 'y')", 0, (("Str1", b"abc"),)),
            Example('RxReplace("a  b", " *", Str1, "\\n", "all")', 1, (("Str1", b"a\nb"),)),
        ),
        specialize=_replace_into,
        differences=_ENGINES,
    ),
    Function(
        "RxRep",
        (text("Val"), constant("RepFrom"), constant("RepTo"), attributes("all", *_WORDS)),
        ValueType.STRING,
        "Val with the first match of a regular expression replaced (all: every match).",
        (
            Example("RxRep('2014-09-15', '([0-9]+)-([0-9]+)', '%%2%%/%%1%%', pcre)", b"09/2014-15"),
            Example("RxRep('foobar', 'foo|foobar', '', rx_extended)", b""),
            Example("RxRep('a-b-c', '-', '', all)", b"abc"),
        ),
        specialize=_replace,
        differences=_ENGINES,
    ),
)
