"""The examples of docs/manual/python.md print what the page says, and it names every function."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import ess

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "python.md"


@pytest.mark.usefixtures("places")
def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, rows in (("1", "ann,2.5\nbob,1\n"), ("2", "ann,0.25\nbob,TBD\n"), ("3", "bob,1\n")):
        (tmp_path / f"sale_2014090{day}.csv").write_text("who,price\n" + rows)
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "page", str(PAGE), 0)
    assert len(test.examples) == 37
    try:
        assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0
    finally:
        ess.server_reset()


def test_the_table_names_every_function() -> None:
    words = set(re.findall(r"`([A-Za-z_.]+)`", PAGE.read_text()))
    short = {name for name in ess.__all__ if name.startswith(("drop_", "category_change_"))}
    assert {"drop_...", "..._comment"} <= words
    assert set(ess.__all__) - short - words - {"category_change_columnspec"} == set()
