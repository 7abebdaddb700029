"""Questions that are often asked of a category, as command lines of the tools: ``ess top`` and the like.

- ``source``: how a tool reads the rows of a category; ``aggregates``: the words of ``--by``.
- ``durations``: the words of ``--gap``; ``bins``: widths of bins; ``described``: the columns of a category.
- ``asked``: the questions, each as one line, a ``question``; ``answering``: the commands behind the stream;
  ``answered``: what they print, as a frame.
"""
