"""Files and folders of ours where other users can write, and under umasks that leave nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess import settings
from ess.certificates import issue, make_authority
from ess.cluster import ledger
from ess.errors import EssError, InitializationError
from tests.other_users.users import MALLORY, VICTIM, act_as, shared_folder


@pytest.fixture
def sticky() -> Iterator[Path]:
    with shared_folder(0o1777) as folder:
        yield folder


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    with shared_folder(0o777) as folder:
        yield folder


def refused(path: Path, match: str) -> None:
    """Making it, and writing into it, are errors that name the cause."""
    for attempt in (settings.make_private_folder, lambda path: settings.write_state(path / "x.json", 1, {})):
        with pytest.raises(InitializationError, match=match):
            attempt(path)
    assert not (path / "x.json").exists()


@pytest.mark.parametrize("victim", [0, VICTIM])
def test_a_folder_that_another_user_has_made_first(sticky: Path, victim: int) -> None:
    act_as(MALLORY, lambda: (sticky / "ess").mkdir(mode=0o755))
    act_as(victim, lambda: refused(sticky / "ess", "belongs to another user"))
    act_as(victim, lambda: refused(sticky / "ess" / "cluster", "belongs to another user"))


@pytest.mark.parametrize("victim", [0, VICTIM])
def test_a_folder_that_another_user_has_opened_to_all(sticky: Path, victim: int) -> None:
    def make() -> None:
        (sticky / "ess").mkdir()
        (sticky / "ess").chmod(0o777)

    act_as(MALLORY, make)
    act_as(victim, lambda: refused(sticky / "ess", "another user|every user"))


@pytest.mark.parametrize("victim", [0, VICTIM])
def test_a_link_of_another_user_in_the_place_of_the_folder(sticky: Path, victim: int) -> None:
    act_as(victim, lambda: (sticky / "mine").mkdir(mode=0o700))
    act_as(MALLORY, lambda: (sticky / "ess").symlink_to(sticky / "mine"))
    act_as(victim, lambda: refused(sticky / "ess", "belongs to another user"))
    act_as(victim, lambda: refused(sticky / "ess" / "cluster", "belongs to another user"))
    assert list((sticky / "mine").iterdir()) == []


@pytest.mark.parametrize("victim", [0, VICTIM])
def test_a_folder_that_another_user_could_swap(open_to_all: Path, victim: int) -> None:
    act_as(victim, lambda: refused(open_to_all / "ess", rf"chmod \+t {open_to_all}"))
    act_as(victim, lambda: refused(open_to_all / "a" / "b", r"chmod \+t"))
    act_as(victim, lambda: (open_to_all / "ess").mkdir(mode=0o700))

    def swap() -> None:
        (open_to_all / "ess").rename(open_to_all / "gone")
        (open_to_all / "ess").mkdir()

    act_as(MALLORY, swap)
    act_as(victim, lambda: refused(open_to_all / "ess", r"chmod \+t"))


def test_a_folder_of_ours_is_used_in_a_sticky_one(sticky: Path) -> None:
    act_as(VICTIM, lambda: settings.write_state(sticky / "ess" / "cluster" / "x.json", 1, {"a": 1}))
    act_as(VICTIM, lambda: (sticky / "way").symlink_to("ess"))
    act_as(VICTIM, lambda: same(settings.read_state(sticky / "way" / "cluster" / "x.json", 1), {"a": 1}))


def same(found: object, wanted: object) -> None:
    assert found == wanted


@pytest.mark.parametrize("victim", [0, VICTIM])
@pytest.mark.parametrize("kind", ["link", "pipe", "file"])
def test_what_another_user_has_put_under_the_name_of_a_file(sticky: Path, victim: int, kind: str) -> None:
    def write() -> None:
        (sticky / "precious").write_text("mine")

    act_as(victim, write)

    def put() -> None:
        name = sticky / "log"
        if kind == "link":
            name.symlink_to(sticky / "precious")
        elif kind == "pipe":
            os.mkfifo(name, 0o666)
        else:
            name.touch(0o666)
            name.chmod(0o666)

    act_as(MALLORY, put)

    def attempt() -> None:
        for flags in (os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC, os.O_RDWR):
            with pytest.raises((EssError, PermissionError)):  # the kernel may refuse before we do
                os.close(settings.open_private(sticky / "log", flags))

    act_as(victim, attempt)
    assert (sticky / "precious").read_text() == "mine"


@pytest.mark.parametrize("umask", [0o777, 0o277, 0o077, 0o022, 0])
@pytest.mark.parametrize("user", [0, VICTIM])
def test_whatever_the_umask_everything_is_the_owners_and_only_his(sticky: Path, umask: int, user: int) -> None:
    top = sticky / "a" / "ess"

    def use() -> None:
        os.umask(umask)
        os.environ["ESS_CACHE_DIR"] = str(top)
        settings.write_state(top / "x.json", 1, {"a": 1})
        assert settings.read_state(top / "x.json", 1) == {"a": 1}
        with settings.lock(top):
            pass
        make_authority(top / "tls", "one")
        issue(top / "tls", "server")
        job, folder = ledger.new_job()
        for _ in range(2):
            book = ledger.Ledger(job, folder)
            book.begin("what", "name")
            book.end(0)
            book.close()
        assert ledger.read_history(folder) is not None

    act_as(user, use)
    found = [top.parent, *top.parent.rglob("*")]
    modes = {path: (path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in found}
    assert len(found) > 8
    assert {mode for is_folder, mode in modes.values() if is_folder} == {0o700}, modes
    assert {mode for is_folder, mode in modes.values() if not is_folder} == {0o600}, modes
