"""What ``cleanup`` finds of a chapter's CloudFormation stacks, and how a stack goes: with all that it made.

A stack is the chapter's if it has the tag ``lab=NN``, which labkit puts on it, or a name that begins with ``labNN``. Tasks
that somebody ran by hand in a cluster of the stack would keep it from going, so they are stopped first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from labkit.chapter import Chapter
from labkit.errors import LabError
from labkit.sessions import TAG, client
from labkit.waiting import wait

Found = list[tuple[str, Callable[[], object]]]


def stacks(here: Chapter) -> Found:
    """Those that are not deleted yet, the latest first: it may import what an earlier one exports. Nested ones go with theirs."""
    pages = client("cloudformation").get_paginator("describe_stacks").paginate()
    mine = [one for page in pages for one in page["Stacks"] if _is_mine(one, here) and not one.get("ParentId")]
    return [(one["StackName"], partial(_delete, one, strict=False)) for one in mine]


def stacks_that_waited(here: Chapter) -> Found:
    """Those that could not go before, because something that they did not make hung on what they made."""
    return [(name, partial(delete, strict=True)) for name, delete in stacks(here) if isinstance(delete, partial)]


def _is_mine(stack: dict[str, Any], here: Chapter) -> bool:
    tagged = any((tag["Key"], tag["Value"]) == (TAG, here.facts.nn) for tag in stack.get("Tags", []))
    return tagged or bool(stack["StackName"].startswith(here.prefix))


def _delete(stack: dict[str, Any], strict: bool) -> None:
    """``strict`` raises LabError, with the reason, if CloudFormation cannot delete it."""
    cloudformation = client("cloudformation")
    for resource in cloudformation.describe_stack_resources(StackName=stack["StackId"])["StackResources"]:
        there = resource.get("PhysicalResourceId") and resource["ResourceStatus"] != "DELETE_COMPLETE"
        if resource["ResourceType"] == "AWS::ECS::Cluster" and there:
            _stop_loose_tasks(resource["PhysicalResourceId"])
    cloudformation.delete_stack(StackName=stack["StackId"])
    ended = wait(
        lambda: cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0],
        until=("DELETE_COMPLETE", "DELETE_FAILED"),
        name=f"stack {stack['StackName']}",
        timeout=1800,
    )
    if strict and ended["StackStatus"] == "DELETE_FAILED":
        raise LabError(
            f"The stack {stack['StackName']} could not be deleted: {ended.get('StackStatusReason', '')}",
            "Its events say what stands in the way; mend that and run this cell again.",
        )


def _stop_loose_tasks(cluster: str) -> None:
    """Those of services go with their service."""
    ecs = client("ecs")
    found = [
        task
        for status in ("RUNNING", "STOPPED")
        for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=status)
        if page["taskArns"]
        for task in ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]
    ]
    loose = [task for task in found if not task["group"].startswith("service:") and task["lastStatus"] != "STOPPED"]
    for task in loose:
        ecs.stop_task(cluster=cluster, task=task["taskArn"], reason="clean-up of the chapter")
    for task in loose:
        arn = task["taskArn"]
        wait(
            lambda arn=arn: ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0],  # type: ignore[misc]
            until="STOPPED",
            name=f"task {arn.rpartition('/')[2]}",
        )
