"""Spec files with any damage: each is a spec that can be written again, or one error with file and line.

``make fuzzudb`` does more of it than a test run has time for.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.udb.spec.spec_file import format_spec, parse_spec, read_spec

EXAMPLES = int(os.environ.get("UDB_FUZZ_SPECS", "300"))
SEED = int(os.environ.get("UDB_FUZZ_SEED", "1"))

#: The same examples in every run of one seed.
FUZZED = settings(
    max_examples=EXAMPLES, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=False
)

VALID = (
    b"""# a shop
@Server: 127.0.0.1
@Server:
  127.0.0.1:10011*3 a.b.com|10.0.0.2:10013
@Port:10020
@Table:sales
  s,pkey:user  i,tkey:time  s,+key:item  f,+add:price
@Vector:sums s,pkey:user s,+first:item f,+add,+nozero:price ip,+last:from
@Var: l,+bor:flags is,+min:least ls,+max,+nozero:most
""",
    b"""@server: [::1]:10012*5 [::2]|[::1]
@PKey: s:user ip:from
@Volatile:
@TABLE log i,tkey:n f:x
@vector:v is,+max:m
@VAR: s:w
""",
    b"@Server:h @Var:i:n",
)
PIECES = (
    *(
        b"@Server:",
        b"@Port:",
        b"@Port:10010",
        b"@PKey:",
        b"@Table:t",
        b"@Table:",
        b"@Vector:v",
        b"@Var:",
        b"@Volatile:",
    ),
    *(
        b"@Nothing:",
        b"@",
        b"@@",
        b"@:",
        b"127.0.0.1",
        b"127.0.0.1:10011*3",
        b"[::1]:10012",
        b"[fe80::1%a#b]",
        b"[]",
        b"a|b|c",
    ),
    *(
        b"h*0",
        b"h*1001",
        b"h*-1",
        b"h*1.5",
        b"h:0",
        b"h:65536",
        b"h:-1",
        b"h:1:2",
        b"h:" + b"9" * 1500,
        b"h*" + b"9" * 1500,
    ),
    *("h:\u0661\u0662".encode(), "h*\u0663".encode(), "s:\u00fc".encode(), b"s:a#b", b"a#", b"#", b"# @Server:"),
    *(b"s,pkey:user", b"i,pkey:number", b"s:user", b"i,tkey:time", b"f,+add:price", b"l,+bor:flags", b"s,+add:bad"),
    *(
        b"f,+bor:bad",
        b"s,pkey,+add:bad",
        b"s,+key,+nozero:w",
        b"i,+min,+max:b",
        b"s,trm:w",
        b"s,nosuch:w",
        b"q:w",
        b"X",
        b"X:w",
    ),
    *(b"s,+last,+nozero:w", b"s,,:w", b",:w", b":", b"s:", b"s:9", b"s:" + b"n" * 31, b"s:" + b"n" * 32, b"x" * 2046),
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc3",
        b"\r",
        b"\r\n",
        b"\n",
        b"\t",
        b"\x0b",
        b"\x1c",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
    ),
    *(b"h" * 2030, b"h" * 254 + b":1", b" " * 2050, b"99999999999999999999", b"10010", b"*7", b"|"),
)


@st.composite
def damaged_specs(draw: st.DrawFn) -> bytes:
    """A valid spec with up to eight damages."""
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(0, 8))):
        lines = text.split(b"\n")
        place = draw(st.integers(0, len(text)))
        line = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["flip", "cut", "put", "word", "drop", "twice", "swap", "join"])):
            case "flip" if place < len(text):
                text = text[:place] + bytes([text[place] ^ (1 << draw(st.integers(0, 7)))]) + text[place + 1 :]
            case "cut":
                text = text[:place] + text[place + draw(st.integers(0, 40)) :]
            case "put":
                text = text[:place] + draw(st.sampled_from(PIECES)) + text[place:]
            case "word":
                words = re.split(rb"(\s+)", text)
                number = draw(st.integers(0, len(words) - 1))
                text = b"".join([*words[:number], draw(st.sampled_from(PIECES)), *words[number + 1 :]])
            case "drop":
                text = b"\n".join(lines[:line] + lines[line + 1 :])
            case "twice":
                text = b"\n".join([*lines, *lines[line : line + draw(st.integers(1, 4))]])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[line], lines[other] = lines[other], lines[line]
                text = b"\n".join(lines)
            case "join":
                text = b" ".join(lines)
            case _:
                pass
    return text


@seed(SEED)
@FUZZED
@given(damaged_specs())
@example(b"@Server:\n@Server: h")
@example(b"\xef\xbb\xbf@Server: h\n\xff")
@example(b"@Server: " + b"h" * 2030)
@example("@Server: h:\u0661*\u0662".encode())
def test_a_damaged_spec_is_a_spec_or_an_error_with_its_place(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "wood.spec"
    path.write_bytes(text)
    try:
        spec = read_spec(path)
    except OptionError as error:
        said = str(error)
    else:
        written = format_spec(spec)
        again = parse_spec(written, source="again")
        assert again == spec
        assert format_spec(again) == written
        return
    assert re.match(rf"{re.escape(str(path))} line [1-9][0-9]*: ", said) or "there is no server" in said, said
    assert said.isprintable()


@seed(SEED)
@FUZZED
@example("\ud800")
@example("@Server: h:" + "9" * 5000)
@given(
    st.one_of(
        st.text(st.characters(), max_size=60),
        st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    )
)
def test_any_definition_that_a_peer_sends_is_one_or_an_error(text: str) -> None:
    """Also with characters that are no UTF-8, which JSON lets through."""
    try:
        parse_spec(text, source="database wood", needs_servers=False)
    except OptionError as error:
        said = str(error)
    else:
        return
    assert re.match(r"database wood( line [1-9][0-9]*)?: ", said), said
