"""The definition of a database, before any server runs: its parts, its file, and where its keys go.

- ``spec``: keys, columns, tables, vectors and the Var vector as data; ``spec_file`` reads and writes ``udb.spec``.
- ``placement``: which server holds a key; ``target``: from ``database:table`` to a definition and its servers.
- ``table_scope``: the names that rules can use; ``import_attributes``: what may follow ``-imp``.
"""
