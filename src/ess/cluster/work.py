"""The work of a node: run a job's command on the files of a bundle, one after the other.

Everything here is plain data and functions, so that it can run in the process of ``ess stream``
as well as in a worker.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from ess.cluster.commands import Ended, Setting, remove_reports, run_command
from ess.cluster.contents import contents, preprocessed
from ess.cluster.groups import Groups
from ess.cluster.held_input import HeldInput, held_file
from ess.cluster.import_places import COUNTS, mark
from ess.cluster.plain_pipelines import Program, plain_program
from ess.cluster.prefetch import Prefetch
from ess.cluster.program_runs import run_program
from ess.cluster.shares import Share
from ess.cluster.substitution import FileValues, Place, substitute, variables
from ess.cluster.tool_calls import ToolPipeline, tool_pipeline
from ess.cluster.tool_runs import run_tools
from ess.cluster.uploads import Written, upload
from ess.cluster.used_again import UsedAgain
from ess.cluster.warm import WITHOUT, WarmTools
from ess.errors import EssError, printable
from ess.lake.content import THIS_DISK, open_data
from ess.lake.entry import FileEntry, FileKey
from ess.stores.kinds import Access


@dataclass(frozen=True)
class Job:
    """The facts that all tasks of one ``ess stream`` or ``ess exec`` share.

    ``columns``, ``delimiter``, ``compression`` and ``preprocess`` are those of the category. With
    ``quit_on_error``, a bundle ends at its first failure. With ``warm``, it pays to start a tool server for ``aq_*``
    commands.
    ``source`` opens the files on the node, with credentials that come along: its environment has none. ``output`` does
    the same for the objects that the tasks write.
    """

    id: str
    command: str
    setting: Setting
    columns: tuple[str, ...] = ()
    delimiter: str = ""
    compression: str = ""
    preprocess: str = ""
    quit_on_error: bool = False
    warm: bool = False
    source: Access = THIS_DISK
    output: Access = THIS_DISK


@dataclass(frozen=True)
class Task:
    """One run of the command: on a file, or (``entry`` None) on no input.

    ``index`` is its place in the output. ``node_id`` is the node it has to run on, if it has to. ``target`` is the key
    of the object that its output becomes; without one the output is delivered. ``others`` are the files whose contents
    follow that of ``entry`` (``--bulk``).
    """

    index: int
    entry: FileEntry | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    node_id: int | None = None
    target: str | None = None
    others: tuple[FileEntry, ...] = ()

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """The files of its input, in order."""
        return () if self.entry is None else (self.entry, *self.others)


@dataclass(frozen=True)
class Outcome:
    """The end of a task, its node, the names of the files with its output in the folder of its runtime, its object.

    ``text`` is what it wrote, as output and as messages, if there are no such files because it is little.
    """

    index: int
    ended: Ended
    node_id: int
    attempt: int
    stdout: str
    stderr: str
    written: Written | None = None
    text: tuple[bytes, bytes] | None = None


def run_bundle(
    job: Job,
    tasks: list[Task],
    place: Place,
    attempt: int,
    groups: Groups,
    warm: WarmTools,
    stop: Callable[[], bool],
    folder: Path,
    prefetch: Prefetch,
    files: UsedAgain | None = None,
) -> list[Outcome]:
    """Run the command on each task in turn; after a request to stop, the rest is left out.

    The output is left in ``folder``; with ``files``, little output comes with the outcome. Inputs are taken from
    ``prefetch``, which learns of those of this bundle.
    """
    outcomes: list[Outcome] = []
    if not os.path.isdir(f"{folder}/reports"):  # noqa: PTH112 - for each file
        (folder / "reports").mkdir(mode=0o700, exist_ok=True)
    for number, task in enumerate(tasks):
        if stop():
            break
        prefetch.expect(job, tasks[number + 1 : number + 2])
        lost = groups.replaced, warm.abandoned
        outcome = _run_task(
            job,
            task,
            warm if warm.serves(many=job.warm) else None,
            place,
            attempt,
            groups,
            stop,
            folder,
            prefetch,
            files,
        )
        if outcome.ended.exit_code and not stop() and (groups.replaced, warm.abandoned) != lost:
            # Not the command has failed, but a helper that it had begun with. What it imported counts once.
            outcome = _run_task(job, task, None, place, attempt, groups, stop, folder, prefetch, files)
        outcomes.append(outcome)
        if job.quit_on_error and outcome.ended.exit_code:
            break
    return outcomes


def import_identity(job_id: str, key: FileKey) -> str:
    """The part of the identity that all imports of a file (or several, by the key of their share) have in common.

    It is the same for each attempt, so they count once. UDB reads the part before the colon: imports of one job are put
    in the order of its files.
    """
    text = f"{key.datastore}\0{key.path}\0{key.version}"
    return f"{job_id}:{hashlib.sha256(os.fsencode(text)).hexdigest()[:20]}"


@dataclass(frozen=True)
class _Names:
    """The files of one run of a task, which share the beginning of their names.

    No other run has it, also if two nodes run a task at once, or a job that was killed and resumed.
    """

    folder: Path
    stem: str

    @property
    def stdout(self) -> Path:
        """The output."""
        return self.folder / f"{self.stem}.out"

    @property
    def stderr(self) -> Path:
        """The messages."""
        return self.folder / f"{self.stem}.err"

    @functools.cached_property
    def counts(self) -> Path:
        """The counts of its commands.

        It has a folder of its own, which is looked through for each task: output that waits for its turn would add up.
        """
        return self.folder / "reports" / f"{self.stem}.counts"


def _run_task(
    job: Job,
    task: Task,
    warm: WarmTools | None,
    place: Place,
    attempt: int,
    groups: Groups,
    stop: Callable[[], bool],
    folder: Path,
    prefetch: Prefetch,
    files: UsedAgain | None,
) -> Outcome:
    names = _Names(folder, f"{task.index}.{attempt}.{place.node_id}.{os.urandom(6).hex()}")
    values = {"ESS_NODE_ID": str(place.node_id), **task.environment}
    file: FileValues | None = None
    if task.entry is not None:
        file = FileValues("" if task.others else task.entry.path, job.columns, job.delimiter)
        values |= variables(file)
        values["ESS_IMPORT_ID"] = import_identity(job.id, Share(task.files).key)
        values["ESS_IMPORT_SEQ"] = str(task.index)
    setting = Setting({**job.setting.environment, **values}, job.setting.folder, job.setting.umask)
    ways = _ways(job, task, place, file, setting.environment, served=warm is not None, programs=groups.starts_programs)
    label = printable(Share(task.files).name) if task.files else f"node {place.node_id}"
    text: tuple[bytes, bytes] | None = None
    may_have_counts = True
    try:
        source: BinaryIO | None = None
        held = prefetch.take(task)
        if held is None and task.entry is not None and not task.others and ways.may_read_file:
            held = held_file(task.entry, job.compression, job.source)
        if held is not None:
            source = cast(BinaryIO, held)
        elif task.others:
            opener = _opener(
                job, place, _with_server(setting, warm, job.preprocess, stop), groups, folder / names.stem, stop
            )
            source = contents(task.files, opener, lines=bool(job.columns or job.delimiter))
        elif task.entry is not None:
            source = open_data(task.entry, job.compression, job.source)
        try:
            found: tuple[Ended, tuple[bytes, bytes] | None] | None = None
            own_files = files if task.target is None and not task.others else None
            if source is not None and held is None and ways.may_read_file:
                held = HeldInput(source, stop)
                source = cast(BinaryIO, held)
            if ways.pipeline is not None and warm is not None and held is not None:
                found = run_tools(
                    ways.pipeline,
                    held,
                    setting=job.setting,
                    values=values,
                    warm=warm,
                    groups=groups,
                    files=own_files if ways.pipeline.is_ours_alone else None,
                    stdout=names.stdout,
                    stderr=names.stderr,
                    counts=names.counts,
                    stop=stop,
                    label=label,
                )
                may_have_counts = found is None or ways.pipeline.imports
                if not may_have_counts:
                    names.counts.unlink(missing_ok=True)
            entries: list[bytes] = []
            if found is None and ways.program is not None:
                added = {
                    COUNTS: f"{folder}/reports/{names.stem}.counts",
                    **(WITHOUT if warm is None else warm.environment()),
                }
                entries = job.setting.entries(ways.program, values | added)
                if own_files is not None and held is not None and held.is_whole and ways.program.is_simple:
                    found = run_program(
                        ways.program,
                        held,
                        environment=entries,
                        setting=setting,
                        groups=groups,
                        files=own_files,
                        stem=names.stem,
                        stop=stop,
                        label=label,
                    )
                    may_have_counts = found is None
            if found is None:
                ended = run_command(
                    ways.command,
                    setting=_with_server(setting, warm, ways.command, stop),
                    groups=groups,
                    stdout=names.stdout,
                    stderr=names.stderr,
                    counts=names.counts,
                    source=source,
                    stop=stop,
                    label=label,
                    program=ways.program,
                    entries=entries,
                    held=held if ways.may_read_file else None,
                )
            else:
                ended, text = found
        finally:
            if source is not None:
                source.close()
    except EssError as error:
        ended = Ended(error.exit_code, 0.0, (), str(error))
    if may_have_counts:
        remove_reports(names.counts)
    if task.others and job.preprocess:
        _append(folder / f"{names.stem}.pre", names.stderr)
    written: Written | None = None
    if task.target is not None:
        ended, written = _write(ended, task.target, names.stdout, job, stop, attempt)
    return Outcome(task.index, ended, place.node_id, attempt, f"{names.stem}.out", f"{names.stem}.err", written, text)


@dataclass(frozen=True)
class _Ways:
    """The ways to run a command: as a pipeline of our own tools or as one program where it is that, else by bash."""

    command: str
    pipeline: ToolPipeline | None = None
    program: Program | None = None

    @property
    def may_read_file(self) -> bool:
        """True if what runs first can have its input as a file in place of a pipe."""
        return self.pipeline is not None or (self.program is not None and self.program.may_read_file)


def _ways(
    job: Job,
    task: Task,
    place: Place,
    file: FileValues | None,
    environment: Mapping[str, str],
    *,
    served: bool,
    programs: bool,
) -> _Ways:
    """The ways to run a task: ``served`` by a tool server, ``programs`` without a shell."""
    if task.entry is None:
        return _Ways(substitute(job.command, place, file))
    marked = mark(job.command).text
    # What several files go through first, each does by itself.
    preprocess = "" if task.others else job.preprocess
    command = substitute(marked, place, file)
    pipeline = program = None
    plain = job.setting.starts_plainly
    if plain and served:
        first = substitute(preprocess, place, file)
        pipeline = tool_pipeline(substitute(job.command, place, file), first, environment, job.id)
    if plain and programs and not preprocess and pipeline is None and marked == job.command:
        program = plain_program(command, environment)
    if preprocess:
        # Braces keep a list of commands together; the newline ends a comment.
        command = f"{{ {substitute(mark(preprocess, 'p').text, place, file)}\n}} | {{ {command}\n}}"
    return _Ways(command, pipeline, program)


def _opener(
    job: Job, place: Place, setting: Setting, groups: Groups, stem: Path, stop: Callable[[], bool]
) -> Callable[[FileEntry], BinaryIO]:
    """The way to open each file of a share: its content, behind the preprocess command of the category."""

    def content(entry: FileEntry) -> BinaryIO:
        return open_data(entry, job.compression, job.source)

    def through_a_command(entry: FileEntry) -> BinaryIO:
        file = FileValues(entry.path, job.columns, job.delimiter)
        return preprocessed(
            content(entry),
            substitute(job.preprocess, place, file),
            setting=replace(setting, environment={**setting.environment, **variables(file)}),
            groups=groups,
            stderr=stem.with_name(f"{stem.name}.pre"),
            counts=stem.with_name(f"{stem.name}.pre.counts"),
            stop=stop,
            label=printable(entry.path),
        )

    return through_a_command if job.preprocess else content


def _append(part: Path, whole: Path) -> None:
    """Put what is in a file behind what is in another one, if there is anything."""
    with contextlib.suppress(FileNotFoundError), part.open("rb") as source:
        with whole.open("ab") as target:
            shutil.copyfileobj(source, target)
        part.unlink()


def _write(
    ended: Ended, target: str, stdout: Path, job: Job, stop: Callable[[], bool], attempt: int
) -> tuple[Ended, Written | None]:
    """Make an object of the output of a command that went well; nothing of it is delivered."""
    written: Written | None = None
    if not (ended.exit_code or ended.problem or ended.stopped):
        try:
            written = upload(stdout, job.output, target, job.setting, stop=stop, ask=attempt > 1)
            ended = ended if written else replace(ended, stopped=True)
        except EssError as error:
            ended = replace(ended, exit_code=error.exit_code, problem=str(error))
    with contextlib.suppress(OSError):
        os.truncate(stdout, 0)
    return ended, written


def _with_server(setting: Setting, warm: WarmTools | None, command: str, stop: Callable[[], bool]) -> Setting:
    """The surroundings, with the variables by which the tools of a command find the tool server."""
    variables = warm.environment(command, stop) if warm is not None else WITHOUT
    return replace(setting, environment={**setting.environment, **variables})
