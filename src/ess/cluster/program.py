"""This very program as one file, for machines that are to run it: the package, what it needs, and the commands.

The file fits machines of the same processor, with the same version of Python and a C library that is not older than
what its parts were built for. It is made once, and named for its content, so that a machine which has it keeps it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import BinaryIO, cast

from ess import settings
from ess.cluster import state
from ess.cluster.versions import code_hash
from ess.errors import InitializationError
from ess.formats.compressing import QuickGzip

_NAME = "essentia-lake"

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_C_LIBRARY = re.compile(r"manylinux_(\d+)_(\d+)_")
_OLD_C_LIBRARIES = {"manylinux1_": (2, 5), "manylinux2010_": (2, 12), "manylinux2014_": (2, 17)}


@dataclass(frozen=True)
class Needs:
    """The machine that a program needs: its processor, its Python (``3.11``), and the oldest C library (``2.34``)."""

    processor: str
    python: str
    c_library: tuple[int, int]


@dataclass(frozen=True)
class Program:
    """This program.

    Attributes:
        id: The name of its content.
        needs: The machines that can run it.
        files: The files by their names below the folder of an environment.
    """

    id: str
    needs: Needs
    files: Mapping[str, Path]

    def archive(self) -> Path:
        """The file, which is made if it is not there.

        Raises:
            InitializationError: If it cannot be written.
        """
        path = programs_folder() / f"{self.id}.tar.gz"
        if path.exists():
            return path
        for folder in (settings.cache_dir(), state.cluster_folder(), path.parent):
            settings.make_private_folder(folder)
        unfinished = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                packed = QuickGzip(file)
                with tarfile.open(fileobj=cast(BinaryIO, packed), mode="w|", bufsize=1 << 20) as archive:
                    for name, source in self.files.items():
                        archive.add(source, name, recursive=False, filter=_of_nobody)
                packed.finish()
            unfinished.replace(path)
        except OSError as error:
            raise InitializationError(
                f"cannot write ({error.strerror})", where=str(path), hint="check the space on the disk"
            ) from error
        finally:
            unfinished.unlink(missing_ok=True)
        for old in path.parent.glob("*.tar.gz"):
            if old != path:
                old.unlink(missing_ok=True)
        return path


def programs_folder() -> Path:
    """The folder of the packed program."""
    return state.cluster_folder() / "program"


def prefix() -> str:
    """The folder of this environment, with which the first lines of its commands begin."""
    return sys.prefix


def this_program() -> Program:
    """The program that runs here, with all that it needs."""
    parts = _distributions()
    files: dict[str, Path] = {}
    manifest = hashlib.sha256()
    c_library = (2, 0)
    for name, part in sorted(parts.items()):
        manifest.update(f"{name} {part.version}\n{part.read_text('RECORD') or ''}\n".encode("utf-8", "surrogateescape"))
        c_library = max([c_library, *_c_libraries(part)])
        for each in part.files or ():
            path = Path(str(each.locate())).resolve()
            place = _place(str(each), path)
            if place is not None and path.is_file():
                files[place] = path
    package = Path(__file__).resolve().parent.parent
    if not any(name.endswith("/ess/__init__.py") for name in files):  # it runs where it is written
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files[f"{_packages()}/ess/{path.relative_to(package).as_posix()}"] = path
    for name in sorted(files):
        if name.startswith("bin/"):
            manifest.update(files[name].read_bytes())
    manifest.update(f"{code_hash(package)} {sys.version_info[:2]} {platform.machine()}".encode())
    needs = Needs(platform.machine(), f"{sys.version_info[0]}.{sys.version_info[1]}", c_library)
    return Program(manifest.hexdigest()[:20], needs, files)


def _packages() -> str:
    return f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def _place(name: str, path: Path) -> str | None:
    """The place of a file in an environment; None for what belongs to none."""
    if name.startswith("../"):
        return f"bin/{path.name}" if path.parent.name == "bin" else None
    if name.startswith("/") or ".." in name.split("/") or name.endswith((".pth", "direct_url.json")):
        return None
    return f"{_packages()}/{name}"


def _distributions() -> dict[str, metadata.Distribution]:
    """The program and all that it needs, by names."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    pending: list[tuple[str, frozenset[str]]] = [(_NAME, frozenset())]
    while pending:
        wanted = pending.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        name, extras = wanted
        try:
            part = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # one of another system or Python: it is not needed here, or nothing would run
        found[name] = part
        pending += _requirements(part, extras)
    return found


def _requirements(part: metadata.Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for text in part.requires or ():
        requirement, _, marker = text.partition(";")
        extra = _EXTRA.search(marker)
        match = _REQUIREMENT.match(requirement)
        if match is not None and (extra is None or extra[1] in extras):
            wanted = frozenset(each.strip() for each in (match[2] or "").split(",") if each.strip())
            yield re.sub(r"[-_.]+", "-", match[1]).lower(), wanted


def _c_libraries(part: metadata.Distribution) -> list[tuple[int, int]]:
    """The oldest C libraries with which the files of a part work, by its tags; none if it does not matter."""
    tags = [line for line in (part.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:")]
    found = [(int(match[1]), int(match[2])) for tag in tags if (match := _C_LIBRARY.search(tag))]
    found += [version for name, version in _OLD_C_LIBRARIES.items() for tag in tags if name in tag]
    return [min(found)] if found else []


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


#: Run by the Python of the other machine, which has nothing of ours yet: takes the archive as its input, checks it, and
#: makes the environment, in one step. Its arguments: the folder
#: of all environments, the name, the hash, and where the environment was here.
UNPACK = r"""
import hashlib, os, shutil, sys, tarfile, tempfile
folder, name, wanted, prefix = sys.argv[1:5]
os.umask(0o077)
os.makedirs(folder, exist_ok=True)
place = os.path.join(folder, name)
for old in os.listdir(folder):
    if old.startswith(".unfinished-"):
        try:
            os.kill(int(old.split("-")[1]), 0)
        except (OSError, ValueError):
            shutil.rmtree(os.path.join(folder, old), ignore_errors=True)
work = tempfile.mkdtemp(prefix=".unfinished-%d-" % os.getpid(), dir=folder)
try:
    found = hashlib.sha256()
    packed = os.path.join(work, "packed")
    with open(packed, "wb") as file:
        while True:
            piece = sys.stdin.buffer.read(1 << 20)
            if not piece:
                break
            found.update(piece)
            file.write(piece)
    if found.hexdigest() != wanted:
        sys.exit("what came is not what was sent")
    tree = os.path.join(work, "tree")
    with tarfile.open(packed, "r:gz") as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(tree, filter="data")
        else:
            archive.extractall(tree)
    os.unlink(packed)
    commands = os.path.join(tree, "bin")
    base = os.path.realpath(sys.executable)
    for each in os.listdir(commands):
        path = os.path.join(commands, each)
        with open(path, "rb") as file:
            content = file.read()
        line, end, rest = content.partition(b"\n")
        if line.startswith(b"#!") and line[2:].split()[0].startswith(os.fsencode(prefix)):
            with open(path, "wb") as file:
                file.write(b"#!" + os.fsencode(os.path.join(place, "bin", "python")) + end + rest)
    for each in ("python", "python3"):
        os.symlink(base, os.path.join(commands, each))
    with open(os.path.join(tree, "pyvenv.cfg"), "w") as file:
        file.write("home = %s\ninclude-system-site-packages = false\n" % os.path.dirname(base))
    try:
        os.rename(tree, place)
    except OSError:
        if not os.path.isdir(place):
            raise
finally:
    shutil.rmtree(work, ignore_errors=True)
"""


def archive_hash(path: Path) -> str:
    """The hash of an archive, as :data:`UNPACK` checks it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
