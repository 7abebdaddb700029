"""An account of EC2 in which each test leaves nothing."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import botocore.loaders
import botocore.session
import pytest

from tests.cluster.cloud.ec2 import Ec2, ec2


@pytest.fixture(scope="session", autouse=True)
def _descriptions_are_read_once() -> Iterator[None]:
    """All accounts share the library's descriptions of services: to read that of EC2 takes most of a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.loaders.create_loader))
        yield


@pytest.fixture
def cloud(places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Ec2]:
    found = ec2()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    yield found
    left = found.left()
    if left:  # the next test is to find nothing
        found.empty()
    assert left == []
