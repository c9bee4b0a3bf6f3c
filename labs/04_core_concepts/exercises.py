"""Chapter 04: checks, hints and questions. The checks ask AWS what happened."""

from __future__ import annotations

import json
from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet

NEEDS, TASK, OTHER = 160, 512, 128
"""MiB: what the report loads, what its task has, what another container must still find"""
SHOP, PRICES = "shop", "prices"


def _task(here: lab.Chapter, arn: Any, family: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The task that the learner means, STOPPED, and its definition; or what is wrong with it."""
    if not isinstance(arn, str) or ":task/" not in arn:
        not_yet(f"{arn!r} is not the ARN of a task", 'what run(...) returns: run("...")["taskArn"]')
    found = lab.client("ecs").describe_tasks(cluster=here.prefix, tasks=[arn])
    if not found["tasks"]:
        not_yet(f"cluster {here.prefix} has no such task", "the cluster that you gave to run_task, and the ARN")
    task: dict[str, Any] = found["tasks"][0]
    given = task["taskDefinitionArn"].rpartition("/")[2]
    if given.rpartition(":")[0] != family:
        not_yet(f"this task was made from {given}, not from {family}", "taskDefinition in your run_task")
    if task["lastStatus"] != "STOPPED":
        not_yet(f"the task is still {task['lastStatus']}", "lab.wait, which ends when the task has stopped")
    answer = lab.client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    return task, dict(answer["taskDefinition"])


def _container(document: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    for container in document[key]:
        if container["name"] == name:
            return dict(container)
    not_yet(f"there is no container {name!r} in it", "the containers' names: leave them as they were")


def _same_programs(here: lab.Chapter, task: dict[str, Any], definition: dict[str, Any], file: str) -> None:
    """Neither the definition nor an override has another command than the colleague's file."""
    before = json.loads(here.file(file).read_text("utf-8"))
    for container in before["containerDefinitions"]:
        now = _container(definition, "containerDefinitions", container["name"])
        overridden = [
            override
            for override in task["overrides"].get("containerOverrides", [])
            if override.get("name") == container["name"] and ("command" in override or "memory" in override)
        ]
        if now.get("command") != container["command"] or overridden:
            not_yet(
                f"the program of {container['name']!r} is another one, or an override changes it",
                f"'command' in {file}: the repair is in the rest of the definition",
                fault="program",
            )


def check_report(here: lab.Chapter, arn: Any) -> str:
    """A task of lab04-report that ended well, under limits that leave room and promise enough."""
    task, definition = _task(here, arn, f"{here.prefix}-report")
    _same_programs(here, task, definition, "report.json")
    ran = _container(task, "containers", "report")
    limits = _container(definition, "containerDefinitions", "report")
    hard, soft = limits.get("memory"), limits.get("memoryReservation")
    if ran.get("exitCode") == 137:
        at_most = f"its hard limit is {hard} MiB" if hard else "it has no limit of its own"
        not_yet(
            f"it was killed (exit code 137), and {at_most}, while it loads {NEEDS} MiB", "'reason' of the container",
            fault="killed",
        )  # fmt: skip
    if ran.get("exitCode") != 0:
        code = ran.get("exitCode", "none at all")
        not_yet(f"its exit code is {code}: {task.get('stoppedReason')}", "the reason, and the log")
    if definition.get("memory") != str(TASK):
        not_yet(f"the task's memory is {definition.get('memory')} MiB, not {TASK}", "'memory' of the definition itself")
    if not hard:
        not_yet(
            "the container has no hard limit: it may take all that the task has", "'memory' of the container", "no-hard"
        )
    if not soft:
        not_yet(
            "nothing is set aside for it: there is no soft limit", "'memoryReservation' of the container", "no-soft"
        )
    if soft < NEEDS:
        not_yet(f"only {soft} MiB are set aside, and it needs {NEEDS}", "'memoryReservation'", "soft-too-low")
    if hard > TASK - OTHER:
        not_yet(
            f"it may take {hard} of the task's {TASK} MiB, which does not leave {OTHER} for another container",
            "'memory' of the container",
            "hard-too-high",
        )
    if hard <= soft:
        not_yet("the hard limit leaves it nothing beyond the soft one for a bad month", "both limits", "no-room")
    return f"{soft} MiB are set aside, {hard} MiB at most, and it ended with exit code 0."


def _volume_at_data(definition: dict[str, Any], name: str) -> str:
    for point in _container(definition, "containerDefinitions", name).get("mountPoints", []):
        if str(point["containerPath"]).rstrip("/") == "/data":
            return str(point["sourceVolume"])
    not_yet(f"container {name!r} has no volume at /data, so its /data is its own", "'mountPoints'", fault="volume")


def check_shop(here: lab.Chapter, arn: Any) -> str:
    """A task of lab04-shop whose shop opened, after its prices were written to a volume that both have."""
    task, definition = _task(here, arn, f"{here.prefix}-shop")
    _same_programs(here, task, definition, "shop.json")
    volumes = {_volume_at_data(definition, name) for name in (PRICES, SHOP)}
    if len(volumes) > 1:
        not_yet(f"they have two volumes at /data: {' and '.join(sorted(volumes))}", "'sourceVolume' of each", "volume")
    waits = {
        each["containerName"]: each["condition"]
        for each in _container(definition, "containerDefinitions", SHOP).get("dependsOn", [])
    }
    if PRICES not in waits:
        not_yet("nothing makes the shop wait for the prices: which one is first is luck", "'dependsOn'", "order")
    if waits[PRICES] != "SUCCESS":
        not_yet(
            f"the shop waits for {waits[PRICES]} of the prices, which also holds when they are not (well) written",
            "the conditions of 'dependsOn'",
            "condition",
        )
    codes = {name: _container(task, "containers", name).get("exitCode") for name in (PRICES, SHOP)}
    if codes[PRICES] != 0:
        not_yet(f"prices ended with exit code {codes[PRICES]}", "the log of prices, and its mount point", "prices")
    if codes[SHOP] != 0:
        not_yet(f"the exit code of shop is {codes[SHOP]}: {task.get('stoppedReason')}", "the log of shop", "volume")
    return "prices ended with 0, then the shop opened and read what they had written."


EXERCISES = {
    "report": Exercise(
        check_report,
        hints=(
            "One look at the container that died tells what it had and how it ended: exitCode, reason, memory. Which of "
            "the two limits is missing?",
            "A container definition has 'memory' (hard) and 'memoryReservation' (soft), both in MiB. The report needs "
            "160 and some for Python itself; the task has 512, of which 128 must stay free.",
            "report_definition['containerDefinitions'][0] |= {'memoryReservation': ..., 'memory': ...}, register it, "
            'report = run("lab04-report")["taskArn"]. Soft from 160, hard above it, up to 384.',
        ),
        hints_for={
            "killed": (
                "137 is SIGKILL, and the reason says by whom: the container went over its hard limit.",
                "The hard limit is 'memory' in the container definition, not the 'memory' of the task. It must be more than "
                "the 160 MiB of orders, since Python itself needs some as well.",
                "Set 'memory' of the container to something between 200 and 384, register the definition again, and run "
                "the new revision.",
            ),
            "no-hard": (
                "It ran, but a leak in it would now take the memory of every other container of the task.",
                "'memory' in the container definition is the hard limit; without it only the task's own limit holds.",
                "'memory': 320 in the container definition leaves 192 for others.",
            ),
            "no-soft": (
                "It ran, but ECS does not know how much it needs. Where would it find a place for it on an instance?",
                "What is set aside is 'memoryReservation', in the container definition beside 'memory'.",
                "Add 'memoryReservation': 192, register the definition again, and run the new revision.",
            ),
            "soft-too-low": (
                "The soft limit is a promise: so much is there when it is needed. How much does the report load?",
                "It loads 160 MiB; 'memoryReservation' should be that or a little more.",
                "'memoryReservation': 192",
            ),
            "hard-too-high": (
                "If it takes all that it may, how much is left of the 512 MiB of the task?",
                "512 - 128 = 384: 'memory' of the container must not be above that.",
                "'memory': 320",
            ),
            "no-room": (
                "Between the two limits is what it may use beyond what is set aside. Here that is nothing.",
                "Keep 'memoryReservation' and raise 'memory', up to 384.",
                "'memoryReservation': 192, 'memory': 320",
            ),
            "program": (
                "A report that loads less is no repair: the orders are what they are.",
                "Take the definition from the file again: report_definition = from_file('report.json'); and leave 'command'. "
                "Run it without overrides.",
                "Only 'memory' and 'memoryReservation' of the container are to be changed.",
            ),
        },
    ),
    "shop": Exercise(
        check_shop,
        hints=(
            "They are in the same task, and still each has a file system of its own. What did the first task of this "
            "chapter have, so that web could serve what prepare had written?",
            "Three things: 'volumes' of the definition with 'mountPoints' of both containers; 'dependsOn' of the shop; and "
            "'essential' of the prices, because ECS ends a task with its first essential container.",
            "volumes=[{'name': 'data'}]; for both 'mountPoints': [{'sourceVolume': 'data', 'containerPath': '/data'}]; "
            "prices: 'essential': False; shop: 'dependsOn': [{'containerName': 'prices', 'condition': 'SUCCESS'}].",
        ),
        hints_for={
            "volume": (
                "FileNotFoundError: the shop looked into its own /data. A container sees only its own files, and what is "
                "mounted.",
                "Declare one volume in 'volumes' of the definition, and mount that same one at /data in both containers "
                "('mountPoints').",
                "shop_definition['volumes'] = [{'name': 'data'}], and for both containers 'mountPoints': [{'sourceVolume': "
                "'data', 'containerPath': '/data'}].",
            ),
            "order": (
                "ECS starts all containers at once unless you tell it who waits for whom. The prices take a second.",
                "'dependsOn' of the shop names the container that it waits for, and a condition.",
                "'dependsOn': [{'containerName': 'prices', 'condition': 'SUCCESS'}] in the shop's definition; 'essential': "
                "False in that of the prices.",
            ),
            "condition": (
                "The shop must not open if the list could not be written. Which condition looks at the exit code?",
                "START: it was started. COMPLETE: it has ended, however. SUCCESS: it has ended with 0. HEALTHY: its check "
                "passes.",
                "'condition': 'SUCCESS'",
            ),
            "prices": (
                "The shop is not to blame this time: the price list was not written.",
                "Read the log of 'prices'. May it write where it stands, or is its mount point readOnly?",
                "{'sourceVolume': 'data', 'containerPath': '/data'} without readOnly for 'prices'.",
            ),
            "program": (
                "The programs are right; the definition around them is not.",
                "Take it from the file again: shop_definition = from_file('shop.json'); leave 'command', and run it without "
                "overrides.",
                "Only 'volumes', 'mountPoints', 'dependsOn' and 'essential' are to be changed.",
            ),
        },
    ),
}

QUESTIONS = {
    "where-is-the-definition": Question(
        text="You delete a cluster. What becomes of the task definitions that ran in it?",
        options={"a": "they are deleted with it", "b": "they become INACTIVE", "c": "nothing"},
        right="c",
        why={
            "a": "A definition is in no cluster. You saw that none of its members names one.",
            "b": "Only deregister_task_definition does that.",
            "c": "They belong to the account and the region, and any other cluster may run them.",
        },
    ),
    "who-knows-the-size": Question(
        text="How big is the image that your task runs? Who can tell you?",
        options={"a": "describe_task_definition", "b": "the registry", "c": "describe_clusters"},
        right="b",
        why={
            "a": "It has the image's name, which stays the same when somebody pushes a bigger one.",
            "b": "For ECR describe_images, member imageSizeInBytes. The task's imageDigest says which image it is.",
            "c": "A cluster knows tasks and services, and nothing of images.",
        },
    ),
    "over-the-soft-limit": Question(
        text="A container with memoryReservation 64 and memory 128 uses 100 MiB. What happens?",
        options={"a": "nothing", "b": "it is killed: exit code 137", "c": "it is restarted with more memory"},
        right="a",
        why={
            "a": "The soft limit is what is set aside for it. It may use more, up to the hard one.",
            "b": "Only beyond 128, the hard limit.",
            "c": "Limits are in the definition, and nobody changes that but you.",
        },
    ),
    "same-port-twice": Question(
        text="On Fargate two tasks of one definition both listen on port 8080. What happens?",
        options={
            "a": "the second does not start: the port is taken",
            "b": "both run: each has an interface and an address of its own",
            "c": "ECS gives the second another port",
        },
        right="b",
        why={
            "a": "You ran two, and both answered. It would be so for two containers of one task.",
            "b": "One interface, one program per port; and in awsvpc every task has its own interface.",
            "c": "That is host port 0 on EC2 instances, in network mode bridge. In awsvpc ECS refuses a 0.",
        },
    ),
    "which-role": Question(
        text="Your program gets AccessDenied when it reads a file from S3. To which role do you add the permission?",
        options={"a": "the task role", "b": "the task execution role", "c": "your own user"},
        right="a",
        why={
            "a": "It is your program that asks, and its credentials are the task role's.",
            "b": "That one is for ECS itself: images, logs, and the secrets of the definition.",
            "c": "Your program runs without you.",
        },
    ),
}
