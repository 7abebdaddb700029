"""Readers and writers: bytes of files and streams to batches and back.

``codecs`` undoes compression, ``attributes`` is the table of what may follow ``-f`` and ``-o``,
``reader`` makes batches, ``writer`` prints them.
"""
