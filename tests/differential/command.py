"""The same through aq_pp: generated command lines over generated dirty text, once with each engine."""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from tests.differential.chain import Option
from tests.differential.data import COLUMNS, Row, generate_rows
from tests.differential.generate import generate_chain

from ess.formats.reader import read_input
from ess.tools import aq_pp
from ess.tools.process import exit_code

_DIRT = [b"TBD", b"", b'"', b'a"b', b"99999999999999999999", b"-1", b"1.5", b"\xff\xfe", b" 7 "]
_DIRT += [b'"x,y"', b'"un""quoted"']


#: What the lookups look up.
_TABLE = b'abc,"found"\n"ABC",upper\na*,"begins"\n"xyz",\n"1 items",one\n"",blank\n"?","single"\n'

_DEFAULTS: dict[str, object] = read_input.__kwdefaults__ or {}

#: The options for mapping and lookups, which only the pipeline knows; new columns have names that
#: the generator does not use.
_MAPPINGS: list[list[Option]] = [
    [("-mapf", "s1", "%%head:1-3%%%*"), ("-mapc", "S:m1", "<%%head%%>")],
    [("-mapf,rx,rx_extended", "day", "^([0-9]+)-([0-9]+)"), ("-mapc", "day", "%%2%%/%%1%%")],
    [("-map,ncas", "s2", "%%a%%b%*", "%%a%%:%%a:1:2%%")],
    [("-sub", "s1", "table.csv")],
    [("-sub,pat,ncas,req", "s2", "table.csv")],
    [("-grep,pat,rev", "s1", "table.csv", "from", "X")],
    [("-sub,all,pat", "s1", "table.csv")],
    [("-cmb,all,ncas", "table.csv", "S:s1", "S:m1")],
    [("-cmb,ncas", "table.csv", "S:s1", "S:m1")],
    [("-if", "-filt", "i1 > 2"), ("-cmb,req", "table.csv", "S:s1", "S,cmb:s2"), ("-endif",)],
    [("-if", "-mapf", "num", "%%whole:@n%%.%*"), ("-mapc", "num", "%%whole%%"), ("-endif",)],
]


@dataclass(frozen=True)
class CommandOutcome:
    """All that a user of the command sees."""

    code: int
    out: bytes
    err: bytes
    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Command:
    """A command line in parts that can be made smaller: attributes of -f, rules, and the input's lines."""

    attributes: str
    rules: list[Option]
    lines: list[bytes]

    @property
    def argv(self) -> list[str]:
        """The words behind ``aq_pp``."""
        columns = [f"{kind.value}:{key}" for key, kind in COLUMNS]
        words = [word for rule in self.rules for word in _words(rule)]
        return [f"-f{self.attributes}", "-", "-d", *columns, "-stat", *words]


def _words(rule: Option) -> list[str]:
    if rule[0] == "-o":
        number = int(rule[1])
        target = "-" if number % 3 == 0 else f"out{number}.csv"
        return ["-o,notitle" if number % 2 else "-o", target, "-c", *rule[2:]]
    if rule[0].startswith(("-if", "-elif")) and len(rule) > 1:
        return [rule[0], *_words(rule[1:])]
    return list(rule)


def make_command(seed: int, number: int) -> Command:
    """Command ``number`` of ``seed``."""
    source = random.Random(f"command {seed}/{number}")
    rules = generate_chain(source)
    if source.random() < 0.3:
        at = next((i for i, rule in enumerate(rules) if rule[0] != "-var"), len(rules))
        rules[at:at] = source.choice(_MAPPINGS)
    if any(rule[0] == "-var" for rule in rules):
        rules.append(("-ovar", "variables.csv"))
    lines = [_line(row, source) for row in generate_rows(source, source.choice([0, 3, 20, 60]))]
    if lines and source.random() < 0.3:
        lines[-1] = lines[-1].rstrip(b"\r\n")
    return Command(source.choice(["", ",eok", ",eok", ",eok,qui", ",eok,+1"]), rules, lines)


def _line(row: Row, source: random.Random) -> bytes:
    fields = [_field(value, key, source) for value, (key, _) in zip(row, COLUMNS, strict=True)]
    if source.random() < 0.03:
        fields = fields[: source.randrange(len(fields))]
    return b",".join(fields) + source.choice([b"\n", b"\n", b"\r\n"])


def _field(value: object, key: str, source: random.Random) -> bytes:
    if source.random() < 0.01:
        return source.choice(_DIRT)
    if key == "ip1" and isinstance(value, bytes):
        return b".".join(b"%d" % byte for byte in value) if len(value) == 4 else b""
    if isinstance(value, bytes):
        return b'"' + value.replace(b'"', b'""') + b'"'
    return repr(value).encode()


def run_command(command: Command, engine: str, batch_bytes: int = 8 << 20) -> CommandOutcome:
    """Run ``aq_pp`` inside this process, in an empty folder, reading about ``batch_bytes`` a batch."""
    # The command has no option for it, so its default is changed; a KeyError would say that it is gone.
    before = _DEFAULTS["batch_bytes"]
    _DEFAULTS["batch_bytes"] = batch_bytes
    try:
        return _run(command, engine)
    finally:
        _DEFAULTS["batch_bytes"] = before


def _run(command: Command, engine: str) -> CommandOutcome:
    with tempfile.TemporaryDirectory() as folder, _inside(folder, engine, b"".join(command.lines)) as (out, err):
        (Path(folder) / "table.csv").write_bytes(_TABLE)
        code = exit_code("aq_pp", lambda: aq_pp.main(command.argv))
        files = tuple((path.name, path.read_bytes()) for path in sorted(Path(folder).iterdir()))
        return CommandOutcome(code, out.getvalue(), err.getvalue(), files)


@contextmanager
def _inside(folder: str, engine: str, data: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    out, err = io.BytesIO(), io.BytesIO()
    before = os.environ.get("ESS_ENGINE"), Path.cwd(), sys.stdin, sys.stdout, sys.stderr
    os.environ["ESS_ENGINE"] = engine
    os.chdir(folder)
    sys.stdin = SimpleNamespace(buffer=io.BytesIO(data))  # type: ignore[assignment]
    # Write-through, so that the buffers need no flush; the wrappers must outlive the swap.
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", errors="backslashreplace", write_through=True)
    wrappers = sys.stdout, sys.stderr
    try:
        yield out, err
    finally:
        engine_before, folder_before, sys.stdin, sys.stdout, sys.stderr = before
        os.environ.pop("ESS_ENGINE")
        if engine_before is not None:
            os.environ["ESS_ENGINE"] = engine_before
        os.chdir(folder_before)
        for wrapper in wrappers:
            wrapper.detach()


#: The ways to run a command, the first of which is right by definition.
_WAYS = (("row", 8 << 20), ("columnar", 8 << 20), ("columnar", 300), ("row", 300))


def command_difference(command: Command) -> str:
    """How a command's outcome depends on the engine or the batch size; blank if it does not."""
    (engine, size), *others = _WAYS
    expected = run_command(command, engine, size)
    for engine, size in others:
        outcome = run_command(command, engine, size)
        for part in ("code", "out", "err", "files"):
            if getattr(outcome, part) != getattr(expected, part):
                return (
                    f"{part} with ESS_ENGINE={engine} and batches of {size} bytes:\n"
                    f"  expected {getattr(expected, part)!r}\n  found    {getattr(outcome, part)!r}"
                )
    return ""
