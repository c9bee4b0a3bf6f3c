"""Who is at an address of a VPC: tasks with interfaces of their own, and instances. Asked by load balancers."""

from __future__ import annotations

from drydock.network.rules import End
from drydock.services.ec2.machines import Machines
from drydock.services.ecs.api import Ecs
from drydock.services.elbv2.reaching import Place
from drydock.store import Scope


class Whereabouts:
    """From what ECS and EC2 know."""

    def __init__(self, ecs: Ecs, machines: Machines) -> None:
        self._ecs = ecs
        self._machines = machines

    def at_address(self, scope: Scope, network: str, address: str, port: int) -> Place | None:
        """A task or an instance with this private address that is on its way or runs."""
        found = self._machines.by_address(network, address)
        if found is not None:
            machine = found[1]
            return Place(End(address, machine.groups, machine.vpc_id), machine.sandbox, port)
        for task_id, (inside, addresses) in self._ecs.controller.inside.items():
            if inside == network and address in addresses:
                reach = self._ecs.reach(task_id, port)
                return Place(reach.target, reach.sandbox, reach.port_inside) if reach is not None else None
        return None

    def of_instance(self, scope: Scope, instance_id: str, port: int) -> Place | None:
        """An instance that runs. Host ports are listeners inside it."""
        machine = self._machines.find(scope, instance_id)
        if machine is None or machine.state != "running":
            return None
        return Place(End(machine.private_address, machine.groups, machine.vpc_id), machine.sandbox, port)
