"""The lake: datastores, the files in them, and the categories that group those files.

- ``datastores``: defines and forgets them; ``key_options`` and ``key_files``: who asks, as given to ``ess select``.
- ``listing``: finds files in one; ``keys``: those of a bucket, in parallel or folder by folder; ``narrow``: the folders
  in which no file of a range of dates is; ``entry``: a file; ``patterns``: globs.
- ``classify``: the categories of many keys at once; ``repeated_dates``: the dates of many names.
- ``dates``: the date in a file name; ``ranges``: bounds of dates; ``select``: the files between two bounds;
  ``days``: by day.
- ``index``: the files of categories as the last looks have found them, in one file of SQLite, ``index_file``.
- ``categories``: named groups of files; ``category_options``: their options; ``organize``: makes and changes them;
  ``sharing``: as a file.
- ``probing``: finds the layout; ``record_format``: a format that has a name;
  ``command_environment``: what commands of the user's see; ``content``: opens a file; ``reading``: its rows.
- ``archives``: what is in an archive, and the content of one file, a ``member``; ``archive_passes``: those of
  compressed tars, one after the other; ``archive_spool``: in another order; ``archive_listing``: archives in listings;
  ``archive_index``: what is known of them.
"""
