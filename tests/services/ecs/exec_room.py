"""What the tests of ECS Exec need again and again: a task into which commands can be sent, and a client's end of a session."""

from __future__ import annotations

from typing import Any

from tests.services.ecs.plugin import Plugin
from tests.services.ecs.story import Story, ends_when_asked
from tests.services.ecs.yard import refused

SSM = [f"ssmmessages:{each}" for each in (
    "CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"
)]  # fmt: skip
SLEEP: dict[str, Any] = {"command": ends_when_asked()}


class Room(Story):
    """A story whose tasks have ECS Exec on."""

    def task(self, *containers: dict[str, Any], actions: list[str] = SSM, **given: Any) -> str:
        """One that is RUNNING; its role may do ``actions``."""
        role = self.role("tasks", Action=actions, Resource="*")
        arn = self.run(self.register(*(containers or (SLEEP,)), taskRoleArn=role, **given), enableExecuteCommand=True)
        self.until(arn)
        return arn

    def ask(self, task: str, command: str = "ls", **given: Any) -> dict[str, Any]:
        """ExecuteCommand's answer."""
        return dict(
            self.ecs.execute_command(
                **{"cluster": self.cluster, "task": task, "command": command, "interactive": True} | given
            )
        )

    def plugin(self, task: str, command: str, **given: Any) -> Plugin:
        """A client after the handshake."""
        return Plugin(self.ask(task, command, **given)["session"]).shaken()

    def said(self, task: str, command: str, **given: Any) -> str:
        """All that a command shows."""
        return self.plugin(task, command, **given).to_end()

    def refusal(self, task: str, **given: Any) -> tuple[str, str]:
        base = {"cluster": self.cluster, "task": task, "command": "ls", "interactive": True}
        return refused(self.ecs.execute_command, **(base | given))
