"""Files pushed to the nodes and fetched from them (``ess file``), as tar streams over the way to their hosts.

A path on a node is relative to the folder in which commands run there: on this machine the user's current one, on
other hosts the home folder.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ess.cluster.host import Host, in_parallel
from ess.cluster.providers import Node, hosts_of_nodes
from ess.errors import EssError, InputOpenError, InputReadError, OutputOpenError, OutputWriteError
from ess.surroundings import absolute, current_folder

#: Takes a tar stream and puts what is in it into a folder, each file in one step.
_TAKE = r"""
import os, shutil, sys, tarfile, tempfile
folder, name = sys.argv[1:3]
os.chdir(folder or os.path.expanduser("~"))
place = os.path.abspath(name)
os.makedirs(place, exist_ok=True)
work = tempfile.mkdtemp(prefix=".ess-push-", dir=place)
try:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(work, **options)
    for base, folders, files in os.walk(work):
        target = os.path.normpath(os.path.join(place, os.path.relpath(base, work)))
        os.makedirs(target, exist_ok=True)
        for each in files:
            os.replace(os.path.join(base, each), os.path.join(target, each))
except OSError as error:
    sys.exit("%s: %s" % (error.filename or place, error.strerror))
finally:
    shutil.rmtree(work, ignore_errors=True)
"""

#: Gives files and folders as a tar stream: each behind the number of the name that asked for it.
_GIVE = r"""
import glob, os, sys, tarfile
os.chdir(sys.argv[1] or os.path.expanduser("~"))
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", dereference=True) as archive:
    for number, name in enumerate(sys.argv[2:]):
        for path in [name] if os.path.lexists(name) else sorted(glob.glob(name)):
            last = os.path.basename(os.path.normpath(path))
            try:
                archive.add(path, os.path.join(str(number), last))
            except OSError as error:
                sys.exit("%s: %s" % (error.filename or path, error.strerror))
"""

_MAKE = r"""
import os, sys
os.chdir(sys.argv[1] or os.path.expanduser("~"))
try:
    os.makedirs(sys.argv[2], exist_ok=True)
except OSError as error:
    sys.exit("%s: %s" % (error.filename, error.strerror))
"""


def push(files: Sequence[str], folder: str) -> list[EssError]:
    """Copy files and folders to all nodes.

    Args:
        files: Their paths here.
        folder: The folder on the nodes that takes them; it is made if it is missing.

    Returns:
        What goes wrong on single nodes.

    Raises:
        InputOpenError: If one cannot be read.
    """
    paths = [absolute(each) for each in files]
    for path in paths:
        if not os.access(path, os.R_OK):
            what = "cannot be read" if path.exists() else "there is no such file"
            raise InputOpenError(what, where=str(path), hint="give files and folders of this machine")

    def send(host: Host) -> None:
        at = _commands_folder(host)
        if host.shares_files and all(path.parent == Path(at, folder) for path in paths):
            return  # they are there: this machine is the node
        done = host.exchange([host.python, "-I", "-c", _TAKE, at, folder], write=partial(_write_tar, paths))
        if done.exit_code:
            raise OutputWriteError(f"cannot put the files there ({_last(done.stderr)})", where=host.name)

    return _on_hosts(send)


def make_folder(name: str) -> list[EssError]:
    """Make a folder on all nodes, with those above it; returns what goes wrong on single nodes."""

    def make(host: Host) -> None:
        done = host.run([host.python, "-I", "-c", _MAKE, _commands_folder(host), name])
        if done.exit_code:
            raise OutputOpenError(f"cannot make the folder ({_last(done.stderr)})", where=host.name)

    return _on_hosts(make)


def get(names: Sequence[str]) -> tuple[list[Path], list[EssError]]:
    """Fetch files and folders from all nodes, each node's into a folder ``worker-N`` of the current folder.

    Args:
        names: Their paths on the nodes, or patterns.

    Returns:
        What was written, and what goes wrong on single nodes; a name that nothing on a node has is an error.
    """

    def fetch(node: Node, host: Host) -> list[Path]:
        target = Path(current_folder(), f"worker-{node.id}")
        found: list[list[Path]] = [[] for _ in names]
        words = [host.python, "-I", "-c", _GIVE, _commands_folder(host), *names]
        done = host.exchange(words, read=partial(_read_tar, target, found))
        if done.exit_code:
            raise InputReadError(f"cannot read the files there ({_last(done.stderr)})", where=f"worker-{node.id}")
        for name, written in zip(names, found, strict=True):
            if not written:
                raise InputOpenError(f"there is no '{name}'", where=f"worker-{node.id}", hint="the others were fetched")
        return [path for written in found for path in written]

    results = in_parallel([partial(fetch, *each) for each in hosts_of_nodes()])
    written = [path for each in results if not isinstance(each, EssError) for path in each]
    return written, [each for each in results if isinstance(each, EssError)]


def _on_hosts(work: Callable[[Host], None]) -> list[EssError]:
    """Do something once on each host; several nodes may be on one."""
    hosts = {(host.name, host.folder): host for _, host in hosts_of_nodes()}
    done = in_parallel([partial(work, host) for host in hosts.values()])
    return [each for each in done if isinstance(each, EssError)]


def _commands_folder(host: Host) -> str:
    """The folder in which commands run; blank for the home folder of another machine's user."""
    return current_folder() if host.shares_files else ""


def _write_tar(paths: Sequence[Path], out: BinaryIO) -> None:
    with tarfile.open(fileobj=out, mode="w|", dereference=True) as archive:
        for path in paths:
            archive.add(path, path.name or path.resolve().name)


def _read_tar(target: Path, found: list[list[Path]], source: BinaryIO) -> None:
    """Write what comes from a node, which may be anything: nothing is written outside of the folder.

    Each file is written beside its place and then put there.
    """
    with tarfile.open(fileobj=source, mode="r|") as archive:
        for member in archive:
            number, *parts = PurePosixPath(member.name).parts or ("",)
            if not number.isdecimal() or int(number) >= len(found) or not parts or ".." in parts:
                raise InputReadError("it sends what was not asked for", where=target.name)
            place = target.joinpath(*parts)
            if not place.parent.resolve().is_relative_to(target.parent.resolve()):
                raise InputReadError(f"a link leads out of the folder ({place})", where=target.name)
            try:
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                elif member.isfile():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    _write(archive, member, place)
                else:
                    continue  # a device, a pipe
            except OSError as error:
                raise OutputWriteError(f"cannot write ({error.strerror})", where=str(place)) from error
            if len(parts) == 1:
                found[int(number)].append(place)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    content = archive.extractfile(member)
    assert content is not None
    handle, unfinished = tempfile.mkstemp(prefix=".ess-get-", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
            os.fchmod(file.fileno(), 0o755 if member.mode & 0o100 else 0o644)
        Path(unfinished).replace(place)
    finally:
        Path(unfinished).unlink(missing_ok=True)


def _last(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
