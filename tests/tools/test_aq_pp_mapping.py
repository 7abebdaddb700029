"""``-mapf``, ``-mapc`` and ``-map`` in a chain."""

from __future__ import annotations

import pytest

from tests.tools.outcome import Tool


def test_parts_of_several_columns_make_a_new_one(pp: Tool) -> None:
    done = pp(
        *("-d", "s:a", "s:b", "-mapf", "a", "%%x%%-%%y%%", "-mapf", "b", "%%z:@n%%", "-mapc", "s:c", "%%z%%%%y%%%%x%%"),
        stdin="1-2,3\nno,4\n5-6,no\n",
    )
    assert done.out == '"a","b","c"\n"1-2","3","321"\n"no","4","4"\n"5-6","no","65"\n'


def test_groups_of_regular_expressions_are_numbered_on(pp: Tool) -> None:
    done = pp(
        *("-d", "s:a", "s:b", "-mapf,rx", "a", r"\(.*\)-\(.*\)", "-mapf,pcre", "b", "(.)(?<last>.)$"),
        *("-mapc", "s:c", "%%2%%,%%0%%,%%3%%,%%4%%,%%last%%", "-c", "c"),
        stdin="x-y,abc\n",
    )
    assert done.out == '"c"\n"y,x-y,bc,b,c"\n'


def test_names_of_variables_compare_without_regard_to_case(pp: Tool) -> None:
    done = pp(
        *(
            "-d",
            "s:a",
            "-mapf",
            "a",
            "%%YEAR:@n:4-4%%%*",
            "-mapf,pcre",
            "a",
            "-(?<Month>..)",
            "-map",
            "a",
            "%%D%%",
            "<%%d%%>",
        ),
        *("-mapc", "s:b", "%%year%%.%%MONTH%%", "-eval", "s:c", '""'),
        *("-eval", "-", """RxMap(a, '(?<Day>..)>$', c, '%%DAY%%', pcre)"""),
        stdin="2014-09-15\n",
    )
    assert done.out == '"a","b","c"\n"<2014-09-15>","2014.09","15"\n'


def test_an_expression_extracts_with_the_pattern_of_mapf(pp: Tool) -> None:
    done = pp(
        *("-d", "s:a", "-eval", "s:year", '""', "-eval", "s:day", '"none"'),
        *("-eval", "i:found", "PatMap(a, '%%Y:@n:4-4%%-%*-%%d%%', year, '%%y%%', day, 'day %%D%%')"),
        *("-filt", "PatMap(a, 'Z%*', ncas) == 0"),
        stdin="2014-09-15\nx\nzz\n",
    )
    assert done.out == '"a","year","day","found"\n"2014-09-15","2014","day 15",1\n"x",,"none",0\n'


def test_map_rewrites_what_matches(pp: Tool) -> None:
    argv = ("-d", "s:a", "-map,ncas", "a", "from=%%x:@b:3-3%%%*", "%%x:2%%!", "-o,notitle", "-")
    assert pp(*argv, stdin="FROM=ISGTo\nfrom=isg\n").out == '"IS!"\n"from=isg"\n'
    assert pp("-d", "s:a", "-map,rx", "a", r"^\(.\).*$", "%%1%%.", "-o,notitle", "-", stdin="Lois\n").out == '"L."\n'


def test_a_mapping_can_be_checked(pp: Tool) -> None:
    done = pp(
        *("-d", "s:a", "-if", "-mapf", "a", "%%n:@n:1-9%%", "-mapc", "s:k", "number %%n%%"),
        *("-elif", "-map", "a", "x%%r%%", "%%r%%", "-eval", "k", '"rewritten"'),
        *("-else", "-mapc", "k", "other%%n%%", "-endif"),
        stdin="12\nxyz\nabc\n",
    )
    assert done.out == '"a","k"\n"12","number 12"\n"yz","rewritten"\n"abc","other"\n'


def test_what_was_extracted_from_one_row_is_not_seen_in_the_next(pp: Tool) -> None:
    done = pp("-d", "s:a", "-mapf", "a", "x%%v%%", "-mapf", "a", "y%%v%%", "-mapc", "s:b", "%%v%%", stdin="x1\nz\ny2\n")
    assert done.out == '"a","b"\n"x1","1"\n"z",\n"y2","2"\n'


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["-mapf", "n", "%%x%%"], "'n' is not a string column"),
        (["-mapf", "a", "%%x"], "no %% at its end"),
        (["-mapf,rx", "a", r"\("], "regular expression"),
        (["-mapf,nosuch", "a", "x"], "unknown attribute 'nosuch'"),
        (["-mapc", "s:b", "%%x%%"], "no -mapf before it extracts 'x'"),
        (["-mapf", "a", "%%x%%", "-mapc", "i:b", "%%x%%"], "'b' is not a string column"),
        (["-map", "a", "%%x%%", "%%y%%"], "does not extract 'y'"),
        (["-eval", "-", "PatMap(a, '%%x')"], "no %% at its end"),
        (["-eval", "-", "PatMap(a, '%%x%%', a, '%%y%%')"], "does not extract 'y'"),
        (["-eval", "-", "PatMap(a, '%%x%%', a, '%%x')"], "no %% at its end"),
        (["-eval", "-", "PatMap(a, '%%x%%', n, '%%x%%')"], "cannot be a column of type I"),
    ],
)
def test_a_wrong_mapping_is_explained(pp: Tool, argv: list[str], part: str) -> None:
    done = pp("-d", "s:a", "i:n", *argv)
    assert done.code == 2
    assert part in done.err
    assert done.err.count("\n") == 1
