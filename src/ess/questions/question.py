"""A question: a stream, and the commands that its output goes through."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from ess.schema import Column

#: Characters that double quotes do not protect.
_SPECIAL, _ESCAPED = re.compile(r'(["$`\\])'), r"\\\1"
#: A command of the shell as words.
Command = Sequence[str]


@dataclass(frozen=True)
class Range:
    """The files that are asked: bounds of dates, a pattern of files to leave out, the most files, the datastore."""

    lower: str = "*"
    upper: str = "*"
    exclude: str | None = None
    limit: int | None = None
    label: str | None = None

    @property
    def options(self) -> list[str]:
        """The options of ``ess stream`` that say so."""
        given = {"--exclude": self.exclude, "--limit": self.limit, "--label": self.label}
        return [word for name, value in given.items() if value is not None for word in (name, str(value))]


@dataclass(frozen=True)
class Question:
    """A question of a category.

    Attributes:
        category: The name of the category.
        stages: What each file goes through: one tool, or several behind each other.
        then: What the output of all files goes through.
        columns: The columns of the answer, which comes as CSV with titles.
        files: The files that are asked.
    """

    category: str
    stages: Sequence[Command]
    then: Sequence[Command]
    columns: Sequence[Column]
    files: Range = field(default_factory=Range)

    @property
    def command(self) -> str:
        """The command of the stream."""
        return pipeline(self.stages)

    @property
    def line(self) -> str:
        """The whole line as a user would type it."""
        words = ["ess", "stream", self.category, self.files.lower, self.files.upper]
        stream = [*words, self.command, *self.files.options]
        return f"{joined(stream)} | {pipeline(self.then)}"


def pipeline(commands: Sequence[Command]) -> str:
    """The commands one behind the other, for the shell.

    >>> pipeline([["aq_pp", "-filt", "a > 1"], ["wc"]])
    "aq_pp -filt 'a > 1' | wc"
    """
    return " | ".join(joined(words) for words in commands)


def joined(words: Command) -> str:
    r"""The words for the shell, each in the quotes that are the easiest to read.

    >>> print(joined(["-filt", "user == 'ann'", 'a != "x"']))
    -filt "user == 'ann'" 'a != "x"'
    """
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    single = shlex.quote(word)
    if "'" not in word or "!" in word:  # an interactive bash takes a ! in double quotes for its history
        return single
    double = f'"{_SPECIAL.sub(_ESCAPED, word)}"'
    return min(single, double, key=len)
