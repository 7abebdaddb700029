"""``ess stream`` and ``ess exec``: parse, call, render."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ess import api
from ess.api.messages import concealed
from ess.errors import printable

if TYPE_CHECKING:
    from ess.cluster.report import ExecResult, StreamResult

#: The failures, or failures of a kind, that have a line each.
_MOST_FAILURES = 20


def stream(
    category: Annotated[str, typer.Argument(help="category to read")],
    lower: Annotated[str, typer.Argument(help="first date, or '*'")],
    upper: Annotated[str, typer.Argument(help="last date, or '*'")],
    command: Annotated[str, typer.Argument(help="command that gets each file's content on its input")] = "cat",
    exclude: Annotated[str | None, typer.Option(help="leave out files that match this pattern")] = None,
    master: Annotated[bool, typer.Option("--master", help="run on this machine, not on the worker nodes")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="show all messages, and where each file ran and how it ended")
    ] = False,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="one command for all files of a node, their contents one after the other")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            help="number of files a node works on at a time; without a cluster, as many as processors if not given"
        ),
    ] = None,
    archive: Annotated[
        str | None, typer.Option(help="patterns of files in archives; these are read, each as a file")
    ] = None,
    label: Annotated[str | None, typer.Option(help="datastore to read, if not the selected one")] = None,
    progress: Annotated[bool, typer.Option("--progress", help="show progress also if not on a terminal")] = False,
    limit: Annotated[int | None, typer.Option(help="the maximum number of files")] = None,
    modified: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="LOWER UPPER", help="range of times, in UTC, at which files were last changed"),
    ] = None,
    quitonerror: Annotated[bool, typer.Option("--quitonerror", help="stop at the first command that fails")] = False,
    s3out: Annotated[
        str | None,
        typer.Option(help="make an object of each file's output: LABEL:PATH, with %path, %file and %FILE in it"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="continue the latest run of this command that broke off or had failures")
    ] = False,
) -> None:
    """Run a command on each file of a category; the output comes in file order."""
    from ess.cli.progress import ProgressDisplay

    display = ProgressDisplay(always=progress)
    try:
        result = api.stream(
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
            quit_on_error=quitonerror,
            resume=resume,
            bulk=bulk,
            s3out=s3out,
            all_messages=debug,
            progress=display.show,
            trace=_say if debug else None,
            stdout=display.around(sys.stdout.buffer),
            stderr=display.around(sys.stderr.buffer),
            label=label,
        ).result
    except KeyboardInterrupt as interrupted:
        display.clear()
        if str(interrupted):  # how far the job was, once it had begun
            _say(str(interrupted))
        raise typer.Exit(130) from None
    finally:
        display.clear()
    tell_failures(result.failure_lines)
    if result.messages_left_out:
        _say(f"{result.messages_left_out:,} more lines of messages; --debug shows all")
    tell_sums(result, category, lower, upper, label)
    if s3out is not None:
        _tell_objects(result, s3out)
    if result.stopped_servers:
        _say(
            f"a database server is stopped and does not answer: run: kill -CONT "
            f"{' '.join(map(str, result.stopped_servers))}, then the same command with --resume"
        )
    elif result.missed_a_server and any(stage.counts.imported for stage in result.stages):
        _say(
            "a database server was missing. What was imported is on its disk: run: ess udbd start, then the same "
            "command with --resume. Only what was volatile is gone: clear it, then run the command without --resume"
        )
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def execute(
    command: Annotated[str, typer.Argument(help="command to run on each node")],
    master: Annotated[bool, typer.Option("--master", help="run on this machine, not on the worker nodes")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="tell for each node how the command ended")] = False,
    s3out: Annotated[
        str | None, typer.Option(help="make an object of each node's output: LABEL:PATH, with %node_id in it")
    ] = None,
) -> None:
    """Run a command on every node; the output comes in the order of the nodes."""
    result = api.execute(
        command,
        master=master,
        s3out=s3out,
        trace=_say if debug else None,
        stdout=sys.stdout.buffer,
        stderr=sys.stderr.buffer,
    ).result
    if s3out is not None:
        _tell_objects(result, s3out)
    if result.nodes > 1 or s3out is not None:
        tell_failures([str(failure) for failure in result.failures])
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def tell_failures(lines: list[str]) -> None:
    """Tell the first failures on stderr, and how many more there are."""
    for line in lines[:_MOST_FAILURES]:
        _say(line)
    if len(lines) > _MOST_FAILURES:
        _say(f"and {len(lines) - _MOST_FAILURES} more such lines; --debug tells of each")


def tell_sums(
    result: StreamResult, category: str, lower: str, upper: str, label: str | None, *, first_only: bool = False
) -> None:
    """Tell on stderr if there was no file, what was not run, and how many rows each tool read, printed and left out."""
    if not result.files and not result.resumed:
        stats = api.category(category, label=label).stats
        others = f"; its files are from {stats.first} to {stats.last}" if stats.count else ""
        _say(f"{category}: no files between {lower} and {upper}{others}")
    if result.not_run:
        files = "1 file was" if result.not_run == 1 else f"{result.not_run:,} files were"
        _say(f"{files} not run because of --quitonerror; --resume continues")
    for text in result.reconciliation[: 1 if first_only else None]:
        _say(text)


def _tell_objects(result: StreamResult | ExecResult, place: str) -> None:
    objects = "1 object" if result.objects == 1 else f"{result.objects:,} objects"
    _say(f"{objects} written to {place}, {result.object_bytes:,} bytes")


def _say(text: str) -> None:
    sys.stderr.write(f"ess: {concealed(printable(text))}\n")
    sys.stderr.flush()
