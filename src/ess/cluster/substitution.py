"""``%path %file %FILE %cols %delim`` and the numbers of nodes and threads, put into a command as data.

File names come from strangers, so a value is never pasted into the text that the shell parses.
It travels in an environment variable, and the command gets a reference to it that fits the
quoting of the place: ``"${ESS_FILE}"`` outside quotes, ``${ESS_FILE}`` inside double quotes,
and ``'"${ESS_FILE}"'`` inside single quotes. The shell never looks at what a variable expands
to as code, whatever the name holds.

A limit that no quoting can lift: where the surrounding text is itself a program (``awk '... %file'``,
``sh -c '... %file'``, ``eval``), that program sees the plain value. Give it as an argument instead.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ess.cluster.quoting import Quoting, here_documents, quoting_of
from ess.errors import OptionError

#: The strings that a user can write, and their meaning. ``ess exec`` knows only the last four.
SUBSTITUTIONS: dict[str, str] = {
    "%path": "folder of the file being processed",
    "%file": "name of the file without its (last) extension",
    "%FILE": "name of the file",
    "%cols": "column spec of the category, as separate words",
    "%delim": "delimiter of the category",
    "%num_nodes": "number of nodes",
    "%node_id": "number of the node that runs the command, from 0",
    "%num_threads": "number of files a node works on at a time",
    "%thread_id": "which of them this is, from 0",
}

_FILE_NAMES = {"%path": "ESS_PATH", "%file": "ESS_FILE", "%FILE": "ESS_FILE_NAME", "%delim": "ESS_DELIM"}
_PATTERN = re.compile("|".join(sorted(SUBSTITUTIONS, key=len, reverse=True)))


@dataclass(frozen=True)
class Place:
    """The place where a command runs; nodes and threads count from 0."""

    node_id: int = 0
    num_nodes: int = 1
    thread_id: int = 0
    num_threads: int = 1


@dataclass(frozen=True)
class FileValues:
    """The facts about a file that a command can ask for. ``columns`` are the words of the column spec."""

    path: str
    columns: tuple[str, ...] = ()
    delimiter: str = ""


def substitute(command: str, place: Place, file: FileValues | None = None) -> str:
    """The command for bash, with references and numbers in the place of substitution strings.

    >>> substitute("sort > out/%file.%node_id", Place(node_id=1), FileValues("logs/a b.gz"))
    'sort > out/"${ESS_FILE}".1'
    >>> substitute("aq_pp -d %cols", Place(), FileValues("a", ("s:user", "i:n")))
    'aq_pp -d "${ESS_COL_1}" "${ESS_COL_2}"'
    """
    return _substitute(command, place, None if file is None else file.columns)


@functools.lru_cache(maxsize=256)
def _substitute(command: str, place: Place, columns: tuple[str, ...] | None) -> str:
    """The same; ``columns`` are those of the file, None if there is no file."""
    if columns is not None:
        command = _expanding(command)
    quoting = quoting_of(command)
    numbers = {
        "%num_nodes": place.num_nodes,
        "%node_id": place.node_id,
        "%num_threads": place.num_threads,
        "%thread_id": place.thread_id,
    }

    def replace(match: re.Match[str]) -> str:
        word, where = match.group(), quoting[match.start()]
        if where in (Quoting.ESCAPED, Quoting.COMMENT):
            return word
        if word in numbers:
            return str(numbers[word])
        if columns is None:
            return word
        if word == "%cols" and where is Quoting.PLAIN:
            return " ".join(f'"${{{_column(number)}}}"' for number in range(1, len(columns) + 1))
        return _reference("ESS_COLS" if word == "%cols" else _FILE_NAMES[word], where)

    return _PATTERN.sub(replace, command)


def _expanding(command: str) -> str:
    r"""The command with here-documents that ask for a value expanded, also where their delimiters have quotes.

    A value cannot be put into one that is not expanded as text: a line of it may be the delimiter.

    >>> print(_expanding("cat <<'A'\n$5 %file\nA"))
    cat <<A
    \$5 %file
    A
    """
    for document in reversed(here_documents(command)):
        text = command[slice(*document.text)]
        if not document.is_literal or not any(word in text for word in (*_FILE_NAMES, "%cols")):
            continue
        if document.in_backquotes:
            raise OptionError(
                "a here-document in backquotes whose delimiter has quotes cannot take the name of a file",
                where="command",
                hint="write $(...) for the backquotes",
            )
        delimiter = command[slice(*document.last)]
        if not delimiter.isidentifier():
            lines = {line.strip("\t") for line in text.split("\n")}
            delimiter = next(name for number in itertools.count() if (name := f"ESS_END_{number}") not in lines)
        text = re.sub(r"([\\$`])", r"\\\1", text)
        tabs = command[document.text[1] : document.last[0]]
        ending = tabs + delimiter if document.last[0] < len(command) else ""
        before, between = command[: document.word[0]], command[document.word[1] : document.text[0]]
        command = f"{before}{delimiter}{between}{text}{ending}{command[document.last[1] :]}"
    return command


def variables(file: FileValues) -> dict[str, str]:
    """The environment that the references of :func:`substitute` need.

    >>> variables(FileValues("logs/a b.gz", ("s:user",), ","))["ESS_FILE"]
    'a b'
    """
    folder, name = os.path.split(file.path)
    return {
        "ESS_PATH": folder or ".",
        "ESS_FILE": os.path.splitext(name)[0],  # noqa: PTH122 - keeps names as they are
        "ESS_FILE_NAME": name,
        **_of_columns(file.columns, file.delimiter),
    }


@functools.lru_cache(maxsize=32)
def _of_columns(columns: tuple[str, ...], delimiter: str) -> dict[str, str]:
    words = {_column(number): word for number, word in enumerate(columns, 1)}
    return {"ESS_DELIM": delimiter, "ESS_COLS": shlex.join(columns), **words}


def column_words(spec: str | Sequence[str]) -> tuple[str, ...]:
    """The words of a column spec, which may hold quoted separators (``ip:ip sep:' ' s:user``).

    >>> column_words("ip:ip sep:' ' s:user")
    ('ip:ip', 'sep: ', 's:user')
    """
    return tuple(shlex.split(spec)) if isinstance(spec, str) else tuple(spec)


def _column(number: int) -> str:
    return f"ESS_COL_{number}"


def _reference(name: str, where: Quoting) -> str:
    reference = f"${{{name}}}"
    if where in (Quoting.DOUBLE, Quoting.HERE):
        return reference
    if where is Quoting.SINGLE:
        return f"'\"{reference}\"'"
    if where is Quoting.DOLLAR_SINGLE:
        return f"'\"{reference}\"$'"
    return f'"{reference}"'
