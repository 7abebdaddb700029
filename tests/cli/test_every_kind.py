"""One script of commands prints the same bytes on every kind of store: this disk, S3, Google's, Azure, HTTP."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import ess
from ess.cli.app import run
from tests.lake.test_archives import tarred, zipped
from tests.lake.test_cloud import options, served, source
from tests.stores.stores import forget

SALES = {f"in/sales_2014090{day}.csv": b"user,price\nzoe,%d\n" % day for day in (3, 4)}
FILES = {
    "shop/sales_20140901.csv.gz": gzip.compress(b"user,price\nann,3\nbob,4\n", mtime=0),
    "shop/sales_20140902.csv": b"user,price\nann,5\nbad,TBD\n",
    "shop/packed.zip": zipped({**SALES, "__MACOSX/._sales_20140904.csv": b"x"}),
    "shop/packed.tgz": gzip.compress(
        tarred({"d/sales_20140905.csv": b"user,price\nyan,3\n", "d/x.txt": b"n\n"}), mtime=0
    ),
    "odd/a b (1) $(touch x)';.csv": b"user,price\neve,6\n",
    "odd/%41%20+&=#?.csv": b"user,price\nper,7\n",
    "odd/\u00fc\u4e2d\u2028.csv": b"user,price\nuni,8\n",
    "odd/tail .csv ": b"user,price\ntail,1\n",
    "odd/[x]*.csv": b"user,price\nglob,1\n",
    "odd/Case.csv": b"user,price\nC,1\n",
    "odd/case.csv": b"user,price\nc,1\n",
    "logs/2014/09/01/a.csv": b"d,n\n1,1\n",
    "logs/2014/09/02/a.csv": b"d,n\n2,1\n",
    "logs/2014/09/03/13/a.csv": b"d,n\n3,1\n",
    "empty.csv": b"",
}

SCRIPT: tuple[tuple[str, ...], ...] = (
    ("ls",),
    ("ls", "-r", "*"),
    ("ls", "-r", "*.csv", "--exclude", "odd/* 2014*"),
    ("ls", "shop/*.zip", "--archive", "*sales*"),
    ("cat", "shop/sales_20140901.csv.gz", "--decompress"),
    ("cat", "odd/tail .csv "),
    ("cat", "odd/a b (1) $(touch x)';.csv"),
    ("cat", "shop/packed.tgz/d/x.txt"),
    ("lsa", "shop/packed.zip"),
    ("category", "add", "sales", "shop/sales*"),
    ("category", "add", "packed", "shop/packed*", "--archive", "*sales*"),
    ("category", "add", "odd", "odd/*"),
    ("category", "add", "logs", "logs/*"),
    ("category", "add", "none", "none*"),
    ("summary", "sales"),
    ("category", "change", "columnspec", "sales", "S:user I:price"),
    ("summary", "sales", "--scan"),
    ("ls", "--cat", "logs", "--dates", "2014-09-03 13", "*"),
    ("stream", "sales", "*", "*", "aq_pp -f,+1,eok - -d %cols -o,notitle -"),
    ("stream", "sales", "*", "*", "cat", "--archive", "*04*"),
    ("stream", "packed", "2014-09-04", "*", "echo %FILE %file; cat"),
    ("stream", "odd", "*", "*", "echo %FILE; cat"),
    ("stream", "logs", "2014-09-02", "2014-09-03", "cat", "--bulk"),
    ("stream", "sales", "*", "*", "false"),
    ("summary", "--scan", "--short"),
)


def printed(label: str, root: str, capfd: pytest.CaptureFixture[str]) -> list[tuple[tuple[str, ...], int, str, str]]:
    """The exit code and output of every command, with ``ROOT`` in place of the store's address."""
    found: list[tuple[tuple[str, ...], int, str, str]] = []
    for words in SCRIPT:
        code = run([*words, "--label", label])
        shown = capfd.readouterr()
        found.append((words, code, shown.out.replace(root, "ROOT"), shown.err.replace(root, "ROOT")))
    return found


def test_one_script_prints_the_same_on_every_kind_of_store(
    places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    forget(monkeypatch)
    disk = tmp_path / "disk"
    for name, content in FILES.items():
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_bytes(content)
    monkeypatch.chdir(disk)
    ess.select("local")
    expected = printed("local", f"{disk}", capfd)
    assert [(line[0][0], line[1]) for line in expected if line[1]] == [("category", 2), ("stream", 1)]
    for place, kinds in (("s3", ("s3", "gs")), ("az", ("az",)), ("http", ("http",))):
        (tmp_path / place).mkdir()
        with served(place, tmp_path / place) as server:
            for name, content in FILES.items():
                server.put(name, content)
            for kind in kinds:
                chosen = ess.select(source(kind, server), label=kind, **options(kind, server, tmp_path / "keys.csv"))  # type: ignore[arg-type]
                assert printed(kind, chosen.source.rstrip("/"), capfd) == expected, kind
