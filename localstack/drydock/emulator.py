"""The emulator: the one place where everything is put together, started and ended."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drydock import __version__
from drydock.clock import Clocks
from drydock.dataplane.plane import DataPlane
from drydock.dataplane.refusals import NotAdmitted
from drydock.errors import NotImplementedByDrydock, UserError
from drydock.gateway.app import Gateway
from drydock.gateway.authorize import Authorizer
from drydock.gateway.detect import exists
from drydock.gateway.handover import HandOver
from drydock.gateway.hosts import AllowedHosts
from drydock.gateway.identity import Identity
from drydock.gateway.models import FROM_MOTO, LACKING
from drydock.gateway.protocol.validation import validate
from drydock.gateway.server import Server, bind
from drydock.gateway.wire import WireRequest, WireResponse
from drydock.ids import Ids
from drydock.images.content import ContentStore
from drydock.images.layers import LayerStore
from drydock.images.standins import StandIns
from drydock.inside import Inside
from drydock.moto_backend.backend import MotoBackend
from drydock.moto_backend.rules import is_mutating
from drydock.moto_backend.wire import MotoRequest
from drydock.network.default_vpc import DefaultVpcs
from drydock.network.facts import Facts
from drydock.network.rules import End, Verdict, may_connect, way_out
from drydock.request import Principal, Request
from drydock.runtime.interface import Runtime, RuntimeInfo, Usage
from drydock.services.application_autoscaling.api import ApplicationAutoScaling
from drydock.services.autoscaling.api import AutoScaling
from drydock.services.cloudwatch.api import CloudWatch
from drydock.services.cloudwatch.sources import connect
from drydock.services.deferred import Deferred
from drydock.services.ec2.api import Ec2
from drydock.services.ec2.rules import touches_machines
from drydock.services.ecs.api import Ecs
from drydock.services.ecs.managed_draining import holds
from drydock.services.ecs.task_network import Reach
from drydock.services.elbv2.api import Elbv2
from drydock.services.functions.api import Lambda
from drydock.services.functions.running import Runner
from drydock.services.iam.api import Iam
from drydock.services.logs.api import Logs
from drydock.services.scaling_actions import ScalingActions
from drydock.services.service import Platform, Service
from drydock.services.sns import Sns
from drydock.services.ssm.api import Ssm
from drydock.services.ssm.sessions import Sessions
from drydock.services.sts.api import Sts
from drydock.services.whereabouts import ServerCertificates, Whereabouts
from drydock.state_folder import take_folder
from drydock.store import Scope, Store

if TYPE_CHECKING:
    from drydock.services.cloudformation.api import CloudFormation

log = logging.getLogger(__name__)
DEFAULT_ACCOUNT = "000000000000"
USERS_OF_NETWORKS = ("ec2", "autoscaling", "lambda", "redshift")
"""Supporting services whose requests may find or change a VPC"""
INTERNET = "198.51.100.1"
"""The address under which this machine's programs come to a VPC (of a range set aside for documentation)"""
_NOBODY = Scope("", "")


@dataclass(frozen=True)
class Config:
    """What ``serve`` was told."""

    host: str = "127.0.0.1"
    port: int = 4566
    state: Path = Path(".drydock")
    speed: float = 1.0
    seed: str | None = None
    epoch: float | None = None
    account: str = DEFAULT_ACCOUNT
    runtime: str = "process"
    runtime_tier: str = "auto"
    test_endpoints: bool = False
    instant: bool = False
    allow_hosts: Sequence[str] = ()


@dataclass
class Seed:
    """Of the ids in a state folder: given with --seed, or drawn when the folder was made."""

    value: str


class Emulator:
    """Everything that ``drydock serve`` runs. ``start`` and ``close`` it within one event loop."""

    def __init__(self, config: Config) -> None:
        """Takes the state folder. Raises UserError (folder not writable, in use, of another version; port taken)."""
        self.config = config
        self.ready = False
        self._lock = take_folder(config.state)
        self.socket = bind(config.host, config.port)
        self.port: int = self.socket.getsockname()[1]
        self.store = Store(config.state / "state.db")
        self.clocks = Clocks(self.store, config.speed, config.epoch)
        self.seed = self._seed()
        self.platform = Platform(self.store, self.clocks, Ids(self.store, self.seed), config.state, self.call)
        self.default_vpcs = DefaultVpcs(self.store, self._ec2)
        self.network = Facts(self._ec2)
        self.moto = MotoBackend(config.state / "moto", self.seed, sleep=self._sleep_of)
        self.runtime = self._make_runtime()
        content = ContentStore(config.state / "images")
        self.images = StandIns(content, LayerStore(config.state / "images", content))
        self.iam = Iam(self.platform)
        self.dataplane = DataPlane(self._connect_inside)
        self.authorizer = Authorizer(self.iam)
        self.ec2 = Ec2(
            self.platform, self.runtime, self.images, self.iam, self.network, self.dataplane, self._pass_on,
            self._ask_moto, self.authorizer.check, instant=config.instant,
        )  # fmt: skip
        self.sessions = Sessions(self.platform, f"127.0.0.1:{self.port}")
        self.ecs = Ecs(
            self.platform, self.runtime, self.images, self.iam, self.dataplane, self.network, self.ec2.machines,
            self.sessions, instant=config.instant,
        )  # fmt: skip
        self.ec2.machines.ecs.connected = self.ecs.agent_connected
        self.ec2.machines.ecs.gone = self.ecs.machine_gone
        self.autoscaling = AutoScaling(
            self.platform, self.ec2.machines.tagged, lambda: self.ec2.why_none, self._pass_on, self._ask_moto,
            instant=config.instant,
        )  # fmt: skip
        self.ec2.machines.on_state = self.autoscaling.controller.changed
        self.autoscaling.controller.holds = partial(holds, self.ecs)
        self.elbv2 = Elbv2(
            self.platform, self.dataplane.balancers, self.network, Whereabouts(self.ecs, self.ec2.machines),
            lambda: self.runtime, ServerCertificates(self.iam), instant=config.instant,
        )  # fmt: skip
        self.iam.certificate_user = lambda certificate: self.elbv2.user_of_certificate(certificate.arn)
        self.cloudformation = Deferred(self.platform, "cloudformation", self._make_cloudformation)
        self.cloudwatch = CloudWatch(self.platform)
        self.logs = Logs(self.platform)
        connect(
            self.cloudwatch.heart, self.cloudwatch.metrics.record, self._usage, self.ecs, self.elbv2, self.ec2.machines,
            self.logs,
        )  # fmt: skip
        self.application_autoscaling = ApplicationAutoScaling(self.platform, self.iam)
        self.cloudwatch.actions.handlers["autoscaling"] = ScalingActions(
            self.application_autoscaling.act, self.autoscaling.act
        )
        runner = Runner(
            self.platform, self.iam, self.images, lambda: self.runtime, lambda: self.ecs.identities.endpoint
        )
        self.functions = Lambda(self.platform, runner, self._pass_on, self._ask_moto, self.cloudwatch.metrics.record)
        self.cloudwatch.actions.handlers["lambda"] = self.functions.act
        services: list[Service] = [
            self.iam, Sts(self.platform, self.iam), self.logs, self.ecs, self.elbv2, self.autoscaling, self.ec2,
            self.cloudwatch, self.application_autoscaling, Ssm(self.platform, self.sessions), self.functions,
            Sns(self.platform, self._pass_on),
        ]  # fmt: skip
        self.services: dict[str, Service] = {service.name: service for service in services}
        self.services["cloudformation"] = self.cloudformation
        self.identity = Identity(config.account, self.iam.find_credential)
        self.gateway = Gateway(self, AllowedHosts([config.host, *config.allow_hosts]))
        self._server = Server(self.gateway, HandOver(self.elbv2, self.port), upgrades=True)
        self._inside = Inside(self.ecs, self.ec2, self.elbv2, self._server, self.port)

    async def start(self) -> None:
        """Serve, then begin the controllers. Raises UserError."""
        self._closing = asyncio.Event()
        await asyncio.to_thread(self.functions.clean)
        await self._server.listen(self.socket)
        await self.runtime.start(self._runtime_lost)
        await self._inside.listen(self.runtime)
        for service in self.services.values():
            await service.start()
        self.ready = True
        log.info(
            "drydock %s serves on http://%s:%d (%s)", __version__, self.config.host, self.port, self.runtime_info.tier
        )

    async def close(self) -> None:
        """End every container and child process, write everything down."""
        self.ready = False
        await self.sessions.close()
        await self._server.close()
        await self._inside.close()
        for service in self.services.values():
            await service.stop()
        await self.dataplane.close()
        await self.runtime.close()
        await self.moto.close()
        for task in list(self.platform.background):
            task.cancel()
        await asyncio.gather(*self.platform.background, return_exceptions=True)
        self.store.close()
        os.close(self._lock)

    @property
    def runtime_info(self) -> RuntimeInfo:
        """Which tier runs containers, and why."""
        return self.runtime.info

    async def call(
        self, principal: Principal, region: str, service: str, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        """One service (or the emulator itself) using another's API, authorised like a client. Raises AwsError."""
        request = Request(service, operation, region, principal)
        self.authorizer.check(request, params)
        if service in FROM_MOTO and not self.has_own(service, operation):
            return await self._pass_on(request, operation, params)
        if service not in self.services or not exists(service, operation):
            raise NotImplementedByDrydock(service, operation)
        validate(service, operation, params)
        result = self.services[service].operation(operation)(request, params)
        if inspect.isawaitable(result):
            result = await result
        self.store.commit()
        return result or {}

    def has_own(self, service: str, operation: str) -> bool:
        """Whether an operation of a supporting service is ours, and not moto's."""
        found = self.services.get(service)
        return found is not None and found.has(operation)

    async def _pass_on(self, request: Request, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """An operation of moto's in the service of a request and for whom it is from. Raises AwsError."""
        passed = replace(request, operation=operation)
        await self._before_moto(passed)
        now = self.clocks.of(request.account).now()
        try:
            return await self.moto.call(passed.service, operation, params, request.account, request.region, now)
        finally:
            self._after_moto(passed)

    async def _ask_moto(self, scope: Scope, service: str, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """One of moto's operations that no client can send. Raises AwsError."""
        now = self.clocks.of(scope.account).now()
        return await self.moto.ask(service, operation, asked, scope.account, scope.region, now)

    async def _connect_inside(self, sandbox: str, port: int, inside: bool) -> socket.socket:
        """For the data plane: the one place where a connection into a task or an instance is let in or not. What comes
        from ``inside`` of a VPC is not filtered."""
        reach = self.reach(sandbox, port)
        if reach is None:
            raise NotAdmitted("There is no such task or instance.")
        verdict = Verdict(True) if inside else await self._admits(reach)
        if not verdict.allowed:
            log.info("no connection to port %d of task %s: %s", port, sandbox, verdict.reason)
            raise NotAdmitted(verdict.reason)
        return await self.runtime.connect(reach.sandbox, reach.port_inside)

    async def admission(self, sandbox: str, port: int) -> Verdict:
        """May somebody on the internet (which is what this machine is to a VPC) connect to a task or an instance?"""
        reach = self.reach(sandbox, port)
        return Verdict(False, "There is no such task or instance.") if reach is None else await self._admits(reach)

    def reach(self, sandbox: str, port: int) -> Reach | None:
        """How a port of a task or an instance is reached."""
        found = self.ec2.machines.end_of(sandbox)
        if found is None:
            return self.ecs.reach(sandbox, port)
        scope, subnet_id, target, address = found
        return Reach(scope, sandbox, port, target, port, subnet_id, bool(address), address)

    async def _admits(self, reach: Reach) -> Verdict:
        subnet = await self.network.subnet(reach.scope, reach.subnet_id)
        if subnet is None or way_out(subnet, reach.public) != "internet gateway":
            return Verdict(False, "It has no public address, or its subnet no route to an internet gateway.")
        groups = await self.network.groups(reach.scope)
        return may_connect(End(INTERNET), reach.target, reach.port, groups)

    async def _before_moto(self, request: Request) -> None:
        if request.service in USERS_OF_NETWORKS:
            await self.default_vpcs.ensure(request.scope)
        if request.service in ("ec2", "autoscaling"):
            await self.ec2.machines.ready()

    def _after_moto(self, request: Request) -> None:
        if request.service in USERS_OF_NETWORKS and is_mutating(request.service, request.operation):
            self.network.changed(request.account)
        if touches_machines(request.service, request.operation):
            self.ec2.machines.changed(request.scope)
            if request.service == "autoscaling":
                self.autoscaling.controller.changed(request.scope, request.operation)

    async def _ec2(self, scope: Scope, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """EC2's API for what decides about the network."""
        now = self.clocks.of(scope.account).now()
        return await self.moto.call("ec2", operation, params, scope.account, scope.region, now)

    async def _usage(self) -> dict[str, Usage]:
        return await self.runtime.usage()

    async def _sleep_of(self, account: str, seconds: float) -> None:
        await self.clocks.of(account).sleep(seconds)

    async def moto_answer(self, request: Request, wire: WireRequest) -> WireResponse:
        """A client's request for a supporting service, passed on as it came."""
        await self._before_moto(request)
        query = f"?{wire.query}" if wire.query else ""
        response = await self.moto.send(
            MotoRequest(
                method=wire.method,
                url=f"http://{wire.headers.get('host', 'localhost')}{wire.path}{query}",
                headers=list(wire.header_list),
                body=wire.body,
                account=request.account,
                region=request.region,
                service=request.service,
                operation=request.operation,
                now=self.clocks.of(request.account).now(),
            )
        )
        self._after_moto(request)
        skipped = ("content-length", "connection", "date", "server", "transfer-encoding")
        headers = {name: value for name, value in response.headers if name.lower() not in skipped}
        return WireResponse(response.status, response.body, headers)

    async def reset(self, account: str | None) -> None:
        """Forget everything of one account, or of all: processes, resources, clocks."""
        for service in self.services.values():
            await service.reset(account)
        await self.moto.reset(account)
        self.store.clear(account)
        self.store.collection(Seed, "drydock", "seed").put(_NOBODY, "seed", Seed(self.seed))
        self.clocks.reset(account)
        self.store.commit()

    def validate(self) -> list[str]:
        """Invariants that do not hold just now, a sentence each."""
        return [fault for service in self.services.values() for fault in service.validate()]

    def _seed(self) -> str:
        seeds = self.store.collection(Seed, "drydock", "seed")
        kept = seeds.get(_NOBODY, "seed")
        if kept is None:
            kept = Seed(self.config.seed or secrets.token_hex(8))
            seeds.put(_NOBODY, "seed", kept)
            self.store.commit()
        elif self.config.seed not in (None, kept.value):
            raise UserError(
                f"The state folder {self.config.state} was made with another seed.",
                "Leave out --seed, or start afresh with './lab reset'.",
            )
        return kept.value

    def _make_cloudformation(self) -> CloudFormation:
        from drydock.services.cloudformation.api import CloudFormation

        made = CloudFormation(self.platform, self.iam, self.config.instant)
        made.lacking = frozenset(LACKING)
        made.endpoint = f"http://127.0.0.1:{self.port}"
        made.endpoint_inside = self.ec2.machines.endpoint
        return made

    def _make_runtime(self) -> Runtime:
        if self.config.runtime == "docker":
            raise UserError(
                "The docker runtime is not part of Drydock yet.", "Leave out --runtime; containers run without Docker."
            )
        from drydock.runtime.process.driver import ProcessRuntime

        return ProcessRuntime(self.config.state / "runtime", self.config.runtime_tier)

    def _runtime_lost(self, reason: str) -> None:
        log.error("the runtime is gone: %s", reason)
        self.ecs.controller.runtime_lost()
        self.ec2.machines.runtime_lost()
        self.functions.runtime_lost()
        self.platform.spawn(self._restart_runtime(), "restart of the runtime")

    async def _restart_runtime(self) -> None:
        with contextlib.suppress(Exception):
            await self.runtime.close()
        self.runtime = self._make_runtime()
        await self.runtime.start(self._runtime_lost)
        await self._inside.listen(self.runtime)
        self.ecs.controller.runtime = self.runtime
        self.ec2.machines.runtime_found(self.runtime)
        self.elbv2.controller.runtime_found()
