"""The versions that must be equal in all processes of a cluster, because they exchange Python objects."""

from __future__ import annotations

import functools
import hashlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path


@functools.cache
def versions() -> Mapping[str, str]:
    """Those of this process, as it was when it first asked.

    The program is told by the content of its files: its number says little while somebody works on it, and the times
    of files differ from machine to machine.
    """
    return {
        "code": code_hash(Path(__file__).parent.parent),
        "python": ".".join(platform.python_version_tuple()[:2]),  # what compiled code and pickles depend on
        "essentia-lake": metadata.version("essentia-lake"),
        "distributed": metadata.version("distributed"),
    }


def code_hash(package: Path) -> str:
    """The content of all modules of a package, as 12 hexadecimal digits."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix().encode("utf-8", "surrogateescape")
        total.update(hashlib.sha256(name).digest() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]
