"""Stores of files behind one small interface: this disk, buckets, containers, web servers.

- ``store``: the interface, and what comes of it. ``kinds``: one row a kind, and what opens a store.
- ``disk``, ``s3``, ``gcs``, ``azure_blob``, ``web``: one module a kind; ``aws``: keys and
  signatures; ``web_pages``: index pages; ``wire``: HTTP.
- ``s3_upload`` writes an object of S3 in parts; ``unfinished``: notes of uploads, so that none is left behind.
- ``checksums``: those that stores give. ``counting``: the number of requests. ``seekable``: an object as a file with
  places to go to.
- ``address``: ``s3://Bucket/Path`` and the like; ``datastores``: places with a label, as ``ess select`` defines them.

Credentials are given explicitly to whoever opens a store (:class:`ess.stores.kinds.Credentials`); they come from
settings or where each vendor's own programs find them, never from an address. No message repeats what a store has said:
it may hold a signed address.
"""
