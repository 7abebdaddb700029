"""The forms of values, as the readers take them: what a column's type is guessed from."""

from __future__ import annotations

import enum
import re

from ess.formats.values import BadValueError, converter, to_address, to_float
from ess.schema.columns import Column
from ess.schema.types import ColumnType

_INTEGER = re.compile(rb"[+-]?[0-9]+\Z")
_LEADING_ZERO = re.compile(rb"[+-]?0[0-9]")
_NUMBER_START = frozenset(b"+-.0123456789")
#: Nothing else stands in an address; most texts with colons are dates.
_ADDRESS = re.compile(rb"[0-9A-Fa-f:.]{2,45}\Z")
_FLOAT_WORDS = frozenset((b"inf", b"infinity", b"nan"))


class Form(enum.Enum):
    """The form of a value. What is read as a number but may mean something else has a form of its own."""

    BLANK = "blank"
    INTEGER = "integer"
    FLOAT = "float"
    ADDRESS = "address"
    DASH = "dash"  #: a lone ``-``, which number columns read as 0
    ZEROS = "zeros"  #: a number with leading zeros, which a number column loses
    WORD = "word"  #: ``nan`` or ``inf``, which F columns take
    OTHER = "other"


def form_of(value: bytes) -> Form:
    """The form of a value.

    >>> [form_of(value).value for value in (b"+5", b"01", b"1e3", b"-", b"::1", b"1.", b"NaN", b"1 2", b"")]
    ['integer', 'zeros', 'float', 'dash', 'address', 'float', 'word', 'other', 'blank']
    """
    if not value:
        return Form.BLANK
    if value == b"-":
        return Form.DASH
    if value[0] in _NUMBER_START:
        if _INTEGER.match(value):
            return Form.ZEROS if _LEADING_ZERO.match(value) else Form.INTEGER
        try:
            to_float(value)
        except BadValueError:
            pass
        else:
            return _signed_form(value)
    elif value.lower() in _FLOAT_WORDS:
        return Form.WORD
    if may_be_address(value):
        try:
            to_address(value)
        except BadValueError:
            return Form.OTHER
        return Form.ADDRESS
    return Form.OTHER


def may_be_address(value: bytes) -> bool:
    """True if it has the characters of an address.

    >>> may_be_address(b"::1"), may_be_address(b"2026-11-30T14:05:59")
    (True, False)
    """
    return (value.count(b".") == 3 or value.count(b":") >= 2) and _ADDRESS.match(value) is not None


def _signed_form(value: bytes) -> Form:
    if value[1:].lower() in _FLOAT_WORDS:
        return Form.WORD
    return Form.ZEROS if _LEADING_ZERO.match(value) else Form.FLOAT


def is_taken(value: bytes, kind: ColumnType) -> bool:
    """True if a column of that type takes the value; the reader itself decides.

    >>> is_taken(b"-", ColumnType.I), is_taken(b"-", ColumnType.IP)
    (True, True)
    """
    try:
        converter(Column("value", kind))(value)
    except BadValueError:
        return False
    return True
