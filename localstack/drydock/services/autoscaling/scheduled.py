"""Scheduled actions of groups: the operations, and carrying them out in lab time."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.application_autoscaling.timetable import Timetable
from drydock.services.autoscaling import policy_rules as rules
from drydock.services.autoscaling.policies import PolicyOperations, page
from drydock.services.autoscaling.policy_model import GroupSchedule
from drydock.services.autoscaling.scaling import Params
from drydock.store import Collection, Scope

MOST_ACTIONS = 125
"""Of a group ("Quotas for Amazon EC2 Auto Scaling")"""
PAGE = 50
SIZES = ("MinSize", "MaxSize", "DesiredCapacity")


class ScheduleOperations(PolicyOperations):
    """PutScheduledUpdateGroupAction, DescribeScheduledActions, DeleteScheduledAction, and both in batches."""

    schedules: Collection[GroupSchedule]
    timetable: Timetable

    async def put_scheduled_update_group_action(self, request: Request, params: Params) -> None:
        """Made, or replaced."""
        scope, group, name = request.scope, params["AutoScalingGroupName"], params["ScheduledActionName"]
        now = self.platform.clock(request.account).now()
        given = dict(params)
        given.setdefault("StartTime", given.pop("Time", None))
        rules.schedule(given, now)
        await self.scaling.facts(scope, group)
        held = self.schedules.get(scope, f"{group}|{name}")
        mine = [one for one in self.schedules.of(scope) if one.group == group]
        if held is None and len(mine) >= MOST_ACTIONS:
            raise AwsError("LimitExceeded", f"A group can have at most {MOST_ACTIONS} scheduled actions.")  # (?)
        made = GroupSchedule(
            arn=held.arn if held else self._action_arn(scope, group, name),
            name=name,
            group=group,
            sizes={size: given[size] for size in SIZES if given.get(size) is not None},
            start=rules.seconds(given.get("StartTime")),
            end=rules.seconds(given.get("EndTime")),
            recurrence=given.get("Recurrence", ""),
            timezone=given.get("TimeZone", ""),
            done=now,
        )
        self.schedules.put(scope, made.key, made)
        self.timetable.changed(scope.account)

    def _action_arn(self, scope: Scope, group: str, name: str) -> str:
        made = self.platform.ids.uuid(scope, "scheduled-action", f"{group}|{name}")
        where = f"arn:aws:autoscaling:{scope.region}:{scope.account}:scheduledUpdateGroupAction:{made}"
        return f"{where}:autoScalingGroupName/{group}:scheduledActionName/{name}"

    def describe_scheduled_actions(self, request: Request, params: Params) -> dict[str, Any]:
        """Those that have a run before them, or all of their names."""
        group, names = params.get("AutoScalingGroupName"), params.get("ScheduledActionNames")
        start, end = rules.seconds(params.get("StartTime")), rules.seconds(params.get("EndTime"))
        found = []
        for one in self.schedules.of(request.scope):
            upcoming = rules.next_run(one)
            if group not in (None, one.group) or (names and one.name not in names and one.arn not in names):
                continue
            at = upcoming if upcoming is not None else 0.0
            if not names and ((start is not None and at < start) or (end is not None and at > end)):
                continue
            found.append(one.describe(upcoming))
        shown, token = page(found, params, PAGE)
        return {"ScheduledUpdateGroupActions": shown, **token}

    def delete_scheduled_action(self, request: Request, params: Params) -> None:
        """Raises ValidationError."""
        name = params["ScheduledActionName"]
        for one in self.schedules.of(request.scope):
            if one.group == params["AutoScalingGroupName"] and name in (one.name, one.arn):
                self.schedules.delete(request.scope, one.key)
                self.timetable.changed(request.account)
                return
        raise rules.invalid(f"Scheduled action name not found - {name}")  # (?)

    async def batch_put_scheduled_update_group_action(self, request: Request, params: Params) -> dict[str, Any]:
        """What fails is told, the others are made."""
        failed = []
        for one in params["ScheduledUpdateGroupActions"]:
            try:
                given = {"AutoScalingGroupName": params["AutoScalingGroupName"], **one}
                await self.put_scheduled_update_group_action(request, given)
            except AwsError as error:
                failed.append(_failure(one["ScheduledActionName"], error))
        return {"FailedScheduledUpdateGroupActions": failed}

    def batch_delete_scheduled_action(self, request: Request, params: Params) -> dict[str, Any]:
        """What fails is told, the others go."""
        failed = []
        for name in params["ScheduledActionNames"]:
            given = {"AutoScalingGroupName": params["AutoScalingGroupName"], "ScheduledActionName": name}
            try:
                self.delete_scheduled_action(request, given)
            except AwsError as error:
                failed.append(_failure(name, error))
        return {"FailedScheduledActions": failed}

    # -- carrying them out
    async def run_schedules(self, account: str, now: float) -> float | None:
        """What has come due by now, in order; when the next comes. Of what has come due several times, once."""
        mine = [(scope, one) for scope, _, one in self.schedules.all() if scope.account == account]
        due = [(at, scope, one) for scope, one in mine if (at := rules.next_run(one)) is not None and at <= now]
        for _, scope, one in sorted(due, key=lambda each: each[0]):
            await self._run(scope, one, now)
            one.done = now
            if rules.next_run(one) is None:  # it has had its last run
                self.schedules.delete(scope, one.key)
            elif self.schedules.get(scope, one.key) is one:
                self.schedules.put(scope, one.key, one)
        left = [one for scope, _, one in self.schedules.all() if scope.account == account]
        return min((at for one in left if (at := rules.next_run(one)) is not None), default=None)

    async def _run(self, scope: Scope, one: GroupSchedule, now: float) -> None:
        try:
            facts = await self.scaling.facts(scope, one.group)
        except AwsError:
            return  # the group has gone; so will this
        if "ScheduledActions" in facts["suspended"]:
            return
        sizes = {"MinSize": facts["min"], "MaxSize": facts["max"], "DesiredCapacity": facts["desired"], **one.sizes}
        if "DesiredCapacity" not in one.sizes:
            sizes["DesiredCapacity"] = min(max(facts["desired"], sizes["MinSize"]), sizes["MaxSize"])
        told = ""
        if sizes["DesiredCapacity"] != facts["desired"]:
            told = rules.told_of_schedule(sizes, facts["desired"], now)
        try:
            await self.scaling.desire(scope, facts, sizes, told)
        except AwsError as error:
            self.note_failure(scope, facts, one, error, now)

    def note_failure(self, scope: Scope, facts: Params, one: GroupSchedule, error: AwsError, now: float) -> None:
        """An activity that tells why a scheduled action could not be carried out."""
        raise NotImplementedError


def _failure(name: str, error: AwsError) -> dict[str, str]:
    return {"ScheduledActionName": name, "ErrorCode": error.code, "ErrorMessage": error.message}
