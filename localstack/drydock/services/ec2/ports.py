"""Ports of a machine's own programs, open at its public address on this computer.

On AWS an address leads to whatever listens; here somebody has to listen for it on this computer. So it is looked now and
then which ports the machine's programs listen on, and the data plane opens the same ones at the public address. Whether a
connection is let in is decided for each, by security groups and routes. (Host ports of ECS tasks are opened by ECS.)
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from drydock.dataplane.refusals import PlaneFailure
from drydock.runtime.interface import RuntimeFailure
from drydock.services.ec2.model import Machine

if TYPE_CHECKING:
    from drydock.services.ec2.machines import Machines

log = logging.getLogger(__name__)
SOON, LATER, SOON_FOR = 0.25, 2.0, 120
"""Real seconds between two looks: at first, and after so many looks"""


class Ports:
    """Of one boot of a machine. ``run`` until cancelled."""

    def __init__(self, house: Machines, machine: Machine) -> None:
        self._house = house
        self._machine = machine
        self._open: dict[int, str] = {}
        """Port to the address at which it is open; those that could not be opened too"""

    async def run(self) -> None:
        """Look again and again."""
        looks = 0
        while True:
            looks += 1
            await asyncio.sleep(SOON if looks < SOON_FOR else LATER)
            if not self._machine.public_address and not self._open:
                continue
            try:
                await self._look(await self._house.runtime.listening(self._machine.id, self._open))
            except RuntimeFailure:
                return  # it has died, and the machine with it

    async def _look(self, found: list[int]) -> None:
        machine, plane = self._machine, self._house.dataplane
        for port, address in list(self._open.items()):
            if port not in found or address != machine.public_address:
                plane.close_port(machine.sandbox, port)
                del self._open[port]
        for port in found if machine.public_address else []:
            if port in self._open:
                continue
            self._open[port] = machine.public_address
            try:
                await plane.open(machine.sandbox, port, machine.public_address, port)
            except PlaneFailure as error:
                log.warning("port %d of %s cannot be opened on this computer: %s", port, machine.id, error)
