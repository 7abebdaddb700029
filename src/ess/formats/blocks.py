"""Cutting a stream into blocks that end with a line, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ess.errors import InputReadError

#: Of a line that is too long, so many bytes beyond the record limit are kept, so that a message can tell its length.
LENGTH_KNOWN = 1 << 20


class ByteSource(Protocol):
    """An object that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        ...


@dataclass
class RawBlock:
    """Bytes that end with a LF, or with the input (``final``).

    The taker sets ``consumed`` to where the first unfinished record begins; what follows is put
    in front of the next block. It may also put bytes in front of ``data``, which it counts then.
    """

    data: bytes
    end: int
    final: bool
    consumed: int = 0


def blocks(stream: ByteSource, size: int, record_limit: int, *, lines: bool = True) -> Iterator[RawBlock]:
    """The stream in blocks made from reads of ``size`` bytes.

    A line that is much longer than the record limit is cut, so that it is still rejected for its length but takes
    little memory. If the stream breaks, the complete
    lines before the break are delivered before the error is raised; the broken line is not,
    because half a value can look like a value. Without ``lines`` a block ends anywhere, and its taker finds the
    records and bounds their length.

    Raises:
        InputReadError: If the stream breaks.
    """
    rest = b""
    # A few more, for a CR and the text of messages.
    kept = record_limit + LENGTH_KNOWN + 64
    cutting = False
    while True:
        piece, error = _read(stream, size)
        if not piece:
            if error is not None:
                raise error
            break
        if cutting:
            newline = piece.find(b"\n")
            if newline < 0:
                continue
            piece, cutting = piece[newline:], False
        data = rest + piece if rest else piece
        end = data.rfind(b"\n") + 1 if lines else len(data)
        if len(data) - end > kept:
            data, cutting = data[: end + kept], True
        if end:
            block = RawBlock(data, end, final=False)
            yield block
            rest = block.data[block.consumed :]
        else:
            rest = data
    if rest:
        yield RawBlock(rest, len(rest), final=True)


def _read(stream: ByteSource, size: int) -> tuple[bytes, InputReadError | None]:
    try:
        return stream.read(size), None
    except InputReadError as error:
        return b"", error
