"""Attributes of load balancers, listeners and target groups: what they may be and what they are by default. Pure.

An attribute that could not be kept here (access logs, a web application firewall, HTTP/2 to targets, ...) may be given its
default only; anything else is refused with 501.

Sources: LoadBalancerAttribute, ListenerAttribute and TargetGroupAttribute of the API reference. The messages marked with (?)
are to be compared with AWS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drydock.errors import NotImplementedByDrydock
from drydock.services.elbv2.errors import configuration, invalid

Given = list[dict[str, str]]


@dataclass(frozen=True)
class Attribute:
    """``allowed`` is a tuple of values or a range (inclusive); ``here`` those that Drydock can do, if not all."""

    default: str
    allowed: tuple[str, ...] | range | None = None
    here: tuple[str, ...] | None = None
    instead: str = ""


_SWITCH = ("true", "false")
LOAD_BALANCER = {
    "access_logs.s3.enabled": Attribute("false", _SWITCH, ("false",), "There are no access logs."),
    "access_logs.s3.bucket": Attribute("", None, ("",), "There are no access logs."),
    "access_logs.s3.prefix": Attribute("", None, ("",), "There are no access logs."),
    "connection_logs.s3.enabled": Attribute("false", _SWITCH, ("false",), "There are no connection logs."),
    "connection_logs.s3.bucket": Attribute("", None, ("",), "There are no connection logs."),
    "connection_logs.s3.prefix": Attribute("", None, ("",), "There are no connection logs."),
    "client_keep_alive.seconds": Attribute("3600", range(60, 604801)),
    "deletion_protection.enabled": Attribute("false", _SWITCH),
    "idle_timeout.timeout_seconds": Attribute("60", range(1, 4001)),
    "ipv6.deny_all_igw_traffic": Attribute("false", _SWITCH, ("false",), "Addresses are IPv4."),
    "load_balancing.cross_zone.enabled": Attribute("true", ("true",)),
    "routing.http.desync_mitigation_mode": Attribute(
        "defensive", ("monitor", "defensive", "strictest"), ("defensive", "strictest"),
        "Ambiguous requests are always refused.",
    ),
    "routing.http.drop_invalid_header_fields.enabled": Attribute("false", _SWITCH),
    "routing.http.preserve_host_header.enabled": Attribute("false", _SWITCH),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": Attribute("false", _SWITCH, ("false",), "They are not added."),
    "routing.http.xff_client_port.enabled": Attribute("false", _SWITCH),
    "routing.http.xff_header_processing.mode": Attribute("append", ("append", "preserve", "remove")),
    "routing.http2.enabled": Attribute("true", _SWITCH),
    "waf.fail_open.enabled": Attribute("false", _SWITCH, ("false",), "There is no web application firewall."),
    "zonal_shift.config.enabled": Attribute("false", _SWITCH, ("false",), "Zones do not fail here."),
}  # fmt: skip
LISTENER = {"routing.http.response.server.enabled": Attribute("true", _SWITCH)}
_PER_CENT = ("off", *(str(number) for number in range(1, 101)))
TARGET_GROUP = {
    "deregistration_delay.timeout_seconds": Attribute("300", range(0, 3601)),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off", ("on", "off"), ("off",), "Use the health checks."),
    "load_balancing.algorithm.type": Attribute(
        "round_robin", ("round_robin", "least_outstanding_requests", "weighted_random")
    ),
    "load_balancing.cross_zone.enabled": Attribute(
        "use_load_balancer_configuration", ("true", "false", "use_load_balancer_configuration"),
        ("true", "use_load_balancer_configuration"), "All zones' targets get requests.",
    ),
    "slow_start.duration_seconds": Attribute("0", range(0, 901)),
    "stickiness.app_cookie.cookie_name": Attribute(""),
    "stickiness.app_cookie.duration_seconds": Attribute("86400", range(1, 604801)),
    "stickiness.enabled": Attribute("false", _SWITCH),
    "stickiness.lb_cookie.duration_seconds": Attribute("86400", range(1, 604801)),
    "stickiness.type": Attribute("lb_cookie", ("lb_cookie", "app_cookie")),
    "target_group_health.dns_failover.minimum_healthy_targets.count": Attribute("1", None, ("1", "off"), "There is no DNS."),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": Attribute("off", None, ("off",), "There is no DNS."),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": Attribute("1", range(1, 1001)),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute("off", _PER_CENT),
}  # fmt: skip
NETWORK_LOAD_BALANCER = {
    "access_logs.s3.enabled": Attribute("false", _SWITCH, ("false",), "There are no access logs."),
    "access_logs.s3.bucket": Attribute("", None, ("",), "There are no access logs."),
    "access_logs.s3.prefix": Attribute("", None, ("",), "There are no access logs."),
    "deletion_protection.enabled": Attribute("false", _SWITCH),
    "dns_record.client_routing_policy": Attribute(
        "any_availability_zone",
        ("availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"),
        ("any_availability_zone",), "There is no DNS.",
    ),
    "load_balancing.cross_zone.enabled": Attribute("false", _SWITCH),
    "zonal_shift.config.enabled": Attribute("false", _SWITCH, ("false",), "Zones do not fail here."),
}  # fmt: skip
NETWORK_LISTENER = {"tcp.idle_timeout.seconds": Attribute("350", range(60, 6001))}
NETWORK_TARGET_GROUP = {
    "deregistration_delay.connection_termination.enabled": Attribute("false", _SWITCH),
    "deregistration_delay.timeout_seconds": Attribute("300", range(0, 3601)),
    "load_balancing.cross_zone.enabled": TARGET_GROUP["load_balancing.cross_zone.enabled"],
    "preserve_client_ip.enabled": Attribute("false", _SWITCH, ("false",), "Targets see the load balancer's address."),
    "proxy_protocol_v2.enabled": Attribute("false", _SWITCH, ("false",), "There is no proxy protocol."),
    "stickiness.enabled": Attribute("false", _SWITCH, ("false",), "All clients of this machine have one address."),
    "stickiness.type": Attribute("source_ip", ("source_ip",)),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": Attribute("1", range(1, 1001)),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute("off", _PER_CENT),
}  # fmt: skip
"""A connection that a target still has is cut when it has drained, whether or not that was asked for"""
_COOKIE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")


def of_balancer(kind: str) -> dict[str, Attribute]:
    """By its type."""
    return NETWORK_LOAD_BALANCER if kind == "network" else LOAD_BALANCER


def of_listener(protocol: str) -> dict[str, Attribute]:
    """By its protocol."""
    return NETWORK_LISTENER if protocol == "TCP" else LISTENER


def of_group(protocol: str) -> dict[str, Attribute]:
    """By its protocol."""
    return NETWORK_TARGET_GROUP if protocol == "TCP" else TARGET_GROUP


def shown(table: dict[str, Attribute], kept: dict[str, str]) -> Given:
    """All, with their defaults, in AWS's form."""
    return [{"Key": key, "Value": kept.get(key, known.default)} for key, known in table.items()]


def value(table: dict[str, Attribute], kept: dict[str, str], key: str) -> str:
    """One in force."""
    return kept.get(key, table[key].default)


def checked(table: dict[str, Attribute], given: Given, what: str, operation: str) -> dict[str, str]:
    """``given`` as a dict. Raises AwsError. ``what`` is "Load balancer", "Listener" or "Target group"."""
    found: dict[str, str] = {}
    for pair in given:
        key, text = pair.get("Key", ""), pair.get("Value", "")
        known = table.get(key)
        if known is None:
            raise invalid(f"{what} attribute key '{key}' is not recognized")
        if key in found:
            raise configuration(f"{what} attribute key '{key}' was specified more than once")  # (?)
        _check(key, text, known)
        if known.here is not None and text not in known.here:
            raise NotImplementedByDrydock("elbv2", f"{operation} with {key}={text}", known.instead)
        found[key] = text
    return found


def _check(key: str, text: str, known: Attribute) -> None:
    if isinstance(known.allowed, range):
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) not in known.allowed:
            low, high = known.allowed[0], known.allowed[-1]
            raise invalid(f"'{key}' value '{text}' must be between '{low}-{high}' inclusive")
    elif known.allowed is not None and text not in known.allowed:
        raise invalid(f"'{key}' value '{text}' must be one of [{', '.join(known.allowed)}]")  # (?)


def check_group(kept: dict[str, str]) -> None:
    """How a target group's attributes go together. Raises AwsError."""

    def of(key: str) -> str:
        return value(TARGET_GROUP, kept, key)

    name = of("stickiness.app_cookie.cookie_name")
    if of("stickiness.enabled") == "true" and of("stickiness.type") == "app_cookie":
        if not name:
            raise configuration("You must set an application cookie name to enable stickiness of type 'app_cookie'")
        if not _COOKIE.fullmatch(name) or name.upper().startswith(("AWSALB", "AWSALBAPP", "AWSALBTG")):
            raise configuration(f"'{name}' is not a valid application cookie name")  # (?)
    slow = int(of("slow_start.duration_seconds"))
    if 0 < slow < 30:
        raise invalid(
            f"'slow_start.duration_seconds' value '{slow}' must be either '0' or between '30-900' inclusive"
        )  # (?)
    if slow and of("load_balancing.algorithm.type") != "round_robin":
        raise configuration(
            "You cannot enable both slow start and the least outstanding requests or weighted random routing algorithm"  # (?)
        )
