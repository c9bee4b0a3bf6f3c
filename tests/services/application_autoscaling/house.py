"""Application Auto Scaling in this process, between an ECS and a CloudWatch that only remember, under a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drydock.clock import Clocks
from drydock.errors import AwsError
from drydock.ids import Ids
from drydock.request import Principal, Request
from drydock.services.application_autoscaling.api import ApplicationAutoScaling
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.iam.api import Iam
from drydock.services.service import Platform
from drydock.store import Scope, Store

ACCOUNT, REGION = "123456789012", "us-east-1"
SCOPE = Scope(ACCOUNT, REGION)
WEB = "service/yard/web"
PATIENCE = 10.0
PLACE = {"ServiceNamespace": "ecs", "ResourceId": WEB, "ScalableDimension": "ecs:service:DesiredCount"}


class House:
    """``prompt``: the tasks of a service run as soon as they are desired."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.service: dict[str, Any] = {"status": "ACTIVE", "desiredCount": 2, "runningCount": 2, "deployments": [
            {"rolloutState": "COMPLETED"}], "loadBalancers": []}  # fmt: skip
        self.alarms: dict[str, dict[str, Any]] = {}
        self.in_alarm: set[str] = set()
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.callers: list[Principal] = []
        self.prompt = True
        self.looks = 0
        self.refusing: AwsError | None = None
        self.open()

    def open(self) -> None:
        """Also after a kill: from what is in the store."""
        self.store = Store(self.path)
        self.clocks = Clocks(self.store, 1.0, 1_700_000_000.0)
        self.platform = Platform(self.store, self.clocks, Ids(self.store, "seed"), Path("/nowhere"), self.call)
        self.iam = Iam(self.platform)
        self.aas = ApplicationAutoScaling(self.platform, self.iam)
        look = self.aas.scaling._look

        async def counted(scope: Scope, resource_id: str) -> bool:
            found = await look(scope, resource_id)
            self.looks += 1
            return found

        self.aas.scaling._look = counted  # type: ignore[method-assign]

    async def kill(self) -> None:
        """As kill -9: what was not committed is lost, and nobody says goodbye."""
        for task in list(self.platform.background):
            task.cancel()
        await asyncio.gather(*self.platform.background, return_exceptions=True)
        self.store._db.close()
        self.open()
        await self.aas.start()

    @property
    def clock(self) -> Any:
        return self.clocks.of(ACCOUNT)

    async def call(
        self, principal: Principal, region: str, service: str, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        self.calls.append((service, operation, params))
        self.callers.append(principal)
        await asyncio.sleep(0)
        match operation:
            case "DescribeServices":
                return {"services": [dict(self.service)] if self.service else [], "failures": []}
            case "UpdateService":
                if self.refusing is not None:
                    raise self.refusing
                self.service["desiredCount"] = params["desiredCount"]
                if self.prompt:
                    self.service["runningCount"] = params["desiredCount"]
            case "PutMetricAlarm":
                if self.refusing is not None:
                    raise self.refusing
                self.alarms[params["AlarmName"]] = params
            case "DeleteAlarms":
                for name in params["AlarmNames"]:
                    del self.alarms[name]
            case "DescribeAlarms":
                names = params.get("AlarmNames", list(self.alarms))
                state = params.get("StateValue")
                found = [n for n in names if n in self.alarms and (state is None or n in self.in_alarm)]
                return {"MetricAlarms": [{"AlarmName": name} for name in found]}
        return {}

    async def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """One of the service's operations, of root."""
        request = Request("application-autoscaling", operation, REGION, Principal.root(ACCOUNT))
        found = self.aas.operation(operation)(request, params)
        answer = await found if asyncio.iscoroutine(found) else found
        self.store.commit()
        return dict(answer or {})

    async def register(self, least: int = 1, most: int = 10, **given: Any) -> None:
        await self.ask("RegisterScalableTarget", **PLACE, MinCapacity=least, MaxCapacity=most, **given)
        await self.settled()

    async def step(self, by: int, name: str = "out", **given: Any) -> str:
        """A policy's ARN."""
        steps = [{"MetricIntervalLowerBound" if by > 0 else "MetricIntervalUpperBound": 0.0, "ScalingAdjustment": by}]
        configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 60, **given}
        answer = await self.ask("PutScalingPolicy", **PLACE, PolicyName=name, PolicyType="StepScaling",
                                StepScalingPolicyConfiguration=configuration)  # fmt: skip
        return str(answer["PolicyARN"])

    async def track(self, name: str = "cpu", metric: str = "ECSServiceAverageCPUUtilization", **given: Any) -> Any:
        specification = {"PredefinedMetricSpecification": {"PredefinedMetricType": metric}}
        configuration = {"TargetValue": 50.0, **specification, **given}
        return await self.ask("PutScalingPolicy", **PLACE, PolicyName=name, PolicyType="TargetTrackingScaling",
                              TargetTrackingScalingPolicyConfiguration=configuration)  # fmt: skip

    async def signal(self, arn: str, value: float | None, name: str = "alarm", low: bool = False) -> None:
        """An alarm goes off."""
        operator = "LessThanThreshold" if low else "GreaterThanThreshold"
        alarm = {"Threshold": 45.0 if low else 50.0, "ComparisonOperator": operator, "Period": 60}
        values = () if value is None else (value,)
        told = AlarmSignal(SCOPE, name, "arn", "ALARM", "OK", self.clock.now(), "", None, values, alarm)
        await self.aas.act(arn, told)
        self.store.commit()

    async def activities(self, **given: Any) -> list[dict[str, Any]]:
        return list((await self.ask("DescribeScalingActivities", ServiceNamespace="ecs", **given))["ScalingActivities"])

    async def later(self, seconds: float) -> None:
        """The clock moves, and everybody who waited for it has looked."""
        await self.settled(self.looks) if self.prompt else None
        before = self.looks
        self.clock.advance(seconds)
        await self.settled(before)

    async def settled(self, looks: int | None = None) -> None:
        """When no worker is left, or one has looked since ``looks``."""
        for _ in range(20):
            await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while self.aas.scaling._workers and (looks is None or self.looks == looks or self.prompt):
            assert loop.time() < end, "the workers have not ended"
            await asyncio.sleep(0.01)


def run(story: Callable[[House], Any], path: Path | None = None) -> House:
    """A story from the start to the end."""
    house = House(path)

    async def whole() -> None:
        await house.aas.start()
        try:
            await story(house)
            assert house.aas.validate() == []
        finally:
            await house.aas.stop()

    asyncio.run(whole())
    return house
