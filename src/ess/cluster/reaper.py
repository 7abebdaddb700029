"""The reaper: a process beside each worker that ends the worker's commands when the worker dies.

A worker that is killed with ``kill -9`` cannot clean up. Left alone, its commands would see the
end of their input, take it for the end of the file, and commit half an import as if it were whole.
So the reaper (a) holds the writing end of each command's input too, which keeps the input open
as long as anybody reads it, and (b) kills the sessions of all running commands once its socket to
the worker closes.

It is started as a script with the standard library alone, so it imports nothing of this package.
Messages on the socket (one packet each): ``+SID`` a command began (sent by the command's own shell
before it does anything, so that there is no moment in which it runs unknown), ``-SID`` it ended,
``hTOKEN`` with a file descriptor: hold it, ``rTOKEN``: close it, ``dFOLDER``: a folder of files to delete at the end,
``eENTRY``: an entry of the environment begins like that in all programs that the worker starts without a shell. Those
tell nothing themselves, and the worker may be killed before it does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time

#: To look for so many processes takes less than to list all of a machine.
_FEW = 50


def kill_sessions(*sessions: int) -> None:
    """Kill all processes of these sessions at once; return when none runs any more.

    Process groups go first, each in one system call: the commands of a pipeline must not see
    each other end. Other groups of the sessions (a shell with job control) follow.
    """
    if not sessions:
        return  # to look at all processes of a machine takes milliseconds
    for session in sessions:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(session, signal.SIGKILL)
    for _ in range(500):
        members = session_members(*sessions)
        if not members:
            return
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def wait_for_readers_to_go(descriptor: int, seconds: float = 5.0) -> None:
    """Wait until nobody has the reading end of a pipe any more, so that closing it ends nobody's input."""
    poll = select.poll()
    poll.register(descriptor, 0)  # POLLERR, which is always told, means there is no reader
    poll.poll(seconds * 1000)


def session_members(*sessions: int, above: int = 0) -> list[int]:
    """The processes of these sessions that have not ended (Linux; elsewhere none is found).

    Only those with a number ``above`` that are looked at; to look at all processes of a machine takes milliseconds.
    """
    members = []
    for entry in _numbers(above):
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123
                # The command name, in parentheses, may itself hold parentheses and spaces.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        state, its_session = fields[0], int(fields[3])
        if its_session in sessions and state not in (b"Z", b"X"):
            members.append(entry)
    return members


def _numbers(above: int) -> list[int]:
    """The numbers above that one which processes may have."""
    try:
        if above:
            with open("/proc/loadavg", "rb") as file:  # noqa: PTH123
                latest = int(file.read().split()[-1])  # the number that was given last
            if above <= latest <= above + _FEW:
                return list(range(above + 1, latest + 1))
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib would double the time this process takes to start
    except (OSError, ValueError):
        return []
    return [int(name) for name in names if name.isdigit() and int(name) > above]


def sessions_with(entries: list[bytes]) -> set[int]:
    """The sessions of the processes in whose environment an entry begins like one of these."""
    found: set[int] = set()
    for name in os.listdir("/proc") if entries else ():  # noqa: PTH208
        try:
            with open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
                environment = b"\0" + file.read()
            if name.isdigit() and any(b"\0" + entry in environment for entry in entries):
                found.add(os.getsid(int(name)))
        except (OSError, ValueError):
            continue
    return found - {os.getsid(0)}


def serve(connection: socket.socket) -> None:
    """Follow the worker until its end of the socket closes, then kill what still runs."""
    running: set[int] = set()
    folders: list[bytes] = []
    held: dict[bytes, int] = {}
    entries: list[bytes] = []
    while True:
        try:
            message, descriptors, _flags, _address = socket.recv_fds(connection, 256, 4)
        except InterruptedError:
            continue
        except OSError:
            break
        if not message:
            break
        kind, value = message[:1], message[1:]
        if kind == b"+":
            running.add(int(value))
        elif kind == b"-":
            running.discard(int(value))
        elif kind == b"h" and descriptors:
            held[value] = descriptors[0]
        elif kind == b"r" and value in held:
            os.close(held.pop(value))
        elif kind == b"d":
            folders.append(value)
        elif kind == b"e":
            entries.append(value)
    kill_sessions(*running, *sessions_with(entries))
    for descriptor in held.values():
        wait_for_readers_to_go(descriptor)
    for folder in folders:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208
                os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118
            os.rmdir(folder)  # noqa: PTH106


def main() -> None:
    """Serve the socket that is file descriptor 0."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    serve(socket.socket(fileno=0))


if __name__ == "__main__":
    main()
