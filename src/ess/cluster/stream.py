"""``ess stream``: the files of a category, each through a command, on every node, output in file order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ess.cluster import ledger
from ess.cluster.bundles import bundle
from ess.cluster.commands import ToolRun
from ess.cluster.database_calls import reads_database
from ess.cluster.delivery import Delivery, Sink
from ess.cluster.dispatch import Runtime
from ess.cluster.driver import drive
from ess.cluster.import_places import require_places
from ess.cluster.opening import open_runtime
from ess.cluster.report import Failure, Interrupted, StreamResult, sum_stages
from ess.cluster.substitution import column_words
from ess.cluster.user_environment import surroundings
from ess.cluster.work import Job, Outcome, Task
from ess.errors import OptionError, printable
from ess.lake.content import THIS_DISK
from ess.lake.entry import FileEntry
from ess.stores.kinds import Access
from ess.udb.wire.access import udb_folder
from ess.udb.wire.running import stopped_servers

#: The bundles for each slot of a cluster, about, so that slow ones even out.
BUNDLES_PER_SLOT = 8


#: The files from which on a tool server for a job's ``aq_*`` commands pays.
WARM_FROM = 4


#: The exit code of a job that was cancelled, as that of a command after Ctrl-C.
_CANCELLED = 130


@dataclass(frozen=True)
class Progress:
    """The progress of a job: files and bytes done, of all."""

    files: int
    all_files: int
    bytes: int
    all_bytes: int


@dataclass(frozen=True)
class StreamOptions:
    """Options of a stream.

    Attributes:
        threads: The number of files at a time on each node. One keeps the commands of a machine in file order. None:
            one on each node of a cluster, else one for each processor, or one if the command reads a database or
            with ``quit_on_error``.
        master: Run here, although there is a cluster.
        quit_on_error: Start no further file once one has failed, and kill those that run.
        resume: Continue the latest job with the same category, range and command that broke off or had failures.
        all_messages: Pass on all messages of commands; without it, of files that went well only a few lines.
        progress: Called whenever files are done.
        trace: Gets a line for each file: where it ran, how long, how it ended.
        cancelled: Asked from time to time; true ends the job as Ctrl-C does.
    """

    threads: int | None = None
    master: bool = False
    quit_on_error: bool = False
    resume: bool = False
    all_messages: bool = True
    progress: Callable[[Progress], None] | None = None
    trace: Callable[[str], None] | None = None
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Source:
    """The files of a stream, and what is known of their layout.

    ``description`` is for the ledger's reader; ``name`` decides which jobs can continue each other; ``access``
    opens the files.
    """

    entries: Sequence[FileEntry]
    columns: tuple[str, ...] = ()
    delimiter: str = ""
    compression: str = ""
    preprocess: str = ""
    description: str = ""
    name: str = ""
    access: Access = THIS_DISK


def stream(
    category: str,
    lower: str,
    upper: str,
    command: str = "cat",
    *,
    stdout: Sink,
    stderr: Sink,
    exclude: str | None = None,
    limit: int | None = None,
    label: str | None = None,
    options: StreamOptions = StreamOptions(),
) -> StreamResult:
    """Run ``command`` on each file of a category, with the file's decompressed content as its input.

    Args:
        category: Its name.
        lower: The first date, or ``*``.
        upper: The last date, or ``*``.
        command: For bash; see :data:`ess.cluster.substitution.SUBSTITUTIONS`.
        stdout: Takes the commands' output, in file order.
        stderr: Takes their messages.
        exclude: Files that match this pattern are left out.
        limit: The maximum number of files.
        label: The datastore, if not the selected one.
        options: How to run it.

    Raises:
        OptionError: If an argument is wrong or there is nothing to resume.
        BrokenPipeError: If nobody reads the output any more; everything is stopped then.
        Interrupted: If somebody pressed Ctrl-C; everything is stopped then, too.
    """
    from ess.lake.categories import category as find_category  # loads the listing
    from ess.lake.datastores import datastore
    from ess.lake.select import files_of

    def tell(text: str) -> None:
        stderr.write(f"ess: {printable(text)}\n".encode("utf-8", "backslashreplace"))
        stderr.flush()

    found = find_category(category, label=label)
    source = Source(
        files_of(found, lower, upper, exclude=exclude, limit=limit, tell=tell),
        column_words(found.columnspec),
        found.delimiter,
        found.compression,
        found.preprocess,
        f"ess stream {category} {lower} {upper} {command}",
        ledger.command_hash(found.datastore, category, lower, upper, command),
        datastore(found.datastore).access,
    )
    return stream_source(source, command, stdout=stdout, stderr=stderr, options=options)


def stream_source(source: Source, command: str, *, stdout: Sink, stderr: Sink, options: StreamOptions) -> StreamResult:
    """Like :func:`stream`, for a given list of files."""
    if options.threads is not None and not 1 <= options.threads <= 1000:
        raise OptionError(
            f"bad number of threads {options.threads}", where="--threads", hint="give a number from 1 to 1000"
        )
    for part in (command, source.preprocess):
        require_places(part)
    history = _to_resume(source.name) if options.resume else None  # None also if it was killed before it began
    job_id, folder = (history.job, history.folder) if history else ledger.new_job()
    book = ledger.Ledger(job_id, folder)
    try:
        book.begin(source.description, source.name)
        # A command that reads what the files before it have imported must come after them, and no file before the first
        # that fails may be left out.
        in_turn = options.quit_on_error or reads_database(command, source.preprocess)
        threads = options.threads or (1 if in_turn else None)
        runtime = open_runtime(folder, threads=threads, master=options.master)
        try:
            run = _Run(source, command, job_id, folder, history, options, runtime)
            result = run.to_its_end(book, stdout, stderr)
        except KeyboardInterrupt:
            book.end(_CANCELLED)  # this process may live on, and the job can be resumed all the same
            raise
        finally:
            runtime.close()
        book.end(result.exit_code)
        return result
    finally:
        book.close()
        ledger.clear_output(folder)


class _Run:
    """One run of a job: the first, or one that resumes it."""

    def __init__(
        self,
        source: Source,
        command: str,
        job_id: str,
        folder: Path,
        history: ledger.History | None,
        options: StreamOptions,
        runtime: Runtime,
    ) -> None:
        self._source = source
        self._folder = folder
        self._options = options
        self._runtime = runtime
        self._keys = [entry.file_key for entry in source.entries]
        done = history.done if history else {}
        self._earlier = {key: line for key, line in done.items() if line.exit_code == 0}
        self._tasks = [Task(i, entry) for i, entry in enumerate(source.entries) if self._keys[i] not in self._earlier]
        self._outcomes: list[Outcome] = []
        self._noted: list[tuple[ToolRun, ...]] = []  # of the files that are done: a resumed job leaves them out
        self._all_bytes = sum(self._size(task.index) for task in self._tasks)
        self._done_bytes = 0
        self._job = Job(
            job_id,
            command,
            surroundings(),
            source.columns,
            source.delimiter,
            source.compression,
            source.preprocess,
            options.quit_on_error,
            ("aq_" in command or "loginf" in command) and len(self._tasks) >= WARM_FROM,
            source.access,
        )

    def to_its_end(self, book: ledger.Ledger, stdout: Sink, stderr: Sink) -> StreamResult:
        """Run everything and pass on the output."""
        slots = self._runtime.slots()
        several = len({slot.node_id for slot in slots}) > 1
        delivery = Delivery(
            self._folder,
            stdout,
            stderr,
            name=lambda outcome: Path(self._source.entries[outcome.index].path).name,
            all_messages=self._options.all_messages,
            delivered=lambda outcome: self._note(outcome, book),
        )
        for index, key in enumerate(self._keys):
            if key in self._earlier:
                delivery.skip(index)
        sizes = [self._size(task.index) for task in self._tasks]
        parts = BUNDLES_PER_SLOT * len(slots) if several else len(self._tasks)
        bundles = [[self._tasks[i] for i in part] for part in bundle(sizes, max(parts, 1))]
        self._tell_progress()
        try:
            if not drive(
                self._job,
                bundles,
                self._runtime,
                outcome=lambda outcome: self._take(outcome, delivery),
                notice=delivery.notice,
                cancelled=self._options.cancelled,
            ):
                delivery.rest()
        except KeyboardInterrupt:
            done = [*(self._earlier[key].tools for key in self._keys if key in self._earlier), *self._noted]
            imports = " -imp" in self._job.command or any(tool.imports for tools in done for tool in tools)
            raise Interrupted(done=len(done), files=len(self._keys), imports=imports) from None
        return self._result(delivery)

    def _take(self, outcome: Outcome, delivery: Delivery) -> None:
        self._outcomes.append(outcome)
        self._done_bytes += self._size(outcome.index)
        delivery.take(outcome)
        if self._options.trace:
            self._options.trace(_trace_line(outcome, self._source.entries[outcome.index]))
        self._tell_progress()

    def _note(self, outcome: Outcome, book: ledger.Ledger) -> None:
        book.delivered(self._keys[outcome.index], outcome)
        if outcome.ended.exit_code == 0:
            self._noted.append(outcome.ended.tools)

    def _tell_progress(self) -> None:
        if self._options.progress:
            self._options.progress(Progress(len(self._outcomes), len(self._tasks), self._done_bytes, self._all_bytes))

    def _size(self, index: int) -> int:
        return self._source.entries[index].size

    def _result(self, delivery: Delivery) -> StreamResult:
        outcomes = sorted(self._outcomes, key=lambda outcome: outcome.index)
        failures = tuple(
            Failure(
                self._source.entries[each.index].path,
                each.ended.exit_code,
                each.node_id,
                each.ended.problem,
                self._source.entries[alike].path if (alike := delivery.alike.get(each.index, -1)) >= 0 else "",
            )
            for each in outcomes
            if each.ended.exit_code != 0
        )
        resumed = [self._earlier[key].tools for key in self._keys if key in self._earlier]
        result = StreamResult(
            exit_code=failures[0].exit_code if failures else 0,
            files=len(outcomes),
            resumed=len(resumed),
            not_run=len(self._tasks) - len(outcomes),
            failures=failures,
            stages=sum_stages([*resumed, *(each.ended.tools for each in outcomes if each.ended.exit_code == 0)]),
            job=self._job.id,
            messages_left_out=delivery.left_out,
        )
        return replace(result, stopped_servers=stopped_servers(udb_folder())) if result.missed_a_server else result


def _trace_line(outcome: Outcome, entry: FileEntry) -> str:
    ended = outcome.ended
    return (
        f"{entry.path}: node {outcome.node_id}, attempt {outcome.attempt}, exit code {ended.exit_code}, "
        f"{ended.seconds:.2f} s"
    )


def _to_resume(name: str) -> ledger.History | None:
    others = False
    for history in ledger.histories():
        if history.command_hash == name:
            if history.resumable:
                return history
            if history.exit_code == 0:
                raise OptionError(
                    "the latest run of this command has done all its files",
                    where="--resume",
                    hint="without --resume it does all of them again, and imports their rows once more",
                )
            break
        others |= history.resumable
    else:
        if not others:
            return None
    raise OptionError(
        "there is no job with this category, range and command that broke off or failed",
        where="--resume",
        hint="run it without --resume",
    )
