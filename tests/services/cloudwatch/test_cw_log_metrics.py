"""From a line in a log to a metric."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.emulator_process import EmulatorProcess, wait_until

from .test_cw_metrics import now  # noqa: F401


def test_a_metric_filter_counts_what_comes_in(
    emulator: EmulatorProcess,
    aws: Callable[..., Any],
    account: str,
    now: Any,  # noqa: F811
) -> None:
    logs, cw = aws("logs"), aws("cloudwatch")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    logs.put_metric_filter(
        logGroupName="g", filterName="latency", filterPattern="{ $.latency = * }",
        metricTransformations=[{"metricName": "Latency", "metricNamespace": "App", "metricValue": "$.latency",
                                "unit": "Milliseconds", "dimensions": {"Path": "$.path"}}],
    )  # fmt: skip
    lines = [f'{{"latency": {n}, "path": "/"}}' for n in (5, 7)] + ["something else"]
    at = int(now.timestamp() * 1000)
    logs.put_log_events(
        logGroupName="g", logStreamName="s", logEvents=[{"timestamp": at, "message": line} for line in lines]
    )

    def total(namespace: str, name: str, **dimensions: str) -> list[tuple[float, str]]:
        found = cw.get_metric_statistics(
            Namespace=namespace, MetricName=name, Period=3600, Statistics=["Sum"], StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1), Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        )["Datapoints"]  # fmt: skip
        return [(point["Sum"], point["Unit"]) for point in found]

    assert sum(value for value, _ in total("App", "Latency", Path="/")) == 12
    assert {unit for _, unit in total("App", "Latency", Path="/")} == {"Milliseconds"}
    emulator.get("/_drydock/clock", {"account": account, "advance": 60})
    wait_until(lambda: total("AWS/Logs", "IncomingLogEvents", LogGroupName="g"), "the minute has been recorded")
    assert total("AWS/Logs", "IncomingLogEvents") == [(3.0, "None")]
    assert total("AWS/Logs", "IncomingBytes", LogGroupName="g") == [(sum(len(line) + 26 for line in lines), "Bytes")]
