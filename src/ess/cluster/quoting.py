"""The quoting that bash sees around each character of a command; a substituted value has to respect it.

Only what decides about quoting is followed: quotes, escapes, comments, here-documents and nesting ``$(...)``,
``(...)``, ``${...}`` and backquotes. Where this reading and bash's differ (``case`` patterns inside ``$(...)``), a
value may be split into words or show stray quotes. It is never run:
values reach the shell as variables, see :mod:`ess.cluster.substitution`.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass


class Quoting(enum.Enum):
    """The kinds of quoting around a character."""

    PLAIN = "plain"
    ESCAPED = "escaped"  #: the character after a backslash, and the backslash
    DOUBLE = '"'
    SINGLE = "'"
    DOLLAR_SINGLE = "$'"
    COMMENT = "#"
    HERE = "<<"  #: the text of a here-document, which is expanded
    HERE_LITERAL = "<<'"  #: that of one whose delimiter has quotes, which is not


class _Frame(enum.Enum):
    COMMAND = "command"
    PARENTHESIS = "("
    BACKQUOTE = "`"
    BRACE = "${"
    BRACE_IN_DOUBLE = '"${'
    DOUBLE = '"'
    SINGLE = "'"
    DOLLAR_SINGLE = "$'"
    HERE = "<<"


@dataclass(frozen=True)
class HereDocument:
    """A here-document: places in the command, ends exclusive.

    ``word`` is the delimiter after ``<<`` with its quotes, ``text`` what it holds, ``last`` the line that ends it,
    without its tabs and newline; it is empty where the command ends before. ``is_literal``: nothing in the text is
    expanded.
    """

    word: tuple[int, int]
    text: tuple[int, int]
    last: tuple[int, int]
    is_literal: bool
    in_backquotes: bool

    def moved(self, by: int) -> HereDocument:
        """The same in a longer command."""
        word, text, last = ((begin + by, end + by) for begin, end in (self.word, self.text, self.last))
        return HereDocument(word, text, last, self.is_literal, self.in_backquotes)


@dataclass(frozen=True)
class Reading:
    """The way bash reads one character.

    ``scope`` has the places where the ``(``, ``$(``, ``<(`` or backquotes around it begin, the outermost first.
    ``is_code`` is true for what commands and operators are made of there, false in quotes, ``${...}`` and comments.
    """

    quoting: Quoting
    scope: tuple[int, ...]
    is_code: bool


_QUOTING = {
    _Frame.COMMAND: Quoting.PLAIN,
    _Frame.PARENTHESIS: Quoting.PLAIN,
    _Frame.BACKQUOTE: Quoting.PLAIN,
    _Frame.BRACE: Quoting.PLAIN,
    _Frame.BRACE_IN_DOUBLE: Quoting.DOUBLE,
    _Frame.DOUBLE: Quoting.DOUBLE,
    _Frame.SINGLE: Quoting.SINGLE,
    _Frame.DOLLAR_SINGLE: Quoting.DOLLAR_SINGLE,
    _Frame.HERE: Quoting.HERE,
}
_LITERAL = {_Frame.SINGLE, _Frame.DOLLAR_SINGLE}
_EXPANDING = {_Frame.DOUBLE, _Frame.BRACE_IN_DOUBLE, _Frame.HERE}
_SCOPES = {_Frame.PARENTHESIS, _Frame.BACKQUOTE}
_CODE = {_Frame.COMMAND, *_SCOPES}
_OPERATOR = re.compile(r"<<(-?)(?!<)[ \t]*")
_WORD = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^ \t\n;&|<>()])+""", re.DOTALL)
_QUOTES = re.compile(r"""\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)\"""", re.DOTALL)


def quoting_of(command: str) -> list[Quoting]:
    """The quoting of each character of ``command``; a quote character itself counts as outside of it.

    >>> [q.value for q in quoting_of('a "b"')]
    ['plain', 'plain', 'plain', '"', 'plain']
    """
    return [reading.quoting for reading in readings_of(command)]


def readings_of(command: str) -> list[Reading]:
    """The way bash reads each character of ``command``.

    >>> [reading.scope for reading in readings_of("a (b)")]
    [(), (), (), (2,), (2,)]
    """
    return _read(command)[0]


def here_documents(command: str) -> list[HereDocument]:
    r"""The here-documents of ``command``, in the order of their texts.

    >>> [each.text for each in here_documents("cat <<A; echo\nx\nA\n")]
    [(14, 16)]
    """
    return _read(command)[1]


@dataclass(frozen=True)
class _Begun:
    """A here-document whose text has not come yet; ``depth`` is that of the frames its line belongs to."""

    word: tuple[int, int]
    strips: bool
    depth: int


def _read(
    command: str, outside: _Frame = _Frame.COMMAND, around: tuple[int, ...] = (), offset: int = 0
) -> tuple[list[Reading], list[HereDocument]]:
    """Read a command, or the text of a here-document at ``offset`` of one, with the scopes ``around`` it."""
    result: list[Reading] = []
    documents: list[HereDocument] = []
    frames = [outside]
    begins = [0]  # where each frame begins
    begun: list[_Begun] = []
    arithmetic = 0  # the end of one, where << shifts
    while (at := len(result)) < len(command):
        frame, character = frames[-1], command[at]
        quoting = _QUOTING[frame]
        inner = (begin + offset for each, begin in zip(frames, begins, strict=True) if each in _SCOPES)
        scope = (*around, *inner)
        if character == "\\" and frame is not _Frame.SINGLE:
            result += [Reading(Quoting.ESCAPED, scope, is_code=False)] * len(command[at : at + 2])
            continue
        if character == "#" and quoting is Quoting.PLAIN and frame is not _Frame.BRACE and _begins_word(command, at):
            end = command.find("\n", at)
            result += [Reading(Quoting.COMMENT, scope, is_code=False)] * ((len(command) if end < 0 else end) - at)
            continue
        if frame in _CODE and at >= arithmetic:
            arithmetic = _arithmetic_end(command, at)
            if (operator := _OPERATOR.match(command, at)) and at >= arithmetic:
                if word := _WORD.match(command, operator.end()):
                    begun.append(_Begun(word.span(), bool(operator[1]), len(frames)))
                # The word itself is quoted as any other.
                result += [Reading(quoting, scope, is_code=True)] * len(operator[0])
                continue
            if command.startswith("<<<", at):
                result += [Reading(quoting, scope, is_code=True)] * 3
                continue
            if character == "\n" and any(each.depth == len(frames) for each in begun):
                result.append(Reading(quoting, scope, is_code=True))
                due = [each for each in begun if each.depth == len(frames)]
                begun = [each for each in begun if each not in due]
                for each in due:
                    document = _document(command, len(result), each, in_backquotes=_Frame.BACKQUOTE in frames)
                    documents.append(document)
                    if document.is_literal:
                        kind = Reading(Quoting.HERE_LITERAL, scope, is_code=False)
                        result += [kind] * (document.text[1] - document.text[0])
                    else:
                        text = command[slice(*document.text)]
                        inside, nested = _read(text, _Frame.HERE, scope, offset + document.text[0])
                        result += inside
                        documents += [each.moved(document.text[0]) for each in nested]
                    # The line that ends it, with its tabs.
                    last = Reading(Quoting.COMMENT, scope, is_code=False)
                    result += [last] * (document.last[1] - document.text[1])
                continue
        step = _literal_step(frames, character) if frame in _LITERAL else _step(frames, command, at)
        # A closing quote belongs outside, like the opening one.
        shown = _QUOTING[frames[-1]] if frame in _closed_by(character) else quoting
        result += [Reading(shown, scope, is_code=frame in _CODE)] * step
        begins = [*begins[: len(frames)], *[at] * (len(frames) - len(begins))]
    return result, documents


def _document(command: str, begin: int, begun: _Begun, *, in_backquotes: bool) -> HereDocument:
    """The here-document whose text begins at ``begin``."""
    word = command[slice(*begun.word)]
    delimiter = _QUOTES.sub(lambda match: match[1] or match[2] or match[3] or "", word)
    at = begin
    while at < len(command):
        end = command.find("\n", at)
        end = len(command) if end < 0 else end
        line = command[at:end]
        if begun.strips:
            line = line.lstrip("\t")
        if line == delimiter:
            return HereDocument(begun.word, (begin, at), (end - len(line), end), delimiter != word, in_backquotes)
        at = end + 1
    all_of_it = len(command)
    return HereDocument(begun.word, (begin, all_of_it), (all_of_it, all_of_it), delimiter != word, in_backquotes)


def _arithmetic_end(command: str, at: int) -> int:
    """The end of ``((...))`` or ``$((...))`` that begins at ``at``; 0 if none does."""
    begin = at + command.startswith("$", at)
    if not command.startswith("((", begin):
        return 0
    depth = 0
    for place in range(begin, len(command)):
        depth += {"(": 1, ")": -1}.get(command[place], 0)
        if depth == 1 and place > begin and command[place] == ")":
            return place + 2 if command.startswith("))", place) else 0
    return 0


def _closed_by(character: str) -> set[_Frame]:
    if character == "'":
        return {_Frame.SINGLE, _Frame.DOLLAR_SINGLE}
    return {_Frame.DOUBLE} if character == '"' else set()


def _begins_word(command: str, at: int) -> bool:
    return at == 0 or command[at - 1] in " \t\n;|&()`"


def _literal_step(frames: list[_Frame], character: str) -> int:
    if character == "'":
        frames.pop()
    return 1


def _step(frames: list[_Frame], command: str, at: int) -> int:
    """Follow one opening or closing; return how many characters it takes."""
    frame, character, pair = frames[-1], command[at], command[at : at + 2]
    expanding = frame in _EXPANDING
    if pair == "$(":
        frames.append(_Frame.PARENTHESIS)
        return 2
    if pair == "${":
        frames.append(_Frame.BRACE_IN_DOUBLE if expanding else _Frame.BRACE)
        return 2
    if pair == "$'" and not expanding:
        frames.append(_Frame.DOLLAR_SINGLE)
        return 2
    if character == '"':
        if frame is _Frame.DOUBLE:
            frames.pop()
        elif frame is not _Frame.HERE:
            frames.append(_Frame.DOUBLE)
    elif character == "'" and not expanding:
        frames.append(_Frame.SINGLE)
    elif character == "`":
        if frame is _Frame.BACKQUOTE:
            frames.pop()
        else:
            frames.append(_Frame.BACKQUOTE)
    elif character == "}" and frame in (_Frame.BRACE, _Frame.BRACE_IN_DOUBLE):
        frames.pop()
    elif character == "(" and not expanding:
        frames.append(_Frame.PARENTHESIS)
    elif character == ")" and frame is _Frame.PARENTHESIS:
        frames.pop()
    return 1
