"""Errors of regular expressions: in the pattern, or in what it makes of a value."""

from __future__ import annotations

from ess.errors import InputDataError


class RegexError(ValueError):
    """A malformed pattern, or an attribute that cannot be honoured."""


class SlowPatternError(InputDataError):
    """A search took too long. It ends the run, because what takes too long depends on the machine."""
