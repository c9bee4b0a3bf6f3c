"""Chapter 00: checks, hints and questions. The checks ask AWS what happened."""

from __future__ import annotations

from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet

LOG_GROUP = "/lab00/tasks"


def _task(here: lab.Chapter, arn: Any, family: str) -> dict[str, Any]:
    """The task that the learner means, STOPPED, or what is wrong with it."""
    if not isinstance(arn, str) or ":task/" not in arn:
        not_yet(f"{arn!r} is not the ARN of a task", 'what run_task answers: answer["tasks"][0]["taskArn"]')
    found = lab.client("ecs").describe_tasks(cluster=here.prefix, tasks=[arn])
    if not found["tasks"]:
        not_yet(f"cluster {here.prefix} has no such task", "the cluster that you gave to run_task, and the ARN")
    task: dict[str, Any] = found["tasks"][0]
    given = task["taskDefinitionArn"].rpartition("/")[2]
    if given.rpartition(":")[0] != family:
        not_yet(f"this task was made from {given}, not from {family}", "taskDefinition in your run_task")
    if task["lastStatus"] != "STOPPED":
        not_yet(f"the task is still {task['lastStatus']}", "lab.wait, which ends when the task has stopped")
    return task


def _exit_code(task: dict[str, Any]) -> None:
    container = task["containers"][0]
    if "exitCode" not in container:
        not_yet(f"its container never ran: {task.get('stoppedReason')}", "that sentence: it names what was missing")
    if container["exitCode"] != 0:
        not_yet(f"its container ended with exit code {container['exitCode']}", "the command, and the task's log lines")


def _lines(task: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    """What the task's first container wrote, from the log group that its definition names."""
    container = definition["containerDefinitions"][0]
    options = container["logConfiguration"]["options"]
    stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{task['taskArn'].rpartition('/')[2]}"
    events = lab.client("logs").get_log_events(
        logGroupName=options["awslogs-group"], logStreamName=stream, startFromHead=True
    )["events"]
    return [event["message"].strip() for event in events]


def _definition(task: dict[str, Any]) -> dict[str, Any]:
    answer = lab.client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    return dict(answer["taskDefinition"])


def check_greeting(here: lab.Chapter, arn: Any) -> str:
    """A task of lab00-greeter with NAME overridden, which ended well and wrote the name."""
    task = _task(here, arn, f"{here.prefix}-greeter")
    overrides = task["overrides"].get("containerOverrides", [])
    given = {
        entry["name"]: entry.get("value", "") for override in overrides for entry in override.get("environment", [])
    }
    if "NAME" not in given:
        shown = f"only {', '.join(given)}" if given else "nothing"
        not_yet(
            f"the task ran, but its environment overrides {shown}, so NAME was never set",
            'overrides={"containerOverrides": [{"name": "greeter", "environment": [...]}]} of run_task',
        )
    if not given["NAME"].strip():
        not_yet("NAME is set, but empty", "the value in your override")
    _exit_code(task)
    lines = _lines(task, _definition(task))
    wanted = f"Hello, {given['NAME']}!"
    if wanted not in lines:
        not_yet(f"the log has {lines}, and not {wanted!r}", f"log group {LOG_GROUP}, stream greeter/greeter/<task id>")
    return f"The task wrote {wanted!r} into CloudWatch Logs."


def check_nightly(here: lab.Chapter, arn: Any) -> str:
    """A task of lab00-nightly that ended well and wrote its report."""
    task = _task(here, arn, f"{here.prefix}-nightly")
    _exit_code(task)
    lines = _lines(task, _definition(task))
    if not any(line.startswith("nightly report:") for line in lines):
        not_yet(f"the task ended well, but its log has {lines}", "the command: does it still make the report?")
    return f"The report is written: {lines[0]!r}."


EXERCISES = {
    "greeting": Exercise(
        check_greeting,
        hints=(
            "The image and the command stay as they are. What differs from one run to the next is given to run_task, "
            "not to register_task_definition: look for 'overrides' in the API reference of RunTask.",
            "overrides holds a list containerOverrides. Each entry names the container it is for ('greeter') and may "
            "have an environment: a list of {'name': ..., 'value': ...}.",
            'run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "environment": '
            '[{"name": "NAME", "value": "Ada"}]}]}) gives a task; its ARN is task["taskArn"].',
        ),
    ),
    "nightly": Exercise(
        check_nightly,
        hints=(
            "A container that never ran has no exit code and no log lines. ECS wrote down what it was trying to do when "
            "it gave up: print failed['stoppedReason'] and read it to its end.",
            "The log group that the definition names does not exist. List those that do with "
            "logs.describe_log_groups(), and compare the two names letter by letter.",
            "Either create the group that the definition names, or put the right name into "
            "definition['containerDefinitions'][0]['logConfiguration']['options']['awslogs-group'] and register it again. "
            "Then run it once more, and give the new task's ARN to the check.",
        ),
    ),
}

QUESTIONS = {
    "who-writes-the-log": Question(
        text="Your container prints a line. Under whose permissions does the line get into CloudWatch Logs?",
        options={
            "a": "yours, because you called RunTask",
            "b": "the task execution role's",
            "c": "the container's own: it has the AWS SDK inside",
        },
        right="b",
        why={
            "a": "You may pass the role to ECS; after that ECS works without you.",
            "b": "ECS's agent pulls the image and ships the log lines for the task, under the execution role.",
            "c": "Your program only printed. There is no SDK in it, and no credentials.",
        },
    ),
    "did-it-work": Question(
        text="A task's stoppedReason is 'Essential container in task exited'. Did it work?",
        options={"a": "yes", "b": "no", "c": "that sentence does not say"},
        right="c",
        why={
            "a": "Your task with exit code 3 had the same sentence.",
            "b": "Your very first task had the same sentence, and it printed its line.",
            "c": "It only says why the task is over. The container's exitCode says how it went: 0 is good.",
        },
    ),
    "whose-time": Question(
        text="labkit.wait makes a minute of lab time pass in a second. What does it do to your task on real AWS?",
        options={"a": "speeds it up as well", "b": "nothing: it waits as long as AWS takes", "c": "stops it"},
        right="b",
        why={
            "a": "Nobody can speed up AWS.",
            "b": "The lab clock belongs to the emulator. On AWS lab time is simply the time.",
            "c": "Waiting only looks.",
        },
    ),
}
