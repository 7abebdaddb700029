"""``ess file``: files pushed to the nodes and fetched from them. On hosts reached by SSH: ssh_clusters.py."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from ess import api
from ess.cluster import node_files, state
from ess.cluster.lifecycle import Desired
from ess.cluster.machines import LocalMachines
from ess.cluster.state import ClusterState
from ess.errors import EssError, InitializationError, InputOpenError, InputReadError, OutputOpenError


@pytest.fixture(params=[0, 2], ids=["no cluster", "two nodes"])
def nodes(
    request: pytest.FixtureRequest, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """The number of nodes; their folder is the current one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if request.param:
        state.write_cluster(ClusterState("local", "local-x", Desired(request.param)))
        LocalMachines().make("local-x", range(request.param))
    return int(request.param) or 1


def test_files_go_to_a_folder_of_the_nodes_and_come_back(nodes: int, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"1\n\xff")
    (folder / "sub" / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "sub" / "tool.sh").chmod(0o755)
    (folder / "odd\n$(id)").write_bytes(os.urandom(2 << 20))
    api.file_push([f"{folder}/a.csv", f"{folder}/sub", f"{folder}/odd\n$(id)"], dest="in/put")
    assert Path("in/put/a.csv").read_bytes() == b"1\n\xff"
    assert os.access("in/put/sub/tool.sh", os.X_OK)
    assert sorted(each.name for each in Path("in/put").iterdir()) == ["a.csv", "odd\n$(id)", "sub"]
    (folder / "a.csv").write_text("2\n")
    api.file_push([str(folder / "a.csv")], dest="in/put")
    assert Path("in/put/a.csv").read_text() == "2\n"

    written = api.file_get(["in/put/*.csv", "in/put/sub", f"{Path.cwd()}/in/put/odd\n$(id)"])
    names = ["a.csv", "sub", "sub/tool.sh", "odd\n$(id)"]
    for number in range(nodes):
        assert all(Path(f"worker-{number}", name).exists() for name in names)
        assert Path(f"worker-{number}", "odd\n$(id)").read_bytes() == (folder / "odd\n$(id)").read_bytes()
    assert len(written) == nodes * 3
    assert len([*Path.cwd().rglob(".ess-*")]) == 0


def test_a_file_that_is_in_the_folder_of_the_nodes_stays(nodes: int) -> None:
    Path("x").write_text("x")
    before = Path("x").stat()
    api.file_push(["x"])
    assert Path("x").stat() == before


def test_folders_are_made_with_those_above(nodes: int) -> None:
    api.file_mkdir("a/b c/'d'")
    api.file_mkdir("a/b c/'d'")
    assert Path("a/b c/'d'").is_dir()
    Path("file").touch()
    with pytest.raises(OutputOpenError, match="cannot make the folder .*file.*: "):
        api.file_mkdir("file/below")


def test_what_is_not_there_is_named(nodes: int) -> None:
    with pytest.raises(InputOpenError, match="nothing: there is no such file"):
        api.file_push(["nothing"])
    Path("x").write_text("x")
    with pytest.raises(InputOpenError, match=r"worker-0: there is no 'nothing\*'; the others were fetched"):
        api.file_get(["x", "nothing*"])
    assert Path("worker-0/x").read_text() == "x"


def test_a_stopped_cluster_has_no_nodes(places: dict[str, str]) -> None:
    state.write_cluster(ClusterState("local", "local-x", Desired(1, running=False)))
    with pytest.raises(InitializationError, match="the cluster is stopped"):
        api.file_mkdir("x")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("0/../../up", tarfile.REGTYPE),
        ("/0/etc/x", tarfile.REGTYPE),
        ("7/x", tarfile.REGTYPE),
        ("x", tarfile.REGTYPE),
        ("0", tarfile.REGTYPE),
        ("0/link/x", tarfile.REGTYPE),
    ],
)
def test_a_node_writes_nowhere_else(name: str, kind: bytes, tmp_path: Path) -> None:
    target = tmp_path / "mine" / "worker-0"
    target.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (target / "link").symlink_to(tmp_path / "outside")
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, 1
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(member, io.BytesIO(b"x"))
    packed.seek(0)
    with pytest.raises(InputReadError):
        node_files._read_tar(target, [[]], packed)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_links_and_devices_of_a_node_are_left_out(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, kind in (("0/link", tarfile.SYMTYPE), ("0/pipe", tarfile.FIFOTYPE), ("0/hard", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    packed.seek(0)
    found: list[list[Path]] = [[]]
    try:
        node_files._read_tar(tmp_path, found, packed)
    except EssError:
        pass
    assert [*tmp_path.rglob("*")] == []
