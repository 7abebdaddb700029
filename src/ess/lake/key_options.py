"""The options of ``ess select`` that say who asks a store, as values of the settings of its kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

from ess.errors import EssError, OptionError
from ess.lake.key_files import read_key_file
from ess.stores.kinds import SCHEMES, Credentials

_AWS, _AZURE, _GOOGLE = "s3", "az", "gs"

#: For each option, the setting that it gives for each kind of store that it is for.
_SETTINGS: dict[str, dict[str, str]] = {
    "region": {_AWS: "AWS_REGION"},
    "aws_access_key": {_AWS: "AWS_ACCESS_KEY_ID", _GOOGLE: "GS_ACCESS_KEY_ID"},
    "aws_secret_access_key": {_AWS: "AWS_SECRET_ACCESS_KEY", _GOOGLE: "GS_SECRET_ACCESS_KEY"},
    "account_name": {_AZURE: "AZURE_STORAGE_ACCOUNT"},
    "account_key": {_AZURE: "AZURE_STORAGE_KEY"},
    "endpoint": {_AWS: "AWS_ENDPOINT_URL_S3", _AZURE: "AZURE_STORAGE_ENDPOINT", _GOOGLE: "GS_ENDPOINT_URL"},
    "profile": {_AWS: "AWS_PROFILE"},
    "anonymous": {_AWS: "AWS_NO_SIGN_REQUEST", _AZURE: "AZURE_STORAGE_ANONYMOUS", _GOOGLE: "GS_NO_SIGN_REQUEST"},
    "requester_pays": {_AWS: "AWS_REQUEST_PAYER"},
}
#: What a switch that is on stands for.
_ON = {"anonymous": "1", "requester_pays": "requester"}


@dataclass(frozen=True, repr=False)
class KeyOptions:
    """The options as they were given; see `ess.api.select`."""

    region: str | None = None
    credentials: str | None = None
    aws_access_key: str | None = None
    aws_secret_access_key: str | None = None
    account_name: str | None = None
    account_key: str | None = None
    endpoint: str | None = None
    profile: str | None = None
    anonymous: bool = False
    requester_pays: bool = False

    def given(self) -> dict[str, str]:
        """Those that were given, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _ON.get(name, str(value)) for name, value in values.items() if value}


def given_credentials(source: str, options: KeyOptions) -> Credentials | None:
    """The values that the options give for a store; None without any.

    Raises:
        OptionError: If an option is not for that kind of store, or lacks its other half.
        EssError: If a file of keys cannot be read.
    """
    given = options.given()
    if not given:
        return None
    kind = SCHEMES.get(source.partition("://")[0].lower()) if "://" in source else None
    if kind is None:
        name = next(iter(given))
        raise OptionError("the option goes with the address of a store", where=f"--{name}", hint="e.g. s3://Bucket")
    if "credentials" in given:
        if "aws_access_key" in given or "aws_secret_access_key" in given:
            where = "--credentials, --aws_access_key"
            raise OptionError("these exclude each other", where=where, hint="give one of them")
        given["aws_access_key"], given["aws_secret_access_key"] = read_key_file(Path(given.pop("credentials")))
    if ("aws_access_key" in given) != ("aws_secret_access_key" in given):
        raise OptionError("one is missing", where="--aws_access_key, --aws_secret_access_key", hint="give both")
    values: dict[str, str] = {}
    for name, value in given.items():
        variable = _SETTINGS[name].get(kind.name)
        if variable is None:
            raise OptionError(f"the option is not for {kind.title}", where=f"--{name}", hint="leave it out")
        values[variable] = value
    return Credentials(tuple(values.items()))


def in_terms_of(options: KeyOptions, error: EssError) -> EssError:
    """The error of a store for somebody who has given options: it names these, where it names settings.

    >>> str(in_terms_of(KeyOptions(endpoint="http://x"), EssError("no answer", hint="check AWS_ENDPOINT_URL")))
    'no answer; check --endpoint'
    """
    names = {"AWS_NO_SIGN_REQUEST=1": "--anonymous"}
    for option in options.given():
        for variable in _SETTINGS.get(option, {}).values():
            names[variable] = f"--{option}"
    if options.endpoint:
        names["AWS_ENDPOINT_URL"] = "--endpoint"
    if options.credentials:
        for variable in (*_SETTINGS["aws_access_key"].values(), *_SETTINGS["aws_secret_access_key"].values()):
            names[variable] = "--credentials"
    known = re.compile("|".join(rf"\b{re.escape(name)}(?!\w)" for name in sorted(names, key=len, reverse=True)))

    def told(text: str) -> str:
        text = known.sub(lambda found: names[found[0]], text)
        return text.replace("--credentials and --credentials", "--credentials")

    error.where, error.hint = told(error.where), told(error.hint)
    return error
