"""What the tests of services need again and again: a service, its tasks and events, and a service brought to a state."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import wait_until
from tests.services.ecs.story import Story, ends_when_asked, id_of, marked_sleep

INVALID = "InvalidParameterException"
NO_IMAGE = "public.ecr.aws/docker/library/there-is-none:1"
STEADY = "(service {}) has reached a steady state."


class Yard(Story):
    """A story with services; they are called ``web`` unless a test says otherwise."""

    def sleeper(self, family: str = "web", **given: Any) -> tuple[str, str]:
        """A definition whose container sleeps: its ARN, and the argument by which its processes are known."""
        _, marker = marked_sleep()
        return self.register({"command": ends_when_asked(marker)} | given, family=family), marker

    def create(self, definition: str, count: int | None = 1, name: str = "web", **given: Any) -> dict[str, Any]:
        """On Fargate; the answer's service."""
        base: dict[str, Any] = {"cluster": self.cluster, "serviceName": name, "networkConfiguration": self.network}
        if definition:
            base["taskDefinition"] = definition
        if count is not None:
            base["desiredCount"] = count
        if "capacityProviderStrategy" not in given:
            base["launchType"] = "FARGATE"
        return dict(self.ecs.create_service(**(base | given))["service"])

    def update(self, name: str = "web", **given: Any) -> dict[str, Any]:
        return dict(self.ecs.update_service(cluster=self.cluster, service=name, **given)["service"])

    def service(self, name: str = "web", **given: Any) -> dict[str, Any]:
        answer = self.ecs.describe_services(cluster=self.cluster, services=[name], **given)
        assert answer["failures"] == []
        return dict(answer["services"][0])

    def tasks(self, name: str = "web", **given: Any) -> list[dict[str, Any]]:
        """Those that are to run (or ``desiredStatus``), described; the oldest first."""
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=name, **given)["taskArns"]
        found: list[dict[str, Any]] = []
        for first in range(0, len(arns), 100):
            found += self.ecs.describe_tasks(cluster=self.cluster, tasks=arns[first : first + 100])["tasks"]
        return sorted(found, key=lambda task: task["createdAt"])

    def messages(self, name: str = "web") -> list[str]:
        """The service's events, the oldest first."""
        return [event["message"] for event in reversed(self.service(name)["events"])]

    def steady(self, name: str = "web", running: int | None = None) -> dict[str, Any]:
        """The service, when its only deployment has completed and its newest event says that it is steady."""
        last: dict[str, Any] = {}

        def there() -> bool:
            last.clear()
            last.update(self.service(name))
            first, *others = last["deployments"]
            counts = (last["runningCount"], last["pendingCount"]) == (last["desiredCount"], 0)
            told = bool(last["events"]) and last["events"][0]["message"] == STEADY.format(name)
            return counts and told and first["rolloutState"] == "COMPLETED" and not others

        wait_until(there, f"{name} is steady", lambda: last)
        assert running in (None, last["runningCount"])
        return last

    def until_service(self, condition: Callable[[dict[str, Any]], Any], what: str, name: str = "web") -> dict[str, Any]:
        """The service when the condition holds of it."""
        last: dict[str, Any] = {}

        def there() -> Any:
            last.clear()
            last.update(self.service(name))
            return condition(last)

        wait_until(there, what, lambda: last)
        return last

    def told(self, message: str, name: str = "web") -> None:
        """Returns when there is an event of these words, a regular expression for all of it."""
        wait_until(
            lambda: any(re.fullmatch(message, each) for each in self.messages(name)),
            message,
            lambda: self.messages(name),
        )

    def delete(self, name: str = "web") -> None:
        """By force, and INACTIVE."""
        self.ecs.delete_service(cluster=self.cluster, service=name, force=True)
        self.until_service(lambda service: service["status"] == "INACTIVE", "it is INACTIVE", name)

    def records(self, name: str = "web", **given: Any) -> list[dict[str, Any]]:
        """Its service deployments, the newest first."""
        found = self.ecs.list_service_deployments(cluster=self.cluster, service=name, **given)["serviceDeployments"]
        return [self.record(each["serviceDeploymentArn"]) for each in found]

    def record(self, arn: str) -> dict[str, Any]:
        answer = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        assert answer["failures"] == []
        return dict(answer["serviceDeployments"][0])


def started(*tasks: dict[str, Any], service: str = "web", task_set: str = "") -> str:
    """The event."""
    return f"(service {service}{task_set}) has started {len(tasks)} tasks: {_named(*tasks)}."


def stopped(*tasks: dict[str, Any], service: str = "web") -> str:
    return f"(service {service}) has stopped {len(tasks)} running tasks: {_named(*tasks)}."


def _named(*tasks: dict[str, Any]) -> str:
    return " ".join(f"(task {id_of(task['taskArn'])})" for task in tasks)


def normal(message: str) -> tuple[str, ...]:
    """An event whose tasks come in any order, so that it can be compared."""
    tasks = re.findall(r"\(task \w+\)", message)
    return (re.sub(r"( ?\(task \w+\))+\.", "", message), *sorted(tasks)) if len(tasks) > 1 else (message,)


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]
