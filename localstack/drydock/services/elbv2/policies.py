"""Security policies of HTTPS listeners: protocols and ciphers. Pure. Source: "Security policies for your Application Load
Balancer"."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock

DEFAULT = "ELBSecurityPolicy-2016-08"
"""Of the API and of CloudFormation"""
_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_ALL = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA",
    "AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA",
)  # fmt: skip
_FORWARD = tuple(name for name in _ALL if name.startswith("ECDHE"))
_FORWARD_SHA2 = tuple(name for name in _FORWARD if not name.endswith("-SHA"))
_FORWARD_GCM = tuple(name for name in _FORWARD if "-GCM-" in name)
_SHA2 = tuple(name for name in _ALL if not name.endswith("-SHA"))
_P10, _P11, _P12, _P13 = "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"
_TABLE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "TLS13-1-3-2021-06": ((_P13,), _13),
    "TLS13-1-2-2021-06": ((_P13, _P12), _13 + _FORWARD_SHA2),
    "TLS13-1-2-Res-2021-06": ((_P13, _P12), _13 + _FORWARD_GCM),
    "TLS13-1-2-Ext1-2021-06": ((_P13, _P12), _13 + _SHA2),
    "TLS13-1-2-Ext2-2021-06": ((_P13, _P12), _13 + _ALL),
    "TLS13-1-1-2021-06": ((_P13, _P12, _P11), _13 + _ALL),
    "TLS13-1-0-2021-06": ((_P13, _P12, _P11, _P10), _13 + _ALL),
    "TLS-1-2-Ext-2018-06": ((_P12,), _ALL),
    "TLS-1-2-2017-01": ((_P12,), _SHA2),
    "TLS-1-1-2017-01": ((_P12, _P11), _ALL),
    "2016-08": ((_P12, _P11, _P10), _ALL),
    "FS-1-2-Res-2020-10": ((_P12,), _FORWARD_GCM),
    "FS-1-2-Res-2019-08": ((_P12,), _FORWARD_SHA2),
    "FS-1-2-2019-08": ((_P12,), _FORWARD),
    "FS-1-1-2019-08": ((_P12, _P11), _FORWARD),
    "FS-2018-06": ((_P12, _P11, _P10), _FORWARD),
}
NAMES = tuple(f"ELBSecurityPolicy-{name}" for name in _TABLE)


def check(name: str) -> str:
    """A policy's name. Raises SSLPolicyNotFound; 501 for those whose cryptography is not here."""
    if name not in NAMES:
        if name.startswith("ELBSecurityPolicy-") and ("-PQ-" in name or "-FIPS-" in name):
            instead = "Use ELBSecurityPolicy-TLS13-1-2-2021-06."
            raise NotImplementedByDrydock("elbv2", f"SslPolicy {name} (post-quantum or FIPS cryptography)", instead)
        raise AwsError("SSLPolicyNotFound", f"SSL policy '{name}' not found")  # (?)
    return name


def protocols(name: str) -> tuple[str, ...]:
    """The newest first."""
    return _TABLE[name.removeprefix("ELBSecurityPolicy-")][0]


def ciphers(name: str) -> tuple[str, ...]:
    """By priority."""
    return _TABLE[name.removeprefix("ELBSecurityPolicy-")][1]


def describe(name: str) -> dict[str, Any]:
    """AWS's form."""
    return {
        "Name": name,
        "SslProtocols": list(protocols(name)),
        "Ciphers": [{"Name": each, "Priority": number} for number, each in enumerate(ciphers(name), 1)],
        "SupportedLoadBalancerTypes": ["application"],
    }
