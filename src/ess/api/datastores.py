"""Datastores."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ess.lake.datastores import Datastore, Repository

__all__ = ["is_empty", "purge", "repository", "select"]


def select(
    source: str = "local",
    *,
    label: str | None = None,
    overwrite: bool = False,
    region: str | None = None,
    credentials: str | None = None,
    aws_access_key: str | None = None,
    aws_secret_access_key: str | None = None,
    account_name: str | None = None,
    account_key: str | None = None,
    endpoint: str | None = None,
    profile: str | None = None,
    anonymous: bool = False,
    requester_pays: bool = False,
) -> Datastore:
    """Select the datastore that later calls work on, and define it if need be.

    Args:
        source: ``local`` (this machine's disk), ``s3://bucket[/prefix]``, ``blob://container``, ``gs://bucket``,
            ``https://host/folder/``, or the label of a datastore that is defined.
        label: A name for the datastore; each label has its own categories.
        overwrite: Whether the label may be taken from another source, and its keys replaced.
        region: Where an S3 bucket is; else it is found.
        credentials: A CSV file of Amazon's console with an access key.
        aws_access_key: An access key, with ``aws_secret_access_key``.
        aws_secret_access_key: Its secret. Keys that are given are kept in a file that only you can read.
        account_name: The storage account of an Azure container.
        account_key: The account's key.
        endpoint: The address of a store that is not AWS, ``https://host:port``.
        profile: A section of ``~/.aws/config``.
        anonymous: Whether to ask without a key, as public buckets and containers allow it.
        requester_pays: Whether to pay for what is read of a bucket whose owner does not.

    Raises:
        OptionError: If the source is not known, or the label or a key is not valid.
        EssError: If the store does not let us in.

    >>> import ess
    >>> ess.select("local").label
    'local'
    """
    from ess.errors import EssError
    from ess.lake import datastores
    from ess.lake.key_options import KeyOptions, given_credentials, in_terms_of

    options = KeyOptions(
        region=region,
        credentials=credentials,
        aws_access_key=aws_access_key,
        aws_secret_access_key=aws_secret_access_key,
        account_name=account_name,
        account_key=account_key,
        endpoint=endpoint,
        profile=profile,
        anonymous=anonymous,
        requester_pays=requester_pays,
    )
    given = given_credentials(source, options)
    try:
        return datastores.select(source, label=label, overwrite=overwrite, credentials=given)
    except EssError as error:
        raise in_terms_of(options, error) from error.__cause__


def is_empty(label: str | None = None) -> bool:
    """True if nothing is seen in the folder of a bucket or web server that a datastore is: its name may be wrong.

    Args:
        label: The datastore, if not the selected one.

    Raises:
        OptionError: If there is no such label.

    >>> import ess
    >>> _ = ess.select("local")
    >>> ess.is_empty()
    False
    """
    from ess.lake import datastores

    return datastores.is_empty(datastores.datastore(label))


def repository() -> Repository:
    """All datastores that are defined, and the label of the selected one.

    >>> import ess
    >>> _ = ess.select("local")
    >>> ess.repository().selected
    'local'
    """
    from ess.lake import datastores

    return datastores.repository()


def purge(label: str) -> None:
    """Forget a datastore and its categories. Its files are not touched.

    Raises:
        OptionError: If there is no such label.
    """
    from ess.lake import datastores

    datastores.purge(label)
