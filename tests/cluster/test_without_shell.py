"""Commands that run without a shell give what bash gives: bytes, messages, exit codes and counts."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ess.cluster import held_input, tool_calls, work
from ess.cluster.commands import Setting
from ess.cluster.groups import Groups
from ess.cluster.plain_pipelines import plain_pipeline, plain_program, shell_environment, starts_plainly
from ess.cluster.prefetch import Prefetch
from ess.cluster.processes import status_of
from ess.cluster.substitution import Place
from ess.cluster.user_environment import surroundings
from ess.cluster.warm import WarmTools
from ess.cluster.work import Job, Task, run_bundle
from ess.lake.entry import FileEntry
from tests.cluster.running import make_files, marked, wait_until

ROWS = b"user,n,note\r\n" + b"".join(b"u%d,%d,it's %d\r\n" % (number % 7, number, number) for number in range(200))
COLUMNS = ("s:user", "i:n", "s:note")


@dataclass
class Node:
    """The helpers that run tasks, and how often the tool server took a pipeline."""

    groups: Groups
    warm: WarmTools
    folder: Path
    taken: int = 0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESS_WARM", "1")
        folder = tmp_path_factory.mktemp("node")
        patch.setenv("ESS_CACHE_DIR", str(folder / "cache"))
        groups = Groups()
        groups.mark(f"ESS_COUNTS={folder}/")
        warm = WarmTools(groups)
        found = Node(groups, warm, folder)
        begin = tool_calls.start

        def start(*arguments: object, **options: object) -> object:
            run = begin(*arguments, **options)  # type: ignore[arg-type]
            found.taken += run is not None
            return run

        patch.setattr(tool_calls, "start", start)
        yield found
        warm.close()
        groups.close()


PROGRAMS = [
    "wc -l",
    " wc  '-l' ",
    "cat",
    "grep -c u1",
    "grep no",
    "sort -k2 -t, -n",
    "sed 's/u\\(.\\)/%file \\1/'",
    'awk -F, "{ print "%FILE" }"',
    "ls nowhere",
    "pwd",
    "nosuchprogram -x",
    "/bin/ls nowhere",
    "/nosuch/ls",
    "./ls",
    "true",
    "sleep x",
    "sh -c 'ulimit -n; umask; echo $SHLVL $PWD $_; kill -9 $$'",
    "bash -c 'echo $0 $# $SHLVL; exit 3' x y",
    "sh -c 'readlink /proc/self/fd/0 | cut -c-4; ls /proc/self/fd'",
    'sh -c \'ps -o pgid= -o sid= -p $$ | tr -s " " "\\n" | sort -u | wc -l\'',
    "head -1",
    "wc -l --nosuch",
]


def run(node: Node, command: str, entry: FileEntry, *, shell: bool, preprocess: str = "") -> tuple[object, ...]:
    """The output, messages, exit code and counts of a command, and whether the tool server ran it by itself."""
    environment = dict(surroundings().environment) | {"SHLVL": "3", "odd.name": "1"}
    job = Job("job", command, Setting(environment, str(node.folder), 0o27), COLUMNS, ",", "", preprocess, warm=True)
    before = node.taken
    with pytest.MonkeyPatch.context() as patch:
        if shell:
            patch.setattr(work, "tool_pipeline", lambda *_: None)
            patch.setattr(work, "plain_program", lambda *_: None)
        [outcome] = run_bundle(
            job, [Task(0, entry)], Place(), 1, node.groups, node.warm, lambda: False, node.folder, Prefetch(0)
        )
    out, err = (node.folder / name for name in (outcome.stdout, outcome.stderr))
    found = (out.read_bytes(), err.read_bytes(), outcome.ended.exit_code, outcome.ended.tools, outcome.ended.problem)
    out.unlink()
    err.unlink()
    assert not [*node.folder.glob("*counts*"), *node.folder.glob("reports/*")]
    return (*found, node.taken - before)


def same(node: Node, command: str, entry: FileEntry, *, direct: bool, preprocess: str = "") -> None:
    ours = run(node, command, entry, shell=False, preprocess=preprocess)
    theirs = run(node, command, entry, shell=True, preprocess=preprocess)
    assert _certain(ours, command) == _certain(theirs, command)
    assert (ours[-1], theirs[-1]) == (direct, 0)


def _certain(found: tuple[object, ...], command: str) -> tuple[object, ...]:
    """Without what depends on how fast a command is: what one says and counts whose reader fails, and its time."""
    output, messages, exit_code, counts, problem, _ = found
    assert isinstance(output, bytes)
    output = re.sub(rb'"Process Time" : [0-9.]+', b"", output)
    if "|" in command and exit_code:
        return output, exit_code, problem
    return output, messages, exit_code, counts, problem


READ = "aq_pp -f,+1,eok - -d %cols"

PLAIN = [
    READ,
    f"{READ} -filt 'n > 190' -o,notitle - -c user n",
    f'  {READ} -filt "n > 190 && user == \\"u3\\"" \\\n  -o - -c note  ',
    f"{READ} -eval s:name '\"$HOME `a` \\\\ it'\\''s\"' -c name",
    f"{READ} -eval s:name '\"%file\"' -c name n",
    f'{READ} -eval s:name "\\"%file|%FILE|%path\\"" -c name n',
    f"{READ} -o - | aq_cnt -f,+1 - -d %cols -kX - User user",
    f"{READ} -filt 'n < 100' | aq_ord -f,+1 - -d %cols -sort,dec n|aq_pp -f,+1 - -d %cols -o,notitle - -c n",
    f"{READ} -filt 'n <'",  # wrong
    "aq_pp -f,+1 - -d i:user i:n s:note",  # wrong rows
    "aq_pp -f,+1 - -d i:user i:n s:note | aq_cnt -f,+1,eok - -d %cols -kX - User user",
    "aq_pp -f no/such/file -d s:a",
    f"{READ} -c user | aq_pp -f,+1 - -d s:user -nosuch",
    f"{READ} -o 'sub dir/x'",
    "aq_pp",
    "aq_pp -h",
    "loginf -f -",
    "aq_cat -f,+1 - -d %cols",
    f"{READ} -imp no:where",
    f"{READ} -imp no:where -o - -c n | aq_pp -f,+1 - -d i:n -imp no:where2",
    "aq_pp -f - -d ''",
    '"aq_pp" -f,+1 - -d %cols -c \'us\'"er"',
    "aq_\\pp -f,+1 - -d %cols -c user",
]

SHELL = [
    f"{READ} -o - > /dev/null",
    f"{READ} -c n | head -2",
    f"{READ} -c n; echo $?",
    f"{READ} -filt 'n > 5' -c $'user'",
    f"{READ} -filt n==5||echo no",
    f"X=1 {READ}",
    f"{READ} -c us*",
    f"{READ} -c {{user,n}}",
    f"{READ} -c n # only that",
    f"! {READ} -c n",
    f'{READ} -c "$x"n',
    f"({READ} -c n)",
    f"{READ} -c ~",
    f"{READ} -eval s:x '\"\u00e9\"' -c é",
    "echo aq_pp",
    "aq_pp 'unclosed",
    "xargs aq_pp",
    f"{READ} |& aq_cnt -f - -d s:x",
    f"{READ} -c n &",
]


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> FileEntry:
    folder = tmp_path_factory.mktemp("it's $HOME \"a\" 'b'")
    return make_files(folder, [ROWS])[0]


@pytest.mark.parametrize("command", PLAIN)
def test_a_pipeline_of_our_tools_gives_what_bash_gives(node: Node, entry: FileEntry, command: str) -> None:
    same(node, command, entry, direct=True)


@pytest.mark.parametrize("command", PROGRAMS)
def test_a_program_without_a_shell_gives_what_bash_gives(node: Node, entry: FileEntry, command: str) -> None:
    same(node, command, entry, direct=False)


def test_programs_are_started_without_a_shell(node: Node, entry: FileEntry) -> None:
    environment = dict(surroundings().environment)
    assert plain_program("sort -n", environment) is not None
    for other in ("echo x", "sort -n | uniq", "sort > x", "./sort", "no-such-program", "env", "x=1 sort", "time sort"):
        assert plain_program(other, environment) is None
    assert plain_program("sort", environment | {"PATH": "bin:/bin:/usr/bin"}) is None


@pytest.mark.parametrize("command", SHELL)
def test_what_is_not_plain_is_left_to_bash(node: Node, entry: FileEntry, command: str) -> None:
    same(node, command, entry, direct=False)


@pytest.mark.parametrize(
    ("preprocess", "direct"), [("aq_cat -f - -d %cols -o,notitle -", True), ("sed s/u1/u2/", False), ("aq_pp -f", True)]
)
def test_what_the_data_goes_through_first_is_part_of_the_pipeline(
    node: Node, entry: FileEntry, preprocess: str, direct: bool
) -> None:
    same(node, f"{READ} -c n", entry, direct=direct, preprocess=preprocess)


_WORDS = st.one_of(
    st.sampled_from(
        ["-f,+1,eok", "-", "-d", "%cols", "-filt", "n > 3", "-c", "user", "n", "%file", "-o", "é", "a=b", ""]
    ),
    st.text(st.sampled_from("ab $`\"'\\|;&<>(){}[]*?!#~=%^+-\n\té"), max_size=6),
)
_QUOTED = _WORDS.flatmap(lambda word: st.sampled_from([word, shlex.quote(word), f'"{word}"', f"'{word}'"]))
_TOOLS = st.sampled_from(["aq_pp", "aq_cnt", "aq_cat", "aq_ord"])
_STAGES = st.tuples(_TOOLS, st.lists(_QUOTED, max_size=4)).map(lambda stage: " ".join([stage[0], *stage[1]]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(stages=[f"{READ} -c \"n\"'' n", "aq_cat -f - -d s:x"])
@example(stages=["aq_pp -f - -d s:a\\\n"])
@given(stages=st.lists(_STAGES, min_size=1, max_size=2))
def test_generated_pipelines_give_what_bash_gives(node: Node, entry: FileEntry, stages: list[str]) -> None:
    command = " | ".join(stages)
    assume("$$" not in command)  # the number of the shell
    theirs = run(node, command, entry, shell=True)
    ours = run(node, command, entry, shell=False)
    assert _certain(ours, command) == _certain(theirs, command)


@settings(max_examples=200, deadline=None)
@given(text=st.lists(_QUOTED, max_size=5).map(" ".join))
def test_words_are_what_bash_makes_of_them(text: str) -> None:
    found = plain_pipeline(f"printf '%s\\0' x {text}", {})
    if found is None or len(found) > 1:
        return
    said = subprocess.run(["bash", "-c", f"printf '%s\\0' x {text}"], capture_output=True, check=True).stdout
    assert [os.fsencode(word) for word in found[0][2:]] == said.split(b"\0")[:-1]


@pytest.mark.parametrize(
    "added",
    [
        {"BASH_ENV": "/x"},
        {"BASH_FUNC_aq_pp%%": "() { echo no; }"},
        {"POSIXLY_CORRECT": ""},
        {"SHELLOPTS": "xtrace"},
        {"LC_ALL": "ja_JP.SJIS"},
    ],
)
def test_an_environment_in_which_bash_does_more_is_left_to_bash(added: dict[str, str]) -> None:
    assert starts_plainly({"PATH": "/bin", "LANG": "en_US.UTF-8"})
    assert not starts_plainly({"PATH": "/bin", "LANG": "en_US.UTF-8", **added})


def test_another_program_of_the_same_name_is_left_to_bash(node: Node, tmp_path: Path) -> None:
    (tmp_path / "aq_pp").write_text("#!/bin/sh\necho other\n")
    (tmp_path / "aq_pp").chmod(0o755)
    ours = dict(surroundings().environment)
    assert tool_calls.tool_pipeline("aq_pp -f -", "", ours, "1") is not None
    for path in (f"{tmp_path}:{ours['PATH']}", f"bin:{ours['PATH']}", "/bin"):
        assert tool_calls.tool_pipeline("aq_pp -f -", "", ours | {"PATH": path}, "1") is None
    assert tool_calls.tool_pipeline(f"{tmp_path}/aq_pp -f -", "", ours, "1") is None


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    "added", [{}, {"PWD": "/nowhere"}, {"SHLVL": "7"}, {"SHLVL": "x"}, {"OLDPWD": "/"}, {"OLDPWD": "/nowhere"}]
)
def test_the_environment_is_what_bash_makes(tmp_path: Path, added: dict[str, str], several: bool) -> None:
    given_to = {"PATH": os.environ["PATH"], "HOME": "/", "x.y": "1", **added}
    command = ("cat | " if several else "") + "env -0"  # as in ess.cluster.groups
    said = subprocess.run(
        ["bash", "-c", 'builtin printf "" || exit 126; exec "$0" -c "$1" bash', "bash", command],
        env=given_to,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    theirs = dict(line.split("=", 1) for line in said.split("\0") if line)
    del theirs["_"]
    assert shell_environment(given_to, str(tmp_path), several=several) == theirs


_STARTED = """
import os, sys
from ess.cluster.groups import Groups
groups = Groups()
if sys.argv[1] == "marked":
    groups.mark("ESS_COUNTS=/nowhere/")
umask = 0o27 if sys.argv[1] == "umask" else groups._umask
process = groups.start(sys.argv[2], environment={**os.environ, "ESS_COUNTS": "/nowhere/1"}, folder=os.getcwd(),
    umask=umask, stdin=None, stdout=1, stderr=2, marked=True)
code = groups.finish(process)
groups.close()
sys.exit(code)
"""


def test_bash_starts_at_once_as_behind_another_one_that_reports_it() -> None:
    command = "echo $_ $0 $# $- $$; ls /proc/self/fd; env | grep -v ^BASHPID= | sort; trap; no such; cat; exit 7"
    ours, theirs = os.pipe()
    said = []
    for how in ("marked", "reported"):
        words = [sys.executable, "-c", _STARTED, how, command]
        done = subprocess.run(words, capture_output=True, pass_fds=(ours, theirs), text=True, check=False, env={
            **os.environ, "_": "before", "SHLVL": "4", "x.y": "1", "OLDPWD": "/nowhere"
        })  # fmt: skip
        said.append((done.returncode, re.sub(r"(?m) \d+$", "", done.stdout), done.stderr))
    os.close(ours)
    os.close(theirs)
    assert said[0] == said[1]
    assert (said[0][0], "SHLVL=5\n" in said[0][1]) == (7, True)


def test_a_tool_that_is_killed_fails_as_under_bash(node: Node, entry: FileEntry, tmp_path: Path) -> None:
    (tmp_path / "die.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    command = f"{READ} -pmod row {tmp_path}/die.py"
    same(node, command, entry, direct=True)
    same(node, f"{command} | aq_pp -f - -d s:x -o -", entry, direct=True)
    assert run(node, command, entry, shell=False)[2] == 128 + signal.SIGKILL


_KILLED_EARLY = """
import os, sys
from ess.cluster.groups import Groups
from ess.cluster.plain_pipelines import Program
folder = sys.argv[1]
groups = Groups()
groups.mark(f"ESS_COUNTS={folder}/")
reading, writing = os.pipe()
if sys.argv[3] == "bash":
    running = groups.start("sleep 1000 | sleep 1000", environment={**os.environ, "ESS_COUNTS": f"{folder}/1"},
        folder=sys.argv[2], umask=groups._umask, stdin=reading, stdout=1, stderr=2, marked=True)
else:
    running = groups.start_program(
        Program("/bin/sleep", ("sleep", "1000")), environment=[f"ESS_COUNTS={folder}/1".encode()], folder=sys.argv[2],
        umask=groups._umask, stdin=reading, stdout=1, stderr=2, alone=sys.argv[3] == "alone",
    )
groups._ours.send(b"-%d" % running.pid)  # as if the reaper had not been told of it yet
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("folder", ["/", "."])
@pytest.mark.parametrize("how", ["alone", "in a session", "bash"])
def test_a_program_ends_with_its_worker_also_if_the_reaper_was_not_told_of_it(
    tmp_path: Path, folder: str, how: str
) -> None:
    words = [sys.executable, "-c", _KILLED_EARLY, str(tmp_path), os.path.abspath(folder), how]  # noqa: PTH100
    killed = subprocess.run(words, check=False)
    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: not marked(f"ESS_COUNTS={tmp_path}/"))


@pytest.mark.parametrize("held", [100_000, 100_001, 1 << 20])
def test_an_input_goes_on_from_its_source_behind_what_is_held(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    [entry] = make_files(tmp_path, [ROWS * 100])
    monkeypatch.setattr(held_input, "HELD", held)
    monkeypatch.setattr(held_input, "_PIECE", 700)
    same(node, f"{READ} -c n", entry, direct=True)
    monkeypatch.setattr(tool_calls, "start", lambda *_, **__: None)  # no server takes it
    same(node, f"{READ} -c n", entry, direct=False)


@pytest.mark.parametrize("held", [1000, 1 << 20])
def test_a_damaged_file_gives_no_output_but_an_error(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(held_input, "HELD", held)
    monkeypatch.setattr(held_input, "_PIECE", 700)
    [damaged] = make_files(tmp_path, [ROWS * 100])
    content = bytearray(Path(damaged.path).read_bytes())
    content[-6] ^= 1  # of its check sum
    Path(damaged.path).write_bytes(content)
    ours, theirs = (run(node, f"{READ} -c n", damaged, shell=shell) for shell in (False, True))
    assert (ours[2], ours[3], ours[4]) == (theirs[2], theirs[3], theirs[4])
    assert "nothing of this file was output" in str(ours[4])


@pytest.fixture
def resident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The tool server of the user's terminal."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("ESS_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("ESS_WARM", "1")
    with subprocess.Popen([sys.executable, "-P", "-m", "ess.tools.warm.server"]) as server:
        wait_until(lambda: list(folder.glob("*.sock")))
        yield server
        server.kill()


def test_the_server_of_the_terminal_is_used_as_long_as_it_lives(
    node: Node, entry: FileEntry, resident: subprocess.Popen[bytes]
) -> None:
    warm = WarmTools(node.groups, resident=True)
    other = Node(node.groups, warm, node.folder)
    expected = run(node, f"{READ} -c n", entry, shell=True)[:-1]
    assert run(other, f"{READ} -c n", entry, shell=False)[:-1] == expected
    assert warm.server_pid == 0
    resident.kill()  # its socket stays
    resident.wait()
    assert run(other, f"{READ} -c n", entry, shell=False)[:-1] == expected
    assert warm.server_pid != 0
    warm.close()


_INTERRUPTED = """
import sys
from pathlib import Path
from ess.cluster.groups import Groups
from ess.cluster.tool_calls import ToolEnvironment, start, tool_pipeline
from ess.cluster.user_environment import surroundings
from ess.tools.warm import protocol
import os
environment = dict(surroundings().environment)
reading, writing = os.pipe()
pipeline = tool_pipeline("aq_pp -f - -d s:a | aq_cnt -f - -d s:a", "", environment, "1")
run = start(pipeline, Path(protocol.socket_path()), environment=ToolEnvironment(environment, "/"), values={},
    folder="/", umask=0o22, stdin=reading, stdout=2, stderr=2, counts=Path(sys.argv[1]), stop=lambda: False)
print(*run.processes, flush=True)
sys.stdin.read()
"""


def test_its_commands_end_with_the_process_that_asked_for_them(
    resident: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, str(tmp_path / "counts")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asking.stdout is not None
    assert asking.stdin is not None
    processes = {int(word) for word in asking.stdout.readline().split()} - {resident.pid}
    assert len(processes) == 2
    asking.kill()
    asking.wait()
    asking.stdin.close()
    asking.stdout.close()
    wait_until(lambda: not any(status_of(process) for process in processes))
