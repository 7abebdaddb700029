"""A pipeline of our own tools, run by the tool server for this process: no shell and no launcher starts for it.

This is a client of the server, as the launchers are (:mod:`ess.tools.warm.client`), for several commands that are
connected by pipes. The commands get what bash and the launcher would give them: arguments, environment, folder, umask,
descriptors.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import shutil
import signal
import socket
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ess.cluster.import_places import PLACE, imports_rows, mark
from ess.cluster.plain_pipelines import plain_pipeline, references, shell_environment
from ess.errors import SystemFailure
from ess.tools.launch import TOOLS
from ess.tools.warm import client, protocol

#: With these the launchers start another Python, or another Perl; bash and they find out.
_OTHER_PROGRAMS = ("PYTHONPATH", "PYTHONHOME", "PERL5OPT", "PERL5LIB", "PERL5DB", "PERL_UNICODE", "PERLIO")

#: How options begin that run code of the user's.
_FOREIGN = ("-pmod", "-mod")

#: How often the server and a command are looked at whether somebody has stopped them, in seconds.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class ToolPipeline:
    """The commands, each with its arguments, and what they share.

    Attributes:
        stages: Their names and arguments.
        places: For each the place of its import in the command, blank if it imports nothing.
    """

    stages: tuple[tuple[str, ...], ...]
    places: tuple[str, ...]

    @property
    def imports(self) -> bool:
        """True if a command imports rows."""
        return any(self.places)

    @property
    def is_ours_alone(self) -> bool:
        """True if no code of the user's runs in it, so that nothing is left of it once it has ended."""
        return not any(word.startswith(_FOREIGN) for words in self.stages for word in words[1:])


class ToolEnvironment:
    """The environment of the tools of a job: what bash and the launcher make of that of its commands.

    What its files have in common is made once.
    """

    def __init__(self, environment: Mapping[str, str], folder: str) -> None:
        self._environment = environment
        self._folder = folder
        self._made: dict[object, protocol.Items] = {}

    def items(self, values: Mapping[str, str], *, several: bool) -> protocol.Items:
        """Its entries with other values of some variables.

        Args:
            values: Those of one command.
            several: The command is one of several in a pipeline.
        """
        key = several, *values
        common = self._made.get(key)
        if common is None:
            # The launcher's own shell leaves out what is no name.
            named = {name: text for name, text in self._environment.items() if name.isidentifier() and name.isascii()}
            made = shell_environment(named, self._folder, several=several)
            common = protocol.Items([os.fsencode(f"{name}={made[name]}") for name in made if name not in values])
            self._made[key] = common
        return protocol.Items([os.fsencode(f"{name}={value}") for name, value in values.items()], before=common)


def tool_pipeline(command: str, preprocess: str, environment: Mapping[str, str], job_id: str) -> ToolPipeline | None:
    """The pipeline that a command is, behind that of the category; None if bash has to run it.

    Ask :func:`ess.cluster.plain_pipelines.starts_plainly` first.

    Args:
        command: The command, with references to the values of the file, without marks of its imports.
        preprocess: What the data goes through first, the same way; blank for nothing.
        environment: That of the command.
        job_id: During one job the tools are looked for once.
    """
    if any(environment.get(name) for name in _OTHER_PROGRAMS):
        return None
    named = _references(command, preprocess)
    if named is None:
        return None
    values = tuple((name, environment[name]) for name in named if name in environment)
    return _pipeline(command, preprocess, environment.get("PATH", os.defpath), values, job_id)


@functools.lru_cache(maxsize=32)
def _references(command: str, preprocess: str) -> tuple[str, ...] | None:
    found = [references(text) for text in (command, preprocess) if text]
    return None if None in found else tuple(name for names in found if names for name in names)


@functools.lru_cache(maxsize=32)
def _pipeline(
    command: str, preprocess: str, path: str, values: tuple[tuple[str, str], ...], job_id: str
) -> ToolPipeline | None:
    stages: list[tuple[str, ...]] = []
    places: list[str] = []
    for text, prefix in ((preprocess, "p"), (command, "")):
        found = plain_pipeline(text, dict(values)) if text else ()
        if found is None:
            return None
        count = 0
        for words in found:
            name = _tool(words[0], path, job_id)
            if name is None:
                return None
            stages.append((name, *words[1:]))
            imports = name == "aq_pp" and imports_rows(words)
            count += imports
            places.append(f"{prefix}{count}" if imports else "")
        if mark(text, prefix).places != count:
            return None
    return ToolPipeline(tuple(stages), tuple(places))


@functools.lru_cache(maxsize=32)
def _tool(word: str, path: str, _job_id: str) -> str | None:
    """The tool that a word is the name of, if it is that of this installation."""
    name = word.rpartition("/")[2]
    if name not in TOOLS or not word.isascii():
        return None
    found = _found(word, path)
    return name if found is not None and found == _installed(name) else None


def _found(word: str, path: str) -> tuple[int, int] | None:
    # Relative folders are those of the command's folder, which need not be ours.
    if "/" in word:
        return _identity(word) if word.startswith("/") else None
    if not all(folder.startswith("/") for folder in path.split(os.pathsep)):
        return None
    program = shutil.which(word, path=path)
    return _identity(program) if program is not None else None


def _installed(name: str) -> tuple[int, int] | None:
    return _identity(f"{_scripts()}/{name}")


@functools.cache
def _scripts() -> str:
    return sysconfig.get_path("scripts")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


@dataclass
class _Call:
    """One command: its connections to the server, and what is known of it."""

    tool: str
    server: int
    connection: socket.socket
    question: socket.socket
    marker: Path | None
    output: int | None
    process: int = 0
    status: int | None = None
    patience: client.Patience = field(default_factory=client.Patience)

    def close(self) -> None:
        self.connection.close()
        self.question.close()


class RunningTools:
    """The commands of a pipeline while they run."""

    def __init__(self, calls: list[_Call], stderr: int) -> None:
        self._calls = calls
        self._stderr = stderr
        self._lost = False

    def wait(self, seconds: float) -> bool:
        """True once all commands have ended; returns false after so many seconds, or earlier."""
        self._pump(seconds)
        return all(call.status is not None for call in self._calls)

    @property
    def processes(self) -> list[int]:
        """The processes that work for us: the commands', and the server's."""
        return [number for call in self._calls for number in (call.process, call.server)]

    @property
    def exit_code(self) -> int:
        """That of the pipeline, as a shell tells it: of its last command."""
        status = self._calls[-1].status
        assert status is not None
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)

    @property
    def ended_by_itself(self) -> bool:
        """True if each command came to its end, and nobody has killed one or the server."""
        return not self._lost and all(call.status is not None and os.WIFEXITED(call.status) for call in self._calls)

    def kill(self) -> None:
        """Kill all commands; return when they have ended."""
        for call in self._calls:
            if call.status is None:
                with contextlib.suppress(OSError):
                    call.connection.send(bytes([signal.SIGKILL]))
        until = time.monotonic() + 10
        while not self.wait(0.1):
            if time.monotonic() > until:  # the server does not do it
                for call in self._calls:
                    if call.status is None:
                        self._lose(call)

    def close(self) -> None:
        """Give the connections back."""
        for call in self._calls:
            self._let_go(call)
            call.close()

    def _pump(self, seconds: float) -> None:
        poller = select.poll()
        running = [call for call in self._calls if call.status is None]
        by_descriptor: dict[int, _Call] = {}
        for call in running:
            for each in (call.connection, call.question):
                if each.fileno() >= 0:
                    poller.register(each, select.POLLIN)
                    by_descriptor[each.fileno()] = call
        ready = poller.poll(seconds * 1000)
        for descriptor, _events in ready:
            call = by_descriptor[descriptor]
            if descriptor == call.question.fileno():
                if not client.answer(call.question):
                    call.question.close()
            else:
                self._hear(call)
        if not ready:
            for call in running:
                self._look(call)

    def _hear(self, call: _Call) -> None:
        try:
            status = client.receive(call.connection, protocol.ENDED)
        except OSError:
            status = None
        if status is None:
            os.write(self._stderr, client.LOST)
            self._lose(call)
        else:
            self._end(call, status)

    def _lose(self, call: _Call) -> None:
        """The server is gone: the command must not go on alone."""
        self._lost = True
        with contextlib.suppress(OSError):
            os.killpg(call.process, signal.SIGKILL)
        self._end(call, SystemFailure.exit_code << 8)

    def _end(self, call: _Call, status: int) -> None:
        call.status = status
        if call.marker is not None:
            # No process has the number 0: nobody waits for this import any more.
            with contextlib.suppress(OSError):
                call.marker.rename(call.marker.with_name(f"{call.marker.name.partition('@')[0]}@0"))
        self._let_go(call)

    def _let_go(self, call: _Call) -> None:
        """End the input of the next command, now that it can be seen how this one has ended."""
        if call.output is not None:
            os.close(call.output)
            call.output = None

    def _look(self, call: _Call) -> None:
        for process, name in ((call.server, "the tool server"), (call.process, "the command")):
            if call.patience.is_over(process):
                text = f"{call.tool}: {name} (process {process}) is stopped; kill -CONT {process} lets it go on\n"
                os.write(self._stderr, text.encode())


def start(
    pipeline: ToolPipeline,
    server: Path,
    *,
    environment: ToolEnvironment,
    values: Mapping[str, str],
    folder: str,
    umask: int,
    stdin: int,
    stdout: int,
    stderr: int,
    counts: Path,
    stop: Callable[[], bool],
) -> RunningTools | None:
    """Begin a pipeline; None if the server does not take it, and then nothing has begun.

    Args:
        pipeline: Its commands.
        server: The socket of the tool server.
        environment: That of all commands of the job.
        values: The variables that are the command's own.
        folder: The current folder of the commands.
        umask: For the files they make.
        stdin: The input of the first.
        stdout: The output of the last.
        stderr: The messages of all.
        counts: The file for counts; marks of imports stand beside it.
        stop: True ends the waiting for a server that does not answer.
    """
    pipes = [os.pipe() for _ in pipeline.stages[1:]]
    inputs = [stdin, *(reading for reading, _ in pipes)]
    outputs = [*(writing for _, writing in pipes), stdout]
    calls: list[_Call] = []
    kept: set[int] = set()
    try:
        here = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        here = -1
    try:
        # The last one begins first: whoever reads waits, and nothing is lost if another one cannot begin.
        for number in reversed(range(len(pipeline.stages))):
            own = outputs[number] if number + 1 < len(pipeline.stages) else None
            call = None
            if here >= 0:
                call = _begin(
                    pipeline,
                    number,
                    server,
                    environment,
                    values,
                    umask,
                    (here, inputs[number], outputs[number], stderr),
                    counts,
                )
            if call is None or not _begins(call, stop):
                if call is not None:
                    call.close()
                RunningTools(calls, stderr).kill()
                for each in calls:
                    each.close()
                return None
            calls.insert(0, call)
            call.output = own
            kept |= {own} if own is not None else set()
    except BaseException:
        RunningTools(calls, stderr).kill()
        raise
    finally:
        if here >= 0:
            os.close(here)
        for reading, writing in pipes:
            os.close(reading)
            if writing not in kept:
                os.close(writing)
    return RunningTools(calls, stderr)


def _begin(
    pipeline: ToolPipeline,
    number: int,
    socket_path: Path,
    environment: ToolEnvironment,
    values: Mapping[str, str],
    umask: int,
    descriptors: Sequence[int],
    counts: Path,
) -> _Call | None:
    tool, *arguments = pipeline.stages[number]
    place = pipeline.places[number]
    added = {"_": f"{_scripts()}/{tool}"} | ({PLACE: place} if place else {})
    sections: list[list[bytes] | protocol.Items] = [
        [],
        [tool.encode(), *(os.fsencode(argument) for argument in arguments)],
        environment.items({**values, **added}, several=len(pipeline.stages) > 1),
        [b"0", b"1", b"2"],
        [b"%o" % umask],
    ]
    request = protocol.pack(sections)
    if len(request) > protocol.MAX_REQUEST:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    question, theirs = socket.socketpair()
    marker = None
    try:
        connection.connect(str(socket_path))
        server = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
        if client.is_stopped(server):
            raise OSError
        if place:
            marker = counts.with_name(f"{counts.name}.{place}@{os.getpid()}")
            os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        here, stdin, stdout, stderr = descriptors
        sent = socket.send_fds(connection, [request], [here, theirs.fileno(), stdin, stdout, stderr])
        if sent < len(request):
            connection.sendall(request[sent:])
    except OSError:
        connection.close()
        question.close()
        return None
    finally:
        theirs.close()
    return _Call(tool, server, connection, question, marker, None)


def _begins(call: _Call, stop: Callable[[], bool]) -> bool:
    """Wait for the server's first word; false if it says none."""
    poller = select.poll()
    poller.register(call.connection, select.POLLIN)
    while not poller.poll(1000 * _LOOK_SECONDS):
        if stop() or call.patience.is_over(call.server):
            return False
    try:
        process = client.receive(call.connection, protocol.BEGUN)
    except OSError:
        return False
    call.process = process or 0
    return process is not None
