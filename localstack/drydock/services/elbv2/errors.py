"""Errors of Elastic Load Balancing in AWS's words. Those marked with (?) say the same in ours, and are to be compared."""

from __future__ import annotations

from drydock.errors import AwsError


def invalid(message: str) -> AwsError:
    """ValidationError."""
    return AwsError("ValidationError", message)


def configuration(message: str) -> AwsError:
    """InvalidConfigurationRequest."""
    return AwsError("InvalidConfigurationRequest", message)


def no_load_balancers(names: list[str]) -> AwsError:
    """For Describe..."""
    return AwsError("LoadBalancerNotFound", f"Load balancers '[{', '.join(names)}]' not found")


def no_load_balancer(arn: str) -> AwsError:
    """For the other operations."""
    return AwsError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")


def no_listener(arn: str) -> AwsError:
    """One that was named."""
    return AwsError("ListenerNotFound", f"Listener '{arn}' not found")


def no_rule(arn: str) -> AwsError:
    """One that was named."""
    return AwsError("RuleNotFound", f"Rule '{arn}' not found")


def no_target_group(arn: str) -> AwsError:
    """One that was named."""
    return AwsError("TargetGroupNotFound", f"Target group '{arn}' not found")


NO_TARGET_GROUPS = ("TargetGroupNotFound", "One or more target groups not found")
NO_LISTENERS = ("ListenerNotFound", "One or more listeners not found")
NO_RULES = ("RuleNotFound", "One or more rules not found")
DUPLICATE_LISTENER = ("DuplicateListener", "A listener already exists on this port for this load balancer '{}'")
PRIORITY_IN_USE = ("PriorityInUse", "Priority '{}' is currently in use")
IN_USE = ("ResourceInUse", "Target group '{}' is currently in use by a listener or a rule")
