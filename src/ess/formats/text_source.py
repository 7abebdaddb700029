"""The text of a file as UTF-8 with lines that end with LF, whatever byte order mark, encoding or CR it has.

A byte order mark at the start is no data: UTF-8 is taken as it is behind it, UTF-16 and UTF-32 are converted. Without
one, and without an encoding that the user names, bytes pass through as they are. Where the first 64 KiB (or all of a
shorter file) hold a CR and no LF, each CR ends a line.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

from ess.errors import InputReadError, OptionError
from ess.formats.blocks import ByteSource

#: Byte order marks and what follows them; longer ones first, where one begins like another.
_MARKS = (
    (codecs.BOM_UTF8, ""),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: How ``bin`` and ``aq`` data begin, whose format is found by content in ``loginf``.
_ARROW = b"\xff\xff\xff\xff"
#: Of a file so much decides whether CR ends lines.
_LINE_ENDS_IN = 1 << 16


def check_encoding(name: str, *, where: str) -> str:
    """The encoding of that name as Python calls it.

    Raises:
        OptionError: If it knows none, or none of text.
    """
    try:
        found = codecs.lookup(name)
        if found.incrementaldecoder is None:
            raise LookupError(name)
        found.incrementaldecoder("strict").decode(b"", True).encode()
    except (LookupError, ValueError, AttributeError, TypeError, AssertionError):
        raise OptionError(
            f"'{name}' is no encoding of text", where=where, hint="e.g. enc=latin-1, cp1252, shift_jis, utf-16-le"
        ) from None
    return found.name


class TextSource:
    """A stream of decompressed bytes, read as UTF-8.

    Args:
        stream: The bytes.
        name: How messages call it.
        encoding: What the bytes are, blank if a byte order mark may tell.
        lines: Whether a CR may end a line.
    """

    def __init__(self, stream: ByteSource, name: str, encoding: str = "", *, lines: bool = True) -> None:
        self._stream = stream
        self._name = name
        self._encoding = encoding
        self._lines = lines
        self._next: Callable[[int], bytes] = stream.read
        self._rest = b""
        self._begun = self._carriage = False
        #: The byte order mark, once something was read.
        self.mark = b""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes of text; none at the end.

        Raises:
            InputReadError: If the stream breaks, or holds what the encoding has not.
        """
        if not self._begun:
            self._begun = True
            self._rest = self._begin(size)
        if self._rest:
            piece, self._rest = self._rest[:size], self._rest[size:]
        else:
            piece = self._next(size)
        return piece.replace(b"\r", b"\n") if self._carriage else piece

    def _begin(self, size: int) -> bytes:
        size = max(size, len(codecs.BOM_UTF32_LE))
        head = self._stream.read(size)
        while any((mark.startswith(head) and head != mark) or mark[:2] == head for mark, _ in _MARKS):
            piece = self._stream.read(size)
            if not piece:
                break
            head += piece
        found = self._encoding
        for mark, encoding in _MARKS:
            if head.startswith(mark) and (not found or _is_of(mark, found)):
                self.mark, head, found = mark, head[len(mark) :], found or encoding
                if encoding:
                    found = encoding
                break
        if found:
            decoded = _Decoded(self._stream, self._name, found, head)
            self._next = decoded.read
            head = decoded.read(size)
        return self._with_line_ends(head, size) if self._lines else head

    def _with_line_ends(self, head: bytes, size: int) -> bytes:
        """The bytes that were read, and more of them until it is known if a CR ends lines."""
        if head.startswith(_ARROW):
            return head
        ended = False
        while b"\n" not in head and len(head) < _LINE_ENDS_IN and not ended:
            try:
                piece = self._next(size)
            except InputReadError as error:
                self._next = _raiser(error)
                break
            ended = not piece
            head += piece
        # A CR at the end may be the first half of a CRLF.
        first = head[:_LINE_ENDS_IN] if ended else head[: min(len(head), _LINE_ENDS_IN) - 1]
        self._carriage = b"\n" not in head[:_LINE_ENDS_IN] and b"\r" in first
        return head


class _Decoded:
    """Bytes of an encoding, read as UTF-8."""

    def __init__(self, stream: ByteSource, name: str, encoding: str, head: bytes) -> None:
        self._stream = stream
        self._name = name
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._head = head
        self._rest = b""
        self._ended = False
        self._error: InputReadError | None = None

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes of UTF-8; none at the end."""
        while not self._rest and not self._ended:
            if self._error is not None:
                raise self._error
            piece, self._head = self._head or self._stream.read(size), b""
            self._ended = not piece
            self._rest = self._decode(piece)
        if not self._rest and self._error is not None:
            raise self._error
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def _decode(self, piece: bytes) -> bytes:
        try:
            text = self._decoder.decode(piece, not piece)
        except UnicodeError as error:
            bad = getattr(error, "object", b"")[getattr(error, "start", 0) : getattr(error, "end", 0)]
            good = getattr(error, "object", b"")[: getattr(error, "start", 0)]
            self._error = InputReadError(
                f"the bytes {bad[:8].hex(' ')} are not {self._encoding}",
                where=self._name,
                hint="name its encoding with enc=, or leave enc= out to take bytes as they are",
            )
            text = good.decode(self._encoding, "ignore")
        return text.encode("utf-8", "replace")


def _is_of(mark: bytes, encoding: str) -> bool:
    """True if a text of the encoding may begin with the mark."""
    kind = encoding.replace("_", "-")
    if mark == codecs.BOM_UTF8:
        return kind.startswith("utf-8")
    own = "utf-32" if len(mark) == len(codecs.BOM_UTF32_LE) else "utf-16"
    return kind == own or kind == dict(_MARKS)[mark]


def _raiser(error: InputReadError) -> Callable[[int], bytes]:
    def read(_size: int) -> bytes:
        raise error

    return read
