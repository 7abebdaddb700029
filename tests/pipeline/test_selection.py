"""``-c``: which columns, in which order, under which labels."""

from __future__ import annotations

import pytest

from ess.errors import OptionError
from ess.language.scope import Scope
from ess.pipeline.selection import distinct_slots, select
from ess.schema import parse_column


def scope() -> Scope:
    made = Scope()
    for spec in ("s:Name", "i:Count", "f:Price"):
        made.add(parse_column(spec, where="-d"))
    made.add(parse_column("i:Sum", where="-var"), variable=True)
    return made


def chosen(*specs: str) -> list[tuple[str, str, str | None, int | None]]:
    names = scope()
    return [(c.slot.key, c.label, c.print_format, c.length) for c in select(specs, names, names.columns(), where="-c")]


def plain(*keys: str) -> list[tuple[str, str, str | None, int | None]]:
    return [(key, key.capitalize(), None, None) for key in keys]


def test_columns_come_in_the_order_given_with_the_label_they_were_defined_with() -> None:
    assert chosen("PRICE", "name") == plain("price", "name")


def test_a_star_means_every_column_but_no_variable() -> None:
    assert chosen("*") == plain("name", "count", "price")
    assert chosen("*", "sum") == [*plain("name", "count", "price"), ("sum", "Sum", None, None)]


def test_a_mark_at_the_start_implies_the_star() -> None:
    assert chosen("~count") == plain("name", "price")
    assert chosen("^name:Who", "~price") == [("name", "Who", None, None), ("count", "Count", None, None)]


def test_label_length_and_format_can_be_given_together() -> None:
    assert chosen("price:Cost+%.2f") == [("price", "Cost", "%.2f", None)]
    assert chosen("name,n=7") == [("name", "Name", None, 7)]
    assert chosen("name,n=-7:Who") == [("name", "Who", None, -7)]
    assert chosen("name:Who,n=7") == [("name", "Who", None, 7)]
    assert chosen("count+0x%x") == [("count", "Count", "0x%x", None)]
    assert chosen("price:Cost+%.2f,n=-6") == [("price", "Cost", "%.2f", -6)]
    assert chosen("price+%.2f,n=6", "price+<%.1f,>") == [
        ("price", "Price", "%.2f", 6),
        ("price", "Price", "<%.1f,>", None),
    ]
    assert chosen("count", "^count:n+%05d") == [("count", "n", "%05d", None)]


def test_a_column_may_come_twice_but_its_slot_is_handed_over_once() -> None:
    names = scope()
    selected = select(["name", "name:again"], names, names.columns(), where="-c")
    assert [c.label for c in selected] == ["Name", "again"]
    assert [slot.key for slot in distinct_slots(selected)] == ["name"]


def test_an_alias_labels_the_column() -> None:
    names = scope()
    names.alias("count", "Hits")
    assert [c.label for c in select(["Hits", "Count"], names, names.columns(), where="-c")] == ["Hits", "Count"]


@pytest.mark.parametrize(
    ("specs", "part"),
    [
        (["nam"], "did you mean 'Name'"),
        (["name+%d"], "no number"),
        (["price+%s"], "%s"),
        (["price+%d%d"], "%d%d"),
        (["name,x=1"], "x=1"),
        (["name", "~count"], "not selected"),
        (["name", "^count:c"], "not selected"),
        (["name", "~name"], "no column is left"),
        (["*:x"], "'*' takes nothing"),
        (["two words"], "bad column selection"),
        ([""], "bad column selection"),
        (["!a"], "a column is left out by ~a"),
    ],
)
def test_a_wrong_selection_is_explained(specs: list[str], part: str) -> None:
    with pytest.raises(OptionError) as caught:
        chosen(*specs)
    assert part in str(caught.value)
