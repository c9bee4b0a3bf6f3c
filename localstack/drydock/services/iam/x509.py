"""Certificates and private keys as PEM: taken apart and checked. Pure; the library is loaded when it is first needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drydock.errors import AwsError

MALFORMED = "Unable to parse certificate. Please ensure the certificate is in PEM format."


@dataclass(frozen=True)
class Parsed:
    """``names`` are the host names that it is for, in lower case; ``expires`` is in (real) seconds."""

    names: tuple[str, ...]
    expires: float


def malformed(message: str = MALFORMED) -> AwsError:
    """MalformedCertificate."""
    return AwsError("MalformedCertificate", message)


def parse(body: str, key: str, chain: str = "") -> Parsed:
    """A certificate and its private key, which must be one another's. Raises MalformedCertificate, KeyPairMismatch."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        certificate = x509.load_pem_x509_certificate(body.encode())
    except ValueError:
        raise malformed() from None
    if body.count("-----BEGIN CERTIFICATE-----") != 1:
        raise malformed("The certificate body contains more than one certificate.")  # (?)
    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        raise malformed(
            "Unable to parse private key. Please ensure it is unencrypted and in PEM format."
        ) from None  # (?)
    except Exception as error:  # the library's own, of algorithms that it does not know
        raise malformed(f"Unable to parse private key: {error}") from None  # (?)

    def public(of: Any) -> bytes:
        return bytes(of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    if public(private) != public(certificate):
        raise AwsError("KeyPairMismatch", "The public key certificate and the private key do not match.")  # (?)
    if chain:
        try:
            x509.load_pem_x509_certificates(chain.encode())
        except ValueError:
            raise malformed(
                "Unable to parse certificate chain. Please ensure the chain is in PEM format."
            ) from None  # (?)
    return Parsed(tuple(_names(certificate)), certificate.not_valid_after_utc.timestamp())


def _names(certificate: Any) -> list[str]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    found = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = list(others.get_values_for_type(x509.DNSName)) or found
    except (x509.ExtensionNotFound, ValueError):
        pass
    return [name.lower() for name in dict.fromkeys(found)]
