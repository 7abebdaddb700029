"""Rules on a database: over columns, row by row, and key by key, they give the same rows and store the same."""

from __future__ import annotations

import json
import math

import pytest

from ess.engines.base import Unsupported
from ess.engines.columnar import compile_columnar
from ess.engines.rowwise import compile_rowwise
from ess.errors import InputDataError
from ess.language.plain import plain_list
from ess.schema import ColumnType
from ess.schema.batch import Batch, complete, make_batch
from ess.udb.scan.column_scan import ColumnScan
from ess.udb.scan.keyed_scan import KeyedScan
from ess.udb.scan.portable_scan import read_scan, scan_form
from ess.udb.scan.rules import build_rules
from ess.udb.scan.scan_plan import ScanPlan
from ess.udb.shard.shard import Import, Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import parse_definition
from tests.differential.chain import Option
from tests.differential.data import COLUMNS, Row
from tests.differential.fuzz import make_case
from tests.udb.shards import as_uses

SHARES, CASES_A_SHARE = 4, 25

#: Rules of a chain that the rules of a database do not have, as filters.
_FILTERS = {"-true": "1 == 1", "-false": "1 == 2", "-skip": "1 == 2"}


def _rules(options: list[Option]) -> tuple[Definition, list[Option]]:
    """The rules, over a table that has the columns the chain creates, too, and Var columns for its variables."""
    columns = ["s,pkey:key", *(f"{kind.value}:{key}" for key, kind in COLUMNS)]
    variables: list[str] = []
    rules: list[Option] = []
    for words in options:
        name, *rest = words
        check: tuple[str, ...] = ()
        if name.startswith(("-if", "-elif")) and rest:
            check, rest = (name,), rest[1:]
            name = words[1]
        if check:
            rules.append(check)
        if name == "-var":
            variables.append(rest[0])
        elif name == "-eval":
            if ":" in rest[0]:
                columns.append(rest[0])
            rules.append((name, rest[0].rpartition(":")[2], rest[1]))
        elif name in _FILTERS:
            rules.append(("-filt", _FILTERS[name]))
        elif name in ("-quit", "-quitafter", "-o"):
            continue
        else:
            rules.append((name, *rest))
    rules = [tuple(word.replace("$RowNum", "i1") for word in words) for words in rules]
    text = f"@Table:t {' '.join(columns)}" + (f"\n@Var: {' '.join(variables)}" if variables else "")
    return parse_definition(text, source="test"), rules


def _shard(definition: Definition, rows: list[Row]) -> Shard:
    table = definition.get("t", where="test")
    given = [(key, kind, [row[n] for row in rows]) for n, (key, kind) in enumerate(COLUMNS)]
    keys = ("key", ColumnType.S, [b"k%d" % (n % 5) for n in range(len(rows))])
    batch = complete(make_batch([keys, *given], len(rows)), [(c.key, c.type) for c in table.columns])
    shard = Shard(definition)
    shard.append(Import(table, (batch,)))
    return shard


def _shown(batch: Batch) -> list[tuple[object, ...]]:
    """Rows that can be compared: NaN equals NaN, and -0.0 is not 0.0."""
    return [
        tuple(repr(v) if isinstance(v, float) and not math.isnan(v) else str(v) for v in row) for row in batch.rows()
    ]


def _results(definition: Definition, rules: list[Option], rows: list[Row]) -> dict[str, object]:
    """The rows that pass in each way, and what is stored then."""
    table = definition.get("t", where="test")
    found: dict[str, object] = {}
    for way in ("columns", "rows", "keys"):
        shard = _shard(definition, rows)
        built = build_rules(definition, table, as_uses(rules))
        if way != "rows":  # these go as requests take them to a server
            sent = scan_form(built)
            came = plain_list(json.loads(json.dumps(sent)))
            assert came == sent
            travelled = read_scan(definition, table, came)
            assert repr(travelled.main.rules) == repr(built.main.rules)  # NaN is not equal to itself
            built = travelled
        wanted = (*built.main.scope.target, *built.main.scope.variables())
        plan = ScanPlan(built, wanted, {}, (1, 2, 3, 0), 7)
        try:
            if way == "keys":
                passed = KeyedScan(shard, plan).run()[0]
            else:
                scan = ColumnScan(shard, plan)
                passed = scan.run((compile_columnar if way == "columns" else compile_rowwise)(scan.program))
            passed = passed.select([slot.key for slot in wanted])
            stored = [_shown(batch) for batch in shard.contents()[1].values()]
            found[way] = (_shown(passed), stored)
        except InputDataError as error:
            found[way] = str(error)
        except Unsupported:
            continue
    return found


@pytest.mark.parametrize("share", range(SHARES))
def test_all_ways_through_the_rows_agree(share: int) -> None:
    in_columns = finished = 0
    for number in range(share * CASES_A_SHARE, (share + 1) * CASES_A_SHARE):
        options, rows = make_case(1, number)
        definition, rules = _rules(options)
        if not rules:
            continue
        results = _results(definition, rules, rows)
        assert results["keys"] == results["rows"], (number, rules)
        finished += not isinstance(results["keys"], str)
        if "columns" in results:
            in_columns += 1
            assert results["columns"] == results["rows"], (number, rules)
    assert in_columns > CASES_A_SHARE // 3
    assert finished > CASES_A_SHARE // 3
