"""Alarms and what has happened to them, as they are kept and as AWS describes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from drydock.services.cloudwatch.alarm_rules import ALARM, INSUFFICIENT_DATA, OK, Rule
from drydock.services.cloudwatch.composite_rules import Suppression
from drydock.store import Scope

METRIC_ALARM, COMPOSITE_ALARM = "MetricAlarm", "CompositeAlarm"
TYPES = (METRIC_ALARM, COMPOSITE_ALARM)
KEPT_HISTORY = 30 * 86400.0
ACTIONS_OF = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
CREATED = "Unchecked: Initial alarm creation"


@dataclass
class Due:
    """An action that is to be carried out for a change of state; the rest is what the action is told."""

    action: str
    state: str
    old_state: str
    at: float
    reason: str
    reason_data: dict[str, Any] | None
    values: list[float]
    before: dict[str, Any] = field(default_factory=dict)
    """The state before: ``reason``, ``reason_data`` and since when (``at``)"""


@dataclass
class Alarm:
    """A metric alarm or a composite one. Times are lab seconds since 1970. ``settings`` are the parameters of
    PutMetricAlarm or PutCompositeAlarm without name and tags, defaults put in where DescribeAlarms shows them."""

    name: str
    type: str
    settings: dict[str, Any]
    configured: float
    state: str = INSUFFICIENT_DATA
    reason: str = CREATED
    reason_data: dict[str, Any] | None = None
    updated: float = 0.0
    transitioned: float = 0.0
    told: str | None = None
    """StateReasonData as SetAlarmState was given it, instead of ``reason_data``"""
    evaluation_state: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    due: list[Due] = field(default_factory=list)
    held: Suppression = field(default_factory=Suppression)
    held_from: str = ""
    """The state before the change whose actions are held back"""

    def arn(self, scope: Scope) -> str:
        """Its ARN."""
        return arn_of(scope, self.name)

    @property
    def metric(self) -> bool:
        """Whether it looks at a metric (and not at other alarms)."""
        return self.type == METRIC_ALARM

    @property
    def enabled(self) -> bool:
        """Whether it carries out its actions."""
        return bool(self.settings["ActionsEnabled"])

    @property
    def period(self) -> int:
        """Seconds, of a metric alarm."""
        if "Metrics" not in self.settings:
            return int(self.settings["Period"])
        periods = [q.get("Period") or q.get("MetricStat", {}).get("Period") or 0 for q in self.settings["Metrics"]]
        return max(periods) or 60

    @property
    def periods(self) -> int:
        """N"""
        return int(self.settings["EvaluationPeriods"])

    @property
    def statistic(self) -> str:
        """Of a single metric; empty for metric math."""
        return str(self.settings.get("Statistic") or self.settings.get("ExtendedStatistic") or "")

    @property
    def rule(self) -> Rule:
        """How a metric alarm judges."""
        given = self.settings
        default = "ignore" if given.get("Namespace") == "AWS/DynamoDB" else "missing"
        return Rule(
            given["ComparisonOperator"], float(given["Threshold"]), self.periods, given.get("DatapointsToAlarm"),
            given.get("TreatMissingData") or default,
        )  # fmt: skip

    def actions(self, state: str) -> list[str]:
        """ARNs for a state."""
        return list(self.settings[ACTIONS_OF[state]])

    @property
    def all_actions(self) -> list[str]:
        """ARNs for all states."""
        return [arn for name in ACTIONS_OF.values() for arn in self.settings[name]]

    @property
    def reason_text(self) -> str:
        """StateReasonData as it is shown; empty if there is none."""
        if self.told is not None:
            return self.told
        return "" if self.reason_data is None else json.dumps(self.reason_data, separators=(",", ":"))

    def described(self, scope: Scope) -> dict[str, Any]:
        """As in DescribeAlarms."""
        answer: dict[str, Any] = {
            "AlarmName": self.name,
            "AlarmArn": self.arn(scope),
            "AlarmConfigurationUpdatedTimestamp": self.configured,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": self.updated,
            "StateTransitionedTimestamp": self.transitioned,
            **self.settings,
        }
        if self.reason_text:
            answer["StateReasonData"] = self.reason_text
        if self.evaluation_state:
            answer["EvaluationState"] = self.evaluation_state
        if self.held.by:
            answer |= {"ActionsSuppressedBy": self.held.by, "ActionsSuppressedReason": self.held.reason}
        return answer


@dataclass
class HistoryItem:
    """What DescribeAlarmHistory shows."""

    alarm: str
    type: str
    at: float
    kind: str
    """``ConfigurationUpdate``, ``StateUpdate`` or ``Action``"""
    summary: str
    data: str

    def described(self) -> dict[str, Any]:
        """As in DescribeAlarmHistory."""
        return {
            "AlarmName": self.alarm,
            "AlarmType": self.type,
            "Timestamp": self.at,
            "HistoryItemType": self.kind,
            "HistorySummary": self.summary,
            "HistoryData": self.data,
        }


def arn_of(scope: Scope, name: str) -> str:
    """An alarm's ARN."""
    return f"arn:aws:cloudwatch:{scope.region}:{scope.account}:alarm:{name}"


def name_of(scope: Scope, reference: str) -> str:
    """The name in a name or an ARN; what is an ARN of something else stays as it is, and so is not found."""
    return reference.removeprefix(arn_of(scope, ""))
