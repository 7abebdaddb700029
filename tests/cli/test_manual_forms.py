"""Command lines as the pages of the reference manual write them: options without a value, and preprocess commands."""

from __future__ import annotations

from pathlib import Path

import pytest

import ess
from ess.cli.app import run
from ess.cli.manual_forms import OPTIONAL_VALUES


@pytest.fixture
def folder(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for day in (1, 2):
        Path(f"sales_2014090{day}.csv").write_text(f"user,price\nann,{day}\n")
    ess.select("local")
    ess.category_add("sales", "sales*")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "words", ["summary sales", "probe sales", "ls sales*", "category add other sales* --overwrite"]
)
def test_an_option_without_its_value_says_nothing(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    def printed(*more: str) -> tuple[int, str]:
        return run([*words.split(), *more]), str(capfd.readouterr())

    plain = printed()
    assert plain[0] == 0
    options = next(names for path, names in OPTIONAL_VALUES.items() if words.startswith(" ".join(path)))
    for option in options:
        assert printed(option) == plain
    assert printed(*options) == plain
    assert printed(*options, "--label", "local") == plain


def test_an_option_whose_value_is_needed_says_which_command_it_is_of(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["category", "add", "x", "*", "--comment"]) == 2
    assert capfd.readouterr().err.endswith(
        "category add: option '--comment' requires an argument; see: ess category add --help\n"
    )


FIXED = (
    "STN--- WBAN   YEARMODA    TEMP       DEWP      SLP        STP       VISIB      WDSP     MXSPD   GUST    MAX     "
    "MIN   PRCP   SNDP   FRSHTT\n"
    "030050 99999  19320101    43.2  6    40.3  4   993.9  6  9999.9  0    4.3  6   10.2  6   18.1  999.9    45.0*   "
    "35.1   0.20F 999.9  010000\n"
)
WIDTHS = (
    "stn 7,wban 7,yearmoda 12,temp 6,unlabeled1 5,dewp 6,unlabeled2 4,slp 7,unlabeled3 3,unlabeled4 1,stp 7,"
    "unlabeled5 3,visib 7,unlabeled6 4,wdsp 6,unlabeled7 3,mxspd 7,unlabeled8 1,gust 8,max 8,min 6,prcp 7,sndp 7,"
    "frshtt 6"
)
NAMES = [each.partition(" ")[0] for each in WIDTHS.split(",")]
COLUMNS = " ".join("s,n={1},trm:{0}".format(*each.split()) for each in WIDTHS.split(","))
LOG = '54.248.98.72 - - [05/Oct/2014:03:24:27 -0700] "GET / HTTP/1.0" 301 - "-" "Mozilla/5.0 (compatible)"\n'
TWEET = """{
"coordinates": null,
"favorited": false,
"id_str": "28039652140",
"entities": {"urls": [{"expanded_url": null, "indices": [69, 100]}]},
"text": "what we've been up to at @gnip -- delivering data",
"user": {"name": "Gnip, Inc."},
"place": null
}
"""

#: The content of a file, the preprocess command, what comes out of it, and the columns that probing finds in that.
PREPROCESSED = {
    "several delimiters": (
        LOG,
        'aq_pp -f,eok,qui,div - -d ip:ip sep:" " s:rlog sep:" " s:rusr sep:" [" s:time_s sep:"] \\"" s,clf:req_line1 '
        'sep:" " s,clf:req_line2 sep:" " s,clf:req_line3 sep:"\\" " i:res_status sep:" " i:res_size sep:" \\"" '
        's,clf:referrer sep:"\\" \\"" s,clf:user_agent sep:"\\"" -eval i:time "DateToTime(time_s, '
        '\\"d.b.Y.H.M.S.z\\")" -c ip rlog rusr time req_line1 res_status res_size user_agent',
        '"ip","rlog","rusr","time","req_line1","res_status","res_size","user_agent"\n'
        '54.248.98.72,"-","-",1412504667,"GET",301,0,"Mozilla/5.0 (compatible)"\n',
        "IP:ip S:rlog S:rusr I:time S:req_line1 I:res_status I:res_size S:user_agent",
    ),
    "fixed width": (
        FIXED,
        f"aq_pp -f,+1,eok,fix - -d {COLUMNS}",
        ",".join(f'"{name}"' for name in NAMES)
        + '\n"030050","99999","19320101","43.2","6","40.3","4","993.9","6","9","999.9","0","4.3","6","10.2","6","18.1",'
        '"9","99.9","45.0*","35.1","0.20F","999.9","010000"\n',
        "S:stn I:wban I:yearmoda F:temp I:unlabeled1 F:dewp I:unlabeled2 F:slp I:unlabeled3 I:unlabeled4 F:stp "
        "I:unlabeled5 F:visib I:unlabeled6 F:wdsp I:unlabeled7 F:mxspd I:unlabeled8 F:gust S:max F:min S:prcp F:sndp "
        "S:frshtt",
    ),
    "JSON": (
        TWEET,
        "aq_pp -f,eok,jsn data_20140901 -d s:coordinates:coordinates s:favorited:favorited s:id_str:id_str s:text:text "
        "s:name:user.name s:place:place",
        '"coordinates","favorited","id_str","text","name","place"\n'
        ',"false","28039652140","what we\'ve been up to at @gnip -- delivering data","Gnip, Inc.",\n',
        "S:coordinates S:favorited L:id_str S:text S:name S:place",
    ),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", PREPROCESSED)
def test_preprocess_commands_of_the_category_rules(name: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    content, command, printed, columns = PREPROCESSED[name]
    Path("data_20140901").write_text(content)
    assert ess.category_add("data", "data*", preprocess=command).columnspec == columns
    assert run(["stream", "data", "*", "*", "cat"]) == 0
    assert capfdbinary.readouterr().out.decode() == printed
    assert ess.contents("data").rows == 1
