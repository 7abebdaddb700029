"""``loginf``: finds out what is in a log file: format, columns, types, ranges, uniqueness.

- ``source``: reads an input of unknown columns; ``typed_source``: one that tells them; ``declared_source``: one whose
  columns are told.
- ``profile``: what was found; ``report``: prints it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ess.errors import InputOpenError, InputReadError, OptionError, OutputOpenError, OutputWriteError
from ess.formats.attributes import Format, parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.pipeline import shared_options
from ess.pipeline.counts import Counts, leave_counts
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.source import STDIN, single_use
from ess.tools.process import asks_for_help, let_interrupts_through, run_tool

if TYPE_CHECKING:
    from ess.tools.loginf.profile import Profile
    from ess.tools.loginf.source import Request

_INPUT = "Input"
_OUTPUT = "Output"

OPTIONS = OptionTable(
    "loginf",
    "Finds out what is in files of records: how many rows and columns, and for each column its label, the lengths, "
    "types and ranges of its values, samples, and about how many different values it has (the error is below 2 % "
    "nearly always). Without an output option it prints the report.",
    (
        replace(shared_options.VERB, help="Print a line to stderr for every file."),
        Option("-cmax", "How many columns a record may have (default 4096).", ("Num",), group=shared_options.GLOBAL),
        Option(
            "-f",
            "Analyze the files, - for the standard input, which is also read when there is neither -f nor -f_raw. "
            "Compressed files are recognized. Attributes are csv, sep=c, tsv, tab, bin, aq, esc, +Num[b|r|l] and "
            "bz=BufSize as for aq_pp; lim=Num: at most Num records of each file; notitle: the first record does "
            "not label the columns, which it does else if no number or address is in it; auto: find the format, and "
            "whether there are labels, from the first 256 KB. Records that are separated or in columns of fixed "
            "width, HTML tables, bin and aq are analyzed; of JSON and XML only the format is told.",
            more="File",
            attributes=True,
            group=_INPUT,
        ),
        Option("-lim", "The maximum number of records of each file.", ("Num",), group=_INPUT),
        Option("-d", "Analyze the columns of these numbers only.", ("ColId",), more="ColId", group=_INPUT),
        Option(
            "-pp_d",
            "The columns, as aq_pp -d has them. Records are read as aq_pp reads them, with all its formats and "
            "attributes of -f; those that it would reject are left out and counted by reason.",
            ("ColSpec",),
            more="ColSpec",
            group=_INPUT,
        ),
        Option("-f_raw", "Add what -o_raw has written.", ("File",), more="File", group=_INPUT),
        Option(
            "-pp_eok",
            "How many percent of a column's values may be of another type than the one that is chosen for it "
            "(default 0).",
            ("Percent",),
            group=_OUTPUT,
        ),
        Option(
            "-o", "Print the report, which is JSON, to a file, - for the standard output.", ("File",), group=_OUTPUT
        ),
        Option("-b64", "Print the strings of the report as base64.", group=_OUTPUT),
        Option("-o_raw", "Store the result for -f_raw.", ("File",), group=_OUTPUT),
        Option("-o_typ", "Print one line that describes the format of the input.", ("File",), group=_OUTPUT),
        Option("-o_pp_col", "Print column specs for the -d of aq_pp, one a line.", ("File",), group=_OUTPUT),
    ),
)

NAME = OPTIONS.tool

_OUTPUTS = ("-o", "-o_raw", "-o_typ", "-o_pp_col")
_MOST_COLUMNS = 4096


def main(argv: list[str]) -> int:
    """Run ``loginf`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if asks_for_help(argv):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = parse_command_line(OPTIONS, argv)
    from ess.tools.loginf.profile import to_json
    from ess.tools.loginf.report import column_specs, format_description, report

    started = time.monotonic()
    request = _request(uses)
    accepted = _percent(single_use(uses, "-pp_eok"))
    stored = single_use(uses, "-f_raw")
    source = single_use(uses, "-f")
    files = source.arguments if source is not None else ()
    if not files and (source is not None or stored is None):
        files = (STDIN,)
    let_interrupts_through()
    profile = _gather(files, stored, request, single_use(uses, "-verb") is not None)
    outputs = [use for use in uses if use.name in _OUTPUTS]
    encoded = single_use(uses, "-b64") is not None
    seconds = time.monotonic() - started
    for name, target in [(use.name, use.arguments[0]) for use in outputs] or [("-o", STDIN)]:
        if name == "-o":
            text = report(profile, seconds=seconds, accepted_errors=accepted, encoded=encoded)
        elif name == "-o_raw":
            text = json.dumps(to_json(profile))
        elif name == "-o_typ":
            text = format_description(profile)
        else:
            text = "\n".join(column_specs(profile, accepted_errors=accepted))
        _print(text + "\n" if text else "", target, name)
    if request.declared is not None:
        rejected = sum(profile.rejected.values())
        leave_counts(NAME, argv, Counts(profile.rows.count + rejected, profile.rows.count, 0, rejected))
    return 0


def command() -> NoReturn:
    """The command ``loginf``."""
    run_tool(NAME, main)


def _request(uses: Sequence[Use]) -> Request:
    from ess.tools.loginf.source import Request

    source = single_use(uses, "-f")
    words = list(source.attributes) if source is not None else []
    attributes = parse_input_attributes(words, where="-f", extra=frozenset({"lim=", "notitle", "auto"}))
    specs = single_use(uses, "-pp_d")
    if specs is not None and ("auto" in attributes.others or single_use(uses, "-d") is not None):
        raise OptionError("-d and auto find columns that -pp_d tells", where="-pp_d", hint="leave them out")
    if specs is not None and attributes.format.is_arrow:
        raise OptionError(
            f"'{attributes.format.value}' inputs have columns of their own", where="-pp_d", hint="leave it out"
        )
    analysed = attributes.known or attributes.format in (Format.SEPARATED, Format.BINARY, Format.AQ, Format.TABLE)
    if specs is None and not analysed:
        raise OptionError(
            f"'{attributes.format.value}' inputs cannot be analyzed",
            where="-f",
            hint=f"convert it: aq_cat -f,{attributes.format.value} File -d ColSpec ... | loginf",
        )
    limit: int | None = None
    for word in attributes.others:
        if word.startswith("lim="):
            limit = _whole(word[4:], "-f", most=2**62)
    if (option := single_use(uses, "-lim")) is not None:
        limit = _whole(option.arguments[0], "-lim", most=2**62)
    selected = single_use(uses, "-d")
    most = single_use(uses, "-cmax")
    return Request(
        attributes,
        "auto" in attributes.others,
        "notitle" not in attributes.others,
        limit,
        frozenset(_whole(word, "-d") for word in selected.arguments) if selected is not None else frozenset(),
        _whole(most.arguments[0], "-cmax") if most is not None else _MOST_COLUMNS,
        parse_input_columns(specs.arguments, attributes, where="-pp_d") if specs is not None else None,
    )


def _whole(text: str, where: str, *, most: int = 1_000_000) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= most):
        raise OptionError(f"'{text}' is not a whole number above 0", where=where)
    return int(text)


def _percent(use: Use | None) -> float:
    if use is None:
        return 0.0
    try:
        value = float(use.arguments[0])
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise OptionError(f"'{use.arguments[0]}' is not a percentage", where=use.where)
    return value


def _gather(files: Sequence[str], stored: Use | None, request: Request, verbose: bool) -> Profile:
    from ess.formats.codecs import open_decompressed
    from ess.tools.loginf.profile import Profile, from_json
    from ess.tools.loginf.source import analyse

    def say(text: str) -> None:
        print(f"{NAME}: {text}", file=sys.stderr)

    profile = Profile()
    for name in stored.arguments if stored is not None else ():
        profile.merge(from_json(_stored(name), where=name), where=name)
    for name in files:
        if verbose:
            say(name)
        if name == STDIN:
            analyse(open_decompressed(sys.stdin.buffer, name="standard input"), "stdin", request, profile, say)
        else:
            with open_decompressed(name) as stream:
                analyse(stream, name, request, profile, say)
    return profile


def _stored(name: str) -> object:
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise InputOpenError(f"cannot open it: {error.strerror}", where=name) from None
    try:
        return json.loads(data)
    except ValueError:
        raise InputReadError("it is not what -o_raw writes", where=name) from None


def _print(text: str, target: str, where: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    if target == STDIN:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        file = Path(target).open("wb")  # noqa: SIM115 - opening and writing fail in different ways
    except OSError as error:
        raise OutputOpenError(f"cannot open it: {error.strerror}", where=f"{where} {target}") from None
    try:
        with file:
            file.write(data)
    except OSError as error:
        raise OutputWriteError(f"cannot write to it: {error.strerror}", where=f"{where} {target}") from None
