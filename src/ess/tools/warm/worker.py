"""A process of the tool server: runs commands that were started alike, one after the other.

The cost of a command is mostly its process: the fork of a big one, the pages that are copied as they
are touched, and the threads of Polars (measured: 24 ms, where the work on a file of 10 KB takes 5).
So a process that has done a command well, and is as it was before, waits for another one, which gets
it only with the same circumstances. After anything else it ends: a failure, a signal, a module of the
user's, something left open, much memory held.
"""

# ruff: noqa: PTH115, PTH123, PTH208
from __future__ import annotations

import array
import atexit
import contextlib
import fcntl
import importlib
import io
import os
import signal
import socket
import sys
import threading
import time
from typing import NoReturn

from ess import interrupts, processor
from ess.tools import freed_memory
from ess.tools.launch import ESS, ESS_MODULE
from ess.tools.process import INTERRUPTED, exit_code
from ess.tools.warm import caller_liveness, protocol
from ess.tools.warm.circumstances import Circumstances, take, take_environment
from ess.udb.wire import kept as kept_connections
from ess.udb.wire import watch

#: A worker's message after a command with exit code 0: it can take another one.
READY = b"R"
#: The first words of options that run code of the user's.
_FOREIGN = ("-pmod", "-mod")
#: Packages that keep what a later command must find anew: credentials, profiles, connections.
_HOLDING = ("azure.core", "botocore", "distributed")
#: A worker that holds this many bytes more than it began with ends.
_MAX_GROWTH = 96 << 20
#: Connections to database servers are closed by threads of the transport, within a millisecond or two, and what has
#: watched over them ends as soon.
_CLOSING_SECONDS = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: How the kernel names event queues, as the threads of Polars have them.
_OF_THREADS = "anon_inode:[event"
_SOCKET = "socket:["


def serve(channel: socket.socket, circumstances: Circumstances) -> NoReturn:
    """Run the commands that come through ``channel``, until it ends or one spoils this process."""
    code, begun = 4, False
    try:
        os.setpgid(0, 0)
        take(circumstances)
        started_with = _memory()
        while True:
            received = read_request(channel, protocol.OWN_DESCRIPTORS + 1)
            if received is None:
                os._exit(0)
            sections, descriptors = received
            client, directory, question, *inherited = descriptors
            _program, arguments, environment, numbers = sections[: protocol.SECTIONS]
            os.fchdir(directory)
            os.close(directory)
            processor.restore()
            take_environment(environment)
            kept = [channel.fileno(), client, question]
            wanted = dict(zip((int(number) for number in numbers), inherited, strict=True))
            channel_at, client, question = _place_descriptors(wanted, kept)
            channel.detach()
            channel = socket.socket(fileno=channel_at)
            caller_liveness.meet(question)
            sys.stdin = _text_stream(0, "r", "surrogateescape")
            sys.stdout = _text_stream(1, "w", "surrogateescape")
            sys.stderr = _text_stream(2, "w", "backslashreplace")
            sys.argv = [os.fsdecode(argument) for argument in arguments]
            # Said by the command itself, before it begins: a client that has not heard it may run the command again.
            with socket.socket(fileno=client) as heard:
                heard.sendall(protocol.message(protocol.BEGUN, os.getpid()))
            begun = True
            code = _run(arguments[0].decode())
            if code == INTERRUPTED:
                interrupts.end()
            if code or not circumstances.lasting or not _as_before(channel.fileno(), [*wanted], started_with):
                _end(code)
            begun = False
            channel.sendall(READY)
    except KeyboardInterrupt:
        interrupts.end()
    except BaseException:
        if begun:  # else the client runs the command directly, and says what is wrong
            with contextlib.suppress(BaseException):
                sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code or 4)


def _end(code: int) -> NoReturn:
    """End this process; after ``ess`` as the interpreter ends one, with what was registered for the end."""
    if sys.argv[0] == ESS:
        with contextlib.suppress(Exception):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
    os._exit(code)


def _run(tool: str) -> int:
    """Run a command, print what it has printed, and return its exit code."""
    module = importlib.import_module(ESS_MODULE if tool == ESS else f"ess.tools.{tool}")
    try:
        if tool == ESS:
            kept_connections.allow(allowed=False)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # it reports its errors itself
            code: int = module.main(sys.argv[1:])
        else:
            kept_connections.allow(allowed=True)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it; see ess.tools.process
            code = exit_code(tool, lambda: module.main(sys.argv[1:]))
    except SystemExit as end:  # from a module of the user's, or a closed standard output
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    # After an interruption a thread may still be writing to a reader that reads nothing; it ends with the process.
    for stream in (sys.stderr,) if code == INTERRUPTED else (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    return code


def _as_before(channel: int, placed: list[int], memory: int) -> bool:
    """Let go of the caller's descriptors; whether this process can serve another caller."""
    if any(word.startswith(_FOREIGN) for word in sys.argv):
        return False
    if any(name in sys.modules for name in _HOLDING):
        return False
    if sys.argv[0] == ESS and importlib.import_module(ESS_MODULE).is_long(sys.argv[1:]):
        return False  # it has had processes and threads
    caller_liveness.leave()
    sys.stdin = sys.stdout = sys.stderr = None
    for descriptor in placed:
        os.close(descriptor)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
        return False  # it has a child, which may still be at work
    until = time.monotonic() + _CLOSING_SECONDS
    while threading.active_count() - watch.is_idle() > 1 or _has_foreign_descriptors(channel):
        if time.monotonic() > until:
            return False  # its opener will close it, when the number is another file's
        time.sleep(0.0005)
    if _memory() - memory >= _MAX_GROWTH:
        freed_memory.give_back()
    return _memory() - memory < _MAX_GROWTH


def _has_foreign_descriptors(channel: int) -> bool:
    return any(
        descriptor != channel and (target := _target(descriptor)) is not None and not _is_own(descriptor, target)
        for descriptor in map(int, os.listdir("/proc/self/fd"))
    )


def _is_own(descriptor: int, target: str) -> bool:
    """True for what threads of this process need between commands, and close themselves."""
    return target.startswith(_OF_THREADS) or (target.startswith(_SOCKET) and kept_connections.holds(descriptor))


def _memory() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE


def read_request(stream: socket.socket, own: int) -> tuple[list[list[bytes]], list[int]] | None:
    """The sections of a request and the descriptors that came along, ``own`` of them not the caller's; None at the end.

    Raises:
        OSError: If it does not arrive in time.
        ValueError: If it is no request.
    """
    space = socket.CMSG_SPACE(4 * protocol.MAX_DESCRIPTORS)
    data, ancillary, flags, _ = stream.recvmsg(1 << 16, space, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(rights[: len(rights) - len(rights) % numbers.itemsize])
            descriptors.extend(numbers)
    if not data and not descriptors:
        return None
    try:
        while len(data) < 4:
            data += _more(stream, 4 - len(data))
        length = int.from_bytes(data[:4], "big")
        if flags & socket.MSG_CTRUNC or length > protocol.MAX_REQUEST:
            raise ValueError("the request is too long")
        parts, received = [data[4:]], len(data) - 4
        while received < length:
            parts.append(_more(stream, length - received))
            received += len(parts[-1])
        sections = protocol.unpack(b"".join(parts))
        if (
            not 0 <= len(sections) - protocol.SECTIONS <= 1
            or len(sections[3]) + own != len(descriptors)
            or not sections[1]
        ):
            raise ValueError("the request lacks something")
        if any(not number.isdigit() for number in sections[3]) or len(set(sections[3])) != len(sections[3]):
            raise ValueError("the request has bad descriptors")
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    return sections, descriptors


def _more(stream: socket.socket, size: int) -> bytes:
    part = stream.recv(min(1 << 20, size))
    if not part:
        raise ValueError("the request is cut short")
    return part


def _place_descriptors(wanted: dict[int, int], kept: list[int]) -> list[int]:
    """Give each received descriptor (a value) the number it had at the caller (its key).

    Those of ``kept`` stay open under the numbers that are returned, out of the way of the others. Descriptors of
    Polars' threads stay open too, and kept connections to database servers.

    Raises:
        ValueError: If that has one of the wanted numbers, see ``has_room``.
    """
    received = {*wanted.values(), *kept}
    others = {
        descriptor: _target(descriptor)
        for descriptor in map(int, os.listdir("/proc/self/fd"))
        if descriptor not in received
    }
    floor = max(wanted, default=-1) + 1
    parked = {number: fcntl.fcntl(source, fcntl.F_DUPFD, floor) for number, source in wanted.items()}
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, floor) for descriptor in kept]
    for descriptor in received:
        os.close(descriptor)
    for descriptor, target in others.items():
        if target is None:
            continue  # that of the listing
        if not _is_own(descriptor, target):
            os.close(descriptor)
        elif descriptor in wanted:
            raise ValueError("a descriptor of the caller has the number of one that is needed here")
    for number, descriptor in parked.items():
        os.dup2(descriptor, number, inheritable=True)
        os.close(descriptor)
    return moved


def has_room(process: int, numbers: list[int], channel: str) -> bool:
    """True if a worker can take a caller's descriptors with these numbers; its threads may need one of them.

    Args:
        process: The worker.
        numbers: The descriptors' numbers.
        channel: Its channel, as the kernel names that.
    """
    targets = (_target(number, process) or "" for number in numbers)
    return not any(target.startswith((_OF_THREADS, _SOCKET)) and target != channel for target in targets)


def name_of(channel: socket.socket) -> str:
    """A socket as the kernel names it among the descriptors of a process."""
    return f"{_SOCKET}{os.fstat(channel.fileno()).st_ino}]"


def _target(descriptor: int, process: int | str = "self") -> str | None:
    """The target of a descriptor as the kernel names it ("" if it cannot); None if it is not open."""
    try:
        return os.readlink(f"/proc/{process}/fd/{descriptor}")
    except FileNotFoundError:
        return None
    except OSError:
        return ""  # e.g. a path that is too long


def _text_stream(descriptor: int, mode: str, errors: str) -> io.TextIOWrapper | None:
    try:
        binary = open(descriptor, mode + "b", closefd=False)  # noqa: SIM115
    except OSError:
        return None  # closed at the caller's, too
    return io.TextIOWrapper(binary, encoding="utf-8", errors=errors, line_buffering=descriptor == 2)
