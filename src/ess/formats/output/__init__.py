"""Printing batches.

- ``writer``: the entry; ``columns``: which columns are printed.
- ``render``: the definition of what they look like; ``print_format``: numbers in it.
- ``render_fast``: the same bytes for large batches, with ``line_pieces``; ``parquet``: a file of Parquet by and by.
- ``frames``: frames for people.
"""
