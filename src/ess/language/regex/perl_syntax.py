"""The pieces that Perl's regular expressions are made of, and the options of a pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass

QUANTIFIER = re.compile(rb"\*|\+|\?|\{(?P<low>\d*)(?P<more>,(?P<high>\d*))?\}")
OPENING = re.compile(rb"\(\?(?:P?<(?P<name>[A-Za-z_]\w*)>|'(?P<quoted>[A-Za-z_]\w*)'|(?P<look><?[=!]|:|>))")
FLAGS = re.compile(rb"\(\?(?P<reset>\^?)(?P<on>[imsxnUJ]*)(?:-(?P<off>[imsxnUJ]*))?(?P<end>[:)])")
CALL = re.compile(rb"\(\?(?:R|(?P<number>[+-]?\d+)|(?:&|P>)(?P<name>[A-Za-z_]\w*))\)")
NAMED_BACK = re.compile(
    rb"\(\?P=(?P<a>\w+)\)|\\k\{(?P<b>\w+)\}|\\k<(?P<c>\w+)>|\\k'(?P<d>\w+)'|\\g\{(?P<e>[A-Za-z_]\w*)\}"
)
NUMBERED_BACK = re.compile(rb"\\g\{?(?P<relative>[+-]?)(?P<number>\d+)\}?|\\(?P<plain>[1-9]\d*)")
CONDITION = re.compile(rb"\(\?\((?:<(?P<a>\w+)>|'(?P<b>\w+)'|(?P<number>\d+)|(?P<c>[A-Za-z_]\w*))\)")
VERB = re.compile(rb"\(\*(?P<verb>FAIL|F|PRUNE|SKIP|UTF8?|UCP)\)")
COMMENT = re.compile(rb"\(\?#[^)]*\)")
BLANK = frozenset(b" \t\n\r\f\v")
CHARACTERS = {
    b"h": rb"[ \t]",
    b"H": rb"[^ \t]",
    b"v": rb"[\n\v\f\r]",
    b"V": rb"[^\n\v\f\r]",
    b"N": rb"[^\n]",
    b"R": rb"(?>\r\n|[\n\v\f\r])",
    b"X": rb"\X",
}
#: ``\B`` matches an empty value too, as it does in PCRE; in ``re`` and ``regex`` it does not.
NO_BOUNDARY = rb"(?:\B|\A\Z)"
ASSERTIONS = {
    b"z": rb"\Z",
    b"Z": rb"(?=\n?\Z)",
    b"A": rb"\A",
    b"b": rb"\b",
    b"B": NO_BOUNDARY,
    b"G": rb"\G",
    b"K": rb"\K",
}
ASCII_BOUNDARIES = {
    b"b": b"(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))",
    b"B": b"(?:(?<=[A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<![A-Za-z0-9_])(?![A-Za-z0-9_]))",
}
MOST_TIMES = 65535


@dataclass(frozen=True)
class PerlOptions:
    r"""The attributes of the manual that concern Perl's expressions.

    Args:
        modes: The letters of ``caseless`` (i), ``dotall`` (s), ``multiline`` (m), ``extended`` (x), ``ungreedy`` (U)
            and ``dupnames`` (J), as in ``(?i)``.
        dollar_endonly: This and the next ones are attributes of that name.
        text: Whether values are text (``utf``).
        unicode: Whether ``\w`` and the like know more than ASCII (``ucp``).
        shift: By how much the numbers of groups are greater in the translated pattern.
    """

    modes: frozenset[str] = frozenset()
    dollar_endonly: bool = False
    alt_circumflex: bool = False
    alt_bsux: bool = False
    allow_empty_class: bool = False
    match_unset_backref: bool = False
    never_backslash_c: bool = False
    notbol: bool = False
    noteol: bool = False
    text: bool = False
    unicode: bool = False
    shift: int = 0
