"""Tasks of one account as a client knows them, and what must be true of them whatever happens to the emulator."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import LIFE, Story, processes, reason_of

SETTLED = ("RUNNING", "STOPPED")
REAPED = 2.0
"""Real seconds within which the end of a process must be known"""


@dataclass
class Known:
    """A task whose RunTask was answered."""

    marker: str
    status: str = "PROVISIONING"
    final: dict[str, Any] | None = None
    """How it was described when it was first seen STOPPED"""
    asked_to_stop: bool = False


class Fleet:
    """Runs, describes and compares. Every check raises AssertionError with the task's story."""

    def __init__(self, running: EmulatorProcess, account: str) -> None:
        self.running, self.account = running, account
        self.tasks: dict[str, Known] = {}
        self.story = self._story()
        self._definitions: dict[str, str] = {}
        self._numbers = 0
        self._series = secrets.randbelow(10**9)  # another worker may run the same test, and its processes are seen too

    def _story(self) -> Story:
        clients: dict[str, Any] = {}

        def client(service: str, **_: Any) -> Any:
            if service not in clients:
                clients[service] = self.running.client(service, self.account)
            return clients[service]

        return Story(client, self.account)

    def restarted(self) -> None:
        """The emulator has another address now."""
        self.story = self._story()

    def request(self, polite: bool, containers: int) -> tuple[str, dict[str, Any]]:
        """RunTask's parameters and the marker of its processes. A ``polite`` task ends on SIGTERM, another one only on
        SIGKILL two seconds later."""
        self._numbers += 1
        marker = f"300.{self._series:09}{self._numbers:05}"
        container = {"stopTimeout": 2, "linuxParameters": {"initProcessEnabled": polite}}
        kind = f"{'polite' if polite else 'deaf'}{containers}"
        if kind not in self._definitions:
            self._definitions[kind] = self.story.register(*[container] * containers, family=kind)
        changed = [{"name": f"c{number}", "command": ["sleep", marker]} for number in range(containers)]
        given = {"overrides": {"containerOverrides": changed}, "taskDefinition": self._definitions[kind]}
        base = {"cluster": self.story.cluster, "launchType": "FARGATE", "networkConfiguration": self.story.network}
        return marker, base | given

    def run(self, polite: bool, containers: int) -> None:
        marker, request = self.request(polite, containers)
        self.acknowledged(marker, self.story.ecs.run_task(**request))

    def acknowledged(self, marker: str, answer: dict[str, Any]) -> None:
        """From now on it must be known."""
        assert answer["failures"] == []
        self.tasks[answer["tasks"][0]["taskArn"]] = Known(marker)

    def described(self) -> dict[str, dict[str, Any]]:
        """Every known task, now."""
        if not self.tasks:
            return {}
        answer = self.story.ecs.describe_tasks(cluster=self.story.cluster, tasks=list(self.tasks))
        assert answer["failures"] == [], "a task that was acknowledged is lost"
        return {task["taskArn"]: task for task in answer["tasks"]}

    def look(self) -> None:
        """Everything that must hold at any moment."""
        for arn, task in self.described().items():
            known = self.tasks[arn]
            status = task["lastStatus"]
            went = f"{arn} was {known.status} and is {status}: {reason_of(task)}"
            assert LIFE.index(known.status) <= LIFE.index(status), went
            known.status = status
            if known.final is not None:
                assert task == known.final, f"{arn} was STOPPED, and changed"
            elif status == "STOPPED":
                known.final = task
                self._is_over(arn, task)
            elif status == "RUNNING":
                self._has_processes(arn, task)
        wait_until(lambda: self.running.faults() == [], "the invariants hold", self.running.faults, patience=REAPED)

    def _is_over(self, arn: str, task: dict[str, Any]) -> None:
        assert task["desiredStatus"] == "STOPPED"
        assert task["stopCode"] and task["stoppedReason"], f"{arn} ended without a reason"
        assert {container["lastStatus"] for container in task["containers"]} == {"STOPPED"}
        assert {attachment["status"] for attachment in task["attachments"]} == {"DELETED"}
        assert processes(self.tasks[arn].marker) == [], f"{arn} is STOPPED with a process"

    def _has_processes(self, arn: str, task: dict[str, Any]) -> None:
        """One for each container; or one has just been killed, and the task is about to say so."""
        marker = self.tasks[arn].marker
        wait_until(
            lambda: len(processes(marker)) >= len(task["containers"]) or self._status(arn) != "RUNNING",
            f"{arn} has its processes, or is not RUNNING", lambda: processes(marker), patience=REAPED,
        )  # fmt: skip

    def _status(self, arn: str) -> str:
        return str(self.described()[arn]["lastStatus"])

    def settle(self) -> None:
        """Until every task has come to where it stays: STOPPED if it was asked to stop or was ended, else RUNNING."""

        def settled() -> bool:
            return all(
                task["lastStatus"] == "STOPPED" or (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
                for task in self.described().values()
            )

        wait_until(settled, "every task is RUNNING or STOPPED", self.described)

    def end(self) -> None:
        """All tasks stopped, and nothing of them left: no process, no interface."""
        for arn, known in self.tasks.items():
            if known.final is None:
                self.story.ecs.stop_task(cluster=self.story.cluster, task=arn)
        cluster = {"cluster": self.story.cluster}
        for arn in self.story.ecs.list_tasks(**cluster)["taskArns"]:  # whose RunTask was not answered
            self.story.ecs.stop_task(task=arn, **cluster)

        def over() -> bool:
            listed = self.story.ecs.list_tasks(desiredStatus="STOPPED", **cluster)["taskArns"]
            tasks = self.story.ecs.describe_tasks(tasks=listed, **cluster)["tasks"] if listed else []
            return all(task["lastStatus"] == "STOPPED" for task in tasks)

        wait_until(over, "every task is STOPPED", self.described)
        self.look()
        assert {known.status for known in self.tasks.values()} <= {"STOPPED"}
        left = self.story.aws("ec2").describe_network_interfaces()["NetworkInterfaces"]
        assert left == [], "network interfaces of tasks stay behind"
