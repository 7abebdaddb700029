"""Formats that have a name: access logs, logs of AWS and others, with the columns that their own documents give them.

``definition`` says what a format is; ``table`` has one row for each, from ``access_logs``, ``amazon``, ``services`` and
``w3c``. ``directives`` reads a ``LogFormat`` of Apache and a ``log_format`` of nginx, and ``expressions`` a regular
expression with named groups. ``columns`` picks columns for ``-d``, ``made`` computes values from others (times as
numbers), ``made_columns`` does so for columns: with ``placed_times`` and ``placed_requests`` where the texts stand in
their block (``text_places``), else with ``log_times``. ``titles`` finds columns by titles, below which
``titled_records`` reads; ``logfmt`` reads pairs of key and value. ``head`` reads titles ahead. ``reading`` puts both
around a reader, and ``pattern_lines`` reads lines by a pattern, into ``raw_rows``. ``recognition`` tells from lines
which format they have.
"""
