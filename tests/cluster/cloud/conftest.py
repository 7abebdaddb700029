"""An account of EC2 in which each test leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.cloud.ec2 import Ec2, ec2


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
