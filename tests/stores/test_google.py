"""Google's buckets, by a server of S3 in their place: objects of streams, and checkpoints of databases."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ess
from ess.lake import datastores
from ess.stores.kinds import Credentials
from ess.stores.store import PIECE, pieces
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.spec.spec import Server
from tests.store_servers import BUCKET, Moto
from tests.stores.stores import forget
from tests.udb.conftest import access, start_server, write_spec
from tests.udb.faults import operation, put

__all__ = ["access", "start_server", "write_spec"]


@pytest.fixture
def server(s3: Moto) -> Moto:
    """The server of S3, with an empty bucket."""
    s3.empty()
    return s3


@pytest.fixture
def google(server: Moto, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of Google's buckets."""
    forget(monkeypatch)
    server.empty()
    return {
        "GS_ENDPOINT_URL": server.environment["AWS_ENDPOINT_URL"],
        "GS_ACCESS_KEY_ID": server.environment["AWS_ACCESS_KEY_ID"],
        "GS_SECRET_ACCESS_KEY": server.environment["AWS_SECRET_ACCESS_KEY"],
    }


def test_objects_of_a_stream(google: dict[str, str], server: Moto, places: dict[str, str], tmp_path: Path) -> None:
    made = datastores.select(f"gs://{BUCKET}", label="results", credentials=Credentials(tuple(google.items())))
    content = os.urandom(PIECE + 7)
    for name, data in (("small", b"x"), ("large", content)):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_bytes(data)
    ess.select("local")
    ess.category_add("log", f"{tmp_path}/data/*", dateregex="none", noprobe=True)
    done = ess.stream("log", command="cat", s3out="results:out/").result
    assert (done.exit_code, done.objects) == (0, 2)
    assert (server.get("out/small"), server.get("out/large")) == (b"x", content)
    assert b"".join(pieces(made.access.open().open("out/large"))) == content


def test_a_checkpoint(
    google: dict[str, str],
    server: Moto,
    monkeypatch: pytest.MonkeyPatch,
    start_server: Any,
    write_spec: Callable[..., list[Server]],
) -> None:
    for name, value in google.items():
        monkeypatch.setenv(name, value)
    write_spec(start_server(), start_server(), definition="@Table:log s,pkey:user i:n i:value\n")
    put("log", [(b"u%d" % (n % 7), n, 0) for n in range(100)])
    before = sorted(export_batch("db:log")[0].rows())
    for _ in range(2):  # the second takes the place of the first
        perform(operation("-save", "db", f"gs://{BUCKET}/saved/shop"))
    assert "saved/shop/manifest.json" in server.names()
    write_spec(start_server(), definition="@Table:log s,pkey:user i:n i:value\n")
    assert perform(operation("-load", "db", f"gs://{BUCKET}/saved/shop")) == 100
    assert sorted(export_batch("db:log")[0].rows()) == before
