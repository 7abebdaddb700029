"""Encodings of text: UrlEnc, UrlDec, Base64Enc, Base64Dec, QryDec."""

from __future__ import annotations

import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass

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
from ess.language.text_codes import base64_decode, url_decode, url_encode
from ess.language.tree import ValueType

# QryDec


@dataclass(frozen=True)
class _Extraction:
    """The handling of one key: its name and how to finish the value."""

    name: bytes
    zero: bool
    decodes: int
    trim: bytes


def _option(words: Sequence[str], name: str, argument: int) -> bytes | None:
    """The value of ``name=value``, which is one byte."""
    for word in words:
        if word.startswith(name + "="):
            value = os.fsencode(word[len(name) + 1 :])
            if len(value) != 1:
                raise ArgumentError(f"{name}= takes one character", argument=argument)
            return value
    return None


def _decodes(words: Sequence[str], otherwise: int, argument: int) -> int:
    for word in words:
        if word.startswith("dec="):
            number = word[4:]
            if not number.isdigit() or int(number) > 99:
                raise ArgumentError("dec= takes a number from 0 to 99", argument=argument)
            return int(number)
    return otherwise


def _extractions(arguments: Sequence[Argument]) -> list[_Extraction]:
    common = words_of(arguments[1])
    found: list[_Extraction] = []
    for at in range(2, len(arguments), 3):
        name, words = fixed_text(arguments[at + 1]), words_of(arguments[at + 2])
        found.append(
            _Extraction(
                name,
                "zero" in common or "zero" in words,
                _decodes(words, _decodes(common, 1, 1), at + 2),
                _option(words, "trm", at + 2) or _option(common, "trm", 1) or b"",
            )
        )
    return found


def _query_decoder(arguments: Sequence[Argument]) -> RowFunction:
    extractions = _extractions(arguments)
    begin = _option(words_of(arguments[1]), "beg", 1)
    places: dict[bytes, list[int]] = {}  # where the values of a name go, in the order of their occurrence
    for place, extraction in enumerate(extractions):
        places.setdefault(extraction.name, []).append(place)

    def decode(value: bytes, *current: bytes) -> tuple[int | bytes, ...]:
        query = value if begin is None else value.partition(begin)[2]
        results = [b"" if e.zero else present for e, present in zip(extractions, current, strict=True)]
        seen: dict[bytes, int] = {}
        count = 0
        for pair in query.split(b"&"):
            name, _, content = pair.partition(b"=")
            if name not in places:
                if b"%" not in name and b"+" not in name:
                    continue
                name = url_decode(name)
                if name not in places:
                    continue
            occurrence = seen.get(name, 0)
            if occurrence < len(places[name]):
                seen[name] = occurrence + 1
                place = places[name][occurrence]
                results[place] = _finish(content, extractions[place])
                count += 1
        return (count, *results)

    return decode


def _finish(value: bytes, extraction: _Extraction) -> bytes:
    for _ in range(extraction.decodes):
        value = url_decode(value)
    if extraction.trim:
        value = value.removeprefix(extraction.trim).removesuffix(extraction.trim)
    return value


FUNCTIONS = (
    Function(
        "UrlEnc",
        (text("Val"),),
        ValueType.STRING,
        "Val with all bytes but letters, digits and - . _ ~ written as %XX.",
        (Example("UrlEnc('a b/c')", b"a%20b%2Fc"),),
        row=url_encode,
    ),
    Function(
        "UrlDec",
        (text("Val"),),
        ValueType.STRING,
        "Val with %XX resolved and + read as a blank.",
        (Example("UrlDec('a%20b+c%2')", b"a b c%2"),),
        row=url_decode,
    ),
    Function(
        "Base64Enc",
        (text("Val"),),
        ValueType.STRING,
        "Val in base64.",
        (Example("Base64Enc('abcd')", b"YWJjZA=="),),
        row=lambda value: binascii.b2a_base64(value, newline=False),
    ),
    Function(
        "Base64Dec",
        (text("Val"),),
        ValueType.STRING,
        "The bytes that Val holds in base64; what is not base64 is skipped.",
        (Example(r'Base64Dec("YW Jj\tZA==")', b"abcd"), Example("Base64Dec('-')", b"")),
        row=base64_decode,
    ),
    Function(
        "QryDec",
        (text("Val"), attributes("beg=", "zero", "dec=", "trm=")),
        ValueType.INTEGER,
        "Stores the values of query parameters, a=1&b=2, into columns, and gives how many were found. A key that is "
        "asked for twice gives its first and its second value. beg=c skips Val up to the first c; zero blanks columns "
        "whose key is missing; dec=N decodes values N times (1 if not given); trm=c trims one c from either end.",
        (
            Example(
                "QryDec('/p?k1=a%20b&k2=c', 'beg=?', Str1, 'k1', Str2, 'k2')", 2, (("Str1", b"a b"), ("Str2", b"c"))
            ),
            Example("QryDec('k1=a&k1=\"b\"', Str1, 'k1', Str2, 'k1', 'trm=\"')", 2, (("Str1", b"a"), ("Str2", b"b"))),
            Example("QryDec('k2=1', zero|dec=2, Str1, 'k1')", 0, (("Str1", b""),)),
            Example(
                "QryDec('/p?k1=a&x=1&k1=b', 'beg=?', Str1, 'k1', Str2, 'k1', zero)", 2, (("Str1", b"a"), ("Str2", b"b"))
            ),
        ),
        specialize=_query_decoder,
        repeated=(target("Col"), constant("KeyName"), attributes("zero", "dec=", "trm=")),
    ),
)
