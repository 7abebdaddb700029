"""Work on whole tables instead of row by row: counting, sorting, pivoting, finding sessions.

- ``counting``, ``pivoting``, ``sessions`` and ``uniqueness``: one kind of work each.
- ``sorting``: sorts and merges; ``sort_memory``: what that takes; ``arrow_file``: sorted runs on disk.
"""
