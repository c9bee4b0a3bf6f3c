"""The loop that keeps alarms true: looks at their metrics, changes their states, carries out their actions.

It is level-triggered. A change of state and the actions that are due for it are written down together; an action is done
after that, and crossed out with the result in the history. After kill -9 the next beat does what is still due, so an
action may be done twice but is never forgotten.

Source: CloudWatch User Guide, "Alarm actions": actions are invoked when the state changes; those of Auto Scaling once
per minute as long as the alarm remains in the new state.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from drydock.errors import AwsError
from drydock.services.cloudwatch import alarm_documents as documents
from drydock.services.cloudwatch import composite_rules
from drydock.services.cloudwatch.actions import REPEATED, Actions
from drydock.services.cloudwatch.alarm_history import History
from drydock.services.cloudwatch.alarm_model import Alarm, Due, arn_of, name_of
from drydock.services.cloudwatch.alarm_rules import (
    ALARM,
    INSUFFICIENT_DATA,
    MINUTE,
    TICK,
    Verdict,
    evaluate,
    in_range,
    long_date,
    samples_needed,
    stamp,
    window,
)
from drydock.services.cloudwatch.composite_rules import AlarmRule
from drydock.services.cloudwatch.model import AlarmSignal
from drydock.services.service import Platform
from drydock.store import Collection, Scope

log = logging.getLogger(__name__)
Key = tuple[Scope, str]


class Values(Protocol):
    """What the controller needs of the metrics."""

    def values(
        self, scope: Scope, queries: Sequence[dict[str, Any]], start: float, end: float, /
    ) -> Mapping[str, Sequence[tuple[float, float]]]:
        """(beginning of the period, value) by the id of the query. Raises AwsError."""


class AlarmController:
    """``on_change`` are called with every change of state, before its actions are done."""

    def __init__(
        self,
        platform: Platform,
        alarms: Collection[Alarm],
        history: History,
        actions: Actions,
        metrics: Callable[[], Values],
    ) -> None:
        self.on_change: list[Callable[[AlarmSignal], None]] = []
        self._platform = platform
        self._alarms = alarms
        self._history = history
        self._actions = actions
        self._metrics = metrics
        self._rules: dict[tuple[Scope, str], AlarmRule] = {}
        self._seen: dict[Key, float] = {}
        """End of the range that was looked at last"""
        self._repeated: dict[Key, float] = {}
        self._acting: set[Key] = set()

    def finest(self, account: str) -> int:
        """Seconds between two looks."""
        for scope, _, alarm in self._alarms.all():
            if scope.account == account and ((alarm.metric and alarm.period < MINUTE) or alarm.held.until):
                return TICK
        return MINUTE

    def look_again(self, scope: Scope, name: str) -> None:
        """An alarm was configured: the next beat looks at it."""
        self._seen.pop((scope, name), None)
        self._repeated.pop((scope, name), None)

    async def evaluate(self, account: str, now: float) -> None:
        """All alarms of an account."""
        mine = [(scope, alarm) for scope, _, alarm in self._alarms.all() if scope.account == account]
        for scope, alarm in mine:
            if alarm.metric:
                self._look(scope, alarm, now)
        for scope in {scope for scope, _ in mine}:
            self.suppressions(scope, now)
        self._history.forget(account, now)
        for scope, alarm in mine:
            self.act(scope, alarm)

    # --- metric alarms ------------------------------------------------------------------------------------------------

    def _look(self, scope: Scope, alarm: Alarm, now: float) -> None:
        start, end = window(now, alarm.period, alarm.periods)
        if self._seen.get((scope, alarm.name)) == end:
            return
        self._seen[scope, alarm.name] = end
        try:
            verdict, samples = self._judge(scope, alarm, start, end)
            problem = ""
        except AwsError as error:
            log.warning("alarm %s was not evaluated: %s", alarm.name, error)
            problem = "EVALUATION_ERROR"
        except Exception:  # a defect of ours in one alarm keeps no other from being evaluated
            log.exception("alarm %s was not evaluated", alarm.name)
            problem = "EVALUATION_FAILURE"
        if problem != alarm.evaluation_state:
            alarm.evaluation_state = problem
            self._alarms.put(scope, alarm.name, alarm)
        if problem:
            return
        if verdict.state is not None and verdict.state != alarm.state:
            data = documents.reason_data(alarm, verdict, now, samples)
            self.change(scope, alarm, verdict.state, verdict.reason, now, data, verdict.values)
        else:
            self._repeat(scope, alarm, verdict, now)

    def _judge(self, scope: Scope, alarm: Alarm, start: float, end: float) -> tuple[Verdict, dict[float, float]]:
        """The verdict, and how many samples the data points have. Raises AwsError."""
        queries, wanted = queries_of(alarm)
        series = self._metrics().values(scope, queries, start, end)
        points = in_range(dict(series.get(wanted, ())), start, end, alarm.period)
        samples = dict(series.get("samples", ()))
        verdict = evaluate(alarm.rule, points)
        if alarm.settings.get("EvaluateLowSampleCountPercentile") == "ignore":
            count = sum(samples.get(at, 0) for at, value in verdict.evaluated if value is not None)
            if verdict.values and count < samples_needed(alarm.statistic):
                verdict = replace(verdict, state=None)
        return verdict, samples

    def _repeat(self, scope: Scope, alarm: Alarm, verdict: Verdict, now: float) -> None:
        """Actions that are invoked again each minute while the state lasts."""
        arns = [arn for arn in alarm.actions(alarm.state) if arn.split(":")[2] in REPEATED]
        last = self._repeated.get((scope, alarm.name), 0.0)
        if not arns or not alarm.enabled or alarm.due or now // MINUTE == last // MINUTE:
            return
        self._repeated[scope, alarm.name] = now
        data = documents.reason_data(alarm, verdict, now, {})
        for arn in arns:
            due = Due(arn, alarm.state, alarm.state, now, alarm.reason, data, list(verdict.values))
            self._platform.spawn(self._again(scope, alarm, due), f"repeated action of alarm {alarm.name}")

    async def _again(self, scope: Scope, alarm: Alarm, due: Due) -> None:
        act = self._actions.of(due.action)
        if act is not None:
            try:
                await act(due.action, replace(self.signal(scope, alarm, due), repeated=True))
            except AwsError as error:
                log.info("action %s of alarm %s failed again: %s", due.action, alarm.name, error)

    # --- changes of state ---------------------------------------------------------------------------------------------

    def change(
        self, scope: Scope, alarm: Alarm, state: str, reason: str, now: float, data: dict[str, Any] | None = None,
        values: Sequence[float] = (), told: str | None = None,
    ) -> None:  # fmt: skip
        """Put an alarm in another state, write it down, see to what is due for it and to who looks at this alarm."""
        before, old = documents.state_of(alarm), alarm.state
        earlier = {"reason": alarm.reason, "reason_data": alarm.reason_data or _parsed(alarm.told), "at": alarm.updated}
        alarm.state, alarm.reason, alarm.reason_data, alarm.told = state, reason, data, told
        alarm.updated = alarm.transitioned = now
        fire = True
        if not alarm.metric:
            fire = self._suppressed(scope, alarm, old, now)
        summary = f"Alarm updated from {old} to {state}"
        self._history.note(
            scope, alarm, now, "StateUpdate", summary, documents.state_change(before, documents.state_of(alarm))
        )
        told_data = data if data is not None else _parsed(told)
        if fire:
            self._plan(alarm, old, now, told_data, values, earlier)
        self._repeated[scope, alarm.name] = now
        self._alarms.put(scope, alarm.name, alarm)
        signal = self.signal(scope, alarm, Due("", state, old, now, reason, told_data, list(values)))
        for tell in self.on_change:
            tell(signal)
        self.settle(scope, alarm.name, now)

    def _plan(
        self, alarm: Alarm, old: str, now: float, data: dict[str, Any] | None, values: Sequence[float],
        before: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if alarm.enabled:
            alarm.due += [
                Due(arn, alarm.state, old, now, alarm.reason, data, list(values), before or {})
                for arn in alarm.actions(alarm.state)
            ]

    def signal(self, scope: Scope, alarm: Alarm, due: Due) -> AlarmSignal:
        """What an action is told."""
        return AlarmSignal(
            scope, alarm.name, alarm.arn(scope), due.state, due.old_state, due.at, due.reason, due.reason_data,
            tuple(due.values), alarm.described(scope), before=due.before,
        )  # fmt: skip

    # --- composite alarms ---------------------------------------------------------------------------------------------

    def rule_of(self, scope: Scope, text: str) -> AlarmRule:
        """A composite alarm's rule. Raises BadRule."""
        rule = self._rules.get((scope, text))
        if rule is None:
            rule = self._rules[scope, text] = composite_rules.parse(text, lambda reference: name_of(scope, reference))
        return rule

    def children(self, scope: Scope) -> dict[str, list[str]]:
        """Of all composite alarms."""
        composite = [alarm for alarm in self._alarms.of(scope) if not alarm.metric]
        return {alarm.name: self.rule_of(scope, alarm.settings["AlarmRule"]).children for alarm in composite}

    def settle(self, scope: Scope, changed: str, now: float) -> None:
        """An alarm has changed its state: so may the composite alarms that speak of it."""
        for name, children in self.children(scope).items():
            if changed in children:
                self.follow(scope, name, now, changed)
        self.suppressions(scope, now)

    def follow(self, scope: Scope, name: str, now: float, child: str = "", event: str = "updated") -> None:
        """Bring a composite alarm into the state that its rule asks for; one that depends on itself keeps what it has.
        ``child`` has changed, or else the alarm was ``event`` (created or updated)."""
        alarm = self._alarms.get(scope, name)
        if alarm is None or composite_rules.in_cycle(name, self.children(scope)):
            return
        rule = self.rule_of(scope, alarm.settings["AlarmRule"])
        state = composite_rules.result(rule.holds(lambda one: self._state(scope, one)))
        if state == alarm.state:
            return
        arn = arn_of(scope, child or name)
        reason = f"{arn} was {event} and its alarm rule evaluates to {state}"
        first = self._alarms.get(scope, child) if child else None
        if first is not None:
            reason = f"{arn} transitioned to {first.state} at {long_date(first.transitioned)}"
        self.change(scope, alarm, state, reason, now, self._triggering(scope, rule, state, child))

    def _state(self, scope: Scope, name: str) -> str | None:
        found = self._alarms.get(scope, name)
        return found.state if found else None

    def _triggering(self, scope: Scope, rule: AlarmRule, state: str, child: str) -> dict[str, Any]:
        """The children that make it so: for ALARM those that are in a state that the rule names, else all."""
        names = [child] if child else []
        for atom in rule.atoms:
            if atom.alarm not in names and (state != ALARM or self._state(scope, atom.alarm) == atom.state):
                names.append(atom.alarm)
        found = [alarm for name in names if (alarm := self._alarms.get(scope, name)) is not None]
        return {
            "triggeringAlarms": [
                {"arn": one.arn(scope), "state": {"value": one.state, "timestamp": stamp(one.transitioned)}}
                for one in found
            ]
        }

    def _suppressor(self, scope: Scope, alarm: Alarm) -> str:
        """The state of the alarm that silences this one."""
        reference = alarm.settings.get("ActionsSuppressor")
        return self._state(scope, name_of(scope, reference)) or INSUFFICIENT_DATA if reference else ""

    def _suppressed(self, scope: Scope, alarm: Alarm, old: str, now: float) -> bool:
        """Whether the actions of a change are due; if not, they are held back."""
        suppressor = self._suppressor(scope, alarm)
        if not suppressor:
            return True
        wait = alarm.settings["ActionsSuppressorWaitPeriod"]
        alarm.held, fire = composite_rules.on_change(alarm.held, alarm.state, suppressor, now, wait)
        alarm.held_from = "" if fire else old
        return fire

    def suppressions(self, scope: Scope, now: float) -> None:
        """Periods of waiting that have ended, suppressors that have changed."""
        for alarm in self._alarms.of(scope):
            suppressor = "" if alarm.metric else self._suppressor(scope, alarm)
            if not suppressor:
                continue
            extension = alarm.settings["ActionsSuppressorExtensionPeriod"]
            held, fire = composite_rules.on_time(alarm.held, suppressor, now, extension)
            if held != alarm.held or fire:
                alarm.held = held
                if fire:
                    self._plan(alarm, alarm.held_from or alarm.state, now, alarm.reason_data, ())
                self._alarms.put(scope, alarm.name, alarm)

    # --- actions ------------------------------------------------------------------------------------------------------

    def act(self, scope: Scope, alarm: Alarm) -> None:
        """Begin what is due of an alarm; nothing happens if that is under way."""
        key = (scope, alarm.name)
        if alarm.due and key not in self._acting:
            self._acting.add(key)
            self._platform.spawn(self._act(scope, alarm), f"actions of alarm {alarm.name}")

    def act_all(self, scope: Scope) -> None:
        """The same for all alarms of an account and region."""
        for alarm in self._alarms.of(scope):
            self.act(scope, alarm)

    async def _act(self, scope: Scope, alarm: Alarm) -> None:
        try:
            while alarm.due and self._alarms.get(scope, alarm.name) is alarm:
                due = alarm.due[0]
                failure = await self._do(scope, alarm, due)
                if self._alarms.get(scope, alarm.name) is not alarm:
                    return  # it is gone, or the account was reset
                self._note_action(scope, alarm, due, failure)
                alarm.due.remove(due)
                self._alarms.put(scope, alarm.name, alarm)
        finally:
            self._acting.discard((scope, alarm.name))

    async def _do(self, scope: Scope, alarm: Alarm, due: Due) -> str:
        """Why it failed, empty if it did not."""
        act = self._actions.of(due.action)
        if act is None:
            return f"Drydock does not carry out {due.action}"
        try:
            await act(due.action, self.signal(scope, alarm, due))
        except AwsError as error:
            return error.message or error.code
        except Exception as error:  # whatever is wrong with one action keeps no other from being done
            log.exception("action %s of alarm %s failed", due.action, alarm.name)
            return str(error) or type(error).__name__
        return ""

    def _note_action(self, scope: Scope, alarm: Alarm, due: Due, failure: str) -> None:
        published = None
        if not failure and due.action.split(":")[2] == "sns":
            published = documents.text({"default": documents.message(self.signal(scope, alarm, due))})
        summary = f"{'Failed to execute' if failure else 'Successfully executed'} action {due.action}"
        now = self._platform.clock(scope.account).now()
        data = documents.acted(due.action, due.at, published, failure or None)
        self._history.note(scope, alarm, now, "Action", summary[:255], data)


def queries_of(alarm: Alarm) -> tuple[list[dict[str, Any]], str]:
    """What to ask the metrics for, and the id of what the alarm looks at; ``samples`` is the count of samples."""
    given = alarm.settings
    if "Metrics" in given:
        returned = next(query["Id"] for query in given["Metrics"] if query.get("ReturnData", True))
        return given["Metrics"], returned
    stat = {
        "Metric": {
            "Namespace": given["Namespace"], "MetricName": given["MetricName"], "Dimensions": given["Dimensions"],
        },
        "Period": given["Period"],
    }  # fmt: skip
    if given.get("Unit"):
        stat["Unit"] = given["Unit"]
    return [
        {"Id": "m1", "MetricStat": {**stat, "Stat": alarm.statistic}, "ReturnData": True},
        {"Id": "samples", "MetricStat": {**stat, "Stat": "SampleCount"}, "ReturnData": True},
    ], "m1"


def _parsed(told: str | None) -> dict[str, Any] | None:
    found = json.loads(told) if told else None
    return found if isinstance(found, dict) else None
