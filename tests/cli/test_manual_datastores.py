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
from tests.store_servers import BUCKET, FOREIGN, StoreServer, store_server
from tests.web_server import Nginx, nginx

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "datastores.md"
FILES = {
    "shop/sales_20140901.csv.gz": gzip.compress(b"user,price\nann,3\nbob,4\n", mtime=0),
    "shop/sales_20140902.csv.gz": gzip.compress(b"user,price\nann,5\n", mtime=0),
    "shop/sales_20140903.zip": archive(),
    "shop/notes.txt": b"nothing\n",
    **{f"logs/2014/{day}/a.csv": b"a,b\n1,2\n" for day in ("08/31", "09/01", "09/02", "09/03")},
}


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    with store_server("s3") as found:
        for name, content in FILES.items():
            found.put(name, content)
        yield found


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx(tmp_path_factory.mktemp("web")) as found:
        for name, content in FILES.items():
            (found.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (found.folder / name).write_bytes(content)
        yield found


def test_the_page(server: StoreServer, web: Nginx, places: dict[str, str], tmp_path: Path) -> None:
    values = server.environment
    (tmp_path / "keys.csv").write_text(
        "User Name,Access Key Id,Secret Access Key\n"
        f"me,{values['AWS_ACCESS_KEY_ID']},{values['AWS_SECRET_ACCESS_KEY']}\n"
    )
    environment = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"AWS_ENDPOINT_URL": values["AWS_ENDPOINT_URL"]}
    page = PAGE.read_text().replace("shop-data", BUCKET).replace("127.0.0.1:8080", f"127.0.0.1:{web.ports['html']}")
    steps = 0
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
            )
            assert (done.stdout + done.stderr, done.returncode) == (expected, 0), command
            steps += 1
    assert steps == 22
