"""Records of jsn inputs: the manual's examples, damage, and independence of chunks."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.formats.attributes import parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.reader import read_input


def read(
    data: bytes, words: list[str], specs: str, *, size: int = 1 << 20
) -> tuple[list[tuple[object, ...]], list[tuple[int, int, str, str]]]:
    attributes = parse_input_attributes(["jsn", *words], where="-f")
    columns = parse_input_columns(specs.split(), attributes, where="-d").columns
    rows: list[tuple[object, ...]] = []
    rejects: list[tuple[int, int, str, str]] = []
    for batch in read_input(["-"], attributes, columns, stdin=io.BytesIO(data), batch_bytes=size):
        rejects += [(r.before_row + len(rows), r.record, r.column, r.reason) for r in batch.rejects]
        rows += batch.frame.rows()
    return rows, rejects


ONE = b'{ "Key1": "Val1", "Key2": {"Ary": [0, 1, 2]} }'
TURNED = b'{ "Key2": {"Ary": [0, 1, 2]}, "Key1": "Val1" }'
THIRD = b'{ "Key2": {"Ary": [0, 1]}, "Key1": "Val1", "Key3": {"Ary": [10, 11]} }'
DEEP = b'{"k1":{"k2":{"k3":{"k4":"14","k5":"15"}}}}\n{"k1":{"k2":{"k3":{"k4":"24","k5":"25"}}}}\n'
LIST = b'{"k1":{"k2":{"k3":[{"k4":"14","k5":"15"},{"k4":"24","k5":"25"}]}}},\n{"k1":{"k2":{"k3":[{"k4":34,"k5":35}]}}}'


@pytest.mark.parametrize(
    ("data", "words", "specs", "rows"),
    [
        (ONE, [], "S:a:key1 I:b:key2.ary[*]", [(b"Val1", 0), (b"Val1", 1), (b"Val1", 2)]),
        (TURNED, [], "S:a:key1 I:b:key2.ary[*]", [(b"", 0), (b"", 1), (b"", 2)]),
        (
            THIRD,
            [],
            "S:a:key1 I:b:key2.ary[*] I:c:key3.ary[*]",
            [(b"", 0, 0), (b"", 1, 0), (b"Val1", 0, 10), (b"Val1", 0, 11)],
        ),
        (DEEP, [], "I:a:k1.k2.k3.k4 I:b:k1.k2.k3.k5", [(14, 15), (24, 25)]),
        (DEEP, ["base=k1.k2.k3"], "I:a:k4 I:b:k5", [(14, 15), (24, 25)]),
        (b"[" + DEEP.replace(b"\n", b",\n") + b"]", ["base=[*].k1.k2.k3"], "I:a:k4 I:b:k5", [(14, 15), (24, 25)]),
        (b"[" + DEEP.replace(b"\n", b",\n") + b"]", [], "I:a:k1.k2.k3.k4", [(14,), (24,)]),
        (LIST, [], "I,base=k1.K2.k3[*]:a:k4 I:b:k5", [(14, 15), (24, 25), (34, 35)]),
        (b"[1,2]", [], "I,base=[*]:a:", [(1,), (2,)]),
        (LIST, ["base=k1.k2.k3[*]"], "I:a:k4 I:b:k5", [(14, 15), (24, 25), (34, 35)]),
        (b"[" + LIST + b"]", ["base=[*].k1.k2.k3[*]"], "I:a:k4 I:b:k5", [(14, 15), (24, 25), (34, 35)]),
        (b"[1,2]\n[3,4]", ["base=[*]"], "I:a:", [(1,), (2,), (3,), (4,)]),
        (b"[[1,2],[3,4]]", ["base=[*].[*]"], "I:a:", [(1,), (2,), (3,), (4,)]),
        (b'{"k1":[1,2]}{"k1":[3,4]}', ["base=k1[*]"], "I:a:", [(1,), (2,), (3,), (4,)]),
        (b"[[1,2],[3,4]]", [], "I:a:[1][0]", [(3,)]),
        (b'{"a":{"b":[1,{"c":null}],"d":1.50},"e":true}', [], "s:a:a s:e:e s:x:none f:d:a.d",
         [(b'{"b":[1,{"c":null}],"d":1.50}', b"true", b"", 1.5)]),
        (b'\xef\xbb\xbf{"a":"\\u00e9\xc3\xa9\xff\\n"}', [], "s:a:a", [("éé".encode() + b"\xff\n",)]),
        (b'{"A":" X "}', [], "s,trm,lo:a:a", [(b"x",)]),
        # The spelling of the key wins, else the last one.
        (b'{"id":1,"ID":2}', [], "i:a:id", [(1,)]),
        (b'{"ID":2,"id":1}', [], "i:a:id", [(1,)]),
        (b'{"id":1,"ID":2,"Id":3}', [], "i:a:ID i:b:id i:c:iD", [(2, 1, 3)]),
        (b'{"u":{"n":1},"U":{"n":2},"k":[{"A":1,"a":2}]}', [], "i:a:k[*].A i:b:K[*].a", [(1, 2)]),
        (b'{"u":{"n":1,"N":5},"U":{"n":2}}', [], "i:a:u.N", [(5,)]),
        (b'{"ID":2}', [], "i:a:id", [(2,)]),
        (b"", [], "s:a:a", []),
        (b"1e5 {\"a\":1}", ["+1r"], "i:a:a", [(1,)]),
        (b"[]", ["base=[*]"], "s:a:a", []),
        (b'{"k":[]}', [], "s:a:k[*]", []),
        (b'{"n":"x","k":[]}', [], "s:n:n s:a:k[*]", [(b"x", b"")]),
        (b'skip me\n{"a":1}', ["+1"], "i:a:a", [(1,)]),
        (b'{"a":1}\n{"a":2}\n{"a":3}', ["+2r"], "i:a:a", [(3,)]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_extraction(data: bytes, words: list[str], specs: str, rows: list[tuple[object, ...]], size: int) -> None:
    assert read(data, words, specs, size=size) == (rows, [])


@pytest.mark.parametrize("size", [1, 10, 1 << 20])
def test_bad_records(size: int) -> None:
    data = (
        b'{"a":1}\n{"a":TBD}\n{"a":"x"}\n{"a":2,}\ntrash { \n  {"a":3}\n5\n"text"\n{"a":4}\n{"a":"open\n{"a":5}\n'
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b'}\n{"a":6}\n{"a":7'
    )
    rows, rejects = read(data, [], "i:a:a", size=size)
    assert [row[0] for row in rows] == [1, 3, 4, 5, 6]
    assert [(before, record) for before, record, _, _ in rejects] == [
        (1, 2), (1, 3), (1, 4), (2, 6), (2, 7), (3, 9), (4, 11), (5, 13),
    ]  # fmt: skip
    assert "'x' is not an unsigned 32-bit integer" in rejects[1][3]
    assert "is no JSON" in rejects[0][3]


@pytest.mark.parametrize(
    ("words", "specs", "says"),
    [
        (["jsn"], "s:a", "has no key"),
        (["jsn"], "s:a:", "has no key"),
        (["jsn"], "s:a:b..c", "no key spec"),
        (["jsn"], "s:a:b[x]", "no key spec"),
        (["jsn", "base=k"], "s,base=k:a:b", "more than one base="),
        (["jsn"], "s,base=k:a:b s,base=m:c:d", "more than one base="),
        (["base=k"], "s:a", "'jsn' and 'xml' inputs only"),
    ],
)
def test_wrong_specs(words: list[str], specs: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        parse_input_columns(specs.split(), parse_input_attributes(words, where="-f"), where="-d")


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(st.dictionaries(st.sampled_from("abc"), values, max_size=3).map(json.dumps), st.text(max_size=8))
    ),
    st.sampled_from(["s:x:a s:y:b", "s:x:a[*] s:y:b", "s:x:a[*].b s:y:c[0]", "i:x:a"]),
    st.integers(1, 40),
)
def test_results_do_not_depend_on_chunks(lines: list[str], specs: str, size: int) -> None:
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    assert read(data, [], specs, size=size) == read(data, [], specs)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=8), st.integers(0, 2**32 - 1))), st.booleans())
def test_what_json_writes_is_read(rows: list[tuple[str, int]], ascii_only: bool) -> None:
    data = "\n".join(json.dumps({"S": s, "n": n}, ensure_ascii=ascii_only) for s, n in rows).encode()
    assert read(data, [], "s:s:s i:n:n") == ([(s.encode(), n) for s, n in rows], [])


@pytest.mark.parametrize("size", [1 << 16, 1 << 22])
def test_a_record_of_some_megabytes_is_good(size: int) -> None:
    data = json.dumps({"a": 1, "padding": "x" * 9_000_000 + '"', "b": 3}).encode() + b'\n{"a":2}'
    assert read(data, [], "i:a:a i:b:b", size=size) == ([(1, 3), (2, 0)], [])
    assert read(data, ["+1r"], "i:a:a i:b:b", size=size) == ([(2, 0)], [])


# A value that is too long to be held: what makes one is lowered, so that small ones are. ----------------------------


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of more than 32 characters is long."""
    monkeypatch.setattr("ess.formats.nested.json_records._LIMITS", 0)
    monkeypatch.setattr("ess.formats.nested.json_records._LEAST_LONG", 32)


ITEMS = ", ".join(f'{{"id": {n}, "t": ["{n}", "x"]}}' for n in range(40))
WRAPPED = f'{{"a": 7, "skip": [{ITEMS}], "In": {{"items" : [{ITEMS}]\n}}, "z": "end"}}'


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize(
    ("data", "words", "specs", "rows"),
    [
        (WRAPPED, ["base=in.items[*]"], "i:a:id s:b:t[0]", [(n, b"%d" % n) for n in range(40)]),
        (WRAPPED, [], "i:a:a i:b:in.items[*].id s:z:z", [(7, n, b"") for n in range(40)]),
        (WRAPPED, [], "s:t:in.items[*].t[*]", [(t,) for n in range(40) for t in (b"%d" % n, b"x")]),
        (WRAPPED, [], "i:a:a s:z:z i:b:in.items[3].id", [(7, b"end", 3)]),
        (f"{WRAPPED}\n{WRAPPED}", [], "s:z:z", [(b"end",), (b"end",)]),
        (f"[{WRAPPED},{WRAPPED}]", [], "s:z:z", [(b"end",), (b"end",)]),
        (f"[{WRAPPED},{WRAPPED}]", ["base=[*]"], "s:z:z i:n:none", [(b"end", 0), (b"end", 0)]),
        (f"[{WRAPPED},{WRAPPED}]", [], "s:a:[1].z i:b:[0].a", [(b"end", 7)]),
        (f"{WRAPPED}\n{{}}", ["+1r"], "s:z:z", [(b"",)]),
        ('{"a": ["' + "x" * 50 + '\\"", 2, ["' + "y" * 50 + '"]], "b": 5}', [], "i:b:b i:c:a[1]", [(5, 2)]),
    ],
)  # fmt: skip
def test_a_long_value_gives_the_same(
    data: str, words: list[str], specs: str, rows: list[tuple[object, ...]], size: int
) -> None:
    assert read(data.encode(), words, specs, size=size) == (rows, [])


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("size", [1, 9, 1 << 20])
def test_what_is_broken_in_a_long_value_costs_an_item(size: int) -> None:
    items = [f'{{"id": {n}}}' for n in range(20)]
    items[5], items[9] = '{"id": TBD}', '{"id": "stray}'
    data = ('{"a": 7, "items": [\n' + ",\n".join(items) + ']}\n{"a": 8, "items": [{"id": 99}]}\n').encode()
    rows, rejects = read(data, [], "i:a:a i:b:items[*].id", size=size)
    assert rows == [(7, n) for n in range(20) if n not in (5, 9, 10)] + [(8, 99)]
    assert [(before, record) for before, record, _, _ in rejects] == [(5, 6), (8, 10)]
    for cut in (len(data) - 60, len(data) - 90):
        rows, rejects = read(data[:cut], [], "i:a:a i:b:items[*].id", size=size)
        assert len(rejects) == 3
        assert rejects[-1][0] == len(rows)
    outside = b'{"a": 7, "x": [' + b"1," * 50 + b']}\n{"a": 8}'
    rows, rejects = read(outside, [], "i:a:a", size=size)
    assert (rows, len(rejects)) == ([(8,)], 1)
    for end in (b"", b"1", b"1]", b'1], "z"', b'1], "z":', b'1], "z" 5}', b"1]]", b"1 1]}"):
        rows, rejects = read(b'{"a": 7, "x": [' + b"1," * 50 + end, [], "i:a:a", size=size)
        assert (rows, len(rejects)) == ([], 1), end


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=3),
    st.sampled_from(["i:x:b s:y:c[*].a", "i:x:a[*] i:y:b", "i:x:a[*].b i:y:c[0]", "i:x:b[*][*]"]),
    st.integers(1, 90),
    st.booleans(),
    st.integers(2, 30),
)
def test_a_value_is_the_same_long_or_not(
    records: list[dict[str, object]], specs: str, size: int, array: bool, limit: int
) -> None:
    # What a column wants of a long container is too long for any column: true of the real limits, but not of 40.
    lists = [record["c"] for record in records if isinstance(record.get("c"), list)]
    wanted = [item.get("a") for items in lists for item in items if isinstance(item, dict)]  # type: ignore[attr-defined]
    assume("s:y:c[*].a" not in specs or all(len(json.dumps(value)) <= 40 for value in wanted))
    data = (json.dumps(records) if array else "\n".join(map(json.dumps, records))).encode()
    expected = read(data, [], specs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ess.formats.nested.json_records._LIMITS", 0)
        patch.setattr("ess.formats.nested.json_records._LEAST_LONG", 40 + limit)
        rows, rejects = read(data, [], specs, size=size)
    # What a column wants of a long container is only known to be too long.
    assert (rows, len(rejects)) == (expected[0], len(expected[1]))


@pytest.mark.parametrize(("first", "second"), [("id", "ID"), ("ID", "id")])
def test_the_spelling_of_the_key_wins_in_a_long_value(first: str, second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.formats.nested.json_records._LEAST_LONG", 1 << 14)
    monkeypatch.setattr("ess.formats.nested.json_records._LIMITS", 0)
    long = '{"pad":[' + ",".join(["1"] * 10_000) + f'],"{first}":"{first}","{second}":"{second}"}}'
    assert read(long.encode(), ["bz=1000"], "s:a:id", size=1 << 10) == ([(b"id",)], [])


@pytest.mark.parametrize(
    ("data", "words", "specs", "notes"),
    [
        (b'{"count":1}\n' * 9, [], "i:n:cuont", ("no record has the key cuont of column n; is count meant?",)),
        (b'{"a":{"name":1}}', [], "i:n:a.nam i:m:a.name", ()),
        (b'{"a":{"name":1}}', ["base=a"], "i:n:nam", ("no record has the key a.nam of column n; is a.name meant?",)),
        (b'{"l":[{"id":1}]}', [], "i:n:l[0].idx", ("no record has the key l[0].idx of column n; is l[*].id meant?",)),
        (b'{"count":1}\n{"cuont":null}', [], "i:n:cuont i:COUNT:COUNT", ()),
        (b'{"count":1}', [], "s:error:error", ()),
        (b'{"count":1}', ["qui"], "i:n:cuont", ()),
        (b"", [], "i:n:cuont", ()),
    ],
)
@pytest.mark.parametrize("size", [40, 1 << 20])
def test_a_mistyped_key_is_told_once(
    data: bytes, words: list[str], specs: str, notes: tuple[str, ...], size: int
) -> None:
    attributes = parse_input_attributes(["jsn", *words], where="-f")
    columns = parse_input_columns(specs.split(), attributes, where="-d").columns
    batches = [*read_input(["-"], attributes, columns, stdin=io.BytesIO(data), batch_bytes=size)]
    assert tuple(note for batch in batches for note in batch.notes) == notes
    assert len({tuple(batch.frame.schema.items()) for batch in batches}) <= 1
