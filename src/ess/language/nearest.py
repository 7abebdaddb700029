"""Suggestions for a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like ``name``, in any case; blank if none is like it.

    >>> nearest("SubStrr", ["SubStr", "SubCmp"])
    'SubStr'
    """
    import difflib  # only needed once something went wrong

    spelling = {word.lower(): word for word in known}
    found = difflib.get_close_matches(name.lower(), spelling, n=1)
    return spelling[found[0]] if found else ""
