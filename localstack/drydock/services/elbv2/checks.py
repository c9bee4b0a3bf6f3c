"""What names, ports, health checks, conditions and actions may be. Pure.

Sources: the API reference of CreateLoadBalancer, CreateTargetGroup, CreateListener and CreateRule, "Listener rules for your
Application Load Balancer". The messages marked with (?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.elbv2.errors import invalid
from drydock.services.elbv2.model import Document, Health, Tags

FIELDS = ("path-pattern", "host-header", "http-header", "http-request-method", "query-string", "source-ip")
MOST_VALUES = 5
MOST_WILDCARDS = 6
MOST_GROUPS_OF_A_RULE = 5
MOST_TAGS = 50
CONTENT_TYPES = ("text/html", "application/json", "application/javascript", "text/css", "text/plain")


def check_name(name: str, what: str) -> None:
    """Of a load balancer or a target group. Raises ValidationError."""
    if not name or len(name) > 32:
        raise invalid(f"{what} name '{name}' cannot be longer than '32' characters")
    if not re.fullmatch("[A-Za-z0-9-]+", name):
        raise invalid(
            f"{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )
    if name.startswith("-") or name.endswith("-"):
        raise invalid(f"{what} name '{name}' cannot begin or end with '-'")
    if what == "Load balancer" and name.startswith("internal-"):
        raise invalid(f"{what} name '{name}' cannot begin with 'internal-'")


def check_tags(tags: Tags) -> None:
    """Raises DuplicateTagKeys, TooManyTags or ValidationError."""
    keys = [tag["Key"] for tag in tags]
    for key in keys:
        if keys.count(key) > 1:
            raise AwsError("DuplicateTagKeys", f"Tag key was specified more than once: {key}")
        if key.lower().startswith("aws:"):
            raise invalid("System tags cannot be added/updated by requester")
    if len(tags) > MOST_TAGS:
        raise AwsError("TooManyTags", "The maximum number of tags has been reached")  # (?)


# ------------------------------------------------------------------ health checks

_MATCHER = re.compile(r"[0-9]{3}(-[0-9]{3})?(,[0-9]{3}(-[0-9]{3})?)*")


def default_health(params: dict[str, Any]) -> Health:
    """Of a new target group. Source: the API reference of CreateTargetGroup."""
    if params.get("Protocol") != "TCP":
        return Health()
    if params.get("HealthCheckProtocol", "TCP") == "TCP":
        return Health(protocol="TCP", timeout=10)
    return Health(timeout=6, matcher="200-399")


def health_of(params: dict[str, Any], before: Health, operation: str) -> Health:
    """What it is after the parameters of CreateTargetGroup or ModifyTargetGroup. Raises AwsError."""
    found = Health(
        params.get("HealthCheckProtocol", before.protocol),
        str(params.get("HealthCheckPort", before.port)),
        params.get("HealthCheckPath", before.path),
        params.get("HealthCheckIntervalSeconds", before.interval),
        params.get("HealthCheckTimeoutSeconds", before.timeout),
        params.get("HealthyThresholdCount", before.healthy),
        params.get("UnhealthyThresholdCount", before.unhealthy),
        params.get("Matcher", {}).get("HttpCode", before.matcher),
    )
    if found.protocol == "TCP" and before.protocol == "TCP":
        if params.get("HealthCheckPath") or params.get("Matcher"):
            raise invalid("A path or a matcher cannot be specified for health checks of protocol TCP")  # (?)
    elif found.protocol not in ("HTTP", "HTTPS"):
        raise invalid(f"Health check protocol '{found.protocol}' must be one of '[HTTP, HTTPS]'")  # (?)
    if found.protocol == "HTTPS":
        raise NotImplementedByDrydock("elbv2", f"{operation} with HealthCheckProtocol HTTPS", "Use HTTP.")
    if params.get("HealthCheckEnabled") is False:
        raise invalid("Health check enabled must be true for target groups with target type 'instance' or 'ip'")  # (?)
    if "GrpcCode" in params.get("Matcher", {}):
        raise invalid("GrpcCode cannot be specified for a target group with protocol version HTTP1")  # (?)
    if found.port != "traffic-port" and not (found.port.isdigit() and 1 <= int(found.port) <= 65535):
        raise invalid(f"Health check port '{found.port}' must be 'traffic-port' or in the range 1-65535")  # (?)
    if not re.fullmatch(r"/[\x21-\x7e]*", found.path):
        raise invalid(
            f"Health check path '{found.path}' must begin with a '/' character, and can only contain printable ASCII "
            "characters, without spaces"
        )
    if found.interval <= found.timeout:
        raise invalid("Health check interval must be greater than the timeout.")
    _check_matcher(found.matcher)
    return found


def _check_matcher(matcher: str) -> None:
    ranges = matcher.split(",") if _MATCHER.fullmatch(matcher) else []
    codes = [int(code) for part in ranges for code in part.split("-")]
    if not codes or min(codes) < 200 or max(codes) > 499 or any(p.split("-")[0] > p.split("-")[-1] for p in ranges):
        raise invalid(f"Health check matcher HTTP code '{matcher}' must be within '200-499' inclusive")


# ------------------------------------------------------------------ conditions

_CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}


def conditions_of(given: list[Document], operation: str) -> list[Document]:
    """As AWS keeps and shows them. Raises AwsError."""
    if not given:
        raise invalid("A condition must be specified")
    found = [_condition(condition, operation) for condition in given]
    values = wildcards = 0
    for condition in found:
        texts = _texts(condition)
        values += len(texts)
        wildcards += sum(text.count("*") + text.count("?") for text in texts)
    if values > MOST_VALUES:
        raise AwsError("TooManyRules", f"A rule can only have '{MOST_VALUES}' condition values")  # (?)
    if wildcards > MOST_WILDCARDS:
        raise AwsError("TooManyRules", f"A rule can only have '{MOST_WILDCARDS}' condition wildcards")  # (?)
    single = [c["Field"] for c in found if c["Field"] not in ("http-header", "query-string")]
    for name in single:
        if single.count(name) > 1:
            raise invalid(f"A rule can only have one '{name}' condition")
    return found


def _texts(condition: Document) -> list[str]:
    values = condition[_CONFIGS[condition["Field"]]]["Values"]
    return [f"{v.get('Key', '')}{v['Value']}" if isinstance(v, dict) else v for v in values]


def _condition(given: Document, operation: str) -> Document:
    name = given.get("Field", "")
    if name not in FIELDS:
        raise invalid(f"Condition field '{name}' must be one of '[{','.join(FIELDS)}]'")
    config_name = _CONFIGS[name]
    if given.get("RegexValues") or (given.get(config_name) or {}).get("RegexValues"):
        raise NotImplementedByDrydock("elbv2", f"{operation} with RegexValues", "Use Values with * and ?.")
    if any(other in given for other in _CONFIGS.values() if other != config_name):
        raise invalid(f"You can only provide '{config_name}' for a condition of type '{name}'")  # (?)
    config = given.get(config_name)
    if name in ("path-pattern", "host-header"):
        if given.get("Values") and config:
            raise invalid(f"You cannot provide both Values and '{config_name}' for a condition of type '{name}'")
        values = list((config or {}).get("Values") or given.get("Values") or [])
        if not values:
            raise invalid("A condition value must be specified")
        _check_values(name, values, 128)
        if name == "path-pattern" and any(re.search(r"[^A-Za-z0-9_\-.$/~\"'@:+&*?]", value) for value in values):
            raise invalid("The path-pattern value contains invalid characters")  # (?)
        return {"Field": name, "Values": values, config_name: {"Values": values}}
    if given.get("Values"):
        raise invalid(f"The 'Values' field is not compatible with '{name}'")
    if not config:
        raise invalid(f"A '{config_name}' must be specified with '{name}'")
    return {"Field": name, config_name: _config(name, config)}


def _config(name: str, config: Document) -> Document:
    values = list(config.get("Values") or [])
    if not values:
        raise invalid(f"A '{name}' value must be specified")
    if name == "query-string":
        for pair in values:
            if pair.get("Value") is None:
                raise invalid("A 'Value' must be specified in 'QueryStringKeyValuePair'")
            _check_values("Key", [pair.get("Key") or "-"], 128)
            _check_values("Value", [pair["Value"] or "-"], 128)
        return {"Values": [{k: v for k, v in pair.items() if k in ("Key", "Value")} for pair in values]}
    if name == "http-header":
        header = config.get("HttpHeaderName") or ""
        if len(header) > 40:
            raise invalid("The 'HttpHeaderName' value is too long; the limit is '40'")
        if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", header):
            raise invalid("A valid 'HttpHeaderName' must be specified")  # (?)
        if header.lower() == "host":
            raise invalid("The 'HttpHeaderName' cannot be 'host'; use a 'host-header' condition")  # (?)
        _check_values(name, values, 128)
        return {"HttpHeaderName": header, "Values": values}
    if name == "http-request-method":
        _check_values(name, values, 40)
        if any(not re.fullmatch("[A-Z_-]+", value) for value in values):
            raise invalid(
                "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and underscore"
            )
        return {"Values": values}
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError as error:
            raise invalid(f"The 'source-ip' value '{value}' must be specified in CIDR format") from error  # (?)
    return {"Values": values}


def _check_values(name: str, values: list[str], longest: int) -> None:
    for value in values:
        if len(value) > longest:
            raise invalid(f"The '{name}' value is too long; the limit is '{longest}'")
        if not value:
            raise invalid(f"A '{name}' value must not be empty")  # (?)


# ------------------------------------------------------------------ actions

_LACKING = ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
KINDS = ("forward", *_LACKING, "redirect", "fixed-response")


def actions_of(given: list[Document], operation: str) -> list[Document]:
    """As AWS keeps and shows them. Raises AwsError."""
    if not given:
        raise invalid("An action must be specified")  # (?)
    found = []
    for number, action in enumerate(given, 1):
        kind = action.get("Type", "")
        if kind not in KINDS:
            raise invalid(
                f"1 validation error detected: Value '{kind}' at 'actions.{number}.member.type' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(KINDS)}]"
            )
        if kind in _LACKING:
            raise NotImplementedByDrydock(
                "elbv2", f"{operation} with an action {kind}", "Authenticate in the application."
            )
        found.append({"forward": _forward, "redirect": _redirect, "fixed-response": _fixed}[kind](action))
    if len(found) > 1:
        raise AwsError("TooManyActions", "Only one routing action can be specified")  # (?)
    return found


def _ordered(action: Document, found: Document) -> Document:
    return found | ({"Order": action["Order"]} if "Order" in action else {})


def _forward(action: Document) -> Document:
    config = action.get("ForwardConfig") or {}
    arn = action.get("TargetGroupArn")
    groups = list(config.get("TargetGroups") or ([{"TargetGroupArn": arn}] if arn else []))
    if not groups or any(not each.get("TargetGroupArn") for each in groups):
        raise invalid("A target group ARN must be specified")
    if arn and [each["TargetGroupArn"] for each in groups] != [arn]:
        raise invalid(
            "You can specify both a target group ARN and a forward config only if the target group is the only one"  # (?)
        )
    if len(groups) > MOST_GROUPS_OF_A_RULE:
        raise AwsError(
            "TooManyTargetGroups", f"A rule can forward to at most '{MOST_GROUPS_OF_A_RULE}' target groups"
        )  # (?)
    names = [each["TargetGroupArn"] for each in groups]
    if len(set(names)) != len(names):
        raise invalid("A target group can only be specified once in a forward action")  # (?)
    weighted = [{"TargetGroupArn": each["TargetGroupArn"], "Weight": each.get("Weight", 1)} for each in groups]
    if any(not 0 <= each["Weight"] <= 999 for each in weighted):
        raise invalid("The weight of a target group must be between '0-999' inclusive")  # (?)
    sticky = dict(config.get("TargetGroupStickinessConfig") or {"Enabled": False})
    if sticky.get("Enabled") and not 1 <= sticky.get("DurationSeconds", 0) <= 604800:
        raise invalid("Target group stickiness duration must be between '1-604800' inclusive")  # (?)
    found: Document = {"Type": "forward"}
    if len(groups) == 1:
        found["TargetGroupArn"] = names[0]
    return _ordered(
        action, found | {"ForwardConfig": {"TargetGroups": weighted, "TargetGroupStickinessConfig": sticky}}
    )


def _redirect(action: Document) -> Document:
    given = action.get("RedirectConfig")
    if not given:
        raise invalid("A redirect config must be specified for an action of type 'redirect'")  # (?)
    defaults = {
        "Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}",
    }  # fmt: skip
    config = defaults | given
    if config["StatusCode"] not in ("HTTP_301", "HTTP_302"):
        raise invalid(f"Redirect status code '{config['StatusCode']}' must be one of [HTTP_301, HTTP_302]")  # (?)
    if config["Protocol"] not in ("HTTP", "HTTPS", "#{protocol}"):
        raise invalid(f"Redirect protocol '{config['Protocol']}' must be one of [HTTP, HTTPS, #{{protocol}}]")  # (?)
    port = config["Port"]
    if port != "#{port}" and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise invalid(f"Redirect port '{port}' must be in the range 1-65535")  # (?)
    if not config["Path"].startswith("/"):
        raise invalid(f"Redirect path '{config['Path']}' must begin with '/'")  # (?)
    if all(config[name] == text for name, text in defaults.items() if name != "Query"):
        raise AwsError(
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
        )
    return _ordered(action, {"Type": "redirect", "RedirectConfig": config})


def _fixed(action: Document) -> Document:
    config = action.get("FixedResponseConfig")
    if not config:
        raise invalid("A fixed response config must be specified for an action of type 'fixed-response'")  # (?)
    status = str(config["StatusCode"])
    if not re.fullmatch(r"[245][0-9][0-9]", status):
        raise invalid(
            f"1 validation error detected: Value '{status}' at 'actions.1.member.fixedResponseConfig.statusCode' failed to "
            r"satisfy constraint: Member must satisfy regular expression pattern: ^(2|4|5)\d\d$"
        )
    if config.get("ContentType") and config["ContentType"] not in CONTENT_TYPES:
        raise AwsError(
            "InvalidLoadBalancerAction",
            "The ContentType must be one of:'text/html', 'application/json', 'application/javascript', 'text/css', 'text/plain'",
        )
    return _ordered(action, {"Type": "fixed-response", "FixedResponseConfig": dict(config)})
