"""Operations on clusters and on the capacity providers that they may use.

Container Insights is a setting; :mod:`measuring` measures by it.

Sources: API reference of CreateCluster, PutClusterCapacityProviders and DescribeCapacityProviders. The messages marked
with (?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import capacity, rules
from drydock.services.ecs.cluster_rules import check_configuration, check_settings, with_settings
from drydock.services.ecs.controller import TaskController
from drydock.services.ecs.instance_model import ContainerInstance
from drydock.services.ecs.machines import Machines
from drydock.services.ecs.model import Cluster, Task
from drydock.services.ecs.paging import page
from drydock.services.ecs.provider_model import CapacityProvider
from drydock.services.ecs.service_model import Revision, Service, service_key
from drydock.services.ecs.settings import SettingOperations
from drydock.services.ecs.tag_rules import check_tags
from drydock.store import Collection, Scope

if TYPE_CHECKING:
    from drydock.services.ecs.managed_scaling import ManagedScaling
    from drydock.services.ecs.service_controller import ServiceController

Params = dict[str, Any]
MOST_DESCRIBED = 100
PENDING = ("PROVISIONING", "PENDING", "ACTIVATING")


class ClusterOperations(SettingOperations):
    """CreateCluster, UpdateCluster, UpdateClusterSettings, DescribeClusters, ListClusters, DeleteCluster,
    PutClusterCapacityProviders."""

    clusters: Collection[Cluster]
    tasks: Collection[Task]
    services: Collection[Service]
    revisions: Collection[Revision]
    instances: Collection[ContainerInstance]
    providers: Collection[CapacityProvider]
    controller: TaskController
    services_controller: ServiceController
    machines: Machines
    beat: Callable[[str], None]
    managed: ManagedScaling

    def active_cluster(self, scope: Scope, identifier: str | None) -> Cluster:
        """The cluster that is meant. Raises ClusterNotFoundException."""
        cluster = self.clusters.get(scope, rules.cluster_name(identifier))
        if cluster is None or (identifier and identifier.startswith("arn:") and identifier != cluster.arn):
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        if cluster.status != "ACTIVE":
            raise AwsError("ClusterNotFoundException", "The referenced cluster was inactive.")
        return cluster

    def service_named(self, scope: Scope, cluster: Cluster, identifier: str) -> Service | None:
        """By name or ARN, in whatever state."""
        service = self.services.get(scope, service_key(cluster.arn, rules.task_id(identifier)))
        return None if service is None or (identifier.startswith("arn:") and identifier != service.arn) else service

    def find_service(self, scope: Scope, cluster: Cluster, identifier: str) -> Service:
        """One that is not INACTIVE. Raises ServiceNotFoundException."""
        service = self.service_named(scope, cluster, identifier)
        if service is None or service.status == "INACTIVE":
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return service

    def create_cluster(self, request: Request, params: Params) -> dict[str, Any]:
        """Creating one that exists answers with it, as on AWS, unless it is asked for with other properties."""
        name = params.get("clusterName") or "default"
        if not rules.NAME.fullmatch(name):
            raise rules.invalid(
                "Identifier is not valid. The cluster name must be up to 255 characters long and may contain letters, "
                "numbers, hyphens and underscores."
            )
        wanted = self._wanted_cluster(request, name, params)
        cluster = self.clusters.get(request.scope, name)
        if cluster is None or cluster.status != "ACTIVE":
            cluster = wanted
            self.clusters.put(request.scope, name, cluster)
            self.managed.changed(request.scope)
            self.beat(request.account)
        elif any(
            getattr(cluster, attribute) != getattr(wanted, attribute)
            for member, attribute in _PROPERTIES.items()
            if params.get(member)
        ):
            raise rules.invalid(
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
            )
        shown = {"TAGS", "SETTINGS", "CONFIGURATIONS", "ATTACHMENTS"}
        return {"cluster": self._describe_cluster(request.scope, cluster, shown)}

    def _wanted_cluster(self, request: Request, name: str, params: Params) -> Cluster:
        _refuse_service_connect(params)
        given = params.get("settings", [])
        check_settings(given)
        check_tags(params.get("tags", []))
        insights = [{"name": "containerInsights", "value": self.setting_in_force(request, "containerInsights")}]
        providers, strategy = self._providers_and_strategy(request.scope, params)
        self._check_alone(request.scope, name, providers)
        return Cluster(
            arn=f"arn:aws:ecs:{request.region}:{request.account}:cluster/{name}",
            name=name,
            settings=with_settings(insights, given),
            configuration=check_configuration(params.get("configuration")),
            capacity_providers=providers,
            default_strategy=strategy,
            tags=list(params.get("tags", [])),
        )

    def update_cluster(self, request: Request, params: Params) -> dict[str, Any]:
        """Settings and configuration; what is not given stays."""
        cluster = self.active_cluster(request.scope, params["cluster"])
        _refuse_service_connect(params)
        given = params.get("settings", [])
        check_settings(given)
        configuration = check_configuration(params.get("configuration"))
        cluster.settings = with_settings(cluster.settings, given)
        if "configuration" in params:
            cluster.configuration = configuration
        self.clusters.put(request.scope, cluster.name, cluster)
        self.beat(request.account)
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS", "CONFIGURATIONS"})}

    def update_cluster_settings(self, request: Request, params: Params) -> dict[str, Any]:
        """``containerInsights``."""
        cluster = self.active_cluster(request.scope, params["cluster"])
        if not params["settings"]:
            raise rules.invalid("Settings cannot be empty.")  # (?)
        check_settings(params["settings"])
        cluster.settings = with_settings(cluster.settings, params["settings"])
        self.clusters.put(request.scope, cluster.name, cluster)
        self.beat(request.account)
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS"})}

    def put_cluster_capacity_providers(self, request: Request, params: Params) -> dict[str, Any]:
        """Both are replaced whole. Raises ResourceInUseException when a provider that is left out still runs tasks."""
        cluster = self.active_cluster(request.scope, params["cluster"])
        providers, strategy = self._providers_and_strategy(request.scope, params)
        self._check_alone(request.scope, cluster.name, providers)
        in_use = {
            task.capacity_provider
            for task in self._tasks_of(request.scope, cluster)
            if task.last_status != "STOPPED" and task.capacity_provider
        }
        if in_use - set(providers):
            raise AwsError("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
        cluster.capacity_providers, cluster.default_strategy = providers, strategy
        self.clusters.put(request.scope, cluster.name, cluster)
        self.managed.changed(request.scope)
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS", "ATTACHMENTS"})}

    def describe_clusters(self, request: Request, params: Params) -> dict[str, Any]:
        """Those asked for, or ``default``; what is not there is a failure with the reason MISSING."""
        include = set(params.get("include", []))
        found, failures = [], []
        identifiers = params.get("clusters") or ["default"]
        if len(identifiers) > MOST_DESCRIBED:
            raise rules.invalid(f"clusters can have at most {MOST_DESCRIBED} items.")  # (?)
        for identifier in identifiers:
            name = rules.cluster_name(identifier)
            cluster = self.clusters.get(request.scope, name)
            arn = f"arn:aws:ecs:{request.region}:{request.account}:cluster/{name}"
            if cluster is None or (identifier.startswith("arn:") and identifier != arn):
                failures.append({"arn": identifier if identifier.startswith("arn:") else arn, "reason": "MISSING"})
            else:
                found.append(self._describe_cluster(request.scope, cluster, include))
        return {"clusters": found, "failures": failures}

    def list_clusters(self, request: Request, params: Params) -> dict[str, Any]:
        """ARNs of the active ones."""
        arns = [cluster.arn for cluster in self.clusters.of(request.scope) if cluster.status == "ACTIVE"]
        shown, token = page(arns, params)
        return {"clusterArns": shown, **token}

    def delete_cluster(self, request: Request, params: Params) -> dict[str, Any]:
        """It stays INACTIVE, and can be made anew. Raises ClusterContainsTasksException."""
        cluster = self.active_cluster(request.scope, params["cluster"])
        if any(one.cluster_arn == cluster.arn and one.status != "INACTIVE" for one in self.services.of(request.scope)):
            raise AwsError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(one.cluster_arn == cluster.arn and one.status != "INACTIVE" for one in self.instances.of(request.scope)):
            raise AwsError(
                "ClusterContainsContainerInstancesException",
                "The Cluster cannot be deleted while Container Instances are active or draining.",
            )
        if any(task.last_status != "STOPPED" for task in self._tasks_of(request.scope, cluster)):
            raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        cluster.status = "INACTIVE"
        self.clusters.put(request.scope, cluster.name, cluster)
        self.managed.changed(request.scope)
        return {"cluster": self._describe_cluster(request.scope, cluster, set())}

    def _providers_and_strategy(self, scope: Scope, params: Params) -> tuple[list[str], capacity.Strategy]:
        """From a request, checked, by their short names."""
        providers = [capacity.provider_name(name) for name in params.get("capacityProviders", [])]
        own = [one.name for one in self.providers.of(scope) if one.status == "ACTIVE"]
        capacity.check_providers(providers, (*capacity.FARGATE_PROVIDERS, *own))
        strategy = capacity.normalised(params.get("defaultCapacityProviderStrategy", []))
        capacity.check_strategy(strategy, providers)
        return providers, strategy

    def _check_alone(self, scope: Scope, name: str, providers: list[str]) -> None:
        """A provider whose scaling is managed is associated with one cluster. Raises InvalidParameterException."""
        others = [one for one in self.clusters.of(scope) if one.status == "ACTIVE" and one.name != name]
        for provider in providers:
            own = self.providers.get(scope, provider)
            if own is not None and own.is_managed and any(provider in one.capacity_providers for one in others):
                raise rules.invalid(
                    f"The capacity provider {provider} has managed scaling enabled and is associated with another cluster."
                )  # (?)

    def _tasks_of(self, scope: Scope, cluster: Cluster) -> list[Task]:
        return [task for task in self.tasks.of(scope) if task.cluster_arn == cluster.arn]

    def _describe_cluster(self, scope: Scope, cluster: Cluster, include: set[str]) -> dict[str, Any]:
        tasks = self._tasks_of(scope, cluster)
        services = [one for one in self.services.of(scope) if one.cluster_arn == cluster.arn]
        statistics = _statistics(tasks, services, {r.arn: r for r in self.revisions.of(scope)})
        instances = [i for i in self.instances.of(scope) if i.cluster_arn == cluster.arn and i.status != "INACTIVE"]
        shown: dict[str, Any] = {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": len(instances),
            "runningTasksCount": sum(task.last_status == "RUNNING" for task in tasks),
            "pendingTasksCount": sum(task.last_status in PENDING for task in tasks),
            "activeServicesCount": sum(one.status == "ACTIVE" for one in services),
            "statistics": [{"name": name, "value": str(value)} for name, value in statistics.items()]
            if "STATISTICS" in include
            else [],
            "tags": cluster.tags if "TAGS" in include else [],
            "settings": cluster.settings if "SETTINGS" in include else [],
            "capacityProviders": cluster.capacity_providers,
            "defaultCapacityProviderStrategy": cluster.default_strategy,
        }
        if "CONFIGURATIONS" in include and cluster.configuration:
            shown["configuration"] = cluster.configuration
        if "ATTACHMENTS" in include:
            shown |= self.managed.attachments(scope, cluster)
        return shown


_PROPERTIES = {
    "settings": "settings",
    "configuration": "configuration",
    "capacityProviders": "capacity_providers",
    "defaultCapacityProviderStrategy": "default_strategy",
    "tags": "tags",
}
"""What a second CreateCluster must agree with, where it says it"""


def _statistics(tasks: list[Task], services: list[Service], revisions: dict[str, Revision]) -> dict[str, int]:
    """Tasks and services by what they run on."""

    def tasks_in(states: tuple[str, ...], fargate: bool) -> int:
        return sum(task.last_status in states and task.on_fargate == fargate for task in tasks)

    def services_in(status: str, fargate: bool) -> int:
        return sum(
            one.status == status
            and one.primary is not None
            and ("platformFamily" in revisions[one.primary.revision_arn].placement()) == fargate
            for one in services
        )

    return {
        "runningEC2TasksCount": tasks_in(("RUNNING",), False),
        "runningFargateTasksCount": tasks_in(("RUNNING",), True),
        "pendingEC2TasksCount": tasks_in(PENDING, False),
        "pendingFargateTasksCount": tasks_in(PENDING, True),
        "activeEC2ServiceCount": services_in("ACTIVE", False),
        "activeFargateServiceCount": services_in("ACTIVE", True),
        "drainingEC2ServiceCount": services_in("DRAINING", False),
        "drainingFargateServiceCount": services_in("DRAINING", True),
    }


def _refuse_service_connect(params: Params) -> None:
    if params.get("serviceConnectDefaults"):
        raise AwsError(
            "NotImplemented", "Drydock does not implement serviceConnectDefaults of a cluster yet.", status=501
        )
