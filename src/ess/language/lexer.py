"""Expression text to tokens."""

from __future__ import annotations

import enum
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ess.errors import OptionError


class TokenKind(enum.Enum):
    """The kinds of tokens."""

    NUMBER = "number"
    STRING = "string"
    ADDRESS = "IP address"
    NAME = "name"
    BUILTIN = "builtin variable"
    OPERATOR = "operator"
    END = "end of the expression"


@dataclass(frozen=True)
class Token:
    """One token; ``value`` is set for numbers, strings and addresses."""

    kind: TokenKind
    position: int
    end: int
    text: str
    value: bytes | int | float = 0


#: Comparison operators, and the operator and negation each stands for (see ``checker``).
COMPARISONS = (
    "===",
    "!~==",
    "~==",
    "~>=",
    "~<=",
    "!~=",
    "!&=",
    "==",
    ">=",
    "<=",
    "!=",
    "&=",
    "~>",
    "~<",
    "!&",
    ">",
    "<",
)
_OTHERS = ("&&", "||", "+", "-", "*", "/", "%", "&", "|", "^", "(", ")", ",", "!")
_OPERATORS = sorted((*COMPARISONS, *_OTHERS), key=len, reverse=True)

_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6 = re.compile(r"(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]+(?:\d{1,3}(?:\.\d{1,3}){3})?")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_BUILTIN = re.compile(r"\$[A-Za-z]\w*", re.ASCII)
_OPERATOR = re.compile("|".join(re.escape(operator) for operator in _OPERATORS))
_EXCERPT = 160  # how much of an expression a message shows
_HINTS = {
    "=": "compare with '=='",
    "~": "compare with a pattern by PatCmp(Val, Pattern)",
    "#": "compare with a regular expression by RxCmp(Val, Pattern)",
    "?": "there is no ?: ; choose with -if -filt ... -else ... -endif",
    "“": "quotes are straight ones",
    "”": "quotes are straight ones",
    "[": "a part of a string is SubStr(Val, Start, Length)",
    "$": "builtin variables are $RowNum $Random $CurSec $CurUSec",
}
_ESCAPES = {"\\": "\\", '"': '"', "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}


def expression_error(what: str, text: str, position: int, where: str, hint: str = "") -> OptionError:
    """An OptionError that points at a 0-based position of an expression."""
    start = max(0, position - _EXCERPT // 2) if len(text) > _EXCERPT else 0
    end = start + _EXCERPT
    excerpt = ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
    return OptionError(f"{what}, at character {position + 1} of: {excerpt}", where=where, hint=hint)


def tokens_of(text: str, *, where: str) -> list[Token]:
    """Split an expression; the last token is END.

    Raises:
        OptionError: At a character that begins no token, or a string that does not end.

    >>> [token.text for token in tokens_of("a+1 >= $RowNum", where="-filt")]
    ['a', '+', '1', '>=', '$RowNum', '']
    """
    return list(_tokens(text, where))


def _tokens(text: str, where: str) -> Iterator[Token]:
    position = 0
    while True:
        space = _SPACE.match(text, position)
        if space:
            position = space.end()
        if position >= len(text):
            yield Token(TokenKind.END, position, position, "")
            return
        token = _string(text, position, where) if text[position] in "\"'" else _plain(text, position, where)
        yield token
        position = token.end


def _plain(text: str, start: int, where: str) -> Token:
    for pattern, family in ((_IPV4, socket.AF_INET), (_IPV6, socket.AF_INET6)):
        match = pattern.match(text, start)
        if match:
            try:
                return Token(TokenKind.ADDRESS, start, match.end(), match[0], socket.inet_pton(family, match[0]))
            except OSError:
                raise expression_error(f"bad IP address '{match[0]}'", text, start, where) from None
    match = _NUMBER.match(text, start)
    if match:
        return _number(text, match, where)
    for pattern, kind in ((_NAME, TokenKind.NAME), (_BUILTIN, TokenKind.BUILTIN), (_OPERATOR, TokenKind.OPERATOR)):
        match = pattern.match(text, start)
        if match:
            return Token(kind, start, match.end(), match[0])
    hint = "the operator is '>='" if text.startswith("=>", start) else _HINTS.get(text[start], "")
    raise expression_error(f"unexpected '{text[start]}'", text, start, where, hint)


def _number(text: str, match: re.Match[str], where: str) -> Token:
    word, end = match[0], match.end()
    if end < len(text) and (text[end].isalnum() or text[end] in "_."):
        rest = re.compile(r"[\w.]+").match(text, end)
        raise expression_error(f"bad number '{word}{rest[0] if rest else ''}'", text, match.start(), where)
    if word[:2] in ("0x", "0X"):
        value: int | float = int(word, 16)
    else:
        value = int(word) if word.isdigit() else float(word)
    if isinstance(value, int):
        if value >= 2**64:
            raise expression_error(f"number {word} does not fit into 64 bits", text, match.start(), where)
        if value >= 2**63:  # the bits of an unsigned column's value
            value -= 2**64
    return Token(TokenKind.NUMBER, match.start(), end, word, value)


def _string(text: str, start: int, where: str) -> Token:
    """A string literal and those that follow it directly."""
    parts: list[bytes] = []
    position = start
    while position < len(text) and text[position] in "\"'":
        quote = text[position]
        if quote == "'":
            end = text.find("'", position + 1)
            if end < 0:
                raise expression_error("string without closing '", text, position, where)
            parts.append(os.fsencode(text[position + 1 : end]))
            position = end + 1
        else:
            part, position = _double_quoted(text, position, where)
            parts.append(part)
        space = _SPACE.match(text, position)
        if space and text[space.end() : space.end() + 1] in ('"', "'"):
            position = space.end()
    return Token(TokenKind.STRING, start, position, text[start:position], b"".join(parts))


def _double_quoted(text: str, start: int, where: str) -> tuple[bytes, int]:
    parts: list[bytes] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character == '"':
            return b"".join(parts), position + 1
        following = text[position + 1 : position + 2]
        if character != "\\" or not following:
            parts.append(os.fsencode(character))
            position += 1
        elif following in _ESCAPES:
            parts.append(_ESCAPES[following].encode("ascii"))
            position += 2
        elif following == "\n":
            position += 2
        elif following == "x" and re.match(r"[0-9A-Fa-f]{2}", text[position + 2 : position + 4]):
            parts.append(bytes([int(text[position + 2 : position + 4], 16)]))
            position += 4
        else:  # not an escape: kept as it is
            parts.append(b"\\")
            position += 1
    raise expression_error('string without closing "', text, start, where)
