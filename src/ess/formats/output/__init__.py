"""Printing batches.

- ``writer``: the entry; ``render``: the definition of what is printed, and ``print_format`` of numbers in it.
- ``render_fast``: the same bytes for large batches, with ``line_pieces``.
- ``frames``: frames for people.
"""
