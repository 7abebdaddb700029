"""A cluster of hosts that are reached by SSH, from ``create`` to ``terminate``, and when hosts fail.

The hosts have addresses, file trees and process tables of their own. The tests share a cluster, as sending the program
takes a while; each leaves it whole.
"""

from __future__ import annotations

import gzip
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.hosts.machines import inside
from tests.hosts.ssh_hosts import HOME, Site, SshHost, need_hosts, ssh_hosts
from tests.waiting import eventually, until

#: A name that a shell would run.
ODD = "$(touch pwned) `id` 'b'\n.txt"


class User:
    """Somebody at the master."""

    def __init__(self, site: Site, runtime: str) -> None:
        self.site = site
        self.variables = {
            "HOME": str(site.own.folder),
            "ESS_RUNTIME_DIR": runtime,
            "ESS_ANSWER_TIMEOUT": "3",
        }

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.site.own.run("ess", *words, check=check, variables=self.variables)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*inside(self.site.own.holder), "ess", *words],
            env=self.site.own.environment() | self.variables,
            cwd=self.site.own.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def states(self) -> list[tuple[str, ...]]:
        lines = self.run("cluster", "status").stdout.splitlines()[4:]
        return [tuple(line.split()[:3]) for line in lines if re.match("scheduler|worker", line)]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    need_hosts()
    folder = tmp_path_factory.mktemp("hosts")
    with tempfile.TemporaryDirectory(prefix="ess-") as runtime, ssh_hosts(folder, 2) as site, ExitStack() as ended:
        found = User(site, runtime)
        ended.callback(found.run, "cluster", "reset", check=False)
        found.run("cluster", "set", "custom")
        made = found.run("cluster", "create", "--hosts", "node-0", "--error_return_code")
        assert made.stdout.endswith(": 1 of 1 workers are running on their hosts\n")
        first, second = site.hosts
        # It has the program from before, and nothing is sent.
        shutil.copytree(
            first.folder / ".essentia" / "programs",
            second.folder / ".essentia" / "programs",
            symlinks=True,
            copy_function=os.link,
        )
        (site.own.folder / "cache" / "cluster" / "program").rename(site.own.folder / "packed")
        (site.own.folder / "cache" / "cluster" / "program").mkdir(mode=0o700)
        assert found.run("cluster", "add", "node-1").stdout.endswith(": 2 of 2 workers are running on their hosts\n")
        (site.own.folder / "days").mkdir()
        for day in range(1, 9):
            (site.own.folder / "days" / f"d-201409{day:02}.gz").write_bytes(gzip.compress(b"%d\n" % day * day))
        found.run("select", "local")
        found.run("category", "add", "days", f"{site.own.folder}/days/d-*.gz", "--dateformat", "auto")
        yield found
        found.run("cluster", "terminate")
        for host in site.hosts:
            assert host.processes() == []
            assert [each.name for each in (host.folder / ".essentia").iterdir()] == ["programs"]
        left = [each for each in Path(runtime).iterdir() if each.is_socket()]
        assert left == []


def _copies_on(host: SshHost) -> list[Path]:
    """The copies of sent files that a host has."""
    return [*host.folder.glob(".essentia/*/cluster/scratch/*/*/input/*/*")]


@pytest.fixture
def whole(user: User) -> User:
    """Everything runs."""
    user.run("cluster", "start")
    return user


def test_the_hosts_have_a_worker_each_on_their_own_address(user: User) -> None:
    first, second = user.site.hosts
    assert user.states() == [
        ("scheduler", "running", "10.99.1.1"),
        ("worker-0", "running", first.address),
        ("worker-1", "running", second.address),
    ]
    assert user.run("cluster", "iplist", "--private").stdout == f"{first.address}\n{second.address}\n"
    for host in user.site.hosts:
        listening = subprocess.run(
            [*inside(host.holder), "ss", "-Hltn"], capture_output=True, text=True, check=True
        ).stdout
        assert {line.split()[3].rpartition(":")[0] for line in listening.splitlines()} == {host.address}
        assert "--far" in "".join(host.processes())


def test_what_runs_is_what_was_sent_and_the_environment_is_the_hosts(user: User) -> None:
    script = (
        'pwd; echo $HOME %node_id; command -v aq_pp; python -c "import ess; print(ess.__file__)"; umask; echo $LANG'
    )
    done = user.run("exec", script)
    shown = done.stdout.splitlines()
    program = f"{HOME}/.essentia/programs/"
    for number, lines in enumerate((shown[:6], shown[6:])):
        assert lines[:2] == [HOME, f"{HOME} {number}"]
        assert lines[2].startswith(program)
        assert re.fullmatch(f"{program}[0-9a-f]+/lib/python[0-9.]+/site-packages/ess/__init__.py", lines[3])
        assert len(lines) == 6
    assert done.stderr == ""


def test_files_of_the_masters_disk_are_sent_to_the_nodes(user: User) -> None:
    folder = user.site.own.folder / "mixed"
    if not folder.exists():
        folder.mkdir()
        (folder / "a.txt").write_bytes(b"plain\xff\n")
        (folder / "b.gz").write_bytes(gzip.compress(os.urandom(3 << 20)))
        (folder / ODD).write_bytes(b"odd\n")
        (folder / "empty.txt").touch()
        with zipfile.ZipFile(folder.with_name("inside.zip"), "w") as archive:
            archive.writestr("in/one.txt", "1\n")
            archive.writestr("two.txt", "2\n")
        user.run("category", "add", "mixed", f"{folder}/*", "--dateformat", "none")
        user.run("category", "add", "inside", f"{folder}/../inside.zip", "--dateformat", "none", "--archive", "*")
    command = "wc -c; echo %FILE; case %FILE in b*|one*) exit 7; esac"
    for category, printed in (
        ("mixed", f"4\n{ODD}\n7\na.txt\n{3 << 20}\nb.gz\n0\nempty.txt\n"),
        ("inside", "2\none.txt\n2\ntwo.txt\n"),
    ):
        there = user.run("stream", category, "*", "*", command, check=False)
        assert (there.returncode, there.stdout) == (7, printed)
    assert user.run("stream", "mixed", "*", "*", "wc -c", "--bulk").stdout.count("\n") == 2
    assert not [*user.site.own.folder.rglob("pwned")]
    for host in user.site.hosts:
        assert not [*host.folder.glob("pwned")]
        eventually(partial(_copies_on, host), [])


def test_both_nodes_take_part_and_rows_are_counted(user: User) -> None:
    command = "aq_pp -f - -d i:n -filt 'n > 2' -o,notitle -"
    done = user.run("stream", "days", "*", "*", command, "--debug")
    assert done.stdout == "".join(f"{day}\n" * day for day in range(3, 9))
    assert "36 rows read = 33 out + 3 filtered + 0 rejected" in done.stderr
    assert set(re.findall(r": node ([0-9]), attempt 1, exit code 0", done.stderr)) == {"0", "1"}


def test_files_are_pushed_and_fetched(user: User) -> None:
    own = user.site.own.folder
    (own / "table.csv").write_bytes(b"7,gold\n")
    (own / ODD).write_bytes(os.urandom(1 << 20))
    user.run("file", "mkdir", "tables/here")
    user.run("file", "push", "table.csv", ODD, "--dest", "tables")
    for host in user.site.hosts:
        assert sorted(each.name for each in (host.folder / "tables").iterdir()) == sorted([ODD, "here", "table.csv"])
    user.run("exec", "echo %node_id > of-%node_id.txt")
    fetched = user.run("file", "get", "of-*.txt", f"tables/{ODD}", f"{HOME}/tables/table.csv")
    assert len(fetched.stdout.splitlines()) == 6
    for number in (0, 1):
        assert (own / f"worker-{number}" / f"of-{number}.txt").read_text() == f"{number}\n"
        assert (own / f"worker-{number}" / ODD).read_bytes() == (own / ODD).read_bytes()
    refused = user.run("file", "get", "of-0.txt", check=False)
    assert (refused.returncode, "worker-1: there is no 'of-0.txt'" in refused.stderr) == (11, True)


def test_a_database_has_servers_on_all_hosts(user: User) -> None:
    own, hosts = user.site.own, user.site.hosts
    user.run("create", "database", "shop", "--ports", "1")
    user.run("create", "table", "log", "i,pkey:n", "s:line")
    started = user.run("udbd", "start").stdout
    assert [line.split(": ")[0] for line in started.splitlines() if line.endswith("started.")] == ["node-0", "node-1"]
    for host in hosts:
        assert not [*host.folder.glob(".essentia/custom-*/work/udb/access/authority.key")]
        assert any("--access" in words for words in host.processes())
    try:
        user.run("stream", "days", "*", "*", "aq_pp -f - -d i:n -eval s:line '\"x\"' -imp shop:log")
        assert user.run("exec", "aq_udb -cnt shop:log -o,notitle -").stdout == '"pkey",8\n"row",36\n'
        # In a longer command each node sees its own share.
        shares = user.run("exec", "aq_udb -cnt shop:log -o,notitle - | tail -1").stdout.split()
        assert sum(int(share.partition(",")[2]) for share in shares) == 36
        assert len(shares) == 2
        status = user.run("udbd", "status").stdout
        assert all(f"{host.address}: (+) udbd-10010 running." in status for host in hosts)
        refused = user.run("cluster", "remove", "node-1", check=False)
        assert (refused.returncode, "database shop has servers on the hosts" in refused.stderr) == (2, True)
        # A host that was off has what was committed.
        hosts[1].kill()
        hosts[1].start()
        lost = user.run("exec", "aq_udb -cnt shop:log", check=False)
        assert (lost.returncode, lost.stdout) == (31, ""), lost.stderr
        user.run("udbd", "start")
        assert user.run("exec", "aq_udb -cnt shop:log -o,notitle -").stdout == '"pkey",8\n"row",36\n'
        # What is defined later is known to the hosts with the next job.
        user.run("create", "vector", "sums", "i,pkey:n", "i,+add:count")
        user.run("stream", "days", "*", "*", "aq_pp -f - -d i:n -eval i:count 1 -imp shop:sums")
        assert own.run("aq_udb", "-cnt", "shop:sums", "-o,notitle", "-").stdout == '"pkey",8\n"row",8\n'
    finally:
        user.run("drop", "database", "shop")
        user.run("udbd", "stop")
    assert not any("--access" in words for host in hosts for words in host.processes())


def test_a_cluster_is_stopped_and_started(user: User) -> None:
    user.run("cluster", "stop")
    assert {state for _, state, _ in user.states()} == {"stopped"}
    assert [host.processes() for host in user.site.hosts] == [[], []]
    assert user.run("exec", "true", check=False).returncode == 3
    user.run("cluster", "start")
    assert user.run("exec", "echo %node_id").stdout == "0\n1\n"


def test_a_killed_worker_is_replaced_and_the_result_is_the_same(whole: User) -> None:
    first = whole.site.hosts[0]
    command = f"[ %node_id = 1 ] || [ -e {HOME}/killed ] || {{ touch {HOME}/begun; sleep 600; }}; cat"
    running = whole.begin("stream", "days", "*", "*", command)
    until((first.folder / "begun").exists)
    (first.folder / "killed").touch()
    os.kill(first.pid_of("ess.cluster.daemon"), signal.SIGKILL)
    out, err = running.communicate()
    assert (running.returncode, out) == (0, "".join(f"{day}\n" * day for day in range(1, 9))), err
    until(lambda: not any("sleep 600" in words for words in first.processes()))


def test_a_host_that_is_cut_off_holds_nothing_up(whole: User) -> None:
    first, second = whole.site.hosts
    command = f"[ %node_id = 0 ] || {{ touch {HOME}/cut; sleep 600; }}; cat"
    running = whole.begin("stream", "days", "*", "*", command)
    until((second.folder / "cut").exists)
    second.cut_off()
    out, err = running.communicate()
    assert (running.returncode, out) == (0, "".join(f"{day}\n" * day for day in range(1, 9))), err
    assert "node 1 is not heard of any more; others take its files" in err
    # Without it no job begins, and what is wrong is said.
    refused = whole.run("exec", "true", check=False)
    assert (refused.returncode, "node-1: it cannot be reached" in refused.stderr) == (3, True), refused.stderr
    assert ("worker-1", "lost", second.address) in whole.states()
    second.join()
    # What it did meanwhile ends by itself.
    until(lambda: not any("sleep 600" in words for words in second.processes()))
    whole.run("cluster", "start")
    assert whole.run("exec", "echo %node_id").stdout == "0\n1\n"
    assert first.processes()


def test_a_host_that_was_switched_off_and_on_is_used_again(whole: User) -> None:
    second = whole.site.hosts[1]
    second.kill()
    second.start()
    assert whole.run("exec", "echo %node_id").stdout == "0\n1\n"


def test_a_host_with_another_key_is_refused(whole: User) -> None:
    second = whole.site.hosts[1]
    second.kill()
    old = (second.folder / ".host" / "key").read_bytes()
    second.change_key()
    second.start()
    refused = whole.run("exec", "true", check=False)
    assert refused.returncode == 3
    assert "node-1: its host key is not the one that it had when it was first met" in refused.stderr
    assert second.processes() == []
    command = refused.stderr.strip().partition("run: ")[2]
    assert subprocess.run(shlex.split(command), capture_output=True, check=False).returncode == 0
    assert old != (second.folder / ".host" / "key").read_bytes()
    assert whole.run("exec", "echo %node_id").stdout == "0\n1\n"


def test_hosts_are_taken_out_and_added(whole: User) -> None:
    first, second = whole.site.hosts
    refused = whole.run("cluster", "remove", "node-7", check=False)
    assert (refused.returncode, "no host of the cluster; it has node-0, node-1" in refused.stderr) == (2, True)
    whole.run("cluster", "remove", "node-0")
    assert whole.states()[1:] == [("worker-0", "running", second.address)]
    assert [each.name for each in (first.folder / ".essentia").iterdir()] == ["programs"]
    assert first.processes() == []
    assert whole.run("exec", "echo %node_id of %num_nodes").stdout == "0 of 1\n"
    refused = whole.run("cluster", "remove", "node-1", check=False)
    assert (refused.returncode, "use: ess cluster terminate" in refused.stderr) == (2, True)
    refused = whole.run("cluster", "add", "node-0", "10.99.1.77", check=False)
    assert (refused.returncode, "10.99.1.77: it cannot be reached" in refused.stderr) == (3, True)
    assert whole.states()[1:] == [("worker-0", "running", second.address)]
    whole.run("cluster", "add", "node-0")
    assert whole.run("exec", "echo %node_id of %num_nodes").stdout == "0 of 2\n1 of 2\n"
    eventually(lambda: [each[2] for each in whole.states()[1:]], [second.address, first.address])
