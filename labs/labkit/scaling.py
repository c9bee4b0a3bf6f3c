"""A chapter's alarms, dashboards and scalable targets, found and deleted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from labkit.chapter import Chapter
from labkit.sessions import client

Found = list[tuple[str, Callable[[], object]]]


def alarms(here: Chapter) -> Found:
    """By name; composite ones first, for the others cannot go before them. Those of target tracking go with their policy."""
    cloudwatch = client("cloudwatch")
    names = []
    for kind in ("CompositeAlarm", "MetricAlarm"):
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=here.prefix, AlarmTypes=[kind])
        names += [alarm["AlarmName"] for page in pages for alarm in page[f"{kind}s"]]
    return [(name, partial(cloudwatch.delete_alarms, AlarmNames=[name])) for name in names]


def dashboards(here: Chapter) -> Found:
    """By name."""
    cloudwatch = client("cloudwatch")
    pages = cloudwatch.get_paginator("list_dashboards").paginate(DashboardNamePrefix=here.prefix)
    names = [entry["DashboardName"] for page in pages for entry in page["DashboardEntries"]]
    return [(name, partial(cloudwatch.delete_dashboards, DashboardNames=[name])) for name in names]


def targets(here: Chapter) -> Found:
    """Services of the chapter's clusters that may be scaled; their policies go with them."""
    scaling = client("application-autoscaling")
    pages = scaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="ecs")
    found: Found = []
    for page in pages:
        for one in page["ScalableTargets"]:
            if one["ResourceId"].startswith(f"service/{here.prefix}"):
                named = {key: one[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
                found.append((one["ResourceId"], partial(scaling.deregister_scalable_target, **named)))
    return found
