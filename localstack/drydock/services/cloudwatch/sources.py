"""Who measures what: puts the services' sources into the heartbeat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from drydock.runtime.interface import Usage
from drydock.services.cloudwatch.heartbeat import Heartbeat
from drydock.services.cloudwatch.model import Record
from drydock.services.ec2.machines import Machines
from drydock.services.ec2.measuring import Measuring as OfInstances
from drydock.services.ecs.api import Ecs
from drydock.services.ecs.managed_measuring import Reservations
from drydock.services.ecs.measuring import Measuring as OfTasks
from drydock.services.elbv2.api import Elbv2
from drydock.services.elbv2.measures import of_minutes
from drydock.services.elbv2.metrics import Minute
from drydock.services.logs.api import Logs
from drydock.services.usage import Usages
from drydock.store import Scope


def connect(
    heart: Heartbeat,
    record: Record,
    usage: Callable[[], Awaitable[dict[str, Usage]]],
    ecs: Ecs,
    elbv2: Elbv2,
    machines: Machines,
    logs: Logs,
) -> None:
    """``usage`` is the runtime's. Each service tells the heartbeat when it has something to be measured."""

    def of_balancer(scope: Scope, minute: Minute, minutes: tuple[float, ...]) -> None:
        record(scope, list(of_minutes(minute, minutes)))

    usages = Usages(usage)
    tasks = OfTasks(ecs, usages, record)
    instances = OfInstances(machines, usages, record, ecs.containers_on)
    balancers = elbv2.controller.minutes
    elbv2.controller.metrics.listeners.append(of_balancer)
    logs.measuring.record = record
    reservations = Reservations(ecs, record)
    for source in (tasks, instances, balancers, logs.measuring, reservations):
        heart.sources.append(source.collect)
        heart.wanted.append(source.wanted)
    ecs.beat = elbv2.controller.beat = machines.beat = logs.measuring.beat = heart.beat
