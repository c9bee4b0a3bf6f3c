"""Load balancers, listeners, rules, target groups and targets, and how AWS shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drydock.clock import as_datetime

Document = dict[str, Any]
Tags = list[dict[str, str]]

HOSTED_ZONES = {
    "us-east-1": "Z35SXDOTRQ7X7K", "us-east-2": "Z3AADJGX6KTTL2", "us-west-1": "Z368ELLRRE2KJ0", "us-west-2": "Z1H1FL5HABSF5",
    "eu-west-1": "Z32O12XQLNTSW2", "eu-west-2": "ZHURV8PSTC4K8", "eu-west-3": "Z3Q77PNBQS71R4", "eu-central-1": "Z215JYRZR1TBD5",
    "eu-north-1": "Z23TAZ6LKFMNIO", "ap-southeast-1": "Z1LMS91P8CMLE5", "ap-southeast-2": "Z1GM3OXH4ZPM65",
    "ap-northeast-1": "Z14GRHDCWA56QT", "ap-south-1": "ZP97RAFLXTNZK", "sa-east-1": "Z2P70J7HTTTPLU", "ca-central-1": "ZQSVJUPU6J1EY",
}  # fmt: skip
"""Canonical hosted zone of Application Load Balancers ("Elastic Load Balancing endpoints and quotas")"""

NETWORK_HOSTED_ZONES = {
    "us-east-1": "Z26RNL4JYFTOTI", "us-east-2": "ZLMOA37VPKANP", "us-west-1": "Z24FKFUX50B4VW", "us-west-2": "Z18D5FSROUN65G",
    "eu-west-1": "Z2IFOLAFXWLO4F", "eu-central-1": "Z3F0SRJ5LGBH90", "ap-southeast-1": "ZKVM4W9LS7TM",
    "ap-southeast-2": "ZCT6FZBF4DROD", "ap-northeast-1": "Z31USIVHYNEOWT",
}  # fmt: skip
"""The same of Network Load Balancers"""


@dataclass
class Zone:
    """An availability zone that a load balancer is in, with its network interface there."""

    subnet_id: str
    name: str
    eni_id: str = ""
    address: str = ""


@dataclass
class LoadBalancer:
    """``deleting``: its interfaces are going, and then it goes."""

    arn: str
    name: str
    dns_name: str
    scheme: str
    vpc_id: str
    created: float
    security_groups: list[str]
    zones: list[Zone]
    state: str = "provisioning"
    attributes: dict[str, str] = field(default_factory=dict)
    tags: Tags = field(default_factory=list)
    deleting: bool = False
    reason: str = ""
    """Why it has failed"""
    kind: str = "application"
    """or ``network``"""

    @property
    def id(self) -> str:
        """The end of the ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def internal(self) -> bool:
        """Reached from within its VPC only."""
        return self.scheme == "internal"

    def describe(self) -> Document:
        """AWS's form."""
        region = self.arn.split(":")[3]
        hosted = NETWORK_HOSTED_ZONES if self.kind == "network" else HOSTED_ZONES
        shape = {
            "LoadBalancerArn": self.arn,
            "DNSName": self.dns_name,
            "CanonicalHostedZoneId": hosted.get(region, hosted["us-east-1"]),
            "CreatedTime": as_datetime(self.created),
            "LoadBalancerName": self.name,
            "Scheme": self.scheme,
            "VpcId": self.vpc_id,
            "State": {"Code": self.state} | ({"Reason": self.reason} if self.reason else {}),
            "Type": self.kind,
            "AvailabilityZones": self.describe_zones(),
            "SecurityGroups": list(self.security_groups),
            "IpAddressType": "ipv4",
        }
        if self.kind == "network" and not self.security_groups:
            del shape["SecurityGroups"]
        return shape

    def describe_zones(self) -> list[Document]:
        """AWS's form."""
        return [{"ZoneName": zone.name, "SubnetId": zone.subnet_id, "LoadBalancerAddresses": []} for zone in self.zones]


@dataclass
class Listener:
    """``local_port`` is where this machine reaches it, once it has been opened."""

    arn: str
    load_balancer_arn: str
    port: int
    protocol: str
    default_actions: list[Document]
    default_rule_arn: str
    attributes: dict[str, str] = field(default_factory=dict)
    tags: Tags = field(default_factory=list)
    local_port: int = 0
    certificates: list[str] = field(default_factory=list)
    """ARNs, the default one's first; empty without TLS"""
    ssl_policy: str = ""

    @property
    def scheme(self) -> str:
        """Of its URLs; a TCP listener is taken to lead to HTTP."""
        return "https" if self.protocol == "HTTPS" else "http"

    @property
    def place(self) -> str:
        """To the data plane: another port is another place."""
        return f"{self.arn}:{self.port}"

    def describe(self) -> Document:
        """AWS's form."""
        shape = {
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.load_balancer_arn,
            "Port": self.port,
            "Protocol": self.protocol,
            "DefaultActions": self.default_actions,
        }
        if self.certificates:
            shape |= {
                "Certificates": [{"CertificateArn": self.certificates[0]}],
                "SslPolicy": self.ssl_policy,
                "MutualAuthentication": {"Mode": "off"},
            }
        return shape

    def default_rule(self) -> Document:
        """The rule that applies when no other does, in AWS's form."""
        return {
            "RuleArn": self.default_rule_arn,
            "Priority": "default",
            "Conditions": [],
            "Actions": self.default_actions,
            "IsDefault": True,
        }


@dataclass
class Rule:
    """Of a listener, beside its default rule."""

    arn: str
    listener_arn: str
    priority: int
    conditions: list[Document]
    actions: list[Document]
    tags: Tags = field(default_factory=list)

    def describe(self) -> Document:
        """AWS's form."""
        return {
            "RuleArn": self.arn,
            "Priority": str(self.priority),
            "Conditions": self.conditions,
            "Actions": self.actions,
            "IsDefault": False,
        }


@dataclass
class Health:
    """How a target group's targets are checked; durations in seconds of lab time."""

    protocol: str = "HTTP"
    port: str = "traffic-port"
    path: str = "/"
    interval: int = 30
    timeout: int = 5
    healthy: int = 5
    unhealthy: int = 2
    matcher: str = "200"


@dataclass
class Target:
    """An address (or an instance) and a port; one address with several ports is several targets. ``drains_until`` is in
    lab time."""

    id: str
    port: int
    zone: str = ""
    """As it was given: a zone's name, ``all``, or nothing"""
    own_zone: str = ""
    """Where it is"""
    state: str = "unused"
    reason: str = ""
    description: str = ""
    drains_until: float = 0.0

    @property
    def key(self) -> tuple[str, int]:
        """Among its group's targets."""
        return self.id, self.port

    def describe(self, health_port: str) -> Document:
        """AWS's form."""
        health: Document = {"State": self.state}
        if self.reason:
            health |= {"Reason": self.reason, "Description": self.description}
        target: Document = {"Id": self.id, "Port": self.port}
        if self.zone or self.own_zone:
            target["AvailabilityZone"] = self.zone or self.own_zone
        return {
            "Target": target,
            "HealthCheckPort": str(self.port) if health_port == "traffic-port" else health_port,
            "TargetHealth": health,
            "AnomalyDetection": {"Result": "normal", "MitigationInEffect": "no"},
            "AdministrativeOverride": {
                "State": "no_override",
                "Reason": "AdministrativeOverride.NoOverride",
                "Description": "No override is currently active on target",
            },
        }


@dataclass
class TargetGroup:
    """With its targets, in the order of their registration."""

    arn: str
    name: str
    protocol: str
    port: int
    vpc_id: str
    target_type: str
    health: Health = field(default_factory=Health)
    attributes: dict[str, str] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    tags: Tags = field(default_factory=list)

    def target(self, key: tuple[str, int]) -> Target | None:
        """A registered one."""
        return next((target for target in self.targets if target.key == key), None)

    def describe(self, load_balancers: list[str]) -> Document:
        """AWS's form."""
        health = self.health
        shape = {
            "TargetGroupArn": self.arn,
            "TargetGroupName": self.name,
            "Protocol": self.protocol,
            "Port": self.port,
            "VpcId": self.vpc_id,
            "HealthCheckProtocol": health.protocol,
            "HealthCheckPort": health.port,
            "HealthCheckEnabled": True,
            "HealthCheckIntervalSeconds": health.interval,
            "HealthCheckTimeoutSeconds": health.timeout,
            "HealthyThresholdCount": health.healthy,
            "UnhealthyThresholdCount": health.unhealthy,
            "HealthCheckPath": health.path,
            "Matcher": {"HttpCode": health.matcher},
            "LoadBalancerArns": load_balancers,
            "TargetType": self.target_type,
            "ProtocolVersion": "HTTP1",
            "IpAddressType": "ipv4",
        }
        if self.protocol == "TCP":
            del shape["ProtocolVersion"]
        if health.protocol == "TCP":
            del shape["HealthCheckPath"], shape["Matcher"]
        return shape


def groups_in(actions: list[Document]) -> list[str]:
    """ARNs of the target groups that actions forward to."""
    return [
        each["TargetGroupArn"] for action in actions for each in action.get("ForwardConfig", {}).get("TargetGroups", [])
    ]
