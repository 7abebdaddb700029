"""Files of a store go through commands, with credentials that come along with the job and nowhere else."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.lake.listing import list_files
from ess.lake.patterns import Pattern
from ess.stores.kinds import Access, Credentials
from tests.store_servers import StoreServer
from tests.stores.stores import KINDS, access, forget, served


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[StoreServer | None]:
    with served(request.param) as found:
        yield found


def test_the_files_of_a_store_are_streamed(
    server: StoreServer | None, tmp_path: Path, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(monkeypatch)
    source = Access() if server is None else access(server)
    store = source.open()
    root = f"{tmp_path}/files/"[1:] if server is None else "files/"
    for number in range(3):
        store.put(f"{root}{number}.gz", gzip.compress(b"line %d\n" % number * 1000))
    files = list_files([Pattern(store.at(f"{root}*"))], label="here", store=store).files
    output, messages = io.BytesIO(), io.BytesIO()
    command = "wc -l; if env | grep -q -e ^AWS_SECRET -e ^AZURE_STORAGE_CONN; then echo told; fi"
    result = stream_source(
        Source(files, access=source), command, stdout=output, stderr=messages, options=StreamOptions()
    )
    assert (result.exit_code, output.getvalue().split()) == (0, [b"1000"] * 3)
    if server is not None:
        wrong = Access(source.kind, source.name, Credentials(tuple(server.wrong.items())))
        result = stream_source(
            Source(files, access=wrong), "cat", stdout=output, stderr=messages, options=StreamOptions()
        )
        assert len(result.failures) == 3
        assert "refuses access" in result.failures[0].problem
        assert server.secret not in result.failures[0].problem + messages.getvalue().decode()
