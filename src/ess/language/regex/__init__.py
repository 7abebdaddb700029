"""Regular expressions over bytes: POSIX basic and extended, and Perl's, on Python's ``re``."""

from ess.language.regex.compile import REGEX_WORDS, Regex, compile_regex
from ess.language.regex.errors import RegexError
from ess.language.regex.template import Template

__all__ = ["REGEX_WORDS", "Regex", "RegexError", "Template", "compile_regex"]
