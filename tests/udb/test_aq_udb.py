"""``aq_udb`` command lines and what they print, over two servers in this process."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from ess.errors import OptionError
from ess.language.tree import Slot
from ess.schema.batch import make_batch
from ess.tools import aq_udb
from ess.udb.client.import_claims import ImportIdentity
from ess.udb.client.importing import Import, ImportOptions
from ess.udb.command.query import export_batch
from ess.udb.spec.target import find_target

DEFINITION = """
@Table:log      s,pkey:user i,tkey:time s:word f:price
@Table:days     s,pkey:user i,+key:day is,+add:n
@Vector:totals  s,pkey:user l,+add:count f,+add:price
@Var:           l,+add:seen s:label
"""

ROWS: dict[str, list[tuple[Any, ...]]] = {
    "log": [
        (b"bob", 3, b"saw", 0.1),
        (b"ann", 2, b"Nail", 2.0),
        (b"bob", 1, b"nail", 0.2),
        (b"cyd", 5, b"glue", 1e20),
        (b"ann", 4, b"", -1.5),
    ],
    "days": [(b"ann", 1, 5), (b"ann", 1, -7), (b"ann", 2, 1), (b"bob", 1, 4)],
    "totals": [(b"ann", 2, 0.5), (b"bob", 2, 0.25)],
}


@pytest.fixture(autouse=True)
def database(start_server: Any, write_spec: Any) -> None:
    """A database on two servers, filled."""
    servers = write_spec(start_server(), start_server(), definition=DEFINITION)
    for number, (table, rows) in enumerate(ROWS.items()):
        target = find_target(f"db:{table}", where="test")
        assert target.table is not None
        columns = target.table.columns
        slots = [Slot(column.key, column.name, column.type) for column in columns]
        sink = Import(target, servers, slots, ImportOptions(), ImportIdentity(f"test {number}"), where="test")
        sink.write(make_batch([(c.key, c.type, [row[i] for row in rows]) for i, c in enumerate(columns)], len(rows)))
        sink.commit()


CASES = [
    (
        "-exp db:log -sort time",
        '"user","time","word","price"\n"bob",1,"nail",0.20000000000000001\n"ann",2,"Nail",2\n'
        '"bob",3,"saw",0.10000000000000001\n"ann",4,,-1.5\n"cyd",5,"glue",1e+20\n',
    ),
    ("-exp db:log -o,notitle - -sort,dec word -c word", '"saw"\n"nail"\n"glue"\n"Nail"\n\n'),
    ("-exp db:log -o,notitle - -sort,ncas word time -c word -top 2:3", '"glue"\n"nail"\n"Nail"\n'),
    ("-exp db:log -o,notitle - -sort time -c time -last 2", "4\n5\n"),
    ("-exp db:log -o,notitle - -sort time -c time -last 2:2", "3\n4\n"),
    (
        "-exp db:log -o,notitle - -sort time -c +",
        '1,"nail",0.20000000000000001\n2,"Nail",2\n3,"saw",0.10000000000000001\n4,,-1.5\n5,"glue",1e+20\n',
    ),
    (
        "-exp db:log -sort time -top 1 -c ~price ^time:when+%05d totals.price:sum+%.1f",
        '"user","when","word","sum"\n"bob",00001,"nail",0.2\n',
    ),
    (
        "-exp db:log -sort time -top 1 -c log.user totals.* seen",
        '"user","user","totals.count","totals.price","var.seen"\n"bob","bob",2,0.25,0\n',
    ),
    ("-exp db:log -o,tsv - -sort time -filt 'word ~== \"NAIL\"' -c user word", "user\tword\nbob\tnail\nann\tNail\n"),
    ("-exp db:days -sort user day", '"user","day","n"\n"ann",1,-2\n"ann",2,1\n"bob",1,4\n'),
    ("-exp db:totals -sort user", '"user","count","price"\n"ann",2,0.5\n"bob",2,0.25\n"cyd",0,0\n'),
    ("-exp db -sort user", '"user"\n"ann"\n"bob"\n"cyd"\n'),
    ("-exp db:. -sort user -c user TOTALS.Count", '"user","totals.count"\n"ann",2\n"bob",2\n"cyd",0\n'),
    ("-cnt db", '"field","count"\n"pkey",3\n'),
    ("-cnt db:log -filt 'price > 0 && totals.count > 0'", '"field","count"\n"pkey",2\n"row",3\n'),
    ("-cnt db:log -key_rec 1", '"field","count"\n"pkey",3\n"row",3\n'),
    ("-inf db -o,notitle -", "3,1,5,3,3\n"),
    ("-exp db:var", '"seen","label"\n0,\n'),
    ("-scn db:log -var label '\"x\"' -eval seen 'seen + 1'", ""),
    ("-probe db", ""),
    ("-crt db", ""),
    ("-clr db:totals", ""),
]


@pytest.mark.parametrize(("command", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_a_command_prints(command: str, expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert aq_udb.main(shlex.split(command)) == 0
    assert capfd.readouterr() == (expected, "")


def test_results_of_each_server(capfd: pytest.CaptureFixture[str]) -> None:
    aq_udb.main(["-inf,asis", "db", "-o,notitle", "-"])
    shares = [[int(n) for n in line.split(",")] for line in capfd.readouterr().out.splitlines()]
    assert [sum(numbers) for numbers in zip(*shares, strict=True)] == [3, 2, 5, 3, 3]
    aq_udb.main(["-cnt,asis", "db:log", "-o,notitle", "-"])
    assert capfd.readouterr().out == "".join(f'"pkey",{share[0]}\n"row",{share[2]}\n' for share in shares)
    aq_udb.main(["-scn", "db:log", "-eval", "seen", "seen + 1"])
    aq_udb.main(["-exp,asis", "db:var", "-o,notitle", "-"])
    assert capfd.readouterr().out == "".join(f"{share[2]},\n" for share in shares)


def test_a_var_vector_that_nobody_has_set_is_blank_on_each_server(capfd: pytest.CaptureFixture[str]) -> None:
    aq_udb.main(["-exp,asis", "db:var", "-o,notitle", "-"])
    assert capfd.readouterr().out == "0,\n0,\n"
    aq_udb.main(["-exp,asis", "db:var", "-o,notitle", "-", "-filt", "seen == 0"])
    assert capfd.readouterr().out == "0,\n0,\n"


def test_a_filter_may_hold_the_var_vector_back(capfd: pytest.CaptureFixture[str]) -> None:
    aq_udb.main(["-scn", "db:var", "-var", "seen", "5"])
    aq_udb.main(["-exp,asis", "db:var", "-o,notitle", "-", "-filt", "seen > 5"])
    aq_udb.main(["-exp", "db:var", "-o,notitle", "-", "-filt", "seen > 5"])
    assert capfd.readouterr().out == ""


def test_one_column_of_the_var_vector(capfd: pytest.CaptureFixture[str]) -> None:
    aq_udb.main(["-scn", "db:var", "-var", "label", '"x"'])
    for option in ("-exp", "-exp,asis"):
        aq_udb.main([option, "db:var", "-o,notitle", "-", "-c", "label"])
        aq_udb.main([option, "db:var", "-o,notitle", "-", "-filt", "seen == 0", "-c", "label"])
    assert capfd.readouterr().out == '"x"\n' * 6


def test_segments_are_all_of_the_database(capfd: pytest.CaptureFixture[str]) -> None:
    for segment in ("1/4", "2-3/4", "4/4"):
        aq_udb.main([f"-exp,seg={segment}:7", "db:log", "-o,notitle", "-", "-c", "time"])
    assert sorted(capfd.readouterr().out.split()) == ["1", "2", "3", "4", "5"]


def test_a_row_that_an_expression_cannot_process_changes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    from ess.errors import InputDataError

    with pytest.raises(InputDataError, match="nothing was changed"):
        aq_udb.main(["-scn", "db:log", "-eval", "price", "9", "-eval", "time", "8 / (time - time)"])
    aq_udb.main(["-cnt", "db:log", "-filt", "price == 9", "-o,notitle", "-"])
    assert capfd.readouterr().out == '"pkey",0\n"row",0\n'


def test_a_row_that_one_server_cannot_process_changes_nothing_on_the_other(capfd: pytest.CaptureFixture[str]) -> None:
    from ess.errors import InputDataError

    words = [("bob", "ann"), ("ann", "bob")]  # they are on different servers
    for wrong, right in words:
        with pytest.raises(InputDataError):
            aq_udb.main(["-exp", "db:log", "-eval", "price", "9", "-filt", f"user != '{wrong}' || 1 / (time - time)"])
        aq_udb.main(["-cnt", "db:log", "-filt", f"user == '{right}' && price == 9", "-o,notitle", "-"])
        assert capfd.readouterr().out == '"pkey",0\n"row",0\n'


def test_altering_the_variables(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from ess.errors import UdbRequestError

    spec = tmp_path / "conf" / "db.spec"
    text = spec.read_text()
    aq_udb.main(["-scn", "db:var", "-var", "label", '"x"', "-var", "seen", "7"])
    spec.write_text(text.replace("l,+add:seen s:label", "s:label is:seen f:new"))
    with pytest.raises(UdbRequestError, match="another definition"):
        aq_udb.main(["-exp", "db:var"])
    aq_udb.main(["-alt", "db"])
    aq_udb.main(["-alt", "db"])
    aq_udb.main(["-exp", "db:var"])
    # A number whose type changes keeps its value, as storing into a column does.
    assert capfd.readouterr().out == '"label","seen","new"\n"x",7,0\n'
    spec.write_text(spec.read_text().replace("l,+add:count", "i,+add:count"))
    with pytest.raises(UdbRequestError, match="only the Var vector can be altered, and 'totals' differs"):
        aq_udb.main(["-alt", "db"])


def test_shuffling(capfd: pytest.CaptureFixture[str]) -> None:
    def times() -> list[str]:
        capfd.readouterr()
        aq_udb.main(["-exp", "db:log", "-o,notitle", "-", "-c", "user", "time"])
        return capfd.readouterr().out.split()

    before = times()
    orders = set()
    for seed in range(8):
        aq_udb.main(["-ord", "db"])
        aq_udb.main(["-shf", "db:log", "-seed", str(seed)])
        found = times()
        assert sorted(found) == sorted(before)
        assert [line.split(",")[0] for line in found] == [line.split(",")[0] for line in before]
        orders.add(tuple(found))
    assert len(orders) > 1
    aq_udb.main(["-shf", "db"])
    assert sorted(times()) == sorted(before)
    with pytest.raises(OptionError, match="one row for a key"):
        aq_udb.main(["-shf", "db:totals"])


def test_a_spec_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "udb.spec").write_text((tmp_path / "conf" / "db.spec").read_text())
    aq_udb.main(["-crt", ":"])
    aq_udb.main(["-cnt", ":log"])
    assert capfd.readouterr().out == '"field","count"\n"pkey",0\n"row",0\n'
    # The names of its tables alone mean it too, as in the reference manual's sample spec.
    aq_udb.main(["-scn", "var", "-var", "seen", "3"])
    aq_udb.main(["-exp", "var", "-c", "label", "-o,notitle", "-"])
    aq_udb.main(["-clr", "var"])
    aq_udb.main(["-cnt", "log"])
    assert capfd.readouterr().out == '\n"field","count"\n"pkey",0\n"row",0\n'
    with pytest.raises(OptionError, match="there is no database 'lug'"):
        aq_udb.main(["-cnt", "lug"])


@pytest.mark.parametrize(
    ("text", "message"),
    [("@Server: x", "x.spec: the database has no key; add"), ("@Server: x @Var: i:n", "the database has no key")],
)
def test_a_spec_without_a_key_is_not_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.spec").write_text(text)
    with pytest.raises(OptionError, match=message):
        aq_udb.main(["-chk", "x.spec"])
    with pytest.raises(OptionError, match=r"y\.spec: cannot read the database spec"):
        aq_udb.main(["-chk", "y.spec"])


def test_spec_needs_its_file() -> None:
    with pytest.raises(OptionError, match="spec= lacks its file"):
        aq_udb.main(["-exp,spec=", "db:log"])


def test_probing_tells_how_much_memory_is_held(capfd: pytest.CaptureFixture[str]) -> None:
    aq_udb.main(["-probe", "db", "-verb"])
    *each, total = [int(line.rpartition("=")[2].rstrip("K")) for line in capfd.readouterr().err.splitlines()]
    assert len(each) == 2
    assert abs(sum(each) - total) <= 2
    assert total > 0


def test_old_spellings(capfd: pytest.CaptureFixture[str]) -> None:
    aq_udb.main(shlex.split("-db db -exp log -sort time -dec -top 1 -lim_usr 9 -c time"))
    assert capfd.readouterr().out == '"time"\n5\n'


def test_outputs_to_files_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ESS_COUNTS", str(tmp_path / "counts"))
    target = tmp_path / "out.csv"
    aq_udb.main(["-exp", "db", "-sort", "user", "-o", str(target), "-stat"])
    aq_udb.main(["-exp", "db", "-sort", "user", "-top", "1", "-o,app,notitle", str(target)])
    assert target.read_text() == '"user"\n"ann"\n"bob"\n"cyd"\n"ann"\n'
    assert capfd.readouterr().err == "aq_udb: rec=3\n"
    counts = [json.loads(line) for line in (tmp_path / "counts").read_text().splitlines()]
    assert [(line["tool"], line["read"], line["out"]) for line in counts] == [("aq_udb", 3, 3), ("aq_udb", 1, 1)]


def test_exports_for_python() -> None:
    rows, columns = export_batch(
        "db:log", columns=["user", "totals.price:sum"], filter="time < 4", sort=["time"], top=2
    )
    assert [label for _, label, _ in columns] == ["user", "sum"]
    assert rows.select([key for key, _, _ in columns]).rows() == [(b"bob", 0.25), (b"ann", 0.5)]
    with pytest.raises(OptionError, match="unknown column 'nothing'"):
        export_batch("db:log", columns=["nothing"])


def test_another_node_sees_its_share(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    found = []
    for node in ("0/2", "1/2", "2/3"):
        monkeypatch.setenv("ESS_UDB_NODE", node)
        aq_udb.main(["-exp", "db:log", "-o,notitle", "-", "-c", "time"])
        found.append(capfd.readouterr().out.split())
    assert sorted(found[0] + found[1]) == ["1", "2", "3", "4", "5"]
    assert found[0]
    assert found[1]
    assert found[2] == []  # a node without a server of this database
