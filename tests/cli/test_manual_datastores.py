"""The examples of docs/manual/datastores.md print what the page says."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lake.test_cloud import archive
from tests.store_servers import FOREIGN, StoreServer, store_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "datastores.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with store_server("s3", tmp_path_factory.mktemp("store")) as found:
        for name, rows in (("01", b"ann,3\nbob,4\n"), ("02", b"ann,5\n")):
            found.put(f"shop/sales_201409{name}.csv.gz", gzip.compress(b"user,price\n" + rows, mtime=0))
        found.put("shop/sales_20140903.zip", archive())
        found.put("shop/notes.txt", b"nothing\n")
        yield found


def test_the_page(server: StoreServer, places: dict[str, str], tmp_path: Path) -> None:
    values = server.environment
    (tmp_path / "keys.csv").write_text(
        "User Name,Access Key Id,Secret Access Key\n"
        f"me,{values['AWS_ACCESS_KEY_ID']},{values['AWS_SECRET_ACCESS_KEY']}\n"
    )
    environment = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"AWS_ENDPOINT_URL": values["AWS_ENDPOINT_URL"]}
    steps = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
            )
            assert (done.stdout + done.stderr, done.returncode) == (expected, 0), command
            steps += 1
    assert steps == 6
