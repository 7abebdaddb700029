"""Readers and writers: bytes of files and streams to batches and back.

Reading, in the order in which bytes become rows:

* ``endpoints`` opens files, pipes and sockets; ``codecs`` undoes compression with ``decompressors``, and reads archives
  with ``zip_archive``, ``zip_recovery``, ``tar_archive`` and ``archive_names``; ``gzip_files`` unpacks a gzip file at
  one go; ``text_source`` makes UTF-8 of what a file holds; ``blocks`` cuts at line ends, and ``block_pairs`` has two
  of a file parsed at a time.
* ``attributes`` is the table of what may follow ``-f`` and ``-o``; ``columns`` parses ``-d`` for a format.
* ``records`` and ``values`` are the definition of records and of field values, one at a time;
  ``parse_exact`` makes a batch with them.
* ``parse_fast`` makes the same batch from large blocks at once: ``split`` and ``split_lines`` find the ``fields`` of
  plain lines and leave the others to ``records``; ``convert`` makes columns (strings by ``field_views``) and leaves odd
  values to ``values``.
  ``digits`` makes numbers of plain digits, ``lazy_sequence`` the reasons of rejected records.
* ``known`` has the formats with a name and columns of their own.
* ``nested`` reads ``jsn`` and ``xml``, ``table_rows`` reads ``tab``; ``binary`` reads and writes ``bin``,
  ``parquet`` reads Parquet.
* ``raw`` reads records without columns; ``dialect`` guesses the layout of a file, ``delimiters`` its
  delimiter, ``json_columns`` the columns of JSON, ``value_forms`` what its values are, ``titles`` names in its title.
* ``reader`` is the entry: files, attributes and columns in, batches and rejected records out.
  ``value_counts`` counts values in place of rows.

Writing is ``output``; ``compressing`` compresses what is written.

The two ways of reading and of printing are compared on generated data by tests; whichever runs, the result is the same.
"""
