"""ExecuteCommand: a session with a program that is started in a running container, as root.

The agent that AWS puts into the container is played here. It needs the task role's permissions on ``ssmmessages``, which
are decided anew for every session. The session's program ends with its container, and with the emulator.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from drydock.request import Request
from drydock.runtime.interface import Exit, RuntimeFailure
from drydock.services.ecs import exec_rules, rules
from drydock.services.ecs.exec_audit import NotEncrypted, Recording
from drydock.services.ecs.model import Cluster, Container, Task
from drydock.services.ecs.tags import TagOperations
from drydock.services.ecs.terminal import Terminal
from drydock.services.ssm.channel import DataChannel
from drydock.services.ssm.sessions import Sessions
from drydock.store import Scope

log = logging.getLogger(__name__)
Params = dict[str, Any]
PACE = 0.001
"""Real seconds between two pieces of output, as the agent has them: a program that writes without end does not keep the
emulator from its other work"""


class ExecuteCommandOperations(TagOperations):
    """ExecuteCommand."""

    sessions: Sessions

    def execute_command(self, request: Request, params: Params) -> dict[str, Any]:
        """The program is started when the client has opened the session's channel. Raises AwsError."""
        scope = request.scope
        exec_rules.check_interactive(bool(params["interactive"]))
        cluster = self.active_cluster(scope, params.get("cluster"))
        task = self._find_task(scope, cluster, params["task"])
        if task is None:
            raise rules.invalid("The referenced task was not found.")
        container = exec_rules.chosen_container(task, params.get("container"))
        exec_rules.check_connected(task, container)
        if not all(self.roles.task_role_may(scope, task, "ssmmessages", one) for one in exec_rules.PERMISSIONS):
            raise exec_rules.not_connected()
        name = f"ecs-execute-command-{self.platform.ids.hexadecimal(scope, 'execute-command', task.arn, 17)}"

        async def run(channel: DataChannel) -> str:
            return await self._run(scope, cluster, task, container, params["command"], channel)

        token = self.sessions.begin(scope, name, run)
        return {
            "clusterArn": cluster.arn,
            "containerArn": container.arn,
            "containerName": container.name,
            "interactive": True,
            "session": {"sessionId": name, "streamUrl": self.sessions.url(request, name), "tokenValue": token},
            "taskArn": task.arn,
        }

    async def _run(
        self, scope: Scope, cluster: Cluster, task: Task, container: Container, command: str, channel: DataChannel
    ) -> str:
        """The program, from its start to its end; the answer is what the client is told last."""
        document = self.controller.definition(scope, task).container(container.name)

        async def call(region: str, service: str, operation: str, given: Params) -> Params:
            return await self.roles.call_as_task_role(scope, task, region, service, operation, given)

        recording = Recording(
            exec_rules.audit_of(cluster.configuration, document), channel.session_id, scope.region,
            self.platform.clock(scope.account), call, self.platform.state,
        )  # fmt: skip
        try:
            argv = exec_rules.words(command)
            await recording.open()
        except NotEncrypted as error:
            return str(error)
        except ValueError as error:
            return exec_rules.parse_failure(error)
        try:
            return await self._converse(container, argv, channel, recording)
        finally:
            await recording.close()

    async def _converse(
        self, container: Container, argv: tuple[str, ...], channel: DataChannel, recording: Recording
    ) -> str:
        runtime, name = self.controller.runtime, channel.session_id
        ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        terminal: Terminal | None = None

        def on_exit(exit: Exit) -> None:
            ended.set_result(exit)
            if terminal is not None:
                terminal.program_ended()

        try:
            master = await runtime.exec(name, container.runtime_id, argv, on_exit, user="", env=exec_rules.ENVIRONMENT)
        except RuntimeFailure as error:
            return exec_rules.start_failure(argv[0], str(error))
        assert master is not None
        terminal = Terminal(master)
        if ended.done():
            terminal.program_ended()
        channel.on_input, channel.on_size = terminal.write, terminal.resize
        channel.has_room, terminal.on_room = terminal.has_room, channel.take_input
        channel.take_input()
        try:
            while data := await terminal.read():
                await recording.write(data)
                await channel.write(data)
                await asyncio.sleep(PACE)
            exit = await asyncio.shield(
                ended
            )  # it may have closed the terminal and go on: then it is still to be killed
        finally:
            channel.has_room = lambda: False
            terminal.close()
            if not ended.done():
                await self._kill(name)
        log.info("session %s: %s ended with %d", name, argv[0], exit.code)
        return exec_rules.start_failure(argv[0], exit.error) if exit.error else ""

    async def _kill(self, name: str) -> None:
        try:
            await self.controller.runtime.kill_exec(name)
        except RuntimeFailure as error:
            log.info("session %s: %s", name, error)
