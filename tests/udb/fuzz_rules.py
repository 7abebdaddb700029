"""The rules of requests with any damage: steps that are missing, doubled, in another order, or of another kind."""

from __future__ import annotations

import random
import re
from typing import Any

from ess.errors import OptionError
from ess.language.functions import FUNCTIONS
from ess.language.plain import PlainList
from ess.udb.spec.spec_file import parse_definition
from tests.udb.shards import portable

#: The tables of the database that is attacked, with the names of a number, a string and a float that can be stored.
TABLES = {
    "log": ("n", "user", "price"),
    "days": ("n", "user", "n"),
    "totals": ("count", "latest", "price"),
    "var": ("seen", "word", "seen"),
    "": ("totals.count", "user", "totals.price"),
}

#: Lists of rules; N, S and F stand for names.
_RULES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("-filt", "N > 3"),),
    (("-filt", "N == 1 && totals.count > 0 || !(F < 2.5)"),),
    (("-filt", "RxCmp(S, '(a+)+$', 'rx')"), ("-eval", "var.seen", "seen + RowCount(log)")),
    (("-filt", "$Random > 0"), ("-eval", "N", "N + 1"), ("-eval", "-", "Set('N', 5)")),
    (
        *(("-if",), ("-filt", "N / 0 > 1"), ("-eval", "N", "-N"), ("-elifnot",), ("-filt", "S ~== 'U1'")),
        *(("-del_key",), ("-else",), ("-goto", "next_row"), ("-endif",)),
    ),
    (("-pp,post=next_key", "days"), ("-bvar", "seen", "7"), ("-filt", "SubStr(user, 1, 2) == '1'"), ("-endpp",)),
    (("-pp", "."), ("-goto", "proc_key"), ("-endpp",), ("-del_row,post=next_key",)),
    (("-eval", "S", "ClipStr(S + ToS(N), '1>-') + 'x'"), ("-filt", "KeyDec(S, 'x', I, , S, word)")),
    (("-filt", "StrIndex(S, 'a', ncas) & N % 7 == " + " + ".join(["1"] * 200)),),
    (("-filt", "IpCmp(ToIP('1.2.3.4'), 1.2.3.0, 24)"), ("-filt", "PatCmp(S, '*a', ncas)")),
)

_STEPS: tuple[list[Any], ...] = (
    *(
        ["get", key]
        for key in ("n", "user", "price", "seen", "totals.count", "#count log", "#count var", "#key", "x", "")
    ),
    *(["into", key] for key in ("n", "user", "word", "#count log", "totals.latest", "x")),
    *(["integer", number] for number in (0, 1, -1, 255, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64, 10**30, True)),
    *(["number", digits] for digits in ("7ff8000000000000", "fff0000000000000", "0" * 16, "3FF0000000000000", "x", "")),
    *(["address", digits] for digits in ("", "01020304", "0102", "00" * 16)),
    *(["text", text] for text in ("", "a", "\udcff", "\0", "(a+)+$", "*", "%Y", "x" * 5000, "\ud800")),
    *(["words", words] for words in ([], ["ncas"], ["rx"], ["pcre", "ncas"], ["dec=9"], ["i"], [1], "ncas", [["a"]])),
    *([name] for name in ("to_float", "to_integer", "truth", "not", "join", "both", "either")),
    *(["arithmetic", operator] for operator in ("+", "%", "&", "**", None)),
    *(["compare", operator, False] for operator in ("==", "&=", "&", "~", True)),
    ["compare", "==", True],
    *(["builtin", name, site] for name, site in (("random", 0), ("random", -1), ("rownum", 2**40), ("x", 0))),
    *(["remove", True, "next_key"], ["remove", False, "next_row"], ["remove", False, "next_pp"], ["goto", "proc_key"]),
    *(["goto", "nowhere"], ["if", False], ["elif", True], ["else"], ["end"], ["skip"], ["quit", True]),
    *(["constantly", True], ["filter", "", []], ["evaluate", "n", "", []], ["evaluate", None, "", []]),
)
_OTHER: tuple[Any, ...] = (None, True, 0, -1, 2**63, 10**30, 1.5, "", "n", "x" * 100_000, [], [[]], {}, ["n"], [None])


class RuleDamage:
    """Chooses rules.

    Args:
        generator: What chooses.
        definition: The text that the attacked database is defined by.
    """

    def __init__(self, generator: random.Random, definition: str) -> None:
        self._generator = generator
        found = parse_definition(definition, source="test")
        self.good: dict[str, list[PlainList]] = {table: [] for table in TABLES}
        for table, names in TABLES.items():
            for rules in _RULES:
                try:
                    self.good[table].append(portable(found, table, [_named(rule, names) for rule in rules]))
                except OptionError:
                    continue

    def rules(self, table: str) -> PlainList:
        """Rules as they should be."""
        return self._generator.choice(self.good.get(table) or [PlainList(())])

    def harmed(self, table: str) -> list[Any]:
        """Rules with some damage, as JSON has them."""
        choose = self._generator
        form: list[Any] = _as_lists(self.rules(table if choose.random() < 0.9 else choose.choice(list(TABLES))))
        for _ in range(choose.choice([1, 1, 1, 2, 3, 8])):
            self._harm(form)
        return form

    def _harm(self, form: list[Any]) -> None:
        choose = self._generator
        lists = [form]
        for part in lists:
            lists += [inner for inner in part if isinstance(inner, list)]
        where = choose.choice(lists)
        place = choose.randrange(len(where) + 1)
        what = choose.randrange(9)
        if what == 0:
            where[place:place] = [self._call()]
        elif what < 3:
            where[place:place] = [_as_lists(choose.choice(_STEPS))]
        elif what == 3:
            where[place:place] = [_as_lists(choose.choice(_OTHER))]
        elif not where:
            return
        elif what == 4:
            del where[place - 1]
        elif what == 5:
            where[place - 1] = _as_lists(choose.choice(_STEPS))
        elif what == 6:
            where[place - 1] = _as_lists(choose.choice(_OTHER))
        elif what == 7:
            where[place:place] = [
                _as_lists(where[place - 1]) for _ in range(choose.choice([1, 1, 1, 1, 1, 2, 2, 2, 1200]))
            ]
        else:
            other = choose.randrange(len(where))
            where[place - 1], where[other] = where[other], where[place - 1]

    def expression(self) -> list[Any]:
        """Steps that end with a call of any function, with arguments of any kind."""
        choose = self._generator
        values = [_as_lists(choose.choice(_STEPS[:49])) for _ in range(choose.randrange(5))]
        return [*values, self._call(len(values))]

    def _call(self, count: int = -1) -> list[Any]:
        choose = self._generator
        function = choose.choice([*FUNCTIONS.values()])
        return ["call", function.key, count if count >= 0 else choose.choice([0, 1, 2, len(function.parameters)])]


def _named(rule: tuple[str, ...], names: tuple[str, str, str]) -> tuple[str, ...]:
    known = dict(zip("NSF", names, strict=True))
    return (rule[0], *(re.sub(r"\b[NSF]\b", lambda found: known[found.group()], word) for word in rule[1:]))


def _as_lists(part: Any) -> Any:
    return [_as_lists(inner) for inner in part] if isinstance(part, (tuple, list)) else part
