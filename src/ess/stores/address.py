"""Addresses of object stores: ``s3://Bucket/Path`` and ``az://Container/Path``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ess.errors import OptionError
from ess.stores.kinds import SCHEMES, Access, own_credentials
from ess.stores.store import Store

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")
_FORMS = "give a folder, s3://Bucket/Path, az://Container/Path or gs://Bucket/Path"


@dataclass(frozen=True)
class Address:
    """A place in a store.

    Attributes:
        kind: ``s3`` or ``az``.
        bucket: The name of the bucket or container.
        key: The parts of a key, joined by ``/``, without one at either end; never blank.
    """

    kind: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}://{self.bucket}/{self.key}"


def parse_address(text: str) -> Address | None:
    """The place that an address means; None if it is none, but a folder.

    Nothing in it is decoded: ``%20`` is three characters.

    >>> parse_address("s3://shop/saved/100% ü/")
    Address(kind='s3', bucket='shop', key='saved/100% ü')
    >>> parse_address("some/folder")

    Raises:
        OptionError: If it is of another kind of store, or no place in one, or holds a secret, which is not repeated.
    """
    found = _ADDRESS.match(text)
    if found is None:
        return None
    scheme, rest = found[1].lower(), found[2]
    bucket, _, key = rest.partition("/")
    if "@" in bucket or ":" in bucket or re.search(r"[?&]sig=", rest):
        raise OptionError(
            "an address must not hold credentials",
            where=f"{scheme}://",
            hint="set the variables of docs/reference/environment.md; others can read the arguments of a command",
        )
    kind = SCHEMES.get(scheme)
    if kind is None or not kind.named or kind.web:  # what is only read is no place to save in
        raise OptionError(f"there is no access to '{scheme}' stores", where=text, hint=_FORMS)
    if not _BUCKET.match(bucket):
        raise OptionError(f"bad name '{bucket}' of a bucket or container", where=text, hint=_FORMS)
    key = key.removesuffix("/")
    if not key:
        raise OptionError("the path in the bucket is missing", where=text, hint=_FORMS)
    if not key.isprintable() or any(part in ("", ".", "..") for part in key.split("/")):
        raise OptionError(
            "bad path in a bucket",
            where=text,
            hint="no part may be blank, '.' or '..', and all must be printable UTF-8",
        )
    return Address(kind.name, bucket, key)


def open_store(address: Address) -> Store:
    """The store of an address, with the caller's credentials; nothing is asked of it yet.

    Raises:
        OptionError: If what the settings say about it makes no sense.
    """
    return Access(address.kind, address.bucket, own_credentials(address.kind)).open()
