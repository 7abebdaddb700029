"""Commands over the files of a category, and on the nodes of a cluster."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ess.api.handles import Job
    from ess.api.results import ExecOutput, StreamOutput
    from ess.cluster.delivery import Sink
    from ess.cluster.stream import Progress

__all__ = ["exec", "execute", "start_stream", "stream"]


def stream(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    command: str = "cat",
    *,
    exclude: str | None = None,
    limit: int | None = None,
    archive: str | None = None,
    modified: tuple[str | date, str | date] | None = None,
    threads: int | None = None,
    master: bool = False,
    quit_on_error: bool = False,
    resume: bool = False,
    bulk: bool = False,
    s3out: str | None = None,
    all_messages: bool = True,
    progress: Callable[[Progress], None] | None = None,
    trace: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    stdout: Sink | None = None,
    stderr: Sink | None = None,
    label: str | None = None,
) -> StreamOutput:
    r"""Run a command on each file of a category, with the file's decompressed content as its input.

    Args:
        category: Its name.
        lower: The first date, or ``*`` (see :func:`ess.files`).
        upper: The last date.
        command: For bash. ``%cols``, ``%path``, ``%file`` and others stand for what is known of
            the file (see the manual of ``ess stream``).
        exclude: Globs of files to leave out.
        limit: The maximum number of files.
        archive: Globs of files in archives, in place of the category's own.
        modified: Bounds of the times, in UTC, at which the files were last changed.
        threads: The number of files at a time on each node; without it one on each node of a cluster, else as many as
            there are processors. With 1, commands run in file order.
        master: Run on this machine, although there is a cluster.
        quit_on_error: Start no further file once one has failed.
        resume: Continue the latest job with the same arguments that broke off or had failures.
        bulk: Run one command for all files of a node, with their contents one after the other.
        s3out: ``LABEL:PATH``: the output of each file becomes an object there, with ``%path``, ``%file`` and
            ``%FILE`` in its name; with ``bulk`` one of each command, with ``%node_id``.
        all_messages: Pass on all messages of the commands; without it, of files that went well only a few lines.
        progress: Called whenever files are done, with the numbers of files and bytes done and of all.
        trace: Called with a line for each file: where it ran, how long, how it ended.
        cancelled: Asked at least twice a second; true ends the job as Ctrl-C does.
        stdout: A binary file for the commands' output; without one it is collected.
        stderr: A binary file for their messages; without one they are collected.
        label: The datastore, if not the selected one.

    Returns:
        The output in file order, and the counts. A command that fails is no exception: see
        ``result.exit_code`` and ``result.failures``.

    Raises:
        OptionError: If an argument is not valid.
        KeyboardInterrupt: After Ctrl-C, or if it was cancelled, when all that ran is stopped; its text says how far
            the job was.

    >>> import ess, pathlib, tempfile
    >>> _ = ess.select("local")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "visits_20140901.csv").write_text("day,user\n2014-09-01,7\n2014-09-01,8\n")
    >>> _ = ess.category_add("visits", f"{folder}/visits*", overwrite=True)
    >>> ess.stream("visits", "2014-09-01", "2014-09-30", "wc -l").lines
    ['3']
    """
    import io

    from ess.api.results import StreamOutput
    from ess.cluster.stream import StreamOptions
    from ess.cluster.stream import stream as run
    from ess.cluster.targets import parse_target
    from ess.lake.ranges import bound_text, bounds_text

    options = StreamOptions(
        threads=threads,
        master=master,
        quit_on_error=quit_on_error,
        resume=resume,
        all_messages=all_messages,
        progress=progress,
        trace=trace,
        cancelled=cancelled or StreamOptions.cancelled,
        bulk=bulk,
        output=parse_target(s3out) if s3out is not None else None,
    )
    output, messages = io.BytesIO(), io.BytesIO()
    result = run(
        category,
        bound_text(lower, "lower bound"),
        bound_text(upper, "upper bound"),
        command,
        stdout=stdout or output,
        stderr=stderr or messages,
        exclude=exclude,
        limit=limit,
        archive=archive,
        modified=bounds_text(modified, "modified"),
        label=label,
        options=options,
    )
    return StreamOutput(output.getvalue(), messages.getvalue(), result)


def start_stream(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    command: str = "cat",
    *,
    exclude: str | None = None,
    limit: int | None = None,
    archive: str | None = None,
    modified: tuple[str | date, str | date] | None = None,
    threads: int | None = None,
    master: bool = False,
    quit_on_error: bool = False,
    resume: bool = False,
    bulk: bool = False,
    s3out: str | None = None,
    all_messages: bool = True,
    trace: Callable[[str], None] | None = None,
    stdout: Sink | None = None,
    stderr: Sink | None = None,
    label: str | None = None,
) -> Job:
    r"""Begin :func:`stream` in the background, in the workspace that is entered now.

    The arguments are those of :func:`stream`.

    Returns:
        The job: its progress, its end, and what cancels it.

    Mistakes are raised by the job's ``result()``.

    >>> import ess, pathlib, tempfile
    >>> _ = ess.select("local")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "visits_20140901.csv").write_text("day,user\n2014-09-01,7\n")
    >>> _ = ess.category_add("visits", f"{folder}/visits*", overwrite=True)
    >>> job = ess.start_stream("visits", command="wc -l")
    >>> job.result().lines, job.ended, job.progress.files
    (['2'], True, 1)
    """
    from ess.api.handles import Job

    def run(*, progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> StreamOutput:
        return stream(
            category,
            lower,
            upper,
            command,
            exclude=exclude,
            limit=limit,
            archive=archive,
            modified=modified,
            threads=threads,
            master=master,
            quit_on_error=quit_on_error,
            resume=resume,
            bulk=bulk,
            s3out=s3out,
            all_messages=all_messages,
            progress=progress,
            trace=trace,
            cancelled=cancelled,
            stdout=stdout,
            stderr=stderr,
            label=label,
        )

    return Job(run)


def execute(
    command: str,
    *,
    master: bool = False,
    s3out: str | None = None,
    trace: Callable[[str], None] | None = None,
    stdout: Sink | None = None,
    stderr: Sink | None = None,
) -> ExecOutput:
    """Run a command on every node of the cluster, or here if there is none; also named ``exec``.

    Args:
        command: For bash. Plain ``aq_udb`` calls run once, over the whole database.
        master: Run on this machine only.
        s3out: ``LABEL:PATH``: the output of each node becomes an object there, with ``%node_id`` in its name.
        trace: Called with a line for each node: how the command ended there.
        stdout: A binary file for the output; without one it is collected.
        stderr: A binary file for the messages; without one they are collected.

    Returns:
        The output in the order of the nodes. A command that fails is no exception: see
        ``result.exit_code``.

    >>> import ess
    >>> ess.execute("echo hello").lines
    ['hello']
    """
    import io

    from ess.api.results import ExecOutput
    from ess.cluster.execute import execute as run
    from ess.cluster.targets import parse_target

    output, messages = io.BytesIO(), io.BytesIO()
    result = run(
        command,
        stdout=stdout or output,
        stderr=stderr or messages,
        master=master,
        trace=trace,
        output=parse_target(s3out) if s3out is not None else None,
    )
    return ExecOutput(output.getvalue(), messages.getvalue(), result)


exec = execute  # noqa: A001 - the verb of the command line
