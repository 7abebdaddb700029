"""The column that a user means by a title."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ess.formats.titles import CATEGORY


def find_title(wanted: str, titles: Sequence[str]) -> int | None:
    """The place of a title among others, or None.

    The same title is sought first, then one that makes the same name, in any case.

    >>> titles = ("date", "cs(User-Agent)", "c-ip")
    >>> find_title("cs(User-Agent)", titles), find_title("C_IP", titles), find_title("time", titles)
    (1, 2, None)
    """
    titles = tuple(titles)
    if wanted in titles:
        return titles.index(wanted)
    return _by_name(titles).get(name_of(wanted).lower())


def name_of(title: str) -> str:
    """The name of the column that a title makes."""
    return CATEGORY.names([title])[0]


@lru_cache(maxsize=256)
def _by_name(titles: tuple[str, ...]) -> dict[str, int]:
    return {name.lower(): place for place, name in enumerate(CATEGORY.names(titles))}
