"""Glob patterns: what a user types to name files.

Several patterns are separated by spaces; quotes or a backslash keep a space inside one. ``*``
stands for any characters, also across folders, ``?`` for one character, ``[abc]``, ``[a-z]``
and ``[!abc]`` for one of a set. Patterns are pure text here; the folders are walked by
:mod:`ess.lake.listing`.
"""

from __future__ import annotations

import os.path
import re
import shlex
from dataclasses import dataclass

from ess.errors import OptionError
from ess.surroundings import expand_user

_WILD = re.compile(r"[*?[]")
#: So many stars are quicker with going back.
_FEW_STARS = 2


@dataclass(frozen=True)
class Pattern:
    """One absolute glob pattern.

    ``text`` is the pattern; ``prefix`` its fixed beginning, up to the first wildcard (the whole
    text if there is none).
    """

    text: str

    @property
    def prefix(self) -> str:
        """The fixed beginning."""
        wild = _WILD.search(self.text)
        return self.text[: wild.start()] if wild else self.text

    @property
    def has_wildcard(self) -> bool:
        """True if it can name more than one file."""
        return _WILD.search(self.text) is not None

    @property
    def base(self) -> str:
        """The deepest folder all of its files are below, ending in ``/``."""
        return self.prefix[: self.prefix.rfind("/") + 1]


def parse_patterns(text: str, *, folder: str, where: str) -> tuple[Pattern, ...]:
    """Split ``text`` into patterns and make them absolute.

    Args:
        text: One or more patterns, e.g. ``'logs/*a* logs/"b c"*'``; ``~/`` is the home folder.
        folder: The folder that relative patterns start from.
        where: The option or argument it stands in, for the error.

    Raises:
        OptionError: If a quote is not closed or there is no pattern.

    >>> [p.text for p in parse_patterns('a* /b/../c/"d e"', folder="/home", where="pattern")]
    ['/home/a*', '/c/d e']
    """
    if "\0" in text:
        raise OptionError("a pattern cannot hold a NUL character", where=where, hint="leave it out")
    try:
        words = _words(text)
    except ValueError as error:
        raise OptionError(
            f"cannot read the pattern '{text}': {str(error).lower()}",
            where=where,
            hint="close the quote, or put a quote character in the other kind of quotes",
        ) from error
    if not words:
        raise OptionError("the pattern is empty", where=where, hint="give a pattern such as 'logs/*2014*'")
    return tuple(Pattern(absolute(word, folder)) for word in words)


def _words(text: str) -> list[str]:
    """Split at spaces like a shell, but leave comment signs alone."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def quote_pattern(text: str) -> str:
    """A pattern as a user would type it among others.

    >>> quote_pattern("/logs/b test*")
    "'/logs/b test*'"
    """
    return shlex.quote(text) if re.search(r"[\s'\"\\]", text) else text


_STORE = re.compile(r"[a-z][a-z0-9]*://[^/]*/")


def absolute(path: str, folder: str) -> str:
    """``path`` seen from ``folder``, without ``.``, ``..`` and doubled slashes; a final slash stays.

    In a store, where ``folder`` begins like ``s3://bucket/``, every character of a key counts, so nothing is left out.
    A path with a slash first is seen from the bucket, and one may begin with the bucket's own address.

    >>> absolute("a//../b", "s3://logs/2026/"), absolute("/x", "s3://logs/2026/"), absolute("s3://logs/y", "s3://logs/")
    ('s3://logs/2026/a//../b', 's3://logs/x', 's3://logs/y')
    """
    store = _STORE.match(folder)
    if store is not None:
        if path.startswith(store[0]):
            return path
        return store[0] + path[1:] if path.startswith("/") else folder + path
    # pathlib would drop the final slash and cannot take ".." out of a pattern
    expanded = expand_user(path)
    normal = os.path.normpath(os.path.join(folder, expanded))  # noqa: PTH118
    if normal.startswith("//"):
        normal = normal[1:]
    return normal + "/" if path.endswith("/") and normal != "/" else normal


def compile_globs(texts: tuple[str, ...], *, cross: bool = True) -> re.Pattern[str]:
    """One regular expression that matches a whole path if one of the globs does.

    Args:
        texts: Globs.
        cross: Whether a wildcard also stands for ``/``.
    """
    return _one_of([_translate(text, cross) for text in texts])


def _one_of(expressions: list[str]) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(f'(?:{each})' for each in expressions)})" + r"\Z", re.DOTALL)


def _translate(glob: str, cross: bool) -> str:
    """A glob as a regular expression.

    With many stars, what stands between two of them is taken where it comes first: its length is fixed, so a later
    place would only leave less for what follows. Without going back, no glob takes long for any name.
    """
    any_one = "." if cross else "[^/]"
    pieces: list[list[str]] = [[]]
    at = 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if char == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append([])
        elif char == "?":
            pieces[-1].append(any_one)
        elif char == "[":
            end = glob.find("]", at + 2 if glob[at : at + 1] == "!" else at + 1)
            if end < 0:
                pieces[-1].append(r"\[")
                continue
            pieces[-1].append(_translate_set(glob[at:end], cross))
            at = end + 1
        else:
            pieces[-1].append(re.escape(char))
    first, *more = ("".join(piece) for piece in pieces)
    if len(more) <= _FEW_STARS:
        return f"{any_one}*".join((first, *more))
    return first + "".join(f"(?>{any_one}*?{piece})" for piece in more[:-1]) + f"{any_one}*{more[-1]}"


def _translate_set(inside: str, cross: bool) -> str:
    negated = inside.startswith("!")
    members = inside[1:] if negated else inside
    ranges: list[str] = []
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            low, high = members[at], members[at + 2]
            if low <= high:
                ranges.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            ranges.append(re.escape(members[at]))
            at += 1
    if not ranges:
        return "." if negated else r"(?!)"
    body = f"[{'^' if negated else ''}{''.join(ranges)}]"
    return body if cross else f"(?!/){body}"


def compile_exclude(text: str | None, *, where: str, root: str = "/") -> re.Pattern[str] | None:
    """The regular expression of an ``--exclude``, which is a part of ``pattern``'s matches.

    A relative exclude pattern may match any end of the path that begins at a folder or file
    name (``*_old*`` excludes ``/logs/x_old.gz``; ``tmp/*`` excludes ``/logs/tmp/x``).

    Args:
        text: The patterns; blank for none.
        where: The option it stands in, for the error.
        root: The folder above all others: ``/``, or ``s3://bucket/``.

    Raises:
        OptionError: If a quote is not closed.
    """
    if text is None or not text.strip():
        return None
    patterns = parse_patterns(text, folder=root, where=where)
    return _one_of(
        [
            _translate(pattern.text, cross=True)
            if word.startswith(("/", "~", root))
            else ".*/" + _translate(pattern.text[len(root) :], cross=True)
            for word, pattern in zip(_words(text), patterns, strict=True)
        ]
    )
