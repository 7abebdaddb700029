"""For tests and docstring examples alike: nothing that runs here may touch the state of the person who runs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_state_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """State and settings in a temporary folder, for what does not ask for places of its own."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESS_CACHE_DIR", str(folder / "ess"))
        patch.setenv("ESS_WORK_DIR", str(folder / "conf"))
        for variable in ("ESS_COUNTS", "ESS_IMPORT_ID", "ESS_IMPORT_SEQ", "ESS_UDB_NODE", "ESS_NODE_ID", "ESS_ENGINE"):
            patch.delenv(variable, raising=False)
        patch.setenv("ESS_WARM", "0")  # the tests of the tool server start one themselves
        yield
