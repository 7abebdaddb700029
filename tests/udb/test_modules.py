"""``-mod``: Python files that see each key with all its rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ess.errors import EssError, InputDataError, OptionError, UdbRequestError
from ess.udb.scan.module_files import find, install, modules_folder
from ess.udb.scan.reading import changes_nothing
from ess.udb.scan.scan import Scan
from ess.udb.shard.shard import Shard
from ess.udb.wire.protocol import ScanRequest
from tests.udb.shards import ALL, make_shard, portable, scan, words

Run = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def shard() -> Shard:
    """Keys bob, ann, cyd, eve in this order."""
    return make_shard()


@pytest.fixture
def run(shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run(source, spec)``: the rows that pass with a module of that source."""
    monkeypatch.setenv("ESS_WORK_DIR", str(tmp_path / "conf"))

    def run(
        source: str, spec: str = "mine", *, rules: str = "", table: str = "log", outputs: str = "time"
    ) -> list[tuple[object, ...]]:
        file = tmp_path / "mine.py"
        file.write_text(source)
        digest = install("mine", str(file), where="-mod")
        made = portable(shard.definition, table, words(rules) if rules else ())
        request = ScanRequest(
            "db", "", table, rules=made, outputs=tuple(outputs.split()), module=spec, module_digest=digest
        )
        assert not changes_nothing(request)
        return Scan(shard, request, modules_folder()).export().rows()

    return run


NORMALIZE = """
def init(column):
    global name
    name = column

def key(key):
    total = sum(row[name] for row in key.rows("log"))
    if not total:
        return False
    for row in key.rows("log"):
        row[name] /= total
    key.vector("totals")["Price"] = total
    key.vector("totals")["word"] = key["user"] + "!"
    key.var["seen"] += 1
"""


def test_a_function_of_keys_changes_everything_that_hangs_on_them(shard: Shard, run: Run) -> None:
    found = run(NORMALIZE, 'mine("price")', outputs="user price totals.price seen")
    # ann's two prices, 2 and -1.5, give 0.5; eve has no rows, so there is nothing to divide.
    assert found[3:] == [(b"ann", 4.0, 0.5, 2), (b"ann", -3.0, 0.5, 2), (b"cyd", 1.0, 8.0, 3)]
    assert [row[2:] for row in found[:3]] == [(4.75, 1)] * 3
    assert scan(shard, "", "totals", "user word price") == [
        (b"bob", b"bob!", 4.75),
        (b"ann", b"ann!", 0.5),
        (b"cyd", b"cyd!", 8.0),
        (b"eve", b"", 0.25),
    ]
    assert scan(shard, "", "var", "seen") == [(3,)]


def test_a_function_of_rows_sees_what_passes_the_rules(shard: Shard, run: Run) -> None:
    source = """
def row(row):
    row["word"] = row["word"].upper() + str(len(list(row.key.rows("days"))))
    row.key.var["sum"] += row["price"]
    return row["time"] != 9
"""
    found = run(source, rules="-filt | price > 0", outputs="time word sum")
    assert found == [(3, b"SAW2", 0.5), (1, b"NAIL2", 0.75), (2, b"NAIL1", 6.75), (5, b"GLUE0", 14.75)]
    assert scan(shard, "-filt | time >= 4", outputs="word") == [(b"SAW2",), (b"",), (b"GLUE0",)]


def test_groups_come_before_it_and_deleted_rows_are_not_seen(run: Run) -> None:
    source = "def key(key):\n    return sum(1 for row in key.rows('log')) == 1\n"
    rules = "-pp | log\n-if\n-filt | price < 1\n-del_row\n-endif\n-endpp"
    assert run(source, rules=rules) == [(9,), (2,), (5,)]
    assert run("def key(key):\n    return key['user'] > 'b'\n", table="", outputs="user") == [
        (b"bob",),
        (b"cyd",),
        (b"eve",),
    ]


def test_it_is_told_when_all_is_done(run: Run, tmp_path: Path) -> None:
    source = f"""
seen = []
def row(row):
    seen.append(row["time"])
def done():
    open({str(tmp_path / "seen")!r}, "w").write(str(seen))
"""
    assert run(source) == ALL
    assert (tmp_path / "seen").read_text() == str([time for (time,) in ALL])


WRONG = [
    ("def key(key):\n    key['x']\n", InputDataError, r"line 2: unknown column 'x'|unknown column 'x'"),
    (
        "def key(key):\n    list(key.rows('totals'))\n",
        InputDataError,
        "there is no table 'totals'; known: log, days",
    ),
    ("def key(key):\n    key.vector('log')\n", InputDataError, "there is no vector 'log'; known: totals"),
    ("def row(row):\n    row['user'] = 'x'\n", InputDataError, "'user' is a key, which a module may only read"),
    ("def row(row):\n    row['time'] = -1\n", InputDataError, "-1 does not fit 'time'"),
    ("def row(row):\n    row['time'] = 7\n    1 / 0\n", InputDataError, r"line 3: ZeroDivisionError"),
    ("def row(row):\n    return 7\n", InputDataError, r"row\(\) returned 7"),
    ("def row(row):\n    row.reject('odd')\n", InputDataError, r"row 1 \(odd\); nothing was changed"),
    ("def rows(row):\n    pass\n", OptionError, "has no function key or row"),
    ("def row(row):\n    retrun\n  pass\n", OptionError, "mine.py line 3: "),
    ("import nothing_of_that_name\ndef row(row): pass\n", OptionError, "line 1: ModuleNotFoundError"),
]


@pytest.mark.parametrize(("source", "kind", "message"), WRONG)
def test_what_goes_wrong_is_one_line_and_changes_nothing(
    shard: Shard, run: Run, source: str, kind: type[EssError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        run(source)
    assert "\n" not in str(caught.value)
    assert shard.changes() == ()


def test_only_the_servers_own_files_are_run(run: Run, tmp_path: Path) -> None:
    run("def row(row): pass\n")
    folder = modules_folder()
    (installed,) = folder.iterdir()
    with pytest.raises(UdbRequestError, match="not in the server's folder of modules"):
        find(folder, "mine", "0" * 64)
    with pytest.raises(UdbRequestError, match="not in the server's folder of modules"):
        find(folder, "mine", "")
    digest = install("mine", str(tmp_path / "mine.py"), where="-mod")
    assert find(folder, "mine", digest) == installed
    installed.write_text("def row(row): return False\n")
    with pytest.raises(UdbRequestError, match="another module 'mine'"):
        find(folder, "mine", digest)
    installed.rename(folder / "mine.py")
    assert find(folder, "mine", "") == folder / "mine.py"
    (folder / "mine.py").chmod(0o666)
    with pytest.raises(EssError, match="mine.py"):
        find(folder, "mine", "")


def test_a_server_without_a_folder_runs_none(shard: Shard) -> None:
    with pytest.raises(UdbRequestError, match="no folder of modules"):
        Scan(shard, ScanRequest("db", "", "log", module="mine"))
    with pytest.raises(OptionError, match=r"modules are Python files"):
        install("mine", "mine.so", where="-mod")
    with pytest.raises(OptionError, match="unexpected"):
        Scan(shard, ScanRequest("db", "", "log", module="../mine"), modules_folder())
