"""Option tables, and the parser that turns a command line into a sequence of option uses.

A tool's command line is a small program: the order of the options is the order of the work.
So the parser groups words under the option they follow and keeps everything in order; what
an option means is decided by the reader of the uses (``chain``, ``plan``, a tool).

An option word is a ``-`` and a letter; ``-`` alone and ``-5`` are arguments. Its
attributes follow a comma, up to the end of the word: ``-f,+1,sep=,``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ess.errors import OptionError
from ess.formats.attributes import TEXT_ATTRIBUTES

#: Arguments that are names, and so never begin with a dash.
_NAMES = ("Col", "KeyName", "TabName", "DbName", "AltName", "NewName")
#: Arguments that are expressions, whose blanks a shell takes for the ends of words.
_EXPRESSIONS = ("Expr", "FilterSpec", "Val")
#: In the synopsis of an option that another rule follows.
_CHECK = "RuleToCheck"


@dataclass(frozen=True)
class Option:
    """One row of an option table.

    Args:
        name: With its dash, ``-eval``.
        arguments: The names of the arguments that must follow, taken as they are (an expression
            may begin with ``-``).
        more: The name of an argument that may follow any number of times after them, up to the next option.
        until: A word, ``--``, that ends the option; all words before it belong to it, options or not, and without it
            all that follow.
        attributes: Whether attributes may follow the name, ``-f,+1``.
        group: The heading it stands under on the help page.
        help: One or two sentences for the help page.
        shown: The synopsis when the arguments alone do not say it well.
        obsolete: Accepted for old scripts; not on the help page.
    """

    name: str
    help: str
    arguments: tuple[str, ...] = ()
    more: str = ""
    attributes: bool = False
    group: str = ""
    shown: str = ""
    obsolete: bool = False
    until: str = ""

    @property
    def synopsis(self) -> str:
        """The synopsis of the option, ``-eval ColSpec|ColName Expr``."""
        if self.shown:
            return self.shown
        words = [self.name + ("[,AtrLst]" if self.attributes else ""), *self.arguments]
        if self.more:
            words.append(f"[{self.more} ...]")
        return " ".join(words)


@dataclass(frozen=True)
class Use:
    """An option on a command line.

    ``where`` is the option word as the user wrote it, for error messages.
    """

    option: Option
    attributes: tuple[str, ...]
    arguments: tuple[str, ...]
    where: str

    @property
    def name(self) -> str:
        """The option's name, with its dash."""
        return self.option.name


@dataclass(frozen=True)
class OptionTable:
    """The options of one tool.

    Args:
        tool: The command's name.
        summary: What the tool does, for the head of the help page.
        options: The rows, in the order of the help page.
        missing: Options of the reference manual that this version does not have: name -> what to use instead.
    """

    tool: str
    summary: str
    options: tuple[Option, ...]
    missing: tuple[tuple[str, str], ...] = ()

    def find(self, name: str) -> Option | None:
        """The row of an option, by its name with the dash."""
        return next((option for option in self.options if option.name == name), None)

    def parse(self, argv: Sequence[str], respell: Callable[[str], str] = str) -> list[Use]:
        """Group a command line under its options, in order.

        Args:
            argv: The command line without the tool's name.
            respell: Gives each option word as it is written today.

        Raises:
            OptionError: For an unknown option, one that is not available yet, attributes where none are taken,
                a missing argument, or a word that belongs to no option.

        >>> table = OptionTable("demo", "", (Option("-c", "", ("ColName",), more="ColName"), Option("-stat", "")))
        >>> [(use.name, use.arguments) for use in table.parse(["-c", "a", "b", "-stat"])]
        [('-c', ('a', 'b')), ('-stat', ())]
        """
        uses: list[Use] = []
        position = 0
        while position < len(argv):
            word = respell(argv[position])
            if not is_option_word(word):
                raise OptionError(
                    f"'{word}' belongs to no option", where=self._after(uses), hint=self._stray(word, uses)
                )
            name, comma, rest = word.partition(",")
            option = self._row(name, uses)
            if comma and not option.attributes:
                raise OptionError(f"{name} takes no attributes, but ',{rest}' was given", where=self.tool)
            position += 1
            arguments = list(argv[position : position + len(option.arguments)])
            if len(arguments) < len(option.arguments):
                raise OptionError(
                    f"{name} lacks its {option.arguments[len(arguments)]}",
                    where=self.tool,
                    hint=f"usage: {option.synopsis}",
                )
            self._require_names(option, arguments)
            position += len(arguments)
            if option.until:
                rest_of_it = argv[position:]
                ends = option.until in rest_of_it
                count = rest_of_it.index(option.until) if ends else len(rest_of_it)
                arguments += rest_of_it[:count]
                position += count + ends
            while option.more and position < len(argv) and not is_option_word(argv[position]):
                arguments.append(argv[position])
                position += 1
            uses.append(Use(option, split_attributes(rest) if comma else (), tuple(arguments), word))
        return uses

    def _require_names(self, option: Option, arguments: Sequence[str]) -> None:
        """Refuse an option in the place of a name: it would be an unknown column, or become a file."""
        for expected, word in zip(option.arguments, arguments, strict=True):
            is_name = expected.startswith(_NAMES)
            known = self.find(word.partition(",")[0])
            is_file = expected.startswith(("File", "Folder")) and known is not None
            if is_option_word(word) and (is_name or is_file):
                meant = "" if known is not None and not known.obsolete else _as_attribute(option, word)
                raise OptionError(
                    f"{option.name} lacks its {expected}: {word} is there instead",
                    where=self.tool,
                    hint=meant or f"usage: {option.synopsis}",
                )

    def _row(self, name: str, uses: Sequence[Use]) -> Option:
        option = self.find(name)
        if option is not None:
            return option
        for missing, instead in self.missing:
            if missing == name:
                raise OptionError(f"{name} is not available", where=self.tool, hint=instead)
        hint = (uses and _as_attribute(uses[-1].option, name)) or self._nearest(name)
        raise OptionError(f"unknown option {name}", where=self.tool, hint=hint)

    def _nearest(self, name: str) -> str:
        import difflib  # only an error needs it

        if name in ("-h", "-help", "--help"):
            return f"help is {self.tool} -h, or {self.tool} -h Name for one option or function"
        names = [option.name for option in self.options if not option.obsolete]
        stem, dot, rest = name.partition(".")  # -sort.dec
        if dot and stem in names:
            return f"did you mean {stem},{rest}?"
        lower = {known.lower(): known for known in names}
        near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
        return f"did you mean {lower[near[0]]}?" if near else self._see_help()

    def _stray(self, word: str, uses: list[Use]) -> str:
        """A hint about what a word without an option was meant for."""
        if uses:
            option = uses[-1].option
            if _CHECK in option.synopsis:
                return f"{option.name} takes a rule to check: {option.name} -filt '{word}'"
            if option.arguments and option.arguments[-1] in _EXPRESSIONS:
                return f"put all of the expression into one pair of quotes: {option.synopsis}"
            return self._see_help()
        files = next((option for option in self.options if option.more == "File"), None)
        return f"files go after {files.name}; {self._see_help()}" if files else self._see_help()

    def _see_help(self) -> str:
        return f"see {self.tool} -h"

    def _after(self, uses: list[Use]) -> str:
        return f"{self.tool}: after {uses[-1].where}" if uses else self.tool


def _as_attribute(option: Option, word: str) -> str:
    """The words to write if a word was meant as an attribute of an option, from its help; else blank."""
    attribute = word.removeprefix("-")
    found = option.attributes and re.search(rf"(?<![A-Za-z]){re.escape(attribute)}(?=[][:,= ])", option.help)
    return f"attributes go right after the option: {option.name},{attribute}" if found else ""


def is_option_word(word: str) -> bool:
    """True if a word starts an option: a dash and a letter.

    >>> [is_option_word(word) for word in ("-f,+1", "-", "-5", "--", "x")]
    [True, False, False, False, False]
    """
    return len(word) > 1 and word[0] == "-" and word[1].isalpha()


#: Attributes that may stand behind a value with commas.
_PLAIN_BEHIND = re.compile(
    r"(?:,(?:eok(?:=[0-9]+(?:/[0-9]+)?)?|qui(?:=[0-9]+)?|\+[0-9]+[brl]?|bz=[0-9]+|enc=[\w-]+|nox|esc))+\Z",
    re.IGNORECASE,
)


def split_attributes(text: str) -> tuple[str, ...]:
    """Split an attribute list at its commas; the character after ``sep=`` is taken as it is.

    A value that may hold commas reaches to the end, but for plain attributes there.

    >>> split_attributes("+1,sep=,,eok")
    ('+1', 'sep=,', 'eok')
    >>> split_attributes("eok,rx=(?P<a>[0-9]{1,3}),+1,qui")
    ('eok', 'rx=(?P<a>[0-9]{1,3})', '+1', 'qui')
    >>> split_attributes("notitle")
    ('notitle',)
    """
    words: list[str] = []
    position = 0
    while position <= len(text):
        start = position
        if text[position : position + 5].lower() == "sep=,":
            position += 5
        elif text[position : position + 8].lower().startswith(TEXT_ATTRIBUTES):
            rest = text[position:]
            plain = _PLAIN_BEHIND.search(rest)
            behind = plain[0] if plain else ""
            words.append(rest.removesuffix(behind))
            words += behind.split(",")
            break
        end = text.find(",", position)
        end = len(text) if end < 0 else end
        words.append(text[start:end])
        position = end + 1
    return tuple(word for word in words if word)
