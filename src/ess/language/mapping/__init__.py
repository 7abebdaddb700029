"""The mapping syntax of ``-mapf``, ``-mapc`` and ``-map``: patterns that extract, templates that render.

- ``pattern`` and ``template``: the two; ``escapes``: the backslash sequences in both.
- ``functions``: the options as functions that engines can call.
"""
