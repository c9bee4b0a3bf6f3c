"""What CreateService and UpdateService check and fill in. Pure.

Sources: API reference of CreateService, UpdateService and DeploymentConfiguration, and AWS's messages; those marked with
(?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.services.ecs.rules import NAME, invalid

Params = dict[str, Any]
MOST_TASKS = 5000
"""Of a service ("Amazon ECS service quotas")"""
_LACKING = {
    "serviceRegistries": "service registries",
    "volumeConfigurations": "volumeConfigurations", "vpcLatticeConfigurations": "VPC Lattice",
}  # fmt: skip
"""Parameters that AWS has and we would not act on: refused, never ignored"""
MOST_ALARMS = 10
"""Of a deployment configuration (?)"""
_STRATEGIES = ("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")


def not_yet(what: str) -> AwsError:
    """A part of an operation that AWS has and we lack."""
    return AwsError("NotImplemented", f"Drydock does not implement {what} yet.", status=501)


def check_lacking(params: Params) -> None:
    """Raises NotImplemented (501)."""
    for member, what in _LACKING.items():
        if params.get(member):
            raise not_yet(f"{what} of a service")
    if params.get("serviceConnectConfiguration", {}).get("enabled"):
        raise not_yet("Service Connect")
    if params.get("availabilityZoneRebalancing") == "ENABLED":
        raise not_yet("Availability Zone rebalancing of a service")


def check_grace(seconds: int | None, balanced: bool) -> None:
    """healthCheckGracePeriodSeconds. Raises InvalidParameterException."""
    if seconds and not balanced:
        raise invalid("Health check grace period is only valid for services configured to use load balancers")
    if seconds is not None and not 0 <= seconds <= 2**31 - 1:
        raise invalid("healthCheckGracePeriodSeconds must be between 0 and 2147483647.")  # (?)


def check_name(name: str) -> None:
    """Raises InvalidParameterException."""
    if not NAME.fullmatch(name):
        raise invalid(
            "Invalid service name. The name must be up to 255 characters long and may contain letters, numbers, hyphens "
            "and underscores."
        )  # (?)


def controller(params: Params) -> str:
    """``ECS`` or ``EXTERNAL``. Raises AwsError."""
    kind = params.get("deploymentController", {}).get("type", "ECS")
    if kind == "CODE_DEPLOY":
        raise not_yet("the deployment controller CODE_DEPLOY")
    if kind not in ("ECS", "EXTERNAL"):
        raise invalid(f"Invalid deployment controller type: {kind}")  # (?)
    return str(kind)


def check_count(count: int | None, daemon: bool, required: bool) -> None:
    """Raises InvalidParameterException."""
    if daemon and count is not None:
        raise invalid(
            "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value "
            "and try again"
        )
    if not daemon and required and count is None:
        raise invalid("DesiredCount is missing")  # (?)
    if count is not None and not 0 <= count <= MOST_TASKS:
        raise invalid(f"desiredCount must be between 0 and {MOST_TASKS}.")  # (?)


def check_daemon(params: Params, has_strategy: bool) -> None:
    """What goes not with the DAEMON scheduling strategy. Raises InvalidParameterException."""
    if params.get("placementStrategy"):
        raise invalid(
            "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try "
            "again"
        )
    if has_strategy:
        raise invalid(
            "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON scheduling "
            "strategy."
        )
    if params.get("launchType") == "FARGATE":
        raise invalid("The daemon scheduling strategy does not support the FARGATE launch type.")  # (?)


def configuration(given: Params, held: Params | None, daemon: bool) -> Params:
    """The deploymentConfiguration as it is kept and shown; what is not given stays as it is ``held``. Raises AwsError."""
    strategy = given.get("strategy", "ROLLING")
    if strategy not in _STRATEGIES:
        raise invalid(f"Invalid deployment strategy: {strategy}")  # (?)
    if strategy != "ROLLING":
        raise not_yet(f"the deployment strategy {strategy}")
    for member, what in (("lifecycleHooks", "lifecycle hooks"), ("bakeTimeInMinutes", "bake time")):
        if given.get(member):
            raise not_yet(f"{what} of a rolling deployment")
    alarms = given.get("alarms") or {}
    if alarms.get("enable") and not alarms.get("alarmNames"):
        raise invalid("alarmNames must not be empty when deployment alarms are enabled.")  # (?)
    if len(alarms.get("alarmNames") or []) > MOST_ALARMS:
        raise invalid(f"alarmNames can have at most {MOST_ALARMS} items.")  # (?)
    base = held or {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 100 if daemon else 200,
        "minimumHealthyPercent": 0 if daemon else 100,
        "alarms": {"alarmNames": [], "rollback": False, "enable": False},
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    }
    kept = {**base, **{name: value for name, value in given.items() if name != "lifecycleHooks"}}
    least, most = kept["minimumHealthyPercent"], kept["maximumPercent"]
    if daemon and most > 100:
        raise invalid("The daemon scheduling strategy does not support values above 100 for maximumPercent")
    if least > 100:
        raise invalid("minimumHealthyPercent must be at most 100")
    if least < 0 or most < 0:
        raise invalid("minimumHealthyPercent and maximumPercent must be at least 0")  # (?)
    if least == 100 and most == 100:
        raise invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
    if most < least or most == 0:
        raise invalid("maximumPercent must be greater than minimumHealthyPercent.")  # (?)
    return kept
