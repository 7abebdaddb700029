"""The page itself: the names by manual page, each with its state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from compatibility import trying
from compatibility.ess_names import ESS
from compatibility.names import GROUPS as TOOL_GROUPS
from compatibility.names import Group
from compatibility.notes import PRINTED, mistake, note

#: All names of the manuals.
GROUPS = (*TOOL_GROUPS, *ESS)

STATES = ("works", "differs", "gap")
_INTRODUCTION = """\
Every option, attribute, function and other name of the reference manuals (`reference/manpages` of
`auriq/essentia_docs`, and of `reference/manuals` the pages of `ess` but for cluster, query and redshift), page by page,
with its state here. The states are not opinions: when this page is made, each name is looked up in the
tables that the program runs by, or tried on sample data. What *differs* says how; a *gap* says why, and what to write
instead. A test fails when a gap starts to work, or when something else does not. What Essentia has beside these names
is on the pages of the [reference](reference)."""

_PRINTED_INTRODUCTION = """\
Outputs that tutorials and manuals print come out the same here, line by line, but for these."""


@dataclass(frozen=True)
class Entry:
    """A name of a manual: where it stands, its state, what is to be said of it, and what is wrong with saying so."""

    page: str
    heading: str
    name: str
    state: str
    note: str
    mistake: str


def entries() -> list[Entry]:
    """All names with their states."""
    found = []
    with trying.samples():
        for group in GROUPS:
            for shown, tried in names(group):
                key = (group.page, group.heading, shown)
                failure = trying.failure(group, tried)
                state, text = note(key, failure, _told(group, tried))
                found.append(Entry(*key, state, text, mistake(key, failure)))
    return found


def names(group: Group) -> list[tuple[str, str]]:
    """A group's names as they are shown and as they are tried."""
    return [(shown, tried or shown) for shown, _, tried in (name.partition(" => ") for name in group.names)]


def _told(group: Group, name: str) -> str:
    found = trying.function(name) if group.functions else None
    if found is None:
        return ""
    return found.differences or (f"only in {found.only_in}" if found.only_in and name != "RowCount" else "")


def compatibility_page(notice: str) -> str:
    """The Markdown page.

    Args:
        notice: The comment that says where the page comes from.
    """
    found = entries()
    blocks = ["# Compatibility", notice, _INTRODUCTION]
    totals = Counter((entry.page, entry.state) for entry in found)
    pages = list(dict.fromkeys(entry.page for entry in found))
    rows = [[page, *(totals[page, state] for state in STATES)] for page in pages]
    rows.append(["all", *(sum(totals[page, state] for page in pages) for state in STATES)])
    blocks.append(_table(["page", *STATES], [[str(cell or "") for cell in row] for row in rows]))
    blocks.append("## Printed results")
    blocks.append(_PRINTED_INTRODUCTION)
    blocks.append(_table(["command", "its page prints", "here"], [list(row) for row in PRINTED]))
    for page in pages:
        blocks.append(f"## {page}")
        for heading in dict.fromkeys(entry.heading for entry in found if entry.page == page):
            here = [entry for entry in found if (entry.page, entry.heading) == (page, heading)]
            blocks.append(f"### {heading[0].upper()}{heading[1:]}" if heading[0].isalpha() else f"### {heading}")
            working = " ".join(_code(entry.name) for entry in here if entry.state == "works")
            if working:
                blocks.append(f"Works: {working}")
            others = [[_code(entry.name), entry.state, entry.note] for entry in here if entry.state != "works"]
            if others:
                blocks.append(_table(["name", "state", "how or why"], others))
    return "\n\n".join(blocks) + "\n"


def _code(name: str) -> str:
    return f"`` {name} ``" if "`" in name else f"`{name}`"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
