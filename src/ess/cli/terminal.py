"""The terminal that a command prints to: its width, and the characters that it can show."""

from __future__ import annotations

import os
import shutil
import sys

_ASCII = ("C", "POSIX")


def columns() -> int:
    """The columns of the terminal."""
    return shutil.get_terminal_size().columns


def can_show(characters: str) -> bool:
    """True if standard output takes the characters. Python takes C for UTF-8; who says C wants ASCII."""
    if os.environ.get("LC_ALL") in _ASCII or (
        os.environ.get("LC_CTYPE") in ("", None, "C.UTF-8", *_ASCII) and os.environ.get("LANG") in _ASCII
    ):
        return False
    try:
        characters.encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
