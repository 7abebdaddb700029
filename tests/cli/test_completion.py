"""The completion of bash and zsh: its functions with lines to complete, and the tabulator key in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest
from typer.core import TyperGroup

from ess.api import commands
from ess.cli import completion
from ess.cli.app import whole
from ess.errors import OptionError
from ess.formats.attributes import INPUT_ATTRIBUTES
from tests.waiting import PATIENCE

LOG = "purchaseDate,userID,price\n2014-09-01,7,1.5\n"
SPEC = """# a comment
@Server:
  127.0.0.1:10010
@Table:sales
  s,pkey:user
  f,+add:total
@Vector:prof
  s,pkey:user
  s:name
"""


def scripts(shell: str) -> str:
    root = whole()
    assert isinstance(root, TyperGroup)
    return completion.script(shell, root)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, a database and the scripts."""
    made = tmp_path_factory.mktemp("completion")
    (made / "log file.csv").write_text(LOG)
    (made / "log.csv").write_text(LOG)
    (made / "data.bin").write_bytes(b"\0\xff\n" * 10)
    (made / ".conf").mkdir()
    (made / ".conf" / "wood.spec").write_text(SPEC)
    for shell in completion.SHELLS:
        (made / f"completion.{shell}").write_text(scripts(shell))
    return made


CASES = [
    ("aq_pp -fil", ["-filt"]),
    (
        "aq_pp -f,",
        [f"-f,{completion.attribute_word(name)}" for name in INPUT_ATTRIBUTES],
    ),
    ("aq_pp -f,+1,no", ["-f,+1,nox"]),
    ("aq_pp -o,not", ["-o,notitle"]),
    ("aq_pp -f lo", ["log file.csv", "log.csv"]),
    ("aq_pp -f,+1 log.csv -d S:", ["purchaseDate", "userID", "price"]),
    ("aq_pp -f,+1 'log file.csv' -d S:purchaseDate S:us", ["userID"]),
    ("aq_pp -f data.bin -d S:", []),
    ("aq_pp -f nowhere -d S:", []),
    ("aq_pp -f log.csv -d S:user f,trm:price -eval i:total 1 -c ", ["user", "price", "total"]),
    ("aq_pp -d s:a -filt 'a == \"x y\"' -eval ", ["S:", "F:", "L:", "LS:", "I:", "IS:", "IP:", "X:", "a"]),
    ("aq_pp -d s:a -imp wo", ["wood", "wood:sales", "wood:prof"]),
    ("aq_pp -d s:a -imp,no", ["-imp,nobnk", "-imp,nonew", "-imp,noold", "-imp,nodelay"]),
    ("aq_udb -exp wood:", ["sales", "prof"]),
    ("aq_udb -exp wood:sales -sort ", ["user", "total"]),
    ("aq_udb -exp wood:prof -c n", ["name"]),
    ("/usr/local/bin/loginf -f_r", ["-f_raw"]),
    ("udbd st", ["start", "stop", "status"]),
    ("ess clu", ["cluster"]),
    ("ess cluster te", ["terminate"]),
    ("ess stream --th", ["--threads"]),
    ("ess no such", []),
]


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[line for line, _ in CASES])
def test_candidates(folder: Path, line: str, expected: list[str]) -> None:
    code = '. ./completion.bash; COMP_LINE=$1 COMP_POINT=${#1}; _essentia_bash; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", code, "bash", line],
        cwd=folder,
        env={**os.environ, "ESS_WORK_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert sorted(word for word in done.stdout.split("\n") if word) == sorted(expected)


def test_every_command_has_it() -> None:
    last = scripts("bash").splitlines()[-1].split()
    assert last[:3] == ["complete", "-F", "_essentia_bash"]
    assert set(last[3:]) == {"ess", *(table.tool for table in commands.option_tables())}


def test_kinds_of_arguments_are_those_of_the_tables() -> None:
    options = [option for table in commands.option_tables() for option in table.options if not option.obsolete]
    assert {name for option in options for name in (*option.arguments, option.more)} <= completion.KINDS.keys()


def test_another_shell_is_an_error() -> None:
    with pytest.raises(OptionError, match="no completion for 'fish'"):
        scripts("fish")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_tabulator_key(folder: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    options = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"]}[shell]
    terminal = pexpect.spawn(
        shell, [*options, "-i"], cwd=str(folder), encoding="utf-8", timeout=PATIENCE, dimensions=(24, 200)
    )
    try:
        if shell == "zsh":
            terminal.sendline("autoload -U compinit; compinit -D -u; unsetopt prompt_cr zle_bracketed_paste")
        terminal.sendline(f"PS1='> '; . ./completion.{shell}; echo rea''dy")
        terminal.expect("ready")
        terminal.send('loginf() { echo "[$*]"; }; aq_pp() { echo "[$*]"; }\n')
        terminal.send("aq_pp -f,+1 log.\t-d S:user\t\n")
        terminal.expect_exact("[-f,+1 log.csv -d S:userID")
        terminal.send("loginf -f,eo\tx\n")
        terminal.expect_exact("[-f,eokx]")
    finally:
        terminal.terminate(force=True)
