"""HTTPS listeners: certificates of IAM, the one that fits the name, security policies, and the way from HTTP to HTTPS."""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import wait_until
from tests.services.elbv2.authority import Authority
from tests.services.elbv2.story import Balanced
from tests.services.elbv2.test_elbv2_errors import refused

AUTHORITY = Authority()
NEWEST = "ELBSecurityPolicy-TLS13-1-3-2021-06"


def upload(web: Balanced, name: str, *hosts: str) -> str:
    """The ARN of a certificate."""
    body, key = AUTHORITY.issue(*hosts)
    made = web.aws("iam").upload_server_certificate(ServerCertificateName=name, CertificateBody=body, PrivateKey=key)
    return str(made["ServerCertificateMetadata"]["Arn"])


def secure(web: Balanced, arn: str, **given: Any) -> str:
    """The ARN of a listener on port 443."""
    action = {"Type": "forward", "TargetGroupArn": web.group}
    made = web.elb.create_listener(
        LoadBalancerArn=web.arn, Protocol="HTTPS", Port=443, DefaultActions=[action], Certificates=[{"CertificateArn": arn}],
        **given,
    )  # fmt: skip
    return str(made["Listeners"][0]["ListenerArn"])


def ask(web: Balanced, host: str, path: str = "/", context: ssl.SSLContext | None = None) -> tuple[bytes, str | None]:
    """What is answered to a client that believes in the certificate of ``host`` only, and the protocol."""
    place = urlsplit(web.endpoint(443)["url"])
    assert place.scheme == "https"
    plain = socket.create_connection((str(place.hostname), place.port or 0), timeout=20)
    with (context or AUTHORITY.trust()).wrap_socket(plain, server_hostname=host) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer, connection.version()


@pytest.fixture
def secured(web: Balanced) -> Balanced:
    """A load balancer with a target, and a certificate for shop.example."""
    web.opened().made()
    web.open(web.front, 443)
    web.register(web.task("tea")[1])
    web.listener = secure(web, upload(web, "shop", "shop.example"))
    web.active().until("healthy")
    return web


def test_requests_over_tls(secured: Balanced) -> None:
    answer, _ = ask(secured, "shop.example", "/tea")
    assert answer.startswith(b"HTTP/1.1 200") and b'"name": "tea"' in answer
    assert b'"x-forwarded-proto": "https"' in answer and b'"x-forwarded-port": "443"' in answer
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(secured, "other.example")
    found = secured.elb.describe_listeners(ListenerArns=[secured.listener])["Listeners"][0]
    assert (found["Protocol"], found["SslPolicy"]) == ("HTTPS", "ELBSecurityPolicy-2016-08")
    assert found["Certificates"][0]["CertificateArn"].endswith(":server-certificate/shop")
    assert secured.ask(port=80)[0] == 200  # the other listener goes on without


def test_the_certificate_that_fits_the_name(secured: Balanced) -> None:
    """More certificates come and go while the listener serves."""
    elb, listener = secured.elb, secured.listener
    others = [upload(secured, "wild", "*.tea.example"), upload(secured, "green", "green.tea.example")]
    elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": arn} for arn in others])
    for host in ("shop.example", "green.tea.example", "black.tea.example"):
        answer, _ = ask(secured, host)
        assert answer.startswith(b"HTTP/1.1 200"), host
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(secured, "a.b.tea.example")
    listed = elb.describe_listener_certificates(ListenerArn=listener)["Certificates"]
    assert [one["IsDefault"] for one in listed] == [True, False, False]
    elb.remove_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": others[0]}])

    def gone() -> bool:
        try:
            ask(secured, "black.tea.example")
        except ssl.SSLCertVerificationError:
            return True
        return False

    wait_until(gone, "the certificate is not used any more")
    iam = secured.aws("iam")
    with pytest.raises(ClientError) as told:
        iam.delete_server_certificate(ServerCertificateName="green")
    assert told.value.response["Error"]["Code"] == "DeleteConflict"
    assert f"is currently in use by {secured.arn}. Please remove it first" in told.value.response["Error"]["Message"]
    iam.delete_server_certificate(ServerCertificateName="wild")


def test_security_policies(secured: Balanced) -> None:
    old = AUTHORITY.trust()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask(secured, "shop.example", context=old)[1] == "TLSv1.2"
    secured.elb.modify_listener(ListenerArn=secured.listener, SslPolicy=NEWEST)
    assert ask(secured, "shop.example")[1] == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        ask(secured, "shop.example", context=old)
    told = secured.elb.describe_ssl_policies(Names=[NEWEST])["SslPolicies"]
    assert [(one["Name"], one["SslProtocols"]) for one in told] == [(NEWEST, ["TLSv1.3"])]
    assert len(secured.elb.describe_ssl_policies()["SslPolicies"]) > 10


def test_from_http_to_https(secured: Balanced) -> None:
    """The redirection leads to where this machine finds the other listener."""
    plain = secured.elb.describe_listeners(LoadBalancerArn=secured.arn)["Listeners"][0]["ListenerArn"]
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    secured.elb.modify_listener(ListenerArn=plain, DefaultActions=[redirect])
    status, _, fields = secured.ask("/cart?a=b", port=80)
    place, led = urlsplit(secured.endpoint(443)["url"]), urlsplit(fields["location"])
    assert (status, led.scheme, led.port, led.path, led.query) == (301, "https", place.port, "/cart", "a=b")


def test_what_a_listener_may_not_be(web: Balanced, account: str) -> None:
    web.opened().made()
    create = web.elb.create_listener
    given: dict[str, Any] = {
        "LoadBalancerArn": web.arn, "Protocol": "HTTPS", "Port": 443,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": web.group}],
    }  # fmt: skip
    none = f"arn:aws:iam::{account}:server-certificate/none"
    assert refused(create, **given) == ("ValidationError", "A certificate must be specified for HTTPS listeners")
    assert refused(create, **given, Certificates=[{"CertificateArn": none}]) == (
        "CertificateNotFound", f"Certificate '{none}' not found",
    )  # fmt: skip
    certificates = [{"CertificateArn": upload(web, "a", "a.example")}]
    assert refused(create, **given, Certificates=certificates * 2)[0] == "ValidationError"
    assert refused(create, **given, Certificates=certificates, SslPolicy="none")[0] == "SSLPolicyNotFound"
    quantum = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    assert refused(create, **given, Certificates=certificates, SslPolicy=quantum)[0] == "NotImplemented"
    mutual = {"Mode": "verify"}
    assert refused(create, **given, Certificates=certificates, MutualAuthentication=mutual)[0] == "NotImplemented"
    assert refused(create, **given | {"Protocol": "HTTP"}, Certificates=certificates)[0] == "ValidationError"
    add = web.elb.add_listener_certificates
    assert refused(add, ListenerArn=web.listener, Certificates=certificates)[0] == "InvalidConfigurationRequest"
    arn = secure(web, certificates[0]["CertificateArn"])
    assert refused(web.elb.remove_listener_certificates, ListenerArn=arn, Certificates=certificates)[0] == (
        "OperationNotPermitted"
    )
    assert len(web.elb.describe_listeners(LoadBalancerArn=web.arn)["Listeners"]) == 2
    web.elb.modify_listener(ListenerArn=arn, Protocol="HTTP")
    found = web.elb.describe_listeners(ListenerArns=[arn])["Listeners"][0]
    assert found["Protocol"] == "HTTP" and "Certificates" not in found and "SslPolicy" not in found
