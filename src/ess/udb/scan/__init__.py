"""Going through a table on one server with the rules of ``aq_udb``.

- ``scan``: the entry; ``scan_plan``: a checked request.
- ``column_scan``: rules over whole columns; ``keyed_scan``: key by key, with ``-pp`` groups and jumps.
- ``reading``: which scans only read.
- ``rules``: the options that are rules; ``portable_scan``: the checked rules on their way to a server.
- ``key_module`` and ``module_files``: Python modules of ``-mod``.
"""
