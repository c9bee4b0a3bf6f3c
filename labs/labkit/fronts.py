"""A chapter's load balancers and target groups, found and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from labkit.chapter import Chapter
from labkit.sessions import client
from labkit.waiting import wait

Found = list[tuple[str, Callable[[], object]]]


def load_balancers(here: Chapter) -> Found:
    """By name. Their listeners and rules go with them."""
    elb = client("elbv2")
    return [
        (one["LoadBalancerName"], partial(_delete_balancer, elb, one["LoadBalancerArn"]))
        for one in _all(elb, "describe_load_balancers", "LoadBalancers")
        if one["LoadBalancerName"].startswith(here.prefix)
    ]


def _delete_balancer(elb: Any, arn: str) -> None:
    """Its network interfaces go a little later; until then its security groups cannot be deleted."""
    interfaces = {
        "Filters": [{"Name": "description", "Values": [f"ELB {arn.partition('loadbalancer/')[2]}"]}],
    }
    elb.delete_load_balancer(LoadBalancerArn=arn)
    wait(
        lambda: client("ec2").describe_network_interfaces(**interfaces)["NetworkInterfaces"],
        until=lambda left: not left,
        name=f"load balancer {arn.split('/')[-2]}",
    )


def target_groups(here: Chapter) -> Found:
    """By name."""
    elb = client("elbv2")
    return [
        (one["TargetGroupName"], partial(elb.delete_target_group, TargetGroupArn=one["TargetGroupArn"]))
        for one in _all(elb, "describe_target_groups", "TargetGroups")
        if one["TargetGroupName"].startswith(here.prefix)
    ]


def _all(elb: Any, operation: str, member: str) -> Iterator[dict[str, Any]]:
    try:
        for page in elb.get_paginator(operation).paginate():
            yield from page[member]
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 501:  # a target without load balancers has none
            raise
