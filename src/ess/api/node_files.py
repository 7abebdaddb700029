"""Files on the nodes of a cluster."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["file_get", "file_mkdir", "file_push"]


def file_push(files: Sequence[str], *, dest: str = "") -> None:
    """Copy files and folders of this machine to all nodes.

    Args:
        files: Their paths.
        dest: The folder on the nodes that takes them, seen from where commands run there; it is made if it is missing.

    Raises:
        EssError: If one cannot be read, or a node does not take them; the others have them then.
    """
    from ess.cluster import node_files

    for problem in node_files.push(files, dest):
        raise problem


def file_get(names: Sequence[str]) -> list[str]:
    """Fetch files and folders from all nodes, each node's into a folder ``worker-N`` of the current folder.

    Args:
        names: Their paths on the nodes, or patterns (``*.csv``).

    Returns:
        The paths of what was written.

    Raises:
        EssError: If a node does not have one; what others have was fetched then.
    """
    from ess.cluster import node_files

    written, problems = node_files.get(names)
    for problem in problems:
        raise problem
    return [str(path) for path in written]


def file_mkdir(name: str) -> None:
    """Make a folder on all nodes, with those above it.

    Raises:
        EssError: If a node cannot make it.
    """
    from ess.cluster import node_files

    for problem in node_files.make_folder(name):
        raise problem
