"""The quoting that bash sees around each character of a command; a substituted value has to respect it.

Only what decides about quoting is followed: quotes, escapes, comments and nesting ``$(...)``,
``(...)``, ``${...}`` and backquotes. Where this reading and bash's differ (here-documents, ``case``
patterns inside ``$(...)``), a value may be split into words or show stray quotes. It is never run:
values reach the shell as variables, see :mod:`ess.cluster.substitution`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Quoting(enum.Enum):
    """The kinds of quoting around a character."""

    PLAIN = "plain"
    ESCAPED = "escaped"  #: the character after a backslash, and the backslash
    DOUBLE = '"'
    SINGLE = "'"
    DOLLAR_SINGLE = "$'"
    COMMENT = "#"


class _Frame(enum.Enum):
    COMMAND = "command"
    PARENTHESIS = "("
    BACKQUOTE = "`"
    BRACE = "${"
    BRACE_IN_DOUBLE = '"${'
    DOUBLE = '"'
    SINGLE = "'"
    DOLLAR_SINGLE = "$'"


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
}
_LITERAL = {_Frame.SINGLE, _Frame.DOLLAR_SINGLE}
_EXPANDING = {_Frame.DOUBLE, _Frame.BRACE_IN_DOUBLE}
_SCOPES = {_Frame.PARENTHESIS, _Frame.BACKQUOTE}


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
    result: list[Reading] = []
    frames = [_Frame.COMMAND]
    begins = [0]  # where each frame begins
    while (at := len(result)) < len(command):
        frame, character = frames[-1], command[at]
        quoting = _QUOTING[frame]
        scope = tuple(begin for each, begin in zip(frames, begins, strict=True) if each in _SCOPES)
        if character == "\\" and frame is not _Frame.SINGLE:
            result += [Reading(Quoting.ESCAPED, scope, is_code=False)] * len(command[at : at + 2])
            continue
        if character == "#" and quoting is Quoting.PLAIN and frame is not _Frame.BRACE and _begins_word(command, at):
            end = command.find("\n", at)
            result += [Reading(Quoting.COMMENT, scope, is_code=False)] * ((len(command) if end < 0 else end) - at)
            continue
        step = _literal_step(frames, character) if frame in _LITERAL else _step(frames, command, at)
        # A closing quote belongs outside, like the opening one.
        shown = _QUOTING[frames[-1]] if frame in _closed_by(character) else quoting
        result += [Reading(shown, scope, is_code=frame is _Frame.COMMAND or frame in _SCOPES)] * step
        begins = [*begins[: len(frames)], *[at] * (len(frames) - len(begins))]
    return result


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
        else:
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
