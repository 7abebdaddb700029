"""The progress of a stream: a bar on a terminal that gives way to output, lines elsewhere if asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from ess.cluster.delivery import Sink
    from ess.cluster.stream import Progress


class ProgressDisplay:
    """Shows progress on stderr.

    Args:
        always: Also if stderr is not a terminal: a line for each tenth then.
    """

    def __init__(self, *, always: bool) -> None:
        terminal = sys.stderr.isatty()
        self._lines = always and not terminal
        self._bar = _bar() if terminal else None
        self._task: TaskID | None = None
        self._visible = False
        self._tenths = 0

    def show(self, progress: Progress) -> None:
        """Show how far the job is; by bytes, since files differ."""
        share = progress.bytes / progress.all_bytes if progress.all_bytes else 1.0
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("", total=1.0, files="")
            files = f"{progress.files}/{progress.all_files} files"
            self._bar.update(self._task, completed=share, files=files)
            self._turn(True)
        elif self._lines and int(share * 10) > self._tenths:
            self._tenths = int(share * 10)
            sys.stderr.write(f"ess: {progress.files} of {progress.all_files} files, {share:.0%} of the bytes\n")

    def around(self, target: Sink) -> Sink:
        """``target``, with the bar taken away while something is written to it."""
        return target if self._bar is None else _BarAside(self, target)

    def clear(self) -> None:
        """Take the bar away."""
        self._turn(False)

    def _turn(self, on: bool) -> None:
        if self._bar is not None and on != self._visible:
            self._visible = on
            if on:
                self._bar.start()
            else:
                self._bar.stop()


class _BarAside:
    def __init__(self, display: ProgressDisplay, target: Sink) -> None:
        self._display = display
        self._target = target

    def write(self, data: bytes, /) -> object:
        self._display.clear()
        return self._target.write(data)

    def flush(self) -> object:
        return self._target.flush()


def _bar() -> Bar:
    from rich.console import Console  # takes a tenth of a second, which only a terminal is worth
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[files]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
