"""Certificates of one cluster or one UDB pool: an authority of its own, and a certificate for each party.

Parties trust exactly the authority that was made for them, so a certificate of another cluster
(or of a public authority) opens nothing. Keys are P-256, files are readable by their owner only.

A UDB pool or a cluster calls :func:`make_authority` once and :func:`issue` for each party:

>>> import tempfile, pathlib
>>> folder = pathlib.Path(tempfile.mkdtemp()) / "tls"
>>> make_authority(folder, "wood")
>>> server = issue(folder, "server-0", hosts=["localhost", "127.0.0.1"])
>>> server.certificate.name, server.key.name, server.authority.name
('server-0.pem', 'server-0.key', 'authority.pem')
>>> oct(server.key.stat().st_mode & 0o777)
'0o600'
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ess.errors import InitializationError

#: How long a certificate made today is accepted. A cluster is made again long before that.
VALID_DAYS = 5 * 365

#: Certificates are valid from this long ago, because clocks of two machines differ.
CLOCK_TOLERANCE = datetime.timedelta(hours=1)

_AUTHORITY = "authority"
_PARTY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


@dataclass(frozen=True)
class Credentials:
    """The files that one party needs for mutual TLS, all PEM.

    ``authority`` is what the party trusts, ``certificate`` and ``key`` are what it shows.
    """

    authority: Path
    certificate: Path
    key: Path


def make_authority(folder: Path, name: str) -> None:
    """Make an authority in ``folder``, replacing an existing one (its certificates become worthless).

    Args:
        folder: Made if missing, with access for the owner only.
        name: What the authority is for; it stands in its certificates.

    Raises:
        InitializationError: If the folder cannot be made or is not the user's own.
    """
    _own_folder(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    # Two authorities of one name must not be taken for each other, so the subject is made unique.
    subject = _subject(f"{name[:40]} {os.urandom(4).hex()}")
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(public, critical=False)
    )
    _write_pair(folder, _AUTHORITY, builder.sign(key, hashes.SHA256()), key)


def issue(folder: Path, party: str, *, hosts: Sequence[str] = ("localhost", "127.0.0.1", "::1")) -> Credentials:
    """Make a certificate for ``party``, for both ends of a connection, signed by the authority in ``folder``.

    Args:
        folder: Where :func:`make_authority` was called.
        party: Letters, digits, ``_``, ``-`` and ``.``; names the files.
        hosts: The host names and addresses under which peers reach the party.

    Raises:
        InitializationError: If there is no authority, or its files cannot be read or written.
    """
    if not _PARTY.match(party) or party == _AUTHORITY:
        raise InitializationError(f"bad name '{party}' for a certificate", where=str(folder))
    authority, authority_key = _read_authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_subject(party), authority.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    _write_pair(folder, party, builder.sign(authority_key, hashes.SHA256()), key)
    return credentials(folder, party)


def credentials(folder: Path, party: str) -> Credentials:
    """The files of a party's certificate that :func:`issue` made.

    Raises:
        InitializationError: If one of them is missing.
    """
    found = Credentials(folder / f"{_AUTHORITY}.pem", folder / f"{party}.pem", folder / f"{party}.key")
    for path in (found.authority, found.certificate, found.key):
        if not path.is_file():
            raise InitializationError("certificate file is missing", where=str(path))
    return found


def check(found: Credentials, *, anew: str) -> None:
    """Refuse certificates with which nobody can connect, and say what is wrong with them.

    Args:
        found: The files.
        anew: What to type to have others made.

    Raises:
        InitializationError: If a file cannot be read or is damaged, a certificate is not valid now by the clock of
            this machine, or the files do not belong together.
    """
    authority = check_certificate(found.authority, anew=anew)
    check_party(found.certificate.parent, found.certificate.stem, authority, anew=anew)


def check_party(folder: Path, party: str, authority: x509.Certificate, *, anew: str) -> None:
    """Refuse a party's certificate and key that do not work with an authority; see :func:`check`."""
    of_party, of_key = folder / f"{party}.pem", folder / f"{party}.key"
    certificate = check_certificate(of_party, anew=anew)
    made_anew = f"have new ones made: {anew}"
    try:
        key = serialization.load_pem_private_key(_content(of_key), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InitializationError("the key is damaged", where=str(of_key), hint=made_anew) from None
    if key.public_key() != certificate.public_key():
        raise InitializationError("the key is not that of the certificate", where=str(of_key), hint=made_anew)
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise InitializationError(
            "the certificate is of another authority", where=str(of_party), hint=made_anew
        ) from None


def check_certificate(path: Path, *, anew: str) -> x509.Certificate:
    """Refuse a certificate that is damaged or not valid now; see :func:`check`."""
    try:
        certificate = x509.load_pem_x509_certificate(_content(path))
    except ValueError:
        raise InitializationError(
            "the certificate is damaged", where=str(path), hint=f"have new ones made: {anew}"
        ) from None
    now = _now()
    if now < certificate.not_valid_before_utc:
        raise InitializationError(
            f"the certificate is valid from {_shown(certificate.not_valid_before_utc)} on, and by the clock of this "
            f"machine it is {_shown(now)}",
            where=str(path),
            hint="set the clock right",
        )
    if now > certificate.not_valid_after_utc:
        raise InitializationError(
            f"the certificate was valid until {_shown(certificate.not_valid_after_utc)}, and by the clock of this "
            f"machine it is {_shown(now)}",
            where=str(path),
            hint=f"set the clock right, or have new ones made: {anew}",
        )
    return certificate


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InitializationError(
            f"cannot read ({error.strerror})", where=str(path), hint="check its permissions"
        ) from None


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)


def _shown(time: datetime.datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _read_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{_AUTHORITY}.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{_AUTHORITY}.key").read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise InitializationError(f"no usable certificate authority ({error})", where=str(folder)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InitializationError("the authority's key is of another kind", where=str(folder))
    return certificate, key


def _own_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.getuid():
            raise InitializationError("the folder belongs to another user", where=str(folder))
        folder.chmod(0o700)
    except OSError as error:
        raise InitializationError(f"cannot make the folder ({error.strerror})", where=str(folder)) from error


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    key_text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / f"{name}.key", key_text)
    _write(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, content: bytes) -> None:
    """Write a file that is never, not even for a moment, readable by others or half written."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # a umask may have left nothing
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InitializationError(f"cannot write ({error.strerror})", where=str(path)) from error
