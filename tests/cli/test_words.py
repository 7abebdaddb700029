"""The start of ``ess``: only what a command needs is made, and values are converted as Typer does it."""

from __future__ import annotations

import enum
import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer._coercion import build_runtime_param
from typer.core import TyperGroup
from typer.testing import CliRunner

from ess.cli.app import PARTS, application, run, whole
from ess.cli.words import convert_without_pydantic


class _Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


_seen: list[tuple[object, ...]] = []


def _any(
    text: str,
    rest: Annotated[list[str] | None, typer.Argument()] = None,
    number: int = 7,
    ranged: Annotated[int | None, typer.Option(min=1, max=9)] = None,
    colour: _Colour = _Colour.RED,
    switch: bool = False,
    share: float = 0.5,
) -> None:
    _seen.append((text, rest, number, ranged, colour, switch, share))


def _made() -> tuple[CliRunner, typer.Typer]:
    application = typer.Typer()
    application.command()(_any)
    return CliRunner(), application


@pytest.mark.parametrize(
    "words",
    [
        "a",
        "a b c",
        "a --number 12 --ranged 9 --colour blue --switch --share 1e3",
        "a --number -3",
        "a --number 0012",
        "a --number 1_000",
        "a --number 4.0",
        "a --number x",
        "a --number=",
        "a --ranged 10",
        "a --ranged 0",
        "a --colour green",
        "a --colour Red",
        "a --share x",
        "a\udcff b",
        "",
    ],
)
def test_values_are_those_that_typer_makes(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for ours in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr("typer.core.build_runtime_param", build_runtime_param)
            if ours:
                convert_without_pydantic()
            runner, application = _made()
            del _seen[:]
            ended = runner.invoke(application, words.split())
            results.append((ended.exit_code, ended.output, [*_seen], [[type(each) for each in row] for row in _seen]))
    assert results[0] == results[1]


def test_each_module_has_the_commands_of_the_table() -> None:
    for part, names in PARTS.items():
        made = application([part])
        root = typer.main.get_command(made)
        assert isinstance(root, TyperGroup)
        assert {*root.commands} == {*names}
    root = whole()
    assert isinstance(root, TyperGroup)
    assert {*root.commands} == {name for names in PARTS.values() for name in names}


@pytest.mark.parametrize(
    "words", ["repository", "ls /nowhere -r --limit 3", "cluster status", "udbd status", "create database x"]
)
def test_a_start_loads_no_pydantic_and_no_other_part(places: dict[str, str], words: str) -> None:
    code = "import sys; from ess.cli.app import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words.split()], env=places, capture_output=True, text=True, check=False
    )
    loaded = {*done.stderr.split()}
    assert "ess.cli.app" in loaded
    assert not {"pydantic", "rich", "ess.cli.completion", "polars", "pyarrow", "numpy", "distributed"} & loaded
    parts = {f"ess.cli.{part}" for part, names in PARTS.items() if words.split()[0] in names}
    assert {f"ess.cli.{part}" for part in PARTS} & loaded - {"ess.cli.stream"} == parts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ls --limit x", "ess: ls: invalid value for '--limit': it is not a whole number; see: ess ls --help\n"),
        ("udbd stop --port 0", "ess: udbd stop: invalid value for '--port': "),
        ("sumary", "ess: unknown command 'sumary'; did you mean 'summary'?\n"),
        ("category chang", "ess: category: unknown command 'chang'; did you mean 'change'?\n"),
        ("summary a nothing", "ess: summary: invalid value for 'parameter': "),
    ],
)
def test_wrong_words_are_named_as_before(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 2
    assert capsys.readouterr().err.startswith(said)
