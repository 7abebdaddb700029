"""The table of formats that have a name."""

from __future__ import annotations

from ess.formats.known import access_logs, amazon, logfmt, services, w3c
from ess.formats.known.definition import KnownFormat

#: Every format that needs nothing but its name, in the order of its page.
FORMATS: tuple[KnownFormat, ...] = (
    *access_logs.FORMATS,
    *amazon.FORMATS,
    *services.FORMATS,
    *w3c.FORMATS,
    logfmt.LOGFMT,
)

_BY_NAME = {each.name: each for each in FORMATS}
#: Other words for some of them.
_ALIASES = {"common": "clf", "vhost_common": "vhost_clf"}


def known_format(word: str) -> KnownFormat | None:
    """The format that a word of ``-f`` names, or None.

    >>> known_format("combined").names[:3]
    ('host', 'ident', 'user')
    """
    lowered = word.lower()
    return _BY_NAME.get(_ALIASES.get(lowered, lowered))
