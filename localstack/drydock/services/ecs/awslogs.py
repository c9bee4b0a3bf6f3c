"""The ``awslogs`` log driver: a container's lines become events of a log stream, under the task's execution role.

Source: "Send Amazon ECS logs to CloudWatch".
"""

from __future__ import annotations

from drydock.errors import AwsError
from drydock.services.ecs.model import Task


def failure_reason(error: AwsError) -> str:
    """What ``stoppedReason`` says on Fargate when the stream cannot be made ("Viewing Amazon ECS stopped task errors")."""
    return (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        f"failed to create Cloudwatch log stream: {error.code}: {error.message} : exit status 1"
    )


def stream_name(prefix: str, container: str, task: Task) -> str:
    """``prefix/container/task id``"""
    return f"{prefix}/{container}/{task.id}"
