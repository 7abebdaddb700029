"""One pipeline of our own tools on one input, without a shell; it ends as in :mod:`ess.cluster.commands`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from ess.cluster import tool_calls
from ess.cluster.commands import STOP_INTERVAL, Ended, Feeder, Setting, create_output, end_of, remove_reports
from ess.cluster.groups import Groups
from ess.cluster.held_input import HeldInput
from ess.cluster.tool_calls import RunningTools, ToolPipeline
from ess.cluster.warm import WarmTools


def run_tools(
    pipeline: ToolPipeline,
    source: HeldInput,
    *,
    setting: Setting,
    warm: WarmTools,
    groups: Groups,
    stdout: Path,
    stderr: Path,
    counts: Path,
    stop: Callable[[], bool],
    label: str,
) -> Ended | None:
    """Run a pipeline to its end; None if no server takes it: then nothing of the input is read.

    Args:
        pipeline: The commands.
        source: The input of the first.
        setting: Environment, without the variables of the tool server; folder and umask.
        warm: Knows the servers.
        groups: Watches over them.
        stdout: The file the output goes to, replaced.
        stderr: The file messages go to, replaced.
        counts: The file for counts; it must not exist.
        stop: Asked every :data:`ess.cluster.commands.STOP_INTERVAL` seconds; true stops the commands.
        label: What they work on, for a person.
    """
    began = time.monotonic()
    refused = counts.with_name(f"{counts.name}.refused")
    with create_output(stdout) as out, create_output(stderr) as err:
        if source.error is not None:
            return end_of(0, began, source.error, stopped=False, counts=counts, refused=refused)
        feeder = None if source.is_whole else Feeder(cast(BinaryIO, source), groups)
        for server in warm.servers(stop):
            run = tool_calls.start(
                pipeline,
                server.socket,
                environment={**setting.environment, **server.variables, "ESS_COUNTS": str(counts)},
                folder=setting.folder,
                umask=setting.umask,
                stdin=source.file() if feeder is None else feeder.reading_end,
                stdout=out.fileno(),
                stderr=err.fileno(),
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
            return None
        if feeder is not None:
            feeder.start()
        with groups.watched(run.processes, label):
            try:
                stopped = _wait(run, feeder, stop, refused)
            finally:
                run.close()
    error = feeder.abandon() if feeder is not None else None
    return end_of(run.exit_code, began, error, stopped=stopped, counts=counts, refused=refused)


def _wait(run: RunningTools, feeder: Feeder | None, stop: Callable[[], bool], refused: Path) -> bool:
    """Wait until the commands end, or kill them; true if they were told to stop."""
    while not run.wait(STOP_INTERVAL):
        if stop():
            run.kill()
            return True
        if (feeder is not None and feeder.error) or refused.exists():
            run.kill()
            return False
    return False
