"""The tool server: imports the tools once, and hands each command to a process of its own.

It serves its own user only (a socket in an owner-only folder, and the kernel's word on who
connects), ends after ``ESS_WARM_IDLE`` seconds (120) without a command, and ends as soon as the
program has changed, so that an upgrade replaces it. A command has a process for itself
while it runs, so that it cannot disturb another one: a new fork, or one that has done a command for
a caller with the same circumstances (``worker``).
"""

# pathlib costs more to import than the whole rest of a warm start:
# ruff: noqa: PTH108, PTH120, PTH208
from __future__ import annotations

import array
import contextlib
import fcntl
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, replace
from types import ModuleType

from ess import interrupts, memory_limit
from ess.tools import freed_memory
from ess.tools.launch import ESS, ESS_MODULE, TOOLS
from ess.tools.warm import protocol, worker
from ess.tools.warm.circumstances import Circumstances, circumstances_of, rights_of, standing_of
from ess.tools.warm.program import Program

#: The modules that commands import as they run; imported here so that they need not.
_PRELOADED = (
    "polars",
    "pyarrow.compute",
    "ess.engines.select",
    "ess.pipeline.run",
    "ess.formats.parse_fast",
    "ess.formats.output.render_fast",
    "ess.udb.client.importing",
    "ess.udb.command.perform",
    "encodings.ascii",
)
_REQUEST_SECONDS = 2.0
#: Not more often are the program's files looked at for changes: it takes some milliseconds.
_COMPARED_SECONDS = 0.5
#: How many processes without a command are kept, and for how many seconds. Each holds some 40 MB of its own.
_SPARE = 4
_SPARE_SECONDS = 10.0


class _StaleProgramError(Exception):
    """The program has changed since it was imported."""


@dataclass
class _Worker:
    """A process for commands; ``client`` is whose command it runs, if it does, ``since`` when it became free.

    ``channel`` is our end of its channel, ``channel_there`` the kernel's name of the other.
    """

    process: int
    channel: socket.socket
    channel_there: str
    circumstances: Circumstances
    client: socket.socket | None = None
    spoiled: bool = False
    since: float = 0.0


def main() -> None:
    """Serve until idle. Ends at once, and quietly, if another server is there already."""
    interrupts.take_over()  # before Polars, whose handler passes on to ours
    os.closerange(3, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)
    os.chdir("/")  # no folder is kept from being unmounted
    os.umask(0o077)  # that of who started it may leave nothing; each command gets its caller's
    path = protocol.socket_path()
    directory = os.path.dirname(path)
    if not protocol.is_private(directory):
        return
    lock = os.open(path + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    freed_memory.keep()
    program = Program()  # before the imports: a file that changes meanwhile must not go unseen
    for name in (*(f"ess.tools.{tool}" for tool in TOOLS), *_PRELOADED):
        importlib.import_module(name)
    _freeze()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(512)
    try:
        _Server(listener, float(os.environ.get("ESS_WARM_IDLE", "120")), program).serve()
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


class _Server:
    def __init__(self, listener: socket.socket, idle_seconds: float, program: Program) -> None:
        self.listener = listener
        self.idle_seconds = idle_seconds
        self.program = program
        self.rights = rights_of(os.getpid())
        self.ess: ModuleType | None = None
        self.compared = 0.0
        self.workers: dict[int, _Worker] = {}  # by process id
        self.by_descriptor: dict[int, _Worker] = {}  # by the descriptors of their channels and clients
        self.poller = select.poll()
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def serve(self) -> None:
        """Accept commands until idle, or until the program has changed."""
        self.poller.register(self.listener, select.POLLIN)
        self.poller.register(self.wake_read, select.POLLIN)
        last = time.monotonic()
        accepting = True
        while True:
            running = any(each.client is not None for each in self.workers.values())
            now = time.monotonic()
            if running:
                last = now
            elif not accepting or now - last >= self.idle_seconds:
                return  # the free workers see the end of their channels
            self.dismiss(now)
            for descriptor, _events in self.poller.poll(1000 * min(self.idle_seconds, 5)):
                if descriptor == self.wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wake_read, 4096)
                elif descriptor == self.listener.fileno():
                    last = time.monotonic()
                    try:
                        self.accept()
                    except _StaleProgramError:
                        accepting = False
                        self.poller.unregister(self.listener)
                        self.listener.close()
                else:
                    self.hear(descriptor)
            self.reap()

    def accept(self) -> None:
        """Have one command run; a client that has sent none, or one that cannot run here, is left."""
        client, _ = self.listener.accept()
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        process, user, _ = struct.unpack("3i", credentials)
        if user != os.getuid():
            client.close()
            return
        now = time.monotonic()
        if now - self.compared > _COMPARED_SECONDS:
            self.compared = now
            if not self.program.is_unchanged():
                client.close()  # the client runs its command directly, and the next one starts a new server
                raise _StaleProgramError
        client.settimeout(_REQUEST_SECONDS)
        descriptors: list[int] = []
        try:
            received = worker.read_request(client, protocol.OWN_DESCRIPTORS)
            if received is None:
                raise ValueError("no request")
            sections, descriptors = received
            program, arguments, environment, numbers = sections[: protocol.SECTIONS]
            own = [protocol.package_directory(), sys.prefix]
            if program and [item.decode("utf-8", "surrogateescape") for item in program] != own:
                raise ValueError("another program is wanted")
            tool = arguments[0].decode("ascii", "replace")
            if tool not in TOOLS and not (tool == ESS and self.takes(arguments[1:], environment, process)):
                raise ValueError("no such command")
            if rights_of(process) != self.rights:
                raise ValueError("it is in another namespace, or has other rights")
            circumstances = circumstances_of(process, environment)
            if len(sections) > protocol.SECTIONS:
                circumstances = replace(circumstances, umask=int(sections[protocol.SECTIONS][0], 8) & 0o777)
            if any(memory_limit.too_low(number, soft) for number, soft, _ in circumstances.limits):
                raise ValueError("it may not have the memory it needs")
            self.hand_over(client, circumstances, protocol.pack(sections), descriptors, [int(n) for n in numbers])
        except (OSError, ValueError, IndexError):
            client.close()
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def takes(self, arguments: list[bytes], environment: list[bytes], process: int) -> bool:
        """True if a command of ``ess`` may run here. The first one has all that they need loaded."""
        served = importlib.import_module(ESS_MODULE)
        words = [os.fsdecode(each) for each in arguments]
        if not served.is_served(words) or not served.is_usual(environment):
            return False
        if served.is_long(words) and standing_of(process) != standing_of(os.getpid()):
            return False
        if self.ess is None:
            served.preload()
            self.ess = served
            _freeze()
            for each in self.workers.values():  # they would have to load it, each for itself
                each.spoiled = True
        return True

    def hand_over(
        self, client: socket.socket, wanted: Circumstances, request: bytes, descriptors: list[int], numbers: list[int]
    ) -> None:
        """Give a command to a worker: a free one of the same circumstances, or a new one."""
        free = (each for each in self.workers.values() if each.client is None and not each.spoiled)
        fitting = (
            each
            for each in free
            if each.circumstances == wanted and worker.has_room(each.process, numbers, each.channel_there)
        )
        chosen = next(fitting, None) or self.fork(wanted)
        chosen.client = client
        self.by_descriptor[client.fileno()] = chosen
        self.poller.register(client, select.POLLIN)
        rights = array.array("i", [client.fileno(), *descriptors])
        with contextlib.suppress(OSError):  # it has died; reap() tells the client
            sent = chosen.channel.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            chosen.channel.sendall(request[sent:])

    def fork(self, circumstances: Circumstances) -> _Worker:
        """A new worker."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ours.close()  # else a worker whose server dies before it sends a command waits for ever, as does the client
            worker.serve(theirs, circumstances)
        name = worker.name_of(theirs)
        theirs.close()
        with contextlib.suppress(OSError):
            os.setpgid(process, process)  # on both sides, so that a signal that comes at once finds the group
        self.workers[process] = new = _Worker(process, ours, name, circumstances)
        self.by_descriptor[ours.fileno()] = new
        self.poller.register(ours, select.POLLIN)
        return new

    def hear(self, descriptor: int) -> None:
        """Take what a client or a worker says."""
        speaker = self.by_descriptor.get(descriptor)
        if speaker is None:
            return  # left a moment ago
        if descriptor == speaker.channel.fileno():
            try:
                if speaker.channel.recv(1, socket.MSG_DONTWAIT) == worker.READY:
                    self.release(speaker, 0)
                    return
            except BlockingIOError:
                return  # said to another connection that had this number
            except OSError:
                pass
            self.silence(speaker.channel)  # it is about to end: reap() hears how
        elif speaker.client is not None:
            try:
                data = speaker.client.recv(64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            speaker.spoiled = True
            for number in data or [signal.SIGKILL]:  # a client that is gone takes its command with it
                with contextlib.suppress(OSError):  # the command has ended, or the number is no signal's
                    os.killpg(speaker.process, number)
            if not data:
                self.silence(speaker.client)

    def silence(self, connection: socket.socket) -> None:
        """Listen to a connection no more."""
        if self.by_descriptor.pop(connection.fileno(), None) is not None:
            self.poller.unregister(connection)

    def release(self, ended: _Worker, status: int) -> None:
        """Tell a client how its command has ended; the worker is free."""
        if ended.client is not None:
            with contextlib.suppress(OSError):
                ended.client.sendall(protocol.message(protocol.ENDED, status))
            self.silence(ended.client)
            ended.client.close()
        ended.client = None
        ended.since = time.monotonic()

    def dismiss(self, now: float) -> None:
        """Let free workers go that are too many, have waited too long, or have met a signal."""
        free = sorted((each for each in self.workers.values() if each.client is None), key=lambda each: -each.since)
        for place, each in enumerate(free):
            if each.channel.fileno() >= 0 and (each.spoiled or place >= _SPARE or now - each.since > _SPARE_SECONDS):
                each.spoiled = True
                self.silence(each.channel)
                each.channel.close()

    def reap(self) -> None:
        """Tell the clients of ended processes how they ended."""
        while self.workers:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            ended = self.workers.pop(process)
            self.silence(ended.channel)
            self.release(ended, status)
            ended.channel.close()


def _freeze() -> None:
    """Keep the collector from touching, and so copying, the pages that all commands share."""
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    main()
