"""Imports get their rows in batches and become visible only when everything else has succeeded."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ess.errors import OptionError, UdbConnectError
from ess.language.tree import Slot
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.plan import plan_chain
from ess.pipeline.run import RunError, Streams, run
from ess.pipeline.sinks import ImportRequest
from ess.schema.batch import Batch
from ess.tools.aq_pp import OPTIONS


@dataclass
class FakeImport:
    """Takes the columns named in ``wanted`` and remembers what happens to it."""

    request: ImportRequest
    wanted: tuple[str, ...] = ("k",)
    events: list[Any] = field(default_factory=list)
    fail_to_connect: bool = False

    @property
    def slots(self) -> tuple[Slot, ...]:
        by_name = {slot.name.lower(): slot for slot in self.request.available}
        return tuple(by_name[name] for name in self.wanted)

    def connect(self) -> None:
        if self.fail_to_connect:
            raise UdbConnectError("no server", where="localhost:10010")
        self.events.append("connect")

    def write(self, batch: Batch) -> None:
        self.events.append(batch.rows())

    counted = True

    def commit(self) -> int:
        self.events.append("commit")
        return sum(len(event) for event in self.events if isinstance(event, list))

    def abort(self) -> None:
        self.events.append("abort")


class Database:
    """Opens fake imports and keeps them."""

    def __init__(self, *wanted: str, fail_to_connect: bool = False) -> None:
        self.wanted = wanted
        self.fail_to_connect = fail_to_connect
        self.imports: list[FakeImport] = []

    def open(self, request: ImportRequest) -> FakeImport:
        self.imports.append(FakeImport(request, self.wanted or ("k",), [], self.fail_to_connect))
        return self.imports[-1]


def run_with(database: Database, stdin: str, *argv: str) -> tuple[object, str]:
    plan = plan_chain(parse_command_line(OPTIONS, argv), open_import=database.open)
    out = io.BytesIO()
    messages: list[str] = []
    counts = run(plan, Streams(io.BytesIO(stdin.encode()), out, messages.append))
    return counts, out.getvalue().decode()


def test_rows_are_staged_then_committed_and_counted() -> None:
    database = Database("k", "n")
    counts, out = run_with(
        database, "a,1\nb,2\nc,x\n", "-f,eok", "-", "-d", "s:k", "i:n", "-filt", "n > 1", "-imp", "db:t"
    )
    assert database.imports[0].events == ["connect", [(b"b", 2)], "commit"]
    assert str(counts) == "Counts(read=3, out=1, filtered=1, rejected=1, imported=1, repeated=0)"
    assert out == ""


def test_the_request_says_what_the_command_line_says() -> None:
    database = Database()
    run_with(
        database,
        "a\n",
        *("-d", "s:k", "-var", "i:v", "0", "-alias", "k", "key2"),
        *("-imp,ddef,seg=1/2", "db:t", "-server", "h1:1", "h2", "-local", "-imp", "other"),
    )
    first, second = (made.request for made in database.imports)
    assert (first.target, first.attributes, first.servers, first.local) == (
        "db:t",
        ("ddef", "seg=1/2"),
        ("h1:1", "h2"),
        True,
    )
    assert (second.target, second.servers, second.local, second.ordinal) == ("other", (), False, 1)
    assert {(slot.name.lower(), slot.key) for slot in first.available} == {("k", "k"), ("v", "v"), ("key2", "k")}


def test_the_old_spellings_of_an_import() -> None:
    database = Database()
    run_with(database, "a\n", "-d", "s:k", "-ddef", "-udb", "-imp", "db:t", "-udb", "large", "-imp", "t1", "-imp", "t2")
    assert [made.request.target for made in database.imports] == ["db:t", "large:t1", "large:t2"]
    assert all("ddef" in made.request.attributes for made in database.imports)


def test_the_older_spellings_of_an_import() -> None:
    database = Database()
    run_with(
        database,
        "a\n",
        *("-d", "s:k", "-spec", "my.spec", "-imp", "t", "-seg", "1/2", "-nobnk", "-nonew", "-db", "base", "-imp", "u"),
    )
    first, second = (made.request for made in database.imports)
    assert (first.target, first.attributes) == ("t", ("spec=my.spec", "seg=1/2", "nobnk", "nonew"))
    assert (second.target, second.attributes) == ("base:u", ("spec=my.spec",))


def test_a_module_sees_the_rows_on_their_way_into_the_database(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "def init(by):\n    global factor\n    factor = by\n"
        "def row(row):\n    row['n'] *= factor\n    return row['k'] != 'b'\n"
    )
    database = Database("k", "n")
    words = ("-d", "s:k", "l:n", "-imp", "db:t", "-mod", "m(3)", str(tmp_path / "m.py"))
    counts, _ = run_with(database, "a,1\nb,2\nc,3000000000000000000\n", *words)
    assert database.imports[0].events == ["connect", [(b"a", 3), (b"c", 9000000000000000000)], "commit"]
    assert str(counts) == "Counts(read=3, out=3, filtered=0, rejected=0, imported=2, repeated=0)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def row(row):\n    row['m'] = 1\n", "m.py line 2: unknown column 'm'"),
        ("def row(row):\n    row.quit()\n", "cannot stop the run"),
        ("def row(row):\n    row.reject('no')\n", "m.py: no; reject records with -pmod"),
        ("def row(row):\n    pass\ndef done():\n    1 / 0\n", "m.py line 4: ZeroDivisionError"),
    ],
)
def test_a_module_that_fails_drops_the_import(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "m.py").write_text(source)
    database = Database()
    with pytest.raises(RunError) as caught:
        run_with(database, "a\n", "-d", "s:k", "-imp", "db:t", "-mod", "m", str(tmp_path / "m.py"))
    assert message in str(caught.value.error)
    assert database.imports[0].events[-1] == "abort"


def test_the_module_of_an_import_is_one_python_file() -> None:
    for words in (["-mod", "m"], ["-mod", "m", "a.py", "b.py"], ["-mod", "m", "m.so"], ["-mod", "(", "a.py"]):
        with pytest.raises(OptionError):
            run_with(Database(), "", "-d", "s:k", "-imp", "db:t", *words)


def test_an_import_in_a_branch_gets_the_rows_of_that_branch() -> None:
    database = Database()
    run_with(
        database,
        "a\nb\n",
        *("-d", "s:k", "-if", "-filt", 'k == "a"', "-imp", "db:x", "-else", "-imp", "db:y", "-endif"),
    )
    assert [made.events[1] for made in database.imports] == [[(b"a",)], [(b"b",)]]


def test_a_bad_record_drops_every_import() -> None:
    database = Database()
    with pytest.raises(RunError) as caught:
        run_with(database, "1\nx\n", "-d", "i:k", "-imp", "db:t", "-imp", "db:u")
    assert caught.value.error.exit_code == 13
    assert [made.events[-1] for made in database.imports] == ["abort", "abort"]
    assert all("commit" not in made.events for made in database.imports)


def test_an_output_that_fails_drops_the_import(tmp_path: Path) -> None:
    database = Database()
    with pytest.raises(RunError) as caught:
        run_with(database, "1\n", "-d", "i:k", "-imp", "db:t", "-o", "/dev/full")
    assert caught.value.error.exit_code == 22
    assert database.imports[0].events[-1] == "abort"


def test_an_unreachable_server_is_found_before_an_output_is_touched(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("old")
    with pytest.raises(RunError) as caught:
        run_with(Database(fail_to_connect=True), "1\n", "-d", "i:k", "-imp", "db:t", "-o", str(kept))
    assert caught.value.error.exit_code == 31
    assert kept.read_text() == "old"


def test_details_of_an_import_need_one() -> None:
    with pytest.raises(OptionError, match="-server cannot stand here"):
        plan_chain(parse_command_line(OPTIONS, ["-d", "i:k", "-server", "x"]), open_import=Database().open)


def test_an_import_of_many_rows_that_fails_on_the_way_is_dropped() -> None:
    rows = 400_000  # several batches, which are imported in a thread

    class Failing(FakeImport):
        def write(self, batch: Batch) -> None:
            if any(isinstance(event, list) for event in self.events):
                raise UdbConnectError("the server was lost", where="localhost:10010")
            super().write(batch)

    failing: list[Failing] = []

    def open_import(request: ImportRequest) -> Failing:
        failing.append(Failing(request))
        return failing[-1]

    plan = plan_chain(parse_command_line(OPTIONS, ["-d", "s:k", "i:n", "-imp", "db:t"]), open_import=open_import)
    text = "".join(f"key{row},{row}\n" for row in range(rows))
    with pytest.raises(RunError, match="the server was lost"):
        run(plan, Streams(io.BytesIO(text.encode()), io.BytesIO(), print))
    first, *others = failing[0].events[1:]
    assert isinstance(first, list)
    assert 0 < len(first) < rows
    assert others == ["abort"]


def test_an_import_of_many_rows_gets_them_in_their_order() -> None:
    database = Database()
    text = "".join(f"key{row},{row}\n" for row in range(400_000))
    run_with(database, text, "-d", "s:k", "i:n", "-imp", "db:t")
    _connect, *batches, commit = database.imports[0].events
    assert commit == "commit"
    assert [row for batch in batches for row in batch] == [(b"key%d" % row,) for row in range(400_000)]
