"""The files that a thread's commands write to, one command after the other: little output leaves no file behind.

To make a file and to delete it takes longer than all else that becomes of a few bytes.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ess.errors import SystemFailure
from ess.settings import open_private

#: The most bytes that a command may write for them to be taken out of its file.
LITTLE = 1 << 16


class UsedAgain:
    """Two files, for output and messages, which are empty whenever a command begins.

    Only for commands that leave no process behind, which would write into them later.

    Args:
        folder: Theirs.
        name: How they begin to be called.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._paths = [folder / f"{name}.{kind}" for kind in ("out", "err")]
        self._open: list[int] = []

    def descriptors(self) -> tuple[int, int]:
        """The files, open for a command.

        Raises:
            SystemFailure: If they cannot be made.
        """
        if not self._open:
            for path in self._paths:
                try:
                    self._open.append(open_private(path, os.O_RDWR | os.O_TRUNC))
                except OSError as error:
                    self.close()
                    raise SystemFailure(
                        f"cannot write ({error.strerror})", where=str(path), hint="check space and rights"
                    ) from error
        return self._open[0], self._open[1]

    def take(self, stem: str) -> tuple[bytes, bytes] | None:
        """The bytes that the command has written; None if they are many: then they stay in files of that name."""
        sizes = [os.fstat(descriptor).st_size for descriptor in self._open]
        if sum(sizes) > LITTLE:
            self.leave(stem)
            return None
        out, err = (_taken(descriptor, size) for descriptor, size in zip(self._open, sizes, strict=True))
        return out, err

    def leave(self, stem: str) -> None:
        """Leave what was written in files of that name: somebody may still write to them."""
        if self._open:
            for path in self._paths:
                path.rename(path.with_name(f"{stem}{path.suffix}"))
            self._let_go()

    def close(self) -> None:
        """Delete them."""
        self._let_go()
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        while self._open:
            os.close(self._open.pop())


def _taken(descriptor: int, size: int) -> bytes:
    if not size:
        return b""
    text = os.pread(descriptor, size, 0)
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return text
