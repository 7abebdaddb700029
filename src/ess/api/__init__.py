"""The public Python surface: the verbs of the ``ess`` command as functions.

``import ess`` gives them. They return dataclasses, Polars frames or iterators, raise
:class:`ess.errors.EssError`, and print nothing; the command line is written on top of them. The
settings they use are those of the command line (``ESS_CACHE_DIR``, ``ESS_WORK_DIR``), so what
one defines the other sees.

Nothing heavy is imported here: every ``aq_*`` command starts by importing this package.
"""

from ess.api.jobs import ExecOutput, StreamOutput, exec, execute, stream  # noqa: A004 - the verb
from ess.api.lake import (
    DatastoreSummary,
    cat,
    category,
    category_add,
    category_change_columnspec,
    category_change_comment,
    category_change_dateformat,
    category_change_dateregex,
    category_change_usecache,
    category_copy,
    category_delete,
    files,
    ls,
    lsa,
    probe,
    purge,
    repository,
    select,
    summary,
)
from ess.api.rows import read, rows

__all__ = [
    "DatastoreSummary",
    "ExecOutput",
    "StreamOutput",
    "cat",
    "category",
    "category_add",
    "category_change_columnspec",
    "category_change_comment",
    "category_change_dateformat",
    "category_change_dateregex",
    "category_change_usecache",
    "category_copy",
    "category_delete",
    "exec",
    "execute",
    "files",
    "ls",
    "lsa",
    "probe",
    "purge",
    "read",
    "repository",
    "rows",
    "select",
    "stream",
    "summary",
]
