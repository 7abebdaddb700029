"""Database servers on the hosts of a cluster: the definitions and the access go there, and ``ess udbd`` runs on each.

A host has a working folder of its own for that, beside the cluster's files. It gets the specs, the name of the active
database, and what servers and clients need to trust each other; the key of the authority stays here.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ess import settings
from ess.cluster import state
from ess.cluster.host import Host, in_parallel
from ess.cluster.machines import Machine, machines_of
from ess.cluster.user_environment import surroundings
from ess.errors import EssError, InitializationError, OptionError
from ess.udb.spec.target import databases, load_spec
from ess.udb.wire.access import access_folder, make_access, udb_folder

VERSION = 1

#: What a server and a client need of the access, of which the rest stays where it was made.
_ACCESS = ("trusted.pem", "authority.pem", "server.pem", "server.key", "token")

#: Puts the files of a tar stream into the working folder, and removes the specs that are not among them.
_TAKE = r"""
import glob, io, os, sys, tarfile
os.umask(0o077)
folder = sys.argv[1]
os.makedirs(os.path.join(folder, "udb", "access"), exist_ok=True)
with tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read())) as archive:
    names = archive.getnames()
    for name in names:
        path = os.path.join(folder, *name.split("/"))
        with open(path + ".new", "wb") as file:
            file.write(archive.extractfile(name).read())
        os.replace(path + ".new", path)
for path in glob.glob(os.path.join(glob.escape(folder), "*.spec")):
    if os.path.basename(path) not in names:
        os.unlink(path)
"""


def far_hosts() -> list[Host]:
    """The hosts of the cluster that do not share files with this machine; none without such a cluster."""
    return [host for _, host in _far()]


def _far() -> list[tuple[Machine, Host]]:
    known = state.read_cluster()
    if known.mode == "local" or known.desired is None:
        return []
    source = machines_of(known.mode)
    found = ((machine, source.host(machine)) for machine in source.list(str(known.id)))
    return [(machine, host) for machine, host in found if not host.shares_files]


def share_definitions(hosts: list[Host]) -> None:
    """Give hosts what this working folder says of databases, unless they have it.

    Raises:
        EssError: If one cannot be reached.
    """
    names = databases()
    if not names:
        return
    if not (access_folder() / _ACCESS[0]).is_file():
        make_access()
    content = _packed(names)
    digest = hashlib.sha256(content).hexdigest()
    path = state.cluster_folder() / "definitions.json"
    known = settings.read_state(path, VERSION)
    given: dict[str, str] = {str(name): str(value) for name, value in known.get("given", {}).items()}
    late = [host for host in hosts if given.get(f"{host.name} {host.folder}") != digest]
    if not late:
        return
    for host, found in zip(late, in_parallel([partial(_give, host, content) for host in late]), strict=True):
        if isinstance(found, EssError):
            raise found
        given[f"{host.name} {host.folder}"] = digest
    now = {f"{host.name} {host.folder}" for host in hosts}
    settings.write_state(path, VERSION, {"given": {name: value for name, value in given.items() if name in now}})


def on_hosts(verb: str, hosts: list[Host]) -> Iterator[str]:
    """Do ``ess udbd VERB`` on hosts, all at the same time; the lines to print.

    Raises:
        EssError: If it fails on one; the others have done it.
    """
    share_definitions(hosts)
    failed: EssError | None = None
    for found in in_parallel([partial(_run, host, verb) for host in hosts]):
        if isinstance(found, EssError):
            failed = failed or found
        else:
            yield from found
    if failed is not None:
        raise failed


def commit(hosts: list[Host]) -> list[str]:
    """Check all specs, and give them to hosts; the lines to print.

    Raises:
        OptionError: If one is wrong.
    """
    specs = {name: load_spec(name, where="server commit") for name in databases()}
    share_definitions(hosts)
    lines = [
        f"{name}: {len(spec.servers)} server{'s' * (len(spec.servers) != 1)}, ready" for name, spec in specs.items()
    ]
    return lines or ["there is no database"]


def require_no_servers(what: str) -> None:
    """Refuse to change the hosts of a cluster while a database has servers on them.

    Raises:
        OptionError: If one has.
    """
    addresses = {machine.address for machine, _ in _far()}
    for name in databases():
        if any(server.host in addresses for server in load_spec(name, where=what).servers):
            raise OptionError(
                f"database {name} has servers on the hosts, and its rows are not moved",
                where=what,
                hint=f"export what you need, then run: ess drop database {name}",
            )


def _packed(names: list[str]) -> bytes:
    files = {f"{name}.spec": settings.work_dir() / f"{name}.spec" for name in names}
    files["udb/active"] = udb_folder() / "active"
    files |= {f"udb/access/{name}": access_folder() / name for name in _ACCESS}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, path in sorted(files.items()):
            content = _content(path)
            if content is not None:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def work_folder(host: Host) -> str:
    """The working folder of databases on a host."""
    return f"{host.folder.rpartition('/')[0]}/work"


def _give(host: Host, content: bytes) -> None:
    done = host.run([host.python, "-I", "-c", _TAKE, work_folder(host)], stdin=content)
    if done.exit_code:
        raise InitializationError(
            f"the databases cannot be made known there ({_last(done.stderr)})", where=host.name, hint="see its disk"
        )


def _run(host: Host, verb: str) -> list[str]:
    environment = dict(host.environment(surroundings().environment)) | {"ESS_WARM": "0"}
    command = f"{host.python.rpartition('/')[0]}/ess"
    done = host.run([command, "udbd", verb], environment=environment)
    lines = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if "is on another machine; run there" not in line:
            lines.append(f"{host.name}: {line.partition(': ')[2]}")
    if done.exit_code:
        raise InitializationError(
            f"{_last(done.stderr).removeprefix('ess: ') or f'exit code {done.exit_code}'}", where=host.name
        )
    return lines


def _last(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
