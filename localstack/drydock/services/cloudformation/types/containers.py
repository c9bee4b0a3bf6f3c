"""ECS's types, and log groups."""

from __future__ import annotations

from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.types.base import NotFound, Params, ResourceType, Work, picked, shaped, unless

_NO_CLUSTER = ("ClusterNotFoundException",)


def lower_tags(work: Work) -> Params:
    """Tags as ECS wants them; empty if there are none."""
    tags = [{"key": one["Key"], "value": one["Value"]} for one in work.user_tags]
    return {"tags": tags} if tags else {}


async def retag(work: Work, arn: str) -> None:
    """Changed tags of an ECS resource."""
    if not work.changed("Tags"):
        return
    new = lower_tags(work).get("tags", [])
    gone = work.gone_tags
    if gone:
        await work.call("ecs", "UntagResource", resourceArn=arn, tagKeys=gone)
    if new:
        await work.call("ecs", "TagResource", resourceArn=arn, tags=new)


class Cluster(ResourceType):
    name = "AWS::ECS::Cluster"
    service = "ecs"
    passes = (
        "ClusterName", "ClusterSettings", "Configuration", "CapacityProviders", "DefaultCapacityProviderStrategy", "Tags",
    )  # fmt: skip

    def _given(self, work: Work) -> Params:
        settings = work.properties.get("ClusterSettings")
        given = picked(work.properties, "Configuration", "CapacityProviders", "DefaultCapacityProviderStrategy")
        return {**given, **({"settings": settings} if settings else {})}

    def _name(self, work: Work) -> str:
        return work.name("ClusterName", 255)

    async def create(self, work: Work) -> None:
        name = self._name(work)
        given = shaped("ecs", "CreateCluster", {"clusterName": name, **self._given(work)})
        await work.call("ecs", "CreateCluster", **given, **lower_tags(work))
        work.made(name)

    async def _described(self, work: Work, name: str) -> Params | None:
        answer = await work.call("ecs", "DescribeClusters", clusters=[name])
        found = [one for one in answer["clusters"] if one["status"] == "ACTIVE"]
        return found[0] if found else None

    async def find(self, work: Work) -> str:
        name = self._name(work)
        return name if await self._described(work, name) else ""

    async def read(self, work: Work) -> Params:
        return {"Arn": f"arn:aws:ecs:{work.region}:{work.account}:cluster/{work.physical_id}"}

    async def update(self, work: Work) -> None:
        name = work.physical_id
        if work.changed("CapacityProviders") or work.changed("DefaultCapacityProviderStrategy"):
            given = {
                "cluster": name,
                "capacityProviders": work.properties.get("CapacityProviders") or [],
                "defaultCapacityProviderStrategy": work.properties.get("DefaultCapacityProviderStrategy") or [],
            }
            shape = shaped("ecs", "PutClusterCapacityProviders", given)
            await work.call("ecs", "PutClusterCapacityProviders", **shape)
        if work.changed("ClusterSettings") or work.changed("Configuration"):
            settings = work.properties.get("ClusterSettings") or [{"Name": "containerInsights", "Value": "disabled"}]
            given = {"cluster": name, "settings": settings, **picked(work.properties, "Configuration")}
            await work.call("ecs", "UpdateCluster", **shaped("ecs", "UpdateCluster", given))
        await retag(work, (await self.read(work))["Arn"])

    async def delete(self, work: Work) -> None:
        if not await unless(_NO_CLUSTER, work.call("ecs", "DeleteCluster", cluster=work.physical_id)):
            raise NotFound


class TaskDefinition(ResourceType):
    name = "AWS::ECS::TaskDefinition"
    service = "ecs"
    unique = False
    passes = (
        "Family", "ContainerDefinitions", "Cpu", "Memory", "NetworkMode", "RequiresCompatibilities", "ExecutionRoleArn",
        "TaskRoleArn", "Volumes", "PlacementConstraints", "RuntimePlatform", "EphemeralStorage", "PidMode", "IpcMode", "Tags",
    )  # fmt: skip

    async def create(self, work: Work) -> None:
        given = picked(work.properties, *(name for name in self.passes if name not in ("Family", "Tags")))
        shape = shaped("ecs", "RegisterTaskDefinition", {"family": self._family(work), **given})
        answer = await work.call("ecs", "RegisterTaskDefinition", **shape, **lower_tags(work))
        work.made(answer["taskDefinition"]["taskDefinitionArn"])

    async def find(self, work: Work) -> str:
        """Its family's latest revision, if it is as young as the creation."""
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("ecs", "DescribeTaskDefinition", taskDefinition=self._family(work)))

        if not await unless(("ClientException",), look()):
            return ""
        definition = found["taskDefinition"]
        ours = definition["registeredAt"].timestamp() >= work.began - 1
        return str(definition["taskDefinitionArn"]) if ours else ""

    @staticmethod
    def _family(work: Work) -> str:
        return str(work.properties.get("Family") or f"{work.stack_name}{work.logical_id}{work.token}")

    async def read(self, work: Work) -> Params:
        return {"TaskDefinitionArn": work.physical_id}

    async def update(self, work: Work) -> None:
        await retag(work, work.physical_id)

    async def delete(self, work: Work) -> None:
        call = work.call("ecs", "DeregisterTaskDefinition", taskDefinition=work.physical_id)
        if not await unless(("ClientException",), call):
            raise NotFound


class Service(ResourceType):
    """Complete when it is steady: one deployment, and as many tasks as are wanted."""

    name = "AWS::ECS::Service"
    service = "ecs"
    patience = 3 * 3600.0
    passes = (
        "Cluster", "ServiceName", "TaskDefinition", "DesiredCount", "LaunchType", "CapacityProviderStrategy",
        "PlatformVersion", "DeploymentConfiguration", "DeploymentController", "NetworkConfiguration", "LoadBalancers",
        "HealthCheckGracePeriodSeconds", "PlacementConstraints", "PlacementStrategies", "PropagateTags",
        "EnableECSManagedTags", "EnableExecuteCommand", "SchedulingStrategy", "AvailabilityZoneRebalancing",
        "ServiceRegistries", "Role", "Tags",
    )  # fmt: skip
    changeable = (
        "TaskDefinition", "DesiredCount", "CapacityProviderStrategy", "PlatformVersion", "DeploymentConfiguration",
        "NetworkConfiguration", "LoadBalancers", "HealthCheckGracePeriodSeconds", "PlacementConstraints",
        "PlacementStrategies", "PropagateTags", "EnableECSManagedTags", "EnableExecuteCommand",
        "AvailabilityZoneRebalancing", "ServiceRegistries",
    )  # fmt: skip

    @staticmethod
    def _renamed(given: Params) -> Params:
        return {("PlacementStrategy" if name == "PlacementStrategies" else name): v for name, v in given.items()}

    def _arn(self, work: Work) -> str:
        cluster = str(work.properties.get("Cluster") or "default").rpartition("/")[2]
        name = work.name("ServiceName", 255)
        return f"arn:aws:ecs:{work.region}:{work.account}:service/{cluster}/{name}"

    async def create(self, work: Work) -> None:
        given = self._renamed(picked(work.properties, *(n for n in self.passes if n not in ("ServiceName", "Tags"))))
        if "DesiredCount" not in given and given.get("SchedulingStrategy") != "DAEMON":
            given["DesiredCount"] = 1
        shape = shaped("ecs", "CreateService", {**given, "serviceName": work.name("ServiceName", 255)})
        answer = await work.call("ecs", "CreateService", **shape, **lower_tags(work))
        work.made(answer["service"]["serviceArn"])

    async def find(self, work: Work) -> str:
        arn = self._arn(work)
        cluster = work.properties.get("Cluster") or "default"
        answer = await work.call("ecs", "DescribeServices", cluster=cluster, services=[arn])
        return arn if any(one["status"] == "ACTIVE" for one in answer["services"]) else ""

    async def _described(self, work: Work) -> Params:
        cluster = work.physical_id.split("/")[1]
        found: Params = {}

        async def look() -> None:
            found.update(await work.call("ecs", "DescribeServices", cluster=cluster, services=[work.physical_id]))

        if not await unless(_NO_CLUSTER, look()) or not found["services"]:
            raise NotFound
        return dict(found["services"][0])

    async def steady(self, work: Work) -> bool:
        service = await self._described(work)
        if service["status"] != "ACTIVE":
            raise Failed(f"The service {work.physical_id} is {service['status']}.")
        controller = (service.get("deploymentController") or {}).get("type", "ECS")
        if controller == "EXTERNAL":
            return True
        primary = next((one for one in service["deployments"] if one["status"] == "PRIMARY"), None)
        failed = [one for one in service["deployments"] if one.get("rolloutState") == "FAILED"]
        wanted = service["taskDefinition"] if primary is None else primary["taskDefinition"]
        if failed:
            raise _breaker(failed[0])
        asked = str(work.properties.get("TaskDefinition", ""))
        if asked.startswith("arn:") and wanted != asked:  # a rollback has taken its place
            raise _breaker({})
        return (
            primary is not None
            and len(service["deployments"]) == 1
            and primary.get("rolloutState", "COMPLETED") == "COMPLETED"
            and service["runningCount"] == service["desiredCount"]
            and service["pendingCount"] == 0
        )

    async def read(self, work: Work) -> Params:
        return {"ServiceArn": work.physical_id, "Name": work.physical_id.rpartition("/")[2]}

    async def update(self, work: Work) -> None:
        cluster = work.physical_id.split("/")[1]
        changed = [name for name in self.changeable if work.changed(name)]
        given = self._renamed({name: work.properties[name] for name in changed if name in work.properties})
        for name in ("LoadBalancers", "CapacityProviderStrategy", "PlacementConstraints"):
            if name in changed and name not in work.properties:
                given[name] = []
        if given:
            shape = shaped("ecs", "UpdateService", {"cluster": cluster, "service": work.physical_id, **given})
            await work.call("ecs", "UpdateService", **shape)
        await retag(work, work.physical_id)

    async def delete(self, work: Work) -> None:
        cluster = work.physical_id.split("/")[1]
        call = work.call("ecs", "DeleteService", cluster=cluster, service=work.physical_id, force=True)
        if not await unless((*_NO_CLUSTER, "ServiceNotFoundException", "ServiceNotActiveException"), call):
            raise NotFound

    async def gone(self, work: Work) -> bool:
        try:
            service = await self._described(work)
        except NotFound:
            return True
        return service["status"] == "INACTIVE" and service["runningCount"] == 0


def _breaker(deployment: Params) -> Failed:
    reason = deployment.get("rolloutStateReason", "")
    told = f" ({reason})" if reason else ""
    return Failed(f"Error occurred during operation 'ECS Deployment Circuit Breaker was triggered{told}'.")


class CapacityProvider(ResourceType):
    name = "AWS::ECS::CapacityProvider"
    service = "ecs"
    passes = ("Name", "AutoScalingGroupProvider", "Tags")
    _absent = ("ClientException",)

    async def create(self, work: Work) -> None:
        given = {"name": work.name("Name", 255), **picked(work.properties, "AutoScalingGroupProvider")}
        answer = await work.call(
            "ecs", "CreateCapacityProvider", **shaped("ecs", "CreateCapacityProvider", given), **lower_tags(work)
        )
        work.made(answer["capacityProvider"]["name"])

    async def find(self, work: Work) -> str:
        name = work.name("Name", 255)
        return name if await self._described(work, name) else ""

    async def _described(self, work: Work, name: str) -> Params | None:
        answer = await work.call("ecs", "DescribeCapacityProviders", capacityProviders=[name])
        found = [one for one in answer["capacityProviders"] if one["status"] == "ACTIVE"]
        return found[0] if found else None

    async def read(self, work: Work) -> Params:
        return {}

    async def update(self, work: Work) -> None:
        if work.changed("AutoScalingGroupProvider"):
            provider = dict(work.properties["AutoScalingGroupProvider"])
            provider.pop("AutoScalingGroupArn", None)
            given = shaped(
                "ecs", "UpdateCapacityProvider", {"name": work.physical_id, "AutoScalingGroupProvider": provider}
            )
            await work.call("ecs", "UpdateCapacityProvider", **given)
        await retag(work, f"arn:aws:ecs:{work.region}:{work.account}:capacity-provider/{work.physical_id}")

    async def delete(self, work: Work) -> None:
        if await self._described(work, work.physical_id) is None:
            raise NotFound
        answer = await work.call("ecs", "DeleteCapacityProvider", capacityProvider=work.physical_id)
        provider = answer["capacityProvider"]
        if provider.get("updateStatus") == "DELETE_FAILED":
            raise Failed(provider.get("updateStatusReason", "The capacity provider cannot be deleted."))

    async def gone(self, work: Work) -> bool:
        return await self._described(work, work.physical_id) is None


class ProviderAssociations(ResourceType):
    name = "AWS::ECS::ClusterCapacityProviderAssociations"
    service = "ecs"
    passes = ("Cluster", "CapacityProviders", "DefaultCapacityProviderStrategy")

    async def create(self, work: Work) -> None:
        await self._put(work, work.properties)
        work.made(str(work.properties["Cluster"]).rpartition("/")[2])

    async def _put(self, work: Work, wanted: Params) -> None:
        given = {
            "cluster": wanted["Cluster"],
            "capacityProviders": wanted.get("CapacityProviders") or [],
            "defaultCapacityProviderStrategy": wanted.get("DefaultCapacityProviderStrategy") or [],
        }
        call = shaped("ecs", "PutClusterCapacityProviders", given)
        await work.call("ecs", "PutClusterCapacityProviders", **call)

    async def update(self, work: Work) -> None:
        await self._put(work, work.properties)

    async def delete(self, work: Work) -> None:
        if not await unless(_NO_CLUSTER, self._put(work, {"Cluster": work.physical_id})):
            raise NotFound


class LogGroup(ResourceType):
    name = "AWS::Logs::LogGroup"
    service = "logs"
    passes = ("LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "DeletionProtectionEnabled", "Tags")
    whole = False

    async def create(self, work: Work) -> None:
        name = work.name("LogGroupName", 512)
        tags = {one["Key"]: one["Value"] for one in work.user_tags}
        given = {
            "logGroupName": name,
            **picked(work.properties, "KmsKeyId", "LogGroupClass", "DeletionProtectionEnabled"),
        }
        shape = shaped("logs", "CreateLogGroup", given)
        await work.call("logs", "CreateLogGroup", **shape, **({"tags": tags} if tags else {}))
        work.made(name)
        if "RetentionInDays" in work.properties:
            await self._retain(work)

    async def _retain(self, work: Work) -> None:
        days = work.properties.get("RetentionInDays")
        if days is None:
            await work.call("logs", "DeleteRetentionPolicy", logGroupName=work.physical_id)
        else:
            await work.call("logs", "PutRetentionPolicy", logGroupName=work.physical_id, retentionInDays=int(days))

    async def find(self, work: Work) -> str:
        name = work.name("LogGroupName", 512)
        answer = await work.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)
        return name if any(one["logGroupName"] == name for one in answer["logGroups"]) else ""

    async def read(self, work: Work) -> Params:
        return {"Arn": f"arn:aws:logs:{work.region}:{work.account}:log-group:{work.physical_id}:*"}

    async def update(self, work: Work) -> None:
        if work.changed("RetentionInDays"):
            await self._retain(work)
        if work.changed("KmsKeyId") or work.changed("DeletionProtectionEnabled"):
            if work.changed("KmsKeyId"):
                raise Failed("Drydock cannot change KmsKeyId of a log group in place.")
            wanted = bool(work.properties.get("DeletionProtectionEnabled", False))
            await work.call(
                "logs",
                "PutLogGroupDeletionProtection",
                logGroupIdentifier=work.physical_id,
                deletionProtectionEnabled=wanted,
            )
        if work.changed("Tags"):
            arn = f"arn:aws:logs:{work.region}:{work.account}:log-group:{work.physical_id}"
            gone = work.gone_tags
            if gone:
                await work.call("logs", "UntagResource", resourceArn=arn, tagKeys=gone)
            if work.user_tags:
                tags = {one["Key"]: one["Value"] for one in work.user_tags}
                await work.call("logs", "TagResource", resourceArn=arn, tags=tags)

    async def delete(self, work: Work) -> None:
        call = work.call("logs", "DeleteLogGroup", logGroupName=work.physical_id)
        if not await unless(("ResourceNotFoundException",), call):
            raise NotFound


TYPES: tuple[type[ResourceType], ...] = (
    Cluster, TaskDefinition, Service, CapacityProvider, ProviderAssociations, LogGroup,
)  # fmt: skip
