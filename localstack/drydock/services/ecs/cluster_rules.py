"""What a cluster's settings and configuration may be. Pure.

Source: API reference of ClusterSetting and ClusterConfiguration. The messages marked with (?) say the same in our words
and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.services.ecs.rules import invalid

SETTINGS = {"containerInsights": ("enabled", "disabled", "enhanced")}
LOGGING = ("NONE", "DEFAULT", "OVERRIDE")

Settings = list[dict[str, str]]


def check_settings(settings: Settings) -> None:
    """Raises InvalidParameterException."""
    for setting in settings:
        values = SETTINGS.get(setting.get("name", ""))
        if values is None:
            raise invalid("Invalid setting 'name'")  # (?)
        if setting.get("value") not in values:
            raise invalid("Invalid setting 'value'")


def with_settings(held: Settings, given: Settings) -> Settings:
    """``held`` with those that are given; the last one of a name counts."""
    merged = {setting["name"]: setting["value"] for setting in [*held, *given]}
    return [{"name": name, "value": value} for name, value in merged.items()]


def check_configuration(configuration: dict[str, Any] | None) -> dict[str, Any] | None:
    """What is to be kept and shown. Amazon EBS volumes are refused where they are asked for, so what is said of them need
    not act; encryption of Fargate's own storage, and of ECS Exec's data channel, would have to: refused here with 501."""
    if not configuration:
        return None
    storage = configuration.get("managedStorageConfiguration") or {}
    if storage.get("fargateEphemeralStorageKmsKeyId"):
        what = "fargateEphemeralStorageKmsKeyId (encryption of Fargate's ephemeral storage) of a cluster"
        raise AwsError("NotImplemented", f"Drydock does not implement {what} yet.", status=501)
    kept: dict[str, Any] = {"managedStorageConfiguration": storage} if storage else {}
    command = configuration.get("executeCommandConfiguration")
    if command:
        if command.get("kmsKeyId"):
            what = "kmsKeyId (encryption of the data channel) of executeCommandConfiguration"
            raise AwsError("NotImplemented", f"Drydock does not implement {what} yet.", status=501)
        logging = command.get("logging", "DEFAULT")
        if logging not in LOGGING:
            raise invalid(f"Invalid logging '{logging}'. Valid values are NONE, DEFAULT and OVERRIDE.")  # (?)
        if command.get("logConfiguration") and logging != "OVERRIDE":
            raise invalid("You must set logging to 'OVERRIDE' when you supply a log configuration.")
        if logging == "OVERRIDE" and not command.get("logConfiguration"):
            raise invalid("You must supply a log configuration when you set logging to 'OVERRIDE'.")  # (?)
        kept["executeCommandConfiguration"] = {**command, "logging": logging}
    return kept or None
