"""Zip and tar archives of every make: their lists of files, their content, and what is wrong with them."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import stat
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from ess.errors import InputReadError
from ess.formats import tar_archive, zip_archive, zip_recovery
from ess.formats.codecs import open_decompressed
from ess.formats.tar_archive import TarStream, Trouble

TEXT = b"".join(b"%d,line %d\n" % (n * 7919 % 10007, n) for n in range(5000))


def zip_list(data: bytes) -> list[zip_archive.ZipFile]:
    return list(zip_archive.directory(lambda at, length: data[at : at + length], len(data)))


def zip_content(data: bytes, file: zip_archive.ZipFile) -> bytes:
    return b"".join(
        zip_archive.content(file, lambda at, length: io.BytesIO(data[at : at + length]), f"a.zip/{file.name}")
    )


def zip_all(data: bytes) -> dict[str, bytes]:
    return {file.name: zip_content(data, file) for file in zip_list(data) if file.kind == "file"}


class Unseekable(io.RawIOBase):
    """A target that a program can only write to in order, so that it adds data descriptors."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        assert isinstance(data, bytes)
        self.parts.append(data)
        return len(self.parts[-1])


def made_zip(method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False, zip64: bool = False) -> bytes:
    target = io.BytesIO() if not streamed else Unseekable()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in (("logs/a.csv", TEXT), ("logs/empty", b""), ("b", b"x")):
            with archive.open(name, "w", force_zip64=zip64) as file:
                file.write(content)
    return b"".join(target.parts) if isinstance(target, Unseekable) else target.getvalue()


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
@pytest.mark.parametrize("how", ["plain", "streamed", "zip64", "shifted", "commented"])
def test_zips_of_every_method_and_make(method: int, how: str) -> None:
    data = made_zip(method, streamed=how == "streamed", zip64=how == "zip64")
    if how == "shifted":
        data = b"#!/bin/sh\n" * 100 + data
    if how == "commented":
        comment = b"PK\5\6 in a comment" * 300
        data = data[:-2] + struct.pack("<H", len(comment)) + comment
    assert zip_all(data) == {"logs/a.csv": TEXT, "logs/empty": b"", "b": b"x"}


def test_zips_with_methods_that_python_does_not_write() -> None:
    import zstandard

    for method, packed in (
        (93, zstandard.ZstdCompressor().compress(TEXT)),
        (95, lzma.compress(TEXT)),
    ):
        made = bytearray(made_zip_of("a", packed))
        patch(made, "a", method=method, size=len(TEXT), crc=zlib.crc32(TEXT))
        assert zip_all(bytes(made)) == {"a": TEXT}


def made_zip_of(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, content)
    return target.getvalue()


def patch(data: bytearray, name: str, **fields: int) -> None:
    """Change the directory's entry of a file."""
    places = {"flags": (8, "<H"), "method": (10, "<H"), "crc": (16, "<L"), "size": (24, "<L")}
    at = data.index(b"PK\1\2")
    while data[at + 46 : at + 46 + len(name)] != name.encode():
        at = data.index(b"PK\1\2", at + 1)
    for field, value in fields.items():
        offset, form = places[field]
        struct.pack_into(form, data, at + offset, value)


def test_a_zip_of_65535_files_and_more_has_a_directory_of_another_kind() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(0x10000):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    found = zip_list(target.getvalue())
    assert (len(found), found[-1].name) == (0x10000, str(0xFFFF))
    assert zip_content(target.getvalue(), found[-1]) == b""


def test_what_zip_makes_is_read_as_unzip_does(tmp_path: Path) -> None:
    for name, content in (("a.csv", TEXT), ("sub/b c.txt", b"x" * 100_000), ("sub/ü.txt", b"u")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link").symlink_to("a.csv")
    subprocess.run(["zip", "-qry", "made.zip", "a.csv", "sub", "link"], cwd=tmp_path, check=True)
    data = (tmp_path / "made.zip").read_bytes()
    assert {file.name: file.kind for file in zip_list(data)} == {
        "a.csv": "file",
        "sub/": "folder",
        "sub/b c.txt": "file",
        "sub/ü.txt": "file",
        "link": "link",
    }
    for name, content in zip_all(data).items():
        done = subprocess.run(["unzip", "-p", "made.zip", name], cwd=tmp_path, capture_output=True, check=False)
        if name.isascii():  # unzip takes others by the locale
            assert done.stdout == content
        assert content == (tmp_path / name).read_bytes()


@pytest.mark.parametrize(
    ("raw", "system", "flags", "name"),
    [
        (b"gr\x81n", 0, 0, "grün"),
        (b"gr\xfcn", 3, 0, "gr\udcfcn"),
        ("grün".encode(), 0, 0, "grün"),
        ("grün".encode(), 3, 1 << 11, "grün"),
        (b"gr\xfcn", 0, 1 << 11, "gr\udcfcn"),
        (b"logs\\a.csv", 0, 0, "logs/a.csv"),
        (b"logs\\a.csv", 3, 0, "logs\\a.csv"),
        (b"a\nb", 3, 0, "a\nb"),
        (b"../../etc/passwd", 3, 0, "../../etc/passwd"),
    ],
)
def test_names_of_any_bytes(raw: bytes, system: int, flags: int, name: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        info = zipfile.ZipInfo("X" * len(raw))
        info.create_system = system
        archive.writestr(info, b"content")
    data = bytearray(target.getvalue().replace(b"X" * len(raw), raw))
    patch_flags = data.index(b"PK\1\2") + 8
    struct.pack_into("<H", data, patch_flags, flags)
    assert zip_all(bytes(data)) == {name: b"content"}


def test_a_name_in_unicode_beside_the_old_one() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        info = zipfile.ZipInfo("gr_n")
        value = b"\1" + struct.pack("<L", zlib.crc32(b"gr_n")) + "grün".encode()
        info.extra = struct.pack("<2H", 0x7075, len(value)) + value
        archive.writestr(info, b"content")
    assert zip_all(target.getvalue()) == {"grün": b"content"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"flags": 1}, "a.zip/a: it is encrypted, and its password cannot be given"),
        ({"method": 99}, "a.zip/a: it is encrypted"),
        ({"method": 9}, "a.zip/a: its compression (Deflate64, method 9) cannot be read"),
        ({"method": 250}, "a.zip/a: its compression (unknown, method 250) cannot be read"),
        ({"crc": 1}, "a.zip/a: its checksum is "),
        ({"size": 4}, "a.zip/a: it has more bytes, and 4 by the directory of its archive"),
        ({"size": 7}, "a.zip/a: it has 5 bytes, and 7 by the directory"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, int], words: str) -> None:
    data = bytearray(made_zip_of("a", b"12345"))
    patch(data, "a", **fields)
    [file] = zip_list(bytes(data))
    with pytest.raises(InputReadError) as raised:
        zip_content(bytes(data), file)
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_any_damaged_byte_of_a_file_is_found_and_the_others_are_read(method: int) -> None:
    data = made_zip(method)
    first, _, last = zip_list(data)
    for at in range(first.at + 50, first.at + 50 + first.stored - 50, 997):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        with pytest.raises(InputReadError, match=r"^a.zip/logs/a.csv: its (checksum|compressed data|header)|it has"):
            zip_content(bytes(damaged), first)
        assert zip_content(bytes(damaged), last) == b"x"


def test_a_damaged_directory_gives_the_files_before_the_damage() -> None:
    data = bytearray(made_zip())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    data[second] = 0
    found = zip_archive.directory(lambda at, length: bytes(data[at : at + length]), len(data))
    assert next(found).name == "logs/a.csv"
    with pytest.raises(zip_archive.DamagedDirectory, match=f"its directory is damaged at byte {second}, behind 1 file"):
        next(found)


@pytest.mark.parametrize("kept", [0, 10, 30, 1000, -1, -22])
def test_a_zip_that_breaks_off_has_no_directory(kept: int) -> None:
    data = made_zip()[:kept]
    with pytest.raises(zip_archive.NoZip, match="it breaks off"):
        zip_list(data)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_files_of_a_zip_that_breaks_off_are_found_by_their_own_headers(
    streamed: bool, zip64: bool, method: int
) -> None:
    data = made_zip(method, streamed=streamed, zip64=zip64)
    whole = data[: data.index(b"PK\1\2")]
    cut = data[: zip_list(data)[0].at + 300]
    if streamed and method == zipfile.ZIP_STORED:  # nobody can tell where it ends
        with pytest.raises(zip_recovery.Lost, match=r"logs/a.csv"):
            list(zip_recovery.recovered(TarStream(io.BytesIO(whole))))
        return
    found = list(zip_recovery.recovered(TarStream(io.BytesIO(whole))))
    assert {file.name: zip_content(whole, file) for file in found} == {"logs/a.csv": TEXT, "logs/empty": b"", "b": b"x"}
    if streamed:
        with pytest.raises(zip_recovery.Lost, match=r"logs/a.csv"):
            list(zip_recovery.recovered(TarStream(io.BytesIO(cut))))
        return
    [first] = zip_recovery.recovered(TarStream(io.BytesIO(cut)))
    with pytest.raises(InputReadError, match="a.zip/logs/a.csv: the archive breaks off"):
        zip_content(cut, first)


@pytest.mark.parametrize("pack", ["deflate", "bzip2", "lzma"])
def test_a_bomb_takes_a_bounded_memory(pack: str) -> None:
    method = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}[pack]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive, archive.open("zeros", "w") as file:
        for _ in range(24):
            file.write(bytes(1 << 20))
    data = target.getvalue()
    [zeros] = zip_list(data)
    tracemalloc.start()
    try:
        source = zip_archive.content(zeros, lambda at, length: io.BytesIO(data[at : at + length]), "zeros")
        assert sum(map(len, source)) == 24 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_of_bzip2_takes_a_bounded_memory_too() -> None:
    data = bz2.compress(bytes(46_000_000))
    assert len(data) < 1024  # it came out of the decompressor at once
    tracemalloc.start()
    try:
        source = open_decompressed(io.BytesIO(data))
        got = 0
        while piece := source.read(1 << 16):
            got += len(piece)
        assert got == 46_000_000
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


# --- tar ------------------------------------------------------------------------------------


def made_tar(form: int = tarfile.PAX_FORMAT, *contents: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content in contents or (("a", TEXT), ("empty", b""), ("b", b"x" * 512), ("n" * 300, b"long")):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_400_000_000
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def tar_all(data: bytes) -> dict[str, bytes]:
    """Every file, each read from its place, the last first."""
    return {
        file.name: tar_content(data, file)
        for file in reversed([*tar_archive.files(TarStream(io.BytesIO(data)))])
        if not isinstance(file, Trouble) and file.kind == "file"
    }


def tar_content(data: bytes, file: tar_archive.TarFile) -> bytes:
    part = io.BytesIO(data[file.at : file.end])
    return tar_archive.content(TarStream(part, file.at), file.at, f"a.tar/{file.name}").read()


def listed(data: bytes | BinaryIO) -> list[str]:
    stream = TarStream(io.BytesIO(data) if isinstance(data, bytes) else data)
    return [
        f"!{found.what}" if isinstance(found, Trouble) else f"{found.kind} {found.name}"
        for found in tar_archive.files(stream)
    ]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_every_make(form: int) -> None:
    contents = [("a", TEXT), ("empty", b""), ("b", b"x" * 512)]
    if form != tarfile.USTAR_FORMAT:
        contents += [("n" * 300, b"long"), ("gr\udcfcn", b"bytes"), ("a\nb", b"two")]
    assert tar_all(made_tar(form, *contents)) == dict(contents)


def test_what_tar_makes_is_read_as_tar_does(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.csv").write_bytes(TEXT)
    os.link(tmp_path / "a.csv", tmp_path / "again.csv")
    (tmp_path / "link").symlink_to("a.csv")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sub" / "holes").open("wb") as file:
        file.truncate(1 << 20)
        file.seek(500_000)
        file.write(b"here")
    names = ["a.csv", "again.csv", "link", "pipe", "sub"]
    for form in ("gnu", "pax"):
        command = ["tar", "-cSf", "made.tar", f"--format={form}", *names]
        subprocess.run(command, cwd=tmp_path, check=True)
        data = (tmp_path / "made.tar").read_bytes()
        assert listed(data) == [
            "file a.csv",
            "link again.csv",
            "link link",
            "device pipe",
            "folder sub",
            "file sub/holes",
        ]
        for name, content in tar_all(data).items():
            done = subprocess.run(["tar", "-xOf", "made.tar", name], cwd=tmp_path, capture_output=True, check=True)
            assert done.stdout == content


def test_a_damaged_header_is_told_and_the_files_behind_it_are_read() -> None:
    contents = [("a", b"1"), ("b", b"2" * 5000), ("c", b"3")]
    data = bytearray(made_tar(tarfile.GNU_FORMAT, *contents))
    data[1024 + 3] ^= 0xFF  # the header of b
    assert listed(bytes(data)) == ["file a", "!it is damaged before byte 1536 (bad checksum)", "file c"]
    assert tar_all(bytes(data)) == {"a": b"1", "c": b"3"}


def test_a_tar_that_breaks_off_says_where() -> None:
    data = made_tar(tarfile.GNU_FORMAT, ("a", b"1"), ("b", b"2" * 5000))
    cut = data[: 1024 + 512 + 700]
    assert listed(cut) == ["file a", "file b", "!it is damaged before byte 2236 (unexpected end of data)"]
    files = [found for found in tar_archive.files(TarStream(io.BytesIO(cut))) if not isinstance(found, Trouble)]
    assert tar_content(cut, files[0]) == b"1"
    with pytest.raises(InputReadError, match=r"^a.tar/b: the archive breaks off in it"):
        tar_content(cut, files[1])
    assert listed(data[: 1024 + 100]) == ["file a", "!it is damaged before byte 1124 (truncated header)"]


def test_an_end_without_a_mark_and_something_behind_the_mark_are_told_of() -> None:
    data = made_tar(tarfile.GNU_FORMAT, ("a", b"1"))
    assert listed(data[:1024]) == ["file a", "!the mark of its end is missing, so files may be missing"]
    assert listed(data + data) == [
        "file a",
        f"!another archive begins behind its end, at byte {len(data)}; tar -i reads both",
    ]
    lost = [found.lost for found in tar_archive.files(TarStream(io.BytesIO(data + data))) if isinstance(found, Trouble)]
    assert lost == [False]


def test_a_header_that_is_a_bomb_is_refused() -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"comment": "x" * (9 << 20)}
        archive.addfile(info)
        archive.addfile(tarfile.TarInfo("b"))
    assert listed(target.getvalue()) == [
        "!it is damaged before byte 512 (a header is longer than 8 MB)",
        "file a",
        "file b",
    ]


def test_a_large_gap_is_passed_over_where_that_is_cheap() -> None:
    data = made_tar(tarfile.GNU_FORMAT, ("a", bytes(5 << 20)), ("b", b"2"))
    opened: list[int] = []

    def reopen(at: int) -> BinaryIO:
        opened.append(at)
        return io.BytesIO(data[at:])

    stream = TarStream(io.BytesIO(data), reopen=reopen)
    assert [found.name for found in tar_archive.files(stream) if isinstance(found, tar_archive.TarFile)] == ["a", "b"]
    assert opened == [512 + (5 << 20) - 1]


def test_an_archive_that_is_read_as_one_leaves_out_what_systems_add() -> None:
    names = ("__MACOSX/._a.csv", "a.csv", "._a.csv", ".DS_Store", "sub/Thumbs.db", "sub/b.csv")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, f"{name}\n")
    assert open_decompressed(io.BytesIO(target.getvalue())).read() == b"a.csv\nsub/b.csv\n"
    data = made_tar(tarfile.GNU_FORMAT, *((name, f"{name}\n".encode()) for name in names))
    assert open_decompressed(io.BytesIO(data)).read() == b"a.csv\nsub/b.csv\n"


def test_an_archive_that_is_read_as_one_names_its_bad_file() -> None:
    data = bytearray(made_zip_of("sub/a.csv", b"1\n"))
    patch(data, "sub/a.csv", flags=1)
    with pytest.raises(InputReadError, match=r"^x.zip/sub/a.csv: it is encrypted"):
        open_decompressed(io.BytesIO(bytes(data)), name="x.zip").read()
    broken = bytearray(made_tar(tarfile.GNU_FORMAT, ("a", b"1\n"), ("b", b"2\n"), ("c", b"3\n")))
    broken[1024 + 3] ^= 0xFF
    source = open_decompressed(io.BytesIO(bytes(broken)), name="x.tar")
    assert source.read(100) == b"1\n"  # the list ended here without a word
    with pytest.raises(InputReadError, match=r"^x.tar: it is damaged before byte 1536"):
        source.read(100)


def test_times_and_kinds_of_entries() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a", (2014, 9, 1, 2, 3, 4)), "1")
        device = zipfile.ZipInfo("dev")
        device.external_attr = (stat.S_IFCHR | 0o600) << 16
        archive.writestr(device, "")
        folder = zipfile.ZipInfo("folder")
        folder.external_attr = 0x10
        archive.writestr(folder, "")
    found = zip_list(target.getvalue())
    assert [file.kind for file in found] == ["file", "device", "folder"]
    assert found[0].modified == datetime(2014, 9, 1, 2, 3, 4)
