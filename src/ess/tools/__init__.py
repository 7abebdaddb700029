"""One file a command: its option table, its plan, its start.

- Commands: ``aq_pp``, ``aq_udb``, ``aq_cnt``, ``aq_ord``, ``aq_rst``, ``aq_cat``, ``aq_sess``, ``loginf``, ``udbd``.
- ``run``: what several have in common; ``exported_rows``: an export as an input; ``process``: start, end, errors.
- ``freed_memory``: what the C library keeps of it for the next batch.
- ``launch`` and ``warm``: the tool server, which saves the start-up time.
"""
