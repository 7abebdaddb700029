"""Regular expressions over bytes: POSIX basic and extended, and Perl's, on Python's ``re`` and on ``regex``."""

from ess.language.regex.compile import REGEX_WORDS, compile_regex
from ess.language.regex.errors import RegexError, SlowPatternError
from ess.language.regex.search import Match, Regex, Search
from ess.language.regex.template import Template

__all__ = ["REGEX_WORDS", "Match", "Regex", "RegexError", "Search", "SlowPatternError", "Template", "compile_regex"]
