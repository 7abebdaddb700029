"""From files to an answer in Python: categories, a stream into a database, an export as a frame."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ess
from ess.errors import InputOpenError, OptionError, UdbConnectError

pytestmark = pytest.mark.usefixtures("places")


@pytest.fixture
def shop(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two days of sales, and a database."""
    monkeypatch.chdir(tmp_path)
    for day, rows in ((1, "ann,2.5\nM\xfcller,1\n"), (2, "ann,0.25\nbob,TBD\n")):
        (tmp_path / f"sale_2014090{day}.csv").write_bytes(b"who,price\n" + rows.encode("latin-1"))
    ess.select("local")
    ess.category_add("sale", "sale*", columnspec="S:who F:price")
    ess.create_database("shop")
    ess.create_table("sales", ["s,pkey:who", "f:price"])
    ess.create_vector("totals", ["s,pkey:who", "f,+add:price"])
    return tmp_path


@pytest.fixture
def server(shop: Path) -> Iterator[None]:
    """The database has a server that runs."""
    assert any("started" in line for line in ess.udbd("start"))
    yield
    ess.server_reset()


def test_a_stream_fills_a_table_and_an_export_gives_a_frame(server: None) -> None:
    command = "aq_pp -f,+1,eok,qui - -d %cols -imp shop:sales -imp shop:totals"
    done = ess.stream("sale", "2014-09-01", "2014-09-02", command)
    assert done.result.exit_code == 0, done.messages
    (stage,) = done.result.stages
    assert (stage.counts.read, stage.counts.out, stage.counts.rejected) == (4, 3, 1)
    frame = ess.export("shop:sales", columns=["who", "price"], filter="price >= 1", sort=["price"], descending=True)
    assert frame.schema == {"who": pl.Binary, "price": pl.Float64}
    assert frame.rows() == [(b"ann", 2.5), (b"M\xfcller", 1.0)]
    totals = ess.export("shop:totals", filter='who == "ann"')
    assert totals.schema == {"who": pl.String, "price": pl.Float64}
    assert totals.rows() == [("ann", 2.75)]
    assert ess.export("shop:totals", sort=["price"], top=1).height == 1
    assert ess.exec("aq_udb -cnt shop:sales").result.exit_code == 0


def test_what_is_missing_is_an_error(server: None) -> None:
    for target in ("nothing:sales", "shop:nothing"):
        with pytest.raises(OptionError):
            ess.export(target)
    with pytest.raises(OptionError):
        ess.export("shop:sales", columns=["nobody"])
    ess.udbd("stop")
    with pytest.raises(UdbConnectError):
        ess.export("shop:sales")


def test_a_cluster(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a1").write_text("1\n2\n")
    (tmp_path / "a2").write_text("3\n")
    ess.select("local")
    ess.category_add("a", "a*", noprobe=True)
    with pytest.raises(OptionError, match="unknown mode"):
        ess.cluster_set("moon")
    ess.cluster_set("local")
    try:
        status = ess.cluster_create(1)
        assert [node.health.value for node in status.nodes] == ["running", "running"]
        assert len(ess.cluster_nodes()) == 1
        assert ess.stream("a", "*", "*", "wc -l").lines == ["2", "1"]
    finally:
        assert ess.cluster_terminate()
    assert not ess.cluster_terminate()
    assert ess.cluster_status().state.desired is None


def test_definitions(server: None) -> None:
    (found,) = ess.server_summary()
    assert (found.name, found.active) == ("shop", True)
    ess.create_variable(["i:count"])
    ess.drop_table("sales")
    ess.create_database("other", ports=2)
    ess.use("shop")
    assert [database.active for database in ess.server_summary()] == [False, True]
    assert ess.server_summary("shop")[0].tables == ()
    ess.drop_vector("totals")
    ess.drop_variable()
    ess.drop_database("other")
    assert [database.name for database in ess.server_summary()] == ["shop"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ess.export("wood:sales", sort="price"), "ess.export: sort"),
        (lambda: ess.export("wood:sales", columns="price"), "ess.export: columns"),
        (lambda: ess.create_table("t", "s,pkey:a"), "ess.create_table: columns"),
        (lambda: ess.create_vector("t", "s,pkey:a"), "ess.create_vector: columns"),
        (lambda: ess.create_variable("i:a"), "ess.create_variable: columns"),
    ],
)
def test_one_text_in_place_of_several_is_named(call: Callable[[], object], said: str) -> None:
    with pytest.raises(OptionError) as failure:
        call()
    assert str(failure.value) == f"{said} must be a list or tuple of str, not str"


@pytest.mark.parametrize(("option", "value"), [("alls", 1), ("usecache", "yes"), ("comment", 5), ("columnspec", True)])
def test_a_value_of_a_wrong_type_is_not_stored(shop: Path, option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"^category add, {option}: the value must be "):
        ess.category_add("other", "sale*", **{option: value})
    if option != "alls":
        with pytest.raises(OptionError, match=f"^category change {option}: the value must be "):
            ess.category_change("sale", option, value)


def test_lines_are_told_as_they_come_and_given_back(server: None) -> None:
    said: list[str] = []
    assert ess.udbd("stop", say=said.append) == said != []


def test_a_job_tells_its_progress(shop: Path) -> None:
    seen: list[tuple[int, int]] = []
    ends: list[str] = []
    ess.stream("sale", command="cat", progress=lambda now: seen.append((now.files, now.all_files)), trace=ends.append)
    assert seen[-1] == (2, 2)
    assert [line.split(":")[0].rpartition("/")[2] for line in sorted(ends)] == [
        "sale_20140901.csv",
        "sale_20140902.csv",
    ]
    ess.execute("true", trace=ends.append)
    assert len(ends) == 3


def test_the_compression_of_a_file(shop: Path) -> None:
    (shop / "a.gz").write_bytes(gzip.compress(b"1"))
    assert (ess.compression("a.gz"), ess.compression("sale_20140901.csv")) == ("gzip", "none")
    with pytest.raises(InputOpenError):
        ess.compression("nothing")
