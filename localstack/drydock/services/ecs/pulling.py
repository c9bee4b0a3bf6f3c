"""Pulling a task's images: how long it takes, whether the registry can be reached, and what is found there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from drydock import durations
from drydock.images.reference import InvalidReference
from drydock.images.reference import parse as parse_reference
from drydock.images.standins import Image, ImageNotFound
from drydock.network.rules import PUBLIC_SERVICE, End, may_connect, reaches_service, registry_service
from drydock.services.ecs.model import Container, Task
from drydock.services.ecs.task_network import TaskNetwork
from drydock.store import Scope

if TYPE_CHECKING:
    from drydock.services.ecs.controller import TaskController

_RETRIED = "CannotPullContainerError: pull image manifest has been retried {} time(s): "


class PullFailed(Exception):
    """The message is the container's ``reason``."""


class Pull:
    """Of one task's images."""

    def __init__(self, house: TaskController, scope: Scope, task: Task, network: TaskNetwork) -> None:
        self._house = house
        self._scope = scope
        self._task = task
        self._network = network

    @property
    def time(self) -> float:
        """Lab seconds: an instance keeps what it has pulled, a Fargate task's machine is always new."""
        if self._task.on_fargate:
            return durations.FARGATE_PULL
        images = {container.image for container in self._task.containers}
        known = all((self._task.ec2_instance_id, image) in self._house.pulled for image in images)
        return durations.EC2_CACHED_PULL if known else durations.EC2_PULL

    async def way_is_open(self, container: Container) -> bool:
        """Whether the container's registry can be reached; on AWS that it cannot is the commonest mistake of all."""
        end, subnet_id, public = self._network.puller
        subnet = await self._house.network.subnet(self._scope, subnet_id)
        try:
            image = parse_reference(container.image)
        except InvalidReference:
            return True  # what is wrong the pull will say
        if subnet is not None and not reaches_service(subnet, registry_service(image.host), public):
            return False
        groups = await self._house.network.groups(self._scope)
        return may_connect(end, End(PUBLIC_SERVICE), 443, groups).allowed

    def timed_out(self, container: Container) -> PullFailed:
        """What is said when it could not."""
        image = parse_reference(container.image)
        url = f"https://{image.host}/v2/{image.path}/manifests/{image.tag or image.digest}"
        return PullFailed(
            f'{_RETRIED.format(5)}failed to resolve ref {image}: failed to do request: Head "{url}": dial tcp '
            f"{PUBLIC_SERVICE}:443: i/o timeout"
        )

    async def pull(self, container: Container, architecture: str | None) -> Image:
        """``architecture`` is what the definition asks for; the images that there are have this machine's instructions
        only. Raises PullFailed."""
        try:
            image = await asyncio.to_thread(self._house.images.resolve, container.image)
        except ImageNotFound as error:
            raise PullFailed(f"{_RETRIED.format(1)}failed to resolve ref {error}") from error
        container.image_digest = image.digest
        if architecture not in (None, self._task.architecture):
            platform = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}[str(architecture)]
            why = f"image Manifest does not contain descriptor matching platform '{platform}'"
            raise PullFailed(_RETRIED.format(1) + why)
        self._house.pulled.add((self._task.ec2_instance_id, container.image))
        return image
