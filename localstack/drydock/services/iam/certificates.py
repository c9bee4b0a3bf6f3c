"""Server certificates: uploaded to IAM, and used by load balancers.

Source: "Manage server certificates in IAM". The messages marked with (?) are to be compared with AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drydock.request import Request
from drydock.services.iam import rules, x509
from drydock.services.iam.base import IamOperations, Params, listing, under
from drydock.services.iam.model import ServerCertificate, certificate_shape, tag_list


def nobody(certificate: ServerCertificate) -> str:
    """No service uses certificates yet."""
    return ""


class ServerCertificates(IamOperations):
    """Operations on server certificates. ``certificate_user`` says by the ARN of what a certificate is used."""

    certificate_user: Callable[[ServerCertificate], str] = staticmethod(nobody)

    def upload_server_certificate(self, request: Request, params: Params) -> dict[str, Any]:
        """UploadServerCertificate."""
        name = rules.check_name("serverCertificateName", params["ServerCertificateName"])
        path = rules.check_path(params.get("Path"))
        tags = rules.merged_tags({}, params.get("Tags") or [])
        chain = params.get("CertificateChain") or ""
        parsed = x509.parse(params["CertificateBody"], params["PrivateKey"], chain)
        self._check_free(request, name)
        self.check_quota(request, self.directory.certificates, "ServerCertificates")
        arn = self.arn(request, "server-certificate", path, name)
        found = ServerCertificate(
            name=name, path=path, id=self.directory.unique_id(request.account, "ASCA", arn), arn=arn,
            created=self.now(request), expires=parsed.expires, body=params["CertificateBody"], chain=chain,
            key=params["PrivateKey"], names=list(parsed.names), tags=tags,
        )  # fmt: skip
        self.directory.put(request.account, found)
        shape = {"ServerCertificateMetadata": certificate_shape(found)}
        return shape | ({"Tags": tag_list(tags)} if tags else {})

    def _check_free(self, request: Request, name: str) -> None:
        if self.directory.certificates.get(request.global_scope, name.lower()):
            raise rules.exists(f"The Server Certificate with name {name} already exists.")

    def get_server_certificate(self, request: Request, params: Params) -> dict[str, Any]:
        """GetServerCertificate: never with the private key."""
        found = self.directory.certificate(request.account, params["ServerCertificateName"])
        shape: dict[str, Any] = {"ServerCertificateMetadata": certificate_shape(found), "CertificateBody": found.body}
        if found.chain:
            shape["CertificateChain"] = found.chain
        if found.tags:
            shape["Tags"] = tag_list(found.tags)
        return {"ServerCertificate": shape}

    def list_server_certificates(self, request: Request, params: Params) -> dict[str, Any]:
        """ListServerCertificates."""
        found = [one for one in self.directory.certificates.of(request.global_scope) if under(params, one.path)]
        return listing(found, params, "ServerCertificateMetadataList", certificate_shape, lambda one: one.name)

    def update_server_certificate(self, request: Request, params: Params) -> None:
        """UpdateServerCertificate: its name and path, and so its ARN. Load balancers keep to the certificate itself, so one
        that is used keeps its ARN here: DeleteConflict."""
        found = self.directory.certificate(request.account, params["ServerCertificateName"])
        name = rules.check_name("newServerCertificateName", params.get("NewServerCertificateName") or found.name)
        path = rules.check_path(params.get("NewPath") or found.path)
        if name.lower() != found.name.lower():
            self._check_free(request, name)
        self._check_unused(found)
        self.directory.forget(request.account, self.directory.certificates, found.name)
        found.name, found.path = name, path
        found.arn = self.arn(request, "server-certificate", path, name)
        self.directory.put(request.account, found)

    def _check_unused(self, found: ServerCertificate) -> None:
        if user := self.certificate_user(found):
            raise rules.conflict(
                f"Certificate: {found.id} is currently in use by {user}. Please remove it first before deleting it from IAM."
            )

    def delete_server_certificate(self, request: Request, params: Params) -> None:
        """DeleteServerCertificate: not while a load balancer uses it."""
        found = self.directory.certificate(request.account, params["ServerCertificateName"])
        self._check_unused(found)
        self.directory.forget(request.account, self.directory.certificates, found.name)

    def tag_server_certificate(self, request: Request, params: Params) -> None:
        """TagServerCertificate."""
        found = self.directory.certificate(request.account, params["ServerCertificateName"])
        found.tags = rules.merged_tags(found.tags, params["Tags"])
        self.directory.put(request.account, found)

    def untag_server_certificate(self, request: Request, params: Params) -> None:
        """UntagServerCertificate."""
        found = self.directory.certificate(request.account, params["ServerCertificateName"])
        found.tags = rules.without_tags(found.tags, params["TagKeys"])
        self.directory.put(request.account, found)

    def list_server_certificate_tags(self, request: Request, params: Params) -> dict[str, Any]:
        """ListServerCertificateTags."""
        found = self.directory.certificate(request.account, params["ServerCertificateName"])
        return listing(tag_list(found.tags), params, "Tags", dict, lambda tag: tag["Key"])
