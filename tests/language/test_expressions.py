"""The meaning of expressions, and messages about wrong ones."""

from __future__ import annotations

import pytest

from ess.errors import OptionError
from ess.language.checker import check_constant, check_expression, check_filter, fit
from ess.language.scope import Scope
from ess.language.tree import Constant, Not, ToFloat, ToInteger, ValueType
from ess.schema import ColumnType, parse_column


def scope_of(*specs: str) -> Scope:
    scope = Scope()
    for spec in specs:
        scope.add(parse_column(spec, where="-d"))
    return scope


COLUMNS = ("s:name", "i:count", "f:price", "ip:host", "s:Other")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 9),
        ("1 + (2 * 3)", 7),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7 / 2.0", 3.5),
        ("7.5 % 2", 1.5),
        ("10 - 2 - 3", 5),
        ("2 - -3", 5),
        ("-(2 + 3)", -5),
        ("6 & 3 | 8 ^ 1", 11),
        ("7.9 & 3", 3),
        ("9223372036854775807 + 1", -(2**63)),
        ("18446744073709551615", -1),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'a' + \"b\"", b"ab"),
        ("1 / 0.0", float("inf")),
        ("1.2.3.4", b"\x01\x02\x03\x04"),
        ("::1", b"\0" * 15 + b"\x01"),
        ("ToS(fe80::2)", b"fe80::2"),
        ("Eval(1 + 1) * 2", 4),
        ("SearchKey2('www.google.com', '/search?q=a+b')", b"a b"),
    ],
)
def test_constants(text: str, value: bytes | float) -> None:
    node = check_expression(text, Scope(), where="-eval")
    assert isinstance(node, Constant)
    assert node.value == value
    assert type(node.value) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\\ \" \b\f\n\r\t\v\0\x41"', b'\\ " \b\f\n\r\t\v\0A'),
        (r'"\q\x4"', rb"\q\x4"),
        ('"a\\\nb"', b"ab"),
        (r"'\n\''"[:-1], rb"\n\\"[:3]),
        ("""'a "b" c'" d 'e' f" """, b"a \"b\" c d 'e' f"),
        ("'a' 'b'", b"ab"),
        ("'\udcff\u00e9'", b"\xff\xc3\xa9"),
    ],
)
def test_string_constants(text: str, value: bytes) -> None:
    node = check_expression(text, Scope(), where="-eval")
    assert isinstance(node, Constant)
    assert node.value == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nam + 'x'", "unknown column 'nam', at character 1 of: nam + 'x'; did you mean 'name'?"),
        ("ToS(cuont)", "unknown column 'cuont', at character 5 of: ToS(cuont); did you mean 'count'?"),
        ("SLen(name)", "unknown function 'SLen', at character 1 of: SLen(name); did you mean SLeng()?"),
        ("KDec(name, name)", "unknown function 'KDec', at character 1 of: KDec(name, name); did you mean KeyDec()?"),
        (
            "KDec(name, 'nam;I:')",
            "unknown column 'nam', at character 12 of: KDec(name, 'nam;I:'); did you mean 'name'?",
        ),
        ("QryParmExt(name, 'x')", "unknown function 'QryParmExt', at character 1 of: QryParmExt(name, 'x'); did you"),
        ("SLeng", "function SLeng without arguments, at character 1 of: SLeng; write SLeng(...)"),
        ("name + 1", "'+' between string and integer, at character 6 of: name + 1; convert one side"),
        ("name - 'x'", "'-' between string and string, at character 6"),
        ("host + host", "'+' between IP address and IP address, at character 6 of: host + host; addresses can only"),
        ("count = 1", "unexpected '=', at character 7 of: count = 1; compare with '=='"),
        ("(count", "unexpected end of the expression where ')' should be, at character 7"),
        ("count count", "unexpected 'count', at character 7"),
        ("count +", "unexpected end of the expression where a value should be"),
        ("", "the expression is empty"),
        ("'abc", "string without closing ', at character 1"),
        ('name + "abc', 'string without closing ", at character 8'),
        ("12ab", "bad number '12ab', at character 1"),
        ("99999999999999999999", "does not fit into 64 bits"),
        ("1.2.3.400", "bad IP address '1.2.3.400'"),
        ("$RowNo", "unknown builtin variable '$RowNo', at character 1 of: $RowNo; known: $RowNum"),
        ("count ~== 1", "'~==' compares strings only"),
        ("1 < 2 < 3", "a second comparison, at character 7"),
        ("SLeng(1)", "argument Val of SLeng must be a string, not an integer, at character 7"),
        ("SLeng()", "function SLeng needs Val, at character 1 of: SLeng(); write SLeng(Val)"),
        ("SLeng(name, name)", "function SLeng takes fewer arguments, at character 13"),
        ("Min(1)", "function Min needs Val"),
        ("BegCmp(name, Other)", "argument BegStr of BegCmp must be a string constant, at character 14"),
        (
            "PatCmp(name, 'x', ncsa)",
            "PatCmp: unknown attribute 'ncsa', at character 19 of: PatCmp(name, 'x', ncsa); did",
        ),
        ("MixedCmp(name, 'x', TOP)", "MixedCmp: unknown attribute 'top'"),
        ("RxCmp(name, '(', pcre)", "RxCmp: bad regular expression: '(' without ')', at character 13"),
        ("RxCmp(name, 'a', pcre|rx)", "'rx' and 'pcre' are of different engines"),
        ("RxCmp(name, 'a', utf|never_utf)", "'utf' and 'never_utf' contradict each other"),
        ("RxRep(name, 'a', '%%1%%')", "RxRep: %%1%%, but the expression has 0 groups, at character 18"),
        ("RxMap(name, 'a', count, 'x')", "argument Col of RxMap cannot be a column of type I"),
        ("RxMap(name, 'a', 'x', 'x')", "argument Col of RxMap must be the name of a column"),
        ("DateToTime(name, '%Q')", "DateToTime: unknown date code '%Q', at character 18"),
        ("DateToTime(name, 'Y.Y')", "the date format gives the year twice"),
        ("IConv(name, 'utf8', 'klingon')", "unknown character set 'klingon', at character 21"),
        ("ClipStr(name, 'x')", "ClipStr: bad clip spec, at character 15"),
        ("KeyDec(name, 'Q')", "unknown column type 'Q'"),
        ("(" * 60 + "1" + ")" * 60, "more than 40 levels of parentheses"),
        ("+".join(["1"] * 500), "more than 400 operators in a row"),
        (
            "RowCount(x)",
            "there are no rows of 'x' to count, at character 1 of: RowCount(x); RowCount works in the",
        ),
        ("name == dec=1", "unexpected '='"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_expression(text, scope_of(*COLUMNS), where="-eval x")
    line = str(caught.value)
    assert line.startswith("-eval x: ")
    assert message in line
    assert "\n" not in line


def test_a_message_shows_a_part_of_a_long_expression() -> None:
    text = "count + " * 100 + "cuont" + " + count" * 100
    with pytest.raises(OptionError) as caught:
        check_expression(text, scope_of(*COLUMNS), where="-eval x")
    line = str(caught.value)
    assert "unknown column 'cuont', at character 801 of: ...count +" in line
    assert line.endswith("...; did you mean 'count'?")
    assert len(line) < 300


def test_names_have_no_case() -> None:
    scope = scope_of(*COLUMNS)
    assert check_expression("SLENG(NAME) + sleng(other) + $ROWNUM", scope, where="-eval").type is ValueType.INTEGER


@pytest.mark.parametrize(
    "text",
    [
        "name === other && name != '' && count >= 100",
        "!(name ~== other || count !& 4) || host == 1.2.3.4",
        "! name",
        "name !~== other",
        "count &= 6 && count !&= 1",
        "PatCmp(name, 'a*', 'ncas') || PatCmp(name, \"^H.*$\", \"ncas,rx\")",
        "RxCmp(name, '^[A-z]+$', pcre|ncas)",
        "Eval($Random % 100) == 0",
    ],
)
def test_filters_that_are_fine(text: str) -> None:
    assert check_filter(text, scope_of(*COLUMNS), where="-filt").type is ValueType.INTEGER


def test_negation_covers_the_comparison() -> None:
    node = check_filter("!count == 1", scope_of(*COLUMNS), where="-filt")
    assert isinstance(node, Not)


@pytest.mark.parametrize(
    ("text", "kind", "wrapper"),
    [("price", ColumnType.I, ToInteger), ("count", ColumnType.F, ToFloat)],
)
def test_numbers_fit_into_any_numeric_column(text: str, kind: ColumnType, wrapper: type) -> None:
    node = check_expression(text, scope_of(*COLUMNS), where="-eval")
    assert isinstance(fit(node, kind, where="-eval"), wrapper)


def test_a_string_does_not_fit_into_a_number() -> None:
    node = check_expression("name", scope_of(*COLUMNS), where="-eval")
    with pytest.raises(OptionError, match=r"cannot be stored in a column of type I; convert it with ToI\(\)"):
        fit(node, ColumnType.I, where="-eval i:x")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("-1", ColumnType.L, 2**64 - 1),
        ("-1", ColumnType.I, 2**32 - 1),
        ("-1", ColumnType.IS, -1),
        ("3", ColumnType.F, 3.0),
        ("2.9", ColumnType.LS, 2),
        ("'x'", ColumnType.S, b"x"),
        ("1.2.3.4", ColumnType.IP, b"\x01\x02\x03\x04"),
    ],
)
def test_variables_start_with_a_constant(text: str, kind: ColumnType, value: bytes | float) -> None:
    got = check_constant(text, kind, where="-var")
    assert got == value
    assert type(got) is type(value)


def test_an_unquoted_string_constant_says_how_to_quote_it() -> None:
    with pytest.raises(OptionError, match=r"'first\.csv' is not a string constant; quote it once more"):
        check_constant("first.csv", ColumnType.S, where="-var")


class TestScope:
    def test_a_name_cannot_be_defined_twice(self) -> None:
        with pytest.raises(OptionError, match="column 'NAME' is defined already"):
            scope_of("s:name", "s:NAME")

    def test_an_alias_means_the_same_slot(self) -> None:
        scope = scope_of("s:name")
        assert scope.alias("Name", "Other") == scope.find("OTHER") == scope.find("name")
        assert [name for name, _ in scope.names()] == ["name", "Other"]

    def test_a_renamed_column_keeps_its_key_and_frees_its_name(self) -> None:
        scope = scope_of("s:name", "i:count")
        scope.rename("name", "Title")
        fresh = scope.add(parse_column("f:Name", where="-eval"))
        assert [slot.name for slot in scope.columns()] == ["Title", "count", "Name"]
        assert len({slot.key for slot in scope.columns()}) == 3
        assert scope.find("name") == fresh

    def test_renaming_an_alias_keeps_the_column(self) -> None:
        scope = scope_of("s:name")
        scope.alias("name", "other")
        scope.rename("other", "third")
        assert scope.find("other") is None
        assert scope.find("third") == scope.find("name")

    def test_an_unknown_name_lists_what_there_is(self) -> None:
        with pytest.raises(OptionError, match="unknown column 'zzz'; known: name, count"):
            scope_of("s:name", "i:count").get("zzz", where="-c")


def test_the_older_way_to_decode_a_key() -> None:
    scope = scope_of(*COLUMNS)
    today = check_expression("KeyDec(name, Other, 'I', price)", scope, where="-eval")
    assert check_expression("KDec(name, 'Other;I:;price')", scope, where="-eval") == today
