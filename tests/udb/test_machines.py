"""A pool of servers on several machines: network namespaces with addresses of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.hosts.machines import Machine, machines, need_namespaces

PORT = 10010
ROWS = "".join(f"user{n},{n}\n" for n in range(1000))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine, Machine]]:
    """The user's machine, and two with a server each, started as the manual says."""
    need_namespaces()
    with machines(tmp_path_factory.mktemp("machines"), 2) as (own, first, second):
        spec = f"@Server: {first.address}:{PORT}\n@Server: {second.address}:{PORT}\n\n"
        (first.folder / "shop.spec").write_text(spec + "@Table:log s,pkey:user i:n\n@Table:last s,pkey:user i:n\n")
        first.run("ess", "udbd", "start")
        for other in (second, own):
            shutil.copy2(first.folder / "shop.spec", other.folder)
            (other.folder / "udb").mkdir(mode=0o700)
            shutil.copytree(first.folder / "udb" / "access", other.folder / "udb" / "access")
        try:
            second.run("ess", "udbd", "start")
            yield own, first, second
        finally:
            for machine in (first, second):
                machine.run("ess", "udbd", "stop", check=False)


def test_a_pool_of_two_machines(pool: tuple[Machine, Machine, Machine]) -> None:
    own, first, second = pool
    own.run("aq_pp", "-f", "-", "-d", "s:user", "i:n", "-imp", "shop:log", stdin=ROWS)
    assert own.run("aq_udb", "-cnt", "shop:log").stdout == '"field","count"\n"pkey",1000\n"row",1000\n'
    found = own.run("aq_udb", "-exp", "shop:log", "-sort", "n", "-o,notitle", "-").stdout
    assert found == "".join(f'"user{n}",{n}\n' for n in range(1000))
    shares = [
        int(machine.run("aq_udb", "-cnt", "shop:log", "-local", "-o,notitle", "-").stdout.split(",")[-1])
        for machine in (first, second)
    ]
    assert sum(shares) == 1000
    assert all(shares)


def test_udbd_starts_what_is_here_and_asks_the_others(pool: tuple[Machine, Machine, Machine]) -> None:
    own, first, second = pool
    for machine in (own, first):
        status = machine.run("ess", "udbd", "status").stdout
        assert f"{second.address}: (+) udbd-{PORT} running.\n" in status
        assert f"{second.address}: udbd-{PORT}: " in machine.run("ess", "udbd", "ckmem").stdout
    assert f"(+) udbd-{PORT} (" in first.run("ess", "udbd", "status").stdout
    assert f": udbd-{PORT} (" in first.run("ess", "udbd", "ckmem").stdout
    refused = own.run("ess", "udbd", "start", check=False)
    assert "all servers are on other machines; run there: ess udbd start" in refused.stderr
    assert f"{second.address}: udbd-{PORT} is on another machine; run there: ess udbd stop" in (
        first.run("ess", "udbd", "stop").stdout
    )
    assert f"{first.address}: (-) udbd-{PORT}: the server cannot be reached." in own.run("ess", "udbd", "status").stdout
    restarted = own.run("ess", "server", "restart", check=False)
    assert (restarted.returncode, "aq_udb -clr DbName" in restarted.stderr) == (2, True)
    first.run("ess", "udbd", "start")
    own.run("aq_pp", "-f", "-", "-d", "s:user", "i:n", "-imp", "shop:log", stdin=ROWS)
    own.run("aq_udb", "-clr", "shop")
    own.run("aq_udb", "-crt", "shop")
    assert own.run("aq_udb", "-cnt", "shop:log").stdout == '"field","count"\n"pkey",0\n"row",0\n'


def test_a_machine_that_is_cut_off_is_named_and_loses_nothing(pool: tuple[Machine, Machine, Machine]) -> None:
    own, _first, second = pool
    own.run("aq_pp", "-f", "-", "-d", "s:user", "i:n", "-imp", "shop:last", stdin=ROWS)
    second.run("ip", "link", "set", "wire", "down")
    refused = own.run("aq_udb", "-cnt", "shop:last", check=False)
    assert (refused.returncode, refused.stdout) == (31, "")
    assert refused.stderr.startswith(f"aq_udb: server {second.address}:{PORT}: the server ")
    second.run("ip", "link", "set", "wire", "up")
    second.run("ip", "route", "add", "default", "via", "10.99.2.1")
    assert own.run("aq_udb", "-cnt", "shop:last").stdout == '"field","count"\n"pkey",1000\n"row",1000\n'
