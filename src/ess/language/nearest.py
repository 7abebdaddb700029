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


def resembling(word: str, known: Iterable[str]) -> list[str]:
    """The known names that contain a word, in any case, or else are like it; at most twelve, the shortest first.

    >>> resembling("Map", ["-map", "Min", "PatMap", "RxMap"]), resembling("Patmapp", ["PatMap", "RxMap", "Min"])
    (['-map', 'RxMap', 'PatMap'], ['PatMap'])
    """
    import difflib  # only needed once something went wrong

    spelling = {name.lower(): name for name in known}
    sought = word.lower().lstrip("-")
    found = [name for name in spelling if len(sought) > 1 and sought in name]
    found = sorted(found, key=len) or difflib.get_close_matches(sought, spelling, n=4)
    return [spelling[name] for name in found[:12]]


def choice_hint(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is none of ``known``, which may show a value, ``bz=BufSize``.

    >>> choice_hint("eokk", ["eok[=Num]", "sep=c"]), choice_hint("sep", ["sep=c"]), choice_hint("x", ["a", "b"])
    ("did you mean 'eok'?", "did you mean 'sep=c'?", 'known: a b')
    """
    shown = list(known)
    bare = {choice.partition("[")[0].partition("=")[0]: choice for choice in shown}
    near = nearest(word.partition("=")[0], bare)
    if near:
        return f"did you mean '{bare[near].partition('[')[0]}'?"
    return f"known: {' '.join(shown)}"
