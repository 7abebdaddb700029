"""The lake: datastores, the files in them, and the categories that group those files."""
