"""The same through aq_pp: generated command lines over generated dirty text, once with each engine."""

from __future__ import annotations

import gzip
import importlib
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

from ess.formats.reader import read_input
from ess.tools import aq_pp
from ess.tools.process import exit_code
from tests.differential.chain import Option
from tests.differential.command_input import make_input
from tests.differential.command_rules import GENERATOR, MODULE, MORE, NUMBERS, TABLE, CommandRules
from tests.differential.data import generate_rows
from tests.differential.generate import generate_chain

_DEFAULTS: dict[str, object] = read_input.__kwdefaults__ or {}

#: Below so many rows or bytes the program takes simpler ways: (module, name) of each such limit.
_LIMITS = (
    ("ess.formats.reader", "_SMALL"),
    ("ess.formats.reader", "_TINY"),
    ("ess.formats.output.render", "_FEW_ROWS"),
    ("ess.formats.output.render", "_FEW_OF_A_BATCH"),
    ("ess.pipeline.run", "_LARGE"),
    ("ess.pipeline.outputs", "_LARGE"),
    ("ess.engines.columnar.distinct", "_SMALL"),
    ("ess.engines.columnar.lookup", "_FEW_ROWS"),
)


@dataclass(frozen=True)
class CommandOutcome:
    """All that a user of the command sees."""

    code: int
    out: bytes
    err: bytes
    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Command:
    """A command line in parts that can be made smaller: attributes of -f, column specs, rules, and the input's lines.

    ``size`` is how many bytes the smaller batches have; ``first`` how many of the lines stand in a compressed file
    before the standard input.
    """

    attributes: str
    specs: list[str]
    rules: list[Option]
    lines: list[bytes]
    size: int
    first: int = 0

    @property
    def argv(self) -> list[str]:
        """The words behind ``aq_pp``."""
        words = [word for rule in self.rules for word in _words(rule)]
        files = ["first.gz", "-"] if self.first else ["-"]
        return [f"-f{self.attributes}", *files, "-d", *self.specs, "-stat", *words]


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
    CommandRules(source).put_into(rules)
    if any(rule[0] == "-var" for rule in rules):
        rules.append(("-ovar", "variables.csv"))
    rows = generate_rows(source, source.choice([0, 3, 20, 60, 60, 300]))
    attributes, specs, lines = make_input(rows, source)
    attributes += source.choice(["", ",eok", ",eok", ",eok,qui", ",eok,+1", ",eok=2", ",eok=1/5,qui=1"])
    first = source.randint(0, len(lines)) if source.random() < 0.2 else 0
    return Command(attributes, specs, rules, lines, source.choice([1, 50, 300, 300, 1000]), first)


def run_command(command: Command, engine: str, batch_bytes: int = 8 << 20, *, large: bool = False) -> CommandOutcome:
    """Run ``aq_pp`` inside this process, in an empty folder, reading about ``batch_bytes`` a batch.

    ``large``: in all the ways that are for large inputs.
    """
    # The command has no option for it, so its default is changed; a KeyError would say that it is gone.
    before = _DEFAULTS["batch_bytes"]
    _DEFAULTS["batch_bytes"] = batch_bytes
    limits = [(importlib.import_module(module), name) for module, name in _LIMITS if large]
    values = [getattr(module, name) for module, name in limits]
    for module, name in limits:
        setattr(module, name, 0)
    try:
        return _run(command, engine)
    finally:
        _DEFAULTS["batch_bytes"] = before
        for (module, name), value in zip(limits, values, strict=True):
            setattr(module, name, value)


def _run(command: Command, engine: str) -> CommandOutcome:
    with (
        tempfile.TemporaryDirectory() as folder,
        _inside(folder, engine, b"".join(command.lines[command.first :])) as (out, err),
    ):
        (Path(folder) / "first.gz").write_bytes(gzip.compress(b"".join(command.lines[: command.first]), mtime=0))
        (Path(folder) / "own.py").write_bytes(MODULE)
        (Path(folder) / "gen.py").write_bytes(GENERATOR)
        (Path(folder) / "numbers.txt").write_bytes(NUMBERS)
        (Path(folder) / "table.csv").write_bytes(TABLE)
        (Path(folder) / "more.csv").write_bytes(MORE)
        code = exit_code("aq_pp", lambda: aq_pp.main(command.argv))
        files = tuple((path.name, path.read_bytes()) for path in sorted(Path(folder).iterdir()))
        return CommandOutcome(code, out.getvalue(), err.getvalue(), files)


@contextmanager
def _inside(folder: str, engine: str, data: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    out, err = io.BytesIO(), io.BytesIO()
    before = os.environ.get("ESS_ENGINE"), Path.cwd(), sys.stdin, sys.stdout, sys.stderr
    os.environ["ESS_ENGINE"] = engine
    os.chdir(folder)
    sys.stdin = SimpleNamespace(buffer=io.BytesIO(data))
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


def command_difference(command: Command) -> str:
    """The way a command's outcome depends on the engine or the batch size; blank if it does not."""
    whole = 8 << 20
    expected = run_command(command, "row", whole)
    ways = [("columnar", whole, True), ("columnar", command.size, False), ("row", command.size, True)]
    for engine, size, large in ways:
        outcome = run_command(command, engine, size, large=large)
        for part in ("code", "out", "err", "files"):
            if getattr(outcome, part) != getattr(expected, part):
                limits = ", limits at 0" if large else ""
                return (
                    f"{part} with ESS_ENGINE={engine}, batches of {size} bytes{limits}:\n"
                    f"  expected {getattr(expected, part)!r}\n  found    {getattr(outcome, part)!r}"
                )
    return ""
