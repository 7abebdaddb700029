"""A gzip file that is unpacked at one go has the content that the codecs find, or is left to them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from ess.formats.codecs import open_decompressed
from ess.formats.gzip_files import Unusual, unpacked

ROWS = b"".join(b"u%d,%d\n" % (number % 97, number) for number in range(30_000))
#: Quickly made: each process of a run loads this file.
PACKED = gzip.compress(ROWS, 1)


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"1,2\n"))
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", b"1,2\n")
    return file.getvalue()


def by_codecs(data: bytes) -> bytes:
    return open_decompressed(io.BytesIO(data), name="file").read()


USUAL = {
    "one": PACKED,
    "nothing": gzip.compress(b""),
    "several": gzip.compress(b"a\n") + gzip.compress(b"") + PACKED,
    "two times": gzip.compress(gzip.compress(b"a\n")),
    "zeros": gzip.compress(bytes(5 << 20), 1),
    "not packed": gzip.compress(ROWS, 0),
    "named": gzip.compress(b"")[:3] + b"\x08" + gzip.compress(b"")[4:10] + b"name\0" + gzip.compress(b"a")[10:],
}
UNUSUAL = {
    "no gzip": ROWS,
    "padded": PACKED + bytes(512),
    "garbage behind": PACKED + b"garbage",
    "cut off": PACKED[:-1],
    "cut off in the middle": PACKED[:20_000],
    "wrong sum": PACKED[:-6] + b"\0\0" + PACKED[-4:],
    "damaged": PACKED[:9000] + bytes(9) + PACKED[9009:],
    "tar": gzip.compress(tar()),
    "tar in parts": gzip.compress(tar()[:100]) + gzip.compress(tar()[100:]),
    "zip": gzip.compress(zipped()),
}


@pytest.mark.parametrize("name", USUAL)
def test_the_content_is_what_the_codecs_find(name: str) -> None:
    pieces = [*unpacked(USUAL[name])]
    assert b"".join(pieces) == by_codecs(USUAL[name])
    assert all(len(piece) <= 1 << 20 for piece in pieces)


@pytest.mark.parametrize("name", UNUSUAL)
def test_anything_unusual_is_left_to_the_codecs(name: str) -> None:
    with pytest.raises(Unusual):
        list(unpacked(UNUSUAL[name]))
