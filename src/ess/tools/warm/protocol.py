"""The address of the tool server, and the form in which a command travels to it.

A request is a byte string of sections, each a list of byte strings behind their counts and
lengths; the caller's open descriptors travel beside it (SCM_RIGHTS), after ``OWN_DESCRIPTORS``.
Nothing is unpickled or evaluated. The server asks the kernel
for the caller's umask, limits, niceness and the like. The answer is two messages of a letter and a number: the command
says that it begins, with its process id, and the server how it ended, with its wait status. Between
the two, each byte the client sends is the number of a signal for the command. A connection that
ends before the first message has run nothing.

This module is imported by every start of a tool, so it imports only what is compiled into the
interpreter (measured: ``import socket`` alone doubles the start of a bare interpreter).
"""

# pathlib costs more to import than the whole rest of a warm start:
# ruff: noqa: PTH100, PTH116, PTH118, PTH120
from __future__ import annotations

import os
import sys
from binascii import crc32

#: Descriptors that one message can carry (the kernel's SCM_MAX_FD).
MAX_DESCRIPTORS = 253
#: The descriptors that travel beside the caller's: its working directory, and the end of a socket on which the command
#: can ask whether the caller still lives.
OWN_DESCRIPTORS = 2
#: The bytes of a request at most; a longer command line runs directly.
MAX_REQUEST = 8 << 20

#: The number of sections: the program (package folder and prefix, or nothing), the command with its arguments, the
#: environment, and the numbers of the caller's descriptors. A fifth may follow: the umask, in octal digits, of a caller
#: that starts commands for somebody else, and so has another one.
SECTIONS = 4

BEGUN = b"B"  #: with the command's process id
ENDED = b"E"  #: with the command's wait status
MESSAGE_BYTES = 9


def message(kind: bytes, number: int) -> bytes:
    """A message to the client: its kind and its number."""
    return kind + number.to_bytes(8, "big")


def package_directory() -> str:
    """The folder of the ``ess`` package that is running."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def runtime_directory() -> str:
    """The folder of the socket: ``ESS_RUNTIME_DIR``, else below ``XDG_RUNTIME_DIR``, else below ``/tmp``."""
    chosen = os.environ.get("ESS_RUNTIME_DIR")
    if chosen:
        return chosen
    base = os.environ.get("XDG_RUNTIME_DIR")
    return os.path.join(base, "essentia") if base else f"/tmp/essentia-{os.getuid()}"  # noqa: S108 - is_private() is asked before it is used


def socket_path() -> str:
    """The server's socket: one for each installation, known by the folder of its commands.

    The launchers (``launchers/bin``) form the same name. Where the environment names another program than the
    installed one, the package is part of the name, and the launchers leave such a start to Python.
    """
    if os.environ.get("PYTHONPATH") or os.environ.get("PYTHONHOME"):
        identity = f"{sys.prefix}\0{package_directory()}".encode("utf-8", "surrogateescape")
        name = f"tools-{crc32(identity):08x}.sock"
    else:
        commands = os.stat(os.path.join(sys.prefix, "bin"))
        name = f"tools-{commands.st_dev:x}-{commands.st_ino:x}.sock"
    return os.path.join(runtime_directory(), name)


def is_private(directory: str) -> bool:
    """True if ``directory`` is a real folder of ours that nobody else can enter or replace."""
    try:
        status = os.lstat(directory)
        above = os.stat(os.path.join(directory, ".."))
    except OSError:
        return False
    if above.st_uid not in (0, os.getuid()) or above.st_mode & 0o1002 == 0o0002:
        return False
    is_folder = (status.st_mode & 0o170000) == 0o040000
    return is_folder and status.st_uid == os.getuid() and (status.st_mode & 0o077) == 0


class Items:
    """The items of a section, ready for requests: those that many have in common are made so once."""

    __slots__ = ("count", "data")

    def __init__(self, items: list[bytes], before: Items | None = None) -> None:
        self.count: int = len(items) + (before.count if before is not None else 0)
        parts = [before.data if before is not None else b""]
        for item in items:
            parts.append(len(item).to_bytes(4, "big"))
            parts.append(item)
        self.data: bytes = b"".join(parts)


def pack(sections: list[list[bytes]] | list[list[bytes] | Items]) -> bytes:
    """The request's bytes, its total length first."""
    parts = [len(sections).to_bytes(4, "big")]
    for section in sections:
        items = section if isinstance(section, Items) else Items(section)
        parts.append(items.count.to_bytes(4, "big"))
        parts.append(items.data)
    body = b"".join(parts)
    return len(body).to_bytes(4, "big") + body


def unpack(body: bytes) -> list[list[bytes]]:
    """The sections of a request without its total length.

    Raises:
        ValueError: If the counts and lengths do not add up.
    """
    position = 0

    def number() -> int:
        nonlocal position
        if position + 4 > len(body):
            raise ValueError("the request is cut short")
        value = int.from_bytes(body[position : position + 4], "big")
        position += 4
        return value

    sections = []
    for _ in range(number()):
        section = []
        for _ in range(number()):
            length = number()
            if position + length > len(body):
                raise ValueError("the request is cut short")
            section.append(body[position : position + length])
            position += length
        sections.append(section)
    if position != len(body):
        raise ValueError("the request is too long")
    return sections
