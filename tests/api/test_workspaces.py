"""Several users in one process: each has settings, a folder, an environment and a umask; and jobs of their own."""

from __future__ import annotations

import inspect
import os
import threading
from pathlib import Path

import pytest

import ess
from ess.api import jobs
from ess.api.results import StreamOutput
from ess.cluster.report import StreamResult
from ess.errors import EssError, InitializationError, OptionError
from ess.settings import cache_dir, setting, work_dir
from ess.stores.disk import Disk
from ess.surroundings import Workspace, absolute, carried, current_folder, environment
from tests.cluster.running import marked, wait_until


@pytest.fixture
def process_state(places: dict[str, str]) -> tuple[object, ...]:
    return _process_state()


def _process_state() -> tuple[object, ...]:
    umask = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Umask"))
    variables = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return variables, Path.cwd(), umask


def user(tmp_path: Path, name: str, *, umask: int = 0o022) -> Workspace:
    home = tmp_path / name
    home.mkdir()
    (home / "visits_20140901.csv").write_text(f"day,user\n2014-09-01,{name}\n")
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "WHO": name, "ESS_WARM": "0"}
    return ess.workspace(
        str(home),
        cache_dir="~/ess" if name == "ann" else str(home / "ess"),
        work_dir="conf",
        environment=variables,
        umask=umask,
    )


def test_users_see_their_own_settings_files_and_commands(process_state: tuple[object, ...], tmp_path: Path) -> None:
    users = {"ann": user(tmp_path, "ann", umask=0o077), "bob": user(tmp_path, "bob", umask=0o002)}
    for name, workspace in users.items():
        with workspace.entered():
            assert (setting("ESS_WARM"), Path(current_folder()).name) == ("0", name)
            assert absolute("~/x") == tmp_path / name / "x" == absolute("x")
            ess.select("local", label=name)
            ess.category_add("visits", "visits_*", comment=name)
            assert ess.execute("echo $WHO; pwd; umask; : > made").lines == [
                name,
                str(tmp_path / name),
                "0077" if name == "ann" else "0002",
            ]
            assert work_dir() == tmp_path / name / "conf"
            Disk(tmp_path / name).put("put", b"")
    modes = [(tmp_path / name / file).stat().st_mode & 0o777 for name in users for file in ("made", "put")]
    assert modes == [0o600, 0o600, 0o664, 0o664]
    for name, workspace in users.items():
        with workspace.entered():
            assert list(ess.repository().datastores) == [name]
            assert cache_dir() == tmp_path / name / "ess"
            assert ess.category("visits").comment == name
            assert ess.stream("visits", command="tail -1; echo $WHO").lines == [f"2014-09-01,{name}", name]
    assert (environment(), _process_state()) == (os.environ, process_state)
    with pytest.raises(InitializationError, match="no datastore is selected"):
        ess.category("visits")


def test_users_at_the_same_time(process_state: tuple[object, ...], tmp_path: Path) -> None:
    both = threading.Barrier(2)
    found: dict[str, list[str]] = {}

    def work(name: str, workspace: Workspace) -> None:
        with workspace.entered():
            ess.select("local")
            ess.category_add("visits", "visits_*")
            both.wait(60)  # each is in its workspace while the other one is
            found[name] = ess.stream("visits", command="tail -1; pwd").lines
            both.wait(60)

    threads = [threading.Thread(target=work, args=(name, user(tmp_path, name))) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: [f"2014-09-01,{name}", str(tmp_path / name)] for name in ("ann", "bob")}
    assert _process_state() == process_state


def test_a_thread_is_in_the_workspace_of_its_maker_when_it_is_carried_there(tmp_path: Path) -> None:
    seen: list[str] = []
    with user(tmp_path, "ann").entered():
        work = carried(lambda: seen.append(current_folder()))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [str(tmp_path / "ann")]


def test_what_is_in_a_workspace_is_not_printed_and_must_be_there(tmp_path: Path) -> None:
    secret = ess.workspace(str(tmp_path), environment={"AWS_SECRET_ACCESS_KEY": "hidden"})
    assert "hidden" not in repr(secret)
    with pytest.raises(OptionError, match="there is no such folder"):
        ess.workspace(str(tmp_path / "none"))


# Jobs -----------------------------------------------------------------------------------------------------------------


def test_a_job_tells_its_progress_and_its_result(process_state: tuple[object, ...], tmp_path: Path) -> None:
    with user(tmp_path, "ann").entered():
        ess.select("local")
        ess.category_add("visits", "visits_*")
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        job = ess.start_stream("visits", command=f"read x < {gate}; wc -l; echo $WHO")
    wait_until(lambda: job.progress)
    assert (job.ended, job.progress and (job.progress.files, job.progress.all_files)) == (False, (0, 1))
    assert not job.wait(0)
    gate.write_text("\n")
    found = job.result()
    assert found is not None
    assert (found.lines, job.ended, job.cancelled) == (["2", "ann"], True, False)
    assert job.progress is not None
    assert job.progress.files == 1


def test_a_cancelled_job_leaves_nothing_running_and_can_be_resumed(places: dict[str, str], tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"day_2014090{number}.csv").write_text("a,b\n1,2\n")
    ess.select("local")
    ess.category_add("days", f"{tmp_path}/day_*")
    command = f"[ %FILE = day_20140901.csv ] || [ -e {tmp_path}/mended ] || {{ : > {tmp_path}/begun; sleep 300; }}; cat"
    job = ess.start_stream("days", command=command)
    wait_until((tmp_path / "begun").exists)
    job.cancel()
    assert job.result() is None
    assert (job.ended, job.cancelled) == (True, True)
    assert not marked(f"{tmp_path}/begun")
    (tmp_path / "mended").touch()
    again = ess.start_stream("days", command=command, resume=True).result()
    assert again is not None
    assert (again.result.files, again.result.resumed, again.lines) == (1, 1, ["a,b", "1,2"])


def test_a_mistake_is_raised_by_the_result(places: dict[str, str]) -> None:
    ess.select("local")
    job = ess.start_stream("nothing")
    with pytest.raises(EssError, match="nothing"):
        job.result()


def test_start_stream_takes_the_arguments_of_stream_and_passes_them_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told = dict(inspect.signature(ess.stream).parameters)
    jobs_own = {"progress", "cancelled"}
    assert dict(inspect.signature(ess.start_stream).parameters) == {
        name: parameter for name, parameter in told.items() if name not in jobs_own
    }
    given = {name: object() for name in told if name not in jobs_own}
    passed: list[dict[str, object]] = []

    def record(*words: object, **named: object) -> StreamOutput:
        passed.append({**dict(zip(told, words, strict=False)), **named})
        return StreamOutput(b"", b"", StreamResult(0, 0, 0, 0, (), (), ""))

    monkeypatch.setattr(jobs, "stream", record)
    assert ess.start_stream(**given).result() is not None  # type: ignore[arg-type]
    assert {name: value for name, value in passed[0].items() if name not in jobs_own} == given
    assert passed[0].keys() == told.keys()
