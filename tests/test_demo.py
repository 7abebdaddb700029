"""The demo ends with the same answer with and without a cluster, accounts for every record, and leaves nothing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.places import ports_in_a_row
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent


def demo(folder: Path, port: int, *words: str) -> str:
    """The output of the demo on both streams, in order."""
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "demo.sh"), *words],
        env={**os.environ, "DEMO_DIR": str(folder), "DEMO_PORT": f"{port}", "ESS_WARM": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def answer(said: str) -> list[tuple[str, str, str]]:
    """The best customers, with sums of 12 digits: the last ones depend on the order of the parts."""
    _, _, after = said.partition("-sort,dec total -top 10")
    rows = re.findall(r'^"([^"\n]+)",(\d+),([\d.]+)$', after, re.MULTILINE)
    return [(user, article, f"{float(total):.12g}") for user, article, total in rows]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The demo without and with a cluster."""
    with ports_in_a_row() as port:
        alone = demo(tmp_path_factory.mktemp("alone") / "demo", port, "--embedded")
        return alone, demo(tmp_path_factory.mktemp("cluster") / "demo", port)


def test_the_answer_does_not_depend_on_the_cluster(runs: tuple[str, str]) -> None:
    alone, cluster = runs
    assert len(answer(alone)) == 10
    assert answer(alone) == answer(cluster)


def test_every_record_is_accounted_for(runs: tuple[str, str]) -> None:
    for said in runs:
        line = re.search(r"([\d,]+) rows read = ([\d,]+) imported \+ ([\d,]+) filtered \+ ([\d,]+) rejected", said)
        assert line, said
        read, imported, filtered, rejected = (int(number.replace(",", "")) for number in line.groups())
        assert read == imported + filtered + rejected
        written = re.search(r"(\d+) purchases \((.*)\)", said)
        assert written, said
        kinds = {kind: int(count) for count, kind in re.findall(r"(\d+) ([a-zA-Z -]+)", written[2])}
        assert read == int(written[1])
        assert rejected == kinds["TBD"] + kinds["too short"]


def test_nothing_is_left(runs: tuple[str, str]) -> None:
    for said in runs:
        assert "no process left" in said.splitlines()[-1]
