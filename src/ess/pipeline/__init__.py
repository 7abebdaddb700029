"""From a command line to its answer: options, the plan they make, and the run of it.

The command line:
    - ``options``: option tables and their parser; ``shared_options``: rows of several tools; ``page``: help.
    - ``old_spellings``: older spellings, turned into those of today.

The plan:
    - ``plan``: everything a run needs, checked; ``source`` and ``started``: inputs; ``selection``: ``-c``;
      ``remembered``: plans of command lines that come again.
    - ``chain``: options to a program of rules; ``builder``: what they add to; ``sinks``: the targets of rows.
    - ``lookup``, ``lookup_table`` and ``lookup_merge``: ``-sub``, ``-grep`` and ``-cmb``; ``mapping``: ``-map``;
      ``keys``: ``-kenc``; ``modules`` and ``module_import``: Python files.

The run:
    - ``run``: batches through the engine to the sinks; ``intake``: the same without rules; ``beside``: threads.
    - ``outputs``: files; ``rejections``: bad records; ``counts``: the sums.
"""
