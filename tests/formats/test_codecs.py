"""Compression is found by content and undone; damage is reported after what came before it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.errors import InputOpenError, InputReadError
from ess.formats.codecs import DecodedStream, open_decompressed
from tests.waiting import PATIENCE

TEXT = b"".join(b"%d,line %d\n" % (n * 7919 % 10007, n) for n in range(20000))
#: Quickly made: each process of a run loads this file.
PACKED = gzip.compress(TEXT, 1)


def tar_of(*contents: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for number, content in enumerate(contents):
            info = tarfile.TarInfo(f"folder/{number}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def zip_of(*contents: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        for number, content in enumerate(contents):
            archive.writestr(f"folder/{number}", content)
    return target.getvalue()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


SKIPPABLE = bytes.fromhex("5f2a4d18 06000000") + b"public"
STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams_and_members_that_follow_each_other(name: str, tmp_path: Path) -> None:
    pack = STREAMS[name]
    path = tmp_path / "no-telling-name"
    path.write_bytes(pack(TEXT) + pack(b"") * (name != "plain") + pack(b"more\n"))
    with open_decompressed(path) as stream:
        assert stream.read() == TEXT + b"more\n"
    # A stream without fileno, and with reads of any size.
    stream = open_decompressed(io.BytesIO(path.read_bytes()))
    parts = list(iter(lambda: stream.read(777), b""))
    assert b"".join(parts) == TEXT + b"more\n"
    assert {len(part) for part in parts[:-1]} == {777}


@pytest.mark.parametrize(
    ("packed", "content"),
    [
        (tar_of(TEXT, b"", b"x\n"), TEXT + b"x\n"),
        (gzip.compress(tar_of(TEXT, b"x\n"), 1), TEXT + b"x\n"),
        (tar_of(PACKED, b"x\n"), TEXT + b"x\n"),
        (zip_of(TEXT, b"", b"x\n"), TEXT + b"x\n"),
        (zip_of(PACKED), TEXT),
        (zip_of(b"1,a\n2,b", b"", b"3,c\r\n", b"4,d"), b"1,a\n2,b\n3,c\r\n4,d"),
        (tar_of(b"1,a\n2,b", gzip.compress(b"3,c"), b"4,d"), b"1,a\n2,b\n3,c\n4,d"),
        (zip_of(b"\xff\xff\xff\xff1", b"\xff\xff\xff\xff2"), b"\xff\xff\xff\xff1\xff\xff\xff\xff2"),
        (zip_of(), b""),
        (b"", b""),
        (b"PK is how this line begins\n", b"PK is how this line begins\n"),
        (b"BZh9 is no bzip2\n", b"BZh9 is no bzip2\n"),
        (gzip.compress(b""), b""),
        (PACKED + bytes(512), TEXT),
        (PACKED + bytes(5000) + gzip.compress(b"x\n") + bytes(1), TEXT + b"x\n"),
        (SKIPPABLE + zstd(TEXT), TEXT),
        (zstd(TEXT) + SKIPPABLE + zstd(b"x\n") + SKIPPABLE, TEXT + b"x\n"),
        (SKIPPABLE, b""),
    ],
    ids=[
        "tar",
        "tar.gz",
        "gzip in tar",
        "zip",
        "gzip in zip",
        "lines without end in zip",
        "lines without end in tar",
        "bin in zip",
        "empty zip",
        "nothing",
        "PK text",
        "BZh text",
        "empty gzip",
        "padded gzip",
        "padding between gzip",
        "zstd after skipped data",
        "zstd with skipped data in it",
        "skipped data alone",
    ],
)
def test_archives_and_look_alikes(packed: bytes, content: bytes) -> None:
    assert open_decompressed(io.BytesIO(packed)).read() == content


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("trailing", [b"garbage, and more of it", b"\x1f", b"\0\0\0\0x"])
def test_other_bytes_after_compressed_data_are_told(name: str, trailing: bytes) -> None:
    packed = STREAMS[name](TEXT)
    got, error = read_until_error(packed + trailing)
    assert got == TEXT
    at = len(packed) + len(trailing) - len(trailing.lstrip(b"\0"))
    shown = ascii(trailing.lstrip(b"\0")[:16])[1:]
    assert f"after its {name} data, from byte {at}, come other bytes: {shown}; what came before" in str(error)


def read_until_error(data: bytes) -> tuple[bytes, InputReadError | None]:
    stream = open_decompressed(io.BytesIO(data), name="logs.gz")
    parts = []
    try:
        while part := stream.read(100_000):
            parts.append(part)
    except InputReadError as error:
        return b"".join(parts), error
    return b"".join(parts), None


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_truncated_stream_gives_what_came_before(name: str) -> None:
    packed = STREAMS[name](TEXT)
    got, error = read_until_error(packed[: len(packed) * 2 // 3])
    assert error is not None
    assert TEXT.startswith(got)
    assert "logs.gz" in str(error)
    assert f"breaks off at byte {len(packed) * 2 // 3}" in str(error)
    if name == "gzip":
        assert len(got) > len(TEXT) // 2


def test_truncated_gzip_of_a_few_bytes() -> None:
    packed = gzip.compress(b"a,1\nb,2\n")
    got, error = read_until_error(packed[:-3])
    assert got == b"a,1\nb,2\n"
    assert error is not None


def test_wrong_checksum_gives_all_content_first() -> None:
    packed = bytearray(PACKED)
    packed[-6] ^= 1
    got, error = read_until_error(bytes(packed))
    assert got == TEXT
    assert error is not None
    assert "damaged near byte" in str(error)


def test_damage_inside_gzip_comes_after_good_content() -> None:
    packed = bytearray(PACKED)
    middle = len(packed) // 2
    packed[middle : middle + 40] = b"\xff" * 40
    got, error = read_until_error(bytes(packed))
    assert error is not None
    assert got[: len(TEXT) // 3] == TEXT[: len(TEXT) // 3]


@pytest.mark.parametrize(
    "packed",
    [PACKED + b"garbage", zip_of(TEXT)[:-40], tar_of(TEXT)[: 512 * 5]],
    ids=["gzip", "zip", "tar"],
)
def test_other_damage_is_an_input_error(packed: bytes) -> None:
    assert read_until_error(packed)[1] is not None


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["gzip", "bzip2", "xz", "zstd"]), st.data())
def test_any_damage_is_found_or_harmless(name: str, data: st.DataObject) -> None:
    content = TEXT[:3000]
    packed = bytearray(STREAMS[name](content))
    at = data.draw(st.integers(10 if name != "gzip" else 18, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    got, error = read_until_error(bytes(packed))
    assert error is not None or got == content


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputOpenError, match="No such file") as caught:
        open_decompressed(tmp_path / "none.gz")
    assert caught.value.exit_code == 11
    with pytest.raises((InputOpenError, InputReadError)):
        open_decompressed(tmp_path).read(1)


def test_slow_pipe_hands_on_what_it_brought() -> None:
    reading, writing = os.pipe()
    goes_on = threading.Event()
    in_time: list[bool] = []

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as sink:
            sink.write(b"first\n")
            in_time.append(goes_on.wait(PATIENCE))
            sink.write(b"second\n")

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as source:
        stream = cast(DecodedStream, open_decompressed(source))
        assert stream.read(1 << 20) == b"first\n"
        goes_on.set()
        assert stream.read(1 << 20) == b"second\n"
        assert stream.read(1 << 20) == b""
    writer.join()
    assert in_time == [True]  # the first line was handed on before there was another one


@pytest.mark.parametrize("window", [27, 28, 31])
def test_zstd_with_a_long_window_is_read(window: int) -> None:
    options = zstandard.ZstdCompressionParameters.from_level(1, window_log=window, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=options).compressobj()
    data = compressor.compress(b"row\n" * 100_000) + compressor.flush()
    with open_decompressed(io.BytesIO(data)) as stream:
        assert stream.read() == b"row\n" * 100_000


#: Another thread than the one that reads takes the signal: the read does not end, as if it had begun a moment later.
_READS = """
import signal, sys, threading
from ess.formats.codecs import open_decompressed
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
signal.signal(signal.SIGINT, signal.default_int_handler)
stream = open_decompressed(sys.stdin.buffer)
sys.stderr.write(f"{stream.read(2)}\\n")
stream.read(2)
"""


def test_a_signal_just_before_a_read_does_not_wait_for_input() -> None:
    reader = subprocess.Popen([sys.executable, "-c", _READS], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    with reader:
        assert reader.stdin is not None
        assert reader.stderr is not None
        reader.stdin.write(b"1\n")
        reader.stdin.flush()
        assert reader.stderr.readline() == b"b'1\\n'\n"
        reader.send_signal(signal.SIGINT)
        assert reader.wait(PATIENCE) != 0
        assert b"KeyboardInterrupt" in reader.stderr.read()
