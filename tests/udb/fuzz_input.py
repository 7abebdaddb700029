"""Input that no client would send to a server of the database: requests, rows and bytes with any damage.

Everything is chosen by a generator with a seed, so that a round can be repeated.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from ess.language.plain import PlainList
from ess.udb.wire.protocol import (
    CreateRequest,
    DatabaseRequest,
    LoadRequest,
    OrderRequest,
    ScanRequest,
    SessionRequest,
    ShuffleRequest,
    StageRequest,
    VerdictRequest,
    encode,
)
from tests.udb.fuzz_rules import RuleDamage

ATTEMPT = "0123456789abcdef"

WORDS = (
    *(
        "",
        "att",
        "log",
        "days",
        "totals",
        "var",
        "user",
        "n",
        "log.n",
        "totals.count",
        "nosuch",
        "../../etc/passwd",
        "/",
        ".",
    ),
    *(
        "\0",
        "\n",
        "\x1b[31m",
        "\u202e",
        "é",
        "\udcff",
        "\ud800",
        "x" * 300,
        "x" * 200_000,
        "%s%n{0}",
        "'",
        '"',
        " ",
        "-clr",
        "a b",
    ),
    *(ATTEMPT, "ATT", "CON", "job:1", "once:1", "session:1", "2026-01-01 00:00:00 INFO forged"),
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    2**32,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    2**64,
    10**30,
)
_DEEP = "@deep@"
_HUGE = "@huge@"
_OTHER: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        1.5,
        float("nan"),
        float("inf"),
        -0.0,
        [],
        {},
        [[]],
        [{}],
        {"a": {"b": []}},
        ["a"],
        [1],
        [["log", "next_pp", [], []]],
    ),
    *([None], [[None]], "text", 0, 10**30, [0, 0, 0, 0], _DEEP, _HUGE, [_DEEP]),
)


class Damage:
    """Chooses what to send.

    Args:
        generator: What chooses.
        definition: The text that the attacked database is defined by.
        deciders: Addresses of its servers.
    """

    def __init__(self, generator: random.Random, definition: str, deciders: tuple[str, ...]) -> None:
        self._generator = generator
        self._definition = definition
        self._deciders = deciders
        self._rules = RuleDamage(generator, definition)

    def body(self, request: Any) -> bytes:
        """A request, most often with some damage."""
        choose = self._generator
        if choose.random() < 0.08:
            return choose.randbytes(choose.choice([0, 1, 10, 1000, 100_000]))
        fields = json.loads(encode(request))
        for _ in range(choose.choice([0, 1, 1, 1, 2, 3])):
            self._harm(fields)
        raw = json.dumps(fields).encode()
        raw = raw.replace(f'"{_DEEP}"'.encode(), b"[" * 100_000 + b"]" * 100_000)
        raw = raw.replace(f'"{_HUGE}"'.encode(), b"1" * 100_000)
        return self.flipped(raw) if choose.random() < 0.15 else raw

    def flipped(self, raw: bytes, most: int = 4) -> bytes:
        """Bytes of which some are others, or missing."""
        choose = self._generator
        made = bytearray(raw)
        for _ in range(choose.randint(1, most)):
            if made:
                place = choose.randrange(len(made))
                if choose.random() < 0.1:
                    del made[place : place + choose.choice([1, 4, 1000])]
                elif choose.random() < 0.3:
                    made[place] = choose.choice([0, 1, 0x7F, 0x80, 0xFF])
                else:
                    made[place] ^= 1 << choose.randrange(8)
        return bytes(made)

    def _harm(self, fields: dict[str, Any]) -> None:
        choose = self._generator
        name = choose.choice(sorted(fields) or ["protocol"])
        what = choose.randrange(10)
        if what == 0:
            fields.pop(name, None)
        elif what == 1:
            fields[choose.choice(["more", "", "__class__", "x" * 1000])] = 1
        elif what < 4 or name == "protocol":
            fields[name] = choose.choice(_OTHER)
        elif isinstance(fields.get(name), bool):
            fields[name] = not fields[name]
        elif isinstance(fields.get(name), int):
            fields[name] = choose.choice(NUMBERS)
        elif isinstance(fields.get(name), list):
            fields[name] = self._list(name, str(fields.get("table", "")))
        elif name == "definition":
            fields[name] = self.flipped(self._definition.encode()).decode("utf-8", "surrogateescape")
        elif name != "decider":  # one that is an address of nobody leaves things in doubt, as it should
            fields[name] = choose.choice(WORDS)
        else:
            fields[name] = choose.choice((*self._deciders, "", "\0", "a b", "h:0", "h:" + "9" * 5000, "x" * 300))

    def _list(self, name: str, table: str) -> list[Any]:
        choose = self._generator
        if name == "rules":
            return self._rules.harmed(table)
        if name == "segments":
            return [choose.choice(NUMBERS) for _ in range(choose.choice([1, 3, 4, 4, 4, 5]))]
        if name == "variables":
            value = choose.choice([1, -1, 2**63, "1", 10**30, None])
            return [["seen", ["integer", value]], [choose.choice(WORDS), ["text", "1"]], ["a"]][: choose.randint(1, 3)]
        return [choose.choice(WORDS) for _ in range(choose.choice([1, 2, 5, 3000]))]

    # Requests -----------------------------------------------------------------------------------------------------

    def request(self, kind: str) -> Any:
        """A request that is right, of an action, of a ``get`` or of a stream."""
        choose = self._generator
        text = choose.choice(["", self._definition])
        table = choose.choice(["log", "days", "totals", "var", ""])
        session = choose.choice(["", "", "", ATTEMPT])
        makers: dict[str, Callable[[], Any]] = {
            "create": lambda: CreateRequest("att", self._definition, choose.choice(["", "0123"]), volatile=False),
            "order": lambda: OrderRequest(
                "att", text, table, ("n",), descending=True, ignore_case=False, session=session
            ),
            "shuffle": lambda: ShuffleRequest("att", text, table, choose.choice(NUMBERS), session),
            "verdict": lambda: VerdictRequest("att", "job:1", ATTEMPT),
            "stage": lambda: self._stage(table),
            "session": lambda: SessionRequest("att", text, self._attempt(), choose.choice(("", *self._deciders)), ""),
            "load": lambda: LoadRequest("att", table, ATTEMPT),
            "alter": lambda: DatabaseRequest("att", self._definition, "", session),
            "drop": lambda: DatabaseRequest("att", self._definition, "totals", session),
            "settle": lambda: DatabaseRequest("att", self._definition),
            "count": lambda: self._scan(text, table, session),
            "get": lambda: self._scan(text, table, session),
        }
        return makers.get(kind, lambda: DatabaseRequest("att", text, table, session))()

    def _attempt(self) -> str:
        return self._generator.choice([ATTEMPT, self._generator.randbytes(8).hex()])

    def _stage(self, table: str) -> StageRequest:
        choose = self._generator
        flags = choose.choice([(False, False), (True, False), (False, True), (True, True)])
        identity = f"job:{choose.randrange(50)}"
        decider = choose.choice(("", *self._deciders))
        job = choose.choice(["", "job"])
        return StageRequest(
            "att", choose.choice(["", self._definition]), table, identity, self._attempt(), decider, job, 1, *flags, ""
        )

    def _scan(self, text: str, table: str, session: str) -> ScanRequest:
        choose = self._generator
        rules = choose.choice([PlainList(()), self._rules.rules(table), self._rules.rules(table)])
        columns = {
            "log": ("user", "n", "price"),
            "days": ("user", "day"),
            "totals": ("user", "latest"),
            "var": ("seen",),
        }
        outputs = columns.get(table, ("user",))
        sort = choose.choice([(), outputs[:1]])
        return ScanRequest(
            "att", text, table, rules, outputs=outputs, sort=sort, first=choose.choice([-1, 5]), session=session
        )

    def word(self, rows: int) -> bytes:
        """A word of a client on a stream."""
        choose = self._generator
        said: dict[str, Any] = {"say": choose.choice(["prepare", "prepare", "commit", "abort", "release", "alive"])}
        said["rows"] = rows
        if choose.random() < 0.4:
            self._harm(said)
        raw = json.dumps(said).encode().replace(f'"{_DEEP}"'.encode(), b"[" * 100_000)
        return self.flipped(raw) if choose.random() < 0.2 else raw


# Rows -----------------------------------------------------------------------------------------------------------------

COLUMNS: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    "log": (
        ("user", pa.large_binary()),
        ("time", pa.uint32()),
        ("n", pa.int32()),
        ("price", pa.float64()),
        ("from", pa.large_binary()),
    ),
    "days": (("user", pa.large_binary()), ("day", pa.uint32()), ("n", pa.int32())),
    "totals": (
        ("user", pa.large_binary()),
        ("count", pa.uint64()),
        ("price", pa.float64()),
        ("latest", pa.large_binary()),
    ),
    "var": (("seen", pa.uint64()), ("word", pa.large_binary())),
    "": (("user", pa.large_binary()),),
}


def good_rows(table: str, count: int) -> pa.RecordBatch:
    """Rows of a table as they should be."""
    columns = COLUMNS.get(table, COLUMNS["log"])
    made = [
        pa.array([b"u%d" % (n % 9) for n in range(count)] if kind == pa.large_binary() else list(range(count)), kind)
        if name != "from"
        else pa.array([bytes([1, 2, 3, n % 4]) for n in range(count)], kind)
        for name, kind in columns
    ]
    return pa.RecordBatch.from_arrays(made, names=[name for name, _ in columns])


def bad_rows(generator: random.Random, table: str) -> pa.RecordBatch:
    """Rows whose columns are not those of the table."""
    good = good_rows(table, generator.choice([0, 1, 3, 50]))
    names, arrays = list(good.schema.names), list(good.columns)
    place = generator.randrange(len(names))
    what = generator.randrange(9)
    if what == 0:
        return pa.RecordBatch.from_arrays([], names=[])
    if what == 1:
        return pa.RecordBatch.from_arrays(
            arrays[:place] + arrays[place + 1 :], names=names[:place] + names[place + 1 :]
        )
    if what == 2:
        names[place] = generator.choice(["USER", "", "x" * 70_000, "\0", "é", "#key", names[0]])
    elif what == 3:
        order = list(range(len(names)))
        generator.shuffle(order)
        return pa.RecordBatch.from_arrays([arrays[n] for n in order], names=[names[n] for n in order])
    elif what == 4:
        names.append(generator.choice(["more", names[0]]))
        arrays.append(arrays[0])
    elif what == 5:
        values = arrays[place].to_pylist()
        wrong = b"12345" if names[place] == "from" else None
        arrays[place] = pa.array([wrong, *values[1:]] if values else [], arrays[place].type)
    else:
        arrays[place] = _other_array(generator, good.num_rows)
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _other_array(generator: random.Random, count: int) -> pa.Array:
    """A column of a type that no table has."""
    numbers = pa.array(range(count), pa.int32())
    texts = pa.array([f"t{n}" for n in range(count)], pa.string())
    offsets = pa.array(range(count + 1), pa.int32())
    makers: tuple[Callable[[], pa.Array], ...] = (
        lambda: pa.nulls(count),
        lambda: texts,
        lambda: texts.cast(pa.binary()),
        lambda: texts.cast(pa.string_view()),
        lambda: texts.cast(pa.binary()).cast(pa.binary_view()),
        texts.dictionary_encode,
        numbers.dictionary_encode,
        lambda: pa.array([b"%016d" % n for n in range(count)], pa.binary(16)),
        lambda: pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([b"%016d" % n for n in range(count)], pa.binary(16))
        ),
        lambda: pa.ExtensionArray.from_storage(pa.json_(), texts),
        lambda: pa.ExtensionArray.from_storage(pa.opaque(pa.int32(), "x", "y"), numbers),
        lambda: pa.array(
            [{"a": n, "b": {"c": [n]}} for n in range(count)],
            pa.struct([("a", pa.int8()), ("b", pa.struct([("c", pa.list_(pa.int8()))]))]),
        ),
        lambda: pa.ListArray.from_arrays(offsets, numbers),
        lambda: pa.MapArray.from_arrays(offsets, texts, numbers),
        lambda: pa.FixedSizeListArray.from_arrays(pa.array(range(2 * count), pa.int8()), 2),
        lambda: pa.UnionArray.from_dense(
            pa.array([0] * count, pa.int8()), pa.array(range(count), pa.int32()), [numbers]
        ),
        lambda: pa.UnionArray.from_sparse(pa.array([0] * count, pa.int8()), [numbers]),
        lambda: pa.RunEndEncodedArray.from_arrays(pa.array(range(1, count + 1), pa.int32()), numbers),
        lambda: pa.array([1] * count, pa.decimal128(38, 5)),
        lambda: pa.array([1] * count, pa.decimal256(70, 5)),
        lambda: pa.array([1] * count, pa.timestamp("ns", "Mars/Olympus")),
        lambda: (
            pa.array([1] * count, pa.month_day_nano_interval()) if not count else pa.array([1.5] * count, pa.float16())
        ),
        lambda: pa.array([n % 2 == 0 for n in range(count)], pa.bool_()),
        lambda: pa.array(range(count), pa.uint64()),
    )
    return generator.choice(makers)()
