"""Starts programs as ``os.posix_spawn`` does, but other threads go on meanwhile.

``os.posix_spawn`` and ``subprocess.Popen`` keep the interpreter lock until the new program is loaded, which takes
longer than all else that a small file costs here. The same function of the C library, called directly, does not.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
from collections.abc import Sequence
from typing import Any

#: More bytes than any C library takes for one of its structures.
_ROOM = 1024

#: Of <spawn.h>, the same in all C libraries of Linux.
_SETSIGDEF, _SETSID = 0x04, 0x80

#: Python ignores these, and its library gives them back to what it starts.
_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)


def inherited() -> list[int]:
    """The descriptors that programs would get from this process, besides the first three."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with contextlib.suppress(OSError):  # that of the folder itself is closed
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


def spawn(
    path: str,
    words: Sequence[str],
    environment: Sequence[bytes],
    descriptors: Sequence[int],
    *,
    closed: Sequence[int] = (),
) -> int:
    """Start a program in a session of its own; its process.

    Args:
        path: The program.
        words: The name it is called by, and its arguments.
        environment: Its entries ``NAME=value``.
        descriptors: Its first descriptors: input, output and messages.
        closed: Those that it does not get, of :func:`inherited`.

    Raises:
        OSError: If it cannot be started.
    """
    texts = [os.fsencode(word) for word in words]
    if b"\0" in b"".join((*texts, *environment)):
        raise OSError(0, "there is a byte 0 in the command")
    c = _library()
    actions = ctypes.create_string_buffer(_ROOM)
    process = ctypes.c_int()
    c.posix_spawn_file_actions_init(actions)
    try:
        for number, each in enumerate(descriptors):
            c.posix_spawn_file_actions_adddup2(actions, each, number)
        for each in closed:
            c.posix_spawn_file_actions_addclose(actions, each)
        error = c.posix_spawn(
            ctypes.byref(process), os.fsencode(path), actions, _attributes(), _array(texts), _array(environment)
        )
    finally:
        c.posix_spawn_file_actions_destroy(actions)
    if error:
        raise OSError(error, os.strerror(error))
    return process.value


def _array(texts: Sequence[bytes]) -> Any:
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@functools.cache
def _attributes() -> Any:
    c = _library()
    signals, attributes = ctypes.create_string_buffer(_ROOM), ctypes.create_string_buffer(_ROOM)
    c.sigemptyset(signals)
    for number in _SIGNALS:
        c.sigaddset(signals, int(number))
    c.posix_spawnattr_init(attributes)
    c.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETSIGDEF | _SETSID))
    c.posix_spawnattr_setsigdefault(attributes, signals)
    return attributes
