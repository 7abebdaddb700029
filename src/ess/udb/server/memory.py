"""The limit on the memory of a server."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from ess.errors import OutOfMemory


@dataclass(frozen=True)
class Usage:
    """At some moment: bytes that the server held, and bytes of the machine that were available."""

    used: int
    available: int


class MemoryLimit:
    """Refuses imports and changes when the server, or the machine, would run out of memory.

    Args:
        limit: Bytes that this process may use; 0 for no limit.
        margin: Bytes of the machine that must stay available; 0 for any.
    """

    def __init__(self, limit: int = 0, margin: int = 0) -> None:
        self._limit = limit
        self._margin = margin
        self._process = psutil.Process()

    def usage(self) -> Usage:
        """The present usage."""
        return Usage(self.used(), psutil.virtual_memory().available if self._margin else 0)

    def require(self, incoming: int, before: Usage | None = None) -> None:
        """Refuse ``incoming`` bytes that do not fit.

        Args:
            incoming: How many bytes there will be more.
            before: What was used before they were made, if they are there already, beside what they replace.

        Raises:
            OutOfMemory: If they do not fit; stored rows stay as they are.
        """
        now = before if before is not None else self.usage()
        if self._limit and now.used + incoming > self._limit:
            raise OutOfMemory(
                f"the server's limit of {self._limit >> 20} MB is reached",
                hint="clear tables you do not need, or start the servers with a larger -mem",
            )
        if self._margin and now.available - incoming < self._margin:
            raise OutOfMemory(
                "the machine's free memory is at its margin (UDBD_MEM_MARGIN)", hint="clear tables you do not need"
            )

    def used(self) -> int:
        """The memory that the server holds, in bytes."""
        return int(self._process.memory_info().rss)
