"""Secrets: the table says which settings are, and what must not see them derives from that."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ess.cluster.execute import execute
from ess.settings import SETTINGS, concealed, is_secret, without_secrets
from ess.udb.admin.processes import StartOptions, start, stop
from ess.udb.wire.access import udb_folder

SECRET = [row.variable for row in SETTINGS.values() if row.secret]

#: Of other programs, which people have beside ours.
KNOWN = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "GITHUB_TOKEN",
    "MYSQL_PWD",
    "OPENAI_API_KEY",
    "PGPASSWORD",
    "RSYNC_PASSWORD",
    "SSH_PASSPHRASE",
    "SMTP_PASS",
]

HARMLESS = [
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_PROFILE",
    "AWS_REGION",
    "AZURE_STORAGE_ACCOUNT",
    "ESS_SORT_MEMORY",
    "HOME",
    "OLDPWD",
    "PATH",
    "PWD",
    "SORT_KEY",
]


@pytest.mark.parametrize("name", [*SECRET, *KNOWN])
def test_secrets_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_other_variables_are_none(name: str) -> None:
    assert without_secrets({name: "x"}) == {name: "x"}


def test_what_sounds_like_a_secret_is_marked_in_the_table() -> None:
    words = ("SECRET", "TOKEN", "KEY", "CONNECTION_STRING", "PASSWORD")
    assert [name for name in SETTINGS if any(word in name for word in words)] == SECRET


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, places: dict[str, str]) -> str:
    """The value of every secret variable."""
    for name in (*SECRET, *KNOWN):
        monkeypatch.setenv(name, "sesame-3141592")
    return "sesame-3141592"


def test_commands_of_a_job_see_none(told: str) -> None:
    output = io.BytesIO()
    assert execute("env; echo end", stdout=output, stderr=io.BytesIO()).exit_code == 0
    assert output.getvalue().endswith(b"end\n")
    assert told.encode() not in output.getvalue()


def test_a_database_server_has_none(told: str, port_base: int) -> None:
    (server,) = start(udb_folder(), [port_base], StartOptions())
    try:
        environment = Path(f"/proc/{server.pid}/environ").read_bytes()
        assert b"PATH=" in environment
        assert told.encode() not in environment
    finally:
        stop(udb_folder(), port_base)


def test_a_message_has_the_name_instead_of_the_value(told: str, tmp_path: Path) -> None:
    assert told not in concealed(f"https://store/x?sig={told}&y")
    commands = Path(sys.executable).parent
    for words in (["aq_pp", "-f", f"{told}.csv", "-d", "i:a"], ["ess", "cluster", "set", told]):
        for warm in ("0", "1"):
            ended = subprocess.run(
                [commands / words[0], *words[1:]],
                env=dict(os.environ) | {"ESS_WARM": warm},
                cwd=tmp_path,
                capture_output=True,
                check=False,
            )
            assert ended.returncode
            assert told.encode() not in ended.stderr, words
            assert any(f"({name})".encode() in ended.stderr for name in (*SECRET, *KNOWN)), words
