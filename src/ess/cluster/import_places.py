"""The place of each import in a command of ``ess stream``, by which a repetition is told from another import.

A place is the number of the ``aq_pp`` in the text of the command and, in loops and functions, how often each of those
around it has begun. The shell itself counts that, in the order of the program, so a place is the same in every run of
the command, whatever values the command line has there, however the command is started, and whatever runs at the same
time. Imports that cannot be counted so (``xargs``, ``split --filter``, ``eval``) are refused. If two imports still
have the same place, the second is refused when it begins (:mod:`ess.udb.client.import_claims`).

Nothing here is trusted to read bash as bash does: an ``aq_pp`` that is not found has no place.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ess.cluster.quoting import Quoting, Reading, readings_of
from ess.errors import OptionError

#: The variable that tells an ``aq_pp`` its place, and the one that names the file for counts.
PLACE, COUNTS = "ESS_IMPORT_PLACE", "ESS_COUNTS"

#: Commands that run another one once, by the name of what they run.
_RUN_ONCE = frozenset(
    {"chrt", "command", "env", "exec", "ionice", "nice", "nohup", "setsid", "stdbuf", "taskset", "time", "timeout"}
)
#: Behind these words a command begins.
_OPENING = frozenset({"!", "coproc", "do", "elif", "else", "if", "then", "time", "{"})
#: With these words begins what may have a name in front when ``coproc`` runs it.
_COMPOUND = frozenset({"{", "for", "if", "select", "until", "while"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^]]*\])?\+?=")
_IMPORTS = re.compile(r"-(imp|udb)(,|\Z)")
_NAMED = re.compile(r"-imp,(.*,)?place=")
_TOOL = re.compile(r"(?<![\w.-])aq_pp(?![\w.-])")
_IMPORT_IN_TEXT = re.compile(r"(?<![\w-])-(imp|udb)(?![\w-])[^\s;|&]*")

#: A descriptor that no command uses.
_DESCRIPTOR = 99


@dataclass
class _Repeated:
    """A loop or a function: what is inside may run several times. ``counter`` is where the shell can count them.

    With ``end``, where the whole ends, it is a function in parentheses: a shell of its own, which is counted before it
    begins.
    """

    kind: str
    number: int
    counter: int | None = None
    has_import: bool = False
    end: int | None = None

    @property
    def variable(self) -> str:
        """The shell's variable for the count."""
        return f"ESS_LOOP_{self.number}"


@dataclass
class _Command:
    """A simple command that is being read; ``words`` without redirections, each with where it begins."""

    begin: int
    words: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Marked:
    """A command whose imports know their places. ``unplaced`` is the text of an import that has none, or blank."""

    text: str
    places: int
    unplaced: str = ""


@functools.lru_cache(maxsize=32)
def mark(command: str, prefix: str = "") -> Marked:
    """Give each ``aq_pp`` that imports its place, in its environment.

    Just before it, the shell makes the file ``$ESS_COUNTS.Place@Process``: so it is known that it has begun, also where
    it is killed before it can say anything.

    >>> mark("aq_pp -f - -d s:a -imp db:t").text
    'ESS_IMPORT_PLACE=1 99>>"$ESS_COUNTS".1@$BASHPID 99>&- aq_pp -f - -d s:a -imp db:t'
    >>> mark("while read f; do aq_pp -f $f -imp db:t; done").places
    1
    >>> mark("xargs -P2 aq_pp -imp db:t -f").unplaced
    'aq_pp -imp db:t -f'
    """
    if "-imp" not in command and "-udb" not in command:
        return Marked(command, 0)
    return _Reader(command, prefix).marked()


def require_places(command: str) -> None:
    """Make sure that what imports in a command has a place.

    Raises:
        OptionError: If it can be seen that something has none.
    """
    if unplaced := mark(command).unplaced:
        raise OptionError(
            "how often this import runs for a file, and in which order, cannot be told",
            where=unplaced if len(unplaced) <= 60 else f"{unplaced[:57]}...",
            hint="write aq_pp in the command itself, also in loops and pipelines, or give each import a name that is "
            "the same in every run and no other's in the file: -imp,place=Name",
        )


def imports_rows(words: Sequence[str]) -> bool:
    """True if the words of an ``aq_pp`` make it import."""
    return any(_IMPORTS.match(word) for word in words) and "-test" not in words


class _Reader:
    """Reads a command once, from its beginning to its end."""

    def __init__(self, text: str, prefix: str) -> None:
        self._text = text
        self._prefix = prefix
        self._readings: list[Reading] = readings_of(text)
        self._inserted: list[tuple[int, str]] = []
        self._around: list[_Repeated | None] = []  # None: a group in braces
        self._repeated: list[_Repeated] = []
        self._tools: set[int] = set()
        self._places = 0
        self._here_documents: list[tuple[str, bool]] = []

    def marked(self) -> Marked:
        """The result."""
        _Scope(self, ()).read(0, is_code=True)
        for each in self._repeated:
            if each.has_import and each.counter is not None:
                name = each.variable
                count = f" {name}=$((${{{name}:-0}}+1));"
                self._inserted.append((each.counter, count if each.end is None else f"{{{count} "))
                if each.end is not None:
                    self._inserted.append((each.end, "; } "))
        text = self._text
        for at, more in sorted(self._inserted, reverse=True):
            text = text[:at] + more + text[at:]
        return Marked(text, self._places, self._unplaced())

    def _unplaced(self) -> str:
        found = [match.start() for match in _TOOL.finditer(self._text)]
        for at, end in itertools.pairwise([*found, len(self._text)]):
            part = self._text[at:end]
            found_here = [match.group() for match in _IMPORT_IN_TEXT.finditer(part)]
            imports = [
                word for word in found_here if word.startswith("-imp")
            ] or found_here  # -udb: the old way to begin
            is_named = all(_NAMED.match(word) for word in imports)
            if at not in self._tools and not is_named and self._readings[at].quoting is not Quoting.COMMENT:
                return " ".join(part.split())
        return ""

    # What the scopes share ------------------------------------------------------------------------------------------

    def at(self, place: int) -> tuple[str, Reading]:
        """A character, and how it is read."""
        return self._text[place], self._readings[place]

    @property
    def length(self) -> int:
        """Of the text."""
        return len(self._text)

    @property
    def depth(self) -> int:
        """The number of open loops, functions and groups."""
        return len(self._around)

    def leave_to(self, depth: int) -> None:
        """The end of a scope ends what began in it."""
        del self._around[depth:]

    def piece(self, begin: int, end: int) -> str:
        """A part of the text, without quotes."""
        return re.sub(r"[\"'\\]", "", self._text[begin:end])

    def follows(self, at: int, character: str) -> bool:
        """True if a character is the next one that is no blank."""
        return self._text[at:].lstrip(" \t").startswith(character)

    def here_document(self, end: str, *, tabs: bool) -> None:
        """One begins with the next line."""
        self._here_documents.append((end, tabs))

    def behind_here_documents(self, at: int) -> int:
        """The position, at the beginning of a line, after the here-documents that begin there."""
        for end, tabs in self._here_documents:
            while at < len(self._text):
                stop = self._text.find("\n", at)
                stop = len(self._text) if stop < 0 else stop
                line = self._text[at:stop]
                at = min(stop + 1, len(self._text))
                if (line.lstrip("\t") if tabs else line) == end:
                    break
        self._here_documents.clear()
        return at

    def open_group(self) -> None:
        """``{``."""
        self._around.append(None)

    def open_repeated(self, kind: str, counter: int | None = None) -> _Repeated:
        """A loop or a function begins."""
        new = _Repeated(kind, len(self._repeated) + 1, counter)
        self._repeated.append(new)
        self._around.append(new)
        return new

    def begin_body(self, counter: int) -> bool:
        """``do``, or ``{`` in place of it; false if no loop waits for it."""
        if self._around and (loop := self._around[-1]) is not None and loop.kind == "for" and loop.counter is None:
            loop.counter = counter
            return True
        return False

    def close(self) -> None:
        """``done`` or ``}``."""
        if self._around:
            self._around.pop()

    def command(self, command: _Command) -> None:
        """A simple command has ended."""
        words = [(at, word) for at, word in command.words if not _ASSIGNMENT.match(word)]
        while words and words[0][1].rpartition("/")[2] in _RUN_ONCE:
            behind = (n for n, (_, word) in enumerate(words) if n and (_is_tool(word) or word in _RUN_ONCE))
            words = words[next(behind, len(words)) :]
        if not words or not _is_tool(words[0][1]) or not any(_IMPORTS.match(word) for _, word in words):
            return
        self._tools.add(self._text.find("aq_pp", words[0][0], words[1][0]))  # -1: with quotes in it
        if any(word == "-test" for _, word in words):
            return  # it imports nothing
        self._places += 1
        around = [each for each in self._around if each is not None]
        counted = [each for each in around if each.counter is not None]
        for each in around:
            each.has_import = True
        place = f"{self._prefix}{self._places}" + "".join(f".${{{each.variable}-}}" for each in counted)
        made = f'{_DESCRIPTOR}>>"${COUNTS}".{place}@$BASHPID {_DESCRIPTOR}>&-'
        self._inserted.append((command.begin, f"{PLACE}={place} {made} "))


def _is_tool(word: str) -> bool:
    return word.rpartition("/")[2] == "aq_pp"


class _Scope:
    """The commands of one ``(...)``, ``$(...)``, ``<(...)`` or pair of backquotes, or of the whole text."""

    def __init__(self, reader: _Reader, scope: tuple[int, ...]) -> None:
        self._reader = reader
        self._scope = scope
        self._command: _Command | None = None
        self._word: int | None = None  # where it begins
        self._is_target = False  # the next word is that of a redirection
        self._function = False  # a name and () stand before, or `function` and a name
        self._body: _Repeated | None = None  # the function in parentheses that has just been read
        self._timed = False  # `time` stands before
        self._coproc = False  # `coproc` stands before, and perhaps a name

    def read(self, at: int, *, is_code: bool) -> int:
        """Read from ``at`` to where the scope ends; not ``is_code``: it holds words, as ``x=(...)``."""
        reader, depth = self._reader, self._reader.depth
        while at < reader.length:
            character, reading = reader.at(at)
            if reading.scope[: len(self._scope)] != self._scope:
                break
            if len(reading.scope) > len(self._scope):  # the character before has opened another scope
                function = self._opens_function(at)
                begin, at = (
                    at,
                    _Scope(reader, reading.scope[: len(self._scope) + 1]).read(
                        at, is_code=is_code and not self._array(at)
                    ),
                )
                if function is not None:
                    reader.close()
                    self._body, self._function = function, False
                    self._command = _Command(at)
                else:
                    self._after_scope(begin, at)
            elif reading.quoting is Quoting.COMMENT:
                self._end_body(at)
                at += 1
            elif not is_code or not reading.is_code or character not in " \t\n;&|<>()":
                self._word = at if self._word is None else self._word
                at += 1
            else:
                at = self._operator(at, character)
        self._end_command(at)
        reader.leave_to(depth)
        return at

    def _array(self, at: int) -> bool:
        return at >= 2 and self._reader.piece(at - 2, at) == "=("

    def _opens_function(self, at: int) -> _Repeated | None:
        """The function whose body is the ``(...)`` that begins before ``at``, if one's is."""
        is_body = self._function and self._command is None and self._word is None
        if not is_body or self._reader.piece(at - 1, at) != "(" or self._reader.follows(at, ")"):
            return None
        return self._reader.open_repeated("function", at - 1)

    def _after_scope(self, begin: int, at: int) -> None:
        opened = self._reader.piece(begin - 1, begin) == "(" and self._reader.follows(begin, ")")
        words = [word for _, word in self._command.words] if self._command is not None else []
        if opened and len(words) == 1 and self._word is None:
            self._command, self._function = None, True  # Name()
        elif words[:1] == ["case"] and words[-1] == "in":
            self._command = None  # (Pattern)
        elif self._command is None and self._word is None and not self._function:
            self._command = _Command(at)  # behind a subshell only redirections come

    def _operator(self, at: int, character: str) -> int:
        reader = self._reader
        after = reader.at(at + 1)[0] if at + 1 < reader.length else ""
        if character == "(":
            begins_word = self._word is not None
            self._end_word(at)
            if begins_word and self._array(at + 1):
                self._word = at
            return at + 1
        if character in "<>" or (character == "&" and after == ">"):
            return self._redirection(at)
        self._end_word(at)
        if character in " \t":
            return at + 1
        self._end_command(at)
        return reader.behind_here_documents(at + 1) if character == "\n" else at + 1

    def _redirection(self, at: int) -> int:
        reader = self._reader
        if self._word is not None and re.fullmatch(r"\d+|\{\w+\}", reader.piece(self._word, at)):
            if self._command is None:
                self._command = _Command(self._word)
            self._word = None
        self._end_word(at)
        if self._command is None:
            self._command = _Command(at)
        end = at
        while end < reader.length and reader.at(end)[0] in "<>&|" and end - at < 3:
            end += 1
        operator = reader.piece(at, end)
        if end < reader.length and reader.at(end)[0] == "(":
            self._word = at  # <(...) is a word
            return end + 1
        if operator == "<<":
            return self._here_document(end)
        self._is_target = True
        return end

    def _here_document(self, at: int) -> int:
        reader = self._reader
        tabs = at < reader.length and reader.at(at)[0] == "-"
        begin = at + tabs
        while begin < reader.length and reader.at(begin)[0] in " \t":
            begin += 1
        end = begin
        while end < reader.length and reader.at(end)[0] not in " \t\n;&|<>()":
            end += 1
        reader.here_document(reader.piece(begin, end), tabs=tabs)
        return end

    def _end_word(self, end: int) -> None:
        begin, self._word = self._word, None
        if begin is None:
            return
        if self._is_target:
            self._is_target = False
            return
        word = self._reader.piece(begin, end)
        if self._timed and word in ("-p", "--"):
            return
        self._timed = False
        if self._command is not None and len(self._command.words) == 1 and self._coproc and word in _COMPOUND:
            self._command = None  # it was a name
        if self._begins_body(word):
            self._command = None
        if self._command is not None:
            self._command.words.append((begin, word))
            if self._command.words[0][1] == "function" and len(self._command.words) == 2:
                self._command, self._function = None, True
        elif not self._keyword(word, end):
            self._command = _Command(begin, [(begin, word)])
            self._function = False

    def _begins_body(self, word: str) -> bool:
        """True for the ``do`` of ``for Name do``."""
        words = [word for _, word in self._command.words] if self._command is not None else []
        return word == "do" and len(words) == 2 and words[0] in ("for", "select")

    def _keyword(self, word: str, end: int) -> bool:
        reader = self._reader
        if word == "{" and self._function:
            reader.open_repeated("function", end)
        elif word == "{":
            if not reader.begin_body(end):
                reader.open_group()
        elif word in ("while", "until"):
            reader.open_repeated(word, end)
        elif word in ("for", "select"):
            reader.open_repeated("for")
            return False  # its variable and its words are no command
        elif word == "do":
            reader.begin_body(end)
        elif word in ("done", "}"):
            reader.close()
            self._command = _Command(end)  # only redirections come
        elif word not in _OPENING:
            return False
        self._function = False
        self._timed, self._coproc = word == "time", word == "coproc"
        return True

    def _end_command(self, at: int) -> None:
        self._end_word(at)
        self._is_target = False
        if self._command is not None:
            self._reader.command(self._command)
        self._end_body(at)
        self._command, self._timed, self._coproc = None, False, False

    def _end_body(self, at: int) -> None:
        if self._body is not None:
            self._body.end, self._body = at, None
