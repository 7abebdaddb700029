"""Searching with a compiled pattern: quickly where it cannot take long, else with a limit of time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from ess.language.regex.effort import SHORT
from ess.language.regex.errors import RegexError, SlowPatternError

#: Seconds of processor time that one search may take.
LIMIT = 10.0
#: A length that few values have: up to it a search by one pass needs no watch.
_ANY_LENGTH = 1 << 22
_SHOWN = 80


class Match(Protocol):
    """The parts of a match object that the language uses."""

    def start(self) -> int:
        """The position of its first byte."""
        ...

    def end(self) -> int:
        """The position behind its last byte."""
        ...

    def group(self, group: int, /) -> bytes | None:
        """A group's text; None if it took no part."""
        ...

    def groups(self, default: bytes, /) -> tuple[bytes, ...]:
        """The texts of all groups; ``default`` for one that took no part."""
        ...


Search = Callable[[bytes], Match | None]


@dataclass(frozen=True)
class _TextMatch:
    """A match in decoded text, seen as bytes."""

    match: re.Match[str]

    def start(self) -> int:
        return len(_encode(self.match.string[: self.match.start()]))

    def end(self) -> int:
        return len(_encode(self.match.string[: self.match.end()]))

    def group(self, group: int, /) -> bytes | None:
        text = self.match[group]
        return None if text is None else _encode(text)

    def groups(self, default: bytes, /) -> tuple[bytes, ...]:
        return tuple(default if text is None else _encode(text) for text in self.match.groups())


@dataclass(frozen=True)
class _ShiftedMatch:
    """A match of an expression that has a group more, before all others."""

    match: Match

    def start(self) -> int:
        return self.match.start()

    def end(self) -> int:
        return self.match.end()

    def group(self, group: int, /) -> bytes | None:
        return self.match.group(group + 1 if group else 0)

    def groups(self, default: bytes, /) -> tuple[bytes, ...]:
        return self.match.groups(default)[1:]


@dataclass(frozen=True)
class Engine:
    """The way to compile and run a translated pattern.

    Args:
        source: The pattern.
        ignore_case: Whether letters match in either case.
        multiline: Whether ``^`` and ``$`` match at line ends.
        text: Whether values are decoded from UTF-8 (bytes that are none stay what they are).
        longest: Whether of several matches at one place the longest is wanted, not the first.
        unwatched: The length of a value up to which no limit of time is needed.
    """

    source: bytes
    ignore_case: bool
    multiline: bool
    text: bool
    longest: bool
    unwatched: int

    @cached_property
    def quick(self) -> Any:
        """The pattern for short values: compiled by ``re`` if that can do the work and will not take long.

        Raises:
            RegexError: If no engine takes the pattern.
        """
        if self.longest or self.unwatched <= SHORT:
            return self.watched
        flags = (re.IGNORECASE if self.ignore_case else 0) | (re.MULTILINE if self.multiline else 0) | re.DOTALL
        try:
            if self.text:
                return re.compile(_decode(self.source), flags)
            return re.compile(self.source, flags)
        except (re.error, OverflowError, RecursionError):
            return self.watched

    @cached_property
    def watched(self) -> Any:
        """The pattern compiled by ``regex``, which can stop after some time.

        Raises:
            RegexError: If it does not take the pattern.
        """
        import regex  # only few patterns need it

        flags = (regex.IGNORECASE if self.ignore_case else 0) | (regex.MULTILINE if self.multiline else 0)
        flags |= regex.DOTALL | regex.VERSION0 | (regex.POSIX if self.longest else 0)
        try:
            if self.text:
                return regex.compile(_decode(self.source), flags | regex.UNICODE)
            return regex.compile(self.source, flags | regex.ASCII)
        except (regex.error, OverflowError, RecursionError, ValueError, MemoryError) as error:
            raise RegexError(str(error)) from None


@dataclass(frozen=True)
class Regex:
    """A compiled expression.

    Args:
        pattern: As the user wrote it.
        engine: How it runs.
        names: The groups of each name, by their numbers for the engine.
        groups: The groups of each number from 1, by their numbers for the engine: the number itself, but after ``(?|``.
        anchored: Whether a match must begin where the search does.
        first_line: Whether a match must begin before the first line end.
        shifted: Whether the translated pattern has a group of its own before all others.
    """

    pattern: bytes
    engine: Engine
    names: dict[str, tuple[int, ...]]
    groups: tuple[tuple[int, ...], ...]
    anchored: bool = False
    first_line: bool = False
    shifted: bool = False

    def search(self) -> Search:
        """A function to the first match in a value.

        Its errors are:
            SlowPatternError: If a search takes too long.
        """
        engine = self.engine
        quick, limit = (engine.quick.match if self.anchored else engine.quick.search), engine.unwatched
        if not self._special:
            if limit >= _ANY_LENGTH:
                return quick  # type: ignore[no-any-return]

            def search(value: bytes) -> Match | None:
                found: Match | None = quick(value) if len(value) <= limit else self._slowly(value)
                return found

            return search

        def search_carefully(value: bytes) -> Match | None:
            subject: Any = _decode(value) if engine.text else value
            return self._seen(quick(subject) if len(value) <= limit else self._slowly(subject))

        return search_carefully

    def matches(self, value: bytes) -> Iterator[Match]:
        """All matches from left to right, none overlapping.

        Raises:
            SlowPatternError: If the search takes too long.
        """
        subject: Any = _decode(value) if self.engine.text else value
        if len(value) <= self.engine.unwatched:
            found: Iterator[Any] = self.engine.quick.finditer(subject)
        else:
            found = self._watched_matches(subject)
        return self._checked_matches(found) if self._special or self.anchored else found

    @property
    def _special(self) -> bool:
        """True if matches need checking before they are given out."""
        return self.engine.text or self.first_line or self.shifted

    def _checked_matches(self, found: Iterator[Any]) -> Iterator[Match]:
        expected = 0
        for match in found:
            seen = self._seen(match)
            if seen is None or (self.anchored and match.start() != expected):
                return
            expected = match.end()
            yield seen

    def groups_of(self, name: str) -> tuple[int, ...]:
        """The groups with a name, in upper or lower case, or a number (0 is the whole match); none if there is none."""
        if not name.isdigit():
            wanted = name.lower()
            return tuple(group for known, groups in self.names.items() if known.lower() == wanted for group in groups)
        number = int(name)
        if number == 0:
            return (0,)
        return self.groups[number - 1] if number <= len(self.groups) else ()

    def _seen(self, match: Any) -> Match | None:
        if match is None:
            return None
        if self.first_line:
            end = match.string.find("\n" if self.engine.text else b"\n")
            if 0 <= end < match.start():
                return None
        seen: Match = _TextMatch(match) if self.engine.text else match
        return _ShiftedMatch(seen) if self.shifted else seen

    def _slowly(self, subject: Any) -> Any:
        pattern = self.engine.watched
        try:
            return (pattern.match if self.anchored else pattern.search)(subject, timeout=LIMIT)
        except (TimeoutError, MemoryError):
            raise self._too_slow(subject) from None

    def _watched_matches(self, subject: Any) -> Iterator[Any]:
        try:
            yield from self.engine.watched.finditer(subject, timeout=LIMIT)
        except (TimeoutError, MemoryError):
            raise self._too_slow(subject) from None

    def _too_slow(self, subject: Any) -> SlowPatternError:
        shown = self.pattern.decode("utf-8", "backslashreplace")
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
        costs = f"more than {LIMIT:g} s, or too much memory, for a value of {len(subject)} bytes"
        return SlowPatternError(
            f"regular expression '{shown}' takes {costs}",
            hint="avoid repetitions inside of repetitions and alternatives that match the same",
        )


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
