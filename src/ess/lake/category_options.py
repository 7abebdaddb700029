"""The options of a category, in one table.

The options of ``ess category add``, the arguments of ``ess.category_add``, the verbs of ``ess category change``, the
completion and the reference page are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class OptionRow:
    """One row of the table.

    Args:
        name: Of the option, without dashes, and of the argument in Python.
        default: What holds if the option is not given; False for a switch.
        help: What it does.
        change: What ``ess category change`` with its name does; blank: it stays as the category was made.
        change_help: The help of the new value there; for a switch, of the two words.
        off: The word that turns a switch off there; blank: it is turned on only, and needs no word.
        metavar: What stands for its value in the help, if not the type.
    """

    name: str
    default: str | bool | None
    help: str
    change: str
    change_help: str
    off: str
    metavar: str | None

    @property
    def is_switch(self) -> bool:
        """True if it is on or off, and has no value."""
        return isinstance(self.default, bool)


def _row(text: str, *, change: str = "", change_help: str = "", metavar: str | None = None) -> Any:
    """A row for an option with a value."""
    about = {"default": None, "help": text, "change": change, "change_help": change_help or text, "off": ""}
    return field(default=None, metadata={**about, "metavar": metavar})


def _switch(text: str, *, change: str = "", change_help: str = "", off: str = "") -> Any:
    """A row for a switch."""
    about = {"default": False, "help": text, "change": change, "change_help": change_help or text, "off": off}
    return field(default=False, metadata={**about, "metavar": None})


@dataclass(frozen=True, kw_only=True)
class CategoryOptions:
    """The options that a category is made with, as typed."""

    exclude: str | None = _row(
        "Patterns of files to leave out.",
        change="Change which files are left out.",
        change_help="Patterns of files to leave out; a blank one leaves none out.",
    )
    dateregex: str | None = _row(
        "How to find the date in a name: auto, none or a pattern.",
        change="Change where the date stands in a name.",
        change_help="auto, none, or a pattern with [:%Y:] ...",
    )
    dateformat: str | None = _row(
        "The older form of --dateregex, e.g. *Y-M-D*.",
        change="Change where the date stands in a name, in the older form.",
        change_help="auto, none, or e.g. *Y-M-D*.",
    )
    archive: str | None = _row(
        "Patterns of files in archives, which are its files then.",
        change="Change which files in archives are its files.",
        change_help="Patterns of files in archives; a blank one: archives are files themselves.",
    )
    compression: str | None = _row(
        "The required compression; none: take bytes as they are; auto: each file's first bytes tell.",
        change="Change how files are decompressed.",
    )
    delimiter: str | None = _row(
        r"One character, \t or \xHH.",
        change="Change the delimiter.",
        change_help=r"One character, \t or \xHH; a blank one: records are not divided.",
    )
    format: str | None = _row(
        "The format of the records by its name, e.g. combined or alb; auto: it is recognised; none: records have a"
        " delimiter.",
        change="Change the format of the records, with its columns.",
    )
    columnspec: str | None = _row("Columns, e.g. 'S:day I:user X'.", change="Change the columns.")
    preprocess: str | None = _row(
        "Shell command that the data goes through first.",
        change="Change the command that the data goes through first; the columns stay.",
        change_help="Shell command; a blank one for none.",
    )
    alls: bool = _switch("Make all columns strings.", change="Make all columns strings.")
    allx: bool = _switch("Leave all columns out.", change="Leave all columns out.")
    overwrite: bool = _switch("Replace a category of that name.")
    label: str | None = _row("Datastore to use.", metavar="LABEL")
    comment: str | None = _row("A note about the category.", change="Change the comment.", change_help="The comment.")
    noprobe: bool = _switch(
        "Do not look into the files.",
        change="Look into the files again, or forget what was found in them.",
        change_help="Forget delimiter and columns, or find them again.",
        off="probe",
    )
    usecache: bool = _switch(
        "Keep the list of files until it is scanned again.",
        change="Change whether the list of files is kept.",
        change_help="Keep the list of files, or look at the disk each time.",
        off="nocache",
    )
    pkey: str | None = _row(
        "Name of the key column.",
        change="Change the name of the key column.",
        change_help="Name of the key column; a blank one for none.",
    )


#: The table, in the order of the help page.
OPTION_ROWS = tuple(OptionRow(item.name, **item.metadata) for item in fields(CategoryOptions))

#: The patterns are an argument of ``ess category add`` and no option; ``ess category change`` knows them as well.
_PATTERN = OptionRow(
    "pattern",
    None,
    "Patterns, separated by spaces.",
    "Change the patterns.",
    "Patterns, separated by spaces.",
    "",
    None,
)

#: What ``ess category change`` can change.
CHANGE_ROWS = (_PATTERN, *(row for row in OPTION_ROWS if row.change))
