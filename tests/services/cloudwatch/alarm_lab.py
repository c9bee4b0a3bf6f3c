"""A CloudWatch of its own for each test, over metrics that the test gives; its minutes are counted by hand."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from drydock.clock import Clocks
from drydock.errors import AwsError
from drydock.ids import Ids
from drydock.request import Principal, Request
from drydock.services.cloudwatch.api import CloudWatch
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.service import Platform
from drydock.store import Scope, Store

EPOCH = 1_795_780_800.0  # 27 November 2026, 12:00:00
ACCOUNT, REGION = "111122223333", "us-east-1"
SCOPE = Scope(ACCOUNT, REGION)
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:ops"
POLICY = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:1:resource/ecs/service/c/s:policyName/up"
MODEL = botocore.session.get_session().get_service_model("cloudwatch")


class GivenMetrics:
    """Values by the metric's name; samples of each data point are counted as ``samples``."""

    def __init__(self) -> None:
        self.given: dict[str, dict[float, float]] = {}
        self.samples = 1.0

    def values(
        self, scope: Scope, queries: Sequence[dict[str, Any]], start: float, end: float
    ) -> dict[str, list[tuple[float, float]]]:
        found = {}
        for query in queries:
            if "Expression" in query:
                raise AwsError("ValidationError", f"Error in expression '{query['Id']}'")
            stat = query["MetricStat"]
            values = self.given.get(stat["Metric"]["MetricName"], {})
            series = [(at, value) for at, value in sorted(values.items()) if start <= at < end]
            counted = [(at, self.samples) for at, _ in series]
            found[query["Id"]] = counted if stat["Stat"] == "SampleCount" else series
        return found


class AlarmLab:
    """``play`` runs a story in an event loop and checks the invariants after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = GivenMetrics()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.scaled: list[AlarmSignal] = []
        self.failing: AwsError | None = None
        self.topic_policy = ""
        self.open()

    def open(self) -> None:
        """Begin, or begin again as after kill -9."""
        self.store = Store(self.folder / "store.sqlite3")
        self.clocks = Clocks(self.store, epoch=EPOCH)
        self.platform = Platform(self.store, self.clocks, Ids(self.store, "seed"), self.folder, self._call)
        self.service = CloudWatch(self.platform)
        self.service.metrics = self.metrics  # type: ignore[assignment]
        self.service.heart.beat = lambda account: None  # type: ignore[method-assign]
        self.service.actions.handlers["autoscaling"] = self._scale

    async def _call(
        self, principal: Principal, region: str, service: str, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        assert principal == Principal.of_service(ACCOUNT, "cloudwatch.amazonaws.com")
        if self.failing is not None:
            raise self.failing
        if operation == "GetTopicAttributes":
            return {"Attributes": {"Policy": self.topic_policy}} if self.topic_policy else {}
        self.calls.append((f"{service}:{operation}", params))
        return {}

    async def _scale(self, arn: str, signal: AlarmSignal) -> None:
        assert arn == POLICY
        self.scaled.append(signal)

    async def __call__(self, operation: str, account: str = ACCOUNT, **params: Any) -> Any:
        """One call, its input and output checked against the service model."""
        model = MODEL.operation_model(operation)
        report = ParamValidator().validate(params, model.input_shape)
        assert not report.has_errors(), report.generate_report()
        answer = self.service.operation(operation)(
            Request("cloudwatch", operation, REGION, Principal.root(account)), params
        )
        if inspect.isawaitable(answer):
            answer = await answer
        self.store.commit()
        if model.output_shape is not None:
            strangers = set(answer) - set(model.output_shape.members)
            assert not strangers
        return answer

    async def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        """Code and message of the error that a call gets."""
        with pytest.raises(AwsError) as caught:
            await self(operation, **params)
        return caught.value.code, caught.value.message

    async def put(self, name: str = "cpu", **more: Any) -> None:
        """An alarm on CPU above 70, one of one period of a minute."""
        single = (
            {} if "Metrics" in more else {"MetricName": "CPU", "Namespace": "App", "Statistic": "Average", "Period": 60}
        )
        given = {
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 70.0,
            "EvaluationPeriods": 1,
            **single,
            **more,
        }
        await self(
            "PutMetricAlarm", AlarmName=name, **{key: value for key, value in given.items() if value is not None}
        )

    async def minute(self, value: float | None = None, metric: str = "CPU", seconds: int = 60) -> None:
        """So much time passes, with a value of the metric in it; then alarms are evaluated."""
        clock = self.clocks.of(ACCOUNT)
        now = clock.now()
        if value is not None:
            self.metrics.given.setdefault(metric, {})[now // seconds * seconds] = value
        clock.advance(now // seconds * seconds + seconds - now)
        await self.evaluate()

    async def evaluate(self) -> None:
        """Now; returns when all actions are done."""
        await self.service.alarm_controller.evaluate(ACCOUNT, self.clocks.of(ACCOUNT).now())
        await self.quiet()

    async def quiet(self) -> None:
        """Until nothing goes on in the background."""
        while self.platform.background:
            await asyncio.gather(*self.platform.background)

    async def alarm(self, name: str = "cpu") -> dict[str, Any]:
        """Described."""
        found = await self("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        (one,) = found["MetricAlarms"] + found["CompositeAlarms"]
        return dict(one)

    async def state(self, name: str = "cpu") -> str:
        """Of an alarm."""
        return str((await self.alarm(name))["StateValue"])

    async def summaries(self, name: str = "cpu", kind: str | None = None) -> list[str]:
        """Of the history, oldest first."""
        given = {"HistoryItemType": kind} if kind else {}
        found = await self(
            "DescribeAlarmHistory", AlarmName=name, ScanBy="TimestampAscending", AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            **given,
        )  # fmt: skip
        return [item["HistorySummary"] for item in found["AlarmHistoryItems"]]

    def published(self) -> list[dict[str, Any]]:
        """Messages to topics."""
        return [json.loads(params["Message"]) for what, params in self.calls if what == "sns:Publish"]

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        """Run it."""

        async def whole() -> None:
            await self.service.start()
            await story()
            await self.quiet()
            assert self.service.validate() == []
            await self.service.heart.stop()

        asyncio.run(whole())
        self.store.close()
