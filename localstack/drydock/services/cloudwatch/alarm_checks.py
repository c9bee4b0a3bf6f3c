"""What PutMetricAlarm and PutCompositeAlarm refuse, in AWS's words, and what of it is not done here.

Messages with (?) say the same in ours, and are to be compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.services.cloudwatch.alarm_documents import STATISTICS
from drydock.services.cloudwatch.alarm_rules import (
    ANOMALY_COMPARISONS,
    COMPARISONS,
    DAY,
    HOUR,
    TREATMENTS,
    is_percentile,
)
from drydock.services.cloudwatch.put_data import UNITS
from drydock.store import Scope

Params = dict[str, Any]
WEEK = 7 * DAY
MOST_TAGS = 50
ACTION_LISTS = ("OKActions", "AlarmActions", "InsufficientDataActions")
UNSERVED = (
    "ThresholdMetricId", "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria", "EvaluationInterval",
    "ActionConfiguration",
)  # fmt: skip
OF_ONE_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_TAG = re.compile(r"[\w\s.:/=+@-]*")
_EXTENDED = re.compile(
    r"(?:p|tm|tc|ts|wm)(?:100|\d{1,2}(?:\.\d+)?)|IQM|PR\([-\d.]*:[-\d.]*\)|(?:TM|TC|TS|WM)\([\d.]*%?:[\d.]*%?\)", re.I
)
_ARN = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:[\w-]*:.+")


def invalid(message: str) -> AwsError:
    """ValidationError."""
    return AwsError("ValidationError", message)


def unserved(operation: str, what: str) -> NotImplementedByDrydock:
    """Something that AWS does."""
    return NotImplementedByDrydock("cloudwatch", operation, what)


def check_name(name: str) -> None:
    """Raises ValidationError."""
    if name != name.strip():
        raise invalid("AlarmName must not contain leading or trailing whitespace or be null")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise invalid("AlarmName must not contain ASCII Control characters")


def check_tags(tags: dict[str, str]) -> None:
    """All of an alarm's. Raises InvalidParameterValue."""
    if len(tags) > MOST_TAGS:
        raise AwsError("InvalidParameterValue", f"The number of tags exceeds the limit of {MOST_TAGS}.")  # (?)
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidParameterValue", "Tag keys that begin with 'aws:' are reserved.")  # (?)
        if not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise AwsError("InvalidParameterValue", f"The tag '{key}' has characters that are not allowed.")  # (?)


def check_actions(params: Params, scope: Scope) -> list[str]:
    """The ARNs of all actions, each once. Raises ValidationError."""
    found = list(dict.fromkeys(arn for name in ACTION_LISTS for arn in params.get(name) or []))
    for arn in found:
        if not _ARN.fullmatch(arn):
            raise invalid(f"Invalid arn syntax: {arn}")
        region = arn.split(":")[3]
        if region not in ("", scope.region):
            raise invalid(f"Invalid region {region} specified. Only {scope.region} is supported.")
    return found


def check_metric_alarm(params: Params) -> None:
    """Raises ValidationError, InvalidParameterValue, NotImplementedByDrydock."""
    for name in UNSERVED:
        if params.get(name) is not None:
            raise unserved("PutMetricAlarm", f"{name}: leave it out.")
    comparison = params.get("ComparisonOperator")
    if comparison in ANOMALY_COMPARISONS:
        raise unserved("PutMetricAlarm", f"Anomaly detection ({comparison}): use a static threshold.")
    if comparison is None:
        raise invalid("PutMetricAlarm request should have a valid ComparisonOperator parameter")
    among("comparisonOperator", comparison, (*COMPARISONS, *ANOMALY_COMPARISONS))
    threshold = params.get("Threshold")
    if threshold is None or not math.isfinite(threshold):
        raise invalid("PutMetricAlarm request should have valid Threshold parameter")
    if params.get("EvaluationPeriods") is None:
        raise invalid("PutMetricAlarm request should have an EvaluationPeriods parameter")
    if (params.get("DatapointsToAlarm") or 1) > params["EvaluationPeriods"]:
        raise invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if (treatment := params.get("TreatMissingData")) not in (None, *TREATMENTS):
        raise invalid(
            f"The value {treatment} is not supported for TreatMissingData parameter. Supported values are "
            "breaching, notBreaching, ignore, missing."
        )
    if (option := params.get("EvaluateLowSampleCountPercentile")) not in (None, "evaluate", "ignore"):
        raise invalid(
            f"Option {option} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are "
            "evaluate and ignore."
        )
    if params.get("Metrics"):
        _check_metrics(params)
    else:
        _check_one_metric(params)


def among(member: str, value: str, allowed: Sequence[str]) -> None:
    """Raises ValidationError."""
    if value not in allowed:
        raise invalid(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must "
            f"satisfy enum value set: [{', '.join(allowed)}]"
        )


def _check_one_metric(params: Params) -> None:
    if not params.get("MetricName"):
        raise invalid("MetricName must not be null")
    if not params.get("Namespace"):
        raise invalid("Namespace must not be null")  # (?)
    statistic, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if statistic and extended:
        raise invalid(
            "PutMetricAlarm request can not be made with both Statistic and ExtendedStatistic parameters. Only one of "
            "them should be present"
        )
    if not statistic and not extended:
        raise invalid("PutMetricAlarm request should have a Statistic parameter")
    if statistic:
        among("statistic", statistic, STATISTICS)
    elif not _EXTENDED.fullmatch(str(extended)):
        raise AwsError(
            "InvalidParameterValue", f"The value {extended} for parameter ExtendedStatistic is not supported."
        )
    if params.get("EvaluateLowSampleCountPercentile") and not is_percentile(str(extended)):
        raise invalid(
            f"Option evaluateLowSampleCountPercentile can not be applied with statistic {statistic or extended}. This "
            "option is enabled only for percentile statistics."
        )
    if params.get("Unit") is not None:
        among("unit", params["Unit"], sorted(UNITS))
    if params.get("Period") is None:
        raise invalid("PutMetricAlarm request should have a Period parameter")
    check_period(params["Period"], params["EvaluationPeriods"])


def check_period(period: int, periods: int) -> None:
    """Raises ValidationError."""
    if period not in (10, 20, 30) and (period % 60 or period < 60):
        raise invalid("Period must be 10, 20, 30 or a multiple of 60")
    if period < HOUR and period * periods > DAY:
        raise invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400) for alarms "
            "using period < 3600"
        )
    if period * periods > WEEK:
        raise invalid(
            "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800) for alarms "
            "using period >= 3600"
        )


def _check_metrics(params: Params) -> None:
    from drydock.services.cloudwatch.queries import metric_faults  # not needed at start-up

    for name in OF_ONE_METRIC:
        if params.get(name):
            raise invalid(f"{name} should not be set if list of Metrics is set.")
    if params.get("EvaluateLowSampleCountPercentile"):
        raise unserved("PutMetricAlarm", "EvaluateLowSampleCountPercentile with Metrics: leave it out.")
    queries = params["Metrics"]
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")
    if len({query["Id"] for query in queries}) != len(queries):
        raise invalid("The values for parameter id in metrics list should be unique.")  # (?)
    if metric_faults(queries):
        raise invalid("Invalid metrics list")  # AWS does not say which, nor why
    periods = set()
    for query in queries:
        stat = query.get("MetricStat")
        if (stat is None) == (query.get("Expression") is None):
            raise invalid("Each element of the metrics list must have either a MetricStat or an Expression.")  # (?)
        if query.get("AccountId"):
            raise unserved("PutMetricAlarm", "Metrics of other accounts (AccountId): leave it out.")
        period = query.get("Period") if stat is None else stat["Period"]
        if period is not None:
            check_period(period, params["EvaluationPeriods"])
            periods.add(period)
        elif stat is None and re.match(r"\s*(SEARCH|SELECT)\b", query["Expression"], re.I):
            raise invalid("Metrics list contains an expression that needs a Period.")  # (?)
    if len(periods) > 1:
        raise invalid("All elements of the metrics list must have the same period.")  # (?)


def is_ec2(arn: str) -> bool:
    """``arn:aws:automate:region:ec2:stop``"""
    return arn.split(":")[2] == "automate"


def check_ec2(arn: str, params: Params) -> None:
    """An EC2 action of a metric alarm. Raises ValidationError, NotImplementedByDrydock."""
    parts = arn.split(":")
    if parts[4] != "ec2" or len(parts) != 6 or parts[5] not in ("stop", "terminate", "reboot", "recover"):
        raise invalid(f"Invalid arn syntax: {arn}")
    if parts[5] == "recover":
        raise unserved("PutMetricAlarm", f"{arn}: no hardware fails here; use ec2:reboot.")
    if [one["Name"] for one in params.get("Dimensions") or []].count("InstanceId") != 1:
        raise invalid("EC2 actions need a metric with the dimension InstanceId.")  # (?)


def check_composite(params: Params) -> None:
    """Raises ValidationError, NotImplementedByDrydock."""
    if params.get("ActionConfiguration") is not None:
        raise unserved("PutCompositeAlarm", "ActionConfiguration: leave it out.")
    if params["AlarmRule"] != params["AlarmRule"].strip():
        raise invalid("AlarmRule must not contain leading or trailing whitespace or be null")
    periods = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
    for name in periods:
        value = params.get(name)
        if params.get("ActionsSuppressor") and value is None:
            raise invalid(f"{name} is required when ActionsSuppressor is specified")  # (?)
        if not params.get("ActionsSuppressor") and value is not None:
            raise invalid(f"{name} requires ActionsSuppressor")  # (?)
        if value is not None and value < 0:
            raise invalid(f"{name} must not be negative")  # (?)
