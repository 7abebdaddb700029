"""Real store servers on this machine: moto for S3, Microsoft's emulator azurite for Azure Blob, each a process."""

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

from tests import swift_server
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
BUCKET = "shop-data"

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


class Moto(OfS3):
    def __init__(self, port: int) -> None:
        import boto3

        url = f"http://127.0.0.1:{port}"
        common = {"endpoint_url": url, "region_name": "us-east-1"}
        # The first three requests go through unsigned; from then on keys and what they may do are checked.
        iam = boto3.client("iam", aws_access_key_id="first", aws_secret_access_key="first", **common)
        iam.create_user(UserName="saver")
        key = iam.create_access_key(UserName="saver")["AccessKey"]
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="saver", PolicyName="all", PolicyDocument=json.dumps(everything))
        self.secret = key["SecretAccessKey"]
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }
        self.wrong = {**self.environment, "AWS_SECRET_ACCESS_KEY": "wrong" + self.secret[5:]}
        self.elsewhere = {**self.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:PORT"}
        self._client = boto3.client(
            "s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=self.secret, **common
        )
        self._client.create_bucket(Bucket=BUCKET)


class Swift(OfS3):
    secret = swift_server.SECRET

    def __init__(self, port: int) -> None:
        import boto3
        from botocore.config import Config

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


class Azurite(StoreServer):
    scheme = "az"
    secret = AZURITE_KEY

    def __init__(self, port: int) -> None:
        from azure.storage.blob import ContainerClient

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

    def publish(self) -> None:
        """Let everybody read the container, without a key."""
        self._client.set_container_access_policy({}, public_access="container")


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


@contextmanager
def running(words: list[str], log: Path, variables: dict[str, str]) -> Iterator[int]:
    """Run a server that chooses its port and prints it; give the port, and end the server at last."""
    environment = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**environment, **variables}
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(rb"http://127\.0\.0\.1:([1-9]\d*)", log.read_bytes())):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{words[0]} does not start: {log.read_text('utf-8', 'replace')}")
            time.sleep(0.05)
        yield int(found[1])
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def store_server(scheme: str, folder: Path) -> Iterator[StoreServer]:
    """A server of a kind (``swift``: another one of S3), with an empty bucket."""
    if scheme == "swift":
        with swift_server.swift(folder) as port:
            yield Swift(port)
    elif scheme == "s3":
        words = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", "0"]
        with running(words, folder / "moto.log", {"INITIAL_NO_AUTH_ACTION_COUNT": "3"}) as port:
            yield Moto(port)
    else:
        words = [azurite(), "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
        words += ["--silent", "--blobHost", "127.0.0.1", "--blobPort", "0"]
        with running(words, folder / "azurite.log", {}) as port:
            yield Azurite(port)
