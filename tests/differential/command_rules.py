"""Rules that only the pipeline knows: mapping, lookups, keys, modules, names and outputs, put into generated chains.

What does not fit is an error of the command line, which all ways to run it must report alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.differential.chain import Option
from tests.differential.data import COLUMNS

#: What the lookups look up, and what -cat adds.
TABLE = b'abc,"found"\n"ABC",upper\na*,"begins"\n"xyz",\n"1 items",one\n"",blank\n"?","single"\n"abc",again\n'
#: Another with numbers, an address and dirt; the look-up itself reads it with eok.
NUMBERS = (
    b"i1;is1;f1;ip1;text\n7;-1;0.5;1.2.3.4;'a'\n2147483648;0;nan;::1;x\n1;TBD;2.5;;bad\n"
    b"1;2;-0;0.0.0.0;\n7;-1;1e300;;z\n"
)
#: A module of a user's own: it remembers, drops, rejects, multiplies.
MODULE = b"""
seen = 0

def init(step):
    global every
    every = step

def row(row):
    global seen
    seen += 1
    row["is1"] = min(seen, 2**31 - 1)
    if seen % every == 0:
        return False
    if seen % (3 * every + 1) == 0:
        row.reject("the module does not want it")
    row["s2"] = row.bytes("s1") + b"+"
"""
#: The same as a generator.
GENERATOR = b"""
def row(row):
    for number in range(len(row.bytes("s1")) % 3):
        row["i1"] = number
        yield
"""
MORE = b'abc,1.5,7\n"x""y",,TBD\n\xff,1e999,-1\nlast,nan,9'

_NAMES = [key for key, _ in COLUMNS]
_STRINGS = ["s1", "s2", "day", "num"]
_TYPES = {key: kind.value for key, kind in COLUMNS}
_PATTERNS = ["%%p_{n}:1-3%%%*", "%*%%p_{n}%%%?", "%%p_{n}:@n%%%*", "a%%p_{n}%%", "%%p_{n}%% %*", "%*"]
_REGEXES = ["^([0-9]+)-([0-9]+)", "(a|b)(.*)", "[^a-z]*", "(", "x*"]
_SUB = ["", ",ncas", ",req", ",pat", ",pat,ncas,req", ",all", ",all,pat", ",ncas,all,req"]
_GREP = ["", ",rev", ",ncas", ",pat", ",pat,rev,ncas"]
#: Not mrg: an input out of order ends the run, after as much output as there were batches before.
_CMB = ["", ",ncas", ",req", ",all", ",all,req,ncas"]


class CommandRules:
    """Writes such rules; new columns have names that the other generator does not use."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._made = 0

    def put_into(self, rules: list[Option]) -> None:
        """Add a few to ``rules``, behind the variables."""
        source = self._source
        for _ in range(source.choice([0, 1, 1, 2])):
            more = source.choice(_MAKERS)(self)
            first = next((i for i, rule in enumerate(rules) if rule[0] != "-var"), len(rules))
            at = source.randint(first, len(rules))
            rules[at:at] = self._checked(more) if source.random() < 0.15 else more
        if source.random() < 0.3:
            rules += self._outputs()

    def _checked(self, rules: list[Option]) -> list[Option]:
        """The first as the check of a group."""
        then: list[Option] = [("-eval", "i1", "i1 + 1")] if self._source.random() < 0.7 else [("-filt", "f1 > 0")]
        return [("-if" + self._source.choice(["", "not"]), *rules[0]), *rules[1:], *then, ("-endif",)]

    def _new(self) -> str:
        self._made += 1
        return f"p{self._made}"

    def _map_fields(self) -> list[Option]:
        source, name = self._source, self._source.choice(_STRINGS)
        extracted = self._new()
        target = source.choice([f"S:{self._new()}", name])
        if source.random() < 0.4:
            attributes = source.choice([",rx", ",rx_extended", ",pcre", ",rx,ncas"])
            pattern, template = source.choice(_REGEXES), source.choice(["%%1%%-%%2%%", "<%%0%%>", "%%1%%"])
        else:
            attributes = source.choice(["", ",ncas"])
            pattern, template = source.choice(_PATTERNS).replace("{n}", extracted), f"<%%p_{extracted}:1:2%%>"
            template = source.choice([template, f"%%p_{extracted}%%"])
        if source.random() < 0.4:
            return [(f"-map{attributes}", name, pattern, template)]
        return [(f"-mapf{attributes}", name, pattern), ("-mapc", target, template)]

    def _substitute(self) -> list[Option]:
        columns = self._source.choice([(), ("from", "to"), ("to", "from"), ("X", "from", "to")])
        return [(f"-sub{self._source.choice(_SUB)}", self._source.choice(_STRINGS), "table.csv", *columns)]

    def _grep(self) -> list[Option]:
        columns = self._source.choice([("from", "X"), ("X", "from")])
        return [(f"-grep{self._source.choice(_GREP)}", self._source.choice(_STRINGS), "table.csv", *columns)]

    def _combine(self) -> list[Option]:
        source = self._source
        second = source.choice([f"S:{self._new()}", "S,cmb:s2", "S,cmb,trm:day", "X", "S:s2"])
        return [(f"-cmb{source.choice(_CMB)}", "table.csv", f"S{source.choice(['', ',key'])}:s1", second)]

    def _combine_numbers(self) -> list[Option]:
        """By keys of other types, one or several, from a file of another format."""
        source = self._source
        columns = [source.choice([spec, spec, "X"]) for spec in ("I:i1", "IS:is1", "F:f1", "IP:ip1")]
        columns = [spec.replace(":", ",cmb:") if source.random() < 0.15 else spec for spec in columns]
        text = source.choice([f"S:{self._new()}", "X", "S,lo,cmb:s2"])
        attributes = source.choice([",sep=;,+1,eok,qui", ",csv,sep=;,eok,qui", ",sep=;,+1,eok", ",sep=;,+1"])
        return [(f"-cmb{source.choice(_CMB)}{attributes}", "numbers.txt", *columns, text)]

    def _encode(self) -> list[Option]:
        source = self._source
        key = self._new()
        parts = source.sample(_NAMES, source.randint(1, 3))
        rules: list[Option] = [("-kenc", f"S:{key}", *parts)]
        if source.random() < 0.7:
            rules.append(("-kdec", key, *(self._decoded(part) for part in parts)))
        if source.random() < 0.1:
            rules.append(("-kdec", "s1", "S:", "I:"))
        return rules

    def _decoded(self, part: str) -> str:
        kind = self._source.choice([_TYPES[part]] * 9 + ["I"])
        name = self._source.choice([f"{kind}:{self._new()}", f"{kind}:", part])
        return name + self._source.choice(["", "", "+"])

    def _names(self) -> list[Option]:
        source = self._source
        if source.random() < 0.5:
            other = self._new()
            return [("-alias", source.choice(_NAMES), other), ("-filt", other)]
        old, new = self._new(), self._new()
        return [("-eval", f"S:{old}", "s1 + s2"), ("-renam", old, new), ("-eval", "s1", new)]

    def _module(self) -> list[Option]:
        if self._source.random() < 0.5:
            return [
                self._source.choice(
                    [("-pmod", f"own({self._source.randint(1, 5)})", "own.py"), ("-pmod", "gen", "gen.py")]
                )
            ]
        words = self._source.choice([f'unwrap_strv("{name}", ",", "{name}")' for name in _STRINGS])
        return [("-pmod", words)]

    def _top(self) -> list[Option]:
        return [("-top", str(self._source.choice([0, 1, 3, 10])))]

    def _cat(self) -> list[Option]:
        attributes = self._source.choice(["", ",eok", ",eok,qui", ",eok,+1"])
        return [
            (f"-cat{attributes}", "more.csv", *self._source.choice([("s:s1", "f:f1", "i:i1"), ("s:s2", "X", "S:x1")]))
        ]

    def _moving(self) -> list[Option]:
        rules: list[Option] = [("-eval", "vf", '"f2.csv"'), ("-endif",), ("-o,fvar", "vf", "-c", "s1", "i1")]
        return [("-var", "S:vf", '"f1.csv"'), ("-if", "-filt", "i1 > 2 && is1"), *rules]

    def _settings(self) -> list[Option]:
        """Settings for the rules that follow, or for all."""
        return [self._source.choice([("-rx", "pcre"), ("-rx", "rx_extended,ncas"), ("-seed", "7"), ("-seed", "0")])]

    def _outputs(self) -> list[Option]:
        source = self._source
        chosen = source.choice(
            [
                ("*",),
                ("^s1:new", "~f1"),
                ("~s2", "^f1:x+%.3f"),
                ("f1+%08.2e", "i1+<%x>", "is1:y+%+d"),
                ("s1,n=3", "i1,n=-6", "f1,n=4", "day,n=1"),
                tuple(source.sample(_NAMES, 3)),
            ]
        )
        attributes = source.choice(
            [",csv", ",notitle", ",jsn", ",fix", ",sep=\\x01", ",tsv,esc", ",fmt_g", ",csv,sep=;", ",app,esc"]
        )
        if source.random() < 0.2:
            attributes = source.choice(["", ",jsn", ",notitle,sep=;"])
            return [("-var", f"LS:{self._new()}", "7"), (f"-ovar{attributes}", "last.txt", "-c", "*")]
        return [(f"-o{attributes}", "last.txt", "-c", *chosen)]


_MAKERS: list[Callable[[CommandRules], list[Option]]] = [
    CommandRules._map_fields,
    CommandRules._map_fields,
    CommandRules._substitute,
    CommandRules._grep,
    CommandRules._combine,
    CommandRules._combine_numbers,
    CommandRules._settings,
    CommandRules._encode,
    CommandRules._names,
    CommandRules._module,
    CommandRules._top,
    CommandRules._cat,
    CommandRules._moving,
]
