"""The agent's dealings with ECS, against a fake of it: registers, connects, comes back, gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drydock.clock import Clocks
from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.ec2 import agent as agent_module
from drydock.services.ec2.agent import Agent, Ecs
from drydock.services.ec2.console import Console
from drydock.services.ec2.model import Machine
from drydock.store import Scope, Store

SCOPE = Scope("123456789012", "us-east-1")
ARN = "arn:aws:ecs:us-east-1:123456789012:container-instance/web/1"


class World:
    """ECS and the house of an agent. ``answers`` are what ECS says, one after the other, the last for ever."""

    def __init__(self, folder: Path, config: str, *answers: Any, registered: str = "") -> None:
        self.calls: list[tuple[str, dict[str, Any], str]] = []
        self.told: list[tuple[str, bool]] = []
        self.answers = list(answers) or [{"containerInstance": {"containerInstanceArn": ARN}}]
        self.clusters: list[dict[str, str]] = []
        self.config = config
        self.machine = Machine("i-1", instance_type="t3.micro", subnet_id="subnet-1", container_instance_arn=registered)
        self.changed = asyncio.Event()
        self.clock = Clocks(Store(None), 10000.0).of(SCOPE.account)
        (folder / "i-1" / "log").mkdir(parents=True)
        self.log = folder / "i-1" / "log" / "ecs-agent.log"
        role = Principal(SCOPE.account, "arn:role", "role", "AROA:i-1", "role")
        self.house = SimpleNamespace(
            home=lambda machine: folder / machine.id,
            instant=True,
            runtime=None,
            ecs=Ecs(connected=self.connected),
            network=SimpleNamespace(subnet=self.subnet),
            roles=SimpleNamespace(principal=lambda scope, machine: role),
            platform=SimpleNamespace(call=self.call),
            machines=SimpleNamespace(put=lambda *_: None),
            console=lambda _: Console(folder / "console"),
        )

    def connected(self, scope: Scope, arn: str, connected: bool) -> None:
        self.told.append((arn, connected))
        self.changed.set()

    async def subnet(self, scope: Scope, name: str) -> None:
        return None

    async def call(
        self, principal: Principal, region: str, service: str, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        self.calls.append((operation, params, principal.kind))
        self.changed.set()
        if operation == "DescribeClusters":
            return {"clusters": self.clusters}
        if operation == "CreateCluster":
            return {"cluster": {}}
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def operations(self) -> list[str]:
        return [operation for operation, _, _ in self.calls]


def run(monkeypatch: pytest.MonkeyPatch, world: Callable[[], World], until: Callable[[World], bool]) -> World:
    """Run an agent until something is so (or it ends), then cancel it as a machine that goes does."""

    async def story() -> World:
        here = world()

        async def config(*_: Any) -> str:
            return here.config

        monkeypatch.setattr(agent_module, "read_file", config)
        agent: Any = Agent(here.house, SCOPE, here.machine, here.clock)  # type: ignore[arg-type]
        running = asyncio.ensure_future(agent.run())
        async with asyncio.timeout(20):
            while not until(here) and not running.done():
                here.changed.clear()
                waiting: list[Awaitable[Any]] = [running, asyncio.ensure_future(here.changed.wait())]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return here

    return asyncio.run(story())


def is_connected(world: World) -> bool:
    return bool(world.told)


def test_it_registers_connects_and_disconnects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = run(monkeypatch, lambda: World(tmp_path, "ECS_CLUSTER=web"), is_connected)
    assert world.operations() == ["RegisterContainerInstance"]
    assert world.calls[0][1]["cluster"] == "web" and world.calls[0][2] == "role"
    assert world.machine.container_instance_arn == ARN
    assert world.told == [(ARN, True), (ARN, False)]
    said = world.log.read_text()
    assert f"Registration completed successfully. I am running as '{ARN}' in cluster 'web'" in said
    assert "Registered container instance with cluster!" in said


def test_it_makes_the_default_cluster_if_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = run(monkeypatch, lambda: World(tmp_path, ""), is_connected)
    assert world.operations() == ["DescribeClusters", "CreateCluster", "RegisterContainerInstance"]
    assert world.calls[-1][1]["cluster"] == "default"


def test_it_leaves_the_default_cluster_alone_if_it_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def with_default() -> World:
        world = World(tmp_path, "")
        world.clusters = [{"status": "ACTIVE"}]
        return world

    world = run(monkeypatch, with_default, is_connected)
    assert world.operations() == ["DescribeClusters", "RegisterContainerInstance"]


def test_it_comes_back_as_who_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = run(monkeypatch, lambda: World(tmp_path, "", registered=ARN), is_connected)
    assert world.operations() == ["RegisterContainerInstance"]
    assert world.calls[0][1]["containerInstanceArn"] == ARN
    assert "Restored from checkpoint file" in world.log.read_text()


def test_it_tries_until_it_may(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = AwsError("ClientException", "Cluster not found.")
    good = {"containerInstance": {"containerInstanceArn": ARN}}
    world = run(monkeypatch, lambda: World(tmp_path, "ECS_CLUSTER=web", missing, good), is_connected)
    assert world.operations() == ["RegisterContainerInstance"] * 2
    assert 'error="ClientException: Cluster not found."' in world.log.read_text()
    assert world.told == [(ARN, True), (ARN, False)]


def test_it_gives_up_when_ecs_does_not_know_it_any_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = AwsError("ClientException", "Referenced container instance 1 not registered.")
    world = run(monkeypatch, lambda: World(tmp_path, "", gone, registered=ARN), is_connected)
    assert world.told == []
    assert "level=critical" in world.log.read_text() and "terminally exit" in world.log.read_text()
