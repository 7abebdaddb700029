"""Addresses of stores, what the environment says about them, and what is said about failures: never a secret."""

from __future__ import annotations

import os

import pytest

from ess.errors import OptionError, OutputWriteError
from ess.stores.address import Address, open_store, parse_address
from tests.store_servers import FOREIGN

SECRET = "c2VjcmV0LXNlY3JldA"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if FOREIGN.match(name)]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://my.bucket/a", Address("s3", "my.bucket", "a")),
        ("S3://b-1/a b/100%/%20/ü?#&+/", Address("s3", "b-1", "a b/100%/%20/ü?#&+")),
        ("az://box/a/b", Address("az", "box", "a/b")),
        ("blob://box/a", Address("az", "box", "a")),
        ("folder/s3:/x", None),
        ("/a://b", None),
    ],
)
def test_an_address_is_taken_as_it_is(text: str, place: Address | None) -> None:
    assert parse_address(text) == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://b/a", "no access to 'ftp' stores"),
        ("https://account.blob.core.windows.net/box/a", "no access to 'https' stores"),
        ("s3://b/a", "bad name 'b'"),
        ("s3:///a", "bad name ''"),
        ("s3://bucket", "the path in the bucket is missing"),
        ("s3://bucket/", "the path in the bucket is missing"),
        ("s3://bucket/a//b", "bad path"),
        ("s3://bucket/../b", "bad path"),
        ("s3://bucket/a\nb", "bad path"),
        ("s3://bucket/a\udcff", "bad path"),
    ],
)
def test_what_is_no_place_in_a_store_is_refused(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"s3://AKIA1:{SECRET}@bucket/a",
        f"s3://bucket:{SECRET}/a",
        f"az://box/a?sv=2022&sig={SECRET}",
        f"https://account.blob.core.windows.net/box/a?sig={SECRET}",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(OptionError, match="must not hold credentials") as caught:
        parse_address(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"AWS_ENDPOINT_URL": f"http://user:{SECRET}@host"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "http://host", "AWS_ENDPOINT_URL_S3": "host:9000"}, "AWS_ENDPOINT_URL_S3"),
        ({"AWS_ENDPOINT_URL": "https://host/path"}, "AWS_ENDPOINT_URL"),
        ({"ESS_STORE_TIMEOUT": "0"}, "ESS_STORE_TIMEOUT"),
    ],
)
def test_variables_for_s3_that_make_no_sense(
    variables: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match=f"^{where}: ") as caught:
        open_store(Address("s3", "bucket", "a"))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({}, "AZURE_STORAGE_ACCOUNT: it is not set"),
        ({"AZURE_STORAGE_ACCOUNT": "evil.example/"}, "AZURE_STORAGE_ACCOUNT: bad name"),
        ({"AZURE_STORAGE_CONNECTION_STRING": SECRET}, "AZURE_STORAGE_CONNECTION_STRING: it is not"),
    ],
)
def test_variables_for_azure_that_make_no_sense(
    variables: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match=f"^{where}") as caught:
        open_store(Address("az", "box", "a"))
    assert SECRET not in str(caught.value)


def test_azure_without_any_credential_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "account")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # the others would ask around
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "3600")  # there is nothing to wait for
    with pytest.raises(OutputWriteError, match="^az://box: the store refuses access; check AZURE_STORAGE"):
        open_store(Address("az", "box", "a")).require(writing=True)
    assert capfd.readouterr().err == ""  # the library logs a page about it
