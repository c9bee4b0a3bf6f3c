"""Chapter 14: checks, hints and questions. The checks ask AWS what there is and what it has done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet

TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/lab14/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}
MINUTES = 5
"""That it has to be quiet"""
BUSY = 80
"""Percent: above it a service that does not grow is too slow"""


def _policies() -> list[dict[str, Any]]:
    pages = lab.client("application-autoscaling").get_paginator("describe_scaling_policies").paginate(**TARGET)
    return [dict(policy) for page in pages for policy in page["ScalingPolicies"]]


def _alarms(policy: dict[str, Any]) -> list[dict[str, Any]]:
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    return list(lab.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]) if names else []


def _directions(policy: dict[str, Any]) -> set[str]:
    if policy["PolicyType"] == "TargetTrackingScaling":
        settled = policy["TargetTrackingScalingPolicyConfiguration"]
        return {"more"} if settled.get("DisableScaleIn") else {"more", "less"}
    steps = policy["StepScalingPolicyConfiguration"]["StepAdjustments"]
    return {"more" if step["ScalingAdjustment"] > 0 else "less" for step in steps if step["ScalingAdjustment"]}


def _grows_and_shrinks() -> None:
    policies = [policy for policy in _policies() if _alarms(policy)]
    directions = {direction for policy in policies for direction in _directions(policy)}
    if "more" not in directions:
        not_yet("nothing makes the service grow any more", "the alarm of the policy lab14-more", "grow")
    if "less" not in directions:
        not_yet("nothing makes the service shrink any more", "the alarm of the policy lab14-less", "shrink")
    for policy in policies:
        for alarm in _alarms(policy):
            if not alarm["ActionsEnabled"]:
                not_yet(f"the actions of {alarm['AlarmName']} are switched off", "enable_alarm_actions", "off")
            if "more" in _directions(policy) and "Greater" in alarm["ComparisonOperator"] and alarm["Threshold"] > BUSY:
                not_yet(
                    f"{alarm['AlarmName']} rings above {alarm['Threshold']:g} % only: too late for a busy service",
                    "the thresholds",
                    "late",
                )


def _busy_minutes(since: datetime) -> int:
    balancer = lab.client("elbv2").describe_load_balancers(Names=["lab14"])["LoadBalancers"][0]
    points = lab.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCount",
        Dimensions=[{"Name": "LoadBalancer", "Value": balancer["LoadBalancerArn"].partition("loadbalancer/")[2]}],
        StartTime=since,
        EndTime=lab.now() + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] > 0 for point in points)


def check_flap(here: lab.Chapter, calm: Any) -> str:
    """It grows and shrinks, and under the customers of the last minutes it did not shrink and grow again."""
    if not isinstance(calm, list):
        not_yet(f"{calm!r} is not what a_while() returns", "calm = a_while()")
    target = lab.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[TARGET["ResourceId"]]
    )["ScalableTargets"]
    if not target or (target[0]["MinCapacity"], target[0]["MaxCapacity"]) != (1, 4):
        not_yet("the service may not have 1 to 4 tasks any more", "register_scalable_target", "bounds")
    _grows_and_shrinks()
    changed = max(alarm["AlarmConfigurationUpdatedTimestamp"] for policy in _policies() for alarm in _alarms(policy))
    if _busy_minutes(changed) < MINUTES:
        not_yet(f"the customers have not come for {MINUTES} minutes since you changed the alarms", "a_while()", "unrun")
    pages = lab.client("application-autoscaling").get_paginator("describe_scaling_activities").paginate(**TARGET)
    since = [each for page in pages for each in page["ScalingActivities"] if each["StartTime"] > changed]
    counts = [int(each["Description"].rstrip(".").rpartition(" ")[2]) for each in reversed(since)]
    turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(counts, counts[1:], counts[2:], strict=False))
    shrunk = [each for each in since if "lab14-less" in each["Cause"] or "AlarmLow" in each["Cause"]]
    if turns or len(shrunk) > 1:
        not_yet(
            f"since you changed the alarms it was set to {', '.join(str(count) for count in counts)} tasks",
            "lab.show(activities()): which alarm did it, and at how much CPU is a task afterwards?",
            "flaps",
        )
    return "The same customers, the same number of tasks; and it can still grow and shrink."


def check_errors(here: lab.Chapter, rang: Any) -> str:
    """The share of errors, by an expression, after one minute, silent when nobody comes; and it has rung."""
    found = lab.client("cloudwatch").describe_alarms(AlarmNames=["lab14-errors"])["MetricAlarms"]
    if not found:
        not_yet("there is no alarm lab14-errors", "put_metric_alarm(AlarmName='lab14-errors', Metrics=[...])", "none")
    alarm = found[0]
    parts = alarm.get("Metrics", [])
    names = {part["MetricStat"]["Metric"]["MetricName"] for part in parts if "MetricStat" in part}
    if not any("Expression" in part for part in parts):
        not_yet("it looks at one metric, and not at a share of two", "Metrics, and an Expression in it", "count")
    if not {"RequestCount", "HTTPCode_Target_5XX_Count"} <= names:
        not_yet(f"it looks at {', '.join(sorted(names)) or 'no metric'}", "the names of the two metrics", "names")
    if alarm["EvaluationPeriods"] != 1:
        not_yet(f"it waits for {alarm['EvaluationPeriods']} minutes", "EvaluationPeriods", "periods")
    if alarm.get("TreatMissingData", "missing") != "notBreaching":
        not_yet("when nobody comes it says that it does not know", "TreatMissingData", "missing")
    share = [value for value in _values(parts) if value > 0]
    if not share:
        not_yet("its expression had no value above 0 in the last half hour", "trouble(), and the dimensions", "nothing")
    if not 10 <= max(share) <= 40:
        not_yet(f"at worst its expression was {max(share):.3g}, and a fifth failed", "is it a percentage?", "scale")
    if alarm["Threshold"] != 5:
        not_yet(f"it rings above {alarm['Threshold']:g} %", "Threshold", "threshold")
    pages = lab.client("cloudwatch").get_paginator("describe_alarm_history")
    items = [
        item["HistorySummary"]
        for page in pages.paginate(AlarmName="lab14-errors", HistoryItemType="StateUpdate")
        for item in page["AlarmHistoryItems"]
    ]
    if not any("to ALARM" in item for item in items):
        not_yet("it has not rung yet", "trouble()", "nothing")
    return "A fifth of the customers was in trouble, and you know it after a minute."


def _values(parts: list[dict[str, Any]]) -> list[float]:
    """Of the expression, in the last half hour."""
    answer = lab.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{key: part[key] for key in part if key != "AccountId"} for part in parts],
        StartTime=lab.now() - timedelta(minutes=30),
        EndTime=lab.now() + timedelta(minutes=1),
    )
    return [value for result in answer["MetricDataResults"] for value in result["Values"]]


EXERCISES = {
    "flap": Exercise(
        check_flap,
        hints=(
            "lab.show([{'what': each['Description'], 'why': each['Cause']} for each in activities()]) tells who called whom.",
            "One task at 50 % is two tasks at 25 %, and two at 25 % are one at 50 %. Neither of them may be beyond a threshold in "
            "the wrong direction.",
            'alarm("lab14-more", "GreaterThanThreshold", 60, 1, policy("lab14-more", up)), and the same for "lab14-less" with '
            '"LessThanThreshold", 15, 3, policy("lab14-less", down, cooldown=120); then calm = a_while()',
        ),
        hints_for={
            "flaps": (
                "What is the CPU of a task after one more has come? Is that below the other threshold?",
                "The lower threshold has to be less than half of the upper one: removing one of two tasks doubles the work of "
                "the other.",
                "60 and 15, for example; and let lab14-less wait for 3 minutes.",
            ),
            "late": (
                "Until a new task serves, minutes go by.",
                "A threshold between 50 and 70 leaves room for them.",
                'alarm("lab14-more", "GreaterThanThreshold", 60, 1, policy("lab14-more", up))',
            ),
            "unrun": (
                "The check looks at what happened since your last change of an alarm.",
                "a_while() lets the customers come for eight minutes of lab time.",
                "calm = a_while()",
            ),
            "grow": (
                "A service that never grows does not flap, but it does not help either.",
                "The alarm lab14-more must exist and call a policy that adds.",
                'alarm("lab14-more", "GreaterThanThreshold", 60, 1, policy("lab14-more", up))',
            ),
            "bounds": (
                "Whoever may have no other number of tasks cannot flap, nor help.",
                "register_scalable_target sets MinCapacity and MaxCapacity.",
                "scaling.register_scalable_target(**what, MinCapacity=1, MaxCapacity=4)",
            ),
            "off": (
                "An alarm whose actions are switched off changes its state, and calls nobody.",
                "disable_alarm_actions has a counterpart.",
                'cloudwatch.enable_alarm_actions(AlarmNames=["lab14-more", "lab14-less"])',
            ),
            "shrink": (
                "A service that never shrinks is paid for all night.",
                "The alarm lab14-less must exist and call a policy that removes.",
                'alarm("lab14-less", "LessThanThreshold", 15, 3, policy("lab14-less", down))',
            ),
        },
    ),
    "errors": Exercise(
        check_errors,
        hints=(
            "A share is a division of two metrics, and an alarm may look at an expression.",
            "put_metric_alarm takes either MetricName or Metrics. In Metrics there are two with MetricStat and ReturnData=False, and "
            "one with Expression and ReturnData=True. It needs no Period of its own.",
            '{"Id": "share", "Expression": "100 * FILL(errors, 0) / requests", "ReturnData": True}, where errors and requests are '
            'the Ids of {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": ..., "Dimensions": of_balancer}, "Period": 60, '
            '"Stat": "Sum"}',
        ),
        hints_for={
            "scale": (
                "A fifth is 0.2, or 20 %.",
                "The threshold is 5, for 5 %.",
                '"Expression": "100 * FILL(errors, 0) / requests"',
            ),
            "nothing": (
                "An alarm on a metric that does not exist is silent, as you know by now.",
                "The dimensions must be of_balancer, no more and no less. Then run trouble().",
                "rang = trouble()",
            ),
            "none": (
                "The check looks for an alarm of just this name.",
                "put_metric_alarm makes it, or changes the one that is there.",
                'cloudwatch.put_metric_alarm(AlarmName="lab14-errors", Metrics=[...], EvaluationPeriods=1, Threshold=5, ...)',
            ),
            "count": (
                "Five errors are many among ten requests, and few among ten thousand.",
                "Divide: give the alarm Metrics, two with MetricStat and one with Expression.",
                '{"Id": "share", "Expression": "100 * FILL(errors, 0) / requests", "ReturnData": True}',
            ),
            "names": (
                "Errors of what, divided by what?",
                "HTTPCode_Target_5XX_Count and RequestCount, both of AWS/ApplicationELB.",
                '"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count", "Dimensions": of_balancer}',
            ),
            "periods": (
                "It must ring after one bad minute.",
                "EvaluationPeriods is how many data points in a row are looked at.",
                "EvaluationPeriods=1",
            ),
            "threshold": (
                "Five of a hundred.",
                "The expression gives percent, so does the threshold.",
                "Threshold=5",
            ),
            "missing": (
                "When nobody comes there are no requests to divide by.",
                "TreatMissingData has four values; one says that no data is good.",
                'TreatMissingData="notBreaching"',
            ),
        },
    ),
}

QUESTIONS = {
    "late": Question(
        text="A crowd comes within ten seconds. When do the first additional tasks answer?",
        options={
            "a": "at once: that is what scaling is for",
            "b": "after some minutes: metric, alarm, start, health check",
            "c": "when the cooldown is over",
        },
        right="b",
        why={
            "a": "The metric alone is a minute old when it is seen.",
            "b": "For what comes faster you need room in the tasks you have, or a scheduled action if you know when.",
            "c": "There is no cooldown before the first change.",
        },
    ),
    "silent": Question(
        text="An alarm has been in INSUFFICIENT_DATA since it was made. What do you look at first?",
        options={
            "a": "the threshold",
            "b": "the alarm's actions",
            "c": "whether a metric with exactly these dimensions exists (list_metrics)",
        },
        right="c",
        why={
            "a": "With data, it would be OK or ALARM, whatever the threshold.",
            "b": "They are called when the state changes, and it has not.",
            "c": "Namespace, name and dimensions together are the metric.",
        },
    ),
    "busy-check": Question(
        text="Under load, tasks become unhealthy and are replaced; then the others break down, too. What helps?",
        options={
            "a": "a health check that a busy task can still answer, and room above the threshold",
            "b": "a shorter health check interval",
            "c": "a smaller MaxCapacity",
        },
        right="a",
        why={
            "a": "Busy is not dead. Killing busy tasks gives their work to the others.",
            "b": "Then they would be killed sooner.",
            "c": "Then there would be even fewer to share the work.",
        },
    ),
    "which-metric": Question(
        text="Your tasks wait for a database most of the time: the CPU is at 15 % and customers wait. Track what?",
        options={
            "a": "CPU, with a target of 15",
            "b": "the number of requests per task",
            "c": "memory",
        },
        right="b",
        why={
            "a": "The CPU does not say whether they are busy.",
            "b": "Take what grows with the work and shrinks with more tasks. (And ask whether the database bears more tasks.)",
            "c": "It hardly changes with the number of customers.",
        },
    ),
    "shell": Question(
        text="In a shell in a task you have repaired a file of the program. What is it worth?",
        options={
            "a": "it is in the image now",
            "b": "the other tasks of the service have it, too",
            "c": "it is gone with this task",
        },
        right="c",
        why={
            "a": "An image never changes.",
            "b": "Each task has its own copy of the image's files.",
            "c": "Repair the image, and deploy.",
        },
    ),
}
