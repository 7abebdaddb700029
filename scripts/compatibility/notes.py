"""Notes on names that do not work here, or that work in another way.

A gap is strict: a name of the manuals that does not work must stand in ``GAPS``, and one that works must not.
Differences of functions stand in the function table.
"""

from __future__ import annotations

_OLD_ACTION = "removed in 1.2.4: the action's name without _usr or _all, and DbName without TabName"
_OLD_GROUP = "removed in 1.2.2: the same options without pp_"


#: (page, heading, name) -> why it is not here, and what to write instead.
GAPS: dict[tuple[str, str, str], str] = {
    ("aq_pp", "module sources of -pmod", "a C++ or mcc script"): "modules are Python files here (manual/modules.md)",
    ("aq_pp", "module sources of -pmod", "a compiled module"): "modules are Python files here: nothing is compiled",
    ("mcc.pmod", "module scripts", "mcc.pmod scripts"): "modules are Python files here (manual/modules.md)",
    ("mcc.umod", "module scripts", "mcc.umod scripts"): "modules are Python files here (manual/database-rules.md)",
    ("aq_sess", "column attributes", "noq"): "removed from all tools in 1.2.4: -f,sep=, or -f,div with sep: specs",
    ("ChangeLog", "options of aq_udb since 1.2.4", "-rx"): "name the engine in the function's attributes",
    ("ChangeLog", "to be removed", "QryParmExt"): "QryDec, whose arguments are columns and not one text",
    ("ChangeLog", "sources", "socket@IP:Port"): "never in a manual page: connect@ and listen@",
    ("ChangeLog", "sources", "servers@DbName:port"): "experimental and undocumented there: several connect@",
    ("ChangeLog", "removed options of aq_pp", "-rownum"): "removed in 2.0.0: -eval Col $RowNum",
    ("ChangeLog", "removed", "!ColName"): "removed in 2.0.0: ~ColName",
    ("ChangeLog-1.2.4", "removed options of aq_udb", "-exp_usr"): _OLD_ACTION,
    ("ChangeLog-1.2.4", "removed options of aq_udb", "-cnt_usr"): _OLD_ACTION,
    ("ChangeLog-1.2.4", "removed options of aq_udb", "-scn_usr"): _OLD_ACTION,
    ("ChangeLog-1.2.4", "removed options of aq_udb", "-ord_all"): _OLD_ACTION,
    ("ChangeLog-1.2.4", "removed options of aq_udb", "-clr_all"): _OLD_ACTION,
    (
        "ChangeLog-1.2.4",
        "removed options of aq_udb",
        "-spec",
    ): "removed in 1.2.4: the attribute spec=UdbSpec of the action",
    ("ChangeLog-1.2.4", "removed", "noq of a column"): "removed in 1.2.4: -f,div with sep: specs",
    ("objcnv", "command", "objcnv"): "retired in 1.2.4: aq_pp -f,jsn or aq_pp -f,xml, with the same -d",
    (
        "ChangeLog-1.2.4",
        "retired commands",
        "logcnv",
    ): "retired in 1.2.4: aq_pp -f,div with the same -d; a date of the attribute tim by -eval with DateToTime",
    (
        "ChangeLog-1.2.3",
        "replaced commands",
        "jsncnv",
    ): "replaced in 1.2.3 by objcnv -jsn, which is retired too: aq_pp -f,jsn",
    ("ChangeLog-1.2.3", "column attributes", "@Index"): "in no manual page: an X for each column that is left out",
    ("ChangeLog-1.2.3", "options of loginf", "-o_pp_atr"): "in no manual page: -o_typ tells the format",
    ("ChangeLog-1.2.3", "removed options of aq_pp", "-m"): "removed in 1.2.3",
    ("ChangeLog-1.2.2", "options of aq_pp", "-mesg"): "in no manual page of 2.0.0: -if ... -o - -c ... -endif",
    ("ChangeLog-1.2.2", "removed options of aq_pp", "-tag"): "removed in 1.2.2",
    ("ChangeLog-1.2.2", "removed options of aq_pp", "-fileid"): "removed in 1.2.2",
    (
        "ChangeLog-1.2.2",
        "removed options of aq_pp",
        "-rx_syntax",
    ): "removed in 1.2.2: attributes of the mapping options, or -rx",
    ("ChangeLog-1.2.2", "removed options of aq_udb", "-pp_var"): _OLD_GROUP,
    ("ChangeLog-1.2.2", "removed options of aq_udb", "-pp_evlc"): _OLD_GROUP,
    ("ChangeLog-1.2.2", "removed options of aq_udb", "-pp_filt"): _OLD_GROUP,
    ("ChangeLog-1.2.2", "removed options of aq_udb", "-pp_goto"): _OLD_GROUP,
    ("ChangeLog-1.2.2", "removed options of aq_udb", "-pp_end_of_scan"): _OLD_GROUP,
    ("ChangeLog-1.2.2", "streams with a label", "-,Label"): "in no manual page: messages say stdin and stdout",
}

_ARROW = "an Arrow IPC stream: our tools read it, and any program with Arrow; not a file of the reference system"
_OWN_HASH = "the selected part is another one than there: SegHash has numbers of its own"
_PYTHON = "modules are Python files"
_PCRE = "run on Python's engines, which lack a few constructs (manual/expressions.md)"

#: (page, heading, name) -> how a name that works differs.
DIFFERENCES: dict[tuple[str, str, str], str] = {
    ("aq-input", "formats", "bin"): _ARROW,
    ("aq-input", "formats", "aq"): _ARROW,
    ("aq-output", "attributes of -o", "bin"): _ARROW,
    ("aq-output", "attributes of -o", "aq"): _ARROW,
    (
        "aq-output",
        "attributes of -o",
        "jsn",
    ): "without the blank after { that the page shows: so are the published outputs",
    ("loginf", "formats of our own", "bin"): _ARROW,
    ("loginf", "formats of our own", "aq"): _ARROW,
    ("aq_sess", "attributes of -o", "bin"): _ARROW,
    ("aq_pp", "options", "-pmod"): _PYTHON,
    ("aq_pp", "options", "-mod"): _PYTHON,
    ("aq_udb", "options", "-mod"): _PYTHON,
    ("aq_pp", "options", "-kenc"): "the packed string is not the one of the reference system",
    ("aq-emod", "functions", "KeyEnc"): "the packed string is not the one of the reference system",
    ("aq_pp", "options", "-seed"): "$Random has a sequence of its own",
    ("aq_pp", "built-in variables", "$Random"): "the sequence is our own, the same on every machine",
    ("aq_udb", "built-in variables", "$Random"): "the sequence is our own, the same on every machine",
    ("aq_pp", "attributes of -imp", "seg=N1[-N2]/N"): _OWN_HASH,
    ("aq_pp", "attributes of -imp", "seg=N1[-N2]/N:V"): _OWN_HASH,
    ("aq_udb", "attributes of -exp", "seg=N1[-N2]/N"): _OWN_HASH,
    ("aq_udb", "attributes of -exp", "seg=N1[-N2]/N:V"): _OWN_HASH,
    ("aq_udb", "attributes of -cnt", "seg=N1[-N2]/N"): _OWN_HASH,
    ("aq_udb", "attributes of -cnt", "seg=N1[-N2]/N:V"): _OWN_HASH,
    ("aq_pp", "columns of -c", "ColName+NumPrintFormat"): "the format is checked: one conversion that fits a number",
    ("aq_udb", "columns of -c", "ColName+NumPrintFormat"): "the format is checked: one conversion that fits a number",
    ("aq_pp", "attributes of -mapf", "pcre"): _PCRE,
    ("aq_pp", "attributes of -map", "pcre"): _PCRE,
    ("aq-emod", "attributes of RxCmp, RxMap, RxReplace and RxRep", "pcre"): _PCRE,
    ("objcnv", "options, as attributes of -f", "-jsn"): "aq_pp -f,jsn",
    ("objcnv", "options, as attributes of -f", "-xml"): "aq_pp -f,xml",
    ("objcnv", "options, as attributes of -f", "-base BasSpec"): "aq_pp -f,jsn,base=BasSpec",
    (
        "ess summary",
        "ess summary",
        "--scan",
    ): "of a category it also reads the files, and tells what is in them; with --short or a field it only lists them",
    (
        "ess probe",
        "ess probe",
        "--pcmd",
    ): "the command gets the content of the file, and its output is printed as it is",
    ("aq_cat", "options", "-f"): "the inputs are read one after the other, not as their records come",
    ("loginf", "options", "-f_raw"): "reads what our own -o_raw has written",
    ("loginf", "options", "-o_raw"): "JSON of our own, for -f_raw",
    ("udbd", "actions", "start"): "the files are in udb below the working folder; committed rows are kept on disk too",
    ("udbd", "actions", "restart"): "committed rows are kept, unless the servers are volatile",
    (
        "udb-size",
        "estimates",
        "Total_storage_per_server",
    ): "the layout is another one, and a string is stored with each "
    "row that has it: manual/database.md, How much memory, says how many bytes each thing takes",
    ("udbd", "actions", "stop"): "committed rows come back with the next start",
}


#: What a page prints -> what is printed here, and why: the command, what the page shows, what stands here instead.
PRINTED: tuple[tuple[str, str, str], ...] = (
    ("`ess summary`", "`1M`", "`1.9M`: one decimal, as later outputs have it (`372.0K`)"),
    ("`ess summary NAME`", "`1M Mb`", "`1.9M`: the second unit is a slip of the page"),
    (
        "`ess summary NAME`",
        "ends its lines with `usecache`",
        "`Compression`, `Pkey` and `Comment` follow, for what is known of them",
    ),
    (
        "`ess summary NAME`",
        "first lines of a file of September 12",
        "those of the first file: the sample does not depend on how a disk lists its files",
    ),
    ("`aq_pp -o,jsn -`", '`{ "ColName":Value,...}`', "no blank after the brace, as in the published outputs"),
    (
        "`aq_pp ... X s:chem_fin`",
        "the heading `final`",
        "`chem_fin`: the page's command names the column so, and its other outputs do",
    ),
    ("`aq_udb -exp`", "keys in the order of their hashes", "keys in the order in which they were first seen"),
    ("`aq_udb -exp -lim_key 1`", "numbers in `extra_column`", "blank: no command of the page has filled it by then"),
    ("`loginf -f File`", "`Process Time` 0.000", "the time it took"),
    (
        "`ess cluster status`",
        "`cpu` and `disk`",
        "`pid`, and memory in MB of the machine; on EC2 also its state, addresses, cost, and when it stops by itself",
    ),
)


def note(key: tuple[str, str, str], failure: str | None, function_difference: str) -> tuple[str, str]:
    """The state of a name and what is to be said of it.

    Args:
        key: Page, heading and name.
        failure: Why it does not work, or None.
        function_difference: What the function table says of it.
    """
    if failure is not None:
        return "gap", GAPS.get(key, failure)
    different = DIFFERENCES.get(key, function_difference)
    return ("differs", different) if different else ("works", "")


def mistake(key: tuple[str, str, str], failure: str | None) -> str:
    """The mistake in the tables above about a name, or blank."""
    if failure is not None and key not in GAPS:
        return f"{key} does not work and is not declared: {failure}"
    if failure is None and key in GAPS:
        return f"{key} works: take it out of GAPS, and make pages"
    return ""
