"""The examples of docs/manual/archives.md print what the page says."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "archives.md"


def make_archives(folder: Path) -> None:
    with zipfile.ZipFile(folder / "reports.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, day, content in (
            ("2014/site_20140901.csv", 2, b"user,price\nann,3\nbob,4\n"),
            ("2014/site_20140902.csv", 3, b"user,price\nann,5\n"),
            ("2014/placement_20140901.csv.gz", 2, gzip.compress(b"user,place\nann,top\n", mtime=0)),
            ("__MACOSX/2014/._site_20140901.csv", 2, b"\0"),
        ):
            archive.writestr(zipfile.ZipInfo(name, (2014, 9, day, 1, 2, 4)), content)
    with tarfile.open(folder / "logs_20140904.tgz", "w:gz") as logs:
        for name, content in (("site_20140903.csv", b"user,price\neve,6\n"), ("site.csv", b"user,price\nzoe,7\n")):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1409875200
            logs.addfile(info, io.BytesIO(content))


def test_the_page(places: dict[str, str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    make_archives(data)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["ess", "select", "local"], env=environment, check=True, capture_output=True)
    steps = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", f"{{ {command}\n}} 2>&1"],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                cwd=data,
            )
            assert done.stdout.replace(str(data), "/data") == expected, command
            steps += 1
    assert steps == 10
