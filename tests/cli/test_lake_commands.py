"""The commands on datastores, files and categories, run as a user runs them."""

from __future__ import annotations

import gzip
import importlib.metadata
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ess import api
from ess.cli.app import run

RULE = "-" * 72
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def logs(places: dict[str, str], tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for day in range(1, 4):
        rows = f"eventDate,userID,articleID\r\n2014-09-0{day}T00:00:02,{day},23\r\n2014-09-0{day}T00:00:03,7,TBD\r\n"
        (folder / f"browse_2014090{day}.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))
    return folder


@pytest.fixture
def ess(logs: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run ``ess`` with arguments; returns (exit code, stdout, stderr)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    assert call("select", "local") == (0, "", "selected datastore local\n")
    return call


def test_the_tutorial(ess: Command, logs: Path) -> None:
    code, out, err = ess("category", "add", "browse", f"{logs}/*browse*")
    size = sum(path.stat().st_size for path in logs.iterdir())
    assert (code, out) == (0, "")
    assert err == f"browse: 3 files, {size}, 2014-09-01 - 2014-09-03\ncolumns: S:eventDate I:userID S:articleID\n"


def test_the_summary_of_all_categories(ess: Command, tmp_path: Path) -> None:
    (tmp_path / "b20140903").write_bytes(b"x\n" * (186 << 10))
    (tmp_path / "a20140901T130559").write_bytes(b"x\n" * 40)
    ess("category", "add", "second", f"{tmp_path}/b2*")
    ess("category", "add", "a", f"{tmp_path}/a2*")
    assert ess("summary") == (
        0,
        f"{RULE}\n"
        "-------------------------------- local ---------------------------------\n"
        f"{RULE}\n"
        "\n"
        "============================= File summary =============================\n"
        "Name      Count    Size       first                last\n"
        "------  -------  -----------  -------------------  -------------------\n"
        "a             1          80   2014-09-01 13:05:59  2014-09-01 13:05:59\n"
        "second        1      372.0K   2014-09-03           2014-09-03\n"
        "\n",
        "",
    )


def test_a_category_that_exists_is_a_warning(ess: Command, logs: Path) -> None:
    ess("category", "add", "browse", f"{logs}/*01.gz", "--columnspec", "s:day I:user X")
    done = ess("category", "add", "browse", f"{logs}/*browse*")
    warning = "the category 'browse' exists and stays as it is; add --overwrite to replace it"
    assert done == (0, "", f"ess: warning: {warning}\n")
    assert ess("summary", "browse", "columnspec")[1] == "s:day I:user X\n"
    assert ess("category", "add", "browse", f"{logs}/*browse*", "--overwrite")[2].startswith("browse: 3 files, ")
    assert ess("category", "copy", "browse", "browse")[0] == 2


def test_a_delimiter_that_cannot_be_seen_has_a_name(ess: Command, logs: Path) -> None:
    (logs / "tabs.tsv").write_text("a\tb\n1\tx\n")
    ess("category", "add", "tabs", f"{logs}/tabs*")
    out = ess("summary", "tabs")[1]
    assert "\nDelimiter:   Tab\n" in out
    assert out.endswith("First few lines:\na\tb\n1\tx\n")
    assert "\nDelimiter:   Tab\n" in ess("probe", "tabs")[1]
    assert ess("summary", "tabs", "delimiter")[1] == "\\x09\n"


def test_options_may_be_shortened(ess: Command, logs: Path) -> None:
    ess("category", "add", "browse", f"{logs}/*browse*", "--comm=--del", "--del", ",", "--usec")
    out = ess("summary", "browse")[1]
    assert "Comment:     --del\n" in out
    assert "usecache:    True\n" in out
    assert ess("category", "change", "usecache", "browse", "--no") == (0, "", "")
    assert "usecache:    False\n" in ess("summary", "browse")[1]
    assert ess("ls", "--cat", "browse", "--name") == (0, "".join(f"{logs}/browse_2014090{n}.gz\n" for n in "123"), "")
    assert ess("ls", "--he") == ess("ls", "--help")
    assert ess("ls", "--no", "--lim=1") == (
        2,
        "",
        "ess: ls: option '--no' is ambiguous; it may be --nodate or --nosize\n",
    )


def test_dirt_is_told(ess: Command, logs: Path) -> None:
    (logs / "dirty.csv").write_text("a,b\n" + "1,2\n" * 9 + "1,T\x1bD\n")
    code, out, err = ess("category", "add", "dirty", f"{logs}/dirty*")
    assert (code, out) == (0, "")
    remark, _, columns = err.splitlines()
    assert remark.startswith("ess: b: 10 % of the sampled values, such as 'T\\x1bD', are not numbers")
    assert columns == "columns: I:a S:b"


def test_files_without_columns_are_told_with_what_to_try(ess: Command, logs: Path) -> None:
    (logs / "events.jsonl").write_text('{"user":{"name":"ann"},"count":2}\n')
    code, out, err = ess("category", "add", "events", f"{logs}/events*", "--format", "none")
    assert (code, out) == (0, "")
    remark = err.splitlines()[0]
    assert remark.startswith("ess: the files hold JSON, so no columns were found; give them with --columnspec, and ")
    spec, command = "s:who:user.name i:n:count", "aq_pp -f,jsn - -d %cols -o,notitle -"
    code, out, err = ess("category", "add", "events", f"{logs}/events*", "--overwrite", "--columnspec", spec)
    assert (code, err.splitlines()[1:]) == (0, ["format: jsn", f"columns: {spec}"])
    assert command.partition(" -o")[0] in remark
    assert ess("stream", "events", "*", "*", command)[:2] == (0, '"ann",2\n')


def test_the_keys_of_json_are_its_columns(ess: Command, logs: Path) -> None:
    (logs / "events.jsonl").write_text('{"user":{"name":"ann"},"count":2,"at":["x"]}\n' * 2 + '{"count":3}\nno\n')
    (logs / "whole.json").write_text('{"Records":[{"id":1,"by":{"n":"a"}},{"id":2}]}')
    code, out, err = ess("category", "add", "events", f"{logs}/events*")
    shown = ["format: jsn", "columns: S:user_name:user.name I:count:count S:at:at"]
    assert (code, out, err.splitlines()[1:]) == (0, "", shown)
    assert ess("category", "add", "whole", f"{logs}/whole*")[0] == 0
    assert "S:Records_by_n:Records[*].by.n" in ess("summary", "whole", "columnspec")[1]
    command = "aq_pp -f,jsn,eok,qui - -d %cols -o,notitle -"
    assert ess("stream", "events", "*", "*", command)[1] == '"ann",2,"[""x""]"\n"ann",2,"[""x""]"\n,3,\n'
    assert ess("stream", "whole", "*", "*", command)[1] == '1,"a"\n2,\n'
    assert ess("head", "events", "-c", "count", "-n", "9")[1] == '"count"\n2\n2\n3\n'
    assert api.read("whole").rows() == [(1, "a"), (2, "")]
    assert ess("category", "change", "columnspec", "events", "s:who:user.name")[0] == 0
    assert ess("head", "events")[1].splitlines() == ['"who"', '"ann"', '"ann"', ""]
    assert ess("category", "change", "format", "events", "none")[0] == 0
    assert ess("summary", "events")[1].count("jsn") == 0


def test_the_summary_of_a_category(ess: Command, logs: Path) -> None:
    ess("category", "add", "browse", f"{logs}/*browse*", "--comment", "tab\there")
    code, out, err = ess("summary", "browse")
    size = sum(path.stat().st_size for path in logs.iterdir())
    assert out.splitlines() == [
        "Name:        browse",
        f"Pattern:     {logs}/*browse*",
        "Exclude:     None",
        "Date Format: auto",
        "Date Regex:",
        "Archive:",
        "Delimiter:   ,",
        "# of files:  3",
        f"Total size:  {size}",
        "File range:  2014-09-01 - 2014-09-03",
        "# columns:   3",
        "Column Spec: S:eventDate I:userID S:articleID",
        "Preprocess:",
        "usecache:    False",
        "Compression: gzip",
        r"Comment:     tab\there",
        "",
        "First few lines:",
        "eventDate,userID,articleID",
        "2014-09-01T00:00:02,1,23",
        "2014-09-01T00:00:03,7,TBD",
    ]
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("pkey", "userID\n"),
        ("columnspec", "S:eventDate I:userID S:articleID\n"),
        ("schema", "eventDate string\nuserID unsigned integer\narticleID string\n"),
        ("delimiter", ",\n"),
        ("compression", "gzip\n"),
        ("preprocess", "cat\n"),
    ],
)
def test_one_parameter_of_a_category(ess: Command, logs: Path, parameter: str, expected: str) -> None:
    ess("category", "add", "browse", f"{logs}/*browse*", "--pkey", "userID", "--preprocess", "cat")
    assert ess("summary", "browse", parameter) == (0, expected, "")


def test_scan_updates_the_numbers(ess: Command, logs: Path) -> None:
    ess("category", "add", "browse", f"{logs}/*browse*")
    (logs / "browse_20140905.gz").write_bytes(b"12345")
    assert " 3 " in ess("summary")[1]
    size = sum(path.stat().st_size for path in logs.iterdir())
    assert ess("summary", "--scan", "--short")[1] == f"4 {size}\n"
    assert ess("summary", "browse", "--scan", "--short")[1] == f"4 {size}\n"
    assert "2014-09-05" in ess("summary")[1]


def test_ls(ess: Command, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(logs)
    (logs / "deep").mkdir()
    (logs / "deep" / "x.csv").write_text("hello")
    out = ess("ls", "b*1.gz")[1]
    size = (logs / "browse_20140901.gz").stat().st_size
    assert out == f"2014-09-01           {size:>13}  {logs}/browse_20140901.gz\n"
    assert ess("ls", "b*1.gz", "--nosize")[1] == f"2014-09-01           {logs}/browse_20140901.gz\n"
    assert ess("ls", "b*1.gz", "--nodate")[1] == f"{size:>13}  {logs}/browse_20140901.gz\n"
    assert ess("ls", "--nameonly")[1].splitlines() == [
        f"{logs}/deep/",
        *(f"{logs}/browse_2014090{day}.gz" for day in (1, 2, 3)),
    ]
    assert ess("ls", "-r", "--nameonly", "--exclude", "*.gz")[1] == f"{logs}/deep/x.csv\n"
    assert ess("ls", "-r", "--nameonly", "--limit", "1", "*.gz")[1] == f"{logs}/browse_20140901.gz\n"
    assert ess("ls", "b*1.gz", "--dateregex", "none")[1].startswith("1970-01-01")
    assert ess("ls", "b*1.gz", "--dateregex", "_[:%f:{8,}]")[1].startswith("20140901 ")
    said = "ess: no file matches 'd*x.csv'; with -r, * also stands for folders\n"
    assert ess("ls", "d*x.csv") == (0, "", said)
    assert ess("ls", "-r", "d*x.csv", "--nameonly")[1].endswith("deep/x.csv\n")
    assert ess("ls", "-r", "nothing*") == (0, "", "ess: no file matches 'nothing*'; look with: ess ls\n")
    ess("category", "add", "browse", "b*")
    assert ess("ls", "-r", "--cat", "browse", "--nameonly", "*2.gz")[1] == f"{logs}/browse_20140902.gz\n"


def test_odd_names_are_shown_on_one_line(ess: Command, logs: Path) -> None:
    (logs / "a\nb\udcff\x1b[31m\u00e9").touch()
    assert ess("ls", f"{logs}/a*", "--nameonly")[1] == f"{logs}/a\\nb\\xff\\x1b[31mé\n"


def test_cat_gives_bytes(logs: Path, places: dict[str, str]) -> None:
    path = logs / "browse_20140901.gz"
    command = [sys.executable, "-c", "from ess.cli import main; main()"]
    subprocess.run([*command, "select", "local"], env=places, check=True, stdout=subprocess.DEVNULL)
    raw = subprocess.run([*command, "cat", str(path)], env=places, check=True, capture_output=True)
    assert raw.stdout == path.read_bytes()
    done = subprocess.run([*command, "cat", "--decompress", str(path)], env=places, check=True, capture_output=True)
    assert done.stdout == gzip.decompress(path.read_bytes())


def test_lsa(ess: Command, logs: Path) -> None:
    with zipfile.ZipFile(logs / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("x/one.csv", (2014, 9, 1, 2, 3, 4)), "12345")
        archive.writestr("two.txt", "1")
    assert ess("lsa", f"{logs}/a.zip", "--pattern", "*.csv") == (
        0,
        "2014-09-01 02:03:04              5  x/one.csv\n",
        "",
    )
    assert ess("lsa", f"{logs}/browse_20140901.gz")[0] == 2


def test_changing_a_category(ess: Command, logs: Path) -> None:
    ess("category", "add", "browse", f"{logs}/*browse*")
    for arguments in (
        ("columnspec", "browse", "S:eventDate S:userID I:articleID"),
        ("comment", "browse", "This category deserves a comment"),
        ("dateregex", "browse", "[:%Y:][:%m:][:%d:]"),
        ("usecache", "browse", "--usecache"),
    ):
        assert ess("category", "change", *arguments) == (0, "", "")
    out = ess("summary", "browse")[1]
    assert "Column Spec: S:eventDate S:userID I:articleID\n" in out
    assert "Date Format:\nDate Regex:  [:%Y:][:%m:][:%d:]\n" in out
    assert "usecache:    True\n" in out
    assert ess("category", "copy", "browse", "other") == (0, "", "")
    assert ess("category", "delete", "browse") == (0, "", "")
    assert "other" in ess("summary")[1]


def test_probe_and_repository_and_purge(ess: Command, logs: Path) -> None:
    ess("category", "add", "browse", f"{logs}/*browse*")
    assert "Header:      yes\n" in ess("probe", "browse")[1]
    assert ess("repository")[1].splitlines()[2].split() == ["*", "local", "local", "local"]
    assert ess("purge", "local") == (0, "", "")
    code, out, err = ess("summary")
    assert (code, out) == (3, "")
    assert err == "ess: datastore: no datastore is selected; run: ess select local\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("sumary", "unknown command 'sumary'; did you mean 'summary'?"),
        ("nonsense", "unknown command 'nonsense'; the commands are: "),
        ("query", "query: the command is not available yet"),
        ("summary --labell x", "summary: unknown option '--labell'; did you mean '--label'?"),
        ("--nope", "unknown option '--nope'; see: ess --help"),
        ("category", "category: a subcommand is missing; give one of: add, change, copy, delete"),
        ("create", "create: a subcommand is missing; give one of: database, table, variable, vector"),
        ("create tabel x", "create: unknown command 'tabel'; did you mean 'table'?"),
        ("udbd", "udbd: a subcommand is missing; give one of: ckl"),
        ("cluster", "cluster: a subcommand is missing"),
        ("stream x wc", "stream: missing argument 'upper'; usage: ess stream category lower upper [command]"),
        ("stream x a b c d", "quote '*' and the command, as in: ess stream sales '*' '*' 'aq_pp -f - -d %cols'"),
        ("stream x * * aq_pp -f -", "unknown option '-f'; quote '*' and the command, as in: ess stream sales"),
        ("stream x * * wc --limt 1", "unknown option '--limt'; did you mean '--limit'?"),
        ("exec aq_udb -cnt shop", "unknown option '-c'; quote '*' and the command, as in: ess exec 'aq_udb -cnt shop'"),
        ("stream x * * wc --threads x", "invalid value for '--threads': it is not a whole number"),
        ("category ad x y", "category: unknown command 'ad'; did you mean 'add'?"),
        ("category add x", "category add: missing argument 'pattern'"),
        ("category change usecache x", "add --usecache or --nocache"),
        ("category add x /nosuch/*", "no file matches '/nosuch/*'"),
        ("category add x /nosuch/* --archive *", "no file matches '/nosuch/*'"),
        ("category change name pkey x", "write: ess category change WHAT CATEGORY VALUE; WHAT is one of: alls, allx"),
        ("category browse *browse*", "to make a category: ess category add NAME PATTERN"),
        ("summary nobody", "no category 'nobody'"),
        ("summary --short", "--short: it needs --scan"),
        ("summary a colour", "'colour' is not one of 'pkey'"),
        ("ls --limit x", "'--limit'"),
        ("ls --limit 0", "--limit: bad limit 0"),
        ("ls --nameonly --nodate", "exclude each other"),
        (
            "ls a b",
            "(b); quote patterns, so that the shell leaves * alone; several are one argument; see: ess ls --help",
        ),
        ("ls --label other", "no datastore 'other'"),
        ("probe x --pcmd y", "category: no category 'x'"),
        ("select ftp://host", "no access to such a store"),
        ("select local --region x", "--region: "),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(ess: Command, arguments: str, words: str) -> None:
    code, out, err = ess(*arguments.split())
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("ess: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code"), [("cat /nosuch", 11), ("cat /", 11), ("ls /nosuch/file", 11), ("lsa /nosuch", 11)]
)
def test_other_failures_keep_their_codes(ess: Command, arguments: str, code: int) -> None:
    found, out, err = ess(*arguments.split())
    assert (found, out, err.count("\n")) == (code, "", 1)


def test_help_and_version(ess: Command) -> None:
    code, out, err = ess("--help")
    assert (code, err) == (0, "")
    assert "category" in out
    assert ess()[0] == 0
    assert ess("category", "add", "-h")[1].count("--dateregex") >= 1
    number = importlib.metadata.version("essentia-lake")
    out = ess("--version")[1]
    assert re.fullmatch(rf"Essentia : {number}\nAQ Tools : {number} --- 20\d\d-\d\d-\d\d\n", out)
    assert ess("-v")[1] == out


def test_help_loads_nothing_heavy(places: dict[str, str]) -> None:
    code = "import sys; from ess.cli.app import run; run(['summary']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=places, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"polars", "pyarrow", "distributed", "dask", "cryptography", "duckdb", "pandas", "numpy"}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_quiet(places: dict[str, str], logs: Path, unbuffered: str) -> None:
    for number in range(3000):
        (logs / f"{number}-{'x' * 100}").touch()
    places["PYTHONUNBUFFERED"] = unbuffered
    listing = f"{sys.executable} -c 'from ess.cli import main; main()' ls '{logs}/*' --nameonly"
    command = f"{listing} | head -1; echo ${{PIPESTATUS[@]}}"
    subprocess.run(
        [sys.executable, "-c", "from ess.cli import main; main()", "select", "local"], env=places, check=True
    )
    done = subprocess.run(["bash", "-c", command], env=places, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 2
    assert done.stdout.endswith("141 0\n")
    assert done.stderr == ""


def test_a_full_disk_is_one_line(places: dict[str, str], logs: Path) -> None:
    command = [sys.executable, "-c", "from ess.cli import main; main()"]
    subprocess.run([*command, "select", "local"], env=places, check=True, stdout=subprocess.DEVNULL)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*command, "ls", str(logs)], env=places, check=False, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 22
    assert done.stderr == (
        "ess: standard output: cannot write the output: No space left on device; make room, or send it elsewhere\n"
    )
    assert "Traceback" not in done.stderr


def test_a_closed_stdout_is_one_line(places: dict[str, str]) -> None:
    command = f"{sys.executable} -c 'from ess.cli import main; main()' repository >&-"
    done = subprocess.run(["bash", "-c", command], env=places, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (21, 1)


def test_nothing_compressed_goes_to_a_terminal(ess: Command, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (logs / "plain").write_text("x\n" * 300)
    name = str(logs / "browse_20140901.gz")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = ess("cat", name)
    assert (code, out) == (2, "")
    assert err.startswith(f"ess: {name}: its content is compressed (gzip)")
    assert "--decompress" in err
    assert ess("cat", name, "--decompress")[1].startswith("eventDate")
    assert ess("cat", str(logs / "plain"))[:2] == (0, "x\n" * 300)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\4", "7z"),
        (b"Rar!\x1a\x07\x01\0", "rar"),
        (b"\x1f\x9d\x90a", "compress"),
        (b"\x04\x22\x4d\x18dp", "lz4"),
    ],
    ids=("7z", "rar", "compress", "lz4"),
)
def test_what_cannot_be_decompressed_is_named(ess: Command, logs: Path, head: bytes, name: str) -> None:
    path = logs / "odd"
    path.write_bytes(head + b"rest")
    code, out, err = ess("cat", "--decompress", str(path))
    assert (code, out) == (12, "")
    assert err.startswith(f"ess: {path}: its compression is {name}, which is not undone here; get the file as it is")
    path.write_bytes(b"7z,1\n")
    assert ess("cat", "--decompress", str(path))[:2] == (0, "7z,1\n")


def test_one_file_is_not_files(ess: Command, logs: Path) -> None:
    assert ess("category", "add", "one", f"{logs}/*01.gz")[2].startswith("one: 1 file, ")


def test_a_doubtful_delimiter_is_told(ess: Command, logs: Path) -> None:
    (logs / "odd.txt").write_text("1;2;3\n" * 15 + "4;5\n" * 5)
    code, _, err = ess("category", "add", "odd", f"{logs}/odd.txt")
    assert code == 0
    assert err.startswith("ess: the delimiter is a guess: divided by ';'")
    assert "--delimiter" in err
