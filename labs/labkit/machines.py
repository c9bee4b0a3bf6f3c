"""What ``cleanup`` finds of a chapter's EC2 instances, and of what hangs on them.

An instance is the chapter's if it has the tag ``lab=NN``, which labkit puts on it, or a name that begins with ``labNN``. It
costs money until it is terminated, so it is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from labkit.chapter import Chapter
from labkit.sessions import TAG, client
from labkit.waiting import wait

Found = list[tuple[str, Callable[[], object]]]
_MOST_INSTANCES = 100
"""In one describe call of ECS"""


def name_of(instance: dict[str, Any]) -> str:
    """An EC2 instance's name, else its id."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return str(tags.get("Name") or instance["InstanceId"])


def instances(here: Chapter) -> Found:
    """EC2 instances that are not terminated yet. All are told before the first is waited for."""
    ec2 = client("ec2")
    mine: dict[str, str] = {}
    for name, value in ((f"tag:{TAG}", here.facts.nn), ("tag:Name", f"{here.prefix}*")):
        pages = ec2.get_paginator("describe_instances").paginate(Filters=[{"Name": name, "Values": [value]}])
        for instance in (one for page in pages for each in page["Reservations"] for one in each["Instances"]):
            if instance["State"]["Name"] != "terminated":
                mine[instance["InstanceId"]] = name_of(instance)
    named = sorted(mine.items(), key=lambda pair: (pair[1], pair[0]))
    return [(name, partial(_terminate, list(mine), instance_id, name)) for instance_id, name in named]


def _terminate(all_of_them: list[str], instance_id: str, name: str) -> None:
    ec2 = client("ec2")
    ec2.terminate_instances(InstanceIds=all_of_them)

    def state() -> str:
        found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    wait(state, until="terminated", name=f"instance {name}")


def container_instances(here: Chapter) -> Found:
    """Those that are still registered with the chapter's clusters, though their instances are gone: a cluster that has
    some cannot be deleted."""
    ecs = client("ecs")
    found: Found = []
    for page in ecs.get_paginator("list_clusters").paginate():
        for cluster in page["clusterArns"]:
            if not cluster.rpartition("/")[2].startswith(here.prefix):
                continue
            for arn in registered(ecs, cluster):
                remove = partial(ecs.deregister_container_instance, cluster=cluster, containerInstance=arn, force=True)
                found.append((arn.rpartition("/")[2], remove))
    return found


def registered(ecs: Any, cluster: str) -> list[str]:
    """ARNs of a cluster's container instances, whatever their status."""
    pages = ecs.get_paginator("list_container_instances").paginate(cluster=cluster)
    return [arn for page in pages for arn in page["containerInstanceArns"]]


def described(ecs: Any, cluster: str) -> list[dict[str, Any]]:
    """A cluster's container instances, by zone and then in the order in which they joined."""
    arns = registered(ecs, cluster)
    found = [
        instance
        for first in range(0, len(arns), _MOST_INSTANCES)
        for instance in ecs.describe_container_instances(
            cluster=cluster, containerInstances=arns[first : first + _MOST_INSTANCES]
        )["containerInstances"]
    ]
    return sorted(found, key=lambda one: (attribute(one, "ecs.availability-zone"), one["registeredAt"]))


def attribute(instance: dict[str, Any], name: str) -> str:
    """An attribute's value of a container instance; empty if it has none of that name."""
    return next((each.get("value", "") for each in instance["attributes"] if each["name"] == name), "")


def instance_profiles(here: Chapter) -> Found:
    """Those whose names are the chapter's. A role cannot be deleted while it is in one."""
    iam = client("iam")
    found: Found = []
    for page in iam.get_paginator("list_instance_profiles").paginate():
        for profile in page["InstanceProfiles"]:
            if profile["InstanceProfileName"].startswith(here.prefix):
                roles = [role["RoleName"] for role in profile["Roles"]]
                found.append(
                    (profile["InstanceProfileName"], partial(_dissolve, profile["InstanceProfileName"], roles))
                )
    return found


def _dissolve(profile: str, roles: list[str]) -> None:
    iam = client("iam")
    for role in roles:
        iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=profile)
