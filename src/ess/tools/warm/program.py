"""The program as it was when the server loaded it: a server of another version must not be used.

It is compared by content. The times of files only tell when to look: a checkout or a touch changes them without
changing the program, and an installer may give a new file the time of an old one.
"""

# pathlib costs more to import than the whole rest of a warm start:
# ruff: noqa: PTH116, PTH118, PTH120, PTH123, PTH208
from __future__ import annotations

import hashlib
import os
import sys

from ess.tools.warm import protocol

_Stamp = tuple[int, ...]


class Program:
    """The files of this package, the versions of the packages beside it, and Python itself."""

    def __init__(self) -> None:
        self._files = _files()
        self._stamps = self._current()
        self._content = _content(self._files)

    def is_unchanged(self) -> bool:
        """True if what is installed now is what it was."""
        current = self._current()
        if current == self._stamps:
            return True
        files = _files()
        if _content(files) != self._content:
            return False
        self._files, self._stamps = files, self._current()
        return True

    def _current(self) -> list[_Stamp]:
        folders = {os.path.dirname(file) for file in self._files}
        return [_stamp(path) for path in (*self._files, *sorted(folders), *_package_folders(), sys.executable)]


def _files() -> list[str]:
    """All files of the package but those that Python makes."""
    found = []
    for folder, folders, names in os.walk(protocol.package_directory()):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        found += [os.path.join(folder, name) for name in sorted(names)]
    return found


def _package_folders() -> list[str]:
    """The folders in which packages are installed."""
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]


def _stamp(path: str) -> _Stamp:
    """The numbers that change with a file, or with the list of a folder's files."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _content(files: list[str]) -> bytes:
    """A digest of the files, of the versions of all packages, and of where Python is."""
    total = hashlib.blake2b()
    for path in files:
        try:
            with open(path, "rb") as file:
                inside = hashlib.blake2b(file.read()).digest()
        except OSError:
            inside = b""
        total.update(os.fsencode(path) + b"\0" + inside)
    for folder in _package_folders():
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info", ".pth")))
        except OSError:
            names = []
        total.update(repr((folder, names)).encode("utf-8", "surrogatepass"))
    total.update(repr((os.path.realpath(sys.executable), _stamp(sys.executable))).encode("utf-8", "surrogatepass"))
    return total.digest()
