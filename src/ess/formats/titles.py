"""Column names from the titles of a file, as a category and as ``loginf`` make them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_NAME = 31
_MOST_SHOWN = 40
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
#: A title has a letter, or is a sign that means a word; it may have any characters but control characters.
_TITLE = re.compile(r"[^\x00-\x1f\x7f]*[A-Za-z_#@$%\x80-\xff][^\x00-\x1f\x7f]*\Z")
#: What stands for a value that is missing.
_MISSING = frozenset(("null", "(null)", "none", "(none)", "<none>", "n/a", "nan", "nil", "\\n", "undefined", "tbd"))
#: The form of a column's title where no column of numbers tells titles from values.
_WORDS = re.compile(r"[A-Za-z_][\w .()%#&/?'+-]{0,40}\Z", re.ASCII)


def listed(titles: Sequence[str]) -> str:
    """The first of some titles, for a message."""
    return ", ".join(titles[:_MOST_SHOWN]) + (", ..." if len(titles) > _MOST_SHOWN else "")


def lacking(missing: Sequence[str], known: Sequence[str], what: str) -> str:
    """A sentence about columns that a file has not, with its ``what`` (titles, columns).

    >>> lacking(["a"], ["b", "c"], "titles")
    'it has no column a, which is blank; its titles are b, c'
    """
    which = f"column {missing[0]}, which is" if len(missing) == 1 else f"columns {listed(missing)}, which are"
    return f"it has no {which} blank; its {what} are {listed(known)}"


def is_title(field: str) -> bool:
    """True if a field may be the title of a column.

    >>> [is_title(field) for field in ("h2?", "Siblings/Spouses Aboard", "% of all", "-", "(null)", "2014", "")]
    [True, True, True, False, False, False, False]
    """
    return _TITLE.match(field) is not None and field.lower() not in _MISSING


def is_words(field: str) -> bool:
    """True if a field looks like a title even among other text.

    >>> is_words("Name of the guest?"), is_words("http://x/y")
    (True, False)
    """
    return _WORDS.match(field) is not None


@dataclass(frozen=True)
class Naming:
    """The ways to make a name of a title.

    Args:
        between: What takes the place of characters that a name cannot have; none at the beginning and the end.
        untitled: The name of a column without a title; ``{}`` is its number, from 1.
    """

    between: str
    untitled: str

    def names(self, titles: Sequence[str], numbers: Sequence[int] = ()) -> list[str]:
        """A valid name for each title, no two alike.

        Args:
            titles: The titles; blank for a column without one.
            numbers: The columns' numbers, if they are not 1, 2 and so on.

        >>> CATEGORY.names(["User ID", "2nd", "user_id", "", "Siblings/Spouses Aboard", "h2?"])
        ['User_ID', '_2nd', 'user_id_2', 'col_4', 'Siblings_Spouses_Aboard', 'h2']
        >>> LOGINF.names(["User ID", "2nd", "user_id", "", "Siblings/Spouses Aboard", "h2?"])
        ['UserID', '_2nd', 'user_id', 'col4', 'SiblingsSpousesAboard', 'h2']
        """
        names: list[str] = []
        taken: set[str] = set()
        for number, title in zip(numbers or range(1, len(titles) + 1), titles, strict=True):
            name = self._name(title) or self.untitled.format(number)
            unique, again = name, 1
            while unique.lower() in taken:
                again += 1
                unique = f"{name[: _LONGEST_NAME - len(str(again)) - 1]}_{again}"
            taken.add(unique.lower())
            names.append(unique)
        return names

    def _name(self, title: str) -> str:
        """The name that a title makes, blank if it makes none."""
        words = [word for word in _NOT_IN_NAMES.split(title) if word]
        name = self.between.join(words)
        if not name.strip("_"):
            return ""
        return (f"_{name}" if name[0].isdigit() else name)[:_LONGEST_NAME]


#: In a category.
CATEGORY = Naming("_", "col_{}")
#: Where ``loginf`` prints them.
LOGINF = Naming("", "col{}")
