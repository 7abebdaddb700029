"""Writing batches to files and streams."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import BinaryIO

from ess.errors import OutputOpenError, OutputWriteError
from ess.formats.attributes import OutputAttributes
from ess.formats.endpoints import open_target
from ess.formats.output.columns import OutputColumn
from ess.formats.output.render import Renderer
from ess.schema.batch import Batch

__all__ = ["OutputColumn", "Writer", "open_output"]


class Writer:
    """An open output. The title line is written with the first batch, or by ``close`` if there was none.

    Raises:
        OutputWriteError: From ``write`` and ``close``, if the bytes cannot be written.
        BrokenPipeError: From the same, if the reader of the stream has gone away.
    """

    def __init__(self, stream: BinaryIO, name: str, renderer: Renderer, *, nodelay: bool, owned: bool) -> None:
        self._stream = stream
        self._name = name
        self._renderer = renderer
        self._nodelay = nodelay
        self._owned = owned
        self._title_due = True
        self._closed = False

    def write(self, batch: Batch) -> None:
        """Print the rows of ``batch``."""
        try:
            self._write_title()
            for piece in self._renderer.rows(batch):
                self._write_all(piece)
            if self._nodelay:
                self._stream.flush()
        except OSError as error:
            raise self._translated(error) from None

    def write_bytes(self, data: bytes) -> None:
        """Write rows that are printed already (`Renderer.records`)."""
        try:
            self._write_title()
            self._write_all(data)
            if self._nodelay:
                self._stream.flush()
        except OSError as error:
            raise self._translated(error) from None

    def close(self, *, complete: bool = True) -> None:
        """Write what is due; close the file, or leave the standard output open.

        ``complete`` is False after a failure: then a format that has an end mark does not get it.
        """
        if self._closed:
            return
        self._closed = True
        try:
            try:
                self._write_title()
                if complete:
                    self._write_all(self._renderer.trailer())
                self._stream.flush()
            finally:
                if self._owned:
                    self._stream.close()
        except OSError as error:
            raise self._translated(error) from None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(complete=kind is None)

    def _write_title(self) -> None:
        if self._title_due:
            self._title_due = False
            self._write_all(self._renderer.title())

    def _write_all(self, piece: bytes | memoryview) -> None:
        # An unbuffered standard output (PYTHONUNBUFFERED) takes as much as the pipe has room for.
        rest = memoryview(piece)
        while rest:
            rest = rest[self._stream.write(rest) :]

    def _translated(self, error: OSError) -> BaseException:
        if isinstance(error, BrokenPipeError):
            return error
        hint = "make room on the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return OutputWriteError(f"cannot write to it: {error.strerror}", where=self._name, hint=hint)


def open_output(
    target: str,
    attributes: OutputAttributes,
    columns: Sequence[OutputColumn],
    *,
    stdout: BinaryIO | None = None,
    where: str = "-o",
) -> Writer:
    """Open an output.

    Args:
        target: A path or another place (see `ess.formats.endpoints`), or ``-`` for the standard output.
        attributes: How to print.
        columns: What to print, in order.
        stdout: What to write to for ``-`` instead of the process's standard output.
        where: The option, for errors.

    Raises:
        OptionError: If attributes and columns do not fit together.
        OutputOpenError: If the file cannot be opened.
    """
    renderer = Renderer(attributes, columns, where=where)
    if target == "-":
        stream = stdout if stdout is not None else sys.stdout.buffer
        return Writer(stream, "standard output", renderer, nodelay=attributes.nodelay, owned=False)
    if not target:  # an empty word, or a variable that is blank
        raise OutputOpenError("the name of the file is blank", where=where)
    opened = open_target(target, append=attributes.append)
    return Writer(opened, target, renderer, nodelay=attributes.nodelay, owned=True)
