"""Certificates of HTTPS listeners. The messages marked with (?) are to be compared with AWS.

Source: "HTTPS listeners for your Application Load Balancer": one default certificate, and a list of others that are chosen by the
name that the client asks for (SNI). They come from IAM: there is no Certificate Manager.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.elbv2 import errors, policies
from drydock.services.elbv2.load_balancers import LoadBalancerOperations
from drydock.services.elbv2.model import Document, Listener
from drydock.services.elbv2.registry import Params
from drydock.store import Scope

MOST_CERTIFICATES = 25
"""Of a load balancer, without the default ones"""


@dataclass(frozen=True)
class Certificate:
    """PEM texts, the certificate's with its chain; ``names`` are those that it is for."""

    body: str
    key: str
    names: tuple[str, ...]


class Certificates(Protocol):
    """Where certificates are found by their ARNs."""

    def __call__(self, scope: Scope, arn: str) -> Certificate | None:
        """None if there is none."""
        ...


class CertificateOperations(LoadBalancerOperations):
    """AddListenerCertificates, RemoveListenerCertificates, DescribeListenerCertificates, DescribeSSLPolicies."""

    certificates: Certificates

    def certificate(self, scope: Scope, arn: str) -> Certificate:
        """Raises CertificateNotFound."""
        found = self.certificates(scope, arn)
        if found is None:
            if arn.startswith("arn:aws:acm:"):
                instead = "Upload the certificate to IAM (UploadServerCertificate)."
                raise NotImplementedByDrydock("elbv2", "certificates of AWS Certificate Manager", instead)
            raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
        return found

    def secured(self, scope: Scope, before: Listener | None, params: Params) -> tuple[list[str], str]:
        """Certificates and security policy of an HTTPS listener that is made or modified. Raises AwsError."""
        given = params.get("Certificates")
        if given and (len(given) > 1 or "IsDefault" in given[0]):
            raise errors.invalid("You must specify exactly one certificate, and IsDefault must not be set")  # (?)
        arns = list(before.certificates) if before is not None else []
        if given:
            arn = given[0]["CertificateArn"]
            self.certificate(scope, arn)
            arns = [arn, *(each for each in arns[1:] if each != arn)]
        if not arns:
            raise errors.invalid("A certificate must be specified for HTTPS listeners")
        return arns, policies.check(
            params.get("SslPolicy") or (before.ssl_policy if before else "") or policies.DEFAULT
        )

    def tls_of(self, scope: Scope, listener: Listener) -> Document | None:
        """For the data plane; None for a listener without TLS."""
        if listener.protocol != "HTTPS":
            return None
        found = [self.certificates(scope, arn) for arn in listener.certificates]
        protocols = policies.protocols(listener.ssl_policy)
        return {
            "newest": protocols[0],
            "oldest": protocols[-1],
            "ciphers": [each for each in policies.ciphers(listener.ssl_policy) if not each.startswith("TLS_")],
            "certificates": [
                {"body": each.body, "key": each.key, "names": list(each.names)} for each in found if each is not None
            ],
        }

    def user_of_certificate(self, arn: str) -> str:
        """The ARN of a load balancer that uses it; empty if none does."""
        for _, _, listener in self.listeners.all():
            if arn in listener.certificates:
                return listener.load_balancer_arn
        return ""

    def _secure_listener(self, request: Request, params: Params) -> Listener:
        found = self.listener(request.scope, params["ListenerArn"])
        if found.protocol != "HTTPS":
            raise errors.configuration("Certificates can only be added to or removed from HTTPS listeners")  # (?)
        return found

    async def add_listener_certificates(self, request: Request, params: Params) -> dict[str, Any]:
        """Further ones, beside the default one; one that is there already stays."""
        found = self._secure_listener(request, params)
        if any("IsDefault" in each for each in params["Certificates"]):
            raise errors.invalid("IsDefault must not be set")  # (?)
        arns = [each["CertificateArn"] for each in params["Certificates"]]
        for arn in arns:
            self.certificate(request.scope, arn)
        wanted = list(dict.fromkeys([*found.certificates[1:], *arns]))
        others = [one for one in self.listeners_of(request.scope, found.load_balancer_arn) if one is not found]
        if len(wanted) + sum(len(one.certificates[1:]) for one in others) > MOST_CERTIFICATES:
            raise AwsError(
                "TooManyCertificates",
                f"A load balancer can have at most '{MOST_CERTIFICATES}' certificates",  # (?)
            )
        found.certificates = [found.certificates[0], *wanted]
        self.listeners.put(request.scope, found.arn, found)
        await self.changed(request)
        return {"Certificates": [{"CertificateArn": arn, "IsDefault": False} for arn in arns]}

    async def remove_listener_certificates(self, request: Request, params: Params) -> dict[str, Any]:
        """The default one is replaced by ModifyListener only."""
        found = self._secure_listener(request, params)
        arns = {each["CertificateArn"] for each in params["Certificates"]}
        if found.certificates[0] in arns and found.certificates[0] not in found.certificates[1:]:
            raise AwsError("OperationNotPermitted", "The default certificate of a listener cannot be removed")  # (?)
        found.certificates = [found.certificates[0], *(each for each in found.certificates[1:] if each not in arns)]
        self.listeners.put(request.scope, found.arn, found)
        await self.changed(request)
        return {}

    def describe_listener_certificates(self, request: Request, params: Params) -> dict[str, Any]:
        """The default one first."""
        found = self.listener(request.scope, params["ListenerArn"])
        listed = [{"CertificateArn": arn, "IsDefault": number == 0} for number, arn in enumerate(found.certificates)]
        shown, more = self.page(listed, params)
        return {"Certificates": shown, **more}

    def describe_ssl_policies(self, request: Request, params: Params) -> dict[str, Any]:
        """All that are here, or those named."""
        if params.get("LoadBalancerType") not in (None, "application"):
            return {"SslPolicies": []}
        names = [policies.check(name) for name in params.get("Names") or []] or list(policies.NAMES)
        shown, more = self.page(names, params)
        return {"SslPolicies": [policies.describe(name) for name in shown], **more}
