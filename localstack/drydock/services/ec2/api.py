"""The operations of EC2 that are not moto's: those that must look first, and those that show what a machine did.

Everything else of EC2 goes to moto; the emulator tells us afterwards (:meth:`Machines.changed`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from drydock import durations
from drydock.clock import as_datetime
from drydock.dataplane.plane import DataPlane
from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.images.standins import StandIns
from drydock.network.facts import Facts
from drydock.request import Request
from drydock.runtime.interface import Runtime
from drydock.services.ec2 import launch
from drydock.services.ec2.agent import Ecs
from drydock.services.ec2.imds import Imds
from drydock.services.ec2.machines import Ask, Machines
from drydock.services.iam.api import Iam
from drydock.services.service import Platform, Service

Moto = Callable[[Request, str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""``await moto(request, "RunInstances", params)``: an operation of moto's for whom the request is from, not authorised
again. Raises AwsError."""
Check = Callable[[Request, dict[str, Any]], None]
"""The policy decision. Raises AccessDenied."""


@dataclass
class Launched:
    """What a client token made."""

    digest: str
    instances: list[str] = field(default_factory=list)


class Ec2(Service):
    """``plain``: why no machine can run here; empty if they can."""

    name = "ec2"

    def __init__(
        self,
        platform: Platform,
        runtime: Runtime,
        images: StandIns,
        iam: Iam,
        network: Facts,
        dataplane: DataPlane,
        moto: Moto,
        ask: Ask,
        check: Check,
        instant: bool,
    ) -> None:
        super().__init__(platform)
        self.ecs = Ecs()
        self.machines = Machines(platform, runtime, images, iam, ask, self.ecs, network, dataplane, instant)
        self.imds = Imds(self.machines)
        self._moto = moto
        self._check = check
        self._instant = instant
        self._tokens = platform.store.collection(Launched, "ec2", "client-token")

    async def start(self) -> None:
        await self.machines.start()

    async def stop(self) -> None:
        await self.machines.stop()

    async def reset(self, account: str | None) -> None:
        await self.machines.reset(account)

    def validate(self) -> list[str]:
        return list(self.machines.faults())

    @property
    def why_none(self) -> str:
        """Why no machine can run here; empty if they can."""
        info = self.machines.runtime.info
        if info.tier != "plain":
            return ""
        return (
            "In the plain tier an instance's user data would run on your own computer, so no instance is started "
            f"({info.reason})."
        )

    # ------------------------------------------------------------------ operations

    async def run_instances(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """RunInstances."""
        if self.why_none:
            raise NotImplementedByDrydock("ec2", "RunInstances", self.why_none)
        await self.machines.ready()
        digest = hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode()).hexdigest()
        token = str(params.get("ClientToken") or "")
        if token and (before := self._tokens.get(request.scope, token)) is not None:
            return await self._again(request, before, digest)
        template = await self._template(request, params.get("LaunchTemplate") or {})
        asked = launch.merged(params, template)
        wanted = launch.check_parameters(asked)
        image = await self._image(request, asked)
        launch.check_image(image, wanted)
        if template is not None:
            self._check(request, asked)
        if asked.get("KeyName"):
            await self._check_key_pair(request, str(asked["KeyName"]))
        protect = asked.pop("DisableApiTermination", False)
        async with self.machines.launching(request.scope):
            made = await self._moto(request, "RunInstances", launch.with_defaults(asked, wanted, image))
        ids = [instance["InstanceId"] for instance in made["Instances"]]
        if token:
            self._tokens.put(request.scope, token, Launched(digest, ids))
        for instance_id in ids if protect else ():
            change = {"InstanceId": instance_id, "DisableApiTermination": {"Value": True}}
            await self._moto(request, "ModifyInstanceAttribute", change)
        return made

    async def _again(self, request: Request, before: Launched, digest: str) -> dict[str, Any]:
        if before.digest != digest:
            raise AwsError(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )
        found = await self._moto(request, "DescribeInstances", {"InstanceIds": before.instances})
        return dict(found["Reservations"][0])

    async def _template(self, request: Request, named: dict[str, Any]) -> dict[str, Any] | None:
        """The data of the launch template that a request names, with the tags that say so."""
        if not named:
            return None
        asked = {name: value for name, value in named.items() if name != "Version"}
        version = str(named.get("Version") or "$Default")
        versions = await self._moto(request, "DescribeLaunchTemplateVersions", {**asked, "Versions": [version]})
        found = versions.get("LaunchTemplateVersions", [])
        if not found:
            raise AwsError(
                "InvalidLaunchTemplateId.VersionNotFound", f"Could not find launch template version {version}."
            )
        data = dict(found[0]["LaunchTemplateData"])
        tags = [
            {"Key": "aws:ec2launchtemplate:id", "Value": found[0]["LaunchTemplateId"]},
            {"Key": "aws:ec2launchtemplate:version", "Value": str(found[0]["VersionNumber"])},
        ]
        data["TagSpecifications"] = [*data.get("TagSpecifications", []), {"ResourceType": "instance", "Tags": tags}]
        return data

    async def _image(self, request: Request, asked: dict[str, Any]) -> dict[str, Any]:
        """The image's description, its id written into ``asked`` if that names a parameter of Systems Manager."""
        if str(asked["ImageId"]).startswith("resolve:ssm:"):
            name = asked["ImageId"].removeprefix("resolve:ssm:")
            found = await self.platform.call(
                request.principal, request.region, "ssm", "GetParameters", {"Names": [name]}
            )
            if not found.get("Parameters"):
                message = f"Parameter {name} not found."  # (?)
                raise AwsError("InvalidParameterValue", message)
            asked["ImageId"] = found["Parameters"][0]["Value"]
        images = (await self._moto(request, "DescribeImages", {"ImageIds": [asked["ImageId"]]})).get("Images", [])
        if not images:
            raise AwsError("InvalidAMIID.NotFound", f"The image id '[{asked['ImageId']}]' does not exist")
        return dict(images[0])

    async def _check_key_pair(self, request: Request, name: str) -> None:
        pairs = (await self._moto(request, "DescribeKeyPairs", {})).get("KeyPairs", [])
        if name not in {pair["KeyName"] for pair in pairs}:
            raise AwsError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")

    async def get_console_output(self, request: Request, params: dict[str, Any]) -> dict[str, Any]:
        """GetConsoleOutput: the latest 64 KiB; nothing in the first minute, unless the latest is asked for."""
        await self.machines.ready()
        instance_id = params["InstanceId"]
        await self._moto(request, "DescribeInstances", {"InstanceIds": [instance_id]})
        machine = self.machines.machines.get(request.scope, instance_id)
        now = self.platform.clock(request.account).now()
        shown: dict[str, Any] = {"InstanceId": instance_id, "Timestamp": as_datetime(now)}
        if machine is None or not machine.boots:
            return shown
        early = now < machine.booted_at + durations.scaled(durations.EC2_CONSOLE, self._instant)
        if not early or params.get("Latest") or machine.boots > 1:
            output = self.machines.console(instance_id).latest()
            if output:
                shown["Output"] = base64.b64encode(output).decode()
        return shown
