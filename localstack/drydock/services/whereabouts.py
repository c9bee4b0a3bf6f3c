"""Who is at an address of a VPC: tasks with interfaces of their own, and instances. Asked by load balancers."""

from __future__ import annotations

from drydock.network.rules import End
from drydock.services.ec2.machines import Machines
from drydock.services.ecs.api import Ecs
from drydock.services.elbv2.certificates import Certificate
from drydock.services.elbv2.reaching import Place
from drydock.services.iam.api import Iam
from drydock.store import GLOBAL, Scope


class ServerCertificates:
    """Of IAM."""

    def __init__(self, iam: Iam) -> None:
        self._iam = iam

    def __call__(self, scope: Scope, arn: str) -> Certificate | None:
        """By its ARN; None if there is none."""
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("server-certificate/"):
            return None
        found = self._iam.directory.certificates.get(Scope(scope.account, GLOBAL), arn.rpartition("/")[2].lower())
        if found is None or found.arn != arn:
            return None
        return Certificate("\n".join(part for part in (found.body, found.chain) if part), found.key, tuple(found.names))


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
