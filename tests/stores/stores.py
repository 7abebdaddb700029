"""Stores of every kind, each with its server, and nothing about them in the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ess.stores.kinds import Access, Credentials
from tests.store_servers import ALONE, BUCKET, FOREIGN, StoreServer, store_server

KINDS = ("local", "s3", "swift", "az")


@contextmanager
def served(kind: str) -> Iterator[StoreServer | None]:
    """The server of a kind of store; None for this disk."""
    if kind == "local":
        yield None
        return
    with store_server(kind) as found:
        yield found


def access(server: StoreServer) -> Access:
    """The access to the bucket of a server."""
    return Access(server.scheme, BUCKET, Credentials(tuple(server.environment.items())))


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all that is known of stores out of the environment."""
    for name in [name for name in os.environ if FOREIGN.match(name)]:
        monkeypatch.delenv(name)
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
