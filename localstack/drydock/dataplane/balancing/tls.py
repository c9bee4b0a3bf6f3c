"""What HTTPS listeners need of TLS: protocols, ciphers, and a certificate by the name that a client asks for.

Source: "SSL certificates for your Application Load Balancer": the certificate that fits the name best, else the default one, which
is the first.
"""

from __future__ import annotations

import ssl
import tempfile
import warnings
from typing import Any

HANDSHAKE_SECONDS = 10.0
"""Real ones that a client gets"""
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def fitting(wanted: str, certificates: list[tuple[str, ...]]) -> int:
    """Which of the certificates, given by their names, is for a host name: exactly, else by a wildcard, else the first."""
    name = wanted.lower().rstrip(".")
    parent = name.partition(".")[2]
    for sought in (name, f"*.{parent}" if parent else name):
        for number, names in enumerate(certificates):
            if sought in names:
                return number
    return 0


def context_of(told: dict[str, Any]) -> ssl.SSLContext:
    """As the emulator describes a listener's TLS. Raises ssl.SSLError if a certificate cannot be used."""
    certificates = told["certificates"]
    contexts = [_context(told, each) for each in certificates]
    names = [tuple(each["names"]) for each in certificates]

    def chosen(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name:
            connection.context = contexts[fitting(name, names)]

    if len(contexts) > 1:
        contexts[0].sni_callback = chosen
    return contexts[0]


def given(context: ssl.SSLContext | None) -> dict[str, Any]:
    """What the loop is told of it."""
    return {"ssl": context, "ssl_handshake_timeout": HANDSHAKE_SECONDS} if context is not None else {}


def _context(told: dict[str, Any], certificate: dict[str, Any]) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():  # old protocols are what old policies are about
        warnings.simplefilter("ignore", DeprecationWarning)
        found.minimum_version, found.maximum_version = _VERSIONS[told["oldest"]], _VERSIONS[told["newest"]]
    if told["ciphers"]:
        level = 0 if told["oldest"] in ("TLSv1", "TLSv1.1") else 1
        found.set_ciphers(":".join(told["ciphers"]) + f":@SECLEVEL={level}")
    found.set_alpn_protocols(["http/1.1"])
    found.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # the library reads files only; it is ours alone
        file.write(f"{certificate['key'].strip()}\n{certificate['body'].strip()}\n")
        file.flush()
        found.load_cert_chain(file.name)
    return found
