"""The kinds of stores, one row each; and what is needed to open one: its name and its credentials.

A new kind is one module with a class that is a :class:`ess.stores.store.Store`, and one row here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ess.errors import OptionError
from ess.settings import setting
from ess.stores.store import Store


@dataclass(frozen=True, repr=False)
class Credentials:
    """The keys to a store: values of the settings of its kind, by name. They are never printed.

    They are passed to the opener of a store, also with a job; no store reads them from the environment itself.
    """

    values: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Their names only."""
        return f"Credentials({', '.join(name for name, _ in self.values)})"

    def get(self, name: str) -> str:
        """A value; blank if it is not given."""
        return dict(self.values).get(name, "")


NOBODY = Credentials()


@dataclass(frozen=True)
class Public:
    """The settings of what everybody may read.

    Attributes:
        account: The one that names whose it is.
        setting: The one that is set to ask without a key.
    """

    account: str
    setting: str


@dataclass(frozen=True)
class Kind:
    """A kind of store.

    Attributes:
        name: How it is told apart in settings.
        schemes: What addresses begin with, before ``://``.
        title: What people call it.
        settings: The variables that its credentials are made of, and where it is.
        identity: Those of them that say who asks. They are taken from one source, never mixed.
        open: The store of a name (of its bucket or container), with credentials; nothing is asked of it yet.
        named: Whether there are several, told apart by the name of a bucket or container.
        web: Whether addresses are URLs, which name a host and a path that is percent-encoded; it is only read.
        public: How to ask without a key, where to name an account and no key may mean just that.
    """

    name: str
    schemes: tuple[str, ...]
    title: str
    settings: tuple[str, ...]
    open: Callable[[str, Credentials], Store]
    named: bool = True
    identity: frozenset[str] = frozenset()
    web: bool = False
    public: Public | None = None


def _disk(_name: str, _credentials: Credentials) -> Store:
    from ess.stores.disk import Disk

    return Disk()


def _s3(name: str, credentials: Credentials) -> Store:
    from ess.stores.s3 import Bucket  # loads urllib3

    return Bucket(name, credentials)


def _azure(name: str, credentials: Credentials) -> Store:
    from ess.stores.azure_blob import Container  # loads Microsoft's library

    return Container(name, credentials)


def _google(name: str, credentials: Credentials) -> Store:
    from ess.stores.gcs import GoogleBucket

    return GoogleBucket(name, credentials)


def _web(scheme: str) -> Callable[[str, Credentials], Store]:
    def site(name: str, credentials: Credentials) -> Store:
        from ess.stores.web import Site  # loads urllib3

        return Site(scheme, name, credentials)

    return site


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("local", ("file",), "this disk", (), _disk, named=False),
        Kind(
            "s3",
            ("s3",),
            "S3",
            (
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SESSION_TOKEN",
                "AWS_PROFILE",
                "AWS_NO_SIGN_REQUEST",
                "AWS_REQUEST_PAYER",
                "AWS_REGION",
                "AWS_ENDPOINT_URL_S3",
                "AWS_ENDPOINT_URL",
                "AWS_CA_BUNDLE",
            ),
            _s3,
            identity=frozenset(
                {
                    "AWS_ACCESS_KEY_ID",
                    "AWS_SECRET_ACCESS_KEY",
                    "AWS_SESSION_TOKEN",
                    "AWS_PROFILE",
                    "AWS_NO_SIGN_REQUEST",
                }
            ),
        ),
        Kind(
            "az",
            ("az", "blob"),  # ``blob://`` is what the reference manual calls a container for ``ess select``
            "Azure Blob",
            (
                "AZURE_STORAGE_CONNECTION_STRING",
                "AZURE_STORAGE_ACCOUNT",
                "AZURE_STORAGE_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_ANONYMOUS",
                "AZURE_STORAGE_ENDPOINT",
            ),
            _azure,
            identity=frozenset(
                {
                    "AZURE_STORAGE_CONNECTION_STRING",
                    "AZURE_STORAGE_ACCOUNT",
                    "AZURE_STORAGE_KEY",
                    "AZURE_STORAGE_SAS_TOKEN",
                    "AZURE_STORAGE_ANONYMOUS",
                }
            ),
            public=Public("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ANONYMOUS"),
        ),
        Kind(
            "gs",
            ("gs",),
            "Google Cloud Storage",
            ("GS_ACCESS_KEY_ID", "GS_SECRET_ACCESS_KEY", "GS_NO_SIGN_REQUEST", "GS_ENDPOINT_URL"),
            _google,
            identity=frozenset({"GS_ACCESS_KEY_ID", "GS_SECRET_ACCESS_KEY", "GS_NO_SIGN_REQUEST"}),
        ),
        *(Kind(scheme, (scheme,), "web servers", (), _web(scheme), web=True) for scheme in ("http", "https")),
    )
}

SCHEMES: Mapping[str, Kind] = {scheme: kind for kind in KINDS.values() for scheme in kind.schemes}


@dataclass(frozen=True)
class Access:
    """All that is needed to open a store, here or on another machine: it goes along with a job."""

    kind: str = "local"
    name: str = ""
    credentials: Credentials = NOBODY

    def open(self) -> Store:
        """The store; nothing is asked of it yet.

        Raises:
            OptionError: If the kind is unknown, or the credentials make no sense.
        """
        kind = KINDS.get(self.kind)
        if kind is None:
            raise OptionError(f"there is no kind of store '{self.kind}'", where=self.name or self.kind)
        return kind.open(self.name, self.credentials)


def own_credentials(kind: str) -> Credentials:
    """The credentials for a kind of store in the caller's settings."""
    return Credentials(tuple((name, value) for name in KINDS[kind].settings if (value := setting(name))))
