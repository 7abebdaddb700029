"""The option parser keeps the order of the command line and explains what it cannot use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, is_option_word, split_attributes
from ess.pipeline.page import help_text
from ess.tools import aq_cnt
from ess.tools.aq_pp import OPTIONS

TABLE = OptionTable(
    "demo",
    "Shows options.",
    (
        Option("-f", "Files; eok[=Num]: leave out bad records.", more="File", attributes=True, group="In"),
        Option("-eval", "Evaluate.", ("Col", "Expr"), group="Rules"),
        Option("-stat", "Counts.", group="Rules"),
        Option("-key", "Columns; dec: the other way round.", ("ColName",), attributes=True, group="Rules"),
        Option("-to", "A file.", ("File",), group="Rules"),
        Option("-old", "Once was.", obsolete=True),
    ),
    missing=(("-pmod", "use -eval"),),
)


def names(argv: list[str]) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(use.name, use.attributes, use.arguments) for use in parse_command_line(TABLE, argv)]


def test_arguments_and_attributes_stay_with_their_option_in_order() -> None:
    assert names(["-f,+1,eok", "a", "b", "-eval", "x", "1", "-stat", "-eval", "-", "-3"]) == [
        ("-f", ("+1", "eok"), ("a", "b")),
        ("-eval", (), ("x", "1")),
        ("-stat", (), ()),
        ("-eval", (), ("-", "-3")),
    ]


def test_a_fixed_argument_may_look_like_an_option() -> None:
    assert names(["-eval", "x", "-stat"]) == [("-eval", (), ("x", "-stat"))]


def test_stdin_is_an_argument() -> None:
    assert names(["-f", "-", "-stat"]) == [("-f", (), ("-",)), ("-stat", (), ())]


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["-evla", "x", "1"], ["unknown option -evla", "did you mean -eval?"]),
        (["-zzzzzz"], ["unknown option -zzzzzz", "demo -h"]),
        (
            ["-key", "-lab", "x"],
            ["demo: -key lacks its ColName: -lab is there instead", "usage: -key[,AtrLst] ColName"],
        ),
        (["-key", "-dec", "x"], ["-key lacks its ColName", "right after the option: -key,dec"]),
        (["-key", "x", "-dec"], ["unknown option -dec", "right after the option: -key,dec"]),
        (["-f", "-eok", "x"], ["unknown option -eok", "right after the option: -f,eok"]),
        (["-to", "-stat"], ["-to lacks its File: -stat is there instead", "usage: -to File"]),
        (["-pmod", "x"], ["-pmod is not available", "use -eval"]),
        (["-eval", "x"], ["-eval lacks its Expr"]),
        (["-stat,now"], ["-stat takes no attributes"]),
        (["word"], ["'word' belongs to no option"]),
        (["-stat", "word"], ["'word' belongs to no option", "after -stat"]),
        (["--"], ["'--' belongs to no option"]),
    ],
)
def test_a_wrong_command_line_is_one_line_with_a_way_out(argv: list[str], parts: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        parse_command_line(TABLE, argv)
    line = str(caught.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_the_character_after_sep_is_taken_as_it_is() -> None:
    assert split_attributes("sep=,,csv") == ("sep=,", "csv")
    assert split_attributes("+1,sep=:,eok") == ("+1", "sep=:", "eok")


@given(
    st.lists(
        st.text(st.characters(exclude_characters=",", codec="ascii"), min_size=1).filter(lambda w: w[:4] != "sep=")
    )
)
def test_attributes_split_at_commas(words: list[str]) -> None:
    assert split_attributes(",".join(words)) == tuple(words)


def test_what_is_an_option_word() -> None:
    assert is_option_word("-d")
    assert not any(map(is_option_word, ("-", "", "-1", "-.5", "d", "--")))


def test_the_help_page_has_every_option_that_is_not_obsolete() -> None:
    page = help_text(OPTIONS, [])
    for option in OPTIONS.options:
        assert option.obsolete or option.synopsis.split(" ")[0] in page
    assert "-ddef" not in page
    assert max(map(len, page.splitlines())) <= 100


def test_help_for_a_word_is_that_of_the_option_or_the_function() -> None:
    assert help_text(OPTIONS, ["eval"]).startswith("-eval ColSpec|ColName|- Expr\n")
    assert help_text(OPTIONS, ["tos"]).startswith("ToS(")
    with pytest.raises(OptionError, match="did you mean ToS"):
        help_text(OPTIONS, ["ToSS"])
    for tool in (OPTIONS, aq_cnt.OPTIONS):
        with pytest.raises(OptionError, match=r"did you mean .*RxMap or PatMap\?"):
            help_text(tool, ["Map"])
    with pytest.raises(OptionError, match=r"did you mean -map, .*-mapc"):
        help_text(OPTIONS, ["-MAP"])
    with pytest.raises(OptionError, match="see aq_pp -h for the options"):
        help_text(OPTIONS, ["a"])


def test_every_row_of_the_table_is_complete() -> None:
    assert len({option.name for option in OPTIONS.options}) == len(OPTIONS.options)
    for option in OPTIONS.options:
        assert is_option_word(option.name)
        assert option.help.endswith(".")
        assert option.group or option.obsolete
    assert not {name for name, _ in OPTIONS.missing} & {option.name for option in OPTIONS.options}
