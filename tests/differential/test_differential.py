"""Both engines give the same rows, files, counts, rejections and variables, at any batch size."""

from __future__ import annotations

import pytest

from tests.differential.chain import build_program
from tests.differential.command import command_difference, make_command
from tests.differential.compare import columnar_reason, difference
from tests.differential.fuzz import make_case, report, report_command
from tests.differential.garbage import garbage_failure, make_garbage
from tests.differential.regressions import CASES

#: How many generated cases a test run takes; ``make fuzz`` goes on from there.
SHARES, CASES_A_SHARE, COMMANDS_A_SHARE = 8, 20, 5


@pytest.mark.parametrize("share", range(SHARES))
def test_generated_chains_agree(share: int) -> None:
    for number in range(share * CASES_A_SHARE, (share + 1) * CASES_A_SHARE):
        options, rows = make_case(0, number)
        found = difference(options, rows)
        assert found is None, report(options, rows, found)


@pytest.mark.parametrize("share", range(SHARES))
def test_generated_commands_agree(share: int) -> None:
    for number in range(share * COMMANDS_A_SHARE, (share + 1) * COMMANDS_A_SHARE):
        command = make_command(0, number)
        assert not command_difference(command), report_command(command)


def test_readers_survive_garbage() -> None:
    for number in range(300):
        assert not (failure := garbage_failure(make_garbage(0, number))), failure


@pytest.mark.parametrize("name", CASES)
def test_found_differences_stay_away(name: str) -> None:
    options, rows = CASES[name]
    found = difference(options, rows)
    assert found is None, found.text


def test_most_generated_chains_are_compiled_to_columns() -> None:
    # Otherwise the comparison above would compare the row engine with itself.
    reasons = [columnar_reason(build_program(make_case(0, number)[0])) for number in range(100)]
    assert reasons.count("") > 60, sorted(set(reasons))
