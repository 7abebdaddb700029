"""Character sets: IConv, and the names that the C library's ``iconv`` knows them by."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Sequence

from ess.language.function import (
    Argument,
    ArgumentError,
    Example,
    Function,
    RecordError,
    RowFunction,
    constant,
    fixed_text,
    text,
)
from ess.language.tree import ValueType

#: Names of ``iconv`` for codecs that Python has under others; in upper case, without ``-``, ``_``, ``.`` and ``:``.
_ALIASES = {
    "ANSIX34": "ascii",
    "BIG5": "big5",
    "BIGFIVE": "big5",
    "CNBIG5": "big5",
    "CNGB": "gb2312",
    "CP10007": "mac_cyrillic",
    "CSUCS4": "utf_32_be",
    "CSUNICODE": "utf_16_be",
    "CSWINDOWS31J": "cp932",
    "IBM874": "cp874",
    "IBM875": "cp875",
    "IBM932": "cp932",
    "KOI8": "koi8_r",
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
    "LATIN9": "iso8859_15",
    "MAC": "mac_roman",
    "MACCENTRALEUROPE": "mac_latin2",
    "MSANSI": "cp1252",
    "MSARAB": "cp1256",
    "MSCP1361": "johab",
    "MSCP949": "cp949",
    "MSCYRL": "cp1251",
    "MSEE": "cp1250",
    "MSGREEK": "cp1253",
    "MSHEBR": "cp1255",
    "MSTURK": "cp1254",
    "SJISOPEN": "cp932",
    "SJISWIN": "cp932",
    "TIS6200": "tis_620",
    "UCS2": "utf_16_le",
    "UCS2BE": "utf_16_be",
    "UCS2LE": "utf_16_le",
    "UCS4": "utf_32_be",
    "UCS4BE": "utf_32_be",
    "UCS4LE": "utf_32_le",
    "UNICODE": "utf_16",
    "UNICODEBIG": "utf_16_be",
    "UNICODELITTLE": "utf_16_le",
    "UTF16BE": "utf_16_be",
    "UTF16LE": "utf_16_le",
    "UTF32BE": "utf_32_be",
    "UTF32LE": "utf_32_le",
    "WINDOWS31J": "cp932",
    "WINDOWS874": "cp874",
    "WINDOWS936": "gbk",
}
_PUNCTUATION = str.maketrans("", "", "-_.: ")
#: Codecs of Python that are no character sets.
_NO_SETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "unicode_escape"})
_HINT = "for example utf8, sjis, euc-jp, latin1"

#: A conversion of a value to (bytes of it that were converted, result), or None if it failed.
_Conversion = Callable[[bytes], tuple[int, bytes] | None]


def codec_name(name: str) -> str | None:
    """The codec of Python for a character set by any of its names; None if there is none.

    >>> codec_name("ISO_8859-1"), codec_name("8859_15"), codec_name("UCS-4LE"), codec_name("hex")
    ('iso8859-1', 'iso8859-15', 'utf-32-le', None)
    """
    plain = name.upper().translate(_PUNCTUATION)
    for candidate in (name.strip(), _ALIASES.get(plain, ""), _iso_8859(plain)):
        if not candidate:
            continue
        try:
            found = codecs.lookup(candidate).name
            "".encode(found)  # an encoding of text, not one such as "hex"
        except (LookupError, ValueError):
            continue
        return None if found in _NO_SETS else found
    return None


def _iso_8859(plain: str) -> str:
    """The codec for ISO88591 or 88591, as ``iconv`` spells them; blank for other names."""
    part = plain.removeprefix("ISO").removeprefix("8859")
    is_one = plain.removeprefix("ISO").startswith("8859") and part.isdecimal()
    return f"iso8859_{part}" if is_one else ""


def _codec(name: str, argument: int) -> str:
    found = codec_name(name)
    if found is None:
        raise ArgumentError(f"unknown character set '{name}'", argument=argument, hint=_HINT)
    return found


def _target(code: str) -> tuple[str, str]:
    """The codec to convert to and how it treats what it does not have; ``//IGNORE`` leaves that out."""
    name, _, suffix = code.partition("//")
    if suffix.upper() not in ("", "IGNORE"):
        raise ArgumentError(f"unknown suffix '//{suffix}' of a character set", argument=2, hint="known is //IGNORE")
    return _codec(name, 2), "ignore" if suffix else "strict"


def _conversion(source: str, to: str, errors: str) -> _Conversion:
    name, _, flag = source.partition(",")
    if name.strip() == ".":
        return lambda value: (0, value)
    if name.strip() == "-":
        return lambda value: (0, b"")
    codec = _codec(name, 1)
    if flag.strip().lower() == "eok":
        return lambda value: _convert_partly(value, codec, to)
    if flag:
        raise ArgumentError(f"unknown attribute '{flag}' of character set '{name}'", argument=1, hint="known is eok")

    def convert(value: bytes) -> tuple[int, bytes] | None:
        try:
            return len(value), value.decode(codec).encode(to, errors)
        except UnicodeError:
            return None

    return convert


def _convert_partly(value: bytes, codec: str, to: str) -> tuple[int, bytes]:
    """Convert all that can be converted; the rest is left out."""
    lost = 0
    parts: list[str] = []
    position = 0
    while position < len(value):
        try:
            parts.append(value[position:].decode(codec))
            break
        except UnicodeDecodeError as error:
            parts.append(value[position : position + error.start].decode(codec))
            size = max(1, error.end - error.start)
            lost += size
            position += error.start + size
    return len(value) - lost, "".join(parts).encode(to, "ignore")


def _iconv(arguments: Sequence[Argument]) -> RowFunction:
    to, errors = _target(os.fsdecode(fixed_text(arguments[2])))
    codes = os.fsdecode(fixed_text(arguments[1]))
    conversions = [_conversion(source, to, errors) for source in codes.split(";")]

    def convert(value: bytes) -> bytes:
        best: tuple[int, bytes] | None = None
        for conversion in conversions:
            found = conversion(value)
            if found is not None and found[0] == len(value):
                return found[1]
            if found is not None and (best is None or found[0] > best[0]):
                best = found
        if best is None:
            raise RecordError(f"IConv cannot convert from {codes}")
        return best[1]

    return convert


FUNCTIONS = (
    Function(
        "IConv",
        (text("Val"), constant("FromCodes"), constant("ToCode")),
        ValueType.STRING,
        "Val converted between character sets. Of several sets to convert from, joined with ';', the first that "
        "converts all of Val is taken, else the one that converts most of it: 'set,eok' leaves out what it cannot "
        "convert, '.' keeps Val, '-' gives a blank. If none succeeds the record is rejected.",
        (
            Example('IConv("\\x83\\x89", "sjis", "utf8")', "\u30e9".encode()),
            Example('IConv("\\xe9", "utf8;latin1", "utf8")', b"\xc3\xa9"),
            Example('IConv("\\xc6\\xfc", "sjis,eok;euc-jp", "utf8")', "\u65e5".encode()),
            Example('IConv("\\xff", "utf8;-", "utf8")', b""),
            Example('IConv("a\\xff", "utf8,eok", "utf8")', b"a"),
            Example("IConv('a', 'UCS-4LE;8859_1', 'UTF-16LE')", b"a\0"),
        ),
        specialize=_iconv,
        differences="The character sets are those of Python's codecs, also by the names of iconv; in sjis, \\ and ~ "
        "are those of ASCII.",
    ),
)
