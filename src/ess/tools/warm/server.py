"""The tool server: imports the tools once, then forks one process a command.

It serves its own user only (a socket in an owner-only folder, and the kernel's word on who
connects), ends after ``ESS_WARM_IDLE`` seconds (120) without a command, and ends as soon as the
program's files have changed, so that an upgrade replaces it. A command is a process of its own:
it cannot disturb another one, and it takes over the caller's descriptors, working directory,
environment, limits, umask and niceness.
"""

# pathlib costs more to import than the whole rest of a warm start:
# ruff: noqa: PTH108, PTH116, PTH120, PTH208
from __future__ import annotations

import array
import contextlib
import fcntl
import gc
import importlib
import io
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from typing import NoReturn

from ess.tools.warm import caller, protocol

#: The commands that may be asked for, each the module ``ess.tools.<name>``.
TOOLS = ("aq_pp", "aq_udb", "aq_cnt", "aq_ord", "aq_rst", "aq_cat", "aq_sess", "loginf")
#: What the commands import as they run; imported here so that they need not.
_PRELOADED = (
    "polars",
    "pyarrow.compute",
    "ess.engines.select",
    "ess.pipeline.run",
    "ess.formats.fast",
    "ess.formats.render_fast",
    "ess.udb.client",
)
_REQUEST_SECONDS = 2.0


class _StaleProgramError(Exception):
    """The program's files have changed since they were imported."""


def main() -> None:
    """Serve until idle. Ends at once, and quietly, if another server is there already."""
    os.closerange(3, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)
    path = protocol.socket_path()
    directory = os.path.dirname(path)
    if not protocol.is_private(directory):
        return
    lock = os.open(path + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    for name in (*(f"ess.tools.{tool}" for tool in TOOLS), *_PRELOADED):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages that all commands share
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(512)
    try:
        _Server(listener, float(os.environ.get("ESS_WARM_IDLE", "120"))).serve()
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


class _Server:
    def __init__(self, listener: socket.socket, idle_seconds: float) -> None:
        self.listener = listener
        self.idle_seconds = idle_seconds
        self.commands: dict[int, socket.socket] = {}  # process id -> its client
        self.files = _program_files()
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def serve(self) -> None:
        """Accept commands until idle, or until the program's files have changed."""
        poller = select.poll()
        poller.register(self.listener, select.POLLIN)
        poller.register(self.wake_read, select.POLLIN)
        last = time.monotonic()
        accepting = True
        while True:
            if not self.commands and (not accepting or time.monotonic() - last >= self.idle_seconds):
                return
            for descriptor, _events in poller.poll(1000 * min(self.idle_seconds, 5)):
                if descriptor == self.wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wake_read, 4096)
                elif descriptor == self.listener.fileno():
                    last = time.monotonic()
                    try:
                        client = self.accept()
                    except _StaleProgramError:
                        accepting = False
                        poller.unregister(self.listener)
                        self.listener.close()
                        continue
                    if client is not None:
                        poller.register(client, select.POLLIN)
                else:
                    self.hear(descriptor)
            for client in self.reap():
                last = time.monotonic()
                poller.unregister(client)
                client.close()

    def accept(self) -> socket.socket | None:
        """Start one command; its client, or None where the request was not one."""
        client, _ = self.listener.accept()
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] != os.getuid():
            client.close()
            return None
        if _program_files() != self.files:
            client.close()  # the client runs its command directly, and the next one starts a new server
            raise _StaleProgramError
        client.settimeout(_REQUEST_SECONDS)
        descriptors: list[int] = []
        try:
            sections = _read_request(client, descriptors)
        except (OSError, ValueError):
            sections = None
        if sections is None:
            _close(descriptors)
            client.close()
            return None
        process = os.fork()
        if process == 0:
            self.become(client, sections, descriptors)
        with contextlib.suppress(OSError):
            os.setpgid(process, process)  # on both sides, so that a signal that comes at once finds the group
        _close(descriptors)
        self.commands[process] = client
        return client

    def hear(self, descriptor: int) -> None:
        """Pass a client's signals on; a client that is gone takes its command with it."""
        for process, client in self.commands.items():
            if client.fileno() != descriptor:
                continue
            try:
                data = client.recv(64)
            except OSError:
                data = b""
            for number in data or [signal.SIGKILL]:
                with contextlib.suppress(OSError):  # the command has ended, or the number is no signal's
                    os.killpg(process, number)
            return

    def reap(self) -> list[socket.socket]:
        """Tell the clients of ended commands how they ended; these clients."""
        ended: list[socket.socket] = []
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if process == 0:
                return ended
            client = self.commands.pop(process)
            with contextlib.suppress(OSError):
                client.sendall(protocol.message(protocol.ENDED, status))
            ended.append(client)

    def become(self, client: socket.socket, sections: list[list[bytes]], descriptors: list[int]) -> NoReturn:
        """In the forked process: take the caller's place, run the command, end."""
        code = 4
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setpgid(0, 0)
            # Said by the command itself, before it begins: whoever has not heard it may run the command again.
            client.sendall(protocol.message(protocol.BEGUN, os.getpid()))
            arguments = _take_place(sections, descriptors)
            module = importlib.import_module(f"ess.tools.{arguments[0]}")
            sys.argv = arguments
            try:
                module.command()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else (0 if end.code is None else 1)
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)


def _read_request(client: socket.socket, descriptors: list[int]) -> list[list[bytes]] | None:
    """The request's sections; the descriptors that came along are added to ``descriptors``."""
    space = socket.CMSG_SPACE(4 * protocol.MAX_DESCRIPTORS)
    data, ancillary, flags, _ = client.recvmsg(1 << 16, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(rights[: len(rights) - len(rights) % numbers.itemsize])
            descriptors.extend(numbers)
    if flags & socket.MSG_CTRUNC or len(data) < 4:
        return None
    length = int.from_bytes(data[:4], "big")
    if length > protocol.MAX_REQUEST:
        return None
    parts, received = [data[4:]], len(data) - 4
    while received < length:
        part = client.recv(min(1 << 20, length - received))
        if not part:
            return None
        parts.append(part)
        received += len(part)
    sections = protocol.unpack(b"".join(parts))
    if len(sections) != 7 or len(sections[3]) + protocol.OWN_DESCRIPTORS != len(descriptors) or not sections[1]:
        return None
    own = [protocol.package_directory(), sys.prefix]
    if [item.decode("utf-8", "surrogateescape") for item in sections[0]] != own:
        return None
    return sections if sections[1][0].decode("ascii", "replace") in TOOLS else None


def _take_place(sections: list[list[bytes]], descriptors: list[int]) -> list[str]:
    """Take over what the caller has; the command's name and arguments."""
    _identity, arguments, environment, numbers, (umask, nice), limits, ignored = sections
    directory, question, *inherited = descriptors
    os.fchdir(directory)
    caller.meet(_place_descriptors(dict(zip((int(number) for number in numbers), inherited, strict=True)), question))
    os.environb.clear()
    for entry in environment:
        name, _, value = entry.partition(b"=")
        os.environb[name] = value
    time.tzset()
    os.umask(int(umask))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, int(nice))
    for entry in limits:
        name_text, soft, hard = entry.decode().split("=")
        resource.setrlimit(getattr(resource, name_text), (int(soft), int(hard)))
    for number in ignored:
        signal.signal(int(number), signal.SIG_IGN)
    sys.stdin = _text_stream(0, "r", "surrogateescape")
    sys.stdout = _text_stream(1, "w", "surrogateescape")
    sys.stderr = _text_stream(2, "w", "backslashreplace")
    return [os.fsdecode(argument) for argument in arguments]


def _place_descriptors(wanted: dict[int, int], kept: int) -> int:
    """Close all else, and give each received descriptor (a value) the number it had at the caller (its key).

    ``kept`` stays open under a number that is returned, out of the way of the others.
    """
    floor = max([*wanted, *(int(name) for name in os.listdir("/proc/self/fd"))]) + 1
    parked = {number: fcntl.fcntl(received, fcntl.F_DUPFD, floor) for number, received in wanted.items()}
    kept = fcntl.fcntl(kept, fcntl.F_DUPFD_CLOEXEC, floor)
    os.closerange(0, floor)
    for number, descriptor in parked.items():
        os.dup2(descriptor, number, inheritable=True)
        os.close(descriptor)
    return kept


def _text_stream(descriptor: int, mode: str, errors: str) -> io.TextIOWrapper | None:
    try:
        binary = open(descriptor, mode + "b", closefd=False)  # noqa: SIM115
    except OSError:
        return None  # closed at the caller's, too
    return io.TextIOWrapper(binary, encoding="utf-8", errors=errors, line_buffering=descriptor == 2)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _program_files() -> dict[str, int]:
    """When each imported file of the program was last changed, in nanoseconds (0: it is gone)."""
    changed = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and (name == "ess" or name.startswith("ess.")):
            try:
                changed[path] = os.stat(path).st_mtime_ns
            except OSError:
                changed[path] = 0
    return changed


if __name__ == "__main__":
    main()
