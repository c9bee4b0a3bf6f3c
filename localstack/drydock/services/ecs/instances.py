"""Operations on container instances and their attributes.

An instance registers through its agent, under its own role ("Amazon ECS container instance IAM role"). The messages
marked with (?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import rules
from drydock.services.ecs.attributes import check_attribute
from drydock.services.ecs.clusters import ClusterOperations
from drydock.services.ecs.expressions import InvalidExpression, parse
from drydock.services.ecs.instance_model import ContainerInstance
from drydock.services.ecs.instance_types import interfaces_of
from drydock.services.ecs.machines import Machine
from drydock.services.ecs.model import Cluster, Task
from drydock.services.ecs.paging import page
from drydock.services.ecs.placement import Host
from drydock.services.ecs.tag_rules import check_tags
from drydock.store import Collection, Scope

log = logging.getLogger(__name__)
Params = dict[str, Any]
MOST_AT_ONCE = 10
STATES = ("ACTIVE", "DRAINING", "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED")
GONE = {
    "terminated": "Host EC2 (instance {}) terminated.",
    "stopped": "Host EC2 (instance {}) stopped.",
    "rebooted": "Host EC2 (instance {}) rebooted.",  # (?)
    "failed": "Host EC2 (instance {}) failed.",  # (?)
}


class InstanceOperations(ClusterOperations):
    """RegisterContainerInstance, DeregisterContainerInstance, DescribeContainerInstances, ListContainerInstances,
    UpdateContainerInstancesState, PutAttributes, DeleteAttributes, ListAttributes."""

    instances: Collection[ContainerInstance]

    # -- for the scheduler
    def instances_of(self, scope: Scope, cluster_arn: str) -> list[ContainerInstance]:
        """Those registered with a cluster, oldest first."""
        found = self.instances.of(scope)
        return [one for one in found if one.cluster_arn == cluster_arn and one.status != "INACTIVE"]

    def tasks_on(self, scope: Scope, instance: ContainerInstance) -> list[Task]:
        """Those that take its resources."""
        return [t for t in self.tasks.of(scope) if t.container_instance_arn == instance.arn and t.is_active]

    def hosts(self, scope: Scope, cluster_arn: str) -> list[Host]:
        """The ACTIVE instances of a cluster, with what is left of each."""
        by_instance: dict[str, list[Task]] = {}
        for task in self.tasks.of(scope):
            if task.container_instance_arn and task.is_active:
                by_instance.setdefault(task.container_instance_arn, []).append(task)
        return [
            instance.host(by_instance.get(instance.arn, []))
            for instance in self.instances_of(scope, cluster_arn)
            if instance.status == "ACTIVE"
        ]

    # -- the agent's side
    async def register_container_instance(self, request: Request, params: Params) -> dict[str, Any]:
        """By the agent of an instance that runs. With ``containerInstanceArn`` it comes back, after a reboot say."""
        scope = request.scope
        cluster = self._cluster_for_registration(scope, params.get("cluster"))
        machine = self._machine_of(scope, params)
        check_tags(params.get("tags", []))
        earlier = self._earlier(scope, cluster, machine, params.get("containerInstanceArn"))
        totals = {resource["name"]: resource for resource in params.get("totalResources", [])}
        if "CPU" not in totals or "MEMORY" not in totals:
            raise rules.invalid("totalResources must have CPU and MEMORY.")  # (?)
        instance = earlier or ContainerInstance(
            arn=self._new_instance_arn(scope, cluster, machine),
            cluster_arn=cluster.arn,
            ec2_instance_id=machine.id,
            registered_at=self.platform.clock(scope.account).now(),
            cpu=0,
            memory=0,
            tags=list(params.get("tags", [])),
        )
        instance.cpu, instance.memory = (int(totals[name].get("integerValue", 0)) for name in ("CPU", "MEMORY"))
        instance.tcp, instance.udp = (
            [int(port) for port in totals.get(name, {}).get("stringSetValue", [])] for name in ("PORTS", "PORTS_UDP")
        )
        instance.interfaces = interfaces_of(machine.instance_type)
        instance.version_info = dict(params.get("versionInfo", {}))
        given = {each["name"]: each.get("value", "") for each in params.get("attributes", [])}
        instance.attributes = {**instance.attributes, **given, **_facts(machine)}
        instance.capacity_provider = instance.capacity_provider or self.provider_of(scope, cluster, machine)
        instance.version += 1
        self.instances.put(scope, instance.arn, instance)
        return {"containerInstance": instance.describe(self.tasks_on(scope, instance), {"TAGS"})}

    def _cluster_for_registration(self, scope: Scope, identifier: str | None) -> Cluster:
        try:
            return self.active_cluster(scope, identifier)
        except AwsError as error:  # as the agent's log shows it
            raise rules.client_error(error.message) from error

    def _machine_of(self, scope: Scope, params: Params) -> Machine:
        """The instance that the identity document names: it must run, here and in this account."""
        try:
            name = str(json.loads(params.get("instanceIdentityDocument") or "{}").get("instanceId", ""))
        except (ValueError, AttributeError):
            name = ""
        machine = self.machines.find(scope, name) if name else None
        if machine is None:
            raise rules.client_error("The instance identity document is not that of a running instance.")  # (?)
        return machine

    def _earlier(self, scope: Scope, cluster: Cluster, machine: Machine, arn: str | None) -> ContainerInstance | None:
        if not arn:
            return None
        found = self.instances.get(scope, arn)
        if found is None or found.status == "INACTIVE":
            raise rules.client_error(f"Referenced container instance {rules.task_id(arn)} not registered.")
        if found.cluster_arn != cluster.arn or found.ec2_instance_id != machine.id:
            raise rules.client_error("The container instance was registered with another cluster or instance.")  # (?)
        return found

    def _new_instance_arn(self, scope: Scope, cluster: Cluster, machine: Machine) -> str:
        """Derived from the instance, since instances join in any order."""
        number = self.platform.ids.hexadecimal(scope, "container-instance", f"{cluster.arn} {machine.id}")
        return f"arn:aws:ecs:{scope.region}:{scope.account}:container-instance/{cluster.name}/{number}"

    def provider_of(self, scope: Scope, cluster: Cluster, machine: Machine) -> str:
        """The capacity provider of the cluster whose Auto Scaling group the instance is of."""
        for name in cluster.capacity_providers:
            provider = self.providers.get(scope, name)
            if provider is not None and machine.group_name and provider.group_name == machine.group_name:
                return name
        return ""

    def agent_connected(self, scope: Scope, arn: str, connected: bool) -> None:
        """The agent's connection came up or broke off."""
        instance = self.instances.get(scope, arn)
        if instance is not None and instance.connected != connected:
            instance.connected = connected
            self.instances.put(scope, arn, instance)
            self.services_controller.look(scope, instance.cluster_arn)

    def machine_gone(self, scope: Scope, ec2_instance_id: str, how: str) -> None:
        """An EC2 instance does not run any more: its tasks are lost; if it was terminated it is deregistered. ``how``
        is one of :data:`GONE`."""
        for instance in self.instances.of(scope):
            if instance.ec2_instance_id != ec2_instance_id or instance.status == "INACTIVE":
                continue
            instance.connected = False
            if how == "terminated":
                instance.status = "INACTIVE"
            self.instances.put(scope, instance.arn, instance)
            for task in self.tasks_on(scope, instance):
                self.controller.host_lost(task, GONE[how].format(ec2_instance_id))
            self.services_controller.look(scope, instance.cluster_arn)

    # -- the user's side
    def deregister_container_instance(self, request: Request, params: Params) -> dict[str, Any]:
        """Raises InvalidParameterException while tasks are on it, unless ``force``. Forced, its tasks stop."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        instance = self._find_instance(request.scope, cluster, params["containerInstance"])
        if instance is None or instance.status == "INACTIVE":
            raise rules.invalid("Referenced container instance ID not found.")  # (?)
        tasks = self.tasks_on(request.scope, instance)
        if tasks and not params.get("force"):
            raise rules.invalid("Found running tasks on the instance.")
        instance.status, instance.connected = "INACTIVE", False
        self.instances.put(request.scope, instance.arn, instance)
        for task in tasks:
            self.controller.stop_task(task, "UserInitiated", "Container instance deregistration forced by user")
        self.machines.deregistered(request.scope, instance.ec2_instance_id, instance.arn)
        self.services_controller.look(request.scope, cluster.arn)
        return {"containerInstance": instance.describe(tasks, {"TAGS"})}

    def describe_container_instances(self, request: Request, params: Params) -> dict[str, Any]:
        """What is not there is a failure with the reason MISSING."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        include = set(params.get("include", []))
        found, failures = [], []
        if not params["containerInstances"]:
            raise rules.invalid("Container instances cannot be empty.")  # (?)
        if len(params["containerInstances"]) > 100:
            raise rules.invalid("containerInstances can have at most 100 items.")  # (?)
        for identifier in params["containerInstances"]:
            instance = self._find_instance(request.scope, cluster, identifier)
            if instance is None:
                failures.append({"arn": self.instance_arn(request.scope, cluster, identifier), "reason": "MISSING"})
            else:
                found.append(instance.describe(self.tasks_on(request.scope, instance), include))
        return {"containerInstances": found, "failures": failures}

    def list_container_instances(self, request: Request, params: Params) -> dict[str, Any]:
        """By status and by an expression of the cluster query language."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        status = params.get("status")
        if status is not None and status not in STATES:
            raise rules.invalid(f"Invalid status: {status}")  # (?)
        try:
            wanted = parse(params["filter"]) if params.get("filter") else None
        except InvalidExpression as error:
            raise rules.invalid(f"Invalid filter expression: {error}.") from error  # (?)
        chosen = [
            instance.arn
            for instance in self.instances_of(request.scope, cluster.arn)
            if status in (None, instance.status)
            and (wanted is None or wanted(instance.host(self.tasks_on(request.scope, instance)).subjects))
        ]
        shown, token = page(chosen, params)
        return {"containerInstanceArns": shown, **token}

    def update_container_instances_state(self, request: Request, params: Params) -> dict[str, Any]:
        """To DRAINING, which moves the services' tasks elsewhere, and back to ACTIVE."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        if params["status"] not in ("ACTIVE", "DRAINING"):
            raise rules.invalid("Container instances status should be one of [ACTIVE,DRAINING]")
        if len(params["containerInstances"]) > MOST_AT_ONCE:
            raise rules.invalid(f"instanceIds can have at most {MOST_AT_ONCE} items.")
        changed, failures = [], []
        for identifier in params["containerInstances"]:
            instance = self._find_instance(request.scope, cluster, identifier)
            if instance is None or instance.status == "INACTIVE":
                reason = "MISSING" if instance is None else "INACTIVE"
                failures.append({"arn": self.instance_arn(request.scope, cluster, identifier), "reason": reason})
                continue
            instance.status = params["status"]
            instance.version += 1
            self.instances.put(request.scope, instance.arn, instance)
            changed.append(instance.describe(self.tasks_on(request.scope, instance), set()))
        self.services_controller.look(request.scope, cluster.arn)
        return {"containerInstances": changed, "failures": failures}

    # -- attributes
    def put_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """Custom ones, of container instances named by their ARN or id."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        found = [(self._target(request.scope, cluster, each), each) for each in self._checked(params)]
        for instance, attribute in found:
            instance.attributes[attribute["name"]] = attribute.get("value", "")
            self.instances.put(request.scope, instance.arn, instance)
        self.services_controller.look(request.scope, cluster.arn)
        return {"attributes": [_shown(instance, each) for instance, each in found]}

    def delete_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """Those that are not there are no error."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        found = [(self._target(request.scope, cluster, each), each) for each in self._checked(params)]
        for instance, attribute in found:
            instance.attributes.pop(attribute["name"], None)
            self.instances.put(request.scope, instance.arn, instance)
        return {"attributes": [_shown(instance, each) for instance, each in found]}

    def list_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """Of all container instances of a cluster, by name and value."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        if params["targetType"] != "container-instance":
            raise rules.invalid(f"Invalid targetType: {params['targetType']}")  # (?)
        name, value = params.get("attributeName"), params.get("attributeValue")
        rows = {
            f"{instance.arn} {each['name']}": {**each, "targetId": instance.arn}
            for instance in self.instances_of(request.scope, cluster.arn)
            for each in instance.describe_attributes()
            if name in (None, each["name"]) and value in (None, each.get("value"))
        }
        shown, token = page(list(rows), params)
        return {"attributes": [rows[key] for key in shown], **token}

    def _checked(self, params: Params) -> list[dict[str, Any]]:
        attributes: list[dict[str, Any]] = params["attributes"]
        if not 1 <= len(attributes) <= MOST_AT_ONCE:
            raise rules.invalid(f"attributes can have at most {MOST_AT_ONCE} items.")  # (?)
        for attribute in attributes:
            check_attribute(attribute)
        return attributes

    def _target(self, scope: Scope, cluster: Cluster, attribute: dict[str, Any]) -> ContainerInstance:
        instance = self._find_instance(scope, cluster, attribute.get("targetId", ""))
        if instance is None or instance.status == "INACTIVE":
            raise AwsError("TargetNotFoundException", "The specified target wasn't found.")  # (?)
        return instance

    # -- finding
    def instance_arn(self, scope: Scope, cluster: Cluster, identifier: str) -> str:
        """From an id or an ARN."""
        prefix = f"arn:aws:ecs:{scope.region}:{scope.account}:container-instance/{cluster.name}/"
        return identifier if identifier.startswith("arn:") else prefix + identifier

    def _find_instance(self, scope: Scope, cluster: Cluster, identifier: str) -> ContainerInstance | None:
        instance = self.instances.get(scope, self.instance_arn(scope, cluster, identifier))
        return instance if instance is not None and instance.cluster_arn == cluster.arn else None


def _facts(machine: Machine) -> dict[str, str]:
    """Attributes that ECS itself sets."""
    return {
        "ecs.ami-id": machine.image_id,
        "ecs.availability-zone": machine.availability_zone,
        "ecs.instance-type": machine.instance_type,
        "ecs.subnet-id": machine.subnet_id,
        "ecs.vpc-id": machine.vpc_id,
    }


def _shown(instance: ContainerInstance, attribute: dict[str, Any]) -> dict[str, Any]:
    return {**attribute, "targetType": "container-instance", "targetId": instance.arn}
