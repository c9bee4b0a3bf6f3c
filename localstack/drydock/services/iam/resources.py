"""Which resources a request is about: ARNs made from an operation's parameters. Pure.

For each resource type of the action (:mod:`.reference`), a small table says which parameter names it; where the table is
silent, any parameter that is an ARN of that type does. A required type that the parameters do not name is a new
resource (``CreateX``), whose ARN has ``*`` where the name is not known yet, as AWS shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drydock.services.iam import reference
from drydock.services.iam.placeholders import SPECIAL, Candidates, Params, Place, texts
from drydock.services.iam.reference import Template

_MAKING = (
    *("Create", "Run", "Put", "Register", "Allocate", "Request", "Start", "Import", "Copy", "Publish"),
    *("Authorize", "Associate"),
)
_WITHOUT = {("ecs", "listtasks"), ("application-autoscaling", "registerscalabletarget")}
"""Actions that AWS asks about with ``*`` unless a resource is named"""
_EVERYTHING = {
    ("iam", "listroles"): "arn:aws:iam::{account}:role/",
    ("iam", "listusers"): "arn:aws:iam::{account}:user/",
    ("iam", "listgroups"): "arn:aws:iam::{account}:group/",
    ("iam", "listinstanceprofiles"): "arn:aws:iam::{account}:instance-profile/",
    ("iam", "listservercertificates"): "arn:aws:iam::{account}:server-certificate/",
    ("logs", "describeloggroups"): "arn:aws:logs:{region}:{account}:log-group::log-stream:",
    ("cloudformation", "liststacks"): "arn:aws:cloudformation:{region}:{account}:stack/*/*",
    ("cloudformation", "describestacks"): "arn:aws:cloudformation:{region}:{account}:stack/*/*",
}
"""What AWS asks about instead of ``*`` when one of these names no resource (as its messages show)"""
_TAGGING = {"TagResource", "UntagResource", "ListTagsForResource"}
"""Actions on whatever the ARN in their parameters is"""
_MOST_ARNS = 200


def needed(prefix: str, action: str, params: Params, place: Place) -> list[Candidates]:
    """The resources that each must be allowed; ``*`` alone where the action has none."""
    known = reference.actions(prefix).get(action.lower())
    if known is None or not known.types:
        return _everything(prefix, action, place)
    arns = list(_arns(params))
    found: dict[str, list[Candidates]] = {}
    missing: list[str] = []
    for name, required in known.types:
        resources = _of_type(prefix, name, params, place, arns, action in _TAGGING)
        if resources:
            found[name] = resources
        elif resources is None and required:
            missing.append(name)
    families = {name.partition("/")[0] for name in found}
    open_types = [name for name in missing if name.partition("/")[0] not in families]
    if (prefix, action.lower()) in _WITHOUT or (found and not action.startswith(_MAKING)):
        open_types = []
    elif not found:
        own: list[Candidates] = [(arn,) for arn in arns if arn.split(":", 3)[2] == prefix]
        if own:
            return own
    result = [one for resources in found.values() for one in resources]
    all_types = reference.templates(prefix)
    result += [(_fresh(all_types[name], place),) for name in _one_of_each(open_types) if name in all_types]
    return list(dict.fromkeys(result)) or _everything(prefix, action, place)


def _everything(prefix: str, action: str, place: Place) -> list[Candidates]:
    written = _EVERYTHING.get((prefix, action.lower()), "*")
    return [(written.format(region=place.region, account=place.account),)]


def _one_of_each(types: list[str]) -> list[str]:
    """Of variants of one type (``listener/app``, ``listener/net``) the first."""
    seen: dict[str, str] = {}
    for name in types:
        seen.setdefault(name.partition("/")[0], name)
    return list(seen.values())


def _fresh(template: Template, place: Place) -> str:
    return template.fill(place.region, place.account)


def _of_type(
    prefix: str, name: str, params: Params, place: Place, arns: list[str], tagging: bool
) -> list[Candidates] | None:
    """Those of one type; None if the parameters do not name any, empty if the type does not apply to them."""
    template = reference.templates(prefix).get(name)
    special = None if tagging and prefix != "logs" else SPECIAL.get((prefix, name))
    if special is not None:
        resources = special(params, place)
        if resources is not None:
            return resources
    plain = NAMED.get((prefix, name))
    if plain is not None and template is not None:
        values = texts(params, *plain)
        if values:
            filled = (
                one if one.startswith("arn:") else template.fill(place.region, place.account, one) for one in values
            )
            return [(arn,) for arn in filled]
    if template is None:
        return None
    return [(arn,) for arn in arns if template.pattern.fullmatch(arn)] or None


def _arns(value: Any, depth: int = 0) -> Iterator[str]:
    """All strings in the parameters that are ARNs, not too deep and not too many."""
    if isinstance(value, str):
        if value.startswith("arn:") and value.count(":") >= 5:
            yield value
    elif depth < 4 and isinstance(value, dict | list):
        for item in list(value.values() if isinstance(value, dict) else value)[:_MOST_ARNS]:
            yield from _arns(item, depth + 1)


NAMED: dict[tuple[str, str], tuple[str, ...]] = {
    ("ecs", "capacity-provider"): ("capacityProvider", "name", "capacityProviders"),
    ("ecr", "repository"): ("repositoryName", "repositoryNames"),
    ("cloudwatch", "alarm"): ("AlarmName", "AlarmNames"),
    ("cloudwatch", "dashboard"): ("DashboardName", "DashboardNames"),
    ("scheduler", "schedule-group"): ("Name",),
    ("codecommit", "repository"): ("repositoryName", "repositoryNames"),
    ("codepipeline", "pipeline"): ("name", "pipelineName", "pipeline.name"),
    ("codedeploy", "application"): ("applicationName", "applicationNames"),
    ("codedeploy", "deploymentconfig"): ("deploymentConfigName",),
    ("codedeploy", "instance"): ("instanceName", "instanceNames"),
    ("cloudformation", "stack"): ("StackName", "StackId"),
    ("cloudformation", "stackset"): ("StackSetName",),
    ("redshift", "cluster"): ("ClusterIdentifier",),
    ("redshift", "subnetgroup"): ("ClusterSubnetGroupName",),
    ("redshift", "parametergroup"): ("ParameterGroupName",),
    ("redshift-data", "cluster"): ("ClusterIdentifier",),
    ("redshift-data", "workgroup"): ("WorkgroupName",),
    ("s3", "bucket"): ("Bucket",),
    ("sqs", "queue"): ("QueueName",),
    ("sns", "topic"): ("TopicArn", "TargetArn", "ResourceArn", "Name"),
    ("ec2", "instance"): ("InstanceId", "InstanceIds"),
    ("ec2", "image"): ("ImageId", "ImageIds"),
    ("ec2", "subnet"): ("SubnetId", "SubnetIds", "NetworkInterfaces.SubnetId"),
    ("ec2", "security-group"): ("GroupId", "GroupIds", "SecurityGroupIds", "Groups", "NetworkInterfaces.Groups"),
    ("ec2", "vpc"): ("VpcId", "VpcIds"),
    ("ec2", "volume"): ("VolumeId", "VolumeIds"),
    ("ec2", "snapshot"): ("SnapshotId", "SnapshotIds"),
    ("ec2", "network-interface"): ("NetworkInterfaceId", "NetworkInterfaces.NetworkInterfaceId"),
    ("ec2", "key-pair"): ("KeyName",),
    ("ec2", "launch-template"): ("LaunchTemplateId", "LaunchTemplate.LaunchTemplateId"),
    ("ec2", "internet-gateway"): ("InternetGatewayId",),
    ("ec2", "route-table"): ("RouteTableId",),
    ("ec2", "natgateway"): ("NatGatewayId",),
    ("ec2", "elastic-ip"): ("AllocationId",),
    ("ec2", "network-acl"): ("NetworkAclId",),
    ("ec2", "vpc-endpoint"): ("VpcEndpointId", "VpcEndpointIds"),
    ("ec2", "placement-group"): ("Placement.GroupName", "GroupName"),
}
"""(prefix, resource type) -> parameters with a name, an id or an ARN, for types whose ARN has one such placeholder first"""
