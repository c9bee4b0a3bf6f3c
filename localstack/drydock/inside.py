"""What containers and instances reach at addresses of their own networks: AWS's API, what they are told of themselves, names."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from drydock.gateway.machine_pages import MachinePages
from drydock.gateway.server import Server, bind
from drydock.gateway.task_pages import TaskPages
from drydock.network import names
from drydock.runtime.interface import Runtime
from drydock.services.ec2.api import Ec2
from drydock.services.ec2.imds import ADDRESS as IMDS_ADDRESS
from drydock.services.ecs.api import Ecs
from drydock.services.ecs.identities import ADDRESS as METADATA_ADDRESS
from drydock.services.elbv2.api import Elbv2

API_ADDRESS = "169.254.170.3"
"""Where containers reach the emulator, in the namespaces tier"""


class Inside:
    """``server`` is the gateway's, ``port`` that of this machine on which it serves."""

    def __init__(self, ecs: Ecs, ec2: Ec2, elbv2: Elbv2, server: Server, port: int) -> None:
        self._ecs = ecs
        self._ec2 = ec2
        self._elbv2 = elbv2
        self._server = server
        self._port = port
        self._pages = Server(TaskPages(ecs.identities, ""))

    async def listen(self, runtime: Runtime) -> None:
        """On every network of the runtime; in a tier without addresses inside, all is on the loopback address."""
        identities = self._ecs.identities
        if await runtime.listen(API_ADDRESS, self._port, self._serve_api):
            await runtime.listen(METADATA_ADDRESS, 80, self._serve_metadata)
            await runtime.listen(IMDS_ADDRESS, 80, self._serve_imds)
            await runtime.listen(names.ADDRESS, names.PORT, self._serve_names)
            identities.endpoint = self._ec2.machines.endpoint = f"http://{API_ADDRESS}:{self._port}"
            identities.pages = f"http://{METADATA_ADDRESS}"
        elif not identities.pages:
            listener = bind("127.0.0.1", 0)
            identities.endpoint = f"http://127.0.0.1:{self._port}"
            identities.pages = f"http://127.0.0.1:{listener.getsockname()[1]}"
            await self._pages.listen(listener)

    async def close(self) -> None:
        """What is on the loopback address; the others go with their networks."""
        await self._pages.close()

    async def _serve_api(self, network: str, listener: socket.socket) -> Callable[[], None]:
        return (await self._server.listen(listener)).close

    async def _serve_metadata(self, network: str, listener: socket.socket) -> Callable[[], None]:
        return (await Server(TaskPages(self._ecs.identities, network)).listen(listener)).close

    async def _serve_imds(self, network: str, listener: socket.socket) -> Callable[[], None]:
        return (await Server(MachinePages(self._ec2.imds, network)).listen(listener)).close

    async def _serve_names(self, network: str, listener: socket.socket) -> Callable[[], None]:
        return await names.serve(listener, partial(self._elbv2.addresses_inside, network))
