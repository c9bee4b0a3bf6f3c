"""Services, their deployments and revisions, and what describe returns of them. Times are lab seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drydock.clock import as_datetime

MOST_EVENTS = 100
"""That are kept and shown, the newest first ("Amazon ECS service event messages")"""


@dataclass
class Revision:
    """What a deployment runs; it never changes ("Amazon ECS service revisions")."""

    arn: str
    service_arn: str
    cluster_arn: str
    task_definition_arn: str
    created_at: float
    launch_type: str = ""
    strategy: list[dict[str, Any]] = field(default_factory=list)
    platform_version: str = ""
    network: dict[str, Any] = field(default_factory=dict)
    """awsvpcConfiguration"""
    load_balancers: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    """containerName, image and, once a task has pulled it, imageDigest"""

    def placement(self) -> dict[str, Any]:
        """Where and how its tasks run, as services, deployments and revisions all show it."""
        fargate = self.launch_type == "FARGATE" or any(
            item["capacityProvider"].startswith("FARGATE") for item in self.strategy
        )
        shown: dict[str, Any] = {"taskDefinition": self.task_definition_arn}
        if self.strategy:
            shown["capacityProviderStrategy"] = self.strategy
        else:
            shown["launchType"] = self.launch_type
        if fargate:
            shown |= {"platformVersion": self.platform_version, "platformFamily": "Linux"}
        if self.network:
            shown["networkConfiguration"] = {"awsvpcConfiguration": self.network}
        return shown

    def describe(self) -> dict[str, Any]:
        """AWS's form of a service revision."""
        return {
            "serviceRevisionArn": self.arn,
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            **self.placement(),
            "loadBalancers": self.load_balancers,
            "serviceRegistries": [],
            "containerImages": self.images,
            "guardDutyEnabled": False,
            "createdAt": as_datetime(self.created_at),
        }


@dataclass
class Deployment:
    """One entry of a service's ``deployments``: the PRIMARY one, or an ACTIVE one that is being replaced."""

    id: str
    revision_arn: str
    created_at: float
    updated_at: float
    desired_count: int = 0
    status: str = "PRIMARY"
    failed_tasks: int = 0
    rollout_state: str = "IN_PROGRESS"
    rollout_reason: str = ""
    service_deployment_arn: str = ""
    bakes_until: float = 0.0
    """The end of the time in which its alarms are still looked at, once it is steady; 0 before"""

    @property
    def number(self) -> str:
        """The digits of its id."""
        return self.id.partition("/")[2]


@dataclass
class ServiceDeployment:
    """The record of one roll-out (ListServiceDeployments); it outlives its service's ``deployments`` entry."""

    arn: str
    service_arn: str
    cluster_arn: str
    deployment_id: str
    target: str
    """A revision's ARN"""
    sources: list[str]
    created_at: float
    configuration: dict[str, Any]
    status: str = "PENDING"
    status_reason: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    updated_at: float = 0.0
    failures: int = 0
    breaker: str = "DISABLED"
    threshold: int = 0
    alarms: str = "DISABLED"
    alarm_names: list[str] = field(default_factory=list)
    triggered: list[str] = field(default_factory=list)
    alarms_seen: bool = False
    """Whether they have been looked at since the beginning"""
    rollback: dict[str, Any] = field(default_factory=dict)
    """reason, startedAt (lab seconds) and serviceRevisionArn"""

    def brief(self) -> dict[str, Any]:
        """AWS's form in lists."""
        times = {"createdAt": self.created_at, "startedAt": self.started_at, "finishedAt": self.finished_at}
        return {
            "serviceDeploymentArn": self.arn,
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            "targetServiceRevisionArn": self.target,
            "status": self.status,
            **({"statusReason": self.status_reason} if self.status_reason else {}),
            **{name: as_datetime(at) for name, at in times.items() if at is not None},
        }

    def describe(self, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
        """AWS's form; ``counts`` are requested, running and pending task counts by revision."""

        def revision(arn: str) -> dict[str, Any]:
            none = {"requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0}
            return {"arn": arn, **counts.get(arn, none)}

        shown = self.brief()
        del shown["targetServiceRevisionArn"]
        if self.stopped_at is not None:
            shown["stoppedAt"] = as_datetime(self.stopped_at)
        if self.rollback:
            shown["rollback"] = {**self.rollback, "startedAt": as_datetime(self.rollback["startedAt"])}
        return {
            **shown,
            "updatedAt": as_datetime(self.updated_at or self.created_at),
            "sourceServiceRevisions": [revision(arn) for arn in self.sources],
            "targetServiceRevision": revision(self.target),
            "deploymentConfiguration": self.configuration,
            "deploymentCircuitBreaker": {
                "status": self.breaker, "failureCount": self.failures, "threshold": self.threshold,
            },
            "alarms": {
                "status": self.alarms, "alarmNames": self.alarm_names, "triggeredAlarmNames": self.triggered,
            },
        }  # fmt: skip


@dataclass
class TaskSet:
    """Of a service with the EXTERNAL controller."""

    id: str
    arn: str
    revision_arn: str
    created_at: float
    updated_at: float
    scale: float = 100.0
    """Percent of the service's desired count"""
    status: str = "ACTIVE"
    external_id: str = ""
    started_by: str = ""
    stability: str = "STABILIZING"
    stability_at: float = 0.0
    client_token: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Event:
    """A line of the service's story."""

    id: str
    at: float
    message: str

    def describe(self) -> dict[str, Any]:
        """AWS's form."""
        return {"id": self.id, "createdAt": as_datetime(self.at), "message": self.message}


@dataclass
class Service:
    """What is to be kept running. Its state is in the deployments; the tasks know their deployment by ``startedBy``."""

    arn: str
    name: str
    cluster_arn: str
    desired_count: int
    configuration: dict[str, Any]
    """deploymentConfiguration, defaults filled in"""
    created_at: float
    created_by: str
    launch_type: str = ""
    """That it was created with; an empty capacity provider strategy leads back to it"""
    strategy_kind: str = "REPLICA"
    controller: str = "ECS"
    status: str = "ACTIVE"
    constraints: list[dict[str, str]] = field(default_factory=list)
    strategies: list[dict[str, str]] = field(default_factory=list)
    propagate_tags: str = "NONE"
    managed_tags: bool = False
    execute_command: bool = False
    """ECS Exec is on for the tasks that it starts from now on"""
    grace: int | None = None
    """healthCheckGracePeriodSeconds: lab seconds in which a new task's target may be unhealthy"""
    client_token: str = ""
    request_digest: str = ""
    """Of the CreateService request, for its ``clientToken``"""
    deployments: list[Deployment] = field(default_factory=list)
    """The primary one first"""
    task_sets: list[TaskSet] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    """The newest last"""
    tags: list[dict[str, str]] = field(default_factory=list)
    failed_starts: int = 0
    """In a row; the throttle counts them"""
    next_start: float = 0.0
    """Lab time before which the throttle starts nothing"""
    said: dict[str, float] = field(default_factory=dict)
    """Messages of conditions that last, and when each was last put among the events"""

    @property
    def primary(self) -> Deployment | None:
        """The one that is to be; None for the EXTERNAL controller."""
        return self.deployments[0] if self.deployments else None

    @property
    def revision_arns(self) -> list[str]:
        """Of its deployments and task sets."""
        return [*(one.revision_arn for one in self.deployments), *(one.revision_arn for one in self.task_sets)]

    @property
    def group(self) -> str:
        """Of its tasks."""
        return f"service:{self.name}"

    @property
    def key(self) -> str:
        """Its name in the store: cluster/name."""
        return service_key(self.cluster_arn, self.name)

    @property
    def alarms(self) -> dict[str, Any]:
        """Those that decide about deployments."""
        return self.configuration.get("alarms", {"alarmNames": [], "enable": False, "rollback": False})

    @property
    def breaker(self) -> dict[str, bool]:
        """Of the deployment configuration."""
        return self.configuration.get("deploymentCircuitBreaker", {"enable": False, "rollback": False})


def service_key(cluster_arn: str, name: str) -> str:
    """Unique in account and region."""
    return f"{cluster_arn.rpartition('/')[2]}/{name}"
