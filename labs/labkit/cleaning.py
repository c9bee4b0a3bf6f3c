"""``cleanup``: delete what the chapter made, then look whether anything is left.

What the chapter made is known by the tag ``lab=NN`` where AWS has tags, and else by its name: everything that a chapter
makes has a name that begins with ``labNN`` (log groups and parameters: ``/labNN``). Nothing else is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from labkit import fronts, machines, scaling, stacks
from labkit.chapter import Chapter
from labkit.chapter import current as current_chapter
from labkit.clusters import NOT_IMPLEMENTED
from labkit.errors import LabError
from labkit.sessions import TAG, client
from labkit.showing import show
from labkit.waiting import wait

Found = list[tuple[str, Callable[[], object]]]
"""Names, and what deletes each"""


def cleanup(chapter: Chapter | None = None) -> None:
    """Delete, look again, and show what is left. Raises LabError if something is."""
    here = chapter or current_chapter()
    kinds = [(name, find) for makes, name, find in KINDS if makes in here.facts.makes]
    deleted: dict[str, int] = {}
    for name, find in kinds:
        found = find(here)
        for _, delete in found:
            delete()
        deleted[name] = len(found)
    rows, left = [], []
    for name, find in kinds:
        names = [entry for entry, _ in find(here)]
        left += names
        rows.append({"what": name, "deleted": deleted[name], "left": ", ".join(names) or "none"})
    show(rows)
    here.forget()
    if left:
        raise LabError(
            f"Something is left: {', '.join(left)}.", "Run this cell again in a minute, or delete it by hand."
        )


def _pages(service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
    for page in client(service).get_paginator(operation).paginate(**params):
        yield from page[key]


def _mine(tags: list[dict[str, str]], here: Chapter) -> bool:
    return any((t.get("Key") or t.get("key"), t.get("Value") or t.get("value")) == (TAG, here.facts.nn) for t in tags)


def _clusters(here: Chapter) -> Found:
    arns = [arn for arn in _pages("ecs", "list_clusters", "clusterArns") if _name(arn).startswith(here.prefix)]
    return [(_name(arn), lambda arn=arn: client("ecs").delete_cluster(cluster=arn)) for arn in arns]  # type: ignore[misc]


def _tasks(here: Chapter) -> Found:
    found: Found = []
    for cluster, _ in _clusters(here):
        for arn in _pages("ecs", "list_tasks", "taskArns", cluster=cluster):
            found.append((_name(arn), lambda c=cluster, arn=arn: _stop(c, arn)))  # type: ignore[misc]
        # those that were told to stop are still on their way, and hold their network interface
        for arn in _pages("ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus="STOPPED"):
            task = client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
            if task and task[0]["lastStatus"] != "STOPPED":
                found.append((_name(arn), lambda c=cluster, arn=arn: _stop(c, arn)))  # type: ignore[misc]
    return found


def _stop(cluster: str, arn: str) -> None:
    ecs = client("ecs")
    ecs.stop_task(cluster=cluster, task=arn, reason="clean-up of the chapter")
    wait(
        lambda: ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0], until="STOPPED", name=f"task {_name(arn)}"
    )


def _definitions(here: Chapter) -> Found:
    ecs = client("ecs")
    found: Found = []
    for status in ("ACTIVE", "INACTIVE"):
        for arn in _pages("ecs", "list_task_definitions", "taskDefinitionArns", status=status):
            if _name(arn).startswith(here.prefix):
                found.append((_name(arn), lambda arn=arn, status=status: _forget(ecs, arn, status)))  # type: ignore[misc]
    return found


def _forget(ecs: Any, arn: str, status: str) -> None:
    if status == "ACTIVE":
        ecs.deregister_task_definition(taskDefinition=arn)
    ecs.delete_task_definitions(taskDefinitions=[arn])


def _interfaces(here: Chapter) -> Found:
    """Those that ECS made for tasks and that belong to nothing any more."""
    ec2 = client("ec2")
    wanted = f"arn:aws:ecs:{here.region}:{here.account}:attachment/"
    found: Found = []
    for interface in _pages("ec2", "describe_network_interfaces", "NetworkInterfaces"):
        if interface.get("Description", "").startswith(wanted) and interface["Status"] == "available":
            eni = interface["NetworkInterfaceId"]
            found.append((eni, lambda eni=eni: ec2.delete_network_interface(NetworkInterfaceId=eni)))  # type: ignore[misc]
    return found


def _log_groups(here: Chapter) -> Found:
    logs = client("logs")
    names = [
        g["logGroupName"]
        for g in _pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=f"/{here.prefix}")
    ]
    return [(name, lambda name=name: logs.delete_log_group(logGroupName=name)) for name in names]  # type: ignore[misc]


def _roles(here: Chapter) -> Found:
    iam = client("iam")
    found: Found = []
    for role in _pages("iam", "list_roles", "Roles", PathPrefix="/"):
        name = role["RoleName"]
        if role["Path"].startswith("/aws-service-role/"):
            continue
        try:
            tags = iam.list_role_tags(RoleName=name)["Tags"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":  # somebody else was faster
                continue
            raise
        if _mine(tags, here):
            found.append((name, lambda name=name: _delete_role(iam, name)))  # type: ignore[misc]
    return found


def _delete_role(iam: Any, name: str) -> None:
    """IAM deletes only a role that nothing is attached to."""
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
    iam.delete_role(RoleName=name)


def _services(here: Chapter) -> Found:
    ecs = client("ecs")
    found: Found = []
    for cluster, _ in _clusters(here):
        try:
            arns = list(_pages("ecs", "list_services", "serviceArns", cluster=cluster))
        except ClientError as error:
            if error.response["Error"]["Code"] == NOT_IMPLEMENTED:  # a target without services has none
                return []
            raise
        found += [(_name(arn), partial(_delete_service, ecs, cluster, arn)) for arn in arns]
    return found


def _delete_service(ecs: Any, cluster: str, arn: str) -> None:
    """``force`` also stops its tasks. While they stop it is DRAINING, and its cluster cannot be deleted."""
    ecs.delete_service(cluster=cluster, service=arn, force=True)
    wait(
        lambda: ecs.describe_services(cluster=cluster, services=[arn])["services"][0],
        until="INACTIVE",
        name=f"service {_name(arn)}",
    )


def _security_groups(here: Chapter) -> Found:
    ec2 = client("ec2")
    wanted = [{"Name": "group-name", "Values": [f"{here.prefix}*"]}]
    groups = list(_pages("ec2", "describe_security_groups", "SecurityGroups", Filters=wanted))
    # one that another's rule names cannot go before that
    groups.sort(key=lambda group: not any(rule.get("UserIdGroupPairs") for rule in group["IpPermissions"]))
    return [(g["GroupName"], partial(ec2.delete_security_group, GroupId=g["GroupId"])) for g in groups]


def _parameters(here: Chapter) -> Found:
    ssm = client("ssm")
    wanted = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"/{here.prefix}/"]}]
    names = [each["Name"] for each in _pages("ssm", "describe_parameters", "Parameters", ParameterFilters=wanted)]
    return [(name, partial(ssm.delete_parameter, Name=name)) for name in names]


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


KINDS: tuple[tuple[str, str, Callable[[Chapter], Found]], ...] = (
    ("application-autoscaling", "scalable targets", scaling.targets),
    ("cloudwatch", "alarms", scaling.alarms),
    ("cloudwatch", "dashboards", scaling.dashboards),
    ("cloudformation", "stacks", stacks.stacks),
    ("ecs", "services", _services),
    ("ecs", "running tasks", _tasks),
    ("ec2:instances", "EC2 instances", machines.instances),
    ("ec2:instances", "container instances", machines.container_instances),
    ("ecs", "clusters", _clusters),
    ("ecs", "task definitions", _definitions),
    ("ecs", "tasks' network interfaces", _interfaces),
    ("elbv2", "load balancers", fronts.load_balancers),
    ("elbv2", "target groups", fronts.target_groups),
    ("ec2", "security groups", _security_groups),
    ("cloudformation", "stacks that had to wait for these", stacks.stacks_that_waited),
    ("ssm", "parameters", _parameters),
    ("logs", "log groups", _log_groups),
    ("ec2:instances", "instance profiles", machines.instance_profiles),
    ("iam", "roles", _roles),
)
"""What of ``makes`` brings it, what it is called, how it is found; in the order in which they must go"""
