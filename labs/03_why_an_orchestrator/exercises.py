"""Chapter 03: checks, hints and questions. The checks ask AWS what happened."""

from __future__ import annotations

import json
import math
from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet

LICENCES, TILLS, NEW_PRICE = 5, 4, "4.00"


def _service(here: lab.Chapter, arn: Any, name: str) -> dict[str, Any]:
    """The service that the learner means, or what is wrong with it."""
    if not isinstance(arn, str) or ":service/" not in arn:
        not_yet(f"{arn!r} is not the ARN of a service", 'what update_service returns: ["service"]["serviceArn"]')
    if arn.rpartition("/")[2] != name:
        not_yet(f"this is the service {arn.rpartition('/')[2]}, not {name}", "the service that the exercise names")
    found = lab.client("ecs").describe_services(cluster=here.prefix, services=[arn])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        not_yet(f"cluster {here.prefix} has no active service {name}", "the cell above that makes it: run it again")
    return dict(found[0])


def _definition(arn: str) -> dict[str, Any]:
    return dict(lab.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"])


def _completed(service: dict[str, Any]) -> None:
    deployment = service["deployments"][0]
    if deployment["rolloutState"] != "COMPLETED" or len(service["deployments"]) > 1:
        state = deployment["rolloutState"]
        not_yet(
            f"its deployment is {state}: {deployment['rolloutStateReason']}", "steady(...), the events", "unfinished"
        )
    if service["runningCount"] != service["desiredCount"]:
        counts = f"{service['runningCount']} of {service['desiredCount']}"
        not_yet(f"{counts} of its tasks run", "steady(...), and the events of the service", "unfinished")


def check_orders(here: lab.Chapter, arn: Any) -> str:
    """The service runs one task of the repaired definition, and would take a broken one back."""
    service = _service(here, arn, "orders")
    before = json.loads(here.file("orders.json").read_text("utf-8"))["containerDefinitions"][0]
    now = _definition(service["taskDefinition"])
    container = now["containerDefinitions"][0]
    if service["desiredCount"] != 1:
        not_yet(f"its desired count is {service['desiredCount']}, not 1", "desiredCount", "count")
    if now["family"] != f"{here.prefix}-orders" or container["command"][1:] != before["command"][1:]:
        not_yet("it runs another program", "the command in orders.json: only one word of it is wrong", "program")
    if container["command"][0] == before["command"][0]:
        not_yet("it still wants to run what no task of it could start", "stoppedReason of a stopped task", "command")
    _completed(service)
    breaker = service["deploymentConfiguration"]["deploymentCircuitBreaker"]
    if not breaker["enable"]:
        not_yet("it runs, but nothing would stop its next broken version", "deploymentConfiguration", "breaker")
    if not breaker["rollback"]:
        not_yet("its next broken version would be stopped, but not rolled back", "deploymentCircuitBreaker", "breaker")
    return "The service runs its task, and takes a broken version back by itself."


def _last_deployment(here: lab.Chapter, service: dict[str, Any]) -> dict[str, Any]:
    ecs = lab.client("ecs")
    arns = [
        brief["serviceDeploymentArn"]
        for brief in ecs.list_service_deployments(cluster=here.prefix, service=service["serviceName"])[
            "serviceDeployments"
        ]
    ]
    found = ecs.describe_service_deployments(serviceDeploymentArns=arns[:20])["serviceDeployments"]
    return dict(max(found, key=lambda each: each["createdAt"]))


def check_till(here: lab.Chapter, arn: Any) -> str:
    """The new price was rolled out within the limits."""
    service = _service(here, arn, "till")
    if service["desiredCount"] != TILLS:
        not_yet(f"its desired count is {service['desiredCount']}, not {TILLS}", "desiredCount", "count")
    container = _definition(service["taskDefinition"])["containerDefinitions"][0]
    price = next((each["value"] for each in container.get("environment", []) if each["name"] == "PRICE"), "none")
    if price != NEW_PRICE:
        not_yet(f"the price in its task definition is {price}", "taskDefinition of update_service", "price")
    _completed(service)
    limits = _last_deployment(here, service)["deploymentConfiguration"]
    least = math.ceil(TILLS * limits["minimumHealthyPercent"] / 100)
    most = TILLS * limits["maximumPercent"] // 100
    if least < TILLS:
        not_yet(f"the roll-out was allowed to go down to {least} running tills", "minimumHealthyPercent", "fewer")
    if most > LICENCES:
        not_yet(f"the roll-out was allowed {most} tills at once", "maximumPercent", "more")
    return f"The price is {NEW_PRICE}: never fewer than {least} tills, never more than {most}."


EXERCISES = {
    "orders": Exercise(
        check_orders,
        hints=(
            "The events say that tasks fail. Why they fail is told by a task that failed: list the stopped tasks of the "
            "service and read the stoppedReason of one.",
            'ecs.list_tasks(cluster="lab03", serviceName="orders", desiredStatus="STOPPED"), then describe(...). Then mend '
            "orders_definition, register it, and give the new revision to update_service. The circuit breaker is a part of "
            "deploymentConfiguration.",
            'orders_definition["containerDefinitions"][0]["command"][0] = "python"; register_task_definition(**orders_'
            'definition); update_service(cluster="lab03", service="orders", taskDefinition=..., deploymentConfiguration='
            '{"deploymentCircuitBreaker": {"enable": True, "rollback": True}}); steady("orders").',
        ),
        hints_for={
            "command": (
                "Which revision does the service want? service('orders')['taskDefinition'] tells.",
                "Registering a definition changes no service: give its ARN to update_service.",
                'update_service(cluster="lab03", service="orders", taskDefinition=<the ARN of the new revision>, ...)',
            ),
            "program": (
                "The program is right. Compare the first word of the command with what you would type into a terminal.",
                "Take the definition from the file again (the cell above the exercise does), and change that word only.",
                'orders_definition["containerDefinitions"][0]["command"][0] = "python"',
            ),
            "unfinished": (
                "update_service has written down what you want. Whether it has come true, describe_services tells.",
                'steady("orders") waits until it is so. If that does not end, read lab.story(service("orders")["events"]).',
                'steady("orders"), then the check again.',
            ),
            "breaker": (
                "What brought back the last good revision of `production`, when its image was mistyped?",
                "deploymentCircuitBreaker in deploymentConfiguration has two switches. The dictionary `careful` above has "
                "both.",
                'deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}}',
            ),
            "count": (
                "The exercise asks for one task.",
                "desiredCount of update_service.",
                'update_service(cluster="lab03", service="orders", desiredCount=1)',
            ),
        },
    ),
    "till": Exercise(
        check_till,
        hints=(
            "Two percentages say how far a roll-out may go down and up. The cell above the exercise shows them: with 200 "
            "there may be eight tills at once.",
            "They are parts of deploymentConfiguration, and percentages of the desired count, 4. What percentage of 4 is 5?",
            'update_service(cluster="lab03", service="till", taskDefinition=price_4, deploymentConfiguration='
            '{"minimumHealthyPercent": 100, "maximumPercent": 125}); steady("till").',
        ),
        hints_for={
            "price": (
                "Which revision does it run? service('till')['taskDefinition'] tells.",
                "price_4 holds the ARN of the revision with the new price.",
                'update_service(cluster="lab03", service="till", taskDefinition=price_4, ...)',
            ),
            "unfinished": (
                "It is on its way. You asked for it; now let it come true.",
                'steady("till") waits until the roll-out has completed.',
                'steady("till"), then the check again.',
            ),
            "fewer": (
                "Below 100 the scheduler may stop old tasks before new ones run.",
                "Four of four is 100 percent. To try again, roll out once more: forceNewDeployment=True.",
                'update_service(cluster="lab03", service="till", forceNewDeployment=True, deploymentConfiguration='
                '{"minimumHealthyPercent": 100, "maximumPercent": 125}); steady("till").',
            ),
            "more": (
                "The licences would have run out: the maximum counts old and new tasks together.",
                "Five of four is 125 percent. To try again, roll out once more: forceNewDeployment=True.",
                'update_service(cluster="lab03", service="till", forceNewDeployment=True, deploymentConfiguration='
                '{"minimumHealthyPercent": 100, "maximumPercent": 125}); steady("till").',
            ),
            "count": (
                "The exercise asks for four tills.",
                "desiredCount of update_service.",
                'update_service(cluster="lab03", service="till", desiredCount=4)',
            ),
        },
    ),
}

QUESTIONS = {
    "who-noticed": Question(
        text="A stand-alone task (RunTask) dies at night. Who starts it again?",
        options={"a": "its cluster", "b": "Fargate", "c": "nobody"},
        right="c",
        why={
            "a": "A cluster holds tasks and counts them. It wants nothing of them.",
            "b": "Fargate is where tasks run, not who wants them to run.",
            "c": "RunTask asked for one task, once. Only a service has the order to keep it up.",
        },
    ),
    "update-succeeded": Question(
        text="update_service returned without an error. What do you know?",
        options={
            "a": "the new version runs",
            "b": "what you want is written down",
            "c": "the new version can be started",
        },
        right="b",
        why={
            "a": "It also returned for the mistyped image, and that never ran.",
            "b": "Whether it comes true, the deployment's rolloutState and the events tell.",
            "c": "Nobody has tried yet: images are pulled when tasks start.",
        },
    ),
    "ten-tasks": Question(
        text="desiredCount 10, minimumHealthyPercent 50, maximumPercent 100. How is a new version rolled out?",
        options={
            "a": "old tasks are stopped first, at most five of them at once",
            "b": "ten new tasks are started first",
            "c": "not at all: AWS refuses these percentages",
        },
        right="a",
        why={
            "a": "No more than ten at once leaves no room for new ones, so old ones have to go first; five must stay.",
            "b": "That would be twenty at once: maximumPercent 200, the default.",
            "c": "Refused is 100 with 100, since then nothing could ever move.",
        },
    ),
    "uploads": Question(
        text="Your service of six tasks keeps its customers' uploads in a volume of the task. What happens to them?",
        options={
            "a": "all six tasks see them, the volume is shared",
            "b": "they move to the replacement when a task is replaced",
            "c": "each task has its own, and they are gone with it",
        },
        right="c",
        why={
            "a": "Shared by the containers of one task, not by tasks. That would be EFS.",
            "b": "The second task of this chapter found 0 lines.",
            "c": "So they belong into S3 (or EFS), and what is known about them into a database.",
        },
    ),
}
