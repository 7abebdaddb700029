"""One command on one input: feed it, wait for it, stop it when told, read the counts it left."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ess.cluster.groups import Groups, Running
from ess.cluster.held_input import HeldInput
from ess.cluster.plain_pipelines import Program, program_environment, starts_plainly
from ess.cluster.reaper import session_members, wait_for_readers_to_go
from ess.cluster.tool_calls import ToolEnvironment
from ess.errors import EssError, InitializationError, OutputWriteError, SystemFailure
from ess.pipeline.counts import Counts
from ess.settings import open_private
from ess.surroundings import carried

#: How often a running command is checked for a request to stop, in seconds.
STOP_INTERVAL = 0.1

#: How long processes that outlive their shell (as those of ``>(...)``) may take to end, in seconds.
LEFTOVER_SECONDS = 5.0

#: More processes and threads than a machine can start in a second: none takes as little as 10 us.
_STARTS_A_SECOND = 100_000 * (os.cpu_count() or 1000)

_CHUNK = 1 << 20

#: An input that is as small as this is written at once, without a thread.
_SMALL = 1 << 16


@dataclass(frozen=True)
class ToolRun:
    """The rows that one ``aq_*`` command of a pipeline reported when it ended; ``imports``: it was to import rows."""

    tool: str
    counts: Counts
    imports: bool = False


@dataclass(frozen=True)
class Reports:
    """The reports of a pipeline's ``aq_*`` commands: their rows, and the exit codes of those that failed.

    ``unsettled``: an import has begun, and nobody has said how it ended.
    """

    runs: tuple[ToolRun, ...] = ()
    exit_codes: tuple[int, ...] = ()
    unsettled: bool = False


@dataclass(frozen=True)
class Ended:
    """The end of a command.

    ``exit_code`` is the shell's, or that of the error if the input could not be read.
    ``problem`` says what went wrong apart from the command itself. ``stopped`` means that it
    was told to stop.
    """

    exit_code: int
    seconds: float
    tools: tuple[ToolRun, ...] = ()
    problem: str = ""
    stopped: bool = False


@dataclass(frozen=True)
class Setting:
    """The surroundings of a command: the user's environment, folder and umask."""

    environment: Mapping[str, str]
    folder: str
    umask: int

    @functools.cached_property
    def starts_plainly(self) -> bool:
        """True if commands that need no shell may do without one; see :mod:`ess.cluster.plain_pipelines`."""
        return starts_plainly(self.environment)

    @functools.cached_property
    def _made(self) -> dict[object, list[bytes]]:
        return {}

    @functools.cached_property
    def for_tools(self) -> ToolEnvironment:
        """Its environment for tools that a tool server runs."""
        return ToolEnvironment(self.environment, self.folder)

    def entries(self, program: Program, values: Mapping[str, str]) -> list[bytes]:
        """The environment of a program that bash would start alone, with other values of some variables.

        What all files of a job have in common is made once.
        """
        key = program.path, *values
        common = self._made.get(key)
        if common is None:
            made = program_environment(self.environment, self.folder, program)
            common = [os.fsencode(f"{name}={value}") for name, value in made.items() if name not in values]
            self._made[key] = common
        own = os.fsencode("\0".join([f"{name}={value}" for name, value in values.items()])).split(b"\0")
        if len(own) != len(values):
            raise InitializationError("a byte 0 cannot be in the environment of a command", where="command")
        return common + own


class Feeder:
    """Copies an input into a command's standard input, in a thread of its own.

    A small one that can be read to its end is in the pipe, as a whole, before the command begins. Then there is nothing
    for a thread to do, nor for the reaper to hold.
    """

    def __init__(self, source: BinaryIO, groups: Groups) -> None:
        self._source = source
        self._groups = groups
        self._first = b""
        self._unread: EssError | OSError | None = None
        self._token: bytes | None = None
        self._thread: threading.Thread | None = None
        self.error: EssError | None = None
        is_whole = self._read_first()
        self.reading_end, self._writing_end = os.pipe()
        if is_whole and len(self._first) <= fcntl.fcntl(self._writing_end, fcntl.F_GETPIPE_SZ):
            os.write(self._writing_end, self._first)  # there is room for all of it
            os.close(self._writing_end)
            return
        with contextlib.suppress(OSError):  # a larger pipe means fewer switches; the kernel may refuse
            fcntl.fcntl(self._writing_end, fcntl.F_SETPIPE_SZ, _CHUNK)
        self._token = groups.hold(self._writing_end)
        self._thread = threading.Thread(target=carried(self._run), daemon=True)

    def _read_first(self) -> bool:
        """Read the first bytes; true if they are all. An error is for the thread to find, once the command runs."""
        try:
            while len(self._first) < _SMALL:
                chunk = self._source.read(_SMALL - len(self._first))
                if not chunk:
                    return True
                self._first += chunk
        except (EssError, OSError) as error:
            self._unread = error
        return False

    def start(self) -> None:
        """Begin to copy; the command has its own copy of the reading end by now."""
        os.close(self.reading_end)
        if self._thread is not None:
            self._thread.start()

    def _run(self) -> None:
        try:
            self._write(self._first)
            if self._unread is not None:
                raise self._unread
            while chunk := self._source.read(_CHUNK):
                self._write(chunk)
        except BrokenPipeError:
            pass  # the command wants no more, as `head` does
        except EssError as error:
            self.error = error
            return  # the input stays open: the command must not take this for the end of its file
        except OSError as error:
            self.error = SystemFailure(f"cannot read ({error.strerror})", where="input of the command")
            return
        self._end()

    def _write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._writing_end, view) :]

    def _end(self) -> None:
        if self._token is not None:
            os.close(self._writing_end)
            self._groups.release(self._token)

    def discard(self) -> None:
        """Close everything; no command was started."""
        os.close(self.reading_end)
        self._end()

    def abandon(self) -> EssError | None:
        """Close what is still open, once the command is gone; the reason that the input could not be read."""
        if self._thread is not None:
            self._thread.join()
        if self.error is not None:
            wait_for_readers_to_go(self._writing_end)
            self._end()
        return self.error


def run_command(
    command: str,
    *,
    setting: Setting,
    groups: Groups,
    stdout: Path,
    stderr: Path,
    counts: Path,
    source: BinaryIO | None = None,
    stop: Callable[[], bool] = lambda: False,
    label: str = "",
    program: Program | None = None,
    entries: Sequence[bytes] = (),
    held: HeldInput | None = None,
) -> Ended:
    """Run ``bash -c command`` to its end.

    Args:
        command: Ready for bash (see :func:`ess.cluster.substitution.substitute`).
        setting: Environment, folder and umask.
        groups: Watches over the command.
        stdout: The file its output goes to, replaced.
        stderr: The file its messages go to, replaced.
        counts: The file its ``aq_*`` commands add their counts to; it must not exist.
        source: Its standard input; None is an empty one. An input that turns out to be damaged
            stops the command, so that it cannot take the part for the whole.
        stop: Asked every :data:`STOP_INTERVAL` seconds; true stops the command.
        label: What it works on, for a person.
        program: The same as a program that needs no shell.
        entries: The program's environment.
        held: The source, if the program may read it as a file.

    Raises:
        InitializationError: If the command cannot be started.
    """
    began = time.monotonic()
    environment = dict(setting.environment) | {"ESS_COUNTS": str(counts)}
    with create_output(stdout) as out, create_output(stderr) as err:
        refused = counts.with_name(f"{counts.name}.refused")
        if held is not None and held.error is not None:
            return end_of(0, began, held.error, stopped=False, counts=counts, refused=refused)
        is_held = held is not None and held.is_whole
        feeder = Feeder(source, groups) if source is not None and not is_held else None
        started = time.monotonic()
        process: Running | None = None
        stdin = held.file() if held is not None and is_held else feeder.reading_end if feeder else None
        try:
            if program is not None and stdin is not None:
                process = groups.start_program(
                    program,
                    environment=entries,
                    folder=setting.folder,
                    umask=setting.umask,
                    stdin=stdin,
                    stdout=out.fileno(),
                    stderr=err.fileno(),
                    label=label,
                )
            process = process or groups.start(
                command,
                environment=environment,
                folder=setting.folder,
                umask=setting.umask,
                stdin=stdin,
                stdout=out.fileno(),
                stderr=err.fileno(),
                label=label,
                marked=True,
            )
        except EssError:
            if feeder:
                feeder.discard()
            raise
        if feeder:
            feeder.start()
        stopped = wait_for_end(process, groups, stop, feeder, refused)
        alone = is_held and program is not None  # it starts no other processes
        exit_code = _finish(process, groups, started, kill=stopped or bool(feeder and feeder.error), alone=alone)
    error = feeder.abandon() if feeder else None
    return end_of(exit_code, began, error, stopped=stopped, counts=counts, refused=refused)


def end_of(
    exit_code: int, began: float, error: EssError | None, *, stopped: bool, counts: Path, refused: Path | None
) -> Ended:
    """The end of a command, from its exit code, what was wrong with its input, and all that it left.

    ``refused`` None: it imports nothing, and so has left only the file for counts.
    """
    seconds = time.monotonic() - began
    if error and not stopped:
        dropped = EssError(
            error.what,
            where=error.where,
            hint="its command was stopped, and nothing of this file was output or imported",
        )
        return Ended(error.exit_code, seconds, (), str(dropped))
    if not stopped and (problem := cut_off(counts.parent, exit_code)):
        return Ended(exit_code or OutputWriteError.exit_code, seconds, (), problem)
    reports = read_reports(counts, marked=refused is not None)
    if exit_code == 0 or (refused is not None and refused.exists()):
        # In `aq_pp ... | gzip` the shell tells only how gzip ended.
        exit_code = next(iter(reports.exit_codes), 0)
    if exit_code == 0 and reports.unsettled and not stopped:
        killed = SystemFailure(
            "an import ended before it was done, although the command went well",
            hint="see whether its aq_pp was killed, or its output not read to the end; --resume runs the file again",
        )
        return Ended(killed.exit_code, seconds, reports.runs, str(killed))
    return Ended(exit_code, seconds, reports.runs, "", stopped)


def cut_off(folder: Path, exit_code: int) -> str:
    """The reason that output and counts of a command, which are in ``folder``, may lack something; blank if none."""
    if exit_code == 128 + signal.SIGXFSZ:
        return str(OutputWriteError("a file reached the limit on its size", where="ulimit -f", hint="raise the limit"))
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return str(SystemFailure(f"cannot look at it ({error.strerror})", where=str(folder)))
    free = status.f_bfree if os.geteuid() == 0 else status.f_bavail
    if free or not status.f_blocks:
        return ""
    return str(
        OutputWriteError(
            "the disk is full, so what the command wrote may be cut off",
            where=str(folder),
            hint="make room, or set ESS_CACHE_DIR to a folder of another disk; then repeat with --resume",
        )
    )


def create_output(path: Path) -> BinaryIO:
    """An empty file for what a command writes."""
    try:
        return os.fdopen(open_private(path, os.O_WRONLY | os.O_TRUNC), "wb")
    except OSError as error:
        raise SystemFailure(
            f"cannot write ({error.strerror})", where=str(path), hint="check space and rights"
        ) from error


def wait_for_end(
    process: Running,
    groups: Groups,
    stop: Callable[[], bool],
    feeder: Feeder | None = None,
    refused: Path | None = None,
) -> bool:
    """Wait until the command ends, or kill it: its input is damaged, it is told to stop, or nothing can come of it.

    The last is so when ``refused`` is there: an import in a loop has been refused, and would be for ever. True if it
    was told to stop.
    """
    descriptor = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not poll.poll(STOP_INTERVAL * 1000):
            if stop():
                groups.kill(process)
                return True
            if (feeder and feeder.error) or (refused and refused.exists()):
                groups.kill(process)
                return False
    finally:
        os.close(descriptor)
    return False


def _finish(process: Running, groups: Groups, started: float, *, kill: bool, alone: bool) -> int:
    """Reap the command; what it left running in its session gets a moment to end, then is killed."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    if alone:
        return groups.finish(process)
    deadline = time.monotonic() + (0 if kill else LEFTOVER_SECONDS)
    pause = 0.002
    while session_members(process.pid, above=_oldest(process.pid, time.monotonic() - started)):
        if time.monotonic() >= deadline:
            groups.kill(process)
            break
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
    return groups.finish(process)


def _oldest(session: int, seconds: float) -> int:
    """No process of a session that began so many seconds ago has a lower number.

    The kernel counts the numbers up, and from the beginning again when it has reached the highest. Until then a process
    has a higher number than those that it comes from; after that it may have any.
    """
    return session if session + seconds * _STARTS_A_SECOND < _highest_pid() else 0


@functools.cache
def _highest_pid() -> int:
    try:
        return int(Path("/proc/sys/kernel/pid_max").read_bytes())
    except (OSError, ValueError):
        return 0


def read_reports(path: Path, *, marked: bool = True) -> Reports:
    """The reports of ``aq_*`` commands (JSON lines, :mod:`ess.pipeline.counts`); other lines are skipped.

    Imports have lines of :mod:`ess.udb.client.import_claims` there, and files beside it of
    :mod:`ess.cluster.import_places`, if it may be ``marked`` by some.
    """
    names = left_beside(path) if marked else []
    begun = {place for place, at, _ in (name.removeprefix(f"{path.name}.").partition("@") for name in names) if at}
    if marked and path.name not in names:
        return Reports(unsettled=bool(begun))
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - for each file
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return Reports()
    runs: list[ToolRun] = []
    exit_codes: list[int] = []
    claimed: set[str] = set()
    settled: set[str] = set()
    for line in lines:
        try:
            values = json.loads(line)
            if "exit" in values:
                exit_codes.append(int(values["exit"]))
                continue
            if "import" in values:
                claimed.add(str(values["import"]))
                if values["is"] == "settled":
                    settled |= {str(values["import"]), str(values["place"])}
                continue
            numbers = [int(values[name]) for name in ("read", "out", "filtered", "rejected", "imported")]
            numbers.append(int(values.get("repeated", 0)))
            runs.append(ToolRun(str(values["tool"]), Counts(*numbers), bool(values.get("imports", False))))
        except (ValueError, KeyError, TypeError):
            continue
    return Reports(tuple(runs), tuple(exit_codes), not begun | claimed <= settled)


def remove_reports(counts: Path) -> None:
    """Remove the file for counts, and what stands beside it."""
    for name in left_beside(counts):
        counts.with_name(name).unlink(missing_ok=True)


def left_beside(counts: Path) -> list[str]:
    """The names of the file for counts, if it is there, and of files beside it, such as marks of imports."""
    own = counts.name
    try:
        names = os.listdir(counts.parent)  # noqa: PTH208 - for each file
    except OSError:
        return []
    return [name for name in names if name.startswith(own) and name[len(own) : len(own) + 1] in ("", ".")]
