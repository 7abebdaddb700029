"""``aq_udb``: counts, exports, sorts, changes and clears what the database servers hold."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from ess.errors import OptionError
from ess.pipeline import old_spellings, shared_options
from ess.pipeline.counts import Counts, leave_counts
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.tools.process import run_tool
from ess.udb.scan.rules import GROUP_OPTIONS, RULE_OPTIONS

_DO = "Operations, one of which must be given"
_RULES = "Rules for -exp, -cnt and -scn, done for each row in the order of the command line"
_RESULT = "The result of -exp"
_DATABASE = "DbName[:TabName]"

OPTIONS = OptionTable(
    "aq_udb",
    "Counts, exports, sorts, changes and clears what the database servers hold. DbName is a database of the working "
    "folder (spec=File behind the operation names another spec file); TabName is a table or vector of it, or var; "
    "without it, or with '.', the primary keys are meant.",
    (
        shared_options.VERB,
        replace(shared_options.STAT, help="Print a line with the number of rows to stderr at the end."),
        shared_options.TEST,
        *(replace(option, group=shared_options.GLOBAL) for option in shared_options.SERVERS),
        Option("-crt", "Define the database on its servers; the first import does it too.", ("DbName",), "", True, _DO),
        Option(
            "-alt",
            "Take over the Var vector of the present spec: columns that were there keep their values, new ones are 0 "
            "or blank. Everything else must be as before.",
            ("DbName",),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-clr",
            "Remove a table's rows, make a vector's or the Var columns 0 or blank, or without TabName remove "
            "everything together with the definition.",
            (_DATABASE,),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-save",
            "Write one state of the whole database into a folder, s3://Bucket/Path, az://Container/Path or LABEL:Path "
            "of a datastore: Parquet files, and a manifest that names them.",
            ("DbName", "Place"),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-load",
            "Put what was saved into the database, which must be empty and may have another number of servers.",
            ("DbName", "Place"),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-chk", "Check a spec file, or that of a database; nothing is printed if it is right.", ("Spec",), group=_DO
        ),
        Option(
            "-inf",
            "Print how many keys there are, and rows in each table and vector; asis: for each server.",
            ("DbName",),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-probe",
            "See whether all servers are there and know the database: exit code 0 if so. With -stat or -verb, also how "
            "much memory they hold.",
            ("DbName",),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-ord",
            "Sort the rows of each key, by the tkey column or by ColName; without TabName, every table that has a tkey "
            "column, or the keys if columns of the key are named. dec: descending; ncas: without regard to ASCII case.",
            (_DATABASE,),
            more="ColName",
            attributes=True,
            group=_DO,
        ),
        Option(
            "-shf",
            "Put the rows of each key into a random order, which -seed chooses; without TabName, the keys.",
            (_DATABASE,),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-exp",
            "Print the rows, or the keys. asis: the Var columns of each server, not merged; seg=N1[-N2]/N[:V]: the "
            "keys of some of N segments only.",
            (_DATABASE,),
            attributes=True,
            group=_DO,
        ),
        Option(
            "-cnt",
            "Count the rows that pass the rules (row) and the keys that have such rows (pkey); attributes as for -exp.",
            (_DATABASE,),
            attributes=True,
            group=_DO,
        ),
        Option("-scn", "Go through the rows, for what the rules change.", (_DATABASE,), attributes=True, group=_DO),
        replace(shared_options.SEED, group=_RULES),
        Option("-var", "Set a column of the Var vector before the first row.", ("ColName", "Val"), group=_RULES),
        *(replace(option, group=_RULES) for option in (*RULE_OPTIONS, *GROUP_OPTIONS)),
        Option(
            "-mod",
            "Run a module on the servers: a Python file with a function key(key), called for each key before its rows, "
            "or row(row), called for each row that the rules let through. Without ModSrc, one that is installed there.",
            ("ModSpec",),
            more="ModSrc",
            group=_RULES,
            shown="-mod ModName[(Arg, ...)] [ModSrc]",
        ),
        Option(
            "-sort",
            "Sort the result; dec: descending (rows that compare equal then come in reverse); ncas: without regard to "
            "ASCII case.",
            ("ColName",),
            more="ColName",
            attributes=True,
            group=_RESULT,
        ),
        old_spellings.DESCENDING,
        replace(old_spellings.DATABASE, help="The old form of -exp DbName:TabName."),
        Option("-lim_usr", "The old name of -lim_key.", ("Num",), obsolete=True),
        Option("-lim_key", "The maximum number of keys, about, divided among the servers.", ("Num",), group=_RESULT),
        Option("-lim_rec", "The maximum number of rows, about, divided among the servers.", ("Num",), group=_RESULT),
        Option("-key_rec", "The maximum number of rows of each key.", ("Num",), group=_RESULT),
        Option("-top", "The first Num rows, or M rows from the N-th on.", ("Num|N:M",), group=_RESULT),
        Option("-last", "The last Num rows, or M rows up to the N-th from the end.", ("Num|N:M",), group=_RESULT),
        replace(shared_options.ROWS_TO, group=_RESULT),
        Option(
            "-c",
            "Select the columns: ColName, Vec.ColName or Var.ColName, each also with a new label or a printf format; * "
            "for all and + for all but the key's, also as Vec.* and Vec.+; ^ColName to change and ~ColName to drop one "
            "that is selected.",
            ("ColName",),
            more="ColName",
            group=_RESULT,
            shown="-c ColName[:NewName][+NumPrintFormat] ... | * | + | Vec.* | ^ColName... | ~ColName ...",
        ),
    ),
)

NAME = OPTIONS.tool


def main(argv: list[str]) -> int:
    """Run ``aq_udb`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if argv and argv[0] in ("-h", "--help"):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = parse_command_line(OPTIONS, argv)
    if uses and uses[0].name == "-chk":
        return _check(uses)
    from ess.udb.command.operations import plan

    names = [use.name for use in uses]
    operation = plan([use for use in uses if use.name not in ("-verb", "-stat", "-test")])
    if names.count("-test") == 1:
        return 0
    from ess.udb.command.perform import memory, perform, reach  # loads the engines and the transport

    if "-test" in names:
        reach(operation)
        return 0
    rows = perform(operation)
    if operation.name == "-probe" and ("-verb" in names or "-stat" in names):
        held = memory(operation)
        for address, size in held if "-verb" in names else ():
            print(f"{NAME}: server {address}: mem={size >> 10}K", file=sys.stderr)
        print(f"{NAME}: mem={sum(size for _, size in held) >> 10}K", file=sys.stderr)
    elif "-verb" in names or "-stat" in names:
        print(f"{NAME}: rec={rows}", file=sys.stderr)
    leave_counts(NAME, argv, Counts(read=rows, out=rows))
    return 0


def _check(uses: Sequence[Use]) -> int:
    from pathlib import Path

    from ess.schema.columns import valid_name
    from ess.udb.spec.spec_file import read_spec
    from ess.udb.spec.target import load_spec

    if len(uses) > 1:
        raise OptionError(f"{uses[1].name} has no effect with -chk", where=uses[1].where, hint="leave it out")
    name = uses[0].arguments[0]
    is_file = Path(name).is_file() or not valid_name(name)
    spec = read_spec(Path(name)) if is_file else load_spec(name, where="-chk")
    if not spec.definition.key:
        raise OptionError(
            "the database has no key", where=name, hint="add a section @PKey: s:userid, or a table with a pkey column"
        )
    return 0


def command() -> NoReturn:
    """The command ``aq_udb``."""
    run_tool(NAME, main)
