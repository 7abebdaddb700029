"""Essentia: from raw, dirty, compressed log files to an answer."""
