"""The mapping syntax of ``-mapf``, ``-mapc`` and ``-map``: patterns that extract, templates that render."""
