"""Running the tools inside the test process, as a shell would see them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ess.tools import aq_pp
from ess.tools.process import exit_code
from tests.tools.outcome import Outcome, Tool


@pytest.fixture
def run_tool(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Outcome]:
    """A function that runs a tool's ``main`` in an empty folder, with text as its standard input."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, main: Callable[[list[str]], int], argv: tuple[str, ...], stdin: str | bytes) -> Outcome:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        code = exit_code(name, lambda: main(list(argv)))
        out, err = capsysbinary.readouterr()
        return Outcome(code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))

    return run


@pytest.fixture(params=["row", "columnar"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both engines in turn, chosen as a user would."""
    monkeypatch.setenv("ESS_ENGINE", request.param)
    return str(request.param)


@pytest.fixture
def pp(run_tool: Callable[..., Outcome], engine: str) -> Tool:
    """``pp("-d", "i:a", stdin="1\\n")`` runs ``aq_pp``, once with each engine."""
    assert os.environ["ESS_ENGINE"] == engine

    def run(*argv: str, stdin: str | bytes = "") -> Outcome:
        outcome: Outcome = run_tool("aq_pp", aq_pp.main, argv, stdin)
        return outcome

    return run
