"""JSON documents that tell of an alarm: history data, the message to a topic.

Their members are those of documents seen on AWS, down to ``okactions`` in small letters.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

from drydock.services.cloudwatch.alarm_model import Alarm
from drydock.services.cloudwatch.alarm_rules import Verdict, stamp
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.store import Scope

LONGEST_SUBJECT = 100
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def text(document: Any) -> str:
    """JSON without spaces."""
    return json.dumps(document, separators=(",", ":"))


def reason_data(alarm: Alarm, verdict: Verdict, now: float, samples: dict[float, float]) -> dict[str, Any]:
    """StateReasonData of a metric alarm. ``samples`` are how many samples the data points have, by their beginning."""
    given = alarm.settings
    real = [at for at, value in verdict.evaluated if value is not None]
    document: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now)}
    if real:
        document["startDate"] = stamp(min(real))
    if given.get("Unit"):
        document["unit"] = given["Unit"]
    if alarm.statistic:
        document["statistic"] = alarm.statistic
    document |= {
        "period": alarm.period,
        "recentDatapoints": list(reversed(verdict.values)),
        "threshold": float(given["Threshold"]),
        "evaluatedDatapoints": [_evaluated(at, value, samples.get(at)) for at, value in verdict.evaluated],
    }
    return document


def _evaluated(at: float, value: float | None, count: float | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"timestamp": stamp(at)}
    if count is not None:
        shown["sampleCount"] = count
    if value is not None:
        shown["value"] = value
    return shown


def state_change(old: dict[str, Any], new: dict[str, Any]) -> str:
    """HistoryData of a StateUpdate, of two :func:`state_of`."""
    return text({"version": "1.0", "oldState": old, "newState": new})


def state_of(alarm: Alarm) -> dict[str, Any]:
    """A state as it is in history data."""
    document: dict[str, Any] = {"stateValue": alarm.state, "stateReason": alarm.reason}
    if alarm.told is not None:
        document["stateReasonData"] = json.loads(alarm.told)
    elif alarm.reason_data is not None:
        document["stateReasonData"] = alarm.reason_data
    if alarm.held.by:
        document |= {"actionsSuppressedBy": alarm.held.by, "actionsSuppressedReason": alarm.held.reason}
    return document


def configuration(alarm: Alarm, scope: Scope) -> dict[str, Any]:
    """An alarm as it is in history data."""
    given = dict(alarm.settings)
    document: dict[str, Any] = {"alarmName": alarm.name, "alarmArn": alarm.arn(scope)}
    for name in ("OKActions", "AlarmActions", "InsufficientDataActions"):
        document["okactions" if name == "OKActions" else name[0].lower() + name[1:]] = given.pop(name)
    if statistic := given.pop("Statistic", None):
        document["extendedStatistic"] = statistic.upper()
    document |= _small(given)
    return document | {
        "alarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
        "stateValue": alarm.state,
        "stateUpdatedTimestamp": stamp(alarm.updated),
    }


def configured(way: str, alarm: dict[str, Any], old: dict[str, Any] | None = None) -> str:
    """HistoryData of a ConfigurationUpdate; ``way`` is Create, Update or Delete, the others are :func:`configuration`."""
    document: dict[str, Any] = {"version": "1.0", "type": way, f"{way.lower()}dAlarm": alarm}
    if old is not None:
        document["originalUpdatedFields"] = {k: v for k, v in old.items() if v != alarm.get(k)}
    return text(document)


def _small(value: Any) -> Any:
    """With members beginning in small letters."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _small(inner) for name, inner in value.items()}
    return [_small(one) for one in value] if isinstance(value, list) else value


def acted(arn: str, at: float, published: str | None, error: str | None) -> str:
    """HistoryData of an Action. ``at`` is when the state changed."""
    return text(
        {
            "actionState": "Failed" if error else "Succeeded",
            "stateUpdateTimestamp": round(at * 1000),
            "notificationResource": arn,
            "publishedMessage": published,
            "error": error,
        }
    )


# --- what a topic is told ---------------------------------------------------------------------------------------------


def subject(signal: AlarmSignal) -> str:
    """ALARM: "name" in US East (N. Virginia)"""
    place = region_name(signal.scope.region)
    room = LONGEST_SUBJECT - len(f'{signal.state}: "" in {place}')
    name = re.sub(r"[^\x20-\x7e]+", "_", signal.name)
    return f'{signal.state}: "{name if len(name) <= room else name[: room - 3] + "..."}" in {place}'


def message(signal: AlarmSignal) -> str:
    """What is published."""
    alarm = signal.alarm
    document: dict[str, Any] = {
        "AlarmName": signal.name,
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": signal.scope.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm["AlarmConfigurationUpdatedTimestamp"]),
        "NewStateValue": signal.state,
        "NewStateReason": signal.reason,
        "StateChangeTime": stamp(signal.at),
        "Region": region_name(signal.scope.region),
        "AlarmArn": signal.arn,
        "OldStateValue": signal.old_state,
        "OKActions": alarm["OKActions"],
        "AlarmActions": alarm["AlarmActions"],
        "InsufficientDataActions": alarm["InsufficientDataActions"],
    }
    if "AlarmRule" in alarm:
        children = (signal.reason_data or {}).get("triggeringAlarms", [])
        document["AlarmRule"] = alarm["AlarmRule"]
        document["TriggeringChildren"] = [
            {"Arn": one["arn"], "State": {"Value": one["state"]["value"], "Timestamp": one["state"]["timestamp"]}}
            for one in children
        ]
    else:
        document["Trigger"] = _trigger(alarm)
    return text(document)


def event(signal: AlarmSignal, unique: str) -> str:
    """What a Lambda function is called with ("Event object sent from CloudWatch to Lambda"). ``unique``: a UUID, the id of
    an alarm's single metric."""
    document = {
        "source": "aws.cloudwatch",
        "alarmArn": signal.arn,
        "accountId": signal.scope.account,
        "time": stamp(signal.at),
        "region": signal.scope.region,
        "alarmData": {
            "alarmName": signal.name,
            "state": _state(signal.state, signal.reason, signal.reason_data, signal.at),
            "previousState": _state(
                signal.old_state, signal.before.get("reason"), signal.before.get("reason_data"), signal.before.get("at")
            ),
            "configuration": _event_configuration(signal.alarm, unique),
        },
    }
    return text(document)


def _state(value: str, reason: str | None, data: dict[str, Any] | None, at: float | None) -> dict[str, Any]:
    document: dict[str, Any] = {"value": value}
    if reason is not None:
        document["reason"] = reason
    if data is not None:
        document["reasonData"] = text(data)
    if at is not None:
        document["timestamp"] = stamp(at)
    return document


def _event_configuration(alarm: dict[str, Any], unique: str) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if alarm.get("AlarmDescription"):
        document["description"] = alarm["AlarmDescription"]
    if "AlarmRule" in alarm:
        document["alarmRule"] = alarm["AlarmRule"]
        for name in ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"):
            if alarm.get(name) is not None:
                document[name[0].lower() + name[1:]] = alarm[name]
        return document
    if "Metrics" in alarm:
        document["metrics"] = [_event_query(query) for query in alarm["Metrics"]]
        return document
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    stat = {
        "Metric": metric, "Period": alarm["Period"], "Stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
    }  # fmt: skip
    if alarm.get("Unit"):
        stat["Unit"] = alarm["Unit"]
    document["metrics"] = [_event_query({"Id": unique, "MetricStat": stat, "ReturnData": True})]
    return document


def _event_query(query: dict[str, Any]) -> dict[str, Any]:
    """With dimensions as a mapping and the metric's name as ``name``."""
    document = {name[0].lower() + name[1:]: value for name, value in query.items() if name != "MetricStat"}
    if "MetricStat" in query:
        given = query["MetricStat"]
        metric = given["Metric"]
        document["metricStat"] = {
            "metric": {
                "namespace": metric["Namespace"],
                "name": metric["MetricName"],
                "dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])},
            },
            **{name.lower(): given[name] for name in ("Period", "Stat", "Unit") if name in given},
        }
    return document


def _trigger(alarm: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if "Metrics" not in alarm:
        basic = "Statistic" in alarm
        document = {
            "MetricName": alarm["MetricName"],
            "Namespace": alarm["Namespace"],
            "StatisticType": "Statistic" if basic else "ExtendedStatistic",
            "Statistic": alarm["Statistic"].upper() if basic else alarm["ExtendedStatistic"],
            "Unit": alarm.get("Unit"),
            "Dimensions": _dimensions(alarm["Dimensions"]),
            "Period": alarm["Period"],
        }
    else:
        document["Period"] = max(
            [q.get("Period") or q.get("MetricStat", {}).get("Period") or 0 for q in alarm["Metrics"]]
        )
    document["EvaluationPeriods"] = alarm["EvaluationPeriods"]
    if "DatapointsToAlarm" in alarm:
        document["DatapointsToAlarm"] = alarm["DatapointsToAlarm"]
    document |= {
        "ComparisonOperator": alarm["ComparisonOperator"],
        "Threshold": float(alarm["Threshold"]),
        "TreatMissingData": alarm.get("TreatMissingData", ""),
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in alarm:
        document["Metrics"] = [_query(query) for query in alarm["Metrics"]]
    return document


def _dimensions(given: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"value": one["Value"], "name": one["Name"]} for one in given]


def _query(query: dict[str, Any]) -> dict[str, Any]:
    shown = dict(query)
    if "MetricStat" in query:
        metric = query["MetricStat"]["Metric"]
        shown["MetricStat"] = {
            **query["MetricStat"], "Metric": {**metric, "Dimensions": _dimensions(metric.get("Dimensions", []))},
        }  # fmt: skip
    return shown


@functools.cache
def _regions() -> dict[str, str]:
    import botocore

    partitions = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text())["partitions"]
    return {name: one.get("description", name) for part in partitions for name, one in part["regions"].items()}


def region_name(region: str) -> str:
    """US East (N. Virginia). Those of Europe are called EU here."""
    return _regions().get(region, region).replace("Europe (", "EU (")
