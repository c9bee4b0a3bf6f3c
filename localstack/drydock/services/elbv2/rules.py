"""Pure decisions: a target's health, and what the data plane is told.

Sources: "Health checks for Application Load Balancer target groups" (a new target needs to pass one check; the thresholds are for
changes) and "Target health status" (reason codes and descriptions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drydock.services.elbv2 import attributes
from drydock.services.elbv2.model import Document, Health, Listener, LoadBalancer, Rule, Target, TargetGroup

DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.InvalidState": "Target is in the stopped state",
}
OUTSIDE_ZONES = "Target is in an Availability Zone that is not enabled for the load balancer"


@dataclass(frozen=True)
class Standing:
    """What DescribeTargetHealth says of a target."""

    state: str
    reason: str = ""
    description: str = ""


def standing(state: str, reason: str = "", description: str = "") -> Standing:
    """With AWS's description of the reason."""
    return Standing(state, reason, description or DESCRIPTIONS.get(reason, ""))


@dataclass
class Streak:
    """Checks of the same outcome, one after another."""

    passed: int = 0
    failed: int = 0


def matches(matcher: str, status: int) -> bool:
    """``200``, ``200,302``, ``200-299`` or a mixture."""
    for part in matcher.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def failure(health: Health, outcome: dict[str, Any]) -> Standing | None:
    """What is wrong with a check's outcome; None if it has passed."""
    if "connected" in outcome:
        return None
    if "status" in outcome:
        if matches(health.matcher, outcome["status"]):
            return None
        return Standing(
            "unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{outcome['status']}]"
        )
    if outcome["error"] == "timeout":
        return standing("unhealthy", "Target.Timeout")
    return standing("unhealthy", "Target.FailedHealthChecks")


def judged(state: str, health: Health, streak: Streak, outcome: dict[str, Any]) -> Standing | None:
    """What a target is after a check; None if that changes nothing. Counts in ``streak``."""
    wrong = failure(health, outcome)
    if wrong is None:
        streak.passed, streak.failed = streak.passed + 1, 0
        enough = 1 if state == "initial" else health.healthy
        return Standing("healthy") if state != "healthy" and streak.passed >= enough else None
    streak.passed, streak.failed = 0, streak.failed + 1
    if state == "unhealthy" or streak.failed >= health.unhealthy:
        return wrong
    return None


def least_healthy(group: TargetGroup) -> tuple[int, float]:
    """How many targets must be healthy, and how many percent, before those that are not get requests too."""
    prefix = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
    count = attributes.value(attributes.of_group(group.protocol), group.attributes, f"{prefix}.count")
    percentage = attributes.value(attributes.of_group(group.protocol), group.attributes, f"{prefix}.percentage")
    return int(count), 0.0 if percentage == "off" else float(percentage)


def delay_of(group: TargetGroup) -> int:
    """Lab seconds that a target drains."""
    return int(
        attributes.value(attributes.of_group(group.protocol), group.attributes, "deregistration_delay.timeout_seconds")
    )


# ------------------------------------------------------------------ for the data plane

_CONFIGS = {
    "path-pattern": "PathPatternConfig", "host-header": "HostHeaderConfig", "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig", "query-string": "QueryStringConfig", "source-ip": "SourceIpConfig",
}  # fmt: skip


def condition(given: Document) -> Document:
    """As the data plane compiles it."""
    config = given[_CONFIGS[given["Field"]]]
    if given["Field"] == "query-string":
        values: list[Any] = [{"key": pair.get("Key"), "value": pair["Value"]} for pair in config["Values"]]
    else:
        values = list(config["Values"])
    return {"field": given["Field"], "name": config.get("HttpHeaderName", ""), "values": values}


def action(given: Document) -> Document:
    """As the data plane carries it out."""
    if given["Type"] == "forward":
        config = given["ForwardConfig"]
        sticky = config["TargetGroupStickinessConfig"]
        return {
            "type": "forward",
            "groups": [[each["TargetGroupArn"], each["Weight"]] for each in config["TargetGroups"]],
            "stickiness": sticky.get("DurationSeconds", 0) if sticky.get("Enabled") else 0,
        }
    if given["Type"] == "redirect":
        config = given["RedirectConfig"]
        names = ("Protocol", "Port", "Host", "Path", "Query")
        return {"type": "redirect", "status": int(config["StatusCode"][-3:])} | {n.lower(): config[n] for n in names}
    config = given["FixedResponseConfig"]
    body = config.get("MessageBody", "")
    return {
        "type": "fixed-response",
        "status": int(config["StatusCode"]),
        "body": body,
        "content_type": config.get("ContentType") or "text/plain",
    }


def group(given: TargetGroup) -> Document:
    """A target group, for the data plane."""

    def of(key: str) -> str:
        return attributes.value(attributes.TARGET_GROUP, given.attributes if given.protocol != "TCP" else {}, key)

    sticky: Document | None = None
    if of("stickiness.enabled") == "true":
        if of("stickiness.type") == "lb_cookie":
            seconds = float(of("stickiness.lb_cookie.duration_seconds"))
            sticky = {"type": "lb_cookie", "seconds": seconds, "name": b"", "cookies": [b"AWSALB", b"AWSALBCORS"]}
        else:
            name = of("stickiness.app_cookie.cookie_name").encode()
            sticky = {"type": "app_cookie", "seconds": 0.0, "name": name, "cookies": [b"AWSALBAPP-0"]}
    count, percentage = least_healthy(given)
    return {
        "arn": given.arn,
        "algorithm": of("load_balancing.algorithm.type"),
        "slow_start": float(of("slow_start.duration_seconds")),
        "stickiness": sticky,
        "least": count,
        "least_percentage": percentage,
        "targets": [[target.id, target.port, zone_of(target), target.state] for target in given.targets],
    }


def zone_of(target: Target) -> str:
    """Where a target's requests are counted."""
    return target.zone if target.zone not in ("", "all") else target.own_zone


def configuration(
    balancer: LoadBalancer,
    listeners: list[tuple[Listener, list[Rule], bool, Document | None]],
    groups: list[TargetGroup],
    speed: float,
) -> Document:
    """Everything about a load balancer. ``listeners``: each with its rules in order, whether clients are
    admitted, and its TLS."""

    network = balancer.kind == "network"

    def of(key: str) -> str:
        return attributes.value(attributes.LOAD_BALANCER, {} if network else balancer.attributes, key)

    idle = of("idle_timeout.timeout_seconds")
    if network:
        times = [
            attributes.value(attributes.NETWORK_LISTENER, listener.attributes, "tcp.idle_timeout.seconds")
            for listener, *_ in listeners
        ]
        idle = max(times, key=float, default="350")
    return {
        "lb": balancer.arn,
        "name": balancer.dns_name,
        "salt": balancer.arn,
        "speed": speed,
        "idle": float(idle),
        "keep_alive": float(of("client_keep_alive.seconds")),
        "drop_odd_names": of("routing.http.drop_invalid_header_fields.enabled") == "true",
        "preserve_host": of("routing.http.preserve_host_header.enabled") == "true",
        "forwarded_for": of("routing.http.xff_header_processing.mode"),
        "client_port": of("routing.http.xff_client_port.enabled") == "true",
        "listeners": [
            {
                "id": listener.place,
                "port": listener.port,
                "admitted": admitted,
                "tls": tls,
                "stream": listener.protocol == "TCP",
                "shows_server": network
                or attributes.value(attributes.LISTENER, listener.attributes, "routing.http.response.server.enabled")
                == "true",
                "rules": [
                    {"conditions": [condition(c) for c in rule.conditions], "action": action(rule.actions[-1])}
                    for rule in rules
                ]
                + [{"conditions": [], "action": action(listener.default_actions[-1])}],
            }
            for listener, rules, admitted, tls in listeners
        ],
        "ports": [[listener.port, listener.local_port] for listener, *_ in listeners if listener.local_port],
        "groups": [group(each) for each in groups],
    }
