"""Making a case that fails smaller, while it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tests.differential.chain import Option

#: How many smaller cases are tried.
_PATIENCE = 1500

_Item = TypeVar("_Item")


def shrink(
    options: list[Option], rows: list[_Item], fails: Callable[[list[Option], list[_Item]], bool]
) -> tuple[list[Option], list[_Item]]:
    """A smaller chain and fewer rows that still fail; ``fails`` is false for what is no valid case."""
    left = _PATIENCE

    def still(candidate_options: list[Option], candidate_rows: list[_Item]) -> bool:
        nonlocal left
        left -= 1
        return left > 0 and fails(candidate_options, candidate_rows)

    rows = _fewer(rows, lambda candidate: still(options, candidate))
    changed = True
    while changed:
        changed = False
        for candidate in _simpler(options):
            if still(candidate, rows):
                options, changed = candidate, True
                break
    return options, _fewer(rows, lambda candidate: still(options, candidate))


def _fewer(rows: list[_Item], still: Callable[[list[_Item]], bool]) -> list[_Item]:
    size = len(rows) // 2
    while size:
        start = 0
        while start < len(rows):
            candidate = rows[:start] + rows[start + size :]
            if candidate and still(candidate):
                rows = candidate
            else:
                start += size
        size //= 2
    return rows


def _simpler(options: Sequence[Option]) -> Iterator[list[Option]]:
    for start in range(len(options)):
        for end in range(len(options), start, -1):
            if end - start < len(options):
                yield [*options[:start], *options[end:]]
    for start, option in enumerate(options):
        if option[0].startswith("-if"):
            end = _end_of_group(options, start)
            yield [*options[:start], *options[start + 1 : end], *options[end + 1 :]]
    for i, option in enumerate(options):
        if option[0].startswith(("-if", "-elif")) and len(option) > 1:
            yield [*options[:i], (option[0], "-true"), *options[i + 1 :]]
        for text in _parts(option[-1]) if len(option) > 1 else ():
            yield [*options[:i], (*option[:-1], text), *options[i + 1 :]]


def _end_of_group(options: Sequence[Option], start: int) -> int:
    depth = 0
    for i in range(start, len(options)):
        depth += options[i][0].startswith("-if")
        depth -= options[i][0] == "-endif"
        if not depth:
            return i
    return len(options)


def _parts(text: str) -> Iterator[str]:
    """Parts of an expression that may stand for it: what parentheses, commas and blanks enclose."""
    borders = [i for i, character in enumerate(text) if character in "(), "]
    pieces = {text[a:b].strip() for a in [-1, *borders] for b in [*borders, len(text)] if -1 <= a < b}
    pieces |= {piece[1:].strip() for piece in pieces if piece[:1] in "(,"}
    for piece in sorted((p for p in pieces if p and len(p) < len(text)), key=len):
        if piece.count("(") == piece.count(")"):
            yield piece
    for i, j in ((i, j) for i in borders for j in borders if i < j):
        for filler in ("0", "s1"):
            shorter = text[: i + 1] + filler + text[j:]
            if len(shorter) < len(text) and shorter.count("(") == shorter.count(")"):
                yield shorter
