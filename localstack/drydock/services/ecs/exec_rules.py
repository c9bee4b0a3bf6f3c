"""ECS Exec: who may be asked, what is run, where it is logged. Pure.

Sources: "Monitor Amazon ECS containers with ECS Exec", API reference of ExecuteCommand and ExecuteCommandConfiguration; what
becomes of a command is amazon-ssm-agent's (``agent/session/shell``). The messages marked with (?) say the same in our
words and are to be compared with AWS.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from drydock.errors import AwsError
from drydock.services.ecs.model import Container, Task
from drydock.services.ecs.rules import invalid

PERMISSIONS = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
"""Of ``ssmmessages``, which the task role must have: the agent in the container asks for them"""
ENVIRONMENT = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
"""That the agent adds"""
NOT_ENCRYPTED = (
    "We couldn't start the session because encryption is not set up on the selected {}. Either encrypt the {} or choose an "
    "option to enable logging without encryption."
)


@dataclass(frozen=True)
class Audit:
    """Where a session's output goes to; empty: nowhere."""

    group: str = ""
    region: str = ""
    """Of the log group, where it is not the task's own"""
    bucket: str = ""
    prefix: str = ""
    group_encrypted: bool = False
    """The session does not begin unless the log group is encrypted"""
    bucket_encrypted: bool = False

    def key(self, session: str) -> str:
        """The object's, in the bucket."""
        return "/".join(part for part in (self.prefix.strip("/"), f"{session}.log") if part)


def check_interactive(interactive: bool) -> None:
    """Raises InvalidParameterException."""
    if not interactive:
        raise invalid("Interactive is the only mode supported currently.")


def chosen_container(task: Task, name: str | None) -> Container:
    """That which is named, or the only one. Raises InvalidParameterException."""
    if not name:
        if len(task.containers) > 1:
            raise invalid("Container name is required when the task has more than one container.")  # (?)
        return task.containers[0]
    found = next((container for container in task.containers if container.name == name), None)
    if found is None:
        raise invalid("The container was not found in the task.")  # (?)
    return found


def check_connected(task: Task, container: Container) -> None:
    """Whether the agent in the container is there to be asked. Raises InvalidParameterException."""
    if not task.execute_command or container.agent_status != "RUNNING" or task.desired_status == "STOPPED":
        raise invalid(
            "The execute command failed because execute command was not enabled when the task was run or the execute command "
            "agent isn't running. Wait and try again or run a new task with execute command enabled and try again."
        )


def check_role(role: str, what: str) -> None:
    """A task with ECS Exec has a task role. ``what`` is as AWS says it: "service couldn't be created"."""
    if not role:
        raise invalid(
            f"The {what} because a valid taskRoleArn is not being used. Specify a valid task role in your task definition and "
            "try again."
        )


def not_connected() -> AwsError:
    """What ExecuteCommand says when the agent could not connect to Session Manager: the task role does not let it."""
    return AwsError(
        "TargetNotConnectedException", "The execute command failed due to an internal error. Try again later."
    )


def words(command: str) -> tuple[str, ...]:
    """The program and its arguments: split as a shell splits, run without one; nothing means ``sh``. Raises ValueError."""
    return tuple(shlex.split(command, comments=True)) or ("sh",)


def start_failure(program: str, error: str) -> str:
    """What the client is told when the command cannot be run; ``error`` is the runtime's ('exec: "x": reason')."""
    if "/" in program:
        reason = error.rpartition(": ")[2]
        error = f"fork/exec {program}: {reason}"
    return _failure(f"Failed to start pty: {error}")


def parse_failure(error: ValueError) -> str:
    """The same for a command whose quotes do not close."""
    return _failure(f"Failed to parse commands input: {error}")


def _failure(reason: str) -> str:
    return f"----------ERROR-------\nUnable to start command: {reason}\n"


def audit_of(configuration: dict[str, Any] | None, document: dict[str, Any]) -> Audit:
    """From the cluster's ``executeCommandConfiguration`` and the container's definition: by default its awslogs group."""
    given = (configuration or {}).get("executeCommandConfiguration") or {}
    logging = given.get("logging", "DEFAULT")
    if logging == "OVERRIDE":
        wanted = given.get("logConfiguration", {})
        return Audit(
            group=wanted.get("cloudWatchLogGroupName", ""),
            bucket=wanted.get("s3BucketName", ""),
            prefix=wanted.get("s3KeyPrefix", ""),
            group_encrypted=bool(wanted.get("cloudWatchEncryptionEnabled")),
            bucket_encrypted=bool(wanted.get("s3EncryptionEnabled")),
        )
    driver = document.get("logConfiguration") or {}
    if logging == "NONE" or driver.get("logDriver") != "awslogs":
        return Audit()
    options = driver.get("options", {})
    return Audit(group=options.get("awslogs-group", ""), region=options.get("awslogs-region", ""))
