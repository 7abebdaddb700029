"""The public examples of ``aq_udb``, line by line: its commands on its data give what it prints.

Two things differ from the page. Keys come in the order in which they were first seen, so here the
rows of the Philippines stand first; and what ``-eval`` stores stays, so the column that three
examples fill is emptied again before the page shows it empty.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.tools import aq_pp, aq_udb
from ess.udb.admin.admin import create_table, create_variable, create_vector, use
from ess.udb.server.server import UdbServer
from ess.udb.wire.access import make_access, read_server_access

TITLE = '"country","last_name","first_name","integer_col","float_col","float_2","grade","extra_column"'
PHILIPPINES = [
    '"Philippines","Lawrence","Lois",5350,99.909999999999997,0,,',
    '"Philippines","Kelley","Jacqueline",9678,3.5299999999999998,0,,',
    '"Philippines","Lawrence","Lois",0,0,12.300000000000001,"A",',
    '"Philippines","Kelley","Jacqueline",0,0,57.600000000000001,"F",',
]
PORTUGAL = [
    '"Portugal","Hamilton","Evelyn",1249,73.609999999999999,0,,',
    '"Portugal","Wheeler","Sarah",8356,45.289999999999999,0,,',
    '"Portugal","Hamilton","Evelyn",0,0,96.599999999999994,"C",',
    '"Portugal","Wheeler","Sarah",0,0,89,"F",',
]
ROWS = [*PHILIPPINES, *PORTUGAL]
TABLE = "my_database:country_table"
COUNT = "-eval defined_integer_var 'defined_integer_var + 1'"
NUMBER = "-eval extra_column '\"Row : \" + ToS(defined_integer_var)'"
BEGINS = "This record belongs to a user with a last name starting with h"
IS_H = '-if -filt \'PatCmp(last_name, "^H.*$", "ncas,rx")\''
TELL = f"{IS_H} -eval extra_column '\"{BEGINS}\"' -else -eval extra_column '\"The record does not\"' -endif"


def with_extra(rows: list[str], values: list[str]) -> list[str]:
    """Rows whose last column has a value."""
    return [f'{row}"{value}"' for row, value in zip(rows, values, strict=True)]


EXAMPLES: list[tuple[str, list[str]]] = [
    (f"-exp {TABLE}", [TITLE, *ROWS]),
    (f"-cnt {TABLE}", ['"field","count"', '"pkey",2', '"row",8']),
    ("-exp my_database", ['"country"', '"Philippines"', '"Portugal"']),
    ("-cnt my_database", ['"field","count"', '"pkey",2']),
    (f"-exp {TABLE} -lim_key 1", [TITLE, *PHILIPPINES]),
    (f"-exp {TABLE} -lim_usr 1", [TITLE, *PHILIPPINES]),
    (f"-exp {TABLE} -lim_rec 6", [TITLE, *ROWS[:6]]),
    (
        f"-exp {TABLE} -var defined_integer_var 0 -pp country_table {COUNT} {NUMBER} -endpp",
        [TITLE, *with_extra(ROWS, [f"Row : {n}" for n in range(1, 9)])],
    ),
    (
        f"-exp {TABLE} -pp country_table -bvar defined_integer_var 0 {COUNT} {NUMBER} -endpp",
        [TITLE, *with_extra(ROWS, [f"Row : {n}" for n in (1, 2, 3, 4) * 2])],
    ),
    (
        f"-exp {TABLE} {TELL}",
        [TITLE, *with_extra(ROWS, [BEGINS if "Hamilton" in row else "The record does not" for row in ROWS])],
    ),
    (f"-scn {TABLE} -eval extra_column '\"\"'", []),
    (f"-exp {TABLE} -o -", [TITLE, *ROWS]),
    (f"-exp {TABLE} -c country last_name first_name", [",".join(row.split(",")[:3]) for row in (TITLE, *ROWS)]),
    (f"-exp {TABLE} -o,notitle - -c country last_name first_name", [",".join(row.split(",")[:3]) for row in ROWS]),
    (f"-exp {TABLE} -sort country", [TITLE, *ROWS]),
    (
        f"-exp {TABLE} -sort last_name",
        [TITLE, PORTUGAL[0], PORTUGAL[2], *PHILIPPINES[1::2], *PHILIPPINES[0::2], PORTUGAL[1], PORTUGAL[3]],
    ),
    (
        f"-exp {TABLE} -sort,dec last_name -top 5",
        [TITLE, PORTUGAL[3], PORTUGAL[1], PHILIPPINES[2], PHILIPPINES[0], PHILIPPINES[3]],
    ),
    (f"-ord {TABLE} last_name", []),
    (f"-exp {TABLE}", [TITLE, *PHILIPPINES[1::2], *PHILIPPINES[0::2], *PORTUGAL[0::2], *PORTUGAL[1::2]]),
]


@pytest.fixture
def database(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database of the page, on one server in this process."""
    for name in ("exampledata.csv", "lookup.csv"):
        shutil.copy(shared / "published" / "etl-engine" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ESS_WORK_DIR", str(tmp_path / "conf"))
    make_access()
    server = UdbServer("127.0.0.1", 0, read_server_access())
    (tmp_path / "conf" / "my_database.spec").write_text(f"@Server: 127.0.0.1:{server.port}\n")
    columns = "s,pkey:country s,+first:last_name s,+first:first_name i,+add:integer_col f,+max:float_col f,+min:float_2"
    use("my_database")
    create_vector("country_vector", [*columns.split(), "s:grade", "s:extra_column"])
    plain = "s,pkey:country s:last_name s:first_name i:integer_col f:float_col f:float_2 s:grade s:extra_column"
    create_table("country_table", plain.split())
    create_variable(["i:defined_integer_var", "s:defined_string_var"])
    try:
        yield
    finally:
        server.shutdown()


def test_the_examples_print_what_the_page_prints(database: None, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    names = "s:last_name s:first_name s:country"
    into = "-ddef -udb -imp my_database:country_table"
    first = f"-f,+1 exampledata.csv -d f:float_col i:integer_col {names} {into}"
    second = f"-f,+1 lookup.csv -d s:grade f:float_2 {names} {into}"
    assert [aq_pp.main(shlex.split(line)) for line in (first, second)] == [0, 0]
    for command, expected in EXAMPLES:
        assert aq_udb.main(shlex.split(command)) == 0
        assert capfdbinary.readouterr().out.decode().splitlines() == expected, command
