"""The client's side of a database: rows in, results out, over all of its servers.

- ``pool``: all servers at once; ``two_phases``: a commit on all of them.
- ``importing``: ``-imp``; ``import_claims``: the identity of an import, so that a repetition counts once;
  ``folding``: rows of one key merged before they are sent.
- ``appending``: rows of Python programs; ``stage_stream``: the stream that carries them.
- ``export``: results merged and sorted; ``limits``: ``-top`` and ``-last``.
"""
