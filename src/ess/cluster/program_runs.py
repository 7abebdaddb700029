"""One simple program on one input that it reads as a file: no shell, no pipe, and no files of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ess.cluster.commands import Ended, Setting, cut_off, wait_for_end
from ess.cluster.groups import Groups
from ess.cluster.held_input import HeldInput
from ess.cluster.plain_pipelines import Program
from ess.cluster.used_again import UsedAgain
from ess.errors import OutputWriteError


def run_program(
    program: Program,
    source: HeldInput,
    *,
    environment: Sequence[bytes],
    setting: Setting,
    groups: Groups,
    files: UsedAgain,
    stem: str,
    stop: Callable[[], bool],
    label: str,
) -> tuple[Ended, tuple[bytes, bytes] | None] | None:
    """Run it to its end; None if it cannot be started.

    Args:
        program: It is simple, so it counts no rows and leaves nothing running.
        source: Its input, all of which is held.
        environment: Its entries.
        setting: Folder and umask.
        groups: Watches over it.
        files: Take what it writes.
        stem: The name of files for much of it, without ``.out`` and ``.err``.
        stop: Asked every :data:`ess.cluster.commands.STOP_INTERVAL` seconds; true stops the program.
        label: What it works on, for a person.

    Returns:
        Its end; its output and messages, None if they are in the files.
    """
    began = time.monotonic()
    out, err = files.descriptors()
    process = groups.start_program(
        program,
        environment=environment,
        folder=setting.folder,
        umask=setting.umask,
        stdin=source.file(),
        stdout=out,
        stderr=err,
        label=label,
        alone=True,
    )
    if process is None:
        return None
    stopped = wait_for_end(process, groups, stop)
    exit_code = groups.finish(process)
    seconds = time.monotonic() - began
    written = files.take(stem)
    if not stopped and (problem := cut_off(files.folder, exit_code)):
        return Ended(exit_code or OutputWriteError.exit_code, seconds, (), problem), written
    return Ended(exit_code, seconds, (), "", stopped), written
