"""The contents of several files one after the other, as the input of one command (``--bulk``)."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ess.cluster.commands import STOP_INTERVAL, Feeder, Setting, read_reports
from ess.cluster.groups import Groups
from ess.errors import InputReadError, SystemFailure
from ess.lake.entry import FileEntry
from ess.settings import open_private
from ess.stores.store import opened

_CHUNK = 1 << 20


def contents(files: Sequence[FileEntry], opener: Callable[[FileEntry], BinaryIO], *, lines: bool) -> BinaryIO:
    """All that is in the files, in order; each is opened when it is its turn.

    Args:
        files: The files.
        opener: Gives the content of one; what it or its ``read`` raises names the file.
        lines: Whether they hold lines: a last one without an end gets one, so that no line is made of two files.
    """
    return opened(_pieces(files, opener, lines=lines))


def _pieces(files: Sequence[FileEntry], opener: Callable[[FileEntry], BinaryIO], *, lines: bool) -> Iterator[bytes]:
    last = b"\n"
    for file in files:
        begins = True
        with opener(file) as content:
            while piece := content.read(_CHUNK):
                if begins and lines and last != b"\n":
                    yield b"\n"
                begins = False
                yield piece
                last = piece[-1:]


def preprocessed(
    source: BinaryIO,
    command: str,
    *,
    setting: Setting,
    groups: Groups,
    stderr: Path,
    counts: Path,
    stop: Callable[[], bool],
    label: str,
) -> BinaryIO:
    """The output of a command that gets a file's content on its input.

    Args:
        source: The content; it is closed at the end.
        command: For bash.
        setting: Environment, folder and umask.
        groups: Watches over the command.
        stderr: The file its messages are added to.
        counts: A file for the counts of its ``aq_*`` commands, which only tell whether they have failed.
        stop: Asked from time to time; true stops it.
        label: The file, for a person.

    Raises:
        EssError: From ``read``, if the content is damaged or one of its ``aq_*`` commands has failed.
    """

    def pieces() -> Iterator[bytes]:
        with source:
            feeder = Feeder(source, groups)
            reading, writing = os.pipe()
            environment = {**setting.environment, "ESS_COUNTS": str(counts)}
            try:
                with os.fdopen(open_private(stderr, os.O_WRONLY | os.O_APPEND), "wb") as messages:
                    process = groups.start(
                        command,
                        environment=environment,
                        folder=setting.folder,
                        umask=setting.umask,
                        stdin=feeder.reading_end,
                        stdout=writing,
                        stderr=messages.fileno(),
                        label=label,
                        marked=True,
                    )
            except BaseException:
                feeder.discard()
                os.close(reading)
                raise
            finally:
                os.close(writing)
            feeder.start()
            is_whole = False
            try:
                while _readable(reading, lambda: stop() or feeder.error is not None):
                    piece = os.read(reading, _CHUNK)
                    if not piece:
                        is_whole = True
                        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                        break
                    yield piece
            finally:
                groups.kill(process)  # or what it has left running
                groups.finish(process)
                os.close(reading)
                feeder.abandon()
        if feeder.error is not None:
            raise feeder.error
        if not is_whole:  # nobody may take this for the end of the input
            raise SystemFailure("it was stopped", where=label)
        failed = read_reports(counts).exit_codes
        counts.unlink(missing_ok=True)
        if failed:
            raise InputReadError(f"its preprocess command failed with exit code {failed[0]}", where=label)

    return opened(pieces())


def _readable(descriptor: int, ended: Callable[[], bool]) -> bool:
    """Wait until there is something to read; False if that is not wanted any more."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while not poll.poll(STOP_INTERVAL * 1000):
        if ended():
            return False
    return True
