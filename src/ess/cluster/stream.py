"""``ess stream``: the files of a category, each through a command, on every node, output in file order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ess.cluster import ledger
from ess.cluster.bundles import bundle, order_of_work
from ess.cluster.commands import Ended, ToolRun
from ess.cluster.database_calls import reads_database
from ess.cluster.delivery import Delivery, Sink
from ess.cluster.dispatch import Runtime
from ess.cluster.driver import drive
from ess.cluster.import_places import require_places
from ess.cluster.opening import open_runtime
from ess.cluster.report import Failure, Interrupted, StreamResult, sum_stages
from ess.cluster.shares import Share, one_by_one, require_no_file, together, together_again
from ess.cluster.substitution import column_words
from ess.cluster.targets import Target, names_of_files, names_of_nodes, require_target
from ess.cluster.unbroken import Unbroken, holding_back
from ess.cluster.user_environment import surroundings
from ess.cluster.work import Job, Outcome, Task
from ess.errors import EssError, OptionError, OutputWriteError, printable
from ess.lake.content import THIS_DISK, keeping_archives
from ess.lake.entry import FileEntry
from ess.stores.kinds import Access

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
        bulk: One command for all files of a node (of each of its threads, with ``threads``).
        output: The objects that the output becomes; None to deliver it.
    """

    threads: int | None = None
    master: bool = False
    quit_on_error: bool = False
    resume: bool = False
    all_messages: bool = True
    progress: Callable[[Progress], None] | None = None
    trace: Callable[[str], None] | None = None
    cancelled: Callable[[], bool] = lambda: False
    bulk: bool = False
    output: Target | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """The options that make another job of the same command over the same files."""
        return (*(["bulk"] if self.bulk else []), *([f"to {self.output}"] if self.output else []))


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
    archive: str | None = None,
    modified: tuple[str, str] | None = None,
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
        archive: Patterns of files in archives, in place of the category's own.
        modified: Bounds of the times, in UTC, at which the files were last changed.
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
    files = files_of(found, lower, upper, exclude=exclude, limit=limit, archive=archive, modified=modified, tell=tell)
    if options.bulk and "+1" in command and found.header and not found.preprocess and len(files) > 1:
        tell(f"each of the {len(files):,} files has a title line; +1 skips only the first that a command gets")
    source = Source(
        files,
        column_words(found.columnspec),
        found.delimiter,
        found.compression,
        found.preprocess,
        f"ess stream {category} {lower} {upper} {command}",
        ledger.command_hash(
            found.datastore,
            category,
            lower,
            upper,
            command,
            *options.identity,
            *filter(None, [archive]),
            *(modified or ()),
        ),
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
    names: Sequence[str | EssError] | None = None
    if options.bulk:
        require_no_file(command, source.preprocess)
    if options.output is not None:
        require_target(options.output)
        if options.bulk:
            names_of_nodes(options.output, 0)
        else:
            names = names_of_files(options.output, source.access, [entry.path for entry in source.entries])
    history = _to_resume(source.name) if options.resume else None  # None also if it was killed before it began
    job_id, folder = (history.job, history.folder) if history else ledger.new_job()
    book = ledger.Ledger(job_id, folder)
    try:
        book.begin(source.description, source.name)
        # A command that reads what the files before it have imported must come after them, and no file before the first
        # that fails may be left out.
        in_turn = options.bulk or options.quit_on_error or reads_database(command, source.preprocess)
        threads = options.threads or (1 if in_turn else None)
        runtime = open_runtime(folder, threads=threads, master=options.master)
        try:
            shares = _shares(source, command, options, history, runtime.at_a_time)
            if options.bulk:
                book.shares([[file.file_key for file in share.files] for share in shares])
                names = names_of_nodes(options.output, len(shares)) if options.output else None
            in_turn = threads == 1 or options.bulk
            run = _Run(source, command, job_id, folder, history, options, runtime, shares, names, in_turn=in_turn)
            with keeping_archives():
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


def _shares(
    source: Source, command: str, options: StreamOptions, history: ledger.History | None, places: int
) -> list[Share]:
    """The files of each command."""
    if not options.bulk:
        return one_by_one(source.entries)
    if history is None or not history.shares:
        return together(source.entries, places)
    done = {key for key, line in history.done.items() if line.exit_code == 0}
    imports = "-imp" in command or "-udb" in command
    return together_again(source.entries, places, before=history.shares, done=done, imports=imports)


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
        shares: Sequence[Share],
        names: Sequence[str | EssError] | None,
        *,
        in_turn: bool,
    ) -> None:
        self._source = source
        self._in_turn = in_turn
        self._folder = folder
        self._options = options
        self._runtime = runtime
        self._shares = shares
        self._keys = [share.key if share.files else None for share in shares]
        self._names = names
        done = history.done if history else {}
        self._earlier = {key: line for key, line in done.items() if line.exit_code == 0}
        self._tasks = [
            Task(i, share.files[0], target=self._target(i), others=share.files[1:])
            for i, share in enumerate(shares)
            if share.files and self._keys[i] not in self._earlier
        ]
        self._outcomes: list[Outcome] = []
        # Numbers of files, and counts, of what is done: a resumed job leaves it out.
        self._noted: list[tuple[int, tuple[ToolRun, ...]]] = []
        self._all_files = sum(len(task.files) for task in self._tasks)
        self._done_files = 0
        self._all_bytes = sum(self._shares[task.index].size for task in self._tasks)
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
            ("aq_" in command or "loginf" in command) and self._all_files >= WARM_FROM,
            source.access,
            options.output.access if options.output else THIS_DISK,
        )

    def _target(self, index: int) -> str | None:
        name = self._names[index] if self._names is not None else None
        return name if isinstance(name, str) else None

    def _refuse(self, delivery: Delivery) -> list[Task]:
        """Let the files fail whose objects can have no name; the others."""
        rest = []
        for task in self._tasks:
            name = self._names[task.index] if self._names is not None else None
            if isinstance(name, EssError):
                self._take(Outcome(task.index, Ended(name.exit_code, 0.0, (), str(name)), 0, 1, "", ""), delivery)
            else:
                rest.append(task)
        return rest

    def to_its_end(self, book: ledger.Ledger, stdout: Sink, stderr: Sink) -> StreamResult:
        """Run everything and pass on the output."""
        with holding_back() as unbroken:
            return self._run(book, stdout, stderr, unbroken)

    def _run(self, book: ledger.Ledger, stdout: Sink, stderr: Sink, unbroken: Unbroken) -> StreamResult:
        slots = self._runtime.slots()
        bulk = self._options.bulk
        several = len({slot.node_id for slot in slots}) > 1
        delivery = Delivery(
            self._folder,
            stdout,
            stderr,
            name=lambda outcome: self._shares[outcome.index].short_name if len(self._shares) > 1 or not bulk else "",
            all_messages=self._options.all_messages,
            delivered=lambda outcome: self._note(outcome, book),
            unbroken=unbroken,
        )
        for index, key in enumerate(self._keys):
            if key is None or key in self._earlier:
                delivery.skip(index)
        tasks = self._refuse(delivery)
        if not self._in_turn:
            tasks = [tasks[i] for i in order_of_work([self._shares[task.index].files[0] for task in tasks])]
        sizes = [self._shares[task.index].size for task in tasks]
        parts = BUNDLES_PER_SLOT * len(slots) if several else len(tasks)
        bundles = [[tasks[i] for i in part] for part in bundle(sizes, max(parts, 1))]
        if bulk:
            bundles = [[task] for task in tasks]
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
            done = [*(tools for _, tools in self._resumed()), *(tools for _, tools in self._noted)]
            imports = " -imp" in self._job.command or any(tool.imports for tools in done for tool in tools)
            files = sum(files for files, _ in [*self._resumed(), *self._noted])
            raise Interrupted(done=files, files=len(self._source.entries), imports=imports) from None
        self._look_at_objects(book)
        return self._result(delivery)

    def _resumed(self) -> list[tuple[int, tuple[ToolRun, ...]]]:
        """The numbers of files, and the counts, of what an earlier run has done."""
        return [
            (len(share.files), self._earlier[key].tools)
            for share, key in zip(self._shares, self._keys, strict=True)
            if key in self._earlier
        ]

    def _take(self, outcome: Outcome, delivery: Delivery) -> None:
        self._outcomes.append(outcome)
        share = self._shares[outcome.index]
        self._done_files += len(share.files)
        self._done_bytes += share.size
        delivery.take(outcome)
        if self._options.trace:
            output = self._options.output
            self._options.trace(_trace_line(outcome, share.name, "" if output is None else output.root))
        self._tell_progress()

    def _note(self, outcome: Outcome, book: ledger.Ledger) -> None:
        share, key = self._shares[outcome.index], self._keys[outcome.index]
        assert key is not None
        book.delivered(key, outcome)
        if outcome.ended.exit_code == 0:
            self._noted.append((len(share.files), outcome.ended.tools))

    def _tell_progress(self) -> None:
        if self._options.progress:
            self._options.progress(Progress(self._done_files, self._all_files, self._done_bytes, self._all_bytes))

    def _look_at_objects(self, book: ledger.Ledger) -> None:
        """Let the files fail whose objects are those of an attempt that was lost, and has ended after all."""
        output = self._options.output
        for number, outcome in enumerate(self._outcomes):
            if output is None or outcome.written is None or not outcome.written.version:
                continue
            store = output.access.open()
            if store.head(outcome.written.key).version != outcome.written.version:
                problem = OutputWriteError(
                    "a node that was lost has written it once more",
                    where=store.at(outcome.written.key),
                    hint="repeat with --resume",
                )
                ended = replace(outcome.ended, exit_code=problem.exit_code, problem=str(problem))
                self._outcomes[number] = replace(outcome, ended=ended, written=None)
                book.delivered(self._shares[outcome.index].key, self._outcomes[number])

    def _result(self, delivery: Delivery) -> StreamResult:
        outcomes = sorted(self._outcomes, key=lambda outcome: outcome.index)
        failures = tuple(
            Failure(
                share.name,
                each.ended.exit_code,
                each.node_id,
                each.ended.problem,
                self._shares[alike].name if (alike := delivery.alike.get(each.index, -1)) >= 0 else "",
                len(share.files),
            )
            for each in outcomes
            if each.ended.exit_code != 0 and (share := self._shares[each.index])
        )
        written = [each.written for each in outcomes if each.written is not None]
        result = StreamResult(
            exit_code=failures[0].exit_code if failures else 0,
            files=self._done_files,
            resumed=sum(files for files, _ in self._resumed()),
            not_run=self._all_files - self._done_files,
            failures=failures,
            stages=sum_stages(
                [
                    *(tools for _, tools in self._resumed()),
                    *(each.ended.tools for each in outcomes if each.ended.exit_code == 0),
                ]
            ),
            job=self._job.id,
            messages_left_out=delivery.left_out,
            objects=len(written),
            object_bytes=sum(each.size for each in written),
        )
        if not result.missed_a_server:
            return result
        from ess.udb.wire.access import udb_folder  # these take a while to load
        from ess.udb.wire.running import stopped_servers

        return replace(result, stopped_servers=stopped_servers(udb_folder()))


def _trace_line(outcome: Outcome, name: str, root: str) -> str:
    ended, written = outcome.ended, outcome.written
    made = f", {written.size:,} bytes in {root}{written.key}" if written is not None else ""
    return (
        f"{name}: node {outcome.node_id}, attempt {outcome.attempt}, exit code {ended.exit_code}, {ended.seconds:.2f} s"
        f"{made}"
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
