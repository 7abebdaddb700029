"""Random rule chains, written as a user would write them.

Functions come from the language's own table, so a new function is tried without a change here.
"""

from __future__ import annotations

import random

from ess.errors import OptionError
from ess.language.function import Form, Function, Parameter
from ess.language.functions import FUNCTIONS
from ess.language.tree import ValueType
from ess.schema import ColumnType
from tests.differential.chain import Option, build_program
from tests.differential.data import COLUMNS

_KINDS = {
    "S": ValueType.STRING,
    "F": ValueType.FLOAT,
    "L": ValueType.INTEGER,
    "LS": ValueType.INTEGER,
    "I": ValueType.INTEGER,
    "IS": ValueType.INTEGER,
    "IP": ValueType.IP,
}
_INTEGERS = ["0", "1", "2", "3", "-1", "7", "10", "60", "255", "2147483648", "4294967296", "9223372036854775807"]
_FLOATS = ["0.0", "1.0", "0.5", "-0.5", "2.5", "1e3", "0.1", "1e19"]
_STRINGS = [
    '""',
    '"a"',
    '"A"',
    '"abc"',
    '"b"',
    '"\\xff"',
    '"\\0"',
    '" "',
    '"\\xe6\\x9d\\xb1"',
    '"12"',
    "'items'",
    '"."',
]
_ADDRESSES = ["0.0.0.0", "1.2.3.4", "255.255.255.255"]
#: String constants that a parameter of that name takes.
_CONSTANTS = {
    "DateFmt": [
        *('"Y.m.d.H.M.S"', '"%Y.%m.%d"', '"Y.m.d"', '"%Y.%m.%d.%H.%M"', '"Y.m.d.H.M.S.p"', '"%Y-%m-%d %H:%M:%S"'),
        *('"%Y.%m.%d.%H.%M.%S3"', '"%Y.%m.%d.%H.%M.%S9.%z"', '"d.b.Y.H.M.S.z"', '"%b %d %Y %I:%M%p"', '"%d%%%j %a"'),
    ],
    "ClipSpec": ["'2>'", "'1>-'", "'1->-'", "'!1< '", "'2<'", "'1>.;2<'"],
    "Pattern": ["'a*'", "'*b*'", "'?b?'", "'*'", "''", "'*\\\\**'"],
    "SubStrs": ['"a,\\nb"', '"abc"', '"\\xff,\\r\\nA"'],
    "FromCodes": ['"utf8"', '"sjis;euc-jp;."', '"utf8,eok;latin1"', '"latin1"', '"utf8;-"', '"euc-jp,eok"', '"utf-16"'],
    "ToCode": ['"utf8"', '"sjis"', '"latin1"', '"UTF-16LE"'],
    "KeyName": ['"k1"', '"K 1"', '""', '"a"'],
}
_CONSTANTS["Pattern"] += [
    "'[a-c]+'",
    "'^$'",
    "'^(a|b)*c'",
    "'\\(b\\)\\1'",
    "'[[:upper:]]'",
    "'x{2}'",
    "'\\xff'",
    "'.\n'",
]
_CONSTANTS["MapFrom"] = _CONSTANTS["RepFrom"] = [
    *("'a'", "'\\(a\\)\\(.*\\)'", "'(a)(.*)'", "'b*'", "'^[^0-9]*'", "' *$'", "'([0-9]+)-([0-9]+)'", "'(?<n>a|\\xff)'"),
]
_CONSTANTS["MapTo"] = _CONSTANTS["RepTo"] = ["'%%0%%'", "'<%%1%%>'", "'%%2%%-%%1%%'", "''", "'\\%'", "'x'"]
#: Values of attribute words that take one.
_WORD_VALUES = {"beg=": ["beg=?", "beg=a"], "dec=": ["dec=0", "dec=1", "dec=2"], "trm=": ["trm=a", "trm= "]}
_COMPARISONS = ["==", "!=", "<", ">", "<=", ">="]
_STRING_COMPARISONS = [*_COMPARISONS, "~==", "!~=", "~<", "~>", "~<=", "~>="]
_BIT_COMPARISONS = ["&=", "!&=", "&", "!&"]


class Generator:
    """Writes one chain.

    Args:
        source: Where all choices come from.
        stateful: Whether variables are set and -quit is used.
    """

    def __init__(self, source: random.Random, *, stateful: bool) -> None:
        self.source = source
        self.stateful = stateful
        self.names: dict[ValueType, list[str]] = {kind: [] for kind in ValueType}
        for key, kind in COLUMNS:
            self.names[_KINDS[kind.value]].append(key)
        self.variables: list[tuple[str, ValueType]] = []
        self.initial: dict[str, str] = {}
        self.created: list[tuple[str, ValueType]] = []
        self.sinks = 0

    def chain(self, length: int) -> list[Option]:
        """``length`` rules, groups counted as one."""
        options: list[Option] = []
        for _ in range(self.source.choice([0, 0, 1, 2]) if self.stateful else self.source.choice([0, 0, 0, 1])):
            options.append(self._variable())
        for _ in range(length):
            options += self._rule(depth=0)
        return [option for option in options if option]

    def _variable(self) -> Option:
        letters = self.source.choice(["S", "F", "L", "LS", "I", "IS"])
        kind = _KINDS[letters]
        constants = {ValueType.STRING: _STRINGS, ValueType.FLOAT: _FLOATS, ValueType.INTEGER: _INTEGERS}[kind]
        name = f"v{len(self.variables) + 1}"
        self.variables.append((name, kind))
        self.names[kind].append(name)
        self.initial[name] = self.source.choice(constants)
        return ("-var", f"{letters}:{name}", self.initial[name])

    def _rule(self, depth: int) -> list[Option]:
        roll = self.source.random()
        if self.variables and self.stateful and roll < 0.25:
            return self._running(depth)
        if roll < 0.5:
            return [self._evaluate()]
        if roll < 0.65:
            return [("-filt", self.condition(2))]
        if roll < 0.75:
            return [self._write()]
        if roll < 0.78:
            return [self.source.choice([("-true",), ("-false",), ("-skip",)])] if depth else [("-true",)]
        if roll < 0.80 and self.stateful:
            return [self.source.choice([("-quit",), ("-quitafter",)])] if depth else []
        if depth < 2:
            return self._group(depth)
        return [self._evaluate()]

    def _evaluate(self) -> Option:
        roll = self.source.random()
        if roll < 0.08:
            return ("-eval", "-", self.expression(self.source.choice(list(ValueType)), 2))
        numbers: list[tuple[str, ValueType]] = [
            (n, kind) for n, kind in self.variables if kind in (ValueType.INTEGER, ValueType.FLOAT)
        ]
        if numbers and roll < 0.3:
            name, kind = self.source.choice(numbers)
            return ("-eval", name, f"{name} {self.source.choice('++-')} ({self.expression(kind, 1)})")
        if roll < 0.55:
            letters = self.source.choice(list(_KINDS))
            kind = _KINDS[letters]
            name = f"n{len(self.created) + 1}"
            option = ("-eval", f"{letters}:{name}", self.expression(self._stored_kind(kind), 3))
            self.created.append((name, kind))
            self.names[kind].append(name)
            return option
        columns = [(key, _KINDS[kind.value]) for key, kind in COLUMNS]
        if self.stateful:
            columns += self.variables * 3
        name, kind = self.source.choice([*columns, *self.created])
        text = self.expression(self._stored_kind(kind), 3)
        if kind is ValueType.STRING and (name, kind) in self.variables:
            text = f"SubStr({text}, 0, 20)"  # v + v, row after row, would fill the memory
        return ("-eval", name, text)

    def _running(self, depth: int) -> list[Option]:
        """One of the ways of setting a variable that become columns, or nearly one."""
        name, kind = self.source.choice(self.variables)
        text = self.expression(kind, 1)
        roll = self.source.random()
        if roll < 0.2 and kind in (ValueType.INTEGER, ValueType.FLOAT):
            arguments = self.source.sample([name, text], 2)
            return [("-eval", name, f"{self.source.choice(['Min', 'Max'])}({', '.join(arguments)})")]
        check = f"{name} == {self.initial[name]}"
        if roll < 0.5:
            sides = self.source.sample([name, text], 2)
            check = f"{sides[0]} {self.source.choice(['<', '>', '<=', '>='])} {sides[1]}"
        elif roll < 0.7:
            return [("-eval", name, text)]
        elif roll < 0.8:
            check = self.condition(1)
        options: list[Option] = [("-if", "-filt", check), ("-eval", name, text), *self._body(depth + 1)]
        if self.source.random() < 0.3:
            options += [("-else",), ("-eval", name, self.expression(kind, 1)), *self._body(depth + 1)]
        return [*options, ("-endif",)]

    def _stored_kind(self, kind: ValueType) -> ValueType:
        if kind in (ValueType.INTEGER, ValueType.FLOAT) and self.source.random() < 0.3:
            return self.source.choice([ValueType.INTEGER, ValueType.FLOAT])
        return kind

    def _write(self) -> Option:
        self.sinks += 1
        names = [key for key, _ in COLUMNS] + [name for name, _ in self.created + self.variables]
        chosen = self.source.sample(names, self.source.randint(1, 3))
        return ("-o", str(self.sinks), *chosen)

    def _group(self, depth: int) -> list[Option]:
        suffix = self.source.choice(["", "", "not"])
        options: list[Option] = [(f"-if{suffix}", *self._check())]
        options += self._body(depth)
        for _ in range(self.source.choice([0, 0, 1, 2])):
            options.append((f"-elif{self.source.choice(['', 'not'])}", *self._check()))
            options += self._body(depth)
        if self.source.random() < 0.5:
            options.append(("-else",))
            options += self._body(depth)
        return [*options, ("-endif",)]

    def _check(self) -> Option:
        roll = self.source.random()
        if roll < 0.85:
            return ("-filt", self.condition(2))
        if roll < 0.92:
            return self.source.choice([("-true",), ("-false",)])
        return self._evaluate()

    def _body(self, depth: int) -> list[Option]:
        return [option for _ in range(self.source.randint(0, 3)) for option in self._rule(depth + 1)]

    def condition(self, depth: int) -> str:
        """A filter's text."""
        roll = self.source.random()
        if depth > 0 and roll < 0.3:
            joint = self.source.choice(["&&", "||"])
            return f"{self._grouped(depth - 1)} {joint} {self._grouped(depth - 1)}"
        if depth > 0 and roll < 0.4:
            return f"!({self.condition(depth - 1)})"
        if roll < 0.5:
            return self.expression(self.source.choice(list(ValueType)), 1)
        kind = self.source.choice(
            [ValueType.STRING, ValueType.INTEGER, ValueType.FLOAT, ValueType.INTEGER, ValueType.IP]
        )
        operators = _STRING_COMPARISONS if kind is ValueType.STRING else _COMPARISONS
        if kind is ValueType.INTEGER and self.source.random() < 0.25:
            operators = _BIT_COMPARISONS
        return f"{self.expression(kind, 1)} {self.source.choice(operators)} {self.expression(kind, 1)}"

    def _grouped(self, depth: int) -> str:
        text = self.condition(depth)
        return f"({text})" if self.source.random() < 0.7 else text

    def expression(self, kind: ValueType, depth: int) -> str:
        """The text of a value of ``kind``."""
        roll = self.source.random()
        if depth <= 0 or roll < 0.2:
            return self._leaf(kind)
        if roll < 0.6:
            call = self._call(kind, depth)
            if call:
                return call
        if kind is ValueType.STRING:
            return f"{self.expression(kind, depth - 1)} + {self.expression(kind, depth - 1)}"
        if kind is ValueType.IP:
            return self._leaf(kind)
        left = self.expression(kind, depth - 1)
        if kind is ValueType.FLOAT and self.source.random() < 0.3:
            right = self.expression(ValueType.INTEGER, depth - 1)
        else:
            right = self.expression(kind, depth - 1)
        operators = "+-*/%&|^" if kind is ValueType.INTEGER else "+-*/%"
        if kind is ValueType.INTEGER and self.source.random() < 0.15:
            return f"({self.condition(1)})"
        return f"({left}) {self.source.choice(operators)} ({right})"

    def _leaf(self, kind: ValueType) -> str:
        if kind is ValueType.INTEGER and self.source.random() < 0.08:
            return self.source.choice(["$RowNum", "$Random"])
        if self.source.random() < 0.7:
            return self.source.choice(self.names[kind])
        return self.source.choice(
            {
                ValueType.STRING: _STRINGS,
                ValueType.INTEGER: _INTEGERS,
                ValueType.FLOAT: _FLOATS,
                ValueType.IP: _ADDRESSES,
            }[kind]
        )

    def _call(self, kind: ValueType, depth: int) -> str:
        fitting = [f for f in FUNCTIONS.values() if self._gives(f, kind) and not f.only_in]
        if not fitting:
            return ""
        function = self.source.choice(fitting)
        parameters = [p for p in function.parameters if not p.optional or self.source.random() < 0.5]
        for _ in range(self.source.randint(function.at_least, function.at_least + 1) if function.repeated else 0):
            parameters += [p for p in function.repeated if not p.optional or self.source.random() < 0.5]
        parameters += [p for p in function.trailing if not p.optional or self.source.random() < 0.5]
        arguments = [self._argument(parameter, depth) for parameter in parameters]
        return f"{function.name}({', '.join(arguments)})"

    def _gives(self, function: Function, kind: ValueType) -> bool:
        if isinstance(function.result, ValueType):
            return function.result is kind
        return kind in (ValueType.INTEGER, ValueType.FLOAT)

    def _argument(self, parameter: Parameter, depth: int) -> str:
        if parameter.form is Form.VALUE:
            return self.expression(self.source.choice(sorted(parameter.types, key=lambda t: t.value)), depth - 1)
        if parameter.form is Form.CONSTANT:
            return self.source.choice(_CONSTANTS.get(parameter.name, _STRINGS))
        if parameter.form is Form.TARGET:
            names = [name for kind in sorted(parameter.types, key=lambda t: t.value) for name in self._settable(kind)]
            return self.source.choice(names)
        if parameter.form is Form.TARGET_OR_TYPE:
            return self.source.choice(['"S"', '"I"', "s1", "i1"])
        words = sorted(parameter.words)
        chosen = self.source.sample(words, min(len(words), 1 if parameter.form is Form.WORD else 2))
        return "|".join(self.source.choice(_WORD_VALUES.get(word, [word])) for word in chosen) or '""'

    def _settable(self, kind: ValueType) -> list[str]:
        variables = {name for name, _ in self.variables}
        return [name for name in self.names[kind] if self.stateful or name not in variables]


def generate_chain(source: random.Random) -> list[Option]:
    """A chain that the language accepts; rules it does not accept are left out."""
    while True:
        generator = Generator(source, stateful=source.random() < 0.25)
        options = generator.chain(source.choice([1, 1, 2, 3, 5]))
        if options and accepted(options):
            return options


def accepted(options: list[Option]) -> bool:
    """True if the language accepts the chain."""
    try:
        build_program(options)
    except (OptionError, ValueError):
        return False
    return True


__all__ = ["ColumnType", "Generator", "accepted", "generate_chain"]
