"""Pure decisions: bundles, dispatch, whole-database calls, sums."""

from __future__ import annotations

import pkgutil
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ess.cluster
from ess.cluster.bundles import bundle
from ess.cluster.commands import ToolRun
from ess.cluster.database_calls import asks_whole_database
from ess.cluster.dispatch import ATTEMPTS, Dispatch, Slot
from ess.cluster.report import Failure, Interrupted, Stage, StreamResult, reconciliation, sum_stages
from ess.pipeline.counts import Counts

SIZES = st.lists(st.integers(0, 10_000), max_size=60)


@given(SIZES, st.integers(1, 20))
def test_bundles_cover_all_files_in_order_and_are_about_equal(sizes: list[int], parts: int) -> None:
    ranges = bundle(sizes, parts)
    assert [index for part in ranges for index in part] == list(range(len(sizes)))
    assert all(len(part) for part in ranges)
    assert len(ranges) <= parts
    weights = [max(size, 1) for size in sizes]
    for part in ranges:
        assert sum(weights[index] for index in part) <= sum(weights) / parts + max(weights)


SLOTS = [Slot(node, thread) for node in range(3) for thread in range(2)]


@given(st.integers(0, 20), st.data())
def test_each_bundle_ends_once_whatever_nodes_are_lost(count: int, data: st.DataObject) -> None:
    dispatch = Dispatch([None] * count)
    running: dict[Slot, tuple[int, int]] = {}
    ended: list[int] = []
    stale: list[tuple[Slot, int, int]] = []
    while not dispatch.complete:
        for slot, number, attempt in dispatch.assign(SLOTS):
            assert slot not in running
            assert attempt <= ATTEMPTS
            running[slot] = (number, attempt)
        slot = data.draw(st.sampled_from(sorted(running)))
        if data.draw(st.booleans()):
            ended += dispatch.lost(slot.node_id)
            for gone in [each for each in running if each.node_id == slot.node_id]:
                stale.append((gone, *running.pop(gone)))
        else:
            number, attempt = running.pop(slot)
            if data.draw(st.booleans()):
                ended += dispatch.broken_off(slot)
                continue
            assert dispatch.finished(slot, number, attempt)
            ended.append(number)
        for old in stale:
            if running.get(old[0]) != old[1:]:
                assert not dispatch.finished(*old)
    assert sorted(ended) == list(range(count))
    assert dispatch.running == 0


def test_pinned_bundles_run_on_their_node_and_nodes_take_turns() -> None:
    assert Dispatch([2, 0, 1]).assign(SLOTS) == [(Slot(0, 0), 1, 1), (Slot(1, 0), 2, 1), (Slot(2, 0), 0, 1)]
    assert [slot for slot, _, _ in Dispatch([None] * 4).assign(SLOTS)] == [
        Slot(0, 0),
        Slot(1, 0),
        Slot(2, 0),
        Slot(0, 1),
    ]


@pytest.mark.parametrize(
    "command",
    [
        "aq_udb -exp wood:usersales -sort,dec total -top 10",
        "  aq_udb -ord wood:allsales ",
        "/usr/bin/aq_udb -exp a:b -filt 't > 1 || (t < 0)' 2>&1",
        'aq_udb -exp a:b -filt "$FILTER" >| out.csv',
        "aq_udb -exp apache:v1 -top 25; \\\n aq_udb -exp apache:v2 && aq_udb -clr apache\n",
        "aq_udb -cnt a:b # counts",
    ],
)
def test_plain_calls_ask_the_whole_database(command: str) -> None:
    assert asks_whole_database(command)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "aq_pp -f x",
        "aq_udb -exp a:b | wc -l",
        "aq_udb -exp a:b & aq_udb -exp a:c",
        "(aq_udb -exp a:b)",
        "aq_udb -exp $(cat t)",
        'aq_udb -exp "`cat t`"',
        "echo x; aq_udb -exp a:b",
        "for i in 1 2; do aq_udb -exp a:$i; done",
        "aq_udb -exp 'a:b",
        "aq_udb -exp a:b > >(gzip > x)",
        "aq_udbx -exp a:b",
    ],
)
def test_other_commands_run_on_each_node(command: str) -> None:
    assert not asks_whole_database(command)


def test_reconciliation_of_a_pipeline_tells_each_stage_and_what_does_not_add_up() -> None:
    first, second = ToolRun("aq_pp", Counts(10, 7, 2, 1, 0)), ToolRun("aq_pp", Counts(7, 7, 0, 0, 7), True)
    stages = sum_stages([[first, second], [first, second], []])
    assert stages == (Stage("aq_pp", Counts(20, 14, 4, 2, 0)), Stage("aq_pp", Counts(14, 14, 0, 0, 14), True))
    result = StreamResult(0, 3, 0, 0, (), stages, "job")
    assert reconciliation(result) == [
        "3 files, aq_pp (1 of 2): 20 rows read = 14 out + 4 filtered + 2 rejected",
        "3 files, aq_pp (2 of 2): 14 rows read = 14 imported + 0 filtered + 0 rejected",
    ]
    failed = StreamResult(1, 3, 0, 0, (Failure("a.gz", 1, 0),), stages[:1], "job")
    assert reconciliation(failed)[0].startswith("2 of 3 files (1 failed): 20 rows read = ")
    wrong = StreamResult(0, 1, 0, 0, (), (Stage("aq_pp", Counts(10, 7, 2, 0, 3), True),), "job")
    assert not wrong.adds_up
    assert reconciliation(wrong) == ["1 file: 10 rows read DOES NOT EQUAL 7 out (3 imported) + 2 filtered + 0 rejected"]


def test_only_a_command_that_imports_is_said_to_import() -> None:
    nothing_good = Counts(499, 0, 0, 499, 0)
    for imports, kept in ((False, "0 out"), (True, "0 imported")):
        result = StreamResult(0, 1, 0, 0, (), sum_stages([[ToolRun("aq_pp", nothing_good, imports)]]), "job")
        assert reconciliation(result) == [f"1 file: 499 rows read = {kept} + 0 filtered + 499 rejected"]


def test_what_an_interruption_says_is_no_more_than_what_is_known() -> None:
    assert str(Interrupted(done=1, files=30, imports=True)) == (
        "interrupted: 1 of 30 files are done; their rows are imported, and those of others may be; "
        "the same command with --resume continues and imports none twice"
    )
    assert str(Interrupted(done=0, files=1, imports=True)) == (
        "interrupted: 0 of 1 file are done; rows may be imported; "
        "the same command with --resume continues and imports none twice"
    )


def test_the_map_of_the_modules_names_them_all() -> None:
    text = ess.cluster.__doc__ or ""
    modules = {module.name for module in pkgutil.iter_modules(ess.cluster.__path__)}
    assert set(re.findall(r"``([a-z_]+)``:", text)) == modules
