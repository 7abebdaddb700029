"""The options of commands, for programs that take, complete or describe them."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ess.lake.category_options import OptionRow
    from ess.pipeline.options import Option, OptionTable

__all__ = ["attributes_of", "category_changes", "category_options", "option_tables", "udbd_verbs"]

#: The options whose attributes are those of -o.
_PRINTING = ("-o", "-ovar", "-olab", "-kx", "-kX")


def category_options() -> tuple[OptionRow, ...]:
    """The options of ``ess category add``.

    >>> [row.name for row in category_options()][:3]
    ['exclude', 'dateregex', 'dateformat']
    """
    from ess.lake.category_options import OPTION_ROWS

    return OPTION_ROWS


def category_changes() -> tuple[OptionRow, ...]:
    """The verbs of ``ess category change``.

    >>> [row.name for row in category_changes()][:3]
    ['pattern', 'exclude', 'dateregex']
    """
    from ess.lake.category_options import CHANGE_ROWS

    return CHANGE_ROWS


def option_tables() -> list[OptionTable]:
    """The option tables of all tools, in the order of their names.

    >>> [table.tool for table in option_tables()][:3]
    ['aq_cat', 'aq_cnt', 'aq_ord']
    """
    from importlib import import_module

    from ess.tools.launch import TOOLS

    return [import_module(f"ess.tools.{name}").OPTIONS for name in sorted((*TOOLS, "udbd"))]


def attributes_of(option: Option) -> dict[str, str]:
    """The attributes that may follow an option's name, with what they mean; only those of ``-f``, ``-o`` and ``-imp``.

    >>> table = option_tables()[0]
    >>> option = table.find("-f")
    >>> "tsv" in attributes_of(option)
    True
    """
    from ess.formats.attributes import INPUT_ATTRIBUTES, OUTPUT_ATTRIBUTES
    from ess.udb.spec.import_attributes import IMPORT_ATTRIBUTES

    if option.attributes and any("File" in argument for argument in (*option.arguments, option.more)):
        return OUTPUT_ATTRIBUTES if option.name in _PRINTING else INPUT_ATTRIBUTES
    return IMPORT_ATTRIBUTES if option.name == "-imp" else {}


def udbd_verbs() -> tuple[str, ...]:
    """The verbs of ``udbd``."""
    from ess.tools.udbd import VERBS

    return VERBS
