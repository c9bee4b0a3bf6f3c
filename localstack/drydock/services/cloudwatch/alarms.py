"""Operations that make, change and delete alarms."""

from __future__ import annotations

import json
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.cloudwatch import alarm_checks as checks
from drydock.services.cloudwatch import alarm_documents as documents
from drydock.services.cloudwatch.alarm_controller import AlarmController, queries_of
from drydock.services.cloudwatch.alarm_describing import AlarmDescriptions
from drydock.services.cloudwatch.alarm_model import COMPOSITE_ALARM, METRIC_ALARM, Alarm, name_of
from drydock.services.cloudwatch.alarm_rules import STATES
from drydock.services.cloudwatch.composite_rules import MOST_CHILDREN, BadRule, Suppression
from drydock.services.cloudwatch.heartbeat import Heartbeat
from drydock.store import Scope

Params = dict[str, Any]
_OUTSIDE = ("AlarmName", "Tags")
MOST_PARENTS = 150


class AlarmOperations(AlarmDescriptions):
    """Mixed into :class:`~drydock.services.cloudwatch.api.CloudWatch`."""

    heart: Heartbeat
    alarm_controller: AlarmController

    def put_metric_alarm(self, request: Request, params: Params) -> None:
        """Made in INSUFFICIENT_DATA; one that is there keeps its state and its tags."""
        scope = request.scope
        checks.check_name(params["AlarmName"])
        checks.check_metric_alarm(params)
        for arn in checks.check_actions(params, scope):
            if checks.is_ec2(arn):
                checks.check_ec2(arn, params)
            self._check_handled("PutMetricAlarm", arn)
        settings = _settings(params)
        if settings.get("Metrics"):
            for name in checks.OF_ONE_METRIC:
                settings.pop(name, None)
        else:
            settings.pop("Metrics", None)
            settings.setdefault("Dimensions", [])
        alarm = Alarm(params["AlarmName"], METRIC_ALARM, settings, 0.0)
        now = self.platform.clock(scope.account).now()
        self.metrics.values(
            scope, queries_of(alarm)[0], now // 60 * 60 - 60, now // 60 * 60
        )  # raises for what is no metric
        self._put(request, alarm, _tags(params))

    def put_composite_alarm(self, request: Request, params: Params) -> None:
        """Evaluated at once."""
        scope = request.scope
        checks.check_name(params["AlarmName"])
        checks.check_composite(params)
        for arn in checks.check_actions(params, scope):
            if arn.split(":")[2] in ("automate", "swf", "autoscaling"):
                raise checks.invalid(f"Composite alarms cannot have the action {arn}")  # (?)
            self._check_handled("PutCompositeAlarm", arn)
        self._check_rule(scope, params)
        made = self.alarms.get(scope, params["AlarmName"]) is None
        self._put(request, Alarm(params["AlarmName"], COMPOSITE_ALARM, _settings(params), 0.0), _tags(params))
        now = self.platform.clock(scope.account).now()
        self.alarm_controller.follow(scope, params["AlarmName"], now, event="created" if made else "updated")
        self.alarm_controller.act_all(scope)

    def _check_rule(self, scope: Scope, params: Params) -> None:
        """Raises ValidationError."""
        try:
            rule = self.alarm_controller.rule_of(scope, params["AlarmRule"])
        except BadRule as error:
            raise checks.invalid(f"AlarmRule is not valid: {error}.") from None  # (?)
        if len(rule.children) > MOST_CHILDREN:
            raise checks.invalid(f"AlarmRule refers to more than {MOST_CHILDREN} alarms.")  # (?)
        missing = [name for name in rule.children if self.alarms.get(scope, name) is None]
        if missing:
            raise checks.invalid(
                f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist"
            )
        suppressor = params.get("ActionsSuppressor")
        if suppressor and self.alarms.get(scope, name_of(scope, suppressor)) is None:
            raise checks.invalid(
                f"Could not save the composite alarm as its suppressor [{suppressor}] does not exist"
            )  # (?)
        for name in rule.children:
            if len(set(self._parents(scope, name)) | {params["AlarmName"]}) > MOST_PARENTS:
                raise AwsError(
                    "LimitExceeded", f"The alarm {name} is in more than {MOST_PARENTS} composite alarms."
                )  # (?)

    def _check_handled(self, operation: str, arn: str) -> None:
        """Raises NotImplementedByDrydock for an action that nobody here can carry out."""
        if self.actions.of(arn) is None:
            raise checks.unserved(
                operation, f"The action {arn}: use an SNS topic, or what else carries out actions here."
            )

    def _put(self, request: Request, alarm: Alarm, tags: dict[str, str]) -> None:
        scope = request.scope
        old = self.alarms.get(scope, alarm.name)
        if old is not None and old.type != alarm.type:
            raise checks.invalid(f"There is a {old.type} of the name {alarm.name}.")  # (?)
        now = self.platform.clock(scope.account).now()
        if old is None:
            checks.check_tags(tags)
            alarm.tags = tags
            alarm.configured = alarm.updated = alarm.transitioned = now
            data = documents.configured("Create", documents.configuration(alarm, scope))
            self.alarms.put(scope, alarm.name, alarm)
        else:
            before = documents.configuration(old, scope)
            old.settings, old.configured = alarm.settings, now
            if not alarm.settings.get("ActionsSuppressor"):
                old.held = Suppression()
            data = documents.configured("Update", documents.configuration(old, scope), before)
            alarm = old
            self.alarms.put(scope, alarm.name, alarm)
        way = "created" if old is None else "updated"
        self.history.note(scope, alarm, now, "ConfigurationUpdate", f'Alarm "{alarm.name}" {way}', data)
        self.alarm_controller.look_again(scope, alarm.name)
        self.heart.beat(scope.account)

    def set_alarm_state(self, request: Request, params: Params) -> None:
        """Until the alarm is evaluated next."""
        scope = request.scope
        state, told = params["StateValue"], params.get("StateReasonData")
        if state not in STATES:
            raise checks.invalid(
                f"1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: Member must "
                "satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
            )
        if told is not None:
            try:
                json.loads(told)
            except (ValueError, RecursionError):
                raise AwsError("InvalidFormat", "StateReasonData is not valid JSON.") from None  # (?)
        alarm = self.alarms.get(scope, params["AlarmName"])
        if alarm is None:
            raise AwsError("ResourceNotFound", "")
        now = self.platform.clock(scope.account).now()
        if state == alarm.state:
            alarm.reason, alarm.reason_data, alarm.told, alarm.updated = params["StateReason"], None, told, now
            self.alarms.put(scope, alarm.name, alarm)
            return
        self.alarm_controller.change(scope, alarm, state, params["StateReason"], now, told=told)
        self.alarm_controller.act_all(scope)

    def enable_alarm_actions(self, request: Request, params: Params) -> None:
        """Names that are not there are passed over."""
        self._switch(request, params["AlarmNames"], enabled=True)

    def disable_alarm_actions(self, request: Request, params: Params) -> None:
        """Names that are not there are passed over."""
        self._switch(request, params["AlarmNames"], enabled=False)

    def _switch(self, request: Request, names: list[str], enabled: bool) -> None:
        scope = request.scope
        for name in dict.fromkeys(names):
            alarm = self.alarms.get(scope, name)
            if alarm is None or alarm.enabled == enabled:
                continue
            before = documents.configuration(alarm, scope)
            alarm.settings["ActionsEnabled"] = enabled
            alarm.configured = now = self.platform.clock(scope.account).now()
            self.alarms.put(scope, name, alarm)
            data = documents.configured("Update", documents.configuration(alarm, scope), before)
            self.history.note(scope, alarm, now, "ConfigurationUpdate", f'Alarm "{name}" updated', data)

    def delete_alarms(self, request: Request, params: Params) -> None:
        """Of a list with unknown names the others are deleted. Raises ResourceNotFound, ValidationError."""
        scope = request.scope
        names = list(dict.fromkeys(params["AlarmNames"]))
        found = [alarm for name in names if (alarm := self.alarms.get(scope, name)) is not None]
        if sum(not alarm.metric for alarm in found) > 1:
            raise checks.invalid("Only one composite alarm can be deleted with one request.")  # (?)
        kept = [alarm.name for alarm in found if self._parents(scope, alarm.name)]
        if kept:
            which = "it" if len(kept) == 1 else "them"
            raise checks.invalid(
                f"Cannot delete {','.join(kept)} as there are composite alarm(s) depending on {which}."
            )
        now = self.platform.clock(scope.account).now()
        for alarm in found:
            data = documents.configured("Delete", documents.configuration(alarm, scope))
            self.history.note(scope, alarm, now, "ConfigurationUpdate", f'Alarm "{alarm.name}" deleted', data)
            self.alarms.delete(scope, alarm.name)
            self.alarm_controller.look_again(scope, alarm.name)


def _settings(params: Params) -> Params:
    """As they are kept and described."""
    kept = {name: value for name, value in params.items() if name not in _OUTSIDE and value is not None}
    for name in checks.ACTION_LISTS:
        kept[name] = list(dict.fromkeys(kept.get(name, [])))
    kept.setdefault("ActionsEnabled", True)
    return kept


def _tags(params: Params) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
