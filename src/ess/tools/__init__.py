"""One file a command: its option table, its plan, its start."""
