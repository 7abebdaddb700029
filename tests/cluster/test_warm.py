"""The tool server of a run: used when it is ready, ended with its owner."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from ess.cluster.commands import Setting, run_command
from ess.cluster.groups import Groups
from ess.cluster.user_environment import surroundings
from ess.cluster.warm import WITHOUT, WarmTools
from tests.cluster.running import marked, wait_until


def test_commands_use_it_once_it_is_ready_and_it_dies_with_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESS_WARM", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    groups = Groups()
    warm = WarmTools(groups)
    assert warm.environment() == WITHOUT  # it is being started
    wait_until(lambda: warm.environment() != WITHOUT)
    environment = warm.environment()
    folder = Path(environment["ESS_RUNTIME_DIR"])
    around = surroundings()
    ended = run_command(
        "python -c 'from ess.tools.launch import aq_pp; aq_pp()' -f - -d i:a -eval a a+1 -o,notitle -",
        setting=Setting({**around.environment, **environment}, str(tmp_path), 0o22),
        groups=groups,
        stdout=tmp_path / "out",
        stderr=tmp_path / "err",
        counts=tmp_path / "counts",
        source=io.BytesIO(b"41\n"),
    )
    assert (ended.exit_code, (tmp_path / "out").read_bytes()) == (0, b"42\n"), (tmp_path / "err").read_text()
    assert ended.tools[0].counts.read == 1
    found = marked(str(folder))
    parents = [int(Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[1]) for process in found]
    # One server, which no command has started a second time; the other is its worker, which waits for another command.
    assert len([parent for parent in parents if parent not in found]) == 1
    groups._ours.close()  # as if this process had died
    wait_until(lambda: not marked(str(folder)) and not folder.exists())
    warm.close()
    groups.close()


def test_a_command_that_names_a_tool_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_WARM", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    groups = Groups()
    warm = WarmTools(groups)
    assert not warm.serves(many=False)
    assert warm.serves(many=True)
    assert warm.environment("cat | wc; ./loginf_of_mine") == WITHOUT
    assert warm.environment("aq_pp -f -", stop=lambda: True) == WITHOUT
    assert warm.environment("gzip -d | aq_pp -f - | head") != WITHOUT
    warm.close()
    groups.close()


def test_without_a_cluster_the_server_of_the_terminal_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_WARM", "1")
    groups = Groups()
    warm = WarmTools(groups, resident=True)
    assert warm.serves(many=False)
    assert warm.environment() == {"ESS_WARM": "1", "ESS_RUNTIME_DIR": os.environ["ESS_RUNTIME_DIR"]}
    assert warm.server_pid == 0
    warm.close()
    groups.close()


def test_it_stays_off_if_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_WARM", "0")
    groups = Groups()
    assert WarmTools(groups).environment() == WITHOUT
    groups.close()
