"""Regular expressions over bytes: POSIX basic and extended, and Perl's, on Python's ``re`` and on ``regex``.

- ``compile``: the entry: attributes and a pattern to an expression; ``search``: searching with it, in limited time.
- ``limited``: Python's own syntax on text, in limited time.
- ``posix``: translates POSIX syntax; ``perl``, ``perl_class`` and ``perl_syntax``: Perl's; ``brackets``: in both.
- ``effort``: how long a search may take; ``template``: results from a match; ``errors``: the errors.
"""

from ess.language.regex.compile import REGEX_WORDS, compile_regex
from ess.language.regex.errors import RegexError, SlowPatternError
from ess.language.regex.search import Match, Regex, Search
from ess.language.regex.template import Template

__all__ = ["REGEX_WORDS", "Match", "Regex", "RegexError", "Search", "SlowPatternError", "Template", "compile_regex"]
