"""Measures instances, each minute of an account's lab time."""

from __future__ import annotations

from collections.abc import Callable

from drydock.services.cloudwatch.model import Datum, Record
from drydock.services.ec2 import measures
from drydock.services.ec2.machines import Machines
from drydock.services.ec2.types import TYPES
from drydock.services.usage import Meter, Usages
from drydock.store import Scope


class Measuring:
    """A source of the heartbeat. ``tasks_on`` gives the runtime's names of the containers that ECS runs on an instance."""

    def __init__(
        self, machines: Machines, usages: Usages, record: Record, tasks_on: Callable[[Scope, str], list[str]]
    ) -> None:
        self._machines = machines
        self._meter = Meter(usages)
        self._record = record
        self._tasks_on = tasks_on

    def wanted(self, account: str) -> bool:
        """Whether there is anything to measure."""
        return any(
            scope.account == account and machine.state in ("pending", "running")
            for scope, _, machine in self._machines.machines.all()
        )

    async def collect(self, account: str, minutes: tuple[float, ...]) -> None:
        """Record what is true now for the minutes that have passed."""
        mine = [
            (scope, machine, [machine.id, *self._tasks_on(scope, machine.id)])
            for scope, _, machine in self._machines.machines.all()
            if scope.account == account and machine.state == "running"
        ]
        rates = await self._meter.rates(account, [name for _, _, names in mine for name in names])
        for scope, machine, names in mine:
            known = [rates[name].cpu for name in names if name in rates]
            vcpus = TYPES[machine.instance_type].vcpus if machine.instance_type in TYPES else 1
            cpu = None if None in known or not known else 100 * sum(rate or 0.0 for rate in known) / vcpus
            data: list[Datum] = []
            for at in minutes:
                data += measures.of_instance(machine, at, cpu, machine.id in rates)
            self._record(scope, data)
