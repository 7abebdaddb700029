"""Names of files in archives: which of them are no data, and which path a name stands for."""

from __future__ import annotations

import re

#: What the programs of Macs and Windows put beside the files of people.
_CLUTTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_CLUTTER_FOLDER = "__MACOSX"
#: A part of a path that is blank or of dots, or a NUL.
_ODD = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|\0")


def is_clutter(name: str) -> bool:
    """True if a file is what an operating system adds for itself.

    >>> [is_clutter(name) for name in ("__MACOSX/._a.csv", "logs/.DS_Store", "logs/._a.csv", "logs/a.csv", ".htaccess")]
    [True, True, True, False, False]
    """
    folders, _, last = name.rpartition("/")
    return last.startswith("._") or last.lower() in _CLUTTER or _CLUTTER_FOLDER in folders.split("/")


def inner_path(name: str) -> str:
    """The path of a file in its archive, without ways out of it: no slash first, no ``.``, no ``..``, no NUL.

    >>> inner_path("/../etc/./passwd"), inner_path("a//b"), inner_path("..")
    ('etc/passwd', 'a/b', 'unnamed')
    """
    if _ODD.search(name) is None:
        return name
    parts = name.replace("\0", "").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "unnamed"
