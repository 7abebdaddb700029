"""Keys for S3, given or found by AWS's own chain of places, and signatures.

botocore knows the chain (environment, profiles, SSO, web identity, the role of a container or machine) and renews what
is for a limited time. It is loaded where a key is needed, because that takes half a second.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ess.errors import OptionError
from ess.stores.kinds import Credentials
from ess.stores.wire import Request, Signer, unsigned

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials


class AwsSigner:
    """Signs requests to a service of AWS, or what speaks its protocol.

    Args:
        credentials: A key that was given; without one, AWS's own places are looked through.
        region: Where the bucket is; part of the signature.
    """

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._credentials = credentials
        self.region = region

    def __call__(self, request: Request, host: str, /, *, secure: bool) -> Mapping[str, str]:
        """The headers of ``request``, signed; without a signature if there is no key anywhere."""
        key = self._key()
        if key is None:
            return unsigned(request, host, secure=secure)
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        made = AWSRequest(
            method=request.method,
            url=f"{'https' if secure else 'http'}://{host}{request.target}",
            headers=dict(request.headers),
            data=request.body,
        )
        S3SigV4Auth(key, "s3", self.region).add_auth(made)
        return dict(made.headers.items())

    def _key(self) -> ReadOnlyCredentials | None:
        given = self._credentials.get("AWS_ACCESS_KEY_ID"), self._credentials.get("AWS_SECRET_ACCESS_KEY")
        if all(given):
            from botocore.credentials import ReadOnlyCredentials

            return ReadOnlyCredentials(*given, self._credentials.get("AWS_SESSION_TOKEN") or None)
        found = _chain(self._credentials.get("AWS_PROFILE"))
        return None if found is None else found.get_frozen_credentials()

    def forget(self) -> None:
        """Look for a key anew the next time: the one there was is no longer taken."""
        with _lock:
            _chains.pop(self._credentials.get("AWS_PROFILE"), None)


def signer(credentials: Credentials, region: str) -> Signer:
    """The signer of requests with these credentials; ``AWS_NO_SIGN_REQUEST`` leaves them unsigned."""
    return unsigned if credentials.get("AWS_NO_SIGN_REQUEST") else AwsSigner(credentials, region)


def configured_region(credentials: Credentials) -> str:
    """The region that the settings or the profile name; blank if they name none."""
    given = credentials.get("AWS_REGION") or credentials.get("AWS_DEFAULT_REGION")
    if given or (credentials.get("AWS_ACCESS_KEY_ID") and not credentials.get("AWS_PROFILE")):
        return given
    return str(_session(credentials.get("AWS_PROFILE")).get_config_variable("region") or "")


_chains: dict[str, Any] = {}
_lock = threading.Lock()


def _session(profile: str) -> Any:
    import botocore.session
    from botocore.exceptions import BotoCoreError

    # A default section need not be there; one that is named must.
    session = botocore.session.Session(profile=profile if profile != "default" and profile else None)
    try:
        session.get_scoped_config()
    except BotoCoreError as error:
        raise OptionError(
            "the profile cannot be read",
            where=f"AWS_PROFILE={profile}",
            hint="see ~/.aws/config and ~/.aws/credentials",
        ) from error
    return session


def _chain(profile: str) -> Any:
    """The credentials that AWS's own places have for a profile, which renew themselves; None if there are none."""
    from botocore.exceptions import BotoCoreError

    with _lock:
        if profile not in _chains:
            try:
                _chains[profile] = _session(profile).get_credentials()
            except BotoCoreError as error:
                raise OptionError(
                    f"no key can be had ({type(error).__name__})",
                    where="AWS",
                    hint="check the profile, or log in again",
                ) from error
        return _chains[profile]
