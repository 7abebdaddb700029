"""What is wrong with a regular expression."""

from __future__ import annotations


class RegexError(ValueError):
    """A malformed pattern, or an attribute that cannot be honoured."""
