"""Machines of EC2 as nodes: their keys, their Python, and that they are not idle while they work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest

from ess import api, settings
from ess.cluster import daemon, node
from ess.cluster.cloud import nodes, plan
from ess.cluster.cloud.machines import CloudMachine, CloudMachines
from ess.cluster.cloud.nodes import CloudNodes
from ess.cluster.cloud.shapes import Instance, InstanceType, Status
from ess.cluster.host import Ran
from ess.cluster.ssh_host import known_hosts
from ess.errors import EssError, EssWarning, InitializationError, OptionError
from ess.settings import setting
from ess.udb.server.activity import touch
from tests.cluster.cloud.ec2 import Ec2, machines, order

MACHINE = CloudMachine("i-1", 0, "10.0.0.5", Instance("i-1", 0, Status.RUNNING))


class Console(CloudMachines):
    """Machines whose console has printed a key."""

    def host_keys(self, machine: object) -> tuple[str, ...]:
        return ("ssh-ed25519 AAAA",)


def ready(monkeypatch: pytest.MonkeyPatch, *refusals: EssError) -> list[Sequence[str]]:
    """Have machines refuse so often, and then let us in; returns what is run there."""
    waiting = list(refusals)
    run: list[Sequence[str]] = []

    class Host:
        def __init__(self, name: str, identity: Path) -> None:
            assert name == "ec2-user@10.0.0.5" and identity.name == "key"

        def run(self, words: Sequence[str]) -> Ran:
            if waiting:
                raise waiting.pop(0)
            run.append(words)
            return Ran(0, b"", b"")

    monkeypatch.setattr(nodes, "SshHost", Host)
    CloudNodes(Console(), pause=lambda _: None)._ready(MACHINE)
    return run


def know(line: str) -> None:
    settings.make_private_folder(settings.cache_dir())
    settings.make_private_folder(known_hosts().parent.parent)
    settings.make_private_folder(known_hosts().parent)
    settings.write_private(known_hosts(), line.encode())


def test_a_machine_is_waited_for_and_gets_its_python(places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    know("10.0.0.5 ssh-ed25519 AAAA\n")
    run = ready(monkeypatch, InitializationError("no"), InitializationError("not yet"))
    assert run[0] == ["true"] and run[1][0] == "/bin/sh" and run[1][3].startswith("python3.")


def test_another_key_than_on_the_console_is_refused(places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    know("10.0.0.4,10.0.0.5 ssh-ed25519 BBBB\n")
    with pytest.raises(InitializationError, match=r"i-1 .*not one that it has printed on its console.*terminate"):
        ready(monkeypatch)


def test_the_key_of_a_machine_that_had_the_address_before_is_forgotten(places: dict[str, str]) -> None:
    know("10.0.0.5 ssh-ed25519 A\n10.0.0.55 ssh-ed25519 B\n")
    nodes._forget_key("10.0.0.5")
    assert known_hosts().read_text() == "10.0.0.55 ssh-ed25519 B\n"


def test_only_machines_with_the_processor_of_this_one_are_made() -> None:
    kind = InstanceType("m7g.large", "arm64", 2, 8192, True)
    plan.require_processor(kind, "aarch64")
    with pytest.raises(OptionError, match="m7g.large machines are arm64, and this one, .* is x86_64"):
        plan.require_processor(kind, "x86_64")


def test_nodes_are_made_from_a_machine_in_their_network_only(cloud: Ec2) -> None:
    source = machines()
    source.order(order())
    with pytest.raises(OptionError, match="no EC2 instance of .*: from outside it is not available yet"):
        CloudNodes(source).make("cloud-none", [0])


def test_a_worker_that_works_touches_the_file_of_the_timer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    active = tmp_path / "active"
    active.touch()
    numbers = iter([2, 2, 2, 3, 4])
    touched: list[bool] = []

    def activity() -> int:
        touched.append(active.stat().st_mtime != 1)
        os.utime(active, (1, 1))
        try:
            return next(numbers)
        except StopIteration:
            raise asyncio.CancelledError from None

    monkeypatch.setattr(node, "activity", activity)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(daemon._keep_awake(str(active), 0.0))
    # Before it began; nothing has run, twice; something runs; something has run meanwhile.
    assert touched == [True, False, False, False, True, True]


# Keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "User Name,Access Key Id,Secret Access Key\nann,AKIA1,s3cret+/=\n",
        "\ufeffAccess key ID,Secret access key\r\nAKIA1,s3cret+/=\r\n",
    ],
)
def test_a_key_is_read_from_the_files_of_the_console_and_kept_nowhere(
    places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another key")
    monkeypatch.setenv("AWS_PROFILE", "other")
    file = tmp_path / "key.csv"
    file.write_text(content, newline="")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with api.cloud_keys(str(file)):
            assert (setting("AWS_ACCESS_KEY_ID"), setting("AWS_SECRET_ACCESS_KEY")) == ("AKIA1", "s3cret+/=")
            assert (setting("AWS_SESSION_TOKEN"), setting("AWS_PROFILE")) == ("", "default")
    assert "AKIA1" not in os.environ.values() and setting("AWS_PROFILE") == "other"


def test_a_key_among_the_options_is_taken_with_a_warning(places: dict[str, str]) -> None:
    with pytest.warns(EssWarning, match="can be seen in the list of processes"), api.cloud_keys(None, "AKIA2", "x"):
        assert setting("AWS_ACCESS_KEY_ID") == "AKIA2"
    with pytest.raises(OptionError, match="one is missing; give both"), api.cloud_keys(None, "AKIA2"):
        pass
    with pytest.raises(OptionError, match="exclude each other"), api.cloud_keys("file", "AKIA2", "x"):
        pass


def test_a_server_that_is_asked_touches_it_too(tmp_path: Path) -> None:
    active = tmp_path / "active"
    touch(str(active))  # where there is no timer, there is nothing to touch
    assert not active.exists()
    active.touch()
    os.utime(active, (1, 1))
    touch(str(active))
    assert active.stat().st_mtime > 1
