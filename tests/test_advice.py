"""Advice about imports, servers that are gone, streams that broke off and clusters is followed by tests.

Sentences of messages and of the manual are found by the words that such advice has. One that is not in ``TRIED`` fails
here, until there is a test that does what it says, and looks whether it was right.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ADVICE = re.compile(
    r"--resume|udbd` (re)?start|udbd (re)?start|udbd status|-clr|run (it|the command|the import) again|imports? .*again"
    r"|it is there as a whole|cluster` (start|stop|reset|terminate)|cluster (start|stop|reset|terminate)"
    r"|before you run it again|brings? them back|imports none twice"
)

#: Pages of the manual that give such advice.
PAGES = ("cluster.md", "database.md", "failures.md")

ONCE = "tests/cluster/test_exactly_once.py::"
FAULTS = "tests/cluster/test_stream_faults.py::test_each_row_is_there_once_whoever_is_killed"
ADVISED = "tests/cluster/test_advice.py::test_what_is_advised_about_a_cluster"
UDB = "tests/udb/test_advice.py::"
KILLED = f"{ONCE}test_a_stream_that_is_killed_between_a_commit_and_the_end_of_its_command"
SERVER = f"{ONCE}test_the_advice_after_a_database_server_was_killed"
STOPPED = f"{ONCE}test_the_advice_about_a_database_server_that_is_stopped"
CLEARED = f"{UDB}test_a_database_that_is_cleared_during_an_import"
VOLATILE = "tests/udb/test_processes.py::test_a_volatile_server_that_ended_has_lost_its_rows_and_that_is_said"
DISPLACED = "tests/udb/test_displaced_log.py::test_an_import_is_refused_and_the_advice_saves_what_there_is"
LATER = f"{UDB}test_an_import_that_is_ended_because_it_said_nothing"
UDB_FAULTS = "tests/udb/test_faults.py::test_what_was_acknowledged_is_there_whoever_is_killed"

MACHINES = "tests/udb/test_machines.py::test_udbd_starts_what_is_here_and_asks_the_others"
DAMAGED = "tests/udb/test_displaced_log.py::test_a_log_that_is_damaged_is_restored_from_a_copy_or_cleared"
AGAIN = f"{ONCE}test_another_job_imports_again"
ANOTHER = f"{UDB}test_servers_with_different_databases_of_one_name"

FROZEN = "tests/cluster/test_frozen.py::"
CERTIFICATES = "tests/test_certificate_faults.py::test_"
DAMAGED_CLUSTER = f"{CERTIFICATES}a_cluster_names_a_damaged_file_a_wrong_clock_and_a_way_out"
AFTER_A_FAILURE = f"{ONCE}test_what_comes_after_a_failure_does_not_count_and_the_file_is_done_again_as_a_whole"

TOGETHER = "tests/cluster/test_once_together.py::test_the_files_of_a_command_are_imported_once"
LATE = "tests/cluster/test_s3out_faults.py::test_an_attempt_that_was_lost_and_writes_late_is_told"
NOT_WRITTEN = "tests/cluster/test_once_together.py::test_a_file_whose_output_cannot_be_written_is_done_again"

CLOUD = "tests/cluster/cloud/test_machines.py::"
NODES = "tests/cluster/cloud/test_nodes.py::"
HOSTS = "tests/cluster/test_hosts.py::"

#: What stands in a sentence -> the test that does what it says.
TRIED = {
    # Streams
    "not run because of --quitonerror; --resume continues": f"{ONCE}test_the_advice_after_quitonerror",
    "run: ess udbd start, then the same command with --resume": SERVER,
    ", then the same command with --resume": STOPPED,
    "not read to the end; --resume runs the file again": f"{ONCE}test_an_import_that_is_killed_makes_its_file_fail",
    "the same command with --resume continues": KILLED,
    "and imports none twice": KILLED,
    "without --resume it does all of them again": KILLED,
    "run it without --resume": AGAIN,
    "continue the latest run of this command": KILLED,
    "run: ess cluster start, then repeat with --resume": FAULTS,
    "see what it has done before you run it again": FAULTS,
    "see to the first message; --resume runs the file again": AFTER_A_FAILURE,
    "make room, or set ESS_CACHE_DIR to a folder of another disk; then repeat with --resume": (
        "tests/cluster/test_full_disk.py::test_a_full_disk_is_named"
    ),
    "repeat with --resume": LATE,
    "put it back, or clear what was imported and leave out --resume": TOGETHER,
    "`--resume` runs the commands that are not done, with the same files": TOGETHER,
    "the others go on, and `--resume` runs its command again": NOT_WRITTEN,
    # Clusters
    "repeat with --resume, which runs on this machine": f"{FROZEN}test_a_cluster_that_ends_under_a_stream_is_one_line",
    "or ess cluster stop and start; then repeat with --resume": f"{FROZEN}test_a_stopped_scheduler_is_an_error",
    "run: ess cluster stop, ess cluster start; then repeat": f"{FROZEN}test_a_stopped_scheduler_is_an_error",
    "ess cluster terminate, then: ess cluster create": DAMAGED_CLUSTER,
    "ess cluster terminate ends it": ADVISED,
    "run first: ess cluster terminate": ADVISED,
    "use: ess cluster terminate": "tests/cluster/ssh_clusters.py::test_hosts_are_taken_out_and_added",
    "ess cluster start, or the next job, replaces them": ADVISED,
    "run: ess cluster start": ADVISED,
    "run it again; the console of EC2 shows what holds them": f"{CLOUD}test_what_cannot_be_ended_is_named",
    "end it with: ess cluster terminate": f"{NODES}test_another_key_than_on_the_console_is_refused",
    "make one with: ess cluster start": f"{HOSTS}test_a_node_without_a_machine_gets_one_at_the_start",
    "ess cluster terminate --all ends what it was about": f"{CLOUD}test_a_damaged_record_keeps_nothing_alive",
    "run: ess cluster stop, then: ess cluster start": ADVISED,
    "ess cluster reset clears it": ADVISED,
    # Databases
    "then import all files again, without --resume": ANOTHER,
    "its rows are lost: start it, clear the rest": VOLATILE,
    "clear the rest with aq_udb -clr": VOLATILE,
    "clear it everywhere with aq_udb -clr": ANOTHER,
    "clear both with: aq_udb -clr": ANOTHER,
    "to start anew with the present one: aq_udb -clr": f"{UDB}test_another_definition",
    "clear the database to change more: aq_udb -clr": f"{UDB}test_another_definition",
    "clear it first with: aq_udb -clr": f"{UDB}test_a_load_into_a_database_that_is_not_empty",
    "empty each database with: aq_udb -clr": MACHINES,
    "run there: ess udbd start": MACHINES,
    "run the command again": CLEARED,
    "empty the database before, with aq_udb -clr": f"{ONCE}test_the_advice_about_two_imports_of_one_place",
    "run it again": LATER,
    "run the import again": f"{UDB}test_an_import_of_which_not_all_has_arrived",
    "then look: it is there as a whole or not at all": UDB_FAULTS,
    "restore it from a copy, or clear the database": DAMAGED,
    "save them (aq_udb -save DbName Folder), run: ess udbd restart": DISPLACED,
    "start it with: ess udbd start": SERVER,
    "if it has ended, start it again with: ess udbd start": SERVER,
    "see: ess udbd status": MACHINES,
    "ess udbd stop; rm -r": f"{CERTIFICATES}a_client_of_a_database_names_a_damaged_file_and_a_way_out",
    # The manual
    "as it was killed before it wrote its first line, `--resume` starts it": (
        "tests/cluster/test_cli.py::test_resuming_what_was_killed_before_its_first_line_starts_it"
    ),
    "so empty the database before (`aq_udb -clr DbName`)": f"{ONCE}test_the_advice_about_two_imports_of_one_place",
    "the same command with `--resume` does the files that have failed": STOPPED,
    "the file fails, and `--resume` does it again as a whole": AFTER_A_FAILURE,
    "`--resume` continues it when the cluster answers again": f"{FROZEN}test_a_stopped_scheduler_is_an_error",
    "The same command with `--resume` continues": KILLED,
    "`ess cluster reset` clears everything": ADVISED,
    "`ess udbd start` brings them back, and `aq_udb -clr` removes them": (
        f"{ONCE}test_terminate_keeps_the_rows_and_a_start_brings_them_back"
    ),
    "`aq_udb -clr` removes it, then import all files again": DAMAGED,
    "until `aq_udb -clr` has removed the rest": VOLATILE,
    "without `--resume`, which would do only those": AGAIN,
    "when a stream breaks off, `--resume` does the files again": KILLED,
    "The same command without `--resume` imports all files again": AGAIN,
    "**After `aq_udb -clr`** the database is another one": AGAIN,
    "and that `--resume` continues": KILLED,
    "`ess stream --resume` with the same arguments does the files that are not done": KILLED,
    "without `--resume` the same command imports all files": AGAIN,
    "`aq_udb -clr` removes the rest": VOLATILE,
}

#: What has the words of advice and is none of this kind.
NO_ADVICE = (
    "see what runs: udbd status",
    "what the import is recognised by when its file is done again",
    "install the same version of Essentia on both sides",
    "`ess udbd status` and `ckmem` ask the servers",
    "`completion` and every `--help`",
    "`UDBD_MEM` stands for `-mem`",
    "`aq_udb -clr` gives memory back",
    "`aq_udb -clr` and `ess server restart` empty databases on purpose",
    "A change (`-scn` with `-eval`, `-ord`, `-clr`) is done on all servers",
)


@functools.cache
def messages() -> tuple[tuple[str, str], ...]:
    """The place of each text of the program, and the text, with ``{}`` for its values."""
    return tuple(_messages())


def _messages() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "src" / "ess").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        passed = {id(statement.value) for statement in nodes if isinstance(statement, ast.Expr)}  # docstrings
        for joined in nodes:
            if isinstance(joined, ast.JoinedStr):
                passed.update(id(value) for value in joined.values)
        for node in nodes:
            if id(node) in passed:
                continue
            if isinstance(node, ast.JoinedStr):
                yield path.name, "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                yield path.name, node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def sentences() -> Iterator[tuple[str, str]]:
    """The page and the text of each sentence of the manual that is no example."""
    for name in PAGES:
        text = (ROOT / "docs" / "manual" / name).read_text(encoding="utf-8")
        text = re.sub(r"```.*?```", "\n\n", text, flags=re.DOTALL)
        for sentence in re.split(r"(?<=[.:;])\s+|\n\n|\n[-|] ?", text):
            yield name, " ".join(sentence.split())


def advice() -> list[tuple[str, str]]:
    """The texts that advise something; single words, such as the names of options, do not."""
    return [(where, text) for where, text in (*messages(), *sentences()) if ADVICE.search(text) and text.count(" ") > 1]


def test_every_sentence_of_advice_is_tried() -> None:
    untried = [f"{where}: {text}" for where, text in advice() if not any(part in text for part in (*TRIED, *NO_ADVICE))]
    assert untried == [], "write a test that follows it, and name it in TRIED"


def test_what_is_tried_is_advised() -> None:
    texts = [text for _, text in (*messages(), *sentences())]
    assert [part for part in (*TRIED, *NO_ADVICE) if not any(part in text for text in texts)] == []


@pytest.mark.parametrize("test", sorted(set(TRIED.values())))
def test_the_test_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
