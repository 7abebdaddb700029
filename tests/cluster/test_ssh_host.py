"""The connection to a host by SSH: what goes wrong is said, and a host that is another one gets nothing."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from ess.cluster import state
from ess.cluster.host_machines import Look, python_for, reservation
from ess.cluster.program import Needs
from ess.cluster.ssh_host import SshHost, known_hosts, require_name
from ess.errors import EssError, InitializationError, OptionError
from tests.hosts.ssh_hosts import make_key
from tests.hosts.sshd import Sshd, sshd

__all__ = ["sshd"]  # a fixture


def test_a_host_that_does_not_answer_is_named_with_what_to_try(sshd: Sshd) -> None:
    sshd.stop()
    with pytest.raises(InitializationError, match="odd: it cannot be reached .*Connection refused.*ssh odd true"):
        SshHost("odd").run(["true"])
    with pytest.raises(InitializationError, match=r"no-such\.invalid: it cannot be reached"):
        SshHost("no-such.invalid").run(["true"])


def test_a_host_that_lets_nobody_in_says_so(sshd: Sshd) -> None:
    (sshd.folder / "authorized_keys").write_text("")
    with pytest.raises(InitializationError, match="odd: it does not let you in .*ssh-agent"):
        SshHost("odd").run(["true"])


def test_a_host_with_another_key_gets_nothing(sshd: Sshd) -> None:
    host = SshHost("odd")
    host.run(["true"])
    host.let_go()
    assert f"[127.0.0.1]:{sshd.port} ssh-ed25519" in known_hosts().read_text()
    sshd.stop()
    make_key(sshd.folder / "key", anew=True)
    sshd.start()
    with pytest.raises(InitializationError, match="odd: its host key is not the one") as refused:
        host.run(["sh", "-c", "echo never"])
    # What the message advises is enough.
    command = str(refused.value).partition("run: ")[2]
    assert subprocess.run(shlex.split(command), capture_output=True, check=False).returncode == 0
    assert host.run(["echo", "again"]).stdout == b"again\n"
    host.let_go()


def test_the_users_own_files_are_left_alone(sshd: Sshd, places: dict[str, str]) -> None:
    host = SshHost("odd")
    host.run(["true"])
    host.let_go()
    home = Path(sshd.folder).parent / "home"
    assert [each.name for each in (home / ".ssh").iterdir()] == ["config"]
    files = sorted(each.name for each in (state.cluster_folder() / "ssh").iterdir())
    assert files == ["config", "known_hosts"]


def test_what_a_shell_says_at_its_start_is_no_output(sshd: Sshd) -> None:
    with (sshd.folder / "sshd_config").open("a") as file:
        file.write("ForceCommand echo welcome; echo warning >&2; eval $SSH_ORIGINAL_COMMAND\n")
    sshd.stop()
    sshd.start()
    host = SshHost("odd")
    assert host.run(["echo", "one"]).stdout == b"one\n"
    host.let_go()


@pytest.mark.parametrize("name", ["", "-oProxyCommand=id", "a b", "a;b", "$(id)", "a\n", "a@-b", "a/b"])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="no name of a host"):
        require_name(name)


NEEDS = Needs("x86_64", "3.11", (2, 34))
LOOK = Look({}, "10.0.0.2", "Linux", "x86_64", "2.36", (("3.9", "/usr/bin/python3"), ("3.11", "/usr/bin/python3.11")))


@pytest.mark.parametrize(
    ("processor", "c_library", "pythons", "told"),
    [
        ("aarch64", "2.36", LOOK.pythons, "processor aarch64"),
        ("x86_64", "2.28", LOOK.pythons, "C library 2.28, and the program needs 2.34"),
        ("x86_64", "", LOOK.pythons, "no GNU C library"),
        ("x86_64", "2.36", LOOK.pythons[:1], r"no Python 3.11 \(there is 3.9\).*python3.11"),
        ("x86_64", "2.36", (), "no Python at all"),
    ],
)
def test_a_host_that_cannot_run_the_program_says_why(
    processor: str, c_library: str, pythons: tuple[tuple[str, str], ...], told: str
) -> None:
    assert python_for(LOOK, NEEDS, "a") == "/usr/bin/python3.11"
    with pytest.raises(EssError, match=f"^a: .*{told}"):
        python_for(Look({}, "", "Linux", processor, c_library, pythons), NEEDS, "a")


def test_the_hosts_of_the_reference_manual(places: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no hosts are given.*--hosts"):
        reservation()
    folder = tmp_path / "conf"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "reservation.json").write_text('{"id": "mine", "pem": "dev", "ip_list": ["10.1.0.10", "me@10.1.0.11"]}')
    assert reservation() == (["ec2-user@10.1.0.10", "me@10.1.0.11"], folder / "dev.pem")
    (folder / "reservation.json").write_text('{"ip_list": ["10.1.0.10;id"]}')
    with pytest.raises(OptionError, match="no name of a host"):
        reservation()
    (folder / "reservation.json").write_text("[]")
    with pytest.raises(OptionError, match="makes no sense"):
        reservation()
