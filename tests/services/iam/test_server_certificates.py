"""Server certificates of IAM: uploaded, shown without their keys, renamed, tagged, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.elbv2.authority import Authority

AUTHORITY = Authority()


def refused(call: Any, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as told:
        call(**given)
    error = told.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_life_of_a_certificate(aws: Callable[..., Any], account: str) -> None:
    iam = aws("iam")
    body, key = AUTHORITY.issue("shop.example")
    given = {"CertificateBody": body, "PrivateKey": key}
    made = iam.upload_server_certificate(
        ServerCertificateName="shop", Path="/front/", CertificateChain=AUTHORITY.pem, Tags=[{"Key": "a", "Value": "b"}],
        **given,
    )  # fmt: skip
    meta = made["ServerCertificateMetadata"]
    assert meta["Arn"] == f"arn:aws:iam::{account}:server-certificate/front/shop"
    assert meta["ServerCertificateId"].startswith("ASCA") and meta["Expiration"] > meta["UploadDate"]
    found = iam.get_server_certificate(ServerCertificateName="shop")["ServerCertificate"]
    assert (found["CertificateBody"].strip(), found["CertificateChain"].strip()) == (
        body.strip(),
        AUTHORITY.pem.strip(),
    )
    assert key.splitlines()[1] not in str(found)
    assert refused(iam.upload_server_certificate, ServerCertificateName="SHOP", **given) == (
        "EntityAlreadyExists", "The Server Certificate with name SHOP already exists.",
    )  # fmt: skip
    iam.update_server_certificate(ServerCertificateName="shop", NewServerCertificateName="store", NewPath="/")
    listed = iam.list_server_certificates()["ServerCertificateMetadataList"]
    assert [one["Arn"] for one in listed] == [f"arn:aws:iam::{account}:server-certificate/store"]
    assert iam.list_server_certificates(PathPrefix="/front/")["ServerCertificateMetadataList"] == []
    iam.tag_server_certificate(ServerCertificateName="store", Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_server_certificate(ServerCertificateName="store", TagKeys=["a"])
    assert iam.list_server_certificate_tags(ServerCertificateName="store")["Tags"] == [{"Key": "c", "Value": "d"}]
    assert iam.get_account_summary()["SummaryMap"]["ServerCertificates"] == 1
    iam.delete_server_certificate(ServerCertificateName="store")
    assert refused(iam.get_server_certificate, ServerCertificateName="store") == (
        "NoSuchEntity", "The Server Certificate with name store cannot be found.",
    )  # fmt: skip


def test_what_is_no_certificate(aws: Callable[..., Any]) -> None:
    iam = aws("iam")
    (body, key), (_, other) = AUTHORITY.issue("a.example"), AUTHORITY.issue("b.example")
    upload, name = iam.upload_server_certificate, {"ServerCertificateName": "a"}
    assert refused(upload, **name, CertificateBody="text", PrivateKey=key) == (
        "MalformedCertificate", "Unable to parse certificate. Please ensure the certificate is in PEM format.",
    )  # fmt: skip
    assert refused(upload, **name, CertificateBody=body, PrivateKey="text")[0] == "MalformedCertificate"
    assert refused(upload, **name, CertificateBody=body, PrivateKey=other)[0] == "KeyPairMismatch"
    assert refused(upload, **name, CertificateBody=body + body, PrivateKey=key)[0] == "MalformedCertificate"
    chain = {"CertificateChain": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}
    assert refused(upload, **name, CertificateBody=body, PrivateKey=key, **chain)[0] == "MalformedCertificate"
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []
