"""The modules of ``-mod``: files that the servers of a working folder may run, and no others.

A module is code, and a server runs no code that a peer sends. It runs files of its own folder
``udb/modules`` below the working folder, which only its user can write. A client on that machine
puts the file that ``-mod ModName File`` names there, under a name made of its content, and says
to the servers which content is meant; a server that has another file, or none, refuses.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ess.errors import OptionError, UdbRequestError
from ess.settings import check_private, make_private_folder, work_dir, write_private

#: How much of a digest is in a file's name.
_DIGITS = 16


def modules_folder() -> Path:
    """The folder of the modules of this working folder."""
    return work_dir() / "udb" / "modules"


def install(name: str, source: str, *, where: str) -> str:
    """Put a module's file where the servers of this working folder find it; the digest of its content.

    Raises:
        OptionError: If it is no Python file, cannot be read, or its syntax is wrong.
    """
    place = f"{where} {source}"
    if not source.endswith(".py"):
        raise OptionError("modules are Python files here", where=place, hint="see the manual page on the database")
    try:
        content = Path(source).read_bytes()
        compile(content, source, "exec")
    except OSError as error:
        raise OptionError(error.strerror or "cannot be read", where=place) from None
    except SyntaxError as error:
        raise OptionError(f"SyntaxError: {error.msg}", where=f"{place} line {error.lineno}") from None
    except ValueError as error:  # a NUL byte in the source
        raise OptionError(str(error), where=place) from None
    digest = hashlib.sha256(content).hexdigest()
    folder = modules_folder()
    make_private_folder(folder)
    file = folder / _file_name(name, digest)
    if not file.is_file() or file.read_bytes() != content:
        write_private(file, content)
    return digest


def find(folder: Path, name: str, digest: str) -> Path:
    """A module's file on the server.

    Args:
        folder: The server's modules.
        name: The module's name.
        digest: Of the content that is meant; blank for whatever is installed under the name.

    Raises:
        UdbRequestError: If it is not there, is another one, or others could have written it.
    """
    file = folder / _file_name(name, digest)
    try:
        content = file.read_bytes()
    except OSError:
        raise UdbRequestError(
            f"module '{name}' is not in the server's folder of modules",
            where="-mod",
            hint=f"put the file into {folder} on that machine, as {file.name}",
        ) from None
    check_private(folder)
    check_private(file)
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise UdbRequestError(f"the server has another module '{name}'", where="-mod", hint=f"see {file}")
    return file


def _file_name(name: str, digest: str) -> str:
    return f"{name}.{digest[:_DIGITS]}.py" if digest else f"{name}.py"
