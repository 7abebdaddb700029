"""The log of a daemon: what it writes to its standard output and error, in a file that stays small.

A daemon runs for months, and what makes it write may be somebody else's doing. So the file is replaced
when it has grown, by the daemon itself, and one old one is kept: together they hold twice the limit.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

from ess.settings import open_private

#: A log of this many bytes is replaced.
LIMIT = 8 << 20

#: How often its size is looked at, in seconds.
_LOOK_SECONDS = 1.0


def old_log(log: Path) -> Path:
    """The log that a present one has replaced.

    >>> old_log(Path("scheduler.log")).name
    'scheduler.log.1'
    """
    return log.with_name(f"{log.name}.1")


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log, also those before it was replaced; none if there is no log."""
    text = b""
    for path in (log, old_log(log)):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 200 * lines))
            text = file.read() + text
        if text.count(b"\n") > lines:
            break
    return text.decode("utf-8", "replace").splitlines()[-lines:]


def replace_if_large(log: Path, limit: int = LIMIT) -> bool:
    """Replace the log of this process if it has grown beyond ``limit`` bytes; False if not.

    Nothing is done unless standard error goes there. Output of other parts and libraries goes to the new
    file too, because it takes the descriptors of the old one.
    """
    try:
        written = os.fstat(2)
        if written.st_size <= limit or not os.path.samestat(written, log.stat()):
            return False
        log.replace(old_log(log))
        new = open_private(log, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return False  # the next look may go better; a daemon does not end for its log
    for number in (1, 2):
        os.dup2(new, number)
    os.close(new)
    return True


def keep_small(log: Path, limit: int = LIMIT) -> None:
    """Look after the log of this process, in a thread, as long as it runs."""

    def look() -> None:
        while True:
            replace_if_large(log, limit)
            time.sleep(_LOOK_SECONDS)

    threading.Thread(target=look, name="log", daemon=True).start()
