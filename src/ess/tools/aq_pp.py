"""``aq_pp``: reads records, passes each through a chain of rules, and hands rows to outputs and imports."""

from __future__ import annotations

import sys
from typing import NoReturn

from ess.pipeline import old_spellings, remembered, shared_options
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.plan import plan_chain
from ess.pipeline.sinks import ImportRequest, ImportSink
from ess.pipeline.source import RowSource
from ess.tools.process import asks_for_help, run_tool
from ess.tools.run import run_plan
from ess.udb.spec.import_attributes import IMPORT_ATTRIBUTES

_PREPARE = shared_options.SEED.group

OPTIONS = OptionTable(
    "aq_pp",
    "Reads records, passes each through the rules of the command line in their order, and prints or imports what comes "
    "out. Without an output or import, all columns go to the standard output as CSV.",
    (
        shared_options.VERB,
        shared_options.STAT,
        shared_options.TEST,
        shared_options.FILES,
        shared_options.COLUMNS,
        Option(
            "-cat",
            "Read records from more files after those of -f, with attributes and columns of their own. The rows have "
            "the columns of all inputs; one that an input lacks is 0 or blank.",
            ("File",),
            more="File|ColSpec",
            attributes=True,
            group=shared_options.INPUT,
        ),
        Option(
            "-exp",
            "Take rows and columns from a table or vector of a database, instead of -f and -d; ExpOpts are the options "
            "of aq_udb -exp but -o. The -- may be left out where nothing follows it.",
            ("DbName[:TabName]",),
            attributes=True,
            group=shared_options.INPUT,
            shown="-exp[,AtrLst] DbName[:TabName] [ExpOpts ...] [--]",
            until="--",
        ),
        Option(
            "-cnt",
            "Take the counts of aq_udb -cnt as rows of the columns field and count.",
            ("DbName[:TabName]",),
            attributes=True,
            group=shared_options.INPUT,
            shown="-cnt[,AtrLst] DbName[:TabName] [ExpOpts ...] [--]",
            until="--",
        ),
        shared_options.SEED,
        Option(
            "-rx",
            "The attributes of the regular expressions in functions whose own attributes choose no engine, e.g. pcre.",
            ("DefRgxAtr",),
            group=_PREPARE,
        ),
        Option(
            "-var",
            "Define a variable, which keeps its value from row to row, and what it starts with.",
            ("ColSpec", "Val"),
            group=_PREPARE,
        ),
        Option("-alias", "Give a column a second name.", ("ColName", "AltName"), group=_PREPARE),
        Option("-renam", "Give a column another name.", ("ColName", "NewName"), group=_PREPARE),
        shared_options.EVALUATE,
        shared_options.FILTER,
        Option(
            "-kenc",
            "Pack columns of any types into a string column of binary data.",
            ("ColSpec|ColName", "ColName"),
            more="ColName",
            group=shared_options.RULES,
        ),
        Option(
            "-kdec",
            "Unpack a string of -kenc into columns of the types that were packed; Type: takes a part without storing "
            "it. A + behind a spec packs that part into the string again, which then holds only those.",
            ("ColName", "ColSpec|ColName[+]"),
            more="ColSpec|ColName[+]",
            group=shared_options.RULES,
        ),
        Option(
            "-mapf",
            "Extract parts of a string by a pattern that matches all of it: literals, %* and %? as wild cards, and "
            "%%Name[:@class][:[chars]][:min[-max]][,brks]%% for a part; -mapc renders the parts. Attributes are ncas "
            "(ignore case) and those of regular expressions, whose groups are the parts %%0%%, %%1%% and so on.",
            ("ColName", "MapFrom"),
            attributes=True,
            group=shared_options.RULES,
        ),
        Option(
            "-mapc",
            "Render a template into a string column: literals, and %%Name[:b64|:url[Num]][[:start]:length][,brks]%% "
            "for what -mapf has extracted; blank where it has not matched.",
            ("ColSpec|ColName", "MapTo"),
            group=shared_options.RULES,
        ),
        Option(
            "-map",
            "Rewrite a string column by a pattern as for -mapf and a template as for -mapc; left alone where it does "
            "not match.",
            ("ColName", "MapFrom", "MapTo"),
            attributes=True,
            group=shared_options.RULES,
        ),
        Option(
            "-sub",
            "Replace a string by what a table has for it: column to of the first record whose column from is equal. "
            "Attributes are those of -f and ncas (ignore case), pat (? and * in from are wild cards), req (drop rows "
            "without a match) and all (a row for every match).",
            ("ColName", "File"),
            more="File|ColSpec",
            attributes=True,
            group=shared_options.RULES,
        ),
        Option(
            "-grep",
            "Let the rows go on whose string is in column from of a table. Attributes are those of -f and ncas, pat "
            "(see -sub) and rev (the rows whose string is not).",
            ("ColName", "File"),
            more="File|ColSpec",
            attributes=True,
            group=shared_options.RULES,
        ),
        Option(
            "-cmb",
            "Join the columns of a table to the rows, by the columns that both have (with the column attribute cmb "
            "such a column is joined instead; key marks those to join by). The first record that matches is taken. "
            "Attributes are those of -f and ncas (ignore case), req (drop rows without a match) and all (a row for "
            "every match). With mrg the rows and the files must be sorted by the key, and the files are read along "
            "with the rows instead of into memory; dec if both are descending.",
            ("File",),
            more="File|ColSpec",
            attributes=True,
            group=shared_options.RULES,
        ),
        Option(
            "-pmod",
            "Run a module on the rows: the function row(row) of the Python file ModSrc, which may change, drop and "
            "multiply them (see the manual), or without a file "
            'unwrap_strv("From_Col", "From_Sep", "To_Col" [, "AtrLst"]), which makes a row of each '
            "part of a string; a separator ends each part, also the last (relax: it separates them), and blank "
            "parts count unless noblank is given.",
            ("ModSpec",),
            more="ModSrc",
            group=shared_options.RULES,
            shown='-pmod ModName("Arg1", "Arg2", ...) [ModSrc]',
        ),
        *shared_options.CONDITIONS,
        Option("-true", "A check that holds.", group=shared_options.GROUPS),
        Option("-false", "A check that fails; as a rule it drops the row.", group=shared_options.GROUPS),
        Option("-skip", "The row goes no further.", group=shared_options.GROUPS),
        Option("-quit", "Stop everything now, without this row.", group=shared_options.GROUPS),
        Option("-quitafter", "Stop everything once this row is through.", group=shared_options.GROUPS),
        Option(
            "-top", "Stop everything once NumRows rows have come this far.", ("NumRows",), group=shared_options.GROUPS
        ),
        shared_options.ROWS_TO,
        shared_options.SELECT,
        Option(
            "-ovar",
            "Print the final values of all variables, or of those of a -c right behind it, to a file (- for stdout). "
            "Attributes are those of -o.",
            ("File",),
            attributes=True,
            group=shared_options.OUTPUT,
        ),
        Option(
            "-imp",
            "Import the rows that get here into a table or vector of a database, columns matched by name. Without "
            f"TabName only the primary keys are imported. Attributes are {shared_options.listed(IMPORT_ATTRIBUTES)}.",
            ("DbName[:TabName]",),
            attributes=True,
            group=shared_options.OUTPUT,
        ),
        *shared_options.SERVERS,
        Option(
            "-mod",
            "Pass the rows of the -imp before it through the function row(row) of a Python file, as -pmod does for "
            "the chain. It runs here, not on the servers.",
            ("ModSpec",),
            more="ModSrc",
            group=shared_options.OUTPUT,
            shown="-mod ModName[(Arg, ...)] ModSrc",
        ),
        *old_spellings.COMMON,
        *old_spellings.IMPORTS,
        Option("-emod", "Function modules need no loading any more.", ("Module",), obsolete=True),
    ),
    missing=(("-rownum", "use -eval Col $RowNum"),),
)


def main(argv: list[str]) -> int:
    """Run ``aq_pp`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if asks_for_help(argv):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    if known := remembered.recall(argv):
        return run_plan(OPTIONS.tool, argv, *known)
    uses = parse_command_line(OPTIONS, argv)
    plan = plan_chain(uses, open_import=_open_import, open_rows=_open_rows)
    remembered.remember(argv, uses, plan)
    return run_plan(OPTIONS.tool, argv, plan, [use.name for use in uses])


def command() -> NoReturn:
    """The command ``aq_pp``."""
    run_tool(OPTIONS.tool, main)


def _open_import(request: ImportRequest) -> ImportSink:
    from ess.udb.client.importing import open_import  # heavy, and most runs have no import

    return open_import(request)


def _open_rows(use: Use) -> RowSource:
    from ess.tools.exported_rows import ExportedRows

    return ExportedRows(use)
