"""The shop and the word count of the public tutorial: what the reference system printed, on one machine and on two
workers."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from tests.published.shell import Shell, unpacked

PURCHASE_COLUMNS = "S:purchaseDate S:userID I:articleID f:price I:refID"
RECORDS, CLEAN, REJECTED = 41_031, 40_373, 658
"""Purchase records below the thirty title lines; how many fit; how many have ``TBD`` where a number belongs."""

IMPORT = (
    'ess stream purchase 2014-09-01 2014-09-30 "aq_pp -f,+1,eok - -d %cols'
    " -eval i:ptime 'DateToTime(purchaseDate,\\\"Y.m.d.H.M.S\\\")'"
    ' -eval is:t \'ptime - DateToTime(\\"2014-09-15\\",\\"Y.m.d\\")\''
    " -if -filt 't>0' -eval articleID 'articleID+1' -endif -imp wood:allsales\""
)


@pytest.fixture(scope="module")
def shop(machine: Shell, logs: Path) -> Shell:
    """Categories over the published logs."""
    machine.run("ess select local")
    machine.run(f'ess category add browse "{logs}/*browse_*"')
    machine.run(f'ess category add purchase "{logs}/*purchase_*"')
    machine.run(f'ess category change columnspec purchase "{PURCHASE_COLUMNS}"')
    return machine


@pytest.fixture(scope="module")
def sales(shop: Shell) -> Shell:
    """The shop with its purchases imported by user."""
    shop.run("ess create database wood")
    shop.run("ess create table allsales s,pkey:userid i,tkey:ptime i:articleid f:price i:refid")
    shop.run("ess create vector usersales s,pkey:userid i,+last:articleid f,+add:total")
    shop.run("ess udbd start")
    _, said = shop.both(IMPORT)
    assert f"{RECORDS:,} rows read = {CLEAN:,} imported + 0 filtered + {REJECTED} rejected" in said, said
    return shop


def test_lines_of_a_week_come_file_by_file_in_order(shop: Shell, shared: Path) -> None:
    lines = shop.run("ess stream browse 2014-09-01 2014-09-07 'wc -l'")
    assert lines == (shared / "published/woodworking/browse-wc-l-first-week.txt").read_bytes()


def test_cleaned_purchases_are_the_published_bytes(shop: Shell, shared: Path) -> None:
    out, said = shop.both("ess stream purchase '*' '*' \"aq_pp -f,+1,eok - -d %cols -o,notitle -\"")
    assert out == unpacked(shared / "published/woodworking/purchase-clean.csv.gz")
    assert f"{RECORDS:,} rows read = {CLEAN:,} out + 0 filtered + {REJECTED} rejected" in said, said


def test_the_import_holds_the_published_rows(sales: Shell, shared: Path) -> None:
    export = sales.run("ess exec 'aq_udb -exp wood:allsales'")
    published = unpacked(shared / "published/woodworking/allsales.csv.gz")
    if export == published:
        return
    assert sales.workers, "one server gives the published bytes: keys in first-seen order"
    title, *rows = export.splitlines()
    wanted_title, *wanted = published.splitlines()
    assert title == wanted_title
    assert Counter(rows) == Counter(wanted)
    keys = [key for key, _ in groupby(row.split(b",", 1)[0] for row in rows)]
    assert len(keys) == len(set(keys)), "the rows of a key stand together"


def test_the_best_users_are_the_published_ones(sales: Shell, shared: Path) -> None:
    sales.run('ess exec "aq_udb -ord wood:allsales"')
    sales.run(
        'ess exec "aq_udb -exp wood:allsales -o,notitle -'
        ' | aq_pp -f - -d s:userid X i:articleid f:total X -imp wood:usersales"'
    )
    best = sales.run('ess exec "aq_udb -exp wood:usersales -sort,dec total -top 10"')
    published = (shared / "published/woodworking/usersales-top10.csv").read_bytes()
    if not sales.workers:
        assert best == published
    assert rounded(best) == rounded(published)


def rounded(table: bytes) -> list[tuple[bytes, bytes, str]]:
    """Rows with the last column cut to 12 significant digits: sums depend on the order of their parts."""
    rows = [line.split(b",") for line in table.splitlines()[1:]]
    return [(user, article, f"{float(total):.12g}") for user, article, total in rows]


def test_the_most_frequent_words_are_the_published_ones(sales: Shell, shared: Path) -> None:
    # On the servers of the shop: a database more.
    sales.run("ess create database mapreduce")
    sales.run("ess create vector wordcount s,pkey:word i,+add:count")
    text = shared / "published/wordcount/pg98.txt"
    sales.run(
        f"tr -s '[[:punct:][:space:]]' '\\n' < '{text}' | aq_pp -d s:word -eval i:count 1 -imp mapreduce:wordcount"
    )
    best = sales.run("aq_udb -exp mapreduce:wordcount -sort,dec count -top 10")
    assert best == (shared / "published/wordcount/top10.csv").read_bytes()
