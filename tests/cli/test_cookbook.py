"""The cookbook prints what it says, from generated logs; the first answers are also counted without us."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.cookbook_logs import write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cookbook.md"
_REQUEST = re.compile(r'\[.*?\] "\S+ (\S+) .*?" (\d+) (\d+) "(.*?)"')


@pytest.fixture
def logs(places: dict[str, str], tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    write(folder)
    return folder


def _steps() -> list[tuple[str, str]]:
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    steps = [step.partition("\n") for block in blocks for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, expected) for command, _, expected in steps]


def test_the_page(logs: Path, warm: dict[str, str]) -> None:
    environment = {**os.environ, **warm, "LC_ALL": "C.UTF-8"}
    for command, expected in _steps():
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=logs,
        )
        assert (done.stdout, done.returncode) == (expected, 0), (command, done.stderr)


def test_each_question_takes_three_commands_at_most() -> None:
    questions = re.split(r"^\*\*\d+\. ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert len(questions) == 22
    for question in questions:
        assert 1 <= len(re.findall(r"^\$ ", question, re.MULTILINE)) <= 3, question


def test_the_first_answers_are_right(logs: Path) -> None:
    lines = [line for path in logs.glob("nginx/*") for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    found = [match.groups() for line in lines if (match := _REQUEST.search(line))]
    assert len(found) == 240
    answers = dict(_steps())
    pages = Counter(url for url, _, _, _ in found).most_common(3)
    assert answers["ess top web url -n 3"].splitlines()[1:] == [f'"{url}",{count}' for url, count in pages]
    gone = Counter((url, referer) for url, status, _, referer in found if status == "404")
    assert answers["ess top web url,referer --where 'status == 404'"].splitlines()[1:] == [
        f'"{url}","{referer}",{count}' for (url, referer), count in gone.most_common()
    ]
    total = Counter[str]()
    for url, _, size, _ in found:
        total[url] += int(size)
    assert answers["ess top web url --by 'sum(bytes)' -n 3"].splitlines()[1:] == [
        f'"{url}",{size},{Counter(each[0] for each in found)[url]}' for url, size in total.most_common(3)
    ]
