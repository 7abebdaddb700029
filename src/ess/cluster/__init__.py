"""Clusters: where they come from (providers), and how files and commands run on them (stream, exec)."""
