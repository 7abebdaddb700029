"""ARCHITECTURE.md and the pages beside it name the parts, files and sections that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.order import LONGEST
from tests.test_layering import ORDER, SOURCE, UDB_ROOMS

ROOT = SOURCE.parent.parent
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "docs/performance.md")
MANUAL = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "manual").glob("*.md"))

#: Parts that have their place in the order and do not exist yet.
PLANNED = {"warehouse", "sql", "web"}

#: What is made by a set-up or a run, or is not a file of ours.
MADE = (".venv", "../shared", "manifest.json", "udbd-Port.data", "Name.spec")

#: Stands for the name of a tool.
NAME = "NAME"


def first_column(heading: str) -> list[str]:
    """The names in the first column of the table that has this heading."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    table = text[text.index(f"| {heading} |") :].split("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The sections of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_table_of_parts_is_the_order_of_the_layers() -> None:
    assert first_column("part") == [part for part in ORDER if part not in {*PLANNED, "__init__"}]


def test_the_table_of_rooms_is_their_order() -> None:
    assert tuple(first_column("room")) == UDB_ROOMS


@pytest.mark.parametrize("page", PAGES)
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    named = re.findall(r"`([\w./-]+(?:\.py|\.md|\.sh|/))`", (ROOT / page).read_text("utf-8"))
    places = (ROOT, SOURCE, SOURCE / "tools" / "warm", ROOT / "docs")
    missing = [name for name in named if NAME not in name and not any((place / name).exists() for place in places)]
    assert [name for name in missing if not name.startswith(MADE)] == []


@pytest.mark.parametrize("page", [*PAGES, *MANUAL])
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    here = ROOT / page
    wrong: list[str] = []
    for target, section in re.findall(r"\]\(([^)#:\s]*)(?:#([\w-]+))?\)", here.read_text("utf-8")):
        there = here.parent / target if target else here
        if not there.exists() or (section and section not in anchors(there)):
            wrong.append(f"{target}#{section}")
    assert wrong == []


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []
