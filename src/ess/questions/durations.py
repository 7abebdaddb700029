"""Durations as people write them."""

from __future__ import annotations

import re

from ess.errors import OptionError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)


def seconds_of(text: str, *, where: str) -> int:
    """The seconds of a duration.

    Raises:
        OptionError: If it is none.

    >>> seconds_of("30m", where="--gap"), seconds_of("90", where="--gap")
    (1800, 90)
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"'{text}' is no duration", where=where, hint="write it as 90s, 30m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2]]
