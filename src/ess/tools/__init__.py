"""One file a command: its option table, its plan, its start.

- Commands: ``aq_pp``, ``aq_udb``, ``aq_cnt``, ``aq_ord``, ``aq_rst``, ``aq_cat``, ``aq_sess``, ``loginf``, ``udbd``.
- ``run``: what several have in common; ``exported_rows``: an export as an input; ``process``: start, end, errors.
- ``launch`` and ``warm``: the tool server, which saves the start-up time.
"""
