"""Real store servers on this machine: moto and Swift for S3, Microsoft's emulator azurite for Azure Blob.

Each is a process that all processes of a test run share; each of these has a bucket of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import shared_servers, swift_server
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
#: That of this process of the run; they are equally long, and no part of a date.
BUCKET = f"shop-{''.join('abcdefghij'[int(digit)] for digit in WORKER.zfill(4)) if WORKER else 'data'}"

#: Where `make azurite` installs it.
AZURITE = ROOT / ".venv" / "azurite" / "node_modules" / ".bin" / "azurite-blob"

#: The key that the emulator has for its account, so that all can know it.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

#: What the environment of whoever runs the tests may say must not matter, and nobody may ask the network of a cloud.
FOREIGN = re.compile(r"(AWS|AZURE|IDENTITY|MSI)_")
ALONE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
}


class StoreServer:
    """A server, how programs are told about it, and what is in it as its vendor's library sees it."""

    scheme: str
    environment: dict[str, str]
    #: What must not be seen anywhere.
    secret: str
    #: As ``environment``, with another key.
    wrong: dict[str, str]
    #: As ``environment``, but for a server at another port, to be put in for ``PORT``.
    elsewhere: dict[str, str]

    def address(self, key: str) -> str:
        return f"{self.scheme}://{BUCKET}/{key}"

    def names(self) -> list[str]:
        raise NotImplementedError

    def get(self, key: str) -> bytes:
        raise NotImplementedError

    def put(self, key: str, content: bytes) -> None:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def empty(self) -> None:
        for key in self.names():
            self.delete(key)


class OfS3(StoreServer):
    """A server that AWS's own library knows."""

    scheme = "s3"
    _client: Any

    def empty(self) -> None:
        super().empty()
        for upload in self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self._client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])

    def names(self) -> list[str]:
        return [item["Key"] for item in self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def get(self, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=key)


def _moto(folder: Path) -> tuple[int, dict[str, Any]]:
    """Start it and make a user with a key."""
    import boto3

    words = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", "0"]
    refuse = (
        "MOTO_ENABLE_AMI_VALIDATION",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION",
        "MOTO_ENABLE_KEYPAIR_VALIDATION",
    )
    pid, port = begin(words, folder / "log", {"INITIAL_NO_AUTH_ACTION_COUNT": "3", **dict.fromkeys(refuse, "true")})
    # The first three requests go through unsigned; from then on keys and what they may do are checked.
    first = {"aws_access_key_id": "first", "aws_secret_access_key": "first", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=f"http://127.0.0.1:{port}", **first)
    iam.create_user(UserName="saver")
    key = iam.create_access_key(UserName="saver")["AccessKey"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="saver", PolicyName="all", PolicyDocument=json.dumps(everything))
    return pid, {"port": port, "key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


class Moto(OfS3):
    def __init__(self, server: str = "moto") -> None:
        import boto3

        told = shared_servers.use(server, _moto)
        url = f"http://127.0.0.1:{told['port']}"
        self.secret = told["secret"]
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": told["key"],
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }
        self.wrong = {**self.environment, "AWS_SECRET_ACCESS_KEY": "wrong" + self.secret[5:]}
        self.elsewhere = {**self.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:PORT"}
        self._client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=told["key"],
            aws_secret_access_key=self.secret,
        )
        self._client.create_bucket(Bucket=BUCKET)


def _swift(folder: Path) -> tuple[int, dict[str, Any]]:
    pid, port = begin(swift_server.command(folder), folder / "log", {"TZ": "UTC+0"})
    return pid, {"port": port}


class Swift(OfS3):
    secret = swift_server.SECRET

    def __init__(self) -> None:
        import boto3
        from botocore.config import Config

        port = shared_servers.use("swift", _swift)["port"]
        url = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": swift_server.KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }
        self.wrong = {**self.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
        self.elsewhere = {**self.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:PORT"}
        self._client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=swift_server.KEY,
            aws_secret_access_key=self.secret,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._client.create_bucket(Bucket=BUCKET)


def _azurite(folder: Path) -> tuple[int, dict[str, Any]]:
    words = [azurite(), "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    words += ["--silent", "--blobHost", "127.0.0.1", "--blobPort", "0"]
    pid, port = begin(words, folder / "log", {})
    return pid, {"port": port}


class Azurite(StoreServer):
    scheme = "az"
    secret = AZURITE_KEY

    def __init__(self) -> None:
        from azure.storage.blob import ContainerClient

        port = shared_servers.use("azurite", _azurite)["port"]
        self.environment = {"AZURE_STORAGE_CONNECTION_STRING": _connection(port, AZURITE_KEY)}
        self.wrong = {"AZURE_STORAGE_CONNECTION_STRING": _connection(port, "d3Jvbmc=")}
        self.elsewhere = {"AZURE_STORAGE_CONNECTION_STRING": _connection("PORT", AZURITE_KEY)}
        self._client = ContainerClient.from_connection_string(_connection(port, AZURITE_KEY), BUCKET)
        self._client.create_container()

    def names(self) -> list[str]:
        return [str(item.name) for item in self._client.list_blobs()]

    def get(self, key: str) -> bytes:
        return bytes(self._client.download_blob(key).readall())

    def put(self, key: str, content: bytes) -> None:
        self._client.upload_blob(key, content, overwrite=True)

    def delete(self, key: str) -> None:
        self._client.delete_blob(key)

    @contextmanager
    def published(self) -> Iterator[None]:
        """Let everybody read the container, without a key, for some time."""
        self._client.set_container_access_policy({}, public_access="container")
        try:
            yield
        finally:
            self._client.set_container_access_policy({})


def _connection(port: int | str, key: str) -> str:
    place = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={key};BlobEndpoint={place};"


def azurite() -> str:
    """The emulator's program.

    It is a package of npm, and comes with `make azurite`.
    """
    found = str(AZURITE) if AZURITE.exists() else shutil.which("azurite-blob")
    if found is None:
        pytest.skip("azurite is not on this machine; run: make azurite")
    return found


def begin(words: list[str], log: Path, variables: dict[str, str]) -> tuple[int, int]:
    """Start a server that chooses its port and prints it; its process and the port."""
    environment = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    # It belongs to all processes of the run, not to the one that has started it.
    environment.pop("PYTEST_XDIST_WORKER", None)
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**environment, **variables}
        )
    _started.append(process)
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(rb"http://127\.0\.0\.1:([1-9]\d*)", log.read_bytes())):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{words[0]} does not start: {log.read_text('utf-8', 'replace')}")
        time.sleep(0.05)
    return process.pid, int(found[1])


_started: list[subprocess.Popen[bytes]] = []
_known: dict[str, StoreServer] = {}


@contextmanager
def store_server(scheme: str) -> Iterator[StoreServer]:
    """The server of a kind (``swift``: another one of S3), with an empty bucket; one user of it at a time."""
    if scheme not in _known:
        _known[scheme] = {"s3": Moto, "swift": Swift, "az": Azurite}[scheme]()
    _known[scheme].empty()
    yield _known[scheme]
