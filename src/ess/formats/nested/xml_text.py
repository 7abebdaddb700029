"""Bytes that expat takes: UTF-8, in which a private-use character replaces each byte that is not.

Such characters that are in the data themselves are taken apart in the same way, so that `original_bytes`
gives back what was there.
"""

from __future__ import annotations

import codecs
import re

#: U+10FE80 to U+10FEFF stand for the bytes 0x80 to 0xFF.
_FIRST = 0x10FE00
_PRIVATE = re.compile("[\U0010fe80-\U0010feff]")
_STRAY = re.compile("[\udc80-\udcff]")
_PRIVATE_BYTES = re.compile(rb"\xf4\x8f[\xba\xbb]([\x80-\xbf])")
_WIDE = (b"\xff\xfe", b"\xfe\xff")


class TextCleaner:
    """Cleans the pieces of one input, which may be cut within a character."""

    def __init__(self) -> None:
        self._cut = b""
        self._begun = False
        self._wide: codecs.IncrementalDecoder | None = None

    def clean(self, data: bytes, *, final: bool) -> bytes:
        """The next piece; a character that is not complete waits for more unless ``final``."""
        data = self._cut + data
        self._cut = b""
        if not self._begun:
            if len(data) < 2 and not final:
                self._cut = data
                return b""
            self._begun = True
            if data[:2] in _WIDE:
                self._wide = codecs.getincrementaldecoder("utf-16")("replace")
        if self._wide is not None:
            return self._wide.decode(data, final).encode("utf-8", "replace")
        if data.isascii():
            return data
        try:
            text, used = codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError:
            text, used = codecs.utf_8_decode(data, "surrogateescape", final)
        self._cut = data[used:]
        text = _PRIVATE.sub(lambda match: "".join(map(_stand_in, match[0].encode())), text)
        return _STRAY.sub(lambda match: _stand_in(ord(match[0]) - 0xDC00), text).encode()


def original_bytes(value: bytes) -> bytes:
    """The bytes as they were before they were cleaned."""
    return _PRIVATE_BYTES.sub(_undone, value) if b"\xf4\x8f" in value else value


def _stand_in(byte: int) -> str:
    return chr(_FIRST + byte)


def _undone(match: re.Match[bytes]) -> bytes:
    return bytes([(match[0][2] - 0xBA) * 0x40 + match[1][0]])
