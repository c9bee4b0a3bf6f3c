"""Operations that show alarms, their history and their tags."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.cloudwatch import alarm_checks as checks
from drydock.services.cloudwatch.actions import Actions
from drydock.services.cloudwatch.alarm_controller import AlarmController
from drydock.services.cloudwatch.alarm_documents import STATISTICS
from drydock.services.cloudwatch.alarm_history import History
from drydock.services.cloudwatch.alarm_model import COMPOSITE_ALARM, METRIC_ALARM, Alarm, HistoryItem, arn_of, name_of
from drydock.services.cloudwatch.composite_rules import BadRule
from drydock.services.cloudwatch.measurements import MetricStore
from drydock.services.cloudwatch.model import metric
from drydock.services.cloudwatch.put_data import UNITS
from drydock.services.service import Service
from drydock.store import Collection, Scope

Params = dict[str, Any]
LARGEST_PAGE = 100
_ALONE = ("MaxRecords", "NextToken")
_TYPES = ("CompositeAlarm", "MetricAlarm", "LogAlarm")
_VALUES = {
    "StateValue": ("INSUFFICIENT_DATA", "ALARM", "OK"),
    "HistoryItemType": (
        "ConfigurationUpdate", "StateUpdate", "Action", "AlarmContributorStateUpdate", "AlarmContributorAction",
    ),
    "ScanBy": ("TimestampDescending", "TimestampAscending"),
    "Statistic": STATISTICS,
    "Unit": sorted(UNITS),
}  # fmt: skip


class AlarmDescriptions(Service):
    """Mixed into :class:`~drydock.services.cloudwatch.api.CloudWatch`."""

    alarms: Collection[Alarm]
    history: History
    actions: Actions
    metrics: MetricStore
    alarm_controller: AlarmController

    def describe_alarms(self, request: Request, params: Params) -> Params:
        """By name. Raises ValidationError, InvalidNextToken, ResourceNotFound."""
        scope = request.scope
        _check_values(params)
        given = {name for name, value in params.items() if value is not None and name not in _ALONE}
        for name in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if name in given:
                if given != {name}:
                    raise checks.invalid(f"{name} cannot be used with other parameters")  # (?)
                return self._relatives(scope, params, name)
        if {"AlarmNames", "AlarmNamePrefix"} <= given:
            raise checks.invalid("Only one of AlarmNames and AlarmNamePrefix is allowed")  # (?)
        types = params.get("AlarmTypes") or [METRIC_ALARM]
        found = [alarm for alarm in self.alarms.of(scope) if alarm.type in types]
        if params.get("AlarmNames"):
            found = [alarm for alarm in found if alarm.name in params["AlarmNames"]]
        if prefix := params.get("AlarmNamePrefix"):
            found = [alarm for alarm in found if alarm.name.startswith(prefix)]
        if state := params.get("StateValue"):
            found = [alarm for alarm in found if alarm.state == state]
        if action := params.get("ActionPrefix"):
            found = [alarm for alarm in found if any(arn.startswith(action) for arn in alarm.all_actions)]
        page, token = _page(sorted(found, key=lambda alarm: alarm.name), params)
        return {
            "MetricAlarms": [alarm.described(scope) for alarm in page if alarm.type == METRIC_ALARM],
            "CompositeAlarms": [alarm.described(scope) for alarm in page if alarm.type == COMPOSITE_ALARM],
            **token,
        }

    def _relatives(self, scope: Scope, params: Params, which: str) -> Params:
        """Children or parents of an alarm: of these only what names them is shown."""
        name = name_of(scope, params[which])
        if self.alarms.get(scope, name) is None:
            raise AwsError("ResourceNotFound", "")
        names = self._parents(scope, name) if which == "ParentsOfAlarmName" else self._children(scope, name)
        found = [alarm for one in names if (alarm := self.alarms.get(scope, one)) is not None]
        page, token = _page(sorted(found, key=lambda alarm: alarm.name), params)
        children = which == "ChildrenOfAlarmName"
        briefly = [(alarm, _briefly(alarm, scope, children)) for alarm in page]
        return {
            "MetricAlarms": [shown for alarm, shown in briefly if alarm.metric],
            "CompositeAlarms": [shown for alarm, shown in briefly if not alarm.metric],
            **token,
        }

    def _children(self, scope: Scope, name: str) -> list[str]:
        return self.alarm_controller.children(scope).get(name, [])

    def _parents(self, scope: Scope, name: str) -> list[str]:
        """The composite alarms that speak of an alarm."""
        return [parent for parent, children in self.alarm_controller.children(scope).items() if name in children]

    def describe_alarms_for_metric(self, request: Request, params: Params) -> Params:
        """Those of exactly this metric, not those of metric math. Raises ValidationError."""
        scope = request.scope
        _check_values(params)
        wanted = _metric(params)
        found = [
            alarm
            for alarm in self.alarms.of(scope)
            if alarm.metric and "MetricName" in alarm.settings and _metric(alarm.settings) == wanted
        ]
        for name in ("Statistic", "ExtendedStatistic", "Period", "Unit"):
            if params.get(name) is not None:
                found = [alarm for alarm in found if alarm.settings.get(name) == params[name]]
        return {"MetricAlarms": [alarm.described(scope) for alarm in sorted(found, key=lambda alarm: alarm.name)]}

    def describe_alarm_history(self, request: Request, params: Params) -> Params:
        """The newest first, unless asked otherwise. Raises ValidationError, InvalidNextToken."""
        _check_values(params)
        if params.get("AlarmContributorId"):
            raise checks.unserved("DescribeAlarmHistory", "AlarmContributorId: leave it out.")
        scope = request.scope
        types = params.get("AlarmTypes") or [METRIC_ALARM]
        now = self.platform.clock(scope.account).now()
        found: list[HistoryItem] = [item for item in self.history.of(scope, now) if item.type in types]
        if name := params.get("AlarmName"):
            found = [item for item in found if item.alarm == name]
        if kind := params.get("HistoryItemType"):
            found = [item for item in found if item.kind == kind]
        if (start := _seconds(params.get("StartDate"))) is not None:
            found = [item for item in found if item.at >= start]
        if (end := _seconds(params.get("EndDate"))) is not None:
            found = [item for item in found if item.at <= end]
        if params.get("ScanBy") != "TimestampAscending":
            found.reverse()
        page, token = _page(found, params, LARGEST_PAGE)
        return {"AlarmHistoryItems": [item.described() for item in page], **token}

    # --- tags ---------------------------------------------------------------------------------------------------------

    def _tagged(self, scope: Scope, arn: str) -> Alarm:
        """Raises ResourceNotFoundException, InvalidParameterValue."""
        if arn.split(":")[2:3] != ["cloudwatch"]:
            raise AwsError("InvalidParameterValue", f"Invalid ARN: {arn}")  # (?)
        name = name_of(scope, arn)
        found = self.alarms.get(scope, name)
        if found is None or arn != arn_of(scope, name):
            raise AwsError("ResourceNotFoundException", f"Unknown resource: {arn}")  # (?)
        return found

    def tag_resource(self, request: Request, params: Params) -> Params:
        """Values of keys that are there are replaced."""
        alarm = self._tagged(request.scope, params["ResourceARN"])
        given = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        checks.check_tags(given)
        checks.check_tags(alarm.tags | given)
        alarm.tags |= given
        self.alarms.put(request.scope, alarm.name, alarm)
        return {}

    def untag_resource(self, request: Request, params: Params) -> Params:
        """Keys that are not there are passed over."""
        alarm = self._tagged(request.scope, params["ResourceARN"])
        alarm.tags = {key: value for key, value in alarm.tags.items() if key not in params["TagKeys"]}
        self.alarms.put(request.scope, alarm.name, alarm)
        return {}

    def list_tags_for_resource(self, request: Request, params: Params) -> Params:
        alarm = self._tagged(request.scope, params["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in alarm.tags.items()]}

    def alarm_faults(self) -> list[str]:
        """Invariants of alarms that do not hold, a sentence each."""
        faults = []
        for scope, name, alarm in self.alarms.all():
            if alarm.due and not alarm.enabled and alarm.due[-1].at > alarm.configured:
                faults.append(f"Alarm {name} has actions to do though they are switched off.")
            if not alarm.metric:
                try:
                    self.alarm_controller.rule_of(scope, alarm.settings["AlarmRule"])
                except BadRule as error:
                    faults.append(f"The rule of alarm {name} cannot be read: {error}.")
        return faults


def _check_values(params: Params) -> None:
    """Raises ValidationError for what is none of AWS's values."""
    for name, allowed in _VALUES.items():
        if params.get(name) is not None:
            checks.among(name[0].lower() + name[1:], params[name], allowed)
    for value in params.get("AlarmTypes") or []:
        if value not in _TYPES:
            raise checks.invalid(
                f"1 validation error detected: Value '[{', '.join(params['AlarmTypes'])}]' at 'alarmTypes' failed to satisfy "
                f"constraint: Member must satisfy constraint: [Member must satisfy enum value set: [{', '.join(_TYPES)}]]"
            )


def _briefly(alarm: Alarm, scope: Scope, children: bool) -> Params:
    """What DescribeAlarms says of a relative: name, ARN, state and when it changed; of parents the name and ARN."""
    shown: Params = {"AlarmName": alarm.name, "AlarmArn": alarm.arn(scope)}
    if children:
        shown |= {"StateValue": alarm.state, "StateUpdatedTimestamp": alarm.updated}
    return shown


def _metric(params: Params) -> Any:
    dimensions = {one["Name"]: one["Value"] for one in params.get("Dimensions") or []}
    return metric(params["Namespace"], params["MetricName"], dimensions)


def _seconds(value: datetime | float | None) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else value


def _page(found: Sequence[Any], params: Params, most: int = 50) -> tuple[Sequence[Any], Params]:
    """A page and the token of the next one. Raises InvalidNextToken."""
    start = 0
    if token := params.get("NextToken"):
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("alarms:"))
            if start < 0:
                raise ValueError
        except (ValueError, binascii.Error):
            raise AwsError("InvalidNextToken", "The next token specified is invalid.") from None  # (?)
    size = params.get("MaxRecords") or most
    page = found[start : start + size]
    if start + size >= len(found):
        return page, {}
    return page, {"NextToken": base64.urlsafe_b64encode(f"alarms:{start + size}".encode()).decode()}
