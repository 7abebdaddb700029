"""Workspaces: one process that works for several users or folders."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ess.surroundings import Workspace

__all__ = ["workspace"]


def workspace(
    folder: str,
    *,
    cache_dir: str | None = None,
    work_dir: str | None = None,
    environment: Mapping[str, str] | None = None,
    umask: int | None = None,
) -> Workspace:
    """The surroundings of a user, for ``with workspace.entered():``.

    All verbs within use them in place of the process's environment, current folder and umask, which stay as they are.
    Several threads or tasks can be in different workspaces at once.

    Args:
        folder: The current folder.
        cache_dir: The folder of the datastore and category settings (``ESS_CACHE_DIR``).
        work_dir: The folder of the database and cluster settings (``ESS_WORK_DIR``).
        environment: All environment variables; None: a copy of those of the process.
        umask: The rights that new files of commands do not get; None: that of the process.

    Raises:
        OptionError: If the folder does not exist.

    >>> import ess, tempfile
    >>> with ess.workspace(tempfile.mkdtemp(), cache_dir=tempfile.mkdtemp()).entered():
    ...     _ = ess.select("local", label="mine")
    ...     sorted(ess.repository().datastores)
    ['mine']
    """
    import os

    from ess import surroundings
    from ess.errors import OptionError

    path = surroundings.absolute(folder)
    if not path.is_dir():
        raise OptionError("there is no such folder", where=str(path), hint="make it first")
    variables = dict(os.environ if environment is None else environment)
    made = surroundings.Workspace(str(path), variables, surroundings.umask() if umask is None else umask)
    with made.entered():  # its home folder, and its current folder
        for name, value in (("ESS_CACHE_DIR", cache_dir), ("ESS_WORK_DIR", work_dir)):
            if value is not None:
                variables[name] = str(surroundings.absolute(value))
    return made
