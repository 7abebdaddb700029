"""Dask's view of the cluster's certificates."""

from __future__ import annotations

import ssl

from distributed.security import Security

from ess.certificates import check, credentials
from ess.cluster import state


def security(party: str) -> Security:
    """Mutual TLS 1.3 for ``scheduler``, ``worker-0`` ... or ``client``; anything unencrypted is refused.

    Raises:
        InitializationError: If the party has no certificate, or one with which it cannot connect.
    """
    own = credentials(state.certificates_folder(), party)
    check(own, anew="ess cluster terminate, then: ess cluster create")
    authority, certificate, key = str(own.authority), str(own.certificate), str(own.key)
    return Security(  # type: ignore[no-untyped-call]
        require_encryption=True,
        tls_ca_file=authority,
        tls_min_version=ssl.TLSVersion.TLSv1_3,
        tls_scheduler_cert=certificate,
        tls_scheduler_key=key,
        tls_worker_cert=certificate,
        tls_worker_key=key,
        tls_client_cert=certificate,
        tls_client_key=key,
    )
