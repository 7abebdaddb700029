"""Sources of records: ``-f`` and ``-d``, ``-cat``, an export, and the reading of one file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ess.errors import OptionError
from ess.formats.attributes import Format, InputAttributes, below_titles, parse_input_attributes
from ess.formats.columns import InputColumns, parse_input_columns
from ess.formats.known.definition import Titles
from ess.pipeline.options import Use
from ess.schema.columns import Column

if TYPE_CHECKING:
    from ess.formats.reader import InputBatch
    from ess.pipeline.started import StartedFile
    from ess.schema.batch import Batch

#: The input that means the standard input.
STDIN = "-"

_BRINGS_COLUMNS = "an 'aq' input brings its own columns"


#: The form of a column spec, to tell it from a file's name before it.
_SPEC = re.compile(
    r"(?:X[A-Z]{0,2}|sep:.*|(?:s|f|ls|l|is|ip|i|x[a-z]{0,2})(?:,[^:]+)*:.*)\Z", re.IGNORECASE | re.DOTALL
)


class RowSource(Protocol):
    """Rows that come from elsewhere than a file, an export of a database, say."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of its batches, in order."""
        ...

    def batches(self) -> Iterator[Batch]:
        """The rows; connects only here."""
        ...


@dataclass(frozen=True)
class InputPlan:
    """A source of records.

    ``files`` holds names as given, ``-`` for stdin; ``separators`` is for the ``div`` format (see ``InputColumns``).
    With ``rows``, they come from there, and ``files`` has one name for messages. ``started`` is the first file of an
    ``aq`` input, or of one with titles, which has been opened for its columns.
    """

    files: tuple[str, ...]
    attributes: InputAttributes
    columns: tuple[Column, ...]
    separators: tuple[bytes, ...] = ()
    rows: RowSource | None = None
    started: StartedFile | None = None


class RowSourceOpener(Protocol):
    """Opens rows for the pipeline, which does not know where they come from."""

    def __call__(self, use: Use) -> RowSource:
        """The source that an ``-exp`` or ``-cnt`` stands for; does not connect."""
        ...


def plan_rows(uses: Sequence[Use], open_rows: RowSourceOpener) -> InputPlan | None:
    """The input that an ``-exp`` or ``-cnt`` describes, or None if there is neither.

    Raises:
        OptionError: If there are two, or other inputs too.
    """
    found = [use for use in uses if use.name in ("-exp", "-cnt")]
    if not found:
        return None
    for use in uses:
        if use.name in ("-f", "-d") or (use in found and use is not found[0]):
            raise OptionError(
                f"{use.name} beside {found[0].name}", where=use.where, hint=f"{found[0].name} is the whole input"
            )
    rows = open_rows(found[0])
    return InputPlan((found[0].arguments[0],), InputAttributes(), tuple(rows.columns), rows=rows)


def plan_input(uses: Sequence[Use], *, required: bool = True) -> InputPlan:
    """The input that ``-f`` and ``-d`` describe; without ``-f`` it is stdin.

    Raises:
        OptionError: For a wrong attribute or column spec, no columns (where ``required``), or some for an ``aq`` input.
        InputOpenError: If an ``aq`` input cannot be opened.
        InputReadError: If it does not begin with its columns.
    """
    source = single_use(uses, "-f")
    definition = single_use(uses, "-d")
    attributes = parse_input_attributes(list(source.attributes), where=source.where) if source else InputAttributes()
    files = source.arguments if source and source.arguments else (STDIN,)
    if attributes.format is Format.AQ:
        if definition is not None:
            raise OptionError(_BRINGS_COLUMNS, where=definition.where, hint="leave out -d")
        return _started(files, attributes)
    if definition is not None and definition.attributes:
        attributes = _titled(definition, attributes)
    elif definition is None and source is not None and required and attributes.format is Format.SEPARATED:
        attributes = _titled_by_itself(source, attributes)
    specs = definition.arguments if definition else ()
    if not specs and attributes.format is Format.PARQUET:
        return _started(files, attributes)
    if not specs and attributes.known is not None and attributes.known.titles is not Titles.NONE:
        return _started(files, attributes)
    brings = attributes.known is not None
    given = parse_input_columns(specs, attributes, where="-d") if definition or brings else InputColumns(())
    if required and not any(column.wanted for column in given.columns):
        what = "all input columns are unwanted (X)" if given.columns else "no input columns are defined"
        raise OptionError(what, where="-d", hint="e.g. -d s:Name i:Count X")
    return InputPlan(files, attributes, given.columns, given.separators)


def _titled(definition: Use, attributes: InputAttributes) -> InputAttributes:
    """The attributes of an input whose ``-d`` has some."""
    for word in definition.attributes:
        if word.strip().lower() != "title":
            raise OptionError(f"unknown attribute '{word}'", where=definition.where, hint="-d,title takes titles")
    if attributes.known is not None:
        return attributes
    return replace(attributes, known=below_titles(attributes.format, definition.where))


def _titled_by_itself(source: Use, attributes: InputAttributes) -> InputAttributes:
    """The attributes of an input without ``-d``: its first record names the columns."""
    if attributes.known is not None:
        return attributes
    if attributes.skip:
        raise OptionError(
            "no input columns are defined",
            where=source.where,
            hint="give them with -d, e.g. -d s:Name i:Count X; or leave out +1, so that the titles name the columns",
        )
    return replace(attributes, known=below_titles(attributes.format, source.where))


def with_used_columns(source: InputPlan, keys: Collection[str]) -> InputPlan:
    """The input, with the values of these columns only where its reader can do without the others; all are checked."""
    return replace(source, columns=tuple(replace(column, used=column.key in keys) for column in source.columns))


def single_use(uses: Sequence[Use], name: str) -> Use | None:
    """The only use of an option, or None.

    Raises:
        OptionError: If it is used twice.
    """
    found = [use for use in uses if use.name == name]
    if len(found) > 1:
        raise OptionError(f"{name} is given twice", where=found[1].where, hint=f"give everything after one {name}")
    return found[0] if found else None


def input_of_files(
    arguments: Sequence[str],
    attributes: InputAttributes,
    *,
    where: str,
    default: tuple[str, ...] = (),
    extra: frozenset[str] = frozenset(),
) -> InputPlan:
    """The input of ``File [File ...] ColSpec [ColSpec ...]``: the first word is a file, and specs follow the files.

    Args:
        arguments: The words.
        attributes: Those of the input.
        where: The option, for errors.
        default: The columns where none are given; a bare word of these is a spec too.
        extra: Further column attributes that the caller accepts.

    Raises:
        OptionError: If a spec is wrong, or there is none.
    """
    count = next(
        (n for n, word in enumerate(arguments) if n and (_SPEC.match(word) or word.lower() in default)), len(arguments)
    )
    if attributes.format is Format.AQ:
        if count < len(arguments):
            raise OptionError(_BRINGS_COLUMNS, where=where, hint=f"leave out {' '.join(arguments[count:])}")
        return _started(tuple(arguments), attributes)
    specs = tuple(arguments[count:]) or default
    if not specs and attributes.format is Format.PARQUET:
        return _started(tuple(arguments), attributes)
    if not specs and attributes.known is not None and attributes.known.titles is not Titles.NONE:
        return _started(tuple(arguments), attributes)
    if not specs and attributes.known is None:
        raise OptionError("no columns are given for the file", where=where, hint="name them behind it, e.g. s:Name X")
    columns = parse_input_columns(specs, attributes, where=where, extra=extra)
    return InputPlan(tuple(arguments[:count]), attributes, columns.columns, columns.separators)


def _started(files: tuple[str, ...], attributes: InputAttributes) -> InputPlan:
    """An input that brings its columns: those at the beginning of its first file."""
    from ess.pipeline.started import StartedFile  # loads what reads it, which other formats do not need here

    started = StartedFile(files[0], attributes)
    return InputPlan(
        files, replace(attributes, every_title=attributes.known is not None), started.columns, started=started
    )


def read_file(plan: InputPlan, file: str, stdin: BinaryIO | None) -> Iterator[InputBatch]:
    """The batches of one file of an input; read one by one, so that record numbers and limits start again in each."""
    from ess.formats.reader import InputBatch, read_input  # loads the engines; a command line is checked without them

    if plan.rows is not None:
        return (InputBatch(frame, frame.height, (), file) for frame in plan.rows.batches())
    if plan.started is not None and (stream := plan.started.take(file)) is not None:
        from ess.pipeline.started import read_started

        return read_started(stream, file, plan.attributes, plan.columns)
    return read_input([file], plan.attributes, plan.columns, separators=plan.separators, stdin=stdin)
