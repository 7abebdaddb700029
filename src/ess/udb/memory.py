"""How much memory a server may use."""

from __future__ import annotations

import psutil

from ess.errors import OutOfMemory


class MemoryLimit:
    """Refuses imports when the server, or the machine, would run out of memory.

    Args:
        limit: Bytes that this process may use; 0 for no limit.
        margin: Bytes of the machine that must stay available; 0 for any.
    """

    def __init__(self, limit: int = 0, margin: int = 0) -> None:
        self._limit = limit
        self._margin = margin
        self._process = psutil.Process()

    def require(self, incoming: int) -> None:
        """Refuse ``incoming`` bytes that do not fit.

        Raises:
            OutOfMemory: What is stored already stays as it is.
        """
        if self._limit and self.used() + incoming > self._limit:
            raise OutOfMemory(
                f"the server's limit of {self._limit >> 20} MB is reached",
                hint="clear tables you do not need, or start the servers with a larger -mem",
            )
        if self._margin and psutil.virtual_memory().available - incoming < self._margin:
            raise OutOfMemory(
                "the machine's free memory is at its margin (UDBD_MEM_MARGIN)", hint="clear tables you do not need"
            )

    def used(self) -> int:
        """The memory that the server holds, in bytes."""
        return int(self._process.memory_info().rss)
