"""Questions that are often asked of the rows of a category; a line of commands answers each."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from typing import Any, TypedDict, Unpack

    import polars as pl

    from ess.api.results import AnswerOutput
    from ess.cluster.delivery import Sink
    from ess.cluster.stream import Progress
    from ess.questions.described import Described
    from ess.questions.question import Question, Range
    from ess.questions.source import Source

    class Asked(TypedDict, total=False):
        """Arguments of all questions."""

        where: str
        let: Sequence[str]
        exclude: str | None
        limit: int | None
        label: str | None


__all__ = ["answer", "columns", "columns_of", "head", "hist", "per_day", "question", "sessions", "top"]


def top(
    category: str,
    columns: str | Sequence[str],
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    by: str = "count",
    n: int = 10,
    **asked: Unpack[Asked],
) -> pl.DataFrame:
    r"""The values of columns that occur most often, or have the most of something.

    Args:
        category: Its name.
        columns: The column, or several.
        lower: The first date, or ``*`` (see :func:`ess.files`).
        upper: The last date.
        by: ``count``, ``sum(COLUMN)``, ``avg``, ``min``, ``max``, ``stddev``, or
            ``distinct``: how many different values.
        n: The most rows.
        asked: ``where``: only rows for which this expression holds, as ``-filt`` takes it; ``let``: further columns,
            each ``name=expression``; ``exclude``: globs of files to leave out; ``limit``: the maximum number of files;
            ``label``: the datastore, if not the selected one.

    Returns:
        A row for each value. Bad records are left out; a warning (``ess.errors.EssWarning``) tells how many.

    Raises:
        OptionError: If an argument is not valid.
        SystemFailure: If a file or a command failed, so that the answer would lack something.

    >>> import ess, pathlib, tempfile
    >>> _ = ess.select("local")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "sales_20140901.csv").write_text("user,price\nann,7\nbob,8\nann,2\n")
    >>> _ = ess.category_add("sales", f"{folder}/sales*", overwrite=True)
    >>> ess.top("sales", "user", by="sum(price)", n=1).rows()
    [('ann', 9, 2)]
    """
    return _frame("top", category, lower, upper, {"columns": columns, "by": by, "n": n}, asked)


def hist(
    category: str,
    column: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    bin: float | None = None,  # noqa: A002 - the word
    **asked: Unpack[Asked],
) -> pl.DataFrame:
    """The number of rows of each value of a column, or of each range of its numbers.

    Args:
        category: Its name.
        column: The column.
        lower: The first date, or ``*`` (see :func:`ess.files`).
        upper: The last date.
        bin: The width of the ranges. Without it there are about twenty, for which the files are read twice.
        asked: As for :func:`top`, whose errors it has.

    Returns:
        The lower bound of a range (``from``) or the value, and the number of rows (``count``), in order.
    """
    return _frame("hist", category, lower, upper, {"column": column, "bin": bin}, asked)


def per_day(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    by: str = "count",
    time: str | None = None,
    **asked: Unpack[Asked],
) -> pl.DataFrame:
    """The number of rows of each day in UTC, or something else of them (``ess days``).

    Args:
        category: Its name.
        lower: The first date of files, or ``*`` (see :func:`ess.files`).
        upper: The last date of files.
        by: As for :func:`top`.
        time: The time of a row in seconds since 1970: a column or an expression. Formats with a name bring it.
        asked: As for :func:`top`, whose errors it has.

    Returns:
        A row for each day that has rows, in order.
    """
    return _frame("days", category, lower, upper, {"by": by, "time": time}, asked)


def sessions(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    user: str | Sequence[str],
    gap: str | int = "30m",
    time: str | None = None,
    **asked: Unpack[Asked],
) -> pl.DataFrame:
    """The sessions of each user: rows of one user without a longer pause between them.

    Args:
        category: Its name.
        lower: The first date of files, or ``*`` (see :func:`ess.files`).
        upper: The last date of files.
        user: The column that says whose row it is, or several.
        gap: The longest pause: seconds, or a number with ``s``, ``m``, ``h`` or ``d``.
        time: As for :func:`per_day`.
        asked: As for :func:`top`, whose errors it has.

    Returns:
        A row for each session, in the order of their ends: user, start (UTC), duration in seconds, number of rows.
    """
    return _frame("sessions", category, lower, upper, {"user": user, "gap": gap, "time": time}, asked)


def head(
    category: str,
    lower: str | date = "*",
    upper: str | date = "*",
    *,
    columns: str | Sequence[str] = (),
    n: int = 10,
    **asked: Unpack[Asked],
) -> pl.DataFrame:
    """The first rows of a category.

    Args:
        category: Its name.
        lower: The first date, or ``*`` (see :func:`ess.files`).
        upper: The last date.
        columns: The columns, if not all.
        n: The most rows.
        asked: As for :func:`top`, whose errors it has.
    """
    return _frame("head", category, lower, upper, {"columns": columns, "n": n}, asked)


def columns(category: str, *, label: str | None = None) -> pl.DataFrame:
    """The columns of a category (``ess schema``): name, type as in a column spec, and what it holds if that is known.

    Args:
        category: Its name.
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If it does not exist, or its columns are not known.
    """
    import polars as pl

    rows = [(each.name, each.type, each.help) for each in columns_of(category, label=label)]
    return pl.DataFrame(rows, {"column": pl.String, "type": pl.String, "holds": pl.String}, orient="row")


def columns_of(category: str, *, label: str | None = None) -> list[Described]:
    """The same as a list."""
    from ess.lake import categories
    from ess.questions.described import described

    return described(categories.category(category, label=label))


def question(
    verb: str,
    category: str,
    lower: str | date,
    upper: str | date,
    arguments: Mapping[str, Any],
    **asked: Unpack[Asked],
) -> Question:
    """A question as the line of commands that answers it.

    Args:
        verb: ``top``, ``hist``, ``days``, ``sessions`` or ``head``.
        category: The name of the category.
        lower: The first date.
        upper: The last date.
        arguments: Those of that verb.
        asked: As for :func:`top`.

    Raises:
        OptionError: If an argument is not valid.
    """
    from ess.lake import categories
    from ess.lake.ranges import bound_text
    from ess.questions.question import Range
    from ess.questions.source import source_of

    source = source_of(categories.category(category, label=asked.get("label")))
    bounds = bound_text(lower, "lower bound"), bound_text(upper, "upper bound")
    files = Range(*bounds, asked.get("exclude"), asked.get("limit"), asked.get("label"))
    for column in asked.get("let", ()):
        source = source.let(column)
    if where := asked.get("where", ""):
        source.check_condition(where)
    return _VERBS[verb](source, files, where, **arguments)


def answer(
    question: Question,
    *,
    progress: Callable[[Progress], None] | None = None,
    stdout: Sink | None = None,
    stderr: Sink | None = None,
) -> AnswerOutput:
    """Run the commands of a question.

    Args:
        question: The question.
        progress: Called whenever files are done.
        stdout: A binary file for the answer, CSV with titles; without one it is collected.
        stderr: A binary file for messages; without one they are collected.

    Returns:
        The answer, and what became of the files. A command that fails is no exception: see ``exit_code``.

    Raises:
        KeyboardInterrupt: After Ctrl-C, when all that ran is stopped.
    """
    import io

    from ess.api.jobs import stream
    from ess.api.results import AnswerOutput
    from ess.questions.answering import Answering

    output, messages = io.BytesIO(), io.BytesIO()
    files = question.files
    with Answering(question, stdout or output, stderr or messages) as then:
        result = None
        try:
            result = stream(
                question.category,
                files.lower,
                files.upper,
                question.command,
                exclude=files.exclude,
                limit=files.limit,
                label=files.label,
                all_messages=False,
                progress=progress,
                stdout=then,
                stderr=stderr or messages,
            ).result
        except BrokenPipeError:
            if not then.needs_no_more:
                raise
        code = then.finish()
    return AnswerOutput(question, output.getvalue(), messages.getvalue(), result, code)


def _frame(
    verb: str,
    category: str,
    lower: str | date,
    upper: str | date,
    arguments: Mapping[str, Any],
    asked: Asked,
) -> pl.DataFrame:
    import warnings

    from ess.errors import EssWarning, SystemFailure

    found = answer(question(verb, category, lower, upper, arguments, **asked))
    if found.exit_code:
        told = found.messages.decode("utf-8", "replace").splitlines()
        failures = [*(found.result.failure_lines if found.result else []), *told]
        raise SystemFailure(f"not all could be read: {failures[0] if failures else 'a command failed'}", where=verb)
    if found.result is not None and any(stage.counts.rejected for stage in found.result.stages):
        warnings.warn(f"ess.{verb}: {found.result.reconciliation[0]}", EssWarning, stacklevel=3)
    return found.frame


def _top(
    source: Source, files: Range, where: str, *, columns: str | Sequence[str], by: str = "count", n: int = 10
) -> Question:
    from ess.questions import asked
    from ess.questions.aggregates import parse_aggregate

    return asked.top(source, files, _words(columns), by=parse_aggregate(by, where="--by"), where=where, rows=_some(n))


def _hist(source: Source, files: Range, where: str, *, column: str, bin: float | None = None) -> Question:  # noqa: A002
    from ess.errors import OptionError, SystemFailure
    from ess.questions import asked
    from ess.questions.bins import bin_width

    kind = source.column(column, where="hist").type
    if bin is None and not kind.is_numeric:
        return asked.by_value(source, files, column, where=where)
    if bin is None:
        ends = answer(asked.extremes(source, files, column, where=where))
        found = next(ends.frame.iter_rows(), None) if ends.output else None
        if found is None and ends.exit_code:
            raise SystemFailure("the range of its numbers cannot be found", where=column, hint="give it: --bin WIDTH")
        least, most = found or (0, 0)
        bin = bin_width(least, most, is_whole=kind.is_integer)  # noqa: A001
    if isinstance(bin, bool) or not isinstance(bin, int | float):
        raise OptionError("it must be a number", where="--bin", hint="e.g. 100")
    return asked.by_bin(source, files, column, width=bin, where=where)


def _days(source: Source, files: Range, where: str, *, by: str = "count", time: str | None = None) -> Question:
    from ess.questions import asked
    from ess.questions.aggregates import parse_aggregate

    return asked.per_day(source, files, by=parse_aggregate(by, where="--by"), time=time, where=where)


def _sessions(
    source: Source,
    files: Range,
    where: str,
    *,
    user: str | Sequence[str],
    gap: str | int = "30m",
    time: str | None = None,
) -> Question:
    from ess.questions import asked
    from ess.questions.durations import seconds_of

    pause = seconds_of(str(gap), where="--gap")
    return asked.sessions(source, files, user=_words(user), gap=pause, time=time, where=where)


def _head(source: Source, files: Range, where: str, *, columns: str | Sequence[str] = (), n: int = 10) -> Question:
    from ess.questions import asked

    return asked.head(source, files, columns=_words(columns), where=where, rows=_some(n))


def _words(columns: str | Sequence[str]) -> list[str]:
    """One name, names with commas between them, or several names."""
    return [name.strip() for name in columns.split(",") if name.strip()] if isinstance(columns, str) else list(columns)


def _some(rows: int) -> int:
    from ess.errors import OptionError

    if rows < 1:
        raise OptionError(f"{rows} rows are none", where="-n", hint="give a number from 1")
    return rows


_VERBS: dict[str, Callable[..., Question]] = {
    "top": _top,
    "hist": _hist,
    "days": _days,
    "sessions": _sessions,
    "head": _head,
}
