"""String properties and parts: SLeng, SubStr, ClipStr, StrIndex, ToUpper, ToLower."""

from __future__ import annotations

import re
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
    text,
    whole,
    words_of,
)
from ess.language.tree import ValueType

_CLIP = re.compile(rb"(!?)(\d+)(-?)([<>])(.?)", re.DOTALL)


def sub_string(value: bytes, start: int, length: int | None = None) -> bytes:
    """Bytes from a 0-based start; negative numbers count from the end."""
    size = len(value)
    if start < 0:
        start = max(0, start + size)
    if length is None:
        return value[start:]
    if length < 0:
        length = max(0, size - start + length)
    return value[start : start + length]


def _clip_element(element: re.Match[bytes]) -> Callable[[bytes], bytes]:
    negated, exclusive, backward, separator = bool(element[1]), bool(element[3]), element[4] == b"<", element[5]
    count = int(element[2])

    def cut(value: bytes) -> tuple[bytes, bytes]:
        """The value as (head, tail), cut where the clip ends."""
        if not separator:
            at = max(0, len(value) - count) if backward else min(count, len(value))
            return value[:at], value[at:]
        if count == 0:
            return (value, b"") if backward else (b"", value)
        at = len(value) if backward else -1
        for _ in range(count):
            at = value.rfind(separator, 0, at) if backward else value.find(separator, at + 1)
            if at < 0:  # fewer separators than that: the clip takes everything
                return (b"", value) if backward else (value, b"")
        cut_at = at if backward != exclusive else at + 1  # whether the last separator belongs to the clip
        return value[:cut_at], value[cut_at:]

    def clip(value: bytes) -> bytes:
        head, tail = cut(value)
        return tail if backward != negated else head

    return clip


def _clip_elements(spec: bytes) -> list[Callable[[bytes], bytes]]:
    elements: list[Callable[[bytes], bytes]] = []
    position = 0
    while position < len(spec) or not elements:
        match = _CLIP.match(spec, position)
        if match is None:
            raise ArgumentError(
                "bad clip spec", argument=1, hint="an element is [!]Num[-]Dir[Sep], for example 2>/ ; join them with ;"
            )
        end = match.end()
        if match[5] == b";" and end < len(spec) and spec[end : end + 1] != b";":
            match = re.compile(rb"(!?)(\d+)(-?)([<>])()").match(spec, position)  # that ";" separates elements
            if match is None:
                raise ArgumentError("bad clip spec", argument=1)
            end = match.end()
        elements.append(_clip_element(match))
        if end < len(spec) and spec[end : end + 1] != b";":
            raise ArgumentError("bad clip spec", argument=1, hint="separate the elements with ;")
        position = end + 1
    return elements


def _clip_str(arguments: Sequence[Argument]) -> RowFunction:
    elements = _clip_elements(fixed_text(arguments[1]))

    def clip(value: bytes) -> bytes:
        for element in elements:
            value = element(value)
        return value

    return elements[0] if len(elements) == 1 else clip


def _str_index(arguments: Sequence[Argument]) -> RowFunction:
    words = words_of(arguments[2])
    if "ncas" in words:
        if "back" in words:
            return lambda value, part: value.lower().rfind(part.lower())
        return lambda value, part: value.lower().find(part.lower())
    return (lambda value, part: value.rfind(part)) if "back" in words else (lambda value, part: value.find(part))


FUNCTIONS = (
    Function(
        "SLeng",
        (text("Val"),),
        ValueType.INTEGER,
        "The length of a string in bytes.",
        (Example("SLeng('abc')", 3), Example('SLeng("\\xe3\\x83\\xa9")', 3)),
        row=len,
    ),
    Function(
        "SubStr",
        (text("Val"), whole("Start"), whole("Length", optional=True)),
        ValueType.STRING,
        "Bytes of a string from the 0-based position Start. A negative Start counts from the end; "
        "a negative Length leaves out that many bytes at the end.",
        (
            Example("SubStr('abcdef', 2)", b"cdef"),
            Example("SubStr('abcdef', -2, 1)", b"e"),
            Example("SubStr('abcdef', SLeng('abcdef') - 2, 1)", b"e"),
            Example("SubStr('abcdef', -9, 2)", b"ab"),
            Example("SubStr('abcdef', 1, -2)", b"bcd"),
        ),
        row=sub_string,
    ),
    Function(
        "ClipStr",
        (text("Val"), constant("ClipSpec")),
        ValueType.STRING,
        "A part of a string, cut by a sequence of elements [!]Num[-]Dir[Sep] joined with ';'. Each keeps Num bytes, "
        "or the bytes up to the Num-th Sep, counted from the start (>) or the end (<); '-' leaves the last Sep out, "
        "'!' keeps the other part.",
        (
            Example("ClipStr('/A/B/C', '2>/')", b"/A/"),
            Example("ClipStr('/A/B/C', '2->/')", b"/A"),
            Example("ClipStr('/A/B/C', '!2>/')", b"B/C"),
            Example("ClipStr('a.b.c', '1-<.')", b"c"),
            Example("ClipStr('abcdef', '4>;2<')", b"cd"),
        ),
        specialize=_clip_str,
    ),
    Function(
        "StrIndex",
        (text("Val"), text("Str"), attributes("ncas", "back")),
        ValueType.INTEGER,
        "The 0-based position of Str in Val, or -1. ncas ignores the case of ASCII letters; back finds the last one.",
        (
            Example("StrIndex('banana', 'an')", 1),
            Example("StrIndex('banana', 'AN', ncas|back)", 3),
            Example("StrIndex('banana', 'x')", -1),
            Example("StrIndex('One', 'ONE', ncas) >= 0", 1),
        ),
        specialize=_str_index,
    ),
    Function(
        "ToUpper",
        (text("Val"),),
        ValueType.STRING,
        "The string with ASCII letters in upper case; other bytes are kept.",
        (Example("ToUpper('a1\xe9')", "A1\xe9".encode()),),
        row=bytes.upper,
    ),
    Function(
        "ToLower",
        (text("Val"),),
        ValueType.STRING,
        "The string with ASCII letters in lower case; other bytes are kept.",
        (Example("ToLower('ABc')", b"abc"),),
        row=bytes.lower,
    ),
)
