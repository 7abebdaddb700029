"""Commands that are nothing but a pipeline of programs and their words: they run without a shell.

``aq_pp -f - -d %cols -filt 'price > 4' | aq_cnt -f - -d s:user -k k user`` is one. Whatever bash could read in another
way than word by word is none: a variable, a pattern, a redirection, a list, a keyword, a function, a word that is not
plain ASCII outside of quotes. bash runs those.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

#: The values that :mod:`ess.cluster.substitution` puts into commands. Only in double quotes they are one word each.
_REFERENCE = re.compile(r"\$\{(ESS_(?:FILE|FILE_NAME|PATH|DELIM|COLS|COL_[1-9][0-9]*))\}")

_PLAIN = re.compile(r"[A-Za-z0-9_./,:%@+=^-]+")
_IN_DOUBLE = re.compile(r"[^\"$`\\]+")
_BLANKS = " \t"

#: With these, bash does more than to run the command, or reads it in another way.
_STARTS_OTHERWISE = ("BASH_ENV", "POSIXLY_CORRECT", "SHELLOPTS", "BASHOPTS", "BASH_COMPAT", "BASH_XTRACEFD")
_UTF_8 = re.compile(r"(?i)(C|POSIX|.*\.UTF-?8)\Z")


@dataclass(frozen=True)
class _Value:
    """The value of a variable, as a part of a word."""

    name: str


@dataclass(frozen=True)
class Program:
    """A program to start: where it is, and its words, the first of which is the name it was called by.

    ``is_script``: an interpreter runs it.
    """

    path: str
    words: tuple[str, ...]
    is_script: bool = False

    @property
    def may_read_file(self) -> bool:
        """True if it makes no difference whether its input is a file or a pipe."""
        return os.path.basename(self.path) in _READERS  # noqa: PTH119

    @property
    def is_simple(self) -> bool:
        """True if it does nothing but to read its input and to write, and leaves no other process behind."""
        return self.may_read_file and not self.is_script


#: The words that bash does not take for the name of a program, at the beginning of a command.
_OF_BASH = frozenset(
    """
    . : [ [[ ! { } alias bg bind break builtin caller case cd command compgen complete compopt continue
    coproc declare dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi
    for function getopts hash help history if in jobs kill let local logout mapfile popd printf pushd pwd
    read readarray readonly return select set shift shopt source suspend test then time times trap true
    type typeset ulimit umask unalias unset until wait while
    """.split()  # noqa: SIM905 - to be read
)

#: These show the environment in the order in which bash has it.
_SHOW_ALL = frozenset({"env", "printenv"})

#: Programs that read their input from its beginning to its end, and do nothing else with it: from a file they make the
#: same as from a pipe. A shell does not: the next command goes on where the one before has stopped.
_READERS = frozenset(
    """
    b2sum base64 cat cksum cut egrep fgrep fold grep head md5sum nl od sha1sum sha224sum sha256sum sha384sum sha512sum
    sort sum tac tr uniq wc
    """.split()  # noqa: SIM905 - to be read
)

_Word = tuple[str | _Value, ...]


def plain_pipeline(command: str, values: Mapping[str, str]) -> tuple[tuple[str, ...], ...] | None:
    """The words of each program of a pipeline; None if the command is anything else.

    Args:
        command: As bash gets it (see :func:`ess.cluster.substitution.substitute`).
        values: The environment, from which the values of our own references come.

    >>> plain_pipeline("aq_pp -f - -filt 'a > 1' | aq_cnt -f -", {})
    (('aq_pp', '-f', '-', '-filt', 'a > 1'), ('aq_cnt', '-f', '-'))
    >>> plain_pipeline('cat "${ESS_FILE}"', {"ESS_FILE": "a $b"})
    (('cat', 'a $b'),)
    >>> plain_pipeline("cat > x", {}), plain_pipeline("cat $x", {}), plain_pipeline("X=1 cat", {})
    (None, None, None)
    """
    stages = _read(command)
    if stages is None:
        return None
    try:
        return tuple(tuple("".join(_text(part, values) for part in word) for word in stage) for stage in stages)
    except KeyError:
        return None


def references(command: str) -> tuple[str, ...] | None:
    """The variables whose values :func:`plain_pipeline` puts into a command; None if it is no such pipeline."""
    stages = _read(command)
    if stages is None:
        return None
    return tuple({part.name: None for stage in stages for word in stage for part in word if isinstance(part, _Value)})


def plain_program(command: str, environment: Mapping[str, str]) -> Program | None:
    """The program that a command is, with its words; None if bash has to run it. See :func:`starts_plainly` first.

    >>> plain_program("wc -l", {"PATH": "/usr/bin:/bin"}).words
    ('wc', '-l')
    >>> plain_program("echo x", {"PATH": "/usr/bin:/bin"})
    """
    found = plain_pipeline(command, environment)
    if found is None or len(found) > 1:
        return None
    words = found[0]
    found_at = _program(words[0], environment.get("PATH", ""))
    return None if found_at is None else Program(found_at[0], words, is_script=found_at[1])


@functools.lru_cache(maxsize=32)
def _program(name: str, path: str) -> tuple[str, bool] | None:
    """The file of a program, and true if it is a script."""
    # A relative folder would be one of the folder that the command runs in.
    if name in _OF_BASH or name in _SHOW_ALL or not all(folder.startswith("/") for folder in path.split(os.pathsep)):
        return None
    if "/" in name and not name.startswith("/"):
        return None
    found = shutil.which(name, path=path)
    try:
        with open(found or "", "rb") as file:  # noqa: PTH123
            beginning = file.read(4)
    except OSError:
        return None
    return (found or "", beginning != b"\x7fELF") if beginning in (b"\x7fELF", b"#!/b", b"#!/u") else None


def starts_plainly(environment: Mapping[str, str]) -> bool:
    """True if nothing in the environment changes what bash does with a plain pipeline."""
    if any(name in environment for name in _STARTS_OTHERWISE):
        return False
    if any(name.startswith("BASH_FUNC_") for name in environment):
        return False
    locale = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(name))), "C")
    return _UTF_8.match(locale) is not None


def shell_environment(environment: Mapping[str, str], folder: str, *, several: bool) -> dict[str, str]:
    """The environment that a program gets if bash starts it, but for the variable ``_``.

    Args:
        environment: That of bash.
        folder: The current folder.
        several: The program is one of several in a pipeline: bash stays beside them.
    """
    made = dict(environment)
    if not _is_current(made.get("PWD", ""), folder):
        made["PWD"] = folder
    if not os.path.isdir(made.get("OLDPWD", "")):  # noqa: PTH112
        made.pop("OLDPWD", None)
    level = made.get("SHLVL", "")
    made["SHLVL"] = str(int(level) + several if level.isascii() and level.isdigit() and len(level) < 3 else 0 + several)
    return made


def program_environment(environment: Mapping[str, str], folder: str, program: Program) -> dict[str, str]:
    """The environment of a program that bash would start alone."""
    return shell_environment(environment, folder, several=False) | {"_": program.path}


def _is_current(path: str, folder: str) -> bool:
    words = path.split("/")
    if not path.startswith("/") or "." in words or ".." in words:
        return False
    try:
        return os.path.samefile(path, folder)  # noqa: PTH121
    except OSError:
        return False


def _text(part: str | _Value, values: Mapping[str, str]) -> str:
    return values[part.name] if isinstance(part, _Value) else part


@functools.lru_cache(maxsize=32)
def _read(text: str) -> tuple[tuple[_Word, ...], ...] | None:
    if "\0" in text:
        return None
    stages: list[list[_Word]] = [[]]
    word: list[str | _Value] | None = None
    at, end = len(text) - len(text.lstrip(" \t\n")), len(text.rstrip(" \t\n"))
    if text[end:].startswith(tuple(_BLANKS)) and text[:end].endswith("\\"):
        return None  # the last word is a blank
    while at < end:
        character = text[at]
        if match := _PLAIN.match(text, at, end):
            word = [*(word or ()), match.group()]
            at = match.end()
        elif character in _BLANKS or character == "|":
            if word is not None:
                stages[-1].append(tuple(word))
                word = None
            if character == "|":
                if text[at + 1 : at + 2] in ("|", "&") or not stages[-1]:
                    return None
                stages.append([])
            at += 1
        elif character == "\\":
            following = text[at + 1 : at + 2]
            if not following or not following.isascii():
                return None
            if following != "\n":  # a line that goes on
                word = [*(word or ()), following]
            at += 2
        elif character == "'":
            close = text.find("'", at + 1, end)
            if close < 0:
                return None
            word = [*(word or ()), text[at + 1 : close]]
            at = close + 1
        elif character == '"':
            found = _double(text, at + 1, end)
            if found is None:
                return None
            at, parts = found
            word = [*(word or ()), *parts]
        else:
            return None
    if word is not None:
        stages[-1].append(tuple(word))
    if any(not stage or not _is_name(stage[0]) for stage in stages):
        return None
    return tuple(tuple(stage) for stage in stages)


def _double(text: str, at: int, end: int) -> tuple[int, list[str | _Value]] | None:
    """The parts between double quotes, and the place behind them."""
    parts: list[str | _Value] = [""]
    while at < end:
        character = text[at]
        if character == '"':
            return at + 1, parts
        if match := _IN_DOUBLE.match(text, at, end):
            parts.append(match.group())
            at = match.end()
        elif character == "\\":
            following = text[at + 1 : at + 2]
            if following != "\n":
                parts.append(following if following in ("$", "`", '"', "\\") else character + following)
            at += 2
        elif match := _REFERENCE.match(text, at, end):
            parts.append(_Value(match.group(1)))
            at = match.end()
        else:
            return None
    return None


def _is_name(word: _Word) -> bool:
    """True if a word is the name of a program as it stands; bash has other uses for words with ``=``."""
    return all(isinstance(part, str) and "=" not in part for part in word) and any(word)
