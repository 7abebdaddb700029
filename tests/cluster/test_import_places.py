"""The places of imports in a command: bash still does the same, and no two imports have the same place."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from ess.cluster.import_places import mark, require_places
from ess.errors import OptionError

IMP = "aq_pp -imp a:b"

#: Commands, and the places that their imports have. What runs at the same time may come in any order.
PLACED = {
    f"{IMP}; sleep 0": ["1"],
    f"{IMP} && {IMP} || {IMP}": ["1", "2"],
    f"X=1 {IMP} 2>&1 > out; /dev/null | {IMP}; ! {IMP}": ["1", "2", "3"],
    f"< in {IMP} >| out 2>> err": ["1"],
    f"for x in a b; do {IMP} $x; done": ["1.1", "1.2"],
    f"for x in a b\ndo # twice\n  {IMP} $x\ndone": ["1.1", "1.2"],
    f"for ((i = 0; i < 3; i++)); do {IMP}; done": ["1.1", "1.2", "1.3"],
    f"for x in a b; do {IMP} $x & done; wait": ["1.1", "1.2"],
    f"for x in a b; do (for y in c d; do {IMP} $x$y & done; wait) & done; wait": ["1.1.1", "1.1.2", "1.2.1", "1.2.2"],
    f"printf '1\\n2\\n' | while read x; do echo $x | {IMP} $x; done": ["1.1", "1.2"],
    f"while read x; do echo $x | {IMP} | {IMP}; done < in": ["1.1", "1.2", "2.1", "2.2"],
    f"n=0; until [ $n = 2 ]; do n=$((n+1)); {IMP}; done": ["1.1", "1.2"],
    f"n=0; until {IMP}; [ $n = 1 ]; do n=1; done": ["1.1", "1.2"],
    f"tee >({IMP}) < in | {IMP}; wait; sleep 0.2": ["1", "2"],
    f"cat in | {IMP} & cat in | {IMP}; wait": ["1", "2"],
    f"{IMP} x & {IMP} x; wait": ["1", "2"],
    f'x=$({IMP}); echo "in quotes: $({IMP} "$(echo a)")" `{IMP}`': ["1", "2", "3"],
    f"if {IMP}; then {IMP}; else {IMP}; fi": ["1", "2"],
    f"case a in a|b) {IMP};; (c) {IMP};; esac": ["1"],
    f"case $(echo a) in (a) {IMP};; esac; case b in (a) {IMP};; b) {IMP};; esac": ["1", "3"],
    f"x=`{IMP}`; y=$({IMP})": ["1", "2"],
    f"'aq'_pp -imp a:b; a\\q_pp -imp a:b; {IMP}": ["1", "2", "3"],
    f"function f() {{ {IMP}; }}; f; f": ["1.1", "1.2"],
    f"( {IMP}; {IMP} ) > out; {{ {IMP}; }} 2> err": ["1", "2", "3"],
    f"f() {{ {IMP} $1; }}; f a; f b": ["1.1", "1.2"],
    f"function f {{\n{IMP}\n}}\nfor x in a b; do f; done": ["1.1", "1.2"],
    f"f() ( {IMP} $1 ); f a; f b": ["1.1", "1.2"],
    f"f( ) {{ {IMP}; }}; g () {{ f; }}; f; g": ["1.1", "1.2"],
    f"function f() (\n{IMP}; {IMP}\n) > out # twice\nfor x in a b; do f; done": ["1.1", "1.2", "2.1", "2.2"],
    f"function f ( {IMP} ) <<E\nx\nE\nf && f": ["1.1", "1.2"],
    f"f() ( {IMP} ) && f; f; ( {IMP} )": ["1.1", "1.2", "2"],
    f"f() (exit 3); f || {IMP}": ["1"],
    f"set -- a b; for x do {IMP} $x; done; for x; do {IMP}; done": ["1.1", "1.2", "2.1", "2.2"],
    f"for x in a b; {{ {IMP} $x; }}; {IMP}": ["1.1", "1.2", "2"],
    f"time -p {IMP}; time -- {IMP}; ! time -p {IMP} | {IMP}": ["1", "2", "3", "4"],
    f"coproc {IMP} < in; wait $!; coproc N {{ {IMP}; }} < in; wait $!": ["1", "2"],
    f"coproc N while read x; do echo $x | {IMP}; done < in; wait": ["1.1", "1.2"],
    f"coproc N ( {IMP} ) < in; wait": ["1"],
    f"nice -n 1 {IMP}; env A=b {IMP}; timeout 9 nice {IMP}; exec {IMP}": ["1", "2", "3", "4"],
    f"time {IMP}; $B/{IMP}; \"$B\"/{IMP}; 'aq_pp' -imp,ddef a:b": ["1", "2", "3", "4"],
    "aq_pp -f - \\\n  -d s:a \\\n  -imp a:b": ["1"],
    f"aq_pp -o - | {IMP}; aq_pp -test -imp a:b": ["1"],
    f"cat <<-E > out\n\tdon${{x}}e; for x in\n\tE\n{IMP} ${{x:-)}} $((1 < 2))": ["1"],
    f"# aq_pp -imp in a comment\n{IMP} # aq_pp -imp": ["1"],
    f"set -eu; for x in a b; do {IMP}; done": ["1.1", "1.2"],
    "aq_pp -udb -imp a:b": ["1"],
}

#: Imports that run nobody knows how often, when, or whether at all.
UNPLACED = [
    "xargs -n1 -P2 aq_pp -imp a:b -f < in",
    "split -l 1 --filter='aq_pp -f - -imp a:b'",
    "find . -exec aq_pp -imp a:b -f {} \\;",
    "parallel aq_pp -imp a:b -f ::: a b",
    "eval 'aq_pp -imp a:b'",
    'sh -c "aq_pp -imp a:b"',
    "c=(aq_pp -imp a:b); ${c[@]}",
    "'aq'_pp -imp a:b; xargs aq_pp -imp a:b",
    "trap 'aq_pp -imp a:b' EXIT",
    "bash <<E\naq_pp -imp a:b\nE",
    "aq_pp -imp a:b; cat x | xargs aq_pp -udb -imp,ddef a:b",
]


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, str]:
    """An environment with an ``aq_pp`` that notes its place and its arguments, and copies its input."""
    tool = tmp_path / "bin" / "aq_pp"
    tool.parent.mkdir()
    log = 'echo "${ESS_IMPORT_PLACE-} $*" >> "$ESS_LOG"; echo "aq_pp $*"; [ -t 0 ] || cat'
    tool.write_text(f"#!/bin/sh\n{log}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "in").write_text("1\n2\n")
    path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    return {
        "PATH": path,
        "B": str(tool.parent),
        "ESS_LOG": str(tmp_path / "log"),
        "ESS_COUNTS": str(tmp_path / "c ount"),
    }


def bash(command: str, environment: dict[str, str], folder: Path) -> tuple[int, list[str], list[str], list[str]]:
    """The exit code, what was printed, what the tool was called with, and its places."""
    log = Path(environment["ESS_LOG"])
    log.unlink(missing_ok=True)
    done = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    calls = [line.partition(" ") for line in (log.read_text().splitlines() if log.exists() else [])]
    told = sorted(done.stdout.splitlines()), sorted(call for _, _, call in calls)
    return done.returncode, *told, sorted(place for place, _, _ in calls if place)


@pytest.mark.parametrize("command", PLACED)
def test_each_import_has_a_place_of_its_own_and_nothing_else_changes(
    command: str, tools: dict[str, str], tmp_path: Path
) -> None:
    marked = mark(command)
    plain = bash(command, tools, tmp_path)
    assert plain[3] == []
    found = bash(marked.text, tools, tmp_path)
    assert found[:3] == plain[:3]
    assert found[3] == PLACED[command]
    # The shell has noted that each of them has begun.
    begun = sorted(path.name.partition("@")[0] for path in tmp_path.glob("c ount.*"))
    assert begun == [f"c ount.{place}" for place in PLACED[command]]
    assert bash(marked.text, tools, tmp_path)[3] == found[3]


@pytest.mark.parametrize("command", UNPLACED)
def test_what_cannot_have_one_is_refused_and_the_advice_is_taken(command: str) -> None:
    with pytest.raises(OptionError, match=r"how often this import runs .* cannot be told.*-imp,place=Name"):
        require_places(command)
    named = command.replace("-imp a:b", "-imp,place=$f a:b").replace("-imp,ddef", "-imp,ddef,place=$f")
    require_places(named)


def test_a_command_without_imports_stays_as_it_is() -> None:
    for command in ("aq_pp -f - -d s:a | gzip", "xargs aq_pp", "bash load.sh", '"$AQ" -imp a:b', "grep -- -imp"):
        assert mark(command).text == command
        require_places(command)
    assert mark("aq_pp -imp a:b", "p").text.startswith("ESS_IMPORT_PLACE=p1 ")
