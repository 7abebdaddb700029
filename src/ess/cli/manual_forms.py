"""Forms of command lines that the reference manuals have beside ours.

An option in brackets, as in ``--label [LABEL]``, may stand there without its value; it then says nothing. The page of
category rules has the name of a category before what is changed of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

#: The options whose value may be left out, by command.
OPTIONAL_VALUES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("summary",): ("--label",),
    ("probe",): ("--label", "--pcmd", "--size"),
    ("ls",): ("--exclude", "--limit"),
    ("category", "add"): ("--exclude",),
}
_SHORT = ("-r", "-h")


def _repeated(words: Sequence[str], option: str) -> list[str]:
    """Give each value behind an option the option.

    >>> _repeated(["create", "--hosts", "a", "b", "--add"], "--hosts")
    ['create', '--hosts', 'a', '--hosts', 'b', '--add']
    """
    found: list[str] = []
    within = False
    for word in words:
        if within and not word.startswith("-") and found[-1] != option:
            found.append(option)
        elif word.startswith("-"):
            within = word == option
        found.append(word)
    return found


def as_ours(arguments: Sequence[str]) -> list[str]:
    """The words of a command line in the form that our parser takes.

    >>> as_ours(["ls", "*.gz", "--limit", "--label", "web"]), as_ours(["summary", "--label"])
    (['ls', '*.gz', '--label', 'web'], ['summary'])
    >>> as_ours([])
    []
    >>> as_ours(["category", "change", "sales", "usecache", "--nocache"])
    ['category', 'change', 'usecache', 'sales', '--nocache']
    """
    words = list(arguments)
    if words[:2] == ["category", "change"] and words[3:4] == ["usecache"] and words[2] != "usecache":
        words[2:4] = words[3], words[2]
    if words[:2] == ["cluster", "create"]:
        words = _repeated(words, "--hosts")
    optional = next((options for path, options in OPTIONAL_VALUES.items() if tuple(words[: len(path)]) == path), ())
    return [
        word
        for word, following in itertools.pairwise([*words, "--"])
        if word not in optional or not (following.startswith("--") or following in _SHORT)
    ]
