"""Buckets of Google Cloud Storage, by its interface for programs of S3.

It takes signatures of HMAC keys, which the console makes under *Settings, Interoperability*; public buckets need none.
"""

from __future__ import annotations

from ess.stores.kinds import Credentials
from ess.stores.s3 import Bucket
from ess.stores.s3_upload import checksum
from ess.stores.store import no_condition

_ENDPOINT = "https://storage.googleapis.com"
_AS_AWS = {
    "GS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID",
    "GS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY",
    "GS_NO_SIGN_REQUEST": "AWS_NO_SIGN_REQUEST",
    "GS_ENDPOINT_URL": "AWS_ENDPOINT_URL",
}


class GoogleBucket(Bucket):
    """A bucket; see :class:`ess.stores.store.Store`.

    Raises:
        OptionError: If the credentials make no sense.
    """

    scheme = "gs"
    endpoint_variable = "GS_ENDPOINT_URL"
    key_hint = "check GS_ACCESS_KEY_ID and GS_SECRET_ACCESS_KEY, and what they may do"

    def __init__(self, name: str, credentials: Credentials) -> None:
        values = {_AS_AWS[given]: value for given, value in credentials.values if given in _AS_AWS}
        values.setdefault("AWS_ENDPOINT_URL", _ENDPOINT)
        if not values.get("AWS_ACCESS_KEY_ID"):
            values["AWS_NO_SIGN_REQUEST"] = "1"
        super().__init__(name, Credentials((*values.items(), ("AWS_REGION", "auto"))))

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        """Write an object with one request; of conditions, Google knows here only that there is none yet."""
        if expected:
            raise no_condition(self.at(key))
        headers = checksum(content) | ({} if expected is None else {"x-goog-if-generation-match": "0"})
        self.ask("PUT", key, body=content, headers=headers)
