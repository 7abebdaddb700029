"""Option rows that several tools have.

A tool whose option says a little more, or stands under another heading, takes a copy with that changed.
"""

from __future__ import annotations

from dataclasses import replace

from ess.formats.attributes import INPUT_ATTRIBUTES, OUTPUT_ATTRIBUTES
from ess.pipeline.options import Option

GLOBAL = "Global options"
INPUT = "Input"
OUTPUT = "Output"
RULES = "Rules, done for each row in the order of the command line"
GROUPS = "Conditional groups"


def listed(attributes: dict[str, str]) -> str:
    """A table of attributes as a sentence of help."""
    return "; ".join(f"{name}: {meaning}" for name, meaning in attributes.items())


VERB = Option("-verb", "Print a line to stderr for every 10,000,000 records processed.", group=GLOBAL)
STAT = Option("-stat", "Print a line with the record counts to stderr at the end.", group=GLOBAL)
TEST = Option(
    "-test",
    "Check the command line and end; given twice, also open the inputs and reach the database servers.",
    group=GLOBAL,
)
FILES = Option(
    "-f",
    "Read records from the files, - for the standard input, which is also read when there is no -f. Compressed files "
    f"are recognized by their content. Attributes are {listed(INPUT_ATTRIBUTES)}.",
    more="File",
    attributes=True,
    group=INPUT,
)
COLUMNS = Option(
    "-d",
    "Name the columns of a record in order (with the attribute title: by the titles in its first record; without -d "
    "all of these are there), each Type[,AtrLst]:ColName. The types are S (string), F (double), L and "
    "LS (64-bit unsigned and signed integer), I and IS (32-bit), IP (address) and X (unwanted). Attributes are n=Len "
    "(exactly Len bytes), esc and clf (backslash escapes), hex (hexadecimal integer), trm (trim spaces), lo and up "
    "(change case).",
    more="ColSpec",
    attributes=True,
    group=INPUT,
)
ROWS_TO = Option(
    "-o",
    "Print the rows that get here to a file, - for the standard output: all columns, or those of a -c right behind it. "
    f"Attributes are {listed(OUTPUT_ATTRIBUTES)}.",
    ("File",),
    attributes=True,
    group=OUTPUT,
)
SELECT = Option(
    "-c",
    "Select the columns of the -o before it, or of one right behind it that has none, or print them to the standard "
    "output: * for all; ColName, also with a length, a new label or a printf format for a number; ^ColName to change "
    "and ~ColName to drop one that is selected.",
    ("ColName",),
    more="ColName",
    group=OUTPUT,
    shown="-c ColName[,n=Len][:NewName][+NumPrintFormat] ... | * | ^ColName... | ~ColName ...",
)


SEED = Option("-seed", "Where the random sequence of $Random starts (default 1).", ("RandSeed",), group="Preparation")
EVALUATE = Option(
    "-eval",
    "Store the value of an expression in a new column, in an existing column or variable, or nowhere (-).",
    ("ColSpec|ColName|-", "Expr"),
    group=RULES,
)
FILTER = Option("-filt", "Let only the rows go on for which the condition holds.", ("FilterSpec",), group=RULES)
CONDITIONS = (
    Option(
        "-if",
        "Start a group; its rules run for the rows that pass the check. Groups may stand within groups.",
        group=GROUPS,
        shown="-if RuleToCheck Rule ...",
    ),
    Option("-ifnot", "As -if, for the rows that do not pass.", group=GROUPS, shown="-ifnot RuleToCheck Rule ..."),
    Option(
        "-elif", "What to check for the rows that no check took so far.", group=GROUPS, shown="-elif RuleToCheck ..."
    ),
    Option("-elifnot", "As -elif, for the rows that do not pass.", group=GROUPS, shown="-elifnot RuleToCheck ..."),
    Option("-else", "The rules for the rows that no check took.", group=GROUPS),
    Option("-endif", "End the group.", group=GROUPS),
)
SERVERS = (
    Option(
        "-server",
        "The servers to use, instead of those in the database's spec; in aq_pp, for the -imp before it.",
        ("AdrSpec",),
        more="AdrSpec",
        group=OUTPUT,
    ),
    Option("-local", "Use this machine's servers only; in aq_pp, for the -imp before it.", group=OUTPUT),
)


def result_to(what: str) -> Option:
    """The row of ``-o`` for a tool whose output has columns of its own."""
    return replace(
        ROWS_TO,
        help=f"Print the {what} to a file, - for the standard output (default). Attributes are as for aq_pp.",
    )
