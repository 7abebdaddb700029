"""The durable copy of a server's rows.

- ``journal``: what is logged, and when; ``log_file``: a file of checked records that only grows.
- ``recovery``: from snapshot and logs to what a database was.
"""
