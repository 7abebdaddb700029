"""Column specs, ``Type[,Attribute...]:Name``, as in ``-d s,trm:user i:count X``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ess.errors import OptionError
from ess.schema.types import ColumnType

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}\Z")


@dataclass(frozen=True)
class ColumnAttributes:
    """The attributes between the type and the colon.

    ``extract_length`` is ``n=Len`` in bytes. ``others`` holds, in lower case and in order, the
    attributes that only some options know (``key``, ``cmb``, ``pkey``, ``+add`` ...); the
    reader of the spec says which of them it accepts.
    """

    extract_length: int | None = None
    escape: bool = False
    common_log: bool = False
    hexadecimal: bool = False
    trim: bool = False
    lower: bool = False
    upper: bool = False
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of an input, a table or a chain of rules.

    ``name`` keeps the user's spelling; names compare without regard to case (use ``key``).
    An unwanted ``X`` column has ``wanted=False`` and may have neither name nor type.
    ``path`` is the key spec of ``jsn`` and ``xml`` columns. Of a column with ``used=False`` a reader need not
    deliver the values; whether each record has a right one still counts.
    """

    name: str
    type: ColumnType
    attributes: ColumnAttributes = field(default_factory=ColumnAttributes)
    wanted: bool = True
    path: str | None = None
    used: bool = True

    @property
    def key(self) -> str:
        """The name as it is compared."""
        return self.name.lower()


def valid_name(name: str) -> bool:
    """True if ``name`` can name a column: 1 to 31 letters, digits and ``_``, no digit first."""
    return _NAME.match(name) is not None


def parse_column(
    spec: str, *, where: str, extra: frozenset[str] = frozenset(), with_path: bool = False, stray: str = ""
) -> Column:
    """Parse one column spec.

    Args:
        spec: For example ``i,trm:count``, ``X``, ``s`` (a bare name means a string column).
        where: The option it stands in, for the error.
        extra: The attributes accepted beside the standard ones, in lower case.
        with_path: Whether a key spec follows the name (``S:Col1:key1``).
        stray: What to say of a word without a type that was perhaps meant for something else.

    Raises:
        OptionError: If the spec is not of that form.
    """
    head, colon, name = spec.partition(":")
    path: str | None = None
    if with_path and colon:
        name, second_colon, rest = name.partition(":")
        path = rest if second_colon else None
    parts = head.split(",")
    letters = parts[0].strip().upper()
    if not colon and not letters.startswith("X") and valid_name(spec):
        return Column(spec, ColumnType.S)
    wanted = not (letters.startswith("X") and (letters == "X" or letters[1:] in ColumnType.__members__))
    type_letters = letters if wanted else (letters[1:] or "S")
    if type_letters not in ColumnType.__members__:
        raise OptionError(
            f"unknown column type '{parts[0]}' in '{spec}'", where=where, hint=_type_hint(letters, colon, name, stray)
        )
    if wanted and not valid_name(name):
        hint = "a name has 1 to 31 letters, digits and '_', and does not begin with a digit"
        if ":" in name:
            hint = f"each spec is a word of its own: {' '.join(_meant_specs(spec))}"
        raise OptionError(f"bad column name '{name}' in '{spec}'", where=where, hint=hint)
    return Column(name, ColumnType[type_letters], _attributes(parts[1:], spec, where, extra), wanted, path)


def _meant_specs(spec: str) -> list[str]:
    """The specs that were meant by one word with commas or blanks between them.

    >>> _meant_specs("s:a, i:b")
    ['s:a', 'i:b']
    """
    return [word for word in re.split(r"[\s,]+", spec) if word]


#: The names of the types in other programs.
_OTHER_TYPES = {
    **dict.fromkeys(("STRING", "STR", "TEXT", "CHAR", "VARCHAR", "DATE", "TIME"), "S"),
    **dict.fromkeys(("INT", "INTEGER", "UINT", "BOOL"), "I, or IS with a sign"),
    **dict.fromkeys(("LONG", "BIGINT", "INT64"), "L, or LS with a sign"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "NUMBER", "NUM", "REAL", "DECIMAL", "D"), "F"),
}


def _type_hint(letters: str, colon: str, name: str, stray: str) -> str:
    types = "the types are S F L LS I IS IP and X"
    if letters in _OTHER_TYPES:
        return f"its letter is {_OTHER_TYPES[letters]}"
    if name.upper() in ColumnType.__members__:
        return f"the type comes first: {name}:{letters.lower()}"
    return types if colon else f"a spec is Type:Name, and {types}{stray and '; '}{stray}"


def _attributes(words: list[str], spec: str, where: str, extra: frozenset[str]) -> ColumnAttributes:
    length: int | None = None
    flags: set[str] = set()
    others: list[str] = []
    for word in words:
        lowered = word.strip().lower()
        if lowered.startswith("n=") and lowered[2:].isdigit() and int(lowered[2:]) > 0:
            length = int(lowered[2:])
        elif lowered in _FLAGS:
            flags.add(lowered)
        elif lowered in extra or lowered.split("=")[0] + "=" in extra:
            others.append(lowered)
        else:
            known = sorted({"n=Len", *_FLAGS, *extra})
            raise OptionError(
                f"unknown column attribute '{word}' in '{spec}'", where=where, hint=f"known: {' '.join(known)}"
            )
    return ColumnAttributes(
        extract_length=length,
        escape="esc" in flags,
        common_log="clf" in flags,
        hexadecimal="hex" in flags,
        trim="trm" in flags,
        lower="lo" in flags,
        upper="up" in flags,
        others=tuple(others),
    )


_FLAGS = frozenset({"esc", "clf", "hex", "trm", "lo", "up"})
