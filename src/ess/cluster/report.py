"""The result of a job, in numbers and in lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ess.cluster.commands import ToolRun
from ess.errors import UdbCommunicationError, UdbConnectError
from ess.pipeline.counts import Counts

#: The exit codes of commands that did not reach a database server, or lost it.
_MISSING = (UdbConnectError.exit_code, UdbCommunicationError.exit_code)


@dataclass(frozen=True)
class Failure:
    """A file (or, without one, a node's command) that failed: its exit code, and why if known.

    ``said_as`` names the first that failed with the messages that this one had, itself if it is the first; blank if it
    had none. ``files`` is how many there are, where several went through one command.
    """

    name: str
    exit_code: int
    node_id: int
    problem: str = ""
    said_as: str = ""
    files: int = 1

    def __str__(self) -> str:
        """One line."""
        why = self.problem or f"the command failed with exit code {self.exit_code}"
        if self.files > 1 and not self.problem:
            why += "; without --bulk each file has a command of its own, and is named if that fails"
        return why if self.name and why.startswith(self.name) else f"{self.name}: {why}"


def failure_lines(failures: Iterable[Failure]) -> list[str]:
    """A line for all files that failed alike, with the name of the first.

    >>> failure_lines([Failure("a", 2, 0, said_as="a"), Failure("b", 2, 0, said_as="a"), Failure("c", 1, 0)])
    ['a: the command failed with exit code 2 (and 1 file more)', 'c: the command failed with exit code 1']
    """
    alike: dict[tuple[int, str, str], list[Failure]] = {}
    for failure in failures:
        problem = failure.problem.replace(failure.name, "") if failure.name else failure.problem
        alike.setdefault((failure.exit_code, problem, failure.said_as), []).append(failure)
    lines = []
    for first, *others in alike.values():
        count = sum(other.files for other in others)
        more = f" (and {count:,} file{'' if count == 1 else 's'} more)" if others else ""
        lines.append(f"{first}{more}")
    return lines


@dataclass(frozen=True)
class Stage:
    """The rows of one ``aq_*`` command of the pipeline, summed over all files; ``imports``: it was to import rows."""

    tool: str
    counts: Counts
    imports: bool = False


@dataclass(frozen=True)
class StreamResult:
    """The result of ``ess stream``.

    ``exit_code`` is that of the first failing file in file order, or 0. ``files`` counts the
    files that were run, ``resumed`` those an earlier run had done, ``not_run`` those left out
    after a failure with ``quit_on_error``. ``stages`` has one entry for each ``aq_*`` command
    that reported its rows, summed over the files that did not fail. ``messages_left_out`` counts
    lines of commands' messages that were not passed on. ``stopped_servers`` has the processes of
    database servers of this machine that were stopped (SIGSTOP), where a file failed for want of one.
    ``objects``, with so many bytes, were written to a store.
    """

    exit_code: int
    files: int
    resumed: int
    not_run: int
    failures: tuple[Failure, ...]
    stages: tuple[Stage, ...]
    job: str
    messages_left_out: int = 0
    stopped_servers: tuple[int, ...] = ()
    objects: int = 0
    object_bytes: int = 0

    @property
    def adds_up(self) -> bool:
        """True if ``read = out + filtered + rejected`` for each stage."""
        return all(stage.counts.add_up() for stage in self.stages)

    @property
    def reconciliation(self) -> list[str]:
        """The lines that account for all rows, see :func:`reconciliation`."""
        return reconciliation(self)

    @property
    def failure_lines(self) -> list[str]:
        """The lines that name what failed, see :func:`failure_lines`."""
        return failure_lines(self.failures)

    @property
    def missed_a_server(self) -> bool:
        """True if a file failed because a database server did not answer."""
        return any(failure.exit_code in _MISSING for failure in self.failures)


@dataclass(frozen=True)
class ExecResult:
    """The result of ``ess exec``: the exit code of the first failing node or 0, and how many nodes it ran on.

    ``objects``, with so many bytes, were written to a store.
    """

    exit_code: int
    nodes: int
    failures: tuple[Failure, ...]
    objects: int = 0
    object_bytes: int = 0


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C while a job ran. Everything it ran is stopped by the time this arrives.

    ``done`` files, of all its ``files``, are through and need not run again; ``imports`` says
    whether the job's command imports rows.
    """

    def __init__(self, *, done: int, files: int, imports: bool) -> None:
        super().__init__()
        self.done = done
        self.files = files
        self.imports = imports

    def __str__(self) -> str:
        """One line.

        >>> str(Interrupted(done=12, files=30, imports=False))
        'interrupted: 12 of 30 files are done; the same command with --resume continues'
        """
        text = f"interrupted: {self.done:,} of {self.files:,} file{'' if self.files == 1 else 's'} are done; "
        if self.imports:
            # A file's rows are in before this process hears that its command has ended.
            text += "their rows are imported, and those of others may be; " if self.done else "rows may be imported; "
        return f"{text}the same command with --resume continues{' and imports none twice' if self.imports else ''}"


def sum_stages(runs: Iterable[Sequence[ToolRun]]) -> tuple[Stage, ...]:
    """Sum what the commands of a pipeline reported, the first with the first, the second with the second.

    >>> one = [ToolRun("aq_pp", Counts(10, 7, 2, 1, 7), imports=True)]
    >>> sum_stages([one, one])[0].counts
    Counts(read=20, out=14, filtered=4, rejected=2, imported=14, repeated=0)
    """
    stages: list[Stage] = []
    for tools in runs:
        for position, run in enumerate(tools):
            if position == len(stages):
                stages.append(Stage(run.tool, Counts()))
            before, more = stages[position].counts, run.counts
            stages[position] = Stage(
                stages[position].tool,
                Counts(
                    before.read + more.read,
                    before.out + more.out,
                    before.filtered + more.filtered,
                    before.rejected + more.rejected,
                    before.imported + more.imported,
                    before.repeated + more.repeated,
                ),
                stages[position].imports or run.imports,
            )
    return tuple(stages)


def reconciliation(result: StreamResult) -> list[str]:
    """The lines that account for all rows of the files that did not fail; none if no command reported any.

    >>> counts = Counts(read=41031, out=40373, filtered=0, rejected=658, imported=40373)
    >>> reconciliation(StreamResult(0, 30, 0, 0, (), (Stage("aq_pp", counts, imports=True),), "job"))
    ['30 files: 41,031 rows read = 40,373 imported + 0 filtered + 658 rejected']
    >>> counts = Counts(read=9, out=9, imported=6, repeated=3)
    >>> reconciliation(StreamResult(0, 3, 0, 0, (), (Stage("aq_pp", counts, imports=True),), "job"))
    ['3 files: 9 rows read = 6 imported + 3 imported before + 0 filtered + 0 rejected']
    """
    lines = []
    total = result.files + result.resumed
    files = f"{total:,} file{'' if total == 1 else 's'}"
    if failed := sum(failure.files for failure in result.failures):
        files = f"{total - failed:,} of {files} ({failed:,} failed)"
    for number, stage in enumerate(result.stages, 1):
        counts = stage.counts
        which = f", {stage.tool} ({number} of {len(result.stages)})" if len(result.stages) > 1 else ""
        kept = f"{counts.out:,} out"
        if stage.imports:
            imported = [f"{counts.imported:,} imported"] if counts.imported or not counts.repeated else []
            imported += [f"{counts.repeated:,} imported before"] if counts.repeated else []
            if counts.imported + counts.repeated == counts.out:
                kept = " + ".join(imported)
            else:
                kept = f"{counts.out:,} out ({', '.join(imported)})"
        sign = "=" if counts.add_up() else "DOES NOT EQUAL"
        lines.append(
            f"{files}{which}: {counts.read:,} rows read {sign} {kept} + {counts.filtered:,} filtered"
            f" + {counts.rejected:,} rejected"
        )
    return lines
