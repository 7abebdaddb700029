"""Guessing how records are laid out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.formats.dialect import find_dialect
from ess.formats.titles import CATEGORY, LOGINF, Naming
from ess.formats.value_forms import is_taken
from ess.schema import ColumnType, parse_column, valid_name

BROWSE = b"eventDate,userID,articleID\r\n2014-09-01T00:00:02,4084,23\r\n2014-09-01T00:00:05,2577,TBD\r\n"


def columns(*samples: bytes) -> str:
    return " ".join(find_dialect(samples).columns)


def test_the_tutorial_data() -> None:
    found = find_dialect([BROWSE])
    assert (found.format, found.delimiter, found.header) == ("text", ",", True)
    assert found.columns == ("S:eventDate", "I:userID", "S:articleID")
    assert found.lines[1] == "2014-09-01T00:00:02,4084,23"


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";", "\x01"])
def test_delimiters(delimiter: str) -> None:
    data = delimiter.join(["day", "who", "sum"]) + "\n" + "\n".join(delimiter.join(["1", "a b", "2.5"]) for _ in "abc")
    found = find_dialect([data.encode() + b"\n"])
    assert (found.delimiter, found.columns) == (delimiter, ("I:day", "S:who", "F:sum"))


def test_types_are_careful() -> None:
    rows = b"a,b,c,d,e,f,g,h,i\n1,-1,5000000000,-5000000000,1.5,10.0.0.1,02139,+3,\n,,,,3,,,,\n"
    assert columns(rows) == "I:a IS:b L:c LS:d F:e IP:f S:g I:h S:i"
    assert columns(b"a,b\n1,10.0.0.1\n2,x\n3,::1\n") == "I:a S:b"
    assert columns(b"a,b\n1,3000000000\n2,99999999999999999999\n") == "I:a S:b"


def test_dirt_in_any_sample_makes_a_string() -> None:
    assert columns(b"a,b\n1,2\n", b"a,b\n1,2\n") == "I:a I:b"
    assert columns(b"a,b\n1,2\n", b"a,b\n1,TBD\n") == "I:a S:b"


def test_a_little_dirt_is_remarked_on() -> None:
    rows = b"a,b\n" + b"1,2\n" * 9 + b"1,TBD\n"
    found = find_dialect([rows])
    assert found.columns == ("I:a", "S:b")
    assert str(found.remarks[0]).startswith("b: 10 % of the sampled values, such as 'TBD', are not numbers")
    assert find_dialect([b"a,b\n1,x\n2,y\n3,4\n"]).remarks == ()


def test_long_identifiers_keep_their_digits() -> None:
    assert columns(b"a,b\n1.5,1\n123456789012345678,1\n") == "S:a I:b"
    assert columns(b"a,b\n123456789012345678901234,1\n") == "S:a I:b"


def test_short_and_long_records_do_not_count() -> None:
    assert columns(b"a,b\n1,2\nx\n3,4\ny,y,y\n5,6\n7,8\n9,10\n") == "I:a I:b"


def test_data_without_a_header() -> None:
    found = find_dialect([b"2014-09-01,7\n2014-09-02,8\n"])
    assert (found.header, found.columns) == (False, ("S:col_1", "I:col_2"))
    assert not find_dialect([b"bob,paris\nann,rome\nbob,rome\n"]).header
    assert find_dialect([b"name,city\nbob,paris\nann,rome\n"]).header
    assert find_dialect([b"name,city\n"]).header


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        ("h1,h2?", "h1 h2"),
        ("Siblings/Spouses Aboard,% of all", "Siblings_Spouses_Aboard of_all"),
        ("#,Price (USD)", "col_1 Price_USD"),
        ("1st,naïve", "_1st na_ve"),
        (",b", "col_1 b"),
    ],
)
def test_titles_may_have_any_characters(titles: str, names: str) -> None:
    found = find_dialect([f"{titles}\n1,x\n2,y\n".encode("latin-1")])
    assert found.header
    assert [spec.partition(":")[2] for spec in found.columns] == names.split()


@pytest.mark.parametrize(
    "first", ["7,n", "2014,n", "-,n", "2014-09-01,n", "10.0.0.1,n", "\x02a,n", "TBD,n", "(null),n", "\\N,n"]
)
def test_what_is_a_value_or_no_word_is_no_title(first: str) -> None:
    assert not find_dialect([f"{first}\n1,x\n2,y\n".encode()]).header


def test_titles_among_text_are_words() -> None:
    assert find_dialect([b"Who?,Town/City\nbob,paris\nann,rome\n"]).columns == ("S:Who", "S:Town_City")
    assert not find_dialect([b"http://x/a,x\nhttp://x/b,y\n"]).header


def test_quotes_hold_delimiters_and_line_ends() -> None:
    found = find_dialect([b'name,note\n"a, b","line\nline"\n"c","say ""x"""\n'])
    assert (found.delimiter, found.columns) == (",", ("S:name", "S:note"))


def test_a_stray_quote_costs_one_record() -> None:
    rows = b"".join(b"%d,%d\n" % (n, n) for n in range(100))
    assert columns(b'a,b\n"1,2\n' + rows) == "I:a I:b"


def test_log_lines_are_split_at_spaces_and_prose_is_not() -> None:
    line = b'10.0.0.1 - - [05/Oct/2014:03:24:27 -0700] "GET / HTTP/1.0" 301 17 "-" "Mozilla (x y)"\n'
    found = find_dialect([line * 20], by_name=False)
    assert (found.delimiter, len(found.columns), found.columns[0]) == (" ", 10, "IP:col_1")
    prose = b"It was the best of times,\nit was the worst of times, it was\nthe age: of wisdom.\n" * 9
    assert find_dialect([prose]).columns == ("S:col_1",)


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b'{"a": 1}\n{"a": 2}\n', "json"),
        (b'{\n "a": 1}', "json"),
        (b"<?xml version='1.0'?><a/>", "xml"),
        (bytes(range(32)) * 20, "binary"),
        (b"{a},{b}\n", "text"),
    ],
)
def test_formats(sample: bytes, kind: str) -> None:
    found = find_dialect([sample])
    assert found.format == kind
    assert bool(found.columns) == (kind in ("text", "json"))
    assert ("no columns were found" in found.doubt) == (kind not in ("text", "json"))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('{"a": 1}\n{"a": 2.5, "b": "x"}\n', "F:a:a S:b:b"),
        ('{"a": -1, "b": 5000000000, "c": true, "d": null}\n', "IS:a:a L:b:b S:c:c S:d:d"),
        ('{"a": 1}\n{"a": "x"}\n{"a": null}\n', "S:a:a"),
        ('{"id": "007", "ip": "192.0.2.1", "n": "7"}\n', "S:id:id IP:ip:ip S:n:n"),
        ('{"a": {"b": {"c": 1}, "d": {}}, "e": [1]}\n', "I:a_b_c:a.b.c S:a_d:a.d S:e:e"),
        ('{"a-b": 1, "A b": 2, "c.d": 3, "": 4}\n', "I:a_b:a-b"),
        ('{"a": "\u2013", "b": "\u65e5", "c": "\\ud83d", "d": "\\ud83d\\ude00"}\n', "S:a:a S:b:b S:c:c S:d:d"),
        ('{\n "a": 1,\n "b": {"c": 2}\n}\n{"a": 3}{"d": 4}\n', "I:a:a I:b_c:b.c I:d:d"),
        ('{"a": 1}\nno json\n{"b": 2}\n{"c": "cut', "I:a:a I:b:b"),
        ('[{"a": 1}, {"b": {"c": 2}}]', "I:a:[*].a I:b_c:[*].b.c"),
        ('{"Records": [{"a": 1}, {"a": 2}]}', "I:Records_a:Records[*].a"),
        ('{"é": 1}', "I:col_1:é"),
        ("[1, 2]", ""),
    ],
)
def test_columns_of_json(text: str, columns: str) -> None:
    found = find_dialect([text.encode()])
    assert (found.format, found.known, " ".join(found.columns)) == ("json", "jsn" if columns else "", columns)
    assert ("no columns were found" in found.doubt) == (not columns)
    assert find_dialect([text.encode()], by_name=False).columns == ()


def test_json_with_other_bytes_than_utf_8_and_odd_keys() -> None:
    found = find_dialect([b'{"a":"\xff","b c":1,"x":{"y.z":2,"w":3}}\n'])
    assert found.columns == ("S:a:a", "I:x_w:x.w")
    assert found.notes == ("no column spec can hold the names of these keys, which are left out: 'b c', 'x.y.z'",)


def test_a_byte_order_mark_is_not_part_of_a_name() -> None:
    assert columns(b"\xef\xbb\xbfa,b\n1,2\n") == "I:a I:b"


@pytest.mark.parametrize("naming", [CATEGORY, LOGINF])
@given(st.lists(st.text(max_size=40), max_size=20))
def test_column_names_are_valid_and_unique(naming: Naming, labels: list[str]) -> None:
    names = naming.names(labels)
    assert len({name.lower() for name in names}) == len(labels)
    assert all(valid_name(name) for name in names)


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_any_bytes_have_a_dialect_with_valid_columns(samples: list[bytes]) -> None:
    found = find_dialect(samples)
    for spec in found.columns:
        assert parse_column(spec, where="test").wanted


ACCESS = '10.0.0.{n} - - [05/Oct/2014:03:24:27 -0700] "GET /a;b,c HTTP/1.0" 301 17 "-" "{agent}"\n'


@pytest.mark.parametrize("agent", ["Mozilla/5.0 (X; y)", "a; b, c | d", r"Moz (X; \"y\")", r"\"a; b\" c"])
def test_what_stands_only_inside_quotes_is_no_delimiter(agent: str) -> None:
    lines = "".join(ACCESS.format(n=n, agent=agent) for n in range(1, 60))
    found = find_dialect([lines.encode()], by_name=False)
    assert (found.delimiter, found.columns[0]) == (" ", "IP:col_1")
    assert found.doubt == ""
    assert any("the column attribute clf" in note for note in found.notes) == ("\\" in agent)
    assert [spec.startswith("S,clf:") for spec in found.columns] == [
        "\\" in agent and number in (6, 9, 10) for number in range(1, 11)
    ]
    quoted = "".join(f'"a{n}; b","{n}; c"\n' for n in range(20))
    assert find_dialect([quoted.encode()]).delimiter == ","
    assert find_dialect([b'"a; b"\n"c; d"\n' * 9]).delimiter == ""
    assert find_dialect([rb'"C:\",7' b"\n" rb'"D:\",8' b"\n"]).columns == ("S:col_1", "I:col_2")


def test_a_guess_is_told() -> None:
    sure = find_dialect([b"1;2;3\n" * 19 + b"4\n"])
    assert (sure.delimiter, sure.doubt) == (";", "")
    guess = find_dialect([b"1;2;3\n" * 15 + b"4;5\n" * 5])
    assert guess.delimiter == ";"
    assert guess.doubt.startswith("the delimiter is a guess: divided by ';', 75 % of the sampled lines")
    none = find_dialect([b"1\x01b2\x013\n" * 12 + b"4\n" * 8])
    assert none.delimiter == ""
    assert "no delimiter was found" in none.doubt
    assert "'\\x01'" in none.doubt
    assert "--delimiter" in none.doubt
    assert find_dialect([b"1;2;3\n" * 15 + b"4;5\n" * 5], delimiter=";").doubt == ""


@pytest.mark.parametrize(
    ("line", "delimiter", "width"),
    [
        ("{n}|ann|a,b", "|", 3),
        ("{n}|ann|a,b,c,d,e", ",", 5),
        ("{n};1,5;2,5", ";", 3),
        ("{n}\tNov 30 at 12:00:00\t1.5,2.5", "\t", 3),
        ("{n},2026-11-30 10:00:0{n}", ",", 2),
        ("{n},Mon Nov 30 12:00:0{n} 2026", ",", 2),
        ("ann,Mon Nov 30 12:00:0{n} 2026", ",", 2),
        ("2026-11-30 10:00:0{n} 203.0.113.{n} /p{n}.aspx Mozilla/5.0+(KHTML,+like+Gecko) 200 {n}", " ", 7),
        ("10:00:0{n} 200", " ", 2),
        ("user{n}:x:{n}:{n}:First Last:/home/u{n}:/bin/sh", ":", 7),
    ],
)
def test_the_delimiter_that_makes_most_columns_wins(line: str, delimiter: str, width: int) -> None:
    found = find_dialect(["".join(line.format(n=n) + "\n" for n in range(1, 9)).encode()])
    assert (found.delimiter, len(found.columns), found.doubt) == (delimiter, width, "")


def test_colons_of_times_are_no_delimiter() -> None:
    line = "Mar 12 10:15:0{n} host sshd[{n}]: Accepted password for u{n} from 1.2.3.{n} port {n}"
    lines = "".join(line.format(n=n) + " x" * (n % 3) + "\n" for n in range(1, 9))
    assert find_dialect([lines.encode()], by_name=False).columns == ("S:col_1",)
    assert find_dialect([b"a:1:x y\nb:2:z\n" * 3]).delimiter == ":"


def test_escaped_quotes_need_an_attribute() -> None:
    found = find_dialect([b'id,note\n1,"a, \\"b\\" c"\n2,"x, y"\n3,z\n'])
    assert found.delimiter == ","
    assert "with the attribute esc" in found.notes[0]
    assert find_dialect([b'1,"C:\\"\n2,"D:\\"\n']).notes == ()


def test_comments_are_no_records() -> None:
    rows = b"".join(b"2026-11-12\t06:00:0%d\tMozilla/5.0%%20(KHTML,%%20like)\t%d\n" % (n, n) for n in range(9))
    found = find_dialect([b"#Version: 1.0\n#Fields: date time cs(User-Agent) sc-bytes\n" + rows], by_name=False)
    assert (found.delimiter, found.columns) == ("\t", ("S:col_1", "S:col_2", "S:col_3", "I:col_4"))
    assert found.notes == ("the first 2 lines begin with '#' and are no records; skip them in a command: -f,+2",)
    titled = find_dialect([b"# by hand\nid,name\n1,ann\n2,bob\n"])
    assert titled.columns == ("I:id", "S:name")
    assert titled.notes[0].endswith("-f,+2")
    assert find_dialect([b"#id,name\n1,ann\n2,bob\n"]).notes == ()
    between = find_dialect([b"1,ann\n# by hand\n2,bob\n"])
    assert between.columns == ("I:col_1", "S:col_2")
    assert "-f,eok" in between.notes[0]


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        ("0 10 20 - 40", "I:v"),
        ("1.5 - 2", "F:v"),
        ("- - - - - - 5", "S:v"),
        ("- -", "S:v"),
        ("+5 7", "I:v"),
        ("-5 +7", "IS:v"),
        ("1.5 nan INF", "F:v"),
        ("nan inf", "S:v"),
        ("02139 10115 01001", "S:v"),
        ("10.0.0.1 -", "IP:v"),
    ],
)
def test_types_are_those_that_the_reader_takes(values: str, spec: str) -> None:
    found = find_dialect([("k,v\n" + "".join(f"x,{value}\n" for value in values.split())).encode()])
    assert found.columns == ("S:k", spec)
    for remark in found.remarks:
        assert not is_taken(remark.example.encode(), ColumnType[remark.type])


def test_leading_zeros_are_not_called_rejected() -> None:
    found = find_dialect([b"k,v\n" + b"x,7\n" * 19 + b"x,01\n"])
    assert found.columns == ("S:k", "S:v")
    assert str(found.remarks[0]).startswith("v: 5 % of the sampled values, such as '01', have leading zeros")
    assert "rejected" not in str(found.remarks[0])


def test_json_behind_a_byte_order_mark_is_json() -> None:
    assert find_dialect([b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n']).format == "json"


def test_samples_that_begin_otherwise_are_told() -> None:
    first = b"ts,user\n11,ann\n12,bob\n"
    found = find_dialect([first, b"user,ts\nann,1\nbob,2\n", b"13,zoe\n14,eva\n", first])
    assert found.columns == ("I:ts", "S:user")
    assert found.differing == ((1, ("user", "ts")), (2, ("13", "zoe")))
    assert find_dialect([b"11,ann\n12,bob\n", first]).differing == ((1, ("ts", "user")),)
