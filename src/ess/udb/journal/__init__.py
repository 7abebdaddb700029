"""The durable copy of a server's rows.

- ``journal``: what is logged, and when; ``log_file``: a file of checked records that only grows.
- ``snapshot``: a state as files; ``rows_file``: the rows of a table or a large import; ``folder``: names, and removal.
- ``recovery``: from snapshot and logs to what a database was.
"""
