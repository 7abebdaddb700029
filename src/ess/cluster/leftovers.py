"""Folders that belong to one process, and go when it is gone, however it ended.

A process that is killed with ``kill -9`` removes nothing. So its folder bears its name, and the next
process that makes one beside it removes those whose owners do not run any more.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from ess.cluster.processes import ProcessId, alive, this_process
from ess.settings import make_private_folder


def new_folder(parent: Path) -> Path:
    """A new folder of this process below ``parent``, for its owner only; what others left there is removed.

    Raises:
        InitializationError: If it cannot be made, or others could put another one in its place.
    """
    make_private_folder(parent)
    remove_leftovers(parent)
    me = this_process()
    return make_private_folder(parent / f"{me.pid}.{me.started}.{secrets.token_hex(2)}")


def remove_leftovers(parent: Path) -> None:
    """Remove the folders of processes that are gone; whatever else is there stays."""
    for folder in parent.iterdir():
        owner = _owner(folder.name)
        if owner is not None and not alive(owner):
            shutil.rmtree(folder, ignore_errors=True)


def _owner(name: str) -> ProcessId | None:
    """The owner of a folder.

    >>> _owner("812.77034.9f1c")
    ProcessId(pid=812, started=77034)
    """
    words = name.split(".")
    if len(words) != 3 or not (words[0].isdecimal() and words[1].isdecimal()):
        return None
    return ProcessId(int(words[0]), int(words[1]))
