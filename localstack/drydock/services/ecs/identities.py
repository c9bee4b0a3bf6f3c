"""What a running container can find out and prove about itself: metadata, and the credentials of its task's role.

Containers ask at 169.254.170.2 of their own network (``ECS_CONTAINER_METADATA_URI_V4``,
``AWS_CONTAINER_CREDENTIALS_RELATIVE_URI``). In the plain tier, where there is no such address, the same pages are on a
loopback port, and nothing but the ids in their paths keeps others from reading them.

Sources: "Task metadata available for Amazon ECS tasks on Fargate", "Amazon ECS task IAM role".
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from drydock.runtime.interface import Runtime
from drydock.services.ecs.metadata import container_document, stats_document, task_document
from drydock.services.ecs.model import Container, Task, TaskDefinition
from drydock.services.iam.api import Iam
from drydock.services.iam.model import Credential
from drydock.services.service import Platform
from drydock.store import Collection, Scope

ADDRESS = "169.254.170.2"
SESSION_LASTS = 6 * 3600.0
"""Real seconds"""
REFRESHED_BEFORE = 3600.0
"""Real seconds before the end of a session from which a new one is given out"""


class Identities:
    """Answers the containers' questions, and knows who they are by the ids in the paths."""

    def __init__(
        self,
        platform: Platform,
        iam: Iam,
        tasks: Collection[Task],
        definitions: Collection[TaskDefinition],
    ) -> None:
        self._platform = platform
        self._iam = iam
        self._tasks = tasks
        self._definitions = definitions
        self._credentials: dict[str, tuple[Scope, Task, list[Credential]]] = {}
        """By id; the sessions given out, the latest last: an earlier one works until it expires or the task ends"""
        self._containers: dict[str, tuple[Scope, Task, Container]] = {}
        self.endpoint = ""
        """Of AWS's API, as containers reach it"""
        self.pages = ""
        """Of the pages here, as containers reach them"""
        self.runtime: Runtime | None = None
        self.inside: dict[str, tuple[str, tuple[str, ...]]] = {}
        """Network and addresses of tasks that have a sandbox, by id"""

    def environment(self, scope: Scope, task: Task, container: Container) -> dict[str, str]:
        """The variables that ECS sets in every container."""
        self._containers[container.runtime_id] = (scope, task, container)
        env = {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE" if task.on_fargate else "AWS_ECS_EC2",
            "AWS_REGION": scope.region,
            "AWS_DEFAULT_REGION": scope.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "ECS_CONTAINER_METADATA_URI": f"{self.pages}/v3/{container.runtime_id}",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.pages}/v4/{container.runtime_id}",
        }
        if task.task_role_arn:
            path = f"/v2/credentials/{self._credentials_id(scope, task)}"
            if self.pages == f"http://{ADDRESS}":
                env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = path
            else:
                env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self.pages + path
        return env

    def _credentials_id(self, scope: Scope, task: Task) -> str:
        for name, (_, other, _) in self._credentials.items():
            if other.arn == task.arn:
                return name
        name = self._platform.ids.uuid(scope, "task-credentials", task.arn)
        self._credentials[name] = (scope, task, [])
        return name

    def forget(self, task: Task) -> None:
        """The task ends: its keys do not work any more."""
        for container in task.containers:
            self._containers.pop(container.runtime_id, None)
        for name in [name for name, (_, other, _) in self._credentials.items() if other.arn == task.arn]:
            for credential in self._credentials.pop(name)[2]:
                self._iam.revoke_session(credential.access_key_id)

    async def answer(self, path: str, network: str, peer: str) -> tuple[int, Any]:
        """HTTP status and document. ``network`` and ``peer`` say who asks; empty where the tier cannot tell."""
        parts = path.strip("/").split("/")
        if len(parts) == 3 and parts[:2] == ["v2", "credentials"]:
            return self._answer_credentials(parts[2], network, peer)
        if len(parts) >= 2 and parts[0] in ("v3", "v4"):
            return await self._answer_metadata(parts[1], "/".join(parts[2:]), network, peer)
        return 404, {"error": "not found"}

    def _answer_credentials(self, name: str, network: str, peer: str) -> tuple[int, Any]:
        entry = self._credentials.get(name)
        if entry is None or not self._is_from(entry[1], network, peer):
            return 400, {
                "code": "InvalidIdInRequest",
                "message": "CredentialsV2Request: ID not found",
                "HTTPErrorCode": 400,
            }
        scope, task, given = entry
        if not given or (given[-1].expires or 0) < time.time() + REFRESHED_BEFORE:
            given.append(self._iam.issue_session(scope.account, task.task_role_arn, task.id, SESSION_LASTS))
        credential = given[-1]
        expires = datetime.fromtimestamp(credential.expires or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, {
            "RoleArn": task.task_role_arn,
            "AccessKeyId": credential.access_key_id,
            "SecretAccessKey": credential.secret,
            "Token": credential.session_token,
            "Expiration": expires,
        }

    async def _answer_metadata(self, name: str, page: str, network: str, peer: str) -> tuple[int, Any]:
        entry = self._containers.get(name)
        if entry is None or not self._is_from(entry[1], network, peer):
            return 404, "unable to get task arn from request: unable to map request to a task"
        scope, task, container = entry
        definition = self._definitions.get(scope, task.task_definition_arn.rpartition("/")[2])
        assert definition is not None
        addresses = self.inside.get(task.id, ("", ()))[1]
        if page == "":
            return 200, container_document(task, definition, container, addresses)
        if page in ("task", "taskWithTags"):
            return 200, task_document(task, definition, addresses, page == "taskWithTags")
        if page in ("stats", "task/stats") and self.runtime is not None:
            usage = await self.runtime.usage()
            now, limit = self._platform.clock(scope.account).now(), int(task.memory or 0) << 20
            chosen = task.containers if page == "task/stats" else [container]
            shown = {c.runtime_id: stats_document(c, usage.get(c.runtime_id), now, limit) for c in chosen}
            return 200, shown if page == "task/stats" else shown[container.runtime_id]
        return 404, {"error": "not found"}

    def _is_from(self, task: Task, network: str, peer: str) -> bool:
        """Nobody reads another task's pages, where the tier lets us see who asks."""
        own, addresses = self.inside.get(task.id, ("", ()))
        return not network or (network == own and peer in addresses)
