r"""Perl-compatible regular expressions (PCRE2's) in the syntax that ``re`` and ``regex`` share.

PCRE2 decides some things while it matches (``.``, ``^``, ``$``, case, blanks in patterns, names). They are decided
here, so that the engines need no flags but those for case and characters. Constructs that neither engine has are
errors: the verbs but ``(*FAIL)``, ``(*PRUNE)`` and ``(*SKIP)``, callouts, and some conditions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ess.language.regex.effort import Effort
from ess.language.regex.errors import RegexError
from ess.language.regex.perl_class import ASCII_CLASSES, code_at, perl_bracket, property_at
from ess.language.regex.perl_syntax import (
    ASCII_BOUNDARIES,
    ASSERTIONS,
    BLANK,
    CALL,
    CHARACTERS,
    COMMENT,
    CONDITION,
    FLAGS,
    MOST_TIMES,
    NAMED_BACK,
    NUMBERED_BACK,
    OPENING,
    QUANTIFIER,
    VERB,
    PerlOptions,
)


@dataclass(frozen=True)
class PerlPattern:
    """A translated pattern.

    Args:
        source: The pattern for the engines.
        names: The numbers that the groups of each name have in ``source``.
        groups: The same for each number in the pattern, from 1; more than one after ``(?|``.
        effort: What it may cost.
    """

    source: bytes
    names: dict[str, tuple[int, ...]]
    groups: tuple[tuple[int, ...], ...]
    effort: Effort


#: The letters of ``(?imsxUJn)`` that are in force.
_Mode = frozenset[str]


@dataclass
class _Open:
    """An open group.

    Args:
        mode: The mode to go back to.
        number: Its number, or 0.
        moves: Whether what it matches takes part in the match (a lookaround's does not).
        firm: Whether something is matched for sure before the present place.
        before: The same for its beginning.
        every: Whether every branch so far matches something for sure.
        cased: Whether its present branch has opened a "(?i:".
        resets: The number of groups that each of its branches begins with, for ``(?|``.
        highest: The highest number of a group in the branches before.
    """

    mode: _Mode
    number: int = 0
    moves: bool = True
    firm: bool = False
    before: bool = False
    every: bool = True
    cased: bool = False
    resets: int | None = None
    highest: int = 0


@dataclass
class _Names:
    """Names of groups, and references to them that come before the groups."""

    numbers: dict[str, list[int]] = field(default_factory=dict)

    def add(self, name: str, number: int, *, again: bool) -> None:
        if name in self.numbers and number not in self.numbers[name] and not again:
            raise RegexError(f"two groups have the name '{name}'; the attribute dupnames allows that")
        self.numbers.setdefault(name, []).append(number)

    def of(self, name: str) -> list[int]:
        if name not in self.numbers:
            raise RegexError(f"there is no group '{name}'")
        return self.numbers[name]


def translate_perl(pattern: bytes, options: PerlOptions) -> PerlPattern:
    r"""``pattern`` as ``re`` and ``regex`` take it; only case and kind of characters are left to their flags.

    >>> translate_perl(rb"(?<year>\d+)\h[[:alpha:]]+\z", PerlOptions()).source
    b'(\\d+)[ \\t][A-Za-z]+\\Z'

    Raises:
        RegexError: If it is malformed, or uses what neither engine has.
    """
    return _Translator(pattern, options).translate()


class _Translator:
    def __init__(self, pattern: bytes, options: PerlOptions) -> None:
        self._pattern = pattern
        self._options = options
        self._at = 0
        self._out: list[bytes | Callable[[], bytes]] = []  # a reference is made when all groups are known
        self._groups = 0
        self._made: list[list[int]] = []  # for each number, the groups in _out that have it
        self._written = 0  # how many groups _out has
        self._names = _Names()
        self._mode: _Mode = options.modes
        self._open: list[_Open] = [_Open(self._mode)]
        self._effort = Effort()
        self._repeatable = False
        self._after_group = False
        self._firm_before = False  # what ``firm`` was before the last atom

    def translate(self) -> PerlPattern:
        self._effort.anchored = self._pattern[:1] == b"^" and "m" not in self._mode
        while self._at < len(self._pattern):
            self._step()
        if len(self._open) > 1:
            raise RegexError("'(' without ')'")
        self._end_cased()
        source = b"".join(part if isinstance(part, bytes) else part() for part in self._out)
        groups = tuple(tuple(made) for made in self._made)
        names = {
            name: tuple(made for number in dict.fromkeys(numbers) for made in groups[number - 1])
            for name, numbers in self._names.numbers.items()
        }
        return PerlPattern(source, names, groups, self._effort)

    # The parts of a pattern

    def _step(self) -> None:
        byte = self._pattern[self._at : self._at + 1]
        if byte == b"\\":
            self._escape()
        elif byte == b"[":
            text, self._at = perl_bracket(
                self._pattern,
                self._at,
                text=self._options.text,
                unicode=self._options.unicode,
                bsux=self._options.alt_bsux,
                may_be_empty=self._options.allow_empty_class,
            )
            self._atom(text)
        elif byte == b"(":
            self._parenthesis()
        elif byte == b")":
            self._close()
        elif byte == b"|":
            self._at += 1
            self._alternative()
        elif "x" in self._mode and byte[0] in BLANK:
            self._at += 1
        elif "x" in self._mode and byte == b"#":
            end = self._pattern.find(b"\n", self._at)
            self._at = len(self._pattern) if end < 0 else end + 1
        elif byte == b"^":
            self._at += 1
            self._assertion(self._line_begin())
        elif byte == b"$":
            self._at += 1
            self._assertion(self._line_end())
        elif byte == b".":
            self._at += 1
            self._atom(b"(?s:.)" if "s" in self._mode else rb"[^\n]")
        elif (quantifier := QUANTIFIER.match(self._pattern, self._at)) and quantifier[0] not in (b"{}", b"{,}"):
            self._quantify(quantifier)
        else:
            end = self._at + 1
            while self._options.text and end < len(self._pattern) and self._pattern[end] & 0xC0 == 0x80:
                end += 1
            text = self._pattern[self._at : end]
            self._at = end
            self._atom(re.escape(text))

    def _atom(self, text: bytes | Callable[[], bytes], *, firm: bool = True) -> None:
        self._repeatable = True
        self._after_group = False
        self._out.append(text)
        self._moved(firm)

    def _moved(self, firm: bool) -> None:
        self._firm_before = self._open[-1].firm
        self._open[-1].firm = self._firm_before or firm

    def _assertion(self, text: bytes) -> None:
        self._out.append(text)
        self._repeatable = False

    def _line_begin(self) -> bytes:
        if "m" not in self._mode:
            return b"(?!)" if self._options.notbol else rb"\A"
        inner = rb"(?<=\n)" if self._options.alt_circumflex else rb"(?<=\n)(?!\Z)"
        return inner if self._options.notbol else rb"(?:\A|" + inner + rb")"

    def _line_end(self) -> bytes:
        if "m" in self._mode:
            return rb"(?=\n)" if self._options.noteol else rb"(?=\n|\Z)"
        if self._options.noteol:
            return b"(?!)"
        return rb"\Z" if self._options.dollar_endonly else rb"(?=\n?\Z)"

    def _escape(self) -> None:
        pattern, at, options = self._pattern, self._at, self._options
        letter = pattern[at + 1 : at + 2]
        if not letter:
            raise RegexError("a backslash at the end")
        if letter == b"Q":
            end = pattern.find(rb"\E", at + 2)
            end = len(pattern) if end < 0 else end
            for position in range(at + 2, end):
                self._atom(re.escape(pattern[position : position + 1]))
            self._at = end + 2
            return
        self._at += 2
        if letter == b"E":
            return
        if letter in b"bB" and options.text and not options.unicode:
            self._assertion(ASCII_BOUNDARIES[letter])
        elif letter in ASSERTIONS:
            self._assertion(ASSERTIONS[letter])
        elif letter in CHARACTERS:
            self._atom(CHARACTERS[letter])
        elif letter.lower() in ASCII_CLASSES:
            ascii_class = b"[%s%s]" % (b"" if letter.islower() else b"^", ASCII_CLASSES[letter.lower()])
            self._atom(ascii_class if options.text and not options.unicode else b"\\" + letter)
        elif letter == b"C":
            if options.never_backslash_c or options.text:
                raise RegexError(
                    r"\C is not available" + (" with never_backslash_c" if not options.text else " in text")
                )
            self._atom(b"(?s:.)")
        elif letter in b"pP":
            text, self._at = property_at(pattern, at, text=options.text)
            self._atom(text)
        elif (back := NAMED_BACK.match(pattern, at)) or (letter in b"gk" and not NUMBERED_BACK.match(pattern, at)):
            self._refer_to_name(back)
        elif (numbered := NUMBERED_BACK.match(pattern, at)) and self._is_reference(numbered):
            self._refer_to_number(numbered)
        elif code := code_at(pattern, at, text=options.text, bsux=options.alt_bsux):
            text, self._at = code
            self._atom(text)
        elif letter.isalnum() and not (options.alt_bsux and letter == b"U"):
            raise RegexError(f"\\{letter.decode()} is not available")
        else:
            self._at = at + 1  # the character itself, which may have several bytes
            self._atom(re.escape(letter))
            self._at += 1

    def _alternative(self) -> None:
        cased = self._end_cased()
        group = self._open[-1]
        group.every, group.firm = group.every and group.firm, group.before
        if group.resets is not None:
            group.highest, self._groups = max(group.highest, self._groups), group.resets
        self._out.append(b"|")
        self._effort.alternative()
        self._effort.anchored = False
        self._repeatable = False
        if cased:  # "(?i)" holds for the branches that follow, too
            self._begin_cased()

    def _quantify(self, quantifier: re.Match[bytes]) -> None:
        if not self._repeatable:
            raise RegexError(f"nothing to repeat before '{quantifier[0].decode()}'")
        self._at = quantifier.end()
        low, more, high = quantifier["low"], quantifier["more"], quantifier["high"]
        sign = quantifier[0]
        if sign[:1] == b"{":
            least = int(low or 0)
            most = least if more is None else int(high) if high else None
            if max(least, most or 0) > MOST_TIMES or (most is not None and most < least):
                raise RegexError("bad repeat count")
            sign = b"{%d,%s}" % (least, b"" if most is None else b"%d" % most) if most != least else b"{%d}" % least
        else:
            least, most = {b"*": (0, None), b"+": (1, None), b"?": (0, 1)}[sign]
        kind = self._pattern[self._at : self._at + 1]
        if kind in (b"?", b"+"):
            self._at += 1
        else:
            kind = b""
        if "U" in self._mode and kind != b"+":
            kind = b"" if kind else b"?"
        if least == 0:
            self._open[-1].firm = self._firm_before
        if kind != b"+":
            self._effort.repeat(least, most, group=self._after_group)
        self._out.append(sign + kind)
        self._repeatable = False

    # Groups

    def _parenthesis(self) -> None:
        pattern, at = self._pattern, self._at
        if verb := VERB.match(pattern, at):
            self._verb(verb)
        elif pattern.startswith(b"(*", at):
            raise RegexError("of the verbs only (*FAIL), (*PRUNE) and (*SKIP) are available")
        elif not pattern.startswith(b"(?", at):
            self._at += 1
            self._begin(b"(?:" if "n" in self._mode else b"(", numbered="n" not in self._mode)
        elif pattern.startswith(b"(?|", at):
            self._at += 3
            self._begin(b"(?:", numbered=False)
            self._open[-1].resets = self._groups
        elif comment := COMMENT.match(pattern, at):
            self._at = comment.end()
        elif opening := OPENING.match(pattern, at):
            self._at = opening.end()
            name = opening["name"] or opening["quoted"]
            if name:
                self._begin(b"(", numbered=True)
                self._names.add(name.decode(), self._groups, again="J" in self._mode)
            else:
                self._begin(b"(?" + opening["look"], numbered=False, moves=opening["look"] in b":>")
        elif back := NAMED_BACK.match(pattern, at):
            self._refer_to_name(back)
        elif call := CALL.match(pattern, at):
            self._call(call)
        elif condition := CONDITION.match(pattern, at):
            self._condition(condition)
        elif flags := FLAGS.match(pattern, at):
            self._change_mode(flags)
        else:
            raise RegexError(f"'{pattern[at : at + 4].decode('latin-1')}' is not available")

    def _begin(self, text: bytes, *, numbered: bool, moves: bool = True) -> None:
        if numbered:
            self._groups += 1
            self._written += 1
            if self._groups > len(self._made):
                self._made.append([])
            self._made[self._groups - 1].append(self._written)
        firm = self._open[-1].firm
        self._open.append(_Open(self._mode, self._groups if numbered else 0, moves, firm, firm))
        self._out.append(text)
        self._effort.open()
        self._repeatable = False

    def _close(self) -> None:
        if len(self._open) == 1:
            raise RegexError("')' without '('")
        self._at += 1
        self._end_cased()
        group = self._open.pop()
        self._groups = max(self._groups, group.highest)
        self._mode = group.mode
        self._out.append(b")")
        self._effort.close()
        self._repeatable = self._after_group = True
        self._moved(group.moves and group.every and group.firm)

    def _verb(self, verb: re.Match[bytes]) -> None:
        self._at = verb.end()
        word = verb["verb"]
        if word[:1] == b"U":
            raise RegexError(f"(*{word.decode()}) is not available; give the attribute {word.decode().lower()[:3]}")
        self._assertion(b"(?!)" if word[:1] == b"F" else b"(*" + word + b")")
        self._repeatable = False

    def _change_mode(self, flags: re.Match[bytes]) -> None:
        self._at = flags.end()
        mode = self._mode - frozenset("imsxn") if flags["reset"] else self._mode
        mode = (mode | frozenset(flags["on"].decode())) - frozenset((flags["off"] or b"").decode())
        if flags["end"] == b":":
            self._begin(b"(?:", numbered=False)
        changed = ("i" in mode) != ("i" in self._mode)
        self._mode = mode
        if changed:
            self._end_cased()
            self._begin_cased()
        self._repeatable = False

    def _begin_cased(self) -> None:
        self._open[-1].cased = True
        self._out.append(b"(?i:" if "i" in self._mode else b"(?-i:")

    def _end_cased(self) -> bool:
        if not self._open[-1].cased:
            return False
        self._out.append(b")")
        self._open[-1].cased = False
        return True

    # References

    def _is_reference(self, found: re.Match[bytes]) -> bool:
        r"""``\12`` is a reference if it has one digit or there are that many groups before it; else it is octal."""
        plain = found["plain"]
        return plain is None or len(plain) == 1 or int(plain) <= self._groups

    def _refer_to_number(self, found: re.Match[bytes]) -> None:
        self._at = found.end()
        number = int(found["plain"] or found["number"])
        if found["relative"]:
            number = self._groups + number if found["relative"] == b"+" else self._groups + 1 - number
        self._refer(lambda: [number])

    def _refer_to_name(self, found: re.Match[bytes] | None) -> None:
        if found is None:
            raise RegexError(f"malformed reference '{self._pattern[self._at - 2 : self._at + 6].decode('latin-1')}'")
        self._at = found.end()
        name = next(group for group in found.groups() if group).decode()
        if name.isdigit():
            raise RegexError(f"'{name}' is no name of a group")
        self._refer(lambda: self._names.of(name))

    def _refer(self, numbers: Callable[[], list[int]]) -> None:
        def made() -> bytes:
            each = [found for number in numbers() for found in self._written_as(number)]
            if self._options.match_unset_backref:
                return b"(?:" + b"|".join(b"(?(%d)\\%d)" % (found, found) for found in each) + b")"
            return b"(?:" + b"|".join(b"\\%d" % found for found in each) + b")"

        self._effort.refer_back()
        self._atom(made, firm=False)

    def _written_as(self, number: int) -> list[int]:
        """The groups of the translated pattern that have a number."""
        if not 1 <= number <= len(self._made):
            raise RegexError(f"there is no group {number}")
        return [made + self._options.shift for made in self._made[number - 1]]

    def _call(self, found: re.Match[bytes]) -> None:
        self._at = found.end()
        name, text = found["name"], found["number"]
        so_far = self._groups
        if not self._open[-1].firm and not self._is_closed(name, text):
            raise RegexError("a recursion before anything is matched is not available")

        def made() -> bytes:
            if name:
                number = self._names.of(name.decode())[0]
            elif not text or text == b"0":
                return b"(?R)" if not self._options.shift else b"(?%d)" % self._options.shift
            else:
                number = int(text)
                if text[:1] in b"+-":
                    number += so_far + (text[:1] == b"-")
            return b"(?%d)" % self._written_as(number)[0]

        self._effort.recursion = True
        self._atom(made, firm=False)

    def _is_closed(self, name: bytes | None, text: bytes | None) -> bool:
        """True if a call is of a group that has ended before, so that it is no recursion."""
        if name:
            number = next(iter(self._names.numbers.get(name.decode(), ())), 0)
        elif text and text[:1] in b"+-":
            number = self._groups + int(text) + (text[:1] == b"-")
        else:
            number = int(text or 0)
        return 1 <= number <= self._groups and all(group.number != number for group in self._open)

    def _condition(self, found: re.Match[bytes]) -> None:
        name = found["a"] or found["b"] or found["c"]
        if name in (b"R", b"DEFINE", b"VERSION"):
            raise RegexError(f"the condition ({name.decode()}) is not available")
        self._at = found.end()
        number = found["number"]

        def made() -> bytes:
            wanted = int(number) if number else self._names.of(name.decode())[0]
            return b"(?(%d)" % self._written_as(wanted)[0]

        self._begin(b"", numbered=False, moves=False)
        self._out[-1] = made
        self._effort.alternative()
