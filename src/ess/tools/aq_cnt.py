"""``aq_cnt``: counts rows and distinct keys, with statistics of numbers for each key."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from ess.errors import InputDataError, OptionError
from ess.formats.attributes import Format, OutputAttributes, parse_input_attributes, parse_output_attributes
from ess.formats.columns import parse_input_columns
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.pipeline import old_spellings, shared_options
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.plan import target_identity
from ess.pipeline.sinks import STDOUT
from ess.pipeline.source import STDIN, InputPlan, plan_input, single_use, with_used_columns
from ess.schema.columns import Column
from ess.schema.types import ColumnType
from ess.tools.process import run_tool
from ess.tools.run import gather

if TYPE_CHECKING:
    from ess.engines.tables.counting import KeyCounter
    from ess.formats.output.columns import OutputColumn
    from ess.formats.output.writer import Writer
    from ess.pipeline.intake import Intake
    from ess.schema.batch import Batch

_COUNTS = "What to count"

OPTIONS = OptionTable(
    "aq_cnt",
    "Counts rows and distinct keys, and gathers statistics of numbers for each key. Without any of the options that "
    "count or output, it prints the number of rows. The distinct keys have to fit into memory.",
    (
        shared_options.VERB,
        shared_options.STAT,
        shared_options.TEST,
        shared_options.FILES,
        Option(
            "-fX",
            "As -f, for what -kX has output: add such counts up. The count column follows the columns of -d; "
            "STATS:ColName in -d stands for the five columns of a statistic, STATS:ls:ColName (or another type) for "
            "those of whole numbers, which are added up exactly. Skip title lines with +1. Counts that "
            "-kX,aq has output bring their columns.",
            more="File",
            attributes=True,
            group=shared_options.INPUT,
        ),
        shared_options.COLUMNS,
        Option(
            "-g",
            "Count within each group of rows that have the same values in these columns; every output begins with"
            " them.",
            ("ColName",),
            more="ColName",
            group=_COUNTS,
        ),
        Option(
            "-k",
            "Count how many distinct combinations of values the columns have; the summary shows it as KeyName.",
            ("KeyName", "ColName"),
            more="ColName",
            group=_COUNTS,
        ),
        Option(
            "-kx",
            "Also print the combinations, in the order in which they first occur. With - as KeyName they are not "
            "in the summary.",
            ("File", "KeyName", "ColName"),
            more="ColName",
            attributes=True,
            group=_COUNTS,
        ),
        Option(
            "-kX",
            "As -kx, with the number of rows that each combination has, and with sum, average, standard deviation (of "
            "a sample), minimum and maximum of each number that STATS: names. With -fX, a dot stands for all columns.",
            ("File", "KeyName", "ColName"),
            more="ColName|STATS:ColName",
            attributes=True,
            group=_COUNTS,
        ),
        replace(
            shared_options.ROWS_TO,
            help="Print the summary: the number of rows, and how many combinations each key has. It goes to the "
            "standard output if there is a -k, or nothing else to output, and no -o.",
        ),
        *old_spellings.COMMON,
    ),
)

NAME = OPTIONS.tool

# The names that the counting engine uses; the option table must not load it.
_COUNT_KEY = "#count"
_PARTS = ("sum", "avg", "stddev", "min", "max")
#: The parts that are whole numbers if the numbers are.
_WHOLE_PARTS = ("sum", "min", "max")


@dataclass(frozen=True)
class _Key:
    """A ``-k``, ``-kx`` or ``-kX``.

    ``target`` is None for ``-k``; ``counted`` says whether counts are printed.
    """

    name: str
    slots: tuple[Slot, ...]
    statistics: tuple[Slot, ...] = ()
    target: str | None = None
    attributes: OutputAttributes = field(default_factory=OutputAttributes)
    counted: bool = False


@dataclass(frozen=True)
class _Summary:
    """An ``-o``."""

    target: str
    attributes: OutputAttributes


@dataclass(frozen=True)
class _Plan:
    """The plan of a command line.

    ``reports`` holds what is printed, in that order; ``counts`` says which columns of an ``aq`` input hold counts
    and statistics.
    """

    source: InputPlan
    merging: bool
    counts: Mapping[str, str]
    groups: tuple[Slot, ...]
    keys: tuple[_Key, ...]
    reports: tuple[_Key | _Summary, ...]


def main(argv: list[str]) -> int:
    """Run ``aq_cnt`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if argv and argv[0] in ("-h", "--help"):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = parse_command_line(OPTIONS, argv)
    plan = _plan(uses)
    return gather(NAME, argv, uses, plan.source, lambda intake: _count(plan, intake))


def command() -> NoReturn:
    """The command ``aq_cnt``."""
    run_tool(NAME, main)


# From options to a plan. ---------------------------------------------------------------------------------------------


def _plan(uses: Sequence[Use]) -> _Plan:
    merging = single_use(uses, "-fX")
    scope = Scope()
    counts: Mapping[str, str] = {}
    if merging is None:
        source = plan_input(uses)
        statistics = tuple(scope.add(column, where="-d") for column in source.columns if column.wanted)
    else:
        source, statistics, counts = _merge_input(uses, merging, scope)
    grouping = single_use(uses, "-g")
    groups = tuple(scope.get(name, where="-g") for name in grouping.arguments) if grouping else ()
    keys: list[_Key] = []
    reports: list[_Key | _Summary] = []
    for use in uses:
        if use.name in ("-k", "-kx", "-kX"):
            keys.append(_key(use, scope, statistics, merging is not None))
            if keys[-1].target is not None:
                reports.append(keys[-1])
        elif use.name == "-o":
            reports.append(_Summary(use.arguments[0], parse_output_attributes(list(use.attributes), where=use.where)))
    _require_distinct_names(keys)
    summarized = any(isinstance(report, _Summary) for report in reports)
    if merging is not None and not keys and not summarized:
        everything = _Key("-", scope.columns(), statistics, STDOUT, counted=True)
        keys, reports = [everything], [everything]
    elif not summarized and (not reports or any(key.target is None for key in keys)):
        reports.append(_Summary(STDOUT, OutputAttributes()))
    if merging is None:
        slots = [*groups, *(slot for key in keys for slot in (*key.slots, *key.statistics))]
        source = with_used_columns(source, {slot.key for slot in slots})
    return _Plan(source, merging is not None, counts, groups, tuple(keys), tuple(reports))


def _merge_input(
    uses: Sequence[Use], merging: Use, scope: Scope
) -> tuple[InputPlan, tuple[Slot, ...], Mapping[str, str]]:
    """The input that ``-fX`` and ``-d`` describe, the columns that have statistics, and other names of its columns."""
    if single_use(uses, "-f") is not None:
        raise OptionError("-f and -fX do not go together", where=merging.where, hint="count first, then add up")
    attributes = parse_input_attributes(list(merging.attributes), where=merging.where)
    if attributes.format is Format.AQ:
        as_input = replace(merging, option=replace(merging.option, name="-f"))
        return _counts_with_columns([as_input if use is merging else use for use in uses], scope)
    definition = single_use(uses, "-d")
    words = definition.arguments if definition else ()
    names = [word.split(":", 1)[1] for word in words if _is_statistic(word)]
    keys = [word for word in words if not _is_statistic(word)]
    if any(map(_is_statistic, words[: len(keys)])):
        raise OptionError("the STATS columns come last", where="-d", hint="-kX prints them behind the count")
    given = parse_input_columns(keys, attributes, where="-d")
    if not any(column.wanted for column in given.columns):
        raise OptionError("no input columns are defined", where="-d", hint="e.g. -d s:Name STATS:Number")
    for column in given.columns:
        if column.wanted:
            scope.add(column, where="-d")
    columns = [*given.columns, Column(_COUNT_KEY, ColumnType.L)]
    statistics = []
    for word in names:
        letters, typed, name = word.rpartition(":")
        number = ColumnType.__members__.get(letters.upper()) if typed else ColumnType.F
        if number is None or not number.is_numeric:
            raise OptionError(f"'{letters}' is no type of numbers", where="-d", hint=f"e.g. STATS:ls:{name}")
        statistics.append(_statistic(name, number))
        types = _part_types(number)
        columns += [Column(f"{name}.{part}", types[part]) for part in _PARTS]
    source = InputPlan(merging.arguments or (STDIN,), attributes, tuple(columns), given.separators)
    return source, tuple(statistics), {}


def _counts_with_columns(uses: Sequence[Use], scope: Scope) -> tuple[InputPlan, tuple[Slot, ...], Mapping[str, str]]:
    """The same for an ``aq`` input: keys, the count, then five columns ``Name_part`` for each statistic."""
    source = plan_input(uses)
    columns = list(source.columns)
    statistics: list[Slot] = []
    counts: dict[str, str] = {}
    while names := _names_of_statistic(columns[-len(_PARTS) :]):
        slot = _statistic(names[0].rpartition("_")[0], columns[-2].type)
        statistics.insert(0, slot)
        counts.update({name.lower(): f"{slot.key}.{part}" for name, part in zip(names, _PARTS, strict=True)})
        del columns[-len(_PARTS) :]
    count = columns.pop()
    if count.key != "count" or count.type is not ColumnType.L or not columns:
        raise OptionError("the 'aq' data hold no counts", where="-fX", hint="write them with -kX,aq")
    counts[count.key] = _COUNT_KEY
    for column in columns:
        scope.add(column, where="-fX")
    return source, tuple(statistics), counts


def _statistic(name: str, number: ColumnType) -> Slot:
    """A column that is not in the rows."""
    return Scope().add(Column(name, number), where="-fX")


def _names_of_statistic(columns: Sequence[Column]) -> list[str]:
    """The names of the columns of a statistic; none if they are something else."""
    names = [column.name for column in columns]
    stem = names[0].rpartition("_")[0] if names else ""
    types = list(_part_types(columns[-1].type).values()) if columns[-1:] and columns[-1].type.is_numeric else []
    return (
        names
        if stem
        and [column.type for column in columns] == types
        and [name.lower() for name in names] == [f"{stem}_{part}".lower() for part in _PARTS]
        else []
    )


def _part_types(number: ColumnType) -> dict[str, ColumnType]:
    """The types of the parts of a statistic of such numbers."""
    types = dict.fromkeys(_PARTS, ColumnType.F)
    if number.is_integer:
        types |= dict.fromkeys(_WHOLE_PARTS, number)
        types["sum"] = ColumnType.LS if number in (ColumnType.LS, ColumnType.IS) else ColumnType.L
    return types


def _is_statistic(word: str) -> bool:
    return word.lower().startswith(("stat:", "stats:"))


def _key(use: Use, scope: Scope, numbers: Sequence[Slot], merging: bool) -> _Key:
    words = list(use.arguments)
    target = words.pop(0) if use.name != "-k" else None
    name = words.pop(0)
    attributes = parse_output_attributes(list(use.attributes), where=use.where)
    counted = use.name == "-kX"
    if counted and merging and words == ["."]:
        return _Key(name, scope.columns(), tuple(numbers), target, attributes, counted)
    wanted = [word.split(":", 1)[1] for word in words if _is_statistic(word)]
    if wanted and not counted:
        raise OptionError("statistics are for -kX", where=use.where)
    slots = tuple(scope.get(word, where=use.where) for word in words if not _is_statistic(word))
    if not slots:
        raise OptionError("the key has no column", where=use.where, hint=f"usage: {use.option.synopsis}")
    statistics = tuple(_number(word, scope, numbers, use.where, merging) for word in wanted)
    return _Key(name, slots, statistics, target, attributes, counted)


def _number(name: str, scope: Scope, numbers: Sequence[Slot], where: str, merging: bool) -> Slot:
    if merging:
        for slot in numbers:
            if slot.name.lower() == name.lower():
                return slot
        raise OptionError(f"the input has no statistics of '{name}'", where=where, hint=f"add STATS:{name} to -d")
    slot = scope.get(name, where=where)
    if not slot.type.is_numeric:
        raise OptionError(f"'{name}' is no number, so it has no statistics", where=where)
    return slot


def _require_distinct_names(keys: Sequence[_Key]) -> None:
    seen: set[str] = set()
    for key in keys:
        if _is_named(key) and key.name.lower() in seen:
            raise OptionError(f"two keys have the name '{key.name}'", where=NAME, hint="give each a name of its own")
        seen.add(key.name.lower())


def _is_named(key: _Key) -> bool:
    """True if the summary shows the key."""
    return key.name not in ("", "-")


# The run. ------------------------------------------------------------------------------------------------------------


def _count(plan: _Plan, intake: Intake) -> None:
    from ess.engines.tables.counting import KeyCounter

    groups = [slot.key for slot in plan.groups]
    of_groups = KeyCounter(groups) if groups else None
    of_keys = [KeyCounter([*groups, *(s.key for s in key.slots)], [s.key for s in key.statistics]) for key in plan.keys]
    counters: list[KeyCounter] = [*of_keys, *([of_groups] if of_groups is not None else [])]
    rows = 0
    # Opened before the long work, for early errors; one that fails prints nothing, not even titles.
    writers = [_open(plan, report, first) for report, first in _first_uses(plan.reports)]
    for given in intake.batches():
        batch = given.rename(plan.counts)
        rows += int(batch.get_column(_COUNT_KEY).sum()) if plan.merging else batch.height
        for counter in counters:
            if plan.merging:
                counter.add_counted(batch)
            else:
                counter.add(batch)
    found = {id(key): counter.result() for key, counter in zip(plan.keys, of_keys, strict=True)}
    for report, writer in zip(plan.reports, writers, strict=True):
        if isinstance(report, _Key):
            table = found[id(report)]
        else:
            keys = [(f"#key {i}", found[id(key)]) for i, key in enumerate(plan.keys) if _is_named(key)]
            table = _summary(groups, None if of_groups is None else of_groups.result(), rows, keys)
        if table.height:
            if not report.attributes.format.is_text:
                _require_64_bits(table)
            writer.write(table)
        writer.close()


def _require_64_bits(table: Batch) -> None:
    for name, kind in table.schema.items():
        if str(kind) == "Int128":
            number = name.rpartition(".")[0]
            raise InputDataError(
                f"a sum of '{number}' does not fit into 64 bits", where="-kX", hint="print text, or read it as f:"
            )


def _summary(groups: Sequence[str], of_groups: Batch | None, rows: int, keys: Sequence[tuple[str, Batch]]) -> Batch:
    if of_groups is not None:
        if not of_groups.height:
            return of_groups
        from ess.engines.tables.counting import counts_of_groups

        return counts_of_groups(groups, of_groups, keys)
    from ess.schema.batch import make_batch

    columns = [(_COUNT_KEY, ColumnType.L, [rows])]
    return make_batch([*columns, *((name, ColumnType.L, [table.height]) for name, table in keys)], 1)


def _first_uses(reports: Sequence[_Key | _Summary]) -> Iterator[tuple[_Key | _Summary, bool]]:
    """Each report, and whether it is the first for its target; a later one is appended."""
    seen: set[str] = set()
    for report in reports:
        identity = target_identity(report.target or STDOUT)
        yield report, identity not in seen
        seen.add(identity)


def _open(plan: _Plan, report: _Key | _Summary, first: bool) -> Writer:
    from ess.formats.output.writer import open_output

    attributes = report.attributes if first else replace(report.attributes, append=True)
    where = "-o" if isinstance(report, _Summary) else "-kX" if report.counted else "-kx"
    return open_output(report.target or STDOUT, attributes, _columns(plan, report), where=where)


def _columns(plan: _Plan, report: _Key | _Summary) -> list[OutputColumn]:
    from ess.formats.output.columns import OutputColumn

    columns = [OutputColumn(slot.key, slot.name, slot.type) for slot in plan.groups]
    if isinstance(report, _Summary):
        columns.append(OutputColumn(_COUNT_KEY, "row", ColumnType.L))
        for index, key in enumerate(plan.keys):
            if _is_named(key):
                columns.append(OutputColumn(f"#key {index}", key.name, ColumnType.L))
        return columns
    columns += [OutputColumn(slot.key, slot.name, slot.type) for slot in report.slots]
    if report.counted:
        columns.append(OutputColumn(_COUNT_KEY, "count", ColumnType.L))
        for slot in report.statistics:
            types = _part_types(slot.type)
            columns += [OutputColumn(f"{slot.key}.{part}", f"{slot.name}.{part}", types[part]) for part in _PARTS]
    return columns
