"""Hosts that exist and are reached by SSH, as the machines of a cluster (``ess cluster set custom``).

A host is looked at when it joins the cluster: whether it can run this program. Then the program is sent, unless it has
it from before. What is known of the hosts stands in a file in the cluster's folder.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ess import settings
from ess.cluster import program, state
from ess.cluster.host import Host, ThisMachine, in_parallel
from ess.cluster.machines import Machine
from ess.cluster.program import Needs, Program
from ess.cluster.ssh_host import Place, SshHost, require_name
from ess.errors import EssError, InitializationError, OptionError, SystemFailure

VERSION = 1

#: The folder of all that is ours on a host, below the home folder of its user.
FOLDER = ".essentia"

#: Tells what a host is. Its words are those of Pythons that could run the program.
_LOOK = r"""
printf '%s\0' "$HOME" "$USER" "$LOGNAME" "$SHELL" "$PATH" "$SSH_CONNECTION" "$(uname -s)" "$(uname -m)"
printf '%s\0' "$(getconf GNU_LIBC_VERSION 2>/dev/null)"
say='import sys; print("%d.%d" % sys.version_info[:2], sys.executable, end="\0")'
for each in "$@"; do
    for python in $(command -v "$each") "$HOME/.local/bin/$each" /usr/local/bin/"$each" \
        "$HOME"/.pyenv/versions/*/bin/"$each"
    do
        [ -x "$python" ] && "$python" -I -c "$say" 2>/dev/null
    done
done
exit 0
"""


#: Ends the database servers of a cluster, and removes its files.
_CLEAN = '[ ! -d "$0/work/udb" ] || "$1" stop >&2; rm -rf -- "$0"'


@dataclass(frozen=True)
class Look:
    """The facts about a host.

    Attributes:
        variables: The environment of its user.
        address: Its own address, at which we have reached it.
        system: The name of its kernel.
        processor: As ``uname -m`` has it.
        c_library: The version of its GNU C library; blank if it has another one.
        pythons: The version and the path of each Python.
    """

    variables: Mapping[str, str]
    address: str
    system: str
    processor: str
    c_library: str
    pythons: tuple[tuple[str, str], ...]


def look_at(host: SshHost, python: str) -> Look:
    """Ask a host what it is; ``python`` is the version that is wanted (``3.11``)."""
    done = host.run(["/bin/sh", "-c", _LOOK, "sh", f"python{python}", "python3", "python"])
    words = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    if done.exit_code or len(words) < 10:
        raise InitializationError("it does not say what it is", where=host.name, hint="it has to be a Linux machine")
    names = ("HOME", "USER", "LOGNAME", "SHELL", "PATH")
    variables = {name: value for name, value in zip(names, words, strict=False) if value}
    connection = words[5].split()
    pythons = [each.split(" ", 1) for each in words[9:] if " " in each]
    return Look(
        variables,
        connection[2] if len(connection) > 2 else "",
        words[6],
        words[7],
        words[8].removeprefix("glibc "),
        tuple((version, path.strip()) for version, path in pythons),
    )


def python_for(look: Look, needs: Needs, name: str) -> str:
    """The Python of a host that can run the program.

    Raises:
        InitializationError: If none can.
    """
    if look.system != "Linux" or look.processor != needs.processor:
        raise InitializationError(
            f"it is a {look.system} machine with a processor {look.processor}, and the program here is for"
            f" {needs.processor}",
            where=name,
            hint="use hosts of the same kind as this machine",
        )
    wanted = ".".join(map(str, needs.c_library))
    found = tuple(int(part) for part in look.c_library.split(".")[:2] if part.isdigit())
    if found < needs.c_library:
        raise InitializationError(
            f"it has {f'the GNU C library {look.c_library}' if found else 'no GNU C library'}, and the program needs"
            f" {wanted} or a newer one",
            where=name,
            hint="use a newer system there",
        )
    for version, path in look.pythons:
        if version == needs.python:
            return path
    others = ", ".join(sorted({version for version, _ in look.pythons}))
    raise InitializationError(
        f"there is no Python {needs.python} (there is {others or 'no Python at all'})",
        where=name,
        hint=f"install the version that runs here, such as the package python{needs.python}",
    )


@dataclass(frozen=True)
class Known:
    """A host of the cluster: its machine, how it is reached, and what is where on it."""

    machine: Machine
    place: Place


class HostMachines:
    """Hosts that exist; see :class:`ess.cluster.machines.Machines`."""

    most = 1000

    def __init__(self) -> None:
        content = settings.read_state(_file(), VERSION)
        self._tag = str(content.get("tag", ""))
        self._wanted: list[str] = [str(name) for name in content.get("wanted", ())]
        self._address = str(content.get("master", "127.0.0.1"))
        identity = content.get("identity")
        self._identity = None if identity is None else Path(str(identity))
        self._known = [_known(each) for each in content.get("hosts", ())]

    @property
    def master(self) -> Machine:
        """This machine, by the address at which the hosts reach it."""
        return Machine("here", 0, self._address)

    def propose(self, tag: str, names: Sequence[str], *, identity: Path | None = None) -> None:
        """Say which hosts a cluster shall have from now on, beside those that it has.

        Raises:
            OptionError: If one is named twice, or is no name.
        """
        before = [known.machine.id for known in self._known] if tag == self._tag else []
        every = [*before, *map(require_name, names)]
        twice = next((name for name in every if every.count(name) > 1), None)
        if twice is not None:
            raise OptionError(f"the host {twice} is there twice", where="--hosts", hint="name each host once")
        self._tag, self._wanted = tag, every
        self._identity = identity or self._identity
        self._write()

    def settle(self, tag: str, names: Mapping[int, str], *, identity: Path) -> None:
        """Say which host each node is from now on; one that was another is forgotten.

        Args:
            tag: The cluster.
            names: The names of the hosts by the number of their nodes, which need not be without gaps.
            identity: The key that lets us in.
        """
        kept = self._known if tag == self._tag else []
        self._known = [known for known in kept if names.get(known.machine.number) == known.machine.id]
        self._wanted = [names.get(number, "") for number in range(max(names, default=-1) + 1)]
        self._tag, self._identity = tag, identity
        self._write()

    def forget(self, tag: str) -> None:
        """Forget the hosts of a cluster, which are gone."""
        if tag == self._tag:
            for known in self._known:
                SshHost(known.machine.id, known.place, identity=self._identity).let_go()
            self._known, self._wanted, self._tag = [], [], ""
            _file().unlink(missing_ok=True)

    def withdraw(self) -> None:
        """Forget what was proposed and not made."""
        self._wanted = [known.machine.id for known in self._known]
        self._write()

    def make(self, tag: str, numbers: Sequence[int]) -> None:
        """Look at the hosts that were proposed, and send them the program."""
        have = {known.machine.number for known in self._known}
        new = [(number, self._wanted[number]) for number in numbers if number not in have]
        if not new:
            return
        ours = program.this_program()

        ours.archive()  # once, not by each of them
        joined = in_parallel([partial(self._join, number, name, ours) for number, name in new])
        good = [each for each in joined if not isinstance(each, EssError)]
        self._known = sorted([*self._known, *good], key=lambda known: known.machine.number)
        if good and not have:
            self._address = _own_address(good[0].machine.address)
        self._write()
        for each in joined:
            if isinstance(each, EssError):
                raise each

    def end(self, tag: str) -> None:
        """Remove what the cluster has on its hosts, and forget them. The hosts run on, and keep the program."""
        if tag != self._tag:
            return
        in_parallel([partial(self._clean, known) for known in self._known])
        self._known, self._wanted, self._tag = [], [], ""
        _file().unlink(missing_ok=True)

    def start(self, tag: str) -> None:
        """Nothing: they run."""

    def stop(self, tag: str) -> None:
        """Nothing: the hosts run on."""

    def take_out(self, number: int) -> list[EssError]:
        """Remove a host; the last one takes its number, so that no number is missing.

        Returns:
            What goes wrong with the host itself.
        """
        gone = next(known for known in self._known if known.machine.number == number)
        problems = [each for each in in_parallel([partial(self._clean, gone)]) if each is not None]
        rest = [known for known in self._known if known is not gone]
        last = max((known.machine.number for known in rest), default=number)
        if rest and last > number:
            moved = next(known for known in rest if known.machine.number == last)
            rest = [known for known in rest if known is not moved]
            rest.append(replace(moved, machine=replace(moved.machine, number=number)))
        self._known = sorted(rest, key=lambda known: known.machine.number)
        self.withdraw()
        return problems

    def list(self, tag: str) -> Sequence[Machine]:
        """The hosts of a cluster."""
        return [known.machine for known in self._known] if tag == self._tag else []

    def host(self, machine: Machine) -> Host:
        """The way to a host."""
        if machine.id == self.master.id:
            return ThisMachine()
        known = next((known for known in self._known if known.machine.id == machine.id), None)
        return SshHost(machine.id, known.place if known else None, identity=self._identity)

    def _join(self, number: int, name: str, ours: Program) -> Known:
        host = SshHost(name, identity=self._identity)
        look = look_at(host, ours.needs.python)
        base = python_for(look, ours.needs, name)
        home = look.variables.get("HOME", "")
        if not home.startswith("/") or not look.address:
            raise InitializationError("its user has no home folder", where=name, hint="give the user one there")
        place = f"{home.rstrip('/')}/{FOLDER}"
        environment = f"{place}/programs/{ours.id}"
        python = f"{environment}/bin/python"
        if host.run(["test", "-x", python]).exit_code:
            send_program(host, base, ours, f"{place}/programs")
        tried = host.run([python, "-P", "-c", "import ess.cluster.daemon"])
        if tried.exit_code:
            said = tried.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing"]
            raise InitializationError(
                f"the program does not run there ({said[-1]})", where=name, hint=f"see what {python} says"
            )
        root = f"{place}/{self._tag}"
        path = f"{environment}/bin:{look.variables.get('PATH', '/usr/local/bin:/usr/bin:/bin')}"
        ours_there = {"ESS_CACHE_DIR": root, "ESS_WORK_DIR": f"{root}/work", "PATH": path}
        return Known(
            Machine(name, number, look.address),
            Place(f"{root}/cluster", python, {**look.variables, **ours_there}),
        )

    def _clean(self, known: Known) -> None:
        host = SshHost(known.machine.id, known.place, identity=self._identity)
        try:
            root = known.place.folder.rpartition("/")[0]
            environment = {**known.place.variables, "ESS_WARM": "0"}
            host.run(
                ["/bin/sh", "-c", _CLEAN, root, f"{known.place.python.rpartition('/')[0]}/udbd"],
                environment=environment,
            )
        finally:
            host.let_go()

    def _write(self) -> None:
        settings.make_private_folder(settings.cache_dir())
        hosts = [
            {
                "name": known.machine.id,
                "number": known.machine.number,
                "address": known.machine.address,
                "folder": known.place.folder,
                "python": known.place.python,
                "variables": dict(known.place.variables),
            }
            for known in self._known
        ]
        content = {
            "tag": self._tag,
            "wanted": self._wanted,
            "master": self._address,
            "identity": None if self._identity is None else str(self._identity),
            "hosts": hosts,
        }
        settings.write_state(_file(), VERSION, content)


def send_program(host: SshHost, python: str, ours: Program, folder: str) -> None:
    """Make the environment of the program on a host.

    Args:
        host: The host.
        python: The Python there that it shall have.
        ours: The program.
        folder: The folder of all such environments there.
    """
    path = ours.archive()
    words = [python, "-I", "-c", program.UNPACK, folder, ours.id, program.archive_hash(path), program.prefix()]
    with path.open("rb") as file:
        done = host.exchange(words, write=lambda out: shutil.copyfileobj(file, out, 1 << 20))
    if done.exit_code:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise SystemFailure(
            f"the program cannot be put there ({said[-1]})", where=host.name, hint="check the space on its disk"
        )


def _own_address(other: str) -> str:
    """The address of this machine on the way to another one; nothing is sent."""
    family = socket.AF_INET6 if ":" in other else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((other, 9))
        return str(probe.getsockname()[0])
    raise InitializationError(
        f"this machine has no way to {other}, the address of the first host",
        where="--hosts",
        hint="the master and its hosts have to be in one network",
    )


def _file() -> Path:
    return state.cluster_folder() / "hosts.json"


def _known(content: Mapping[str, Any]) -> Known:
    variables = {str(name): str(value) for name, value in content["variables"].items()}
    machine = Machine(str(content["name"]), int(content["number"]), str(content["address"]))
    return Known(machine, Place(str(content["folder"]), str(content["python"]), variables))


def reservation() -> tuple[list[str], Path | None]:
    """The hosts and the key of ``reservation.json`` in the folder of settings, as the reference manual describes it.

    Raises:
        OptionError: If there is no such file, or it makes no sense.
    """
    path = settings.work_dir() / "reservation.json"
    try:
        content = json.loads(path.read_bytes())
        names = [require_name(str(name)) for name in content["ip_list"]]
        pem = str(content["pem"]) if content.get("pem") else ""
    except FileNotFoundError:
        raise OptionError(
            "no hosts are given", where="ess cluster create", hint="give --hosts HOST..., for example --hosts node1"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(
            f"it makes no sense ({error})", where=str(path), hint='it has "id", "pem" and "ip_list"'
        ) from error
    if not pem:
        return names, None
    key = path.parent / (pem if pem.endswith(".pem") else f"{pem}.pem")
    return [name if "@" in name else f"ec2-user@{name}" for name in names], key
