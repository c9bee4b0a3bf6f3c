"""Resource types whose ARNs are made of several parameters, or of ids that say themselves what they are. Pure.

Each function takes an operation's parameters and where the resources are, and answers with the resources, an empty list
if the type does not apply to these parameters, or None if they do not name any.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Params = dict[str, Any]
Candidates = tuple[str, ...]
"""The ways to write one resource; a policy need only match one of them. Messages show the first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the resources are, and how IAM's own are found (name -> ARN with its path)."""

    region: str
    account: str
    iam_arn: Callable[[str, str, str], str]
    """(type, name, path of a new one) -> ARN"""
    user: str = ""
    """The caller's own user name, for IAM operations that leave it out"""


def texts(params: Params, *names: str) -> list[str]:
    """The strings under those parameters: plain, in lists, or one level down (``pipeline.name``, in lists too)."""
    found: list[str] = []
    for name in names:
        first, _, rest = name.partition(".")
        value = params.get(first)
        for item in value if isinstance(value, list) else [value]:
            if rest and isinstance(item, dict):
                found += texts(item, rest)
            elif not rest and isinstance(item, str) and item:
                found.append(item)
    return found


Special = Callable[[Params, Place], list[Candidates] | None]


def _single(arns: list[str]) -> list[Candidates] | None:
    return [(arn,) for arn in arns] or None


def _ecs(place: Place, kind: str) -> str:
    return f"arn:aws:ecs:{place.region}:{place.account}:{kind}/"


def cluster_name(params: Params) -> str:
    """The name of the cluster that an ECS operation is about."""
    named = texts(params, "cluster")
    return named[0].rsplit("/", 1)[-1] if named else "default"


def _clusters(params: Params, place: Place) -> list[Candidates] | None:
    named = texts(params, "cluster", "clusterName", "clusters") or ["default"]
    return _single([one if one.startswith("arn:") else _ecs(place, "cluster") + one for one in named])


def _in_cluster(kind: str, *names: str) -> Special:
    """Services, tasks and container instances: ``kind/cluster/name``."""

    def resources(params: Params, place: Place) -> list[Candidates] | None:
        prefix = _ecs(place, kind)
        named = texts(params, *names)
        return _single([one if one.startswith("arn:") else f"{prefix}{cluster_name(params)}/{one}" for one in named])

    return resources


def _tagged_ecs(kind: str, *names: str) -> Special:
    """The same, also under ``resourceArn`` (tags) and ``targetId`` (attributes)."""
    plain = _in_cluster(kind, *names)

    def resources(params: Params, place: Place) -> list[Candidates] | None:
        tagged = [arn for arn in texts(params, "resourceArn", "attributes.targetId") if f":{kind}/" in arn]
        return plain(params, place) or _single(tagged)

    return resources


def _task_sets(params: Params, place: Place) -> list[Candidates] | None:
    service = (texts(params, "service") or ["*"])[0].rsplit("/", 1)[-1]
    prefix = f"{_ecs(place, 'task-set')}{cluster_name(params)}/{service}/"
    named = texts(params, "taskSet", "taskSets", "primaryTaskSet") or ["*"]
    return _single([one if one.startswith("arn:") else prefix + one for one in named])


def _task_definitions(params: Params, place: Place) -> list[Candidates] | None:
    named = texts(params, "taskDefinition", "taskDefinitions", "family")
    tagged = [arn for arn in texts(params, "resourceArn") if ":task-definition/" in arn]
    arns = [one if one.startswith("arn:") else _ecs(place, "task-definition") + one for one in named] or tagged
    return _single([arn if ":" in arn.rpartition("/")[2] else f"{arn}:*" for arn in arns])


def _log_prefix(place: Place) -> str:
    return f"arn:aws:logs:{place.region}:{place.account}:log-group:"


def _log_group_names(params: Params) -> list[str]:
    named = texts(params, "logGroupName", "logGroupNames", "logGroupIdentifier", "logGroupIdentifiers", "resourceArn")
    return [one.split(":log-group:", 1)[1].partition(":")[0] if ":log-group:" in one else one for one in named]


def _log_groups(params: Params, place: Place) -> list[Candidates] | None:
    """AWS asks about a group as ``log-group:NAME:log-stream:``; both ways of writing it in a policy work there."""
    groups = [_log_prefix(place) + name for name in _log_group_names(params)]
    return [(f"{group}:log-stream:", group) for group in groups] or None


def _log_streams(params: Params, place: Place) -> list[Candidates] | None:
    names = texts(params, "logStreamName", "logStreamNames") or [""]
    groups = [_log_prefix(place) + name for name in _log_group_names(params)]
    return [(f"{group}:log-stream:{name}", group) for group in groups for name in names] or None


def _iam(kind: str, *names: str) -> Special:
    def resources(params: Params, place: Place) -> list[Candidates] | None:
        arns = [
            one if one.startswith("arn:") else place.iam_arn(kind, one, params.get("Path") or "/")
            for one in texts(params, *names)
        ]
        if not arns and kind == "user" and place.user:
            arns = [place.iam_arn(kind, place.user, "/")]
        return _single(arns)

    return resources


def _queues(params: Params, place: Place) -> list[Candidates] | None:
    arns = []
    for url in texts(params, "QueueUrl"):
        account, _, name = url.rstrip("/").rpartition("/")
        account = account.rsplit("/", 1)[-1]
        owner = account if re.fullmatch(r"\d{12}", account) else place.account
        arns.append(f"arn:aws:sqs:{place.region}:{owner}:{name}")
    arns += [f"arn:aws:sqs:{place.region}:{place.account}:{name}" for name in texts(params, "QueueName")]
    return _single(arns)


def _functions(params: Params, place: Place) -> list[Candidates] | None:
    """By name, ``name:alias``, ``account:function:name`` or ARN."""
    arns = []
    for name in texts(params, "FunctionName"):
        arn = name if name.startswith("arn:") else name.rpartition("function:")[2]
        if not arn.startswith("arn:"):
            arn = f"arn:aws:lambda:{place.region}:{place.account}:function:{arn}"
        qualifier = texts(params, "Qualifier")
        arns.append(f"{arn}:{qualifier[0]}" if qualifier and arn.count(":") == 6 else arn)
    return _single(arns)


def _parameters(params: Params, place: Place) -> list[Candidates] | None:
    arns = []
    for name in texts(params, "Name", "Names", "Path", "ResourceId"):
        plain = name if name.startswith("arn:") else name.partition(":")[0].lstrip("/")
        prefix = f"arn:aws:ssm:{place.region}:{place.account}:parameter/"
        arns.append(plain if plain.startswith("arn:") else prefix + plain)
    return _single(arns)


def _documents(params: Params, place: Place) -> list[Candidates] | None:
    arns = []
    for name in texts(params, "DocumentName", "Name"):
        account = "" if name.startswith(("AWS-", "Amazon")) else place.account
        arns.append(name if name.startswith("arn:") else f"arn:aws:ssm:{place.region}:{account}:document/{name}")
    return _single(arns)


def _targets(managed: bool) -> Special:
    """Instances that SSM acts on: EC2's, or registered ones (``mi-...``)."""

    def resources(params: Params, place: Place) -> list[Candidates] | None:
        ids = [one for one in texts(params, "InstanceId", "InstanceIds", "Target") if one.startswith("mi-") is managed]
        service, kind = ("ssm", "managed-instance") if managed else ("ec2", "instance")
        return _single([f"arn:aws:{service}:{place.region}:{place.account}:{kind}/{one}" for one in ids])

    return resources


def key_arn(key: str, region: str, account: str) -> str:
    """A KMS key's ARN by id, alias or ARN."""
    kind = "" if key.startswith("alias/") else "key/"
    return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{account}:{kind}{key}"


def _keys(params: Params, place: Place) -> list[Candidates] | None:
    named = texts(params, "KeyId", "TargetKeyId", "SourceKeyId")
    return _single([key_arn(key, place.region, place.account) for key in named])


def _key_aliases(params: Params, place: Place) -> list[Candidates] | None:
    return _single([f"arn:aws:kms:{place.region}:{place.account}:{name}" for name in texts(params, "AliasName")])


def _secrets(params: Params, place: Place) -> list[Candidates] | None:
    """A secret's ARN ends in six characters that its name does not tell; ``??????`` stands for them."""
    prefix = f"arn:aws:secretsmanager:{place.region}:{place.account}:secret:"
    arns = [
        one if one.startswith("arn:") else f"{prefix}{one}-??????" for one in texts(params, "SecretId", "SecretIdList")
    ]
    return _single(arns + [f"{prefix}{name}" for name in texts(params, "Name")])


def _objects(params: Params, place: Place) -> list[Candidates] | None:
    keys = texts(params, "Key", "Delete.Objects.Key")
    return _single([f"arn:aws:s3:::{bucket}/{key}" for bucket in texts(params, "Bucket") for key in keys])


def _rules(default: bool) -> Special:
    """EventBridge rules: those of the default bus have no bus in their ARN."""

    def resources(params: Params, place: Place) -> list[Candidates] | None:
        bus = (texts(params, "EventBusName") or ["default"])[0].rsplit("/", 1)[-1]
        if (bus == "default") is not default:
            return []
        prefix = f"arn:aws:events:{place.region}:{place.account}:rule/{'' if default else bus + '/'}"
        tagged = [arn for arn in texts(params, "ResourceARN") if ":rule/" in arn]
        return _single([prefix + name for name in texts(params, "Name", "Rule")] or tagged) or []

    return resources


def _buses(params: Params, place: Place) -> list[Candidates] | None:
    entries = params.get("Entries")
    named = texts(params, "EventBusName", "Name", "Entries.EventBusName")
    if isinstance(entries, list) and any(isinstance(one, dict) and "EventBusName" not in one for one in entries):
        named.append("default")
    prefix = f"arn:aws:events:{place.region}:{place.account}:event-bus/"
    return _single([one if one.startswith("arn:") else prefix + one for one in dict.fromkeys(named)])


def _schedules(params: Params, place: Place) -> list[Candidates] | None:
    group = (texts(params, "GroupName") or ["default"])[0]
    prefix = f"arn:aws:scheduler:{place.region}:{place.account}:schedule/{group}/"
    return _single([prefix + name for name in texts(params, "Name")])


def _projects(params: Params, place: Place) -> list[Candidates] | None:
    """CodeBuild's builds belong to their project: the part of a build's id before the colon."""
    named = texts(params, "projectName", "name", "names")
    builds = texts(params, "id", "ids")
    names = named + [one.rsplit("/", 1)[-1].partition(":")[0] for one in builds]
    prefix = f"arn:aws:codebuild:{place.region}:{place.account}:project/"
    return _single([one if one.startswith("arn:") else prefix + one for one in names])


def _pipeline_parts(*names: str) -> Special:
    """``pipeline/stage`` and ``pipeline/stage/action``."""

    def resources(params: Params, place: Place) -> list[Candidates] | None:
        parts = [(texts(params, name) or ["*"])[0] for name in names]
        return _single([f"arn:aws:codepipeline:{place.region}:{place.account}:{'/'.join(parts)}"])

    return resources


def _deployment_groups(params: Params, place: Place) -> list[Candidates] | None:
    application = texts(params, "applicationName")
    if not application:
        return None
    groups = texts(params, "deploymentGroupName", "deploymentGroupNames", "currentDeploymentGroupName") or ["*"]
    prefix = f"arn:aws:codedeploy:{place.region}:{place.account}:deploymentgroup:{application[0]}/"
    return _single([prefix + name for name in groups])


def _scaling_groups(params: Params, place: Place) -> list[Candidates] | None:
    prefix = f"arn:aws:autoscaling:{place.region}:{place.account}:autoScalingGroup:*:autoScalingGroupName/"
    named = texts(params, "AutoScalingGroupName", "AutoScalingGroupNames", "Tags.ResourceId")
    return _single([prefix + name for name in named])


def _launch_configurations(params: Params, place: Place) -> list[Candidates] | None:
    prefix = f"arn:aws:autoscaling:{place.region}:{place.account}:launchConfiguration:*:launchConfigurationName/"
    return _single([prefix + name for name in texts(params, "LaunchConfigurationName")])


def _new_balancer(kind: str) -> Special:
    """A load balancer or target group by the name it is to have; else by ARNs, which the caller looks for."""

    def resources(params: Params, place: Place) -> list[Candidates] | None:
        if texts(params, "LoadBalancerArn", "TargetGroupArn", "ResourceArns"):
            arns = texts(params, "LoadBalancerArn", "TargetGroupArn", "ResourceArns")
            return _single([arn for arn in arns if f":{kind.partition('/')[0]}/" in arn])
        prefix = f"arn:aws:elasticloadbalancing:{place.region}:{place.account}:{kind}/"
        return _single([f"{prefix}{name}/*" for name in texts(params, "Name")])

    return resources


SPECIAL: dict[tuple[str, str], Special] = {
    ("ecs", "cluster"): _clusters,
    ("ecs", "service"): _tagged_ecs("service", "service", "serviceName", "services"),
    ("ecs", "task"): _tagged_ecs("task", "task", "tasks"),
    ("ecs", "container-instance"): _tagged_ecs(
        "container-instance", "containerInstance", "containerInstances", "attributes.targetId"
    ),
    ("ecs", "task-set"): _task_sets,
    ("ecs", "task-definition"): _task_definitions,
    ("logs", "log-group"): _log_groups,
    ("logs", "log-stream"): _log_streams,
    ("iam", "user"): _iam("user", "UserName"),
    ("iam", "group"): _iam("group", "GroupName"),
    ("iam", "role"): _iam("role", "RoleName"),
    ("iam", "policy"): _iam("policy", "PolicyArn", "PolicyName"),
    ("iam", "instance-profile"): _iam("instance-profile", "InstanceProfileName"),
    ("iam", "server-certificate"): _iam("server-certificate", "ServerCertificateName"),
    ("sqs", "queue"): _queues,
    ("lambda", "function"): _functions,
    ("ssm", "parameter"): _parameters,
    ("ssm", "document"): _documents,
    ("ssm", "instance"): _targets(False),
    ("ssm", "managed-instance"): _targets(True),
    ("kms", "key"): _keys,
    ("kms", "alias"): _key_aliases,
    ("secretsmanager", "secret"): _secrets,
    ("s3", "object"): _objects,
    ("events", "rule-on-default-event-bus"): _rules(True),
    ("events", "rule-on-custom-event-bus"): _rules(False),
    ("events", "event-bus"): _buses,
    ("scheduler", "schedule"): _schedules,
    ("codebuild", "project"): _projects,
    ("codepipeline", "stage"): _pipeline_parts("pipelineName", "stageName"),
    ("codepipeline", "action"): _pipeline_parts("pipelineName", "stageName", "actionName"),
    ("codedeploy", "deploymentgroup"): _deployment_groups,
    ("autoscaling", "autoscalinggroup"): _scaling_groups,
    ("autoscaling", "launchconfiguration"): _launch_configurations,
    ("elasticloadbalancing", "loadbalancer"): _new_balancer("loadbalancer/app"),
    ("elasticloadbalancing", "targetgroup"): _new_balancer("targetgroup"),
}
"""(prefix, resource type) -> what finds them"""
