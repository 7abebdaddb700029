"""The commands on files and categories print the same for a bucket as for this disk, each with all its options."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ess
from ess.cli.app import run
from tests.lake.test_cloud import archive
from tests.store_servers import BUCKET, StoreServer, store_server
from tests.stores.stores import forget

FILES = {
    "logs/visits_20140901.csv.gz": gzip.compress(b"day,user\n2014-09-01,7\n2014-09-01,TBD\n", mtime=0),
    "logs/visits_20140902.csv.gz": gzip.compress(b"day,user\n2014-09-02,8\n", mtime=0),
    "logs/old/visits_20131231.csv.gz": gzip.compress(b"day,user\n2013-12-31,\n", mtime=0),
    "logs/two words 20140905.csv": b"a,b\n1,2\n",
    "logs/[x].txt": b"x\n",
    "packed_17.zip": archive(),
    "notes.txt": b"nothing\n",
}

ADD = ["category", "add", "visits", "logs/*visits*", "--columnspec", "S:day I:user"]
COMMANDS = [
    ["ls"],
    ["ls", "*"],
    ["ls", "logs"],
    ["ls", "logs/"],
    ["ls", "logs/*"],
    ["ls", "-r", "logs/*"],
    ["ls", "-r", "*visits*"],
    ["ls", "-r", "logs/*visits* notes.txt 'logs/two words*'"],
    ["ls", "logs/[[]x].txt"],
    ["ls", "logs/visits_2014090[!1]*"],
    ["ls", "logs/visits_2014090?.csv.gz"],
    ["ls", "-r", "*", "--exclude", "old/* *.txt"],
    ["ls", "-r", "*", "--limit", "3"],
    ["ls", "-r", "*", "--nameonly"],
    ["ls", "-r", "*", "--nosize"],
    ["ls", "-r", "*", "--nodate"],
    ["ls", "-r", "*", "--dateregex", "none"],
    ["ls", "-r", "*visits*", "--dateregex", "_[:%f:{4,6}]"],
    ["ls", "-r", "*", "--dateregex", "_[:%Y:][:%m:]"],
    ADD,
    ["ls", "--cat", "visits"],
    ["ls", "-r", "--cat", "visits", "*2014*", "--exclude", "*02.csv.gz", "--nameonly"],
    ["ls", "--cat", "visits", "--limit", "1", "--nosize"],
    ["ls", "--cat", "visits", "--dateregex", "[:%Y:]", "--nodate"],
    ["summary"],
    ["summary", "visits"],
    ["summary", "visits", "schema"],
    ["summary", "--scan", "--short"],
    ["summary", "visits", "--scan"],
    ["summary", "visits", "--plot"],
    ["summary", "--plot"],
    ["probe", "visits", "--size", "100"],
    ["probe", "visits", "--file", "logs/old/visits_20131231.csv.gz"],
    ["probe", "visits", "--pcmd", "wc -l", "--size", "11"],
    ["lsa", "packed_17.zip"],
    ["lsa", "packed_17.zip", "--pattern", "*sales*"],
    ["cat", "notes.txt"],
    ["cat", "logs/visits_20140902.csv.gz", "--decompress"],
    ["category", "change", "pattern", "visits", "logs/visits*"],
    ["category", "change", "exclude", "visits", "*02*"],
    ["category", "copy", "visits", "other"],
    ["category", "delete", "visits"],
    ["summary"],
]

#: Wrong names, nothing found, no date: one line each, with the next step.
MISTAKES = [
    (["ls", "nothing"], "there is no such file or folder; check the name"),
    (["ls", "nothing*"], "no file matches"),
    (["category", "add", "long", "x" * 5000], "look with: ess ls -r PATTERN"),
    (["ls", "--cat", "nobody"], "no category 'nobody'; see ess summary for the categories, or make it"),
    (["ls", "*", "--limit", "0"], "bad limit 0; give a whole number from 1"),
    (["ls", "*", "--nosize", "--nodate"], "these exclude each other; give one of them"),
    (["ls", "*", "--dateregex", "("], "--dateregex"),
    (["category", "add", "none", "nothing*"], "category add: ...; look with: ess ls -r PATTERN"),
    (["category", "delete", "nobody"], "no category 'nobody'"),
    (["category", "copy", "nobody", "x"], "no category 'nobody'"),
    (["summary", "nobody"], "no category 'nobody'"),
    (["probe", "nobody"], "no category 'nobody'"),
    (["probe", "nobody", "--pcmd", "cat"], "no category 'nobody'"),
    (["cat", "nothing"], "look with: ess ls"),
    (["lsa", "notes.txt"], "the file is not a zip or tar archive"),
    (["lsa", "nothing.zip"], "look with: ess ls"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    with store_server("s3") as found:
        for name, content in FILES.items():
            found.put(name, content)
        yield found


@pytest.fixture
def disk(places: dict[str, str], server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same files on this disk, in the current folder."""
    forget(monkeypatch)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "data"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    return folder


def test_every_command_and_option(disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ess.select("local")
    ess.select(f"s3://{BUCKET}")
    for words in COMMANDS:
        printed = []
        for label, root in (("local", str(disk)), (BUCKET, f"s3://{BUCKET}")):
            code = run([*words, "--label", label])
            shown = capfd.readouterr()
            text = (shown.out + shown.err).replace(f"{root}/", "ROOT/").replace(root, "ROOT")
            lines = [line for line in text.splitlines() if label not in line]  # the heading of a summary
            printed.append((code, lines))
        assert printed[0] == printed[1], words
        assert printed[0][0] == 0, (words, printed[0])


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_the_same_line(
    disk: Path, capfd: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    ess.select("local")
    ess.select(f"s3://{BUCKET}")
    printed = []
    for label, root in (("local", str(disk)), (BUCKET, f"s3://{BUCKET}")):
        code = run([*words, "--label", label])
        # A file is called an object where it is one.
        printed.append(
            (
                code,
                re.sub("ess: ([^:]*): .*; look", r"ess: \1: ...; look", capfd.readouterr().err.replace(root, "ROOT")),
            )
        )
    assert printed[0] == printed[1]
    assert printed[0][1].count("\n") == 1
    assert message in printed[0][1]
