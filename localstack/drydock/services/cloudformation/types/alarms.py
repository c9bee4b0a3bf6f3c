"""CloudWatch's alarms."""

from __future__ import annotations

from typing import ClassVar

from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, shaped

LONGEST_NAME = 255


class _Alarm(ResourceType):
    """Put as a whole, at creation and at each change; its physical id is its name."""

    service = "cloudwatch"
    puts: ClassVar[str]
    type: ClassVar[str]
    """As DescribeAlarms calls it"""

    async def _put(self, work: Work, name: str) -> None:
        given = {"AlarmName": name, **picked(work.properties, *(one for one in self.passes if one != "Tags"))}
        tags = {"Tags": work.user_tags} if work.user_tags and not work.physical_id else {}
        await work.call("cloudwatch", self.puts, **shaped("cloudwatch", self.puts, given), **tags)

    async def _described(self, work: Work, name: str) -> Params | None:
        answer = await work.call("cloudwatch", "DescribeAlarms", AlarmNames=[name], AlarmTypes=[self.type])
        found = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
        return found[0] if found else None

    def _name(self, work: Work) -> str:
        return work.name("AlarmName", LONGEST_NAME)

    async def create(self, work: Work) -> None:
        name = self._name(work)
        await self._put(work, name)
        work.made(name)

    async def find(self, work: Work) -> str:
        name = self._name(work)
        return name if await self._described(work, name) else ""

    async def read(self, work: Work) -> Params:
        return {"Arn": self._arn(work)}

    @staticmethod
    def _arn(work: Work) -> str:
        return f"arn:aws:cloudwatch:{work.region}:{work.account}:alarm:{work.physical_id}"

    async def update(self, work: Work) -> None:
        await self._put(work, work.physical_id)
        if work.changed("Tags"):
            if gone := work.gone_tags:
                await work.call("cloudwatch", "UntagResource", ResourceARN=self._arn(work), TagKeys=gone)
            if work.user_tags:
                await work.call("cloudwatch", "TagResource", ResourceARN=self._arn(work), Tags=work.user_tags)

    async def delete(self, work: Work) -> None:
        if await self._described(work, work.physical_id) is None:
            raise NotFound
        await work.call("cloudwatch", "DeleteAlarms", AlarmNames=[work.physical_id])


class MetricAlarm(_Alarm):
    name = "AWS::CloudWatch::Alarm"
    puts, type = "PutMetricAlarm", "MetricAlarm"
    passes = (
        "AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions",
        "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit", "EvaluationPeriods",
        "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile",
        "Metrics", "Tags",
    )  # fmt: skip


class CompositeAlarm(_Alarm):
    name = "AWS::CloudWatch::CompositeAlarm"
    puts, type = "PutCompositeAlarm", "CompositeAlarm"
    passes = (
        "AlarmName", "AlarmDescription", "AlarmRule", "ActionsEnabled", "OKActions", "AlarmActions",
        "InsufficientDataActions", "ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod",
        "Tags",
    )  # fmt: skip


TYPES: tuple[type[ResourceType], ...] = (MetricAlarm, CompositeAlarm)
