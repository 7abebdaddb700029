"""Telling commands that ask the whole database from those that run on each node.

``aq_udb`` alone must give one answer for the whole cluster, merged, sorted and cut once. In a
pipeline on a node it gives the node's share instead, so that the nodes' shares add up.
"""

from __future__ import annotations

import re
import shlex

from ess.cluster.quoting import Quoting, quoting_of

_SEPARATORS = ";&|\n"
_NOT_SIMPLE = "()`"
_READS = re.compile(r"aq_udb|(?<![\w-])-(exp|cnt)(?![\w-])")


def asks_whole_database(command: str) -> bool:
    """True if a command consists only of plain ``aq_udb`` calls: one, or several after each other.

    Redirections and variables are allowed, pipelines and anything else that runs another command
    are not.

    >>> asks_whole_database("aq_udb -exp wood:sales -filt 'a > 1 || b < 2' > out.csv")
    True
    >>> asks_whole_database("aq_udb -ord a:b; aq_udb -exp a:b")
    True
    >>> asks_whole_database("aq_udb -exp wood:sales | aq_pp -f - -d s:a")
    False
    >>> asks_whole_database("aq_udb -exp wood:$(cat name)")
    False
    """
    calls = _simple_commands(command)
    return calls is not None and bool(calls) and all(_is_aq_udb(call) for call in calls)


def _simple_commands(command: str) -> list[str] | None:
    """The simple commands of a list; None if there is a pipeline, a substitution or a compound."""
    quoting = quoting_of(command)
    calls: list[str] = []
    start = at = 0
    while at < len(command):
        character, where = command[at], quoting[at]
        if where is Quoting.PLAIN and character in _NOT_SIMPLE:
            return None
        if where is Quoting.DOUBLE and (character == "`" or command[at : at + 2] == "$("):
            return None
        width = _separator(command, at) if where is Quoting.PLAIN and character in _SEPARATORS else 0
        if width is None:
            return None
        if width:
            calls.append(command[start:at])
            start = at + width
        at += max(width, 1)
    calls.append(command[start:])
    return [call for call in calls if call.strip()]


def _separator(command: str, at: int) -> int | None:
    """The width of the separator at ``at``; 0 if it belongs to a redirection; None for a pipe or ``&``."""
    pair, character = command[at : at + 2], command[at]
    if pair in ("&&", "||"):
        return 2
    if character in ";\n":
        return 1
    if character == "&" and (pair == "&>" or command[at - 1 : at] in ("<", ">")):
        return 0
    if character == "|" and command[at - 1 : at] == ">":
        return 0
    return None


def _is_aq_udb(call: str) -> bool:
    try:
        words = shlex.split(call.replace("\\\n", ""), comments=True)  # shlex keeps continued lines
    except ValueError:
        return False
    return bool(words) and words[0].rpartition("/")[2] == "aq_udb"


def reads_database(*commands: str) -> bool:
    """True if some command reads what is in a database, as far as its text tells.

    >>> reads_database("aq_pp -f - -d s:a -imp wood:sales; aq_udb -exp wood:sales")
    True
    >>> reads_database("", "aq_pp -f - -d s:a -imp wood:sales")
    False
    """
    return any(map(_READS.search, commands))
