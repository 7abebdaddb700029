"""Number formats of output columns (``-c Name+%06.2f``), checked and carried out without C.

The format is text with one conversion in it. ``d i u x X o c`` print whole numbers (a float is cut
towards zero), ``f F e E g G`` print floats; length modifiers are accepted and mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ess.errors import OptionError

_CONVERSION = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>[0-9]*)(?P<precision>\.[0-9]*)?(?:hh|h|ll|l|q|L|j|z|t)?(?P<letter>.)"
)
_WHOLE = frozenset("diuxXoc")
_REAL = frozenset("fFeEgG")
#: A wider field than this is a slip of the finger, and would print megabytes a row.
_WIDEST = 4096


@dataclass(frozen=True)
class PrintFormat:
    """A checked number format: the text around the conversion, and the conversion."""

    before: str
    after: str
    flags: str
    width: int
    precision: int | None
    letter: str

    def printer(self) -> Callable[[int | float], bytes]:
        """The function that prints a number."""
        if self.letter in _REAL:
            return self._print_real
        return self._print_whole

    def _print_real(self, value: int | float) -> bytes:
        precision = "" if self.precision is None else f".{self.precision}"
        number = f"%{self.flags}{self.width or ''}{precision}{self.letter}" % float(value)
        return f"{self.before}{number}{self.after}".encode("utf-8", "surrogateescape")

    def _print_whole(self, value: int | float) -> bytes:
        if isinstance(value, float):
            value = int(value) if value == value and abs(value) < 2.0**64 else 0
        if self.letter == "c":
            byte = bytes([value & 0xFF])
            byte = byte.ljust(self.width) if "-" in self.flags else byte.rjust(self.width)
            return self.before.encode("utf-8", "surrogateescape") + byte + self.after.encode("utf-8", "surrogateescape")
        number = self._digits(value)
        return f"{self.before}{number}{self.after}".encode("utf-8", "surrogateescape")

    def _digits(self, value: int) -> str:
        sign, prefix = "", ""
        if self.letter in "di":
            sign = "-" if value < 0 else "+" if "+" in self.flags else " " if " " in self.flags else ""
            digits = str(abs(value))
        else:
            # C prints the bits of a negative number.
            bits = value & 0xFFFFFFFFFFFFFFFF
            digits = format(bits, "d" if self.letter == "u" else self.letter)
            if "#" in self.flags and bits and self.letter in "xX":
                prefix = f"0{self.letter}"
            elif "#" in self.flags and self.letter == "o" and not digits.startswith("0"):
                digits = f"0{digits}"
        if self.precision is not None:
            digits = "" if self.precision == 0 and value == 0 else digits.rjust(self.precision, "0")
        text = sign + prefix + digits
        if "-" in self.flags:
            return text.ljust(self.width)
        if "0" in self.flags and self.precision is None:
            return sign + prefix + digits.rjust(self.width - len(sign) - len(prefix), "0")
        return text.rjust(self.width)


def parse_print_format(text: str, *, where: str) -> PrintFormat:
    """A number format.

    Args:
        text: For example ``0x%08x`` or ``%.2f``.
        where: The option, for the error.

    Raises:
        OptionError: If it is not text with exactly one number conversion.

    >>> parse_print_format("%.2f", where="-c").printer()(3.14159)
    b'3.14'
    >>> parse_print_format("0x%04x", where="-c").printer()(255)
    b'0x00ff'
    """
    before, conversion, after = "", None, ""
    position = 0
    while position < len(text):
        literal: str
        if text.startswith("%%", position):
            literal, position = "%", position + 2
        elif text[position] == "%":
            match = _CONVERSION.match(text, position)
            if match is None or conversion is not None or match["letter"] not in _WHOLE | _REAL:
                raise _bad(text, where)
            conversion, position = match, match.end()
            continue
        else:
            literal, position = text[position], position + 1
        if conversion is None:
            before += literal
        else:
            after += literal
    if conversion is None:
        raise _bad(text, where)
    width = int(conversion["width"] or 0)
    precision = None if conversion["precision"] is None else int(conversion["precision"][1:] or 0)
    if width > _WIDEST or (precision or 0) > _WIDEST:
        raise OptionError(f"the print format '{text}' is wider than {_WIDEST}", where=where)
    return PrintFormat(before, after, conversion["flags"], width, precision, conversion["letter"])


def _bad(text: str, where: str) -> OptionError:
    return OptionError(
        f"'{text}' is not a number format", where=where, hint="it needs one of %d %u %x %o %f %e %g, e.g. %.2f"
    )
