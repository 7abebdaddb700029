"""One pipeline of our own tools on one input, without a shell; it ends as in :mod:`ess.cluster.commands`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from ess.cluster import tool_calls
from ess.cluster.commands import STOP_INTERVAL, Ended, Feeder, Setting, create_output, end_of, remove_reports
from ess.cluster.groups import Groups
from ess.cluster.held_input import HeldInput
from ess.cluster.tool_calls import RunningTools, ToolPipeline
from ess.cluster.used_again import UsedAgain
from ess.cluster.warm import WarmTools


def run_tools(
    pipeline: ToolPipeline,
    source: HeldInput,
    *,
    setting: Setting,
    values: Mapping[str, str],
    warm: WarmTools,
    groups: Groups,
    files: UsedAgain | None,
    stdout: Path,
    stderr: Path,
    counts: Path,
    stop: Callable[[], bool],
    label: str,
) -> tuple[Ended, tuple[bytes, bytes] | None] | None:
    """Run a pipeline to its end; None if no server takes it: then nothing of the input is read.

    Args:
        pipeline: The commands.
        source: The input of the first.
        setting: The job's environment, without the variables of the tool server; folder and umask.
        values: The variables of this one input.
        warm: Knows the servers.
        groups: Watches over them.
        files: Take what is written; without them, files of its own do.
        stdout: The file the output goes to, replaced; with ``files``, if it is much.
        stderr: The same for messages.
        counts: The file for counts; it must not exist.
        stop: Asked every :data:`ess.cluster.commands.STOP_INTERVAL` seconds; true stops the commands.
        label: What they work on, for a person.

    Returns:
        Its end; its output and messages, None if they are in the files.
    """
    began = time.monotonic()
    refused = counts.with_name(f"{counts.name}.refused") if pipeline.imports else None
    with _outputs(files, stdout, stderr) as (out, err):
        if source.error is not None:
            return end_of(0, began, source.error, stopped=False, counts=counts, refused=refused), None
        feeder = None if source.is_whole else Feeder(cast(BinaryIO, source), groups)
        for server in warm.servers(stop):
            run = tool_calls.start(
                pipeline,
                server.socket,
                environment=setting.for_tools,
                values={**values, **server.variables, "ESS_COUNTS": str(counts)},
                folder=setting.folder,
                umask=setting.umask,
                stdin=source.file() if feeder is None else feeder.reading_end,
                stdout=out,
                stderr=err,
                counts=counts,
                stop=stop,
            )
            if run is not None:
                break
            remove_reports(counts)
        else:
            if feeder is not None:
                feeder.discard()
                source.rewind()
            if files is not None:
                files.close()  # somebody may have them who was to take part in it
            return None
        if feeder is not None:
            feeder.start()
        with groups.watched(run.processes, label):
            try:
                stopped = _wait(run, feeder, stop, refused)
            finally:
                run.close()
    error = feeder.abandon() if feeder is not None else None
    ended = end_of(run.exit_code, began, error, stopped=stopped, counts=counts, refused=refused)
    if files is None:
        return ended, None
    if run.ended_by_itself:
        return ended, files.take(stdout.stem)
    files.leave(stdout.stem)
    return ended, None


@contextlib.contextmanager
def _outputs(files: UsedAgain | None, stdout: Path, stderr: Path) -> Iterator[tuple[int, int]]:
    if files is not None:
        yield files.descriptors()
    else:
        with create_output(stdout) as out, create_output(stderr) as err:
            yield out.fileno(), err.fileno()


def _wait(run: RunningTools, feeder: Feeder | None, stop: Callable[[], bool], refused: Path | None) -> bool:
    """Wait until the commands end, or kill them; true if they were told to stop."""
    while not run.wait(STOP_INTERVAL):
        if stop():
            run.kill()
            return True
        if (feeder is not None and feeder.error) or (refused is not None and refused.exists()):
            run.kill()
            return False
    return False
