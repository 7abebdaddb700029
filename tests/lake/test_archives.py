"""Files in archives as files of a category: found, dated, read, streamed once; damaged archives are told of."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

import ess
from ess.cluster import work
from ess.errors import EssError, InputReadError, OptionError
from ess.lake import archive_listing, archive_passes, archive_spool, archives
from ess.lake.content import open_raw
from ess.lake.dates import AUTO, DateFinder, DateRule, DateRuleKind, FileDate
from ess.lake.entry import FileEntry
from ess.stores.kinds import Access
from tests.formats.test_archives import patch

pytestmark = pytest.mark.usefixtures("places")

DAYS = {f"logs/day_201409{day:02}.csv": b"user,price\nu%d,%d\n" % (day, day) for day in (3, 1, 2)}


def zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


MAKES: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda files: gzip.compress(tarred(files)),
    "tgz": lambda files: gzip.compress(tarred(files)),
    "tar.bz2": lambda files: bz2.compress(tarred(files)),
    "tar.xz": lambda files: lzma.compress(tarred(files)),
    "tar.zst": lambda files: zstandard.compress(tarred(files)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ess.select("local")
    return tmp_path


def streamed(category: str, command: str = "cat", **options: object) -> tuple[str, str]:
    """The output of a stream, and its messages with those about files that failed."""
    output = ess.stream(category, command=command, **options)  # type: ignore[arg-type]
    failures = "".join(f"{failure}\n" for failure in output.result.failures)
    return output.output.decode(errors="surrogateescape"), output.messages.decode() + failures


@pytest.mark.parametrize("form", MAKES)
def test_every_file_in_an_archive_is_a_file_of_the_category(form: str, folder: Path) -> None:
    (folder / f"sales.{form}").write_bytes(
        MAKES[form]({**DAYS, "__MACOSX/._day": b"\0", "notes.txt": b"no\n", "logs/.DS_Store": b"\0"})
    )
    made = ess.category_add("sales", f"sales.{form}", archive="*.csv")
    assert (made.stats.count, made.stats.first, made.stats.last) == (3, "2014-09-01", "2014-09-03")
    assert (made.columnspec, made.found_compression, made.archive) == ("S:user I:price", "none", "*.csv")
    found = ess.files("sales", "2014-09-02", "*")
    base = f"{folder}/sales.{form}/logs"
    assert [(entry.path, entry.size) for entry in found] == [
        (f"{base}/day_2014090{day}.csv", len(DAYS[f"logs/day_2014090{day}.csv"])) for day in (2, 3)
    ]
    assert streamed("sales", "tail -n +2; echo %path %file %FILE")[0] == "".join(
        f"u{day},{day}\n{base} day_2014090{day} day_2014090{day}.csv\n" for day in (1, 2, 3)
    )
    assert ess.read("sales")["price"].to_list() == [1, 2, 3]
    assert [row["user"] for row in ess.rows("sales", "2014-09-03")] == ["u3"]
    assert ess.probe("sales", file=f"{base}/day_20140902.csv").file == found[0]
    assert [entry.path for entry in ess.ls(f"sales.{form}", archive="notes*").files] == [
        f"{folder}/sales.{form}/notes.txt"
    ]
    with ess.cat(f"sales.{form}/logs/day_20140901.csv") as file:
        assert file.read() == b"user,price\nu1,1\n"
    with ess.cat(f"sales.{form}", archive="notes.txt *01.csv") as file:
        assert sorted(file.read().splitlines()) == [b"no", b"u1,1", b"user,price"]
    assert [member.name for member in ess.lsa(f"sales.{form}", pattern="*.txt *1.csv")] == [
        "logs/day_20140901.csv",
        "notes.txt",
    ]


def test_files_in_archives_may_be_compressed_and_archives_again(folder: Path) -> None:
    (folder / "a.zip").write_bytes(
        zipped(
            {
                "1.csv.gz": gzip.compress(b"one\n"),
                "2.bz2": bz2.compress(b"two\n"),
                "3.tgz": gzip.compress(tarred({"x": b"three\n", "y": b"four"})),
                "4.zip": zipped({"z": b"five\n"}),
            }
        )
    )
    ess.category_add("all", "a.zip", archive="*", noprobe=True)
    assert streamed("all")[0] == "one\ntwo\nthree\nfourfive\n"
    assert streamed("all", archive="*.csv.gz")[0] == "one\n"
    with ess.cat("a.zip", archive="1*") as file:
        assert file.read() == gzip.compress(b"one\n", mtime=0) or file.read() == b""
    with ess.cat("a.zip", archive="1*", decompress=True) as file:
        assert file.read() == b"one\n"


def test_the_archive_pattern_of_a_stream_is_for_that_stream(folder: Path) -> None:
    (folder / "a.zip").write_bytes(zipped({"site/1": b"s\n", "placement/1": b"p\n"}))
    ess.category_add("all", "a.zip", noprobe=True)
    assert streamed("all", "sort")[0] == "p\ns\n"  # all of it, as one file
    assert streamed("all", archive="*site*")[0] == "s\n"
    assert streamed("all", archive="*lace* site/*", command="cat; echo %FILE")[0] == "p\n1\ns\n1\n"
    assert [entry.member for entry in ess.files("all")] == [None]
    probed = ess.probe("all", archive="*site*").file
    assert probed is not None
    assert probed.path == f"{folder}/a.zip/site/1"
    assert ess.probe_output("all", "cat", archive="placement/*") == b"p\n"
    assert [entry.member for entry in ess.files("all")] == [None]
    assert len(ess.files("all", archive="*")) == 2
    changed = ess.category_change("all", "archive", "placement/*")
    assert (changed.stats.count, streamed("all")[0]) == (1, "p\n")
    assert ess.category_change("all", "archive", "").stats.count == 1
    assert streamed("all", "sort")[0] == "p\ns\n"


@pytest.mark.parametrize(
    ("name", "archive", "rule", "expected"),
    [
        ("x_20140902.csv", "/logs/a_20140901.zip", AUTO, "2014-09-02"),
        ("2014-09-03/x.csv", "/logs/a_20140901.zip", AUTO, "2014-09-03"),
        ("x.csv", "/logs/a_20140901.zip", AUTO, "2014-09-01"),
        ("1795993200.csv", "/logs/a_20140901.zip", AUTO, "2014-09-01"),
        ("1795993200.csv", "/logs/a.zip", AUTO, "2026-11-29"),
        ("x.csv", "/logs/a.zip", AUTO, "1970-01-01"),
        ("x.csv", "/logs/140901.zip", DateRule(DateRuleKind.REGEX, "[:%y:][:%m:][:%d:].zip"), "2014-09-01"),
        ("x-09.csv", "/logs/2014.zip", DateRule(DateRuleKind.REGEX, "[:%Y:].zip/x-[:%m:]"), "2014-09-01"),
        ("x-140903.csv", "/logs/140901.zip", DateRule(DateRuleKind.REGEX, "[:%y:][:%m:][:%d:]"), "2014-09-03"),
        ("x-140903.csv", "/logs/140901.zip", DateRule(DateRuleKind.NONE), "1970-01-01"),
    ],
)
def test_the_date_in_its_own_name_comes_before_that_of_the_archive(
    name: str, archive: str, rule: DateRule, expected: str
) -> None:
    finder = DateFinder(rule)
    found = finder.find_inside(name, finder.find(archive), archive)
    assert str(found.date.date()) == expected


def test_a_number_in_a_name_counts_before_that_of_the_archive() -> None:
    finder = DateFinder(DateRule(DateRuleKind.REGEX, "n[:%f:{1,}]"))
    assert finder.find_inside("n2.csv", finder.find("/n1.zip"), "/n1.zip") == FileDate(number=2)
    assert finder.find_inside("x.csv", finder.find("/n1.zip"), "/n1.zip") == FileDate(number=1)


def test_odd_names_lead_nowhere_and_run_nothing(folder: Path) -> None:
    names = ["../../evil", "/abs/olute", "a\nb.csv", "$(touch ran);'.csv", "./dot//dot.csv", "gr\udcfcn.csv", "-n.csv"]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, io.BytesIO(b"x\n"))
    (folder / "odd.tar").write_bytes(target.getvalue())
    made = ess.category_add("odd", "odd.tar", archive="*", noprobe=True)
    assert made.stats.count == len(names)
    inner = [os.fsencode(entry.path.removeprefix(f"{folder}/odd.tar/")) for entry in ess.files("odd")]
    assert sorted(inner) == sorted(
        [b"evil", b"abs/olute", b"a\nb.csv", b"$(touch ran);'.csv", b"dot/dot.csv", b"gr\xfcn.csv", b"-n.csv"]
    )
    out, _ = streamed("odd", "cat > /dev/null; printf '%s\\0' %FILE")
    assert sorted(os.fsencode(out).split(b"\0")[:-1]) == sorted(name.rpartition(b"/")[2] for name in inner)
    assert {path.name for path in folder.rglob("*")} & {"evil", "olute", "ran", "abs", "dot"} == set()


def test_what_is_no_file_is_left_out_and_told(folder: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for number in (1, 2):
            info = tarfile.TarInfo("twice.csv")
            info.size = 2
            archive.addfile(info, io.BytesIO(b"%d\n" % number))
        for name, kind in (
            ("link.csv", tarfile.SYMTYPE),
            ("hard.csv", tarfile.LNKTYPE),
            ("pipe.csv", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "twice.csv"
            archive.addfile(info)
    (folder / "a.tar").write_bytes(target.getvalue())
    (folder / "b.txt").write_bytes(b"no archive")
    ess.category_add("all", "*.t*", archive="*", noprobe=True)
    out, messages = streamed("all")
    assert out == "2\n"
    base = f"{folder}/a.tar"
    assert messages.splitlines() == [
        f"ess: {folder}/b.txt: no archive, so it is left out",
        f"ess: 3 files are links and devices in archives; they are left out: {base}/link.csv, {base}/hard.csv, "
        f"{base}/pipe.csv",
        f"ess: {base}/twice.csv: more than once in its archive; the last one counts",
    ]
    found = ess.archive_contents("a.tar", pattern="*i*")
    assert (len(found.members), found.others, found.repeated) == (1, ("link.csv", "pipe.csv"), ("twice.csv",))
    with pytest.raises(OptionError, match="the file is not a zip or tar archive"):
        ess.lsa("b.txt")
    with pytest.raises(OptionError, match=r"no file in it matches; see: ess lsa"):
        ess.cat("a.tar", archive="nothing").read()


def test_what_the_programs_of_unix_make(folder: Path) -> None:
    for name in ("1.csv", "2.csv"):
        (folder / name).write_bytes(f"{name}\n".encode() * 3000)
    for command in (
        "tar --format=v7 -cf v7.tar 1.csv 2.csv",
        "tar --format=v7 -czf v7.tgz 1.csv 2.csv",
        "tar -cJf a.txz 1.csv 2.csv",
        "zip -q -Z bzip2 b.zip 1.csv 2.csv",
        "zip -q -fd - 1.csv 2.csv | cat > streamed.zip",
        "(echo '#!/bin/sh'; cat b.zip) > self.zip",
        "(cat b.zip; true) | zip -q -A self.zip > /dev/null",
        "zip -q -P secret encrypted.zip 1.csv",
        "zip -q -s 64k -Z store split.zip 1.csv 2.csv",
    ):
        subprocess.run(["bash", "-c", command], check=True, cwd=folder)
    whole = b"".join((folder / name).read_bytes() for name in ("1.csv", "2.csv"))
    for name in ("v7.tar", "v7.tgz", "a.txz", "b.zip", "streamed.zip", "self.zip"):
        with ess.cat(name, archive="*.csv") as file:
            assert file.read() == whole, name
    with pytest.raises(InputReadError, match="encrypted.zip/1.csv: it is encrypted"):
        ess.cat("encrypted.zip/1.csv")


def test_a_zip_with_links(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert ess.archive_contents("a.zip").others == ("link",)
    assert ess.lsa("a.zip") == []


# --- damage ---------------------------------------------------------------------------------


def test_the_bad_file_of_a_zip_is_named_and_the_others_are_read(folder: Path) -> None:
    data = bytearray(zipped({"1_encrypted": b"a", "2_crc": b"b\n", "3_method": b"c", "4_good": b"d\n"}))
    patch(data, "1_encrypted", flags=1)
    patch(data, "2_crc", crc=7)
    patch(data, "3_method", method=9)
    (folder / "a.zip").write_bytes(bytes(data))
    ess.category_add("all", "a.zip", archive="*", columnspec="s:x")
    output = ess.stream("all")
    assert output.output == b"d\n"
    crc = zlib.crc32(b"b\n")
    assert [str(failure).partition(f"{folder}/a.zip/")[2] for failure in output.result.failures] == [
        "1_encrypted: it is encrypted, and its password cannot be given; unpack it with: unzip or 7z",
        f"2_crc: its checksum is {crc:08x}, and 00000007 by the directory of its archive; its command was stopped, and "
        "nothing of this file was output or imported",
        "3_method: its compression (Deflate64, method 9) cannot be read; unpack it with 7z, and pack it again with: "
        "zip",
    ]
    assert output.result.exit_code == 12
    with pytest.raises(InputReadError, match="a.zip/1_encrypted: it is encrypted"):
        ess.read("all")
    with ess.cat("a.zip", archive="*") as file, pytest.raises(InputReadError, match="1_encrypted"):
        assert file.read(2) == b"d\n"
        file.read()


@pytest.mark.parametrize("form", MAKES)
def test_an_archive_that_breaks_off_fails_and_what_came_before_is_read(form: str, folder: Path) -> None:
    noise = random.Random(form).randbytes(200_000).hex().encode()
    data = MAKES[form]({"a_20140901": b"first\n", "b_20140902": noise, "c_20140903": b"last\n"})
    (folder / "a").mkdir()
    (folder / "a" / f"cut.{form}").write_bytes(data[: len(data) // 2])
    (folder / "a" / f"good.{form}").write_bytes(MAKES[form]({"d_20140904": b"good\n"}))
    ess.category_add("all", "a/*", archive="*", noprobe=True)
    output = ess.stream("all", "2014-09-01", "2014-09-04", "head -c 6")
    assert output.result.exit_code == 12
    [*failed, whole] = [failure.name for failure in output.result.failures][::-1]
    assert whole == f"{folder}/a/cut.{form}"  # whatever the range: nobody knows the dates of what is missing
    assert output.output in (b"first\ngood\n", b"good\n")  # bzip2 has all of it in one block
    assert [Path(path).name for path in failed] in ([], ["b_20140902"])
    found = ess.archive_contents(f"a/cut.{form}")
    assert found.problem
    with pytest.raises(InputReadError, match=f"cut.{form}: the archive is damaged: "):
        ess.lsa(f"a/cut.{form}")


def test_what_is_no_archive_but_is_called_one_fails(folder: Path) -> None:
    for name in ("a.zip", "b.tar", "c.tgz"):
        (folder / name).write_bytes(b"<html>not found</html>" if name != "c.tgz" else b"\x1f\x8b\x08 no gzip data")
    ess.category_add("all", "a.zip b.tar c.tgz", archive="*", noprobe=True)
    out, messages = streamed("all")
    assert (out, messages.count(": the archive is damaged: ")) == ("", 3)


def test_an_archive_that_was_replaced_is_an_error_and_never_a_mixture(folder: Path) -> None:
    for form in ("zip", "tar", "tgz"):
        path = folder / f"a.{form}"
        path.write_bytes(MAKES[form]({"x": b"old\n"}))
        [entry] = ess.ls(f"a.{form}", archive="*").files
        path.write_bytes(MAKES[form]({"x": b"new content\n"}))
        with pytest.raises(EssError, match="it has been replaced since it was listed"):
            open_raw(entry).read()


def test_what_is_in_an_archive_is_read_once_a_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def contents(entry: FileEntry, source: Access) -> archives.Contents:
        looked.append(entry.path)
        return archives.contents(entry, source)

    monkeypatch.setattr(archive_listing, "contents", contents)
    (folder / "a.tgz").write_bytes(MAKES["tgz"](DAYS))
    ess.category_add("kept", "a.tgz", archive="*.csv", usecache=True)
    ess.category_add("other", "*.tgz", archive="*3.csv")
    listed = ess.files("kept")
    assert (len(listed), len(ess.files("other"))) == (3, 1)
    assert looked == [f"{folder}/a.tgz"]
    (folder / "a.tgz").write_bytes(MAKES["tgz"]({"new_20150101.csv": b"user,price\n"}))
    assert ess.files("kept") == listed  # as the category wants it
    ess.summary(scan=True)
    assert [entry.date.year for entry in ess.files("kept")] == [2015]
    assert looked == [f"{folder}/a.tgz"] * 2


# --- streams --------------------------------------------------------------------------------


def test_one_pass_gives_all_files_of_a_compressed_archive_whatever_their_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = list(range(1, 29))
    random.Random(7).shuffle(days)
    (folder / "a.tgz").write_bytes(MAKES["tgz"]({f"x_201409{day:02}": b"%d\n" % day for day in days}))
    ess.category_add("all", "a.tgz", archive="*", noprobe=True)
    opened: list[str] = []
    inner = archive_passes._opened

    def open_archive(*arguments: object) -> object:
        opened.append("pass")
        return inner(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(archive_passes, "_opened", open_archive)
    for threads in (None, 2):
        opened.clear()
        assert streamed("all", threads=threads)[0] == "".join(f"{day}\n" for day in sorted(days))
        assert len(opened) <= 4, threads  # a thread each, and one that finds the others busy
        assert archive_passes._waiting == []


@pytest.mark.parametrize("limit", [1 << 30, 8000])
@pytest.mark.parametrize("form", ["tgz", "tar.bz2", "tar.zst"])
def test_files_in_another_order_than_that_of_the_archive_take_two_passes_as_far_as_there_is_room(
    form: str, limit: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = list(range(1, 29))
    random.Random(7).shuffle(days)
    (folder / f"a.{form}").write_bytes(MAKES[form]({f"x_201409{day:02}": b"%d\n" % day for day in days}))
    ess.category_add("all", f"a.{form}", archive="*", columnspec="i:day")
    opened: list[str] = []
    inner = archive_passes._opened

    def open_archive(*arguments: object) -> object:
        opened.append("pass")
        return inner(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(archive_passes, "_opened", open_archive)
    monkeypatch.setattr(archive_spool, "LARGEST", limit)
    assert ess.read("all")["day"].to_list() == sorted(days)
    assert (len(opened) == 2) == (limit > 8000)
    if limit > 8000:
        assert streamed("all", threads=1)[0] == "".join(f"{day}\n" for day in sorted(days))
        assert len(opened) == 4
    assert (archive_passes._waiting, archive_passes._spools) == ([], {})


def test_a_file_in_an_archive_has_an_identity_of_its_own_and_a_job_goes_on(folder: Path) -> None:
    (folder / "a.zip").write_bytes(zipped({"x/1": b"1\n", "x/2": b"2\n", "y/1": b"3\n"}))
    ess.category_add("all", "a.zip", archive="*", noprobe=True)
    files = ess.files("all")
    assert len({work.import_identity("job", entry.file_key) for entry in files}) == 3
    command = 'read n; if [ "$n" = 2 ] && [ ! -e mended ]; then exit 3; fi; echo $n'
    first = ess.stream("all", command=command)
    assert (first.output, first.result.exit_code) == (b"1\n3\n", 3)
    (folder / "mended").touch()
    again = ess.stream("all", command=command, resume=True)
    assert (again.output, again.result.files, again.result.resumed) == (b"2\n", 1, 2)


def test_counts_of_files_in_archives_add_up(folder: Path) -> None:
    (folder / "a.tar").write_bytes(tarred({f"{n}.csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * n) for n in range(5)}))
    ess.category_add("all", "a.tar", archive="*.gz", columnspec="i:a i:b")
    result = ess.stream("all", command="aq_pp -f,+1 - -d %cols -filt 'a == 1' -o /dev/null").result
    assert result.files == 5
    assert result.stages[0].counts.read == 10


def test_a_category_of_archives_is_shared_as_a_file(folder: Path) -> None:
    (folder / "a.zip").write_bytes(zipped(DAYS))
    ess.category_add("sales", "a.zip", archive="*.csv")
    (folder / "shared.json").write_text(ess.category_export("sales"))
    ess.category_delete("sales")
    [taken] = ess.category_import("shared.json")
    assert (taken.archive, len(ess.files("sales"))) == ("*.csv", 3)
