"""CloudWatch alarms that decide whether a deployment has failed.

They are looked at from when a task of the new deployment runs until the end of the bake time, which begins when the new
tasks are all there and the old ones gone. AWS computes that time "based on the alarm configuration" and does not tell how;
here it is as long as the longest of the alarms needs to judge (period x evaluation periods) (?). Alarms that are in
ALARM when the deployment begins are not watched during it: it may be what mends them.

Source: "How CloudWatch alarms detect Amazon ECS deployment failures"; AWS Containers blog, "Automate rollbacks for Amazon
ECS rolling deployments with CloudWatch alarms".
"""

from __future__ import annotations

from typing import Any

from drydock.request import Principal
from drydock.services.ecs.service_model import Deployment, Service, ServiceDeployment
from drydock.services.service import Platform
from drydock.store import Collection, Scope

ECS = "ecs.amazonaws.com"
POLL = 15.0
"""Lab seconds between two looks at the alarms"""
LEAST_BAKE = 60.0
"""Of alarms that have no period of their own (composite ones)"""


class DeploymentAlarms:
    """Of one service; made anew for each look."""

    def __init__(
        self, platform: Platform, scope: Scope, service: Service, records: Collection[ServiceDeployment]
    ) -> None:
        self._platform = platform
        self._scope = scope
        self._service = service
        self._records = records
        self._found: list[dict[str, Any]] = []

    def _watched(self, deployment: Deployment) -> ServiceDeployment | None:
        """The record of a deployment whose alarms are watched."""
        record = self._records.get(self._scope, deployment.service_deployment_arn)
        watches = record is not None and record.alarms == "MONITORING" and not record.rollback
        return record if watches and deployment.rollout_state == "IN_PROGRESS" else None

    async def ask(self, deployment: Deployment, is_running: bool) -> list[str]:
        """The alarms for which a deployment has failed. ``is_running``: one of its tasks is."""
        record = self._watched(deployment)
        if record is None or (record.alarms_seen and not is_running):
            return []
        answer = await self._platform.call(
            Principal.of_service(self._scope.account, ECS), self._scope.region, "cloudwatch", "DescribeAlarms",
            {"AlarmNames": record.alarm_names, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]},
        )  # fmt: skip
        self._found = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
        ringing = sorted(alarm["AlarmName"] for alarm in self._found if alarm["StateValue"] == "ALARM")
        if record.alarms_seen:
            return ringing
        record.alarms_seen = True
        if ringing:
            record.alarms = "DISABLED"
        self._records.put(self._scope, record.arn, record)
        return []

    def watches(self, deployment: Deployment) -> bool:
        """Whether alarms are to be looked at again."""
        return self._watched(deployment) is not None

    def bakes_until(self, deployment: Deployment, now: float) -> float:
        """When a deployment that is steady now may complete."""
        if self._watched(deployment) is None:
            return now
        if not deployment.bakes_until:
            spans = [alarm["Period"] * alarm["EvaluationPeriods"] for alarm in self._found if "Period" in alarm]
            deployment.bakes_until = now + max([LEAST_BAKE, *spans])
        return deployment.bakes_until
