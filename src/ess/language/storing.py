"""A test for expressions that store, before their names and types are known."""

from __future__ import annotations

from itertools import pairwise

from ess.errors import OptionError
from ess.language.functions import FUNCTIONS
from ess.language.lexer import TokenKind, tokens_of
from ess.language.older import OLDER, REPLACED


def may_store(text: str) -> bool:
    """True if an expression calls a function that stores into a column.

    It is assumed for text that is no expression or calls an unknown function.

    >>> [may_store(text) for text in ("a == 'Set(1)'", "PatCmp(a, 'x*')", "RXMAP (a, 'x', b, 'y')", "KDec(k, 'a')")]
    [False, False, True, True]
    """
    try:
        tokens = tokens_of(text, where="")
    except OptionError:
        return True
    return any(
        token.kind is TokenKind.NAME and following.text == "(" and _stores(token.text.lower())
        for token, following in pairwise(tokens)
    )


def _stores(name: str) -> bool:
    today = REPLACED.get(name) or OLDER.get(name) or name
    function = FUNCTIONS.get(today.lower())
    return function is None or function.stores
