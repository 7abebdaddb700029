"""The questions. Pure: a source and what is asked in, a line of commands out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ess.errors import OptionError
from ess.questions.aggregates import STATISTICS, Aggregate
from ess.questions.question import Command, Question, Range
from ess.questions.source import Source, specs
from ess.schema import Column, ColumnType

#: Names of columns have at most 31 bytes; some are left to tell them apart.
_LONGEST = 28
_NEARLY = 1e-9


def head(source: Source, files: Range, *, columns: Sequence[str] = (), where: str = "", rows: int) -> Question:
    """The first rows: those columns, or all."""
    chosen = _columns(source, columns, where="head") if columns else list(source.columns.values())
    if not chosen:
        raise OptionError(f"category {source.category} has no column", where="head", hint="see: ess summary")
    # Each file gives no more than are wanted, so that none is read to its end for nothing.
    return Question(source.category, [_rows(source, chosen, where, limit=rows)], [_last(chosen, rows)], chosen, files)


def top(source: Source, files: Range, columns: Sequence[str], *, by: Aggregate, where: str = "", rows: int) -> Question:
    """The groups of rows of equal values in the columns that have the most of something."""
    keys = _columns(source, columns, where="top")
    answer = [*keys, *_results(source, keys, by)]
    stages, merging = _grouped(source, keys, by, where)
    order = ["aq_ord", "-f", "-", "-d", *specs(answer), "-sort,dec", *_names(answer[len(keys) : len(keys) + 1])]
    order += [*_names(keys), "-o,notitle", "-"]
    return Question(source.category, stages, [*merging, order, _last(answer, rows)], answer, files)


def by_value(source: Source, files: Range, column: str, *, where: str = "") -> Question:
    """The number of rows of each value of a column, in the order of the values."""
    key, by = source.column(column, where="hist"), Aggregate("count")
    answer = [key, *_results(source, [key], by)]
    stages, merging = _grouped(source, [key], by, where)
    return Question(source.category, stages, [*merging, _sorted(answer, [key])], answer, files)


def by_bin(source: Source, files: Range, column: str, *, width: float, where: str = "") -> Question:
    """The number of rows of each range of a column of numbers; a range is called by its lower bound.

    Raises:
        OptionError: If the width is not above 0.
    """
    if not 0 < width < float("inf"):
        raise OptionError("a bin must be wider than 0", where="--bin", hint="give a number, e.g. 100")
    number = source.number(column, where="hist")
    start, rule = _lower_bound(number, width, source)
    answer = [start, *_results(source, [start], Aggregate("count"))]
    stages, merging = _grouped(source, [start], Aggregate("count"), where, rule)
    return Question(source.category, stages, [*merging, _sorted(answer, [start])], answer, files)


def _lower_bound(number: Column, width: float, source: Source) -> tuple[Column, Command]:
    """The column of lower bounds, and the rule that makes it. Whole numbers are never divided as floating point."""
    name, size = number.name, int(width)
    if not number.type.is_integer or size != width:
        kind, bound = ColumnType.F, _floored(name, width)
    elif number.type in (ColumnType.L, ColumnType.I):
        kind, bound = ColumnType.L, f"{name} - ({name} % {size})"
    else:  # a remainder has the sign of the number, and no operator binds tighter than another
        kind, bound = ColumnType.LS, f"{name} - ((({name} % {size}) + {size}) % {size})"
    start = _made("from", kind, source.columns)
    return start, ["-eval", *specs([start]), bound]


def _floored(name: str, width: float) -> str:
    """The lower bound of a floating point number's range; one that is a bound but for its last digits is in its own."""
    parts = round(1 / width) if width > _NEARLY else 0
    if parts > 1 and abs(parts * width - 1) < _NEARLY:  # 7 / 10 is 0.7, and 7 * 0.1 is not
        return f"Floor(({name} * {parts}) + {_NEARLY}) / {parts}"
    return f"Floor(({name} / {width!r}) + {_NEARLY}) * {width!r}"


def extremes(source: Source, files: Range, column: str, *, where: str = "") -> Question:
    """The smallest and the largest number of a column: one row, or none."""
    number = source.number(column, where="hist")
    group = _made("every", ColumnType.I, source.columns)
    rule = ["-eval", *specs([group]), "1"]
    stages, merging = _grouped(source, [group], Aggregate("min", number.name), where, rule)
    found = [Column("group", ColumnType.I), Column("count", ColumnType.L), *_statistics(number)]
    answer = [Column("min", number.type), Column("max", number.type)]
    last = ["aq_pp", "-f", "-", "-d", *specs(found), "-c", *_names(answer)]
    return Question(source.category, stages, [merging[0], last], answer, files)


def per_day(source: Source, files: Range, *, by: Aggregate, time: str | None, where: str = "") -> Question:
    """Something of the rows of each day, in UTC."""
    seconds = source.seconds(time, where="days")
    day = _made("day", ColumnType.S, source.columns)
    rule = ["-eval", *specs([day]), f"TimeToGmDate({seconds}, '%Y-%m-%d')"]
    answer = [day, *_results(source, [day], by)]
    stages, merging = _grouped(source, [day], by, where, rule)
    return Question(source.category, stages, [*merging, _sorted(answer, [day])], answer, files)


def sessions(
    source: Source, files: Range, *, user: Sequence[str], gap: int, time: str | None, where: str = ""
) -> Question:
    """The sessions of each user: events without a pause longer than ``gap`` seconds."""
    keys = _columns(source, user, where="--user")
    when = _made("seconds", ColumnType.LS, source.columns)
    rule = ["-eval", *specs([when]), source.seconds(time, where="sessions")]
    events = [*keys, when]
    begin, end, duration, count = (_made(name, ColumnType.LS, _names(keys)) for name in ("first", "last", "dt", "pv"))
    start = _made("start", ColumnType.S, _names(keys))
    answer = [*keys, start, *(_made(name, ColumnType.LS, _names(keys)) for name in ("duration", "events"))]
    chosen = [*_names(keys), start.name, f"{duration.name}:{answer[-2].name}", f"{count.name}:{answer[-1].name}"]
    date = ["-eval", *specs([start]), f"TimeToGmDate({begin.name}, '%Y-%m-%d %H:%M:%S')"]
    pauses = ["-t", when.name, "-k", *_names(keys), "-tout", str(gap)]
    then = [
        ["aq_ord", "-f", "-", "-d", *specs(events), "-sort", when.name, "-o,notitle", "-"],
        ["aq_sess", "-f", "-", "-d", *specs(events), *pauses, "-o,notitle", "-"],
        ["aq_pp", "-f", "-", "-d", *specs([*keys, begin, end, duration, count]), *date, "-c", *chosen],
    ]
    return Question(source.category, [_rows(source, events, where, rule)], then, answer, files)


def _columns(source: Source, names: Sequence[str], *, where: str) -> list[Column]:
    """The columns of these names, each once, at least one."""
    found = list(dict.fromkeys(source.column(name, where=where) for name in names))
    if not found:
        raise OptionError("no column is given", where=where, hint=f"see: ess schema {source.category}")
    return found


def _rows(
    source: Source, columns: Sequence[Column], where: str, rule: Command = (), *, limit: int | None = None
) -> Command:
    """The tool that prints those columns of the rows."""
    conditions = [*(["-filt", where] if where else ()), *(["-top", str(limit)] if limit is not None else ())]
    return ["aq_pp", *source.words, *source.rules, *conditions, *rule, "-o,notitle", "-", "-c", *_names(columns)]


def _grouped(
    source: Source, keys: Sequence[Column], by: Aggregate, where: str, rule: Command = ()
) -> tuple[list[Command], list[Command]]:
    """The tools that count the groups of a file, and those that add all files up and print keys and results."""
    value = source.column(by.column, where="--by") if by.name == "distinct" else None
    if by.name in STATISTICS:
        value = source.number(by.column, where="--by")
    needed = list(dict.fromkeys([*keys, *([value] if value else [])]))
    if where or rule or source.rules:
        stages, reading = [_rows(source, needed, where, rule)], ["-f", "-", "-d", *specs(needed)]
    else:
        stages, reading = [], source.words
    names = _names(keys)
    if value is None:
        counted = ["-kX,notitle", "-", "-", *names]
        return [*stages, ["aq_cnt", *reading, *counted]], [["aq_cnt", "-fX", "-", "-d", *specs(keys), *counted]]
    if by.name == "distinct":
        both = list(dict.fromkeys([*keys, value]))
        pairs = ["-kx,notitle", "-", "-", *_names(both)]
        result = _results(source, keys, by)[0]
        found = [*keys, _made("rows", ColumnType.L, [*names, result.name]), result]
        return [*stages, ["aq_cnt", *reading, *pairs]], [
            ["aq_cnt", "-f", "-", "-d", *specs(both), "-g", *names, "-k", result.name, value.name, "-o,notitle", "-"],
            ["aq_pp", "-f", "-", "-d", *specs(found), "-o,notitle", "-", "-c", *names, result.name],
        ]
    counted = ["-kX,notitle", "-", "-", *names, f"STATS:{value.name}"]
    results = _results(source, keys, by)
    printed = [*specs([*keys, results[1]]), *(specs(results[:1])[0] if name == by.name else "X" for name in STATISTICS)]
    merging: list[Command] = [
        ["aq_cnt", "-fX", "-", "-d", *specs(keys), f"STATS:{value.type.name}:{value.name}", *counted],
        ["aq_pp", "-f", "-", "-d", *printed, "-o,notitle", "-", "-c", *names, *_names(results)],
    ]
    return [*stages, ["aq_cnt", *reading, *counted]], merging


def _results(source: Source, keys: Sequence[Column], by: Aggregate) -> list[Column]:
    """The columns of an answer behind the keys."""
    taken = _names(keys)
    count = _made("count", ColumnType.L, taken)
    if by.name == "count":
        return [count]
    if by.name == "distinct":
        return [_made(by.title, ColumnType.L, taken)]
    value = source.number(by.column, where="--by")
    kind = next(column.type for column in _statistics(value) if column.name == by.name)
    return [_made(by.title, kind, taken), count]


def _statistics(value: Column) -> list[Column]:
    """The columns that ``STATS:`` gives for a column of numbers."""
    total = value.type
    if total.is_integer:
        total = ColumnType.LS if total in (ColumnType.IS, ColumnType.LS) else ColumnType.L
    kinds = {"sum": total, "avg": ColumnType.F, "stddev": ColumnType.F, "min": value.type, "max": value.type}
    return [Column(name, kinds[name]) for name in STATISTICS]


def _sorted(columns: Sequence[Column], by: Sequence[Column]) -> Command:
    return ["aq_ord", "-f", "-", "-d", *specs(columns), "-sort", *_names(by)]


def _last(columns: Sequence[Column], rows: int) -> Command:
    """The tool that prints the first rows with titles."""
    return ["aq_pp", "-f", "-", "-d", *specs(columns), "-top", str(rows)]


def _names(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


def _made(name: str, kind: ColumnType, taken: Iterable[str]) -> Column:
    """A column that a tool makes, under a name that is not taken and not too long."""
    known = {each.lower() for each in taken}
    name = name[:_LONGEST]
    while name.lower() in known:
        name += "_"
    return Column(name, kind)
