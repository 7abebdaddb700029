"""The public Python surface: the verbs of the ``ess`` command as functions.

``import ess`` gives them. They return dataclasses, Polars frames or iterators, raise
:class:`ess.errors.EssError`, and print nothing; the command line is written on top of them. The
settings they use are those of the command line (``ESS_CACHE_DIR``, ``ESS_WORK_DIR``), so what
one defines the other sees.

Nothing heavy is imported here: every ``aq_*`` command starts by importing this package.

- ``datastores``; ``lake``: files and categories; ``summaries``: what is known of categories; ``rows``: their rows;
  ``questions``: those that are often asked of them.
- ``listings``: those of many files.
- ``jobs``: commands over files.
- ``databases`` and ``tables``: databases; ``commands``: options of commands.
- ``clusters``: the cluster; ``node_files``: files on its nodes; ``cloud``: machines of EC2.
- ``workspaces``: several users in one process; ``handles``: jobs in the background.
- ``messages``: what a message must not show.
- ``results``: what is returned; ``arguments``: arguments of a wrong type.
"""

from ess.api.cloud import cloud_keys, cloud_leftovers, cloud_machines, cloud_order, cloud_sweep
from ess.api.clusters import (
    cluster_add,
    cluster_create,
    cluster_mode,
    cluster_nodes,
    cluster_remove,
    cluster_reset,
    cluster_set,
    cluster_start,
    cluster_status,
    cluster_stop,
    cluster_terminate,
)
from ess.api.databases import (
    create_database,
    create_table,
    create_variable,
    create_vector,
    drop_database,
    drop_table,
    drop_variable,
    drop_vector,
    export,
    server_commit,
    server_reset,
    server_restart,
    server_summary,
    udbd,
    use,
)
from ess.api.datastores import is_empty, purge, repository, select
from ess.api.jobs import exec, execute, start_stream, stream  # noqa: A004 - the verb
from ess.api.lake import (
    archive_contents,
    cat,
    category_add,
    category_change,
    category_change_columnspec,
    category_change_comment,
    category_change_dateformat,
    category_change_dateregex,
    category_change_usecache,
    category_copy,
    category_delete,
    category_export,
    category_import,
    compression,
    files,
    ls,
    lsa,
    probe,
    probe_output,
)
from ess.api.listings import ls_index
from ess.api.node_files import file_get, file_mkdir, file_push
from ess.api.questions import answer, columns, columns_of, head, hist, per_day, question, sessions, top
from ess.api.rows import read, rows
from ess.api.summaries import category, contents, days, summary
from ess.api.tables import Database, Table, udb
from ess.api.workspaces import workspace

__all__ = [
    "Database",
    "Table",
    "answer",
    "archive_contents",
    "cat",
    "category",
    "category_add",
    "category_change",
    "category_change_columnspec",
    "category_change_comment",
    "category_change_dateformat",
    "category_change_dateregex",
    "category_change_usecache",
    "category_copy",
    "category_delete",
    "category_export",
    "category_import",
    "cloud_keys",
    "cloud_leftovers",
    "cloud_machines",
    "cloud_order",
    "cloud_sweep",
    "cluster_add",
    "cluster_create",
    "cluster_mode",
    "cluster_nodes",
    "cluster_remove",
    "cluster_reset",
    "cluster_set",
    "cluster_start",
    "cluster_status",
    "cluster_stop",
    "cluster_terminate",
    "columns",
    "columns_of",
    "compression",
    "contents",
    "create_database",
    "create_table",
    "create_variable",
    "create_vector",
    "days",
    "drop_database",
    "drop_table",
    "drop_variable",
    "drop_vector",
    "exec",
    "execute",
    "export",
    "file_get",
    "file_mkdir",
    "file_push",
    "files",
    "head",
    "hist",
    "is_empty",
    "ls",
    "ls_index",
    "lsa",
    "per_day",
    "probe",
    "probe_output",
    "purge",
    "question",
    "read",
    "repository",
    "rows",
    "select",
    "server_commit",
    "server_reset",
    "server_restart",
    "server_summary",
    "sessions",
    "start_stream",
    "stream",
    "summary",
    "top",
    "udb",
    "udbd",
    "use",
    "workspace",
]
