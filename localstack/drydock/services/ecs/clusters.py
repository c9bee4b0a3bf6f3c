"""Operations on clusters and on the capacity providers that they may use.

Container Insights is a setting that is kept and shown; the metrics that AWS would collect under it are not made.

Sources: API reference of CreateCluster, PutClusterCapacityProviders and DescribeCapacityProviders. The messages marked
with (?) say the same in our words and are to be compared with AWS.
"""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import capacity, rules
from drydock.services.ecs.cluster_rules import check_configuration, check_settings, with_settings
from drydock.services.ecs.model import Cluster, Task
from drydock.services.ecs.paging import page
from drydock.services.ecs.settings import SettingOperations
from drydock.services.ecs.tag_rules import check_tags
from drydock.store import Collection, Scope

Params = dict[str, Any]
MOST_DESCRIBED = 100
LARGEST_PROVIDER_PAGE = 10


class ClusterOperations(SettingOperations):
    """CreateCluster, UpdateCluster, UpdateClusterSettings, DescribeClusters, ListClusters, DeleteCluster,
    PutClusterCapacityProviders, DescribeCapacityProviders."""

    clusters: Collection[Cluster]
    tasks: Collection[Task]

    def active_cluster(self, scope: Scope, identifier: str | None) -> Cluster:
        """The cluster that is meant. Raises ClusterNotFoundException."""
        cluster = self.clusters.get(scope, rules.cluster_name(identifier))
        if cluster is None or (identifier and identifier.startswith("arn:") and identifier != cluster.arn):
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        if cluster.status != "ACTIVE":
            raise AwsError("ClusterNotFoundException", "The referenced cluster was inactive.")
        return cluster

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
        elif any(
            getattr(cluster, attribute) != getattr(wanted, attribute)
            for member, attribute in _PROPERTIES.items()
            if params.get(member)
        ):
            raise rules.invalid(
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
            )
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS", "CONFIGURATIONS"})}

    def _wanted_cluster(self, request: Request, name: str, params: Params) -> Cluster:
        _refuse_service_connect(params)
        given = params.get("settings", [])
        check_settings(given)
        check_tags(params.get("tags", []))
        insights = [{"name": "containerInsights", "value": self.setting_in_force(request, "containerInsights")}]
        providers, strategy = _providers_and_strategy(params)
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
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS", "CONFIGURATIONS"})}

    def update_cluster_settings(self, request: Request, params: Params) -> dict[str, Any]:
        """``containerInsights``."""
        cluster = self.active_cluster(request.scope, params["cluster"])
        if not params["settings"]:
            raise rules.invalid("Settings cannot be empty.")  # (?)
        check_settings(params["settings"])
        cluster.settings = with_settings(cluster.settings, params["settings"])
        self.clusters.put(request.scope, cluster.name, cluster)
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS"})}

    def put_cluster_capacity_providers(self, request: Request, params: Params) -> dict[str, Any]:
        """Both are replaced whole. Raises ResourceInUseException when a provider that is left out still runs tasks."""
        cluster = self.active_cluster(request.scope, params["cluster"])
        providers, strategy = _providers_and_strategy(params)
        in_use = {
            task.capacity_provider
            for task in self._tasks_of(request.scope, cluster)
            if task.last_status != "STOPPED" and task.capacity_provider
        }
        if in_use - set(providers):
            raise AwsError("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
        cluster.capacity_providers, cluster.default_strategy = providers, strategy
        self.clusters.put(request.scope, cluster.name, cluster)
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS"})}

    def describe_capacity_providers(self, request: Request, params: Params) -> dict[str, Any]:
        """FARGATE and FARGATE_SPOT, which every account has, or those of them that ``cluster`` may use. They cannot be
        tagged, so ``include`` TAGS shows none."""
        known = list(capacity.FARGATE_PROVIDERS)
        if params.get("cluster"):
            cluster = self.active_cluster(request.scope, params["cluster"])
            known = [name for name in known if name in cluster.capacity_providers]
        prefix = f"arn:aws:ecs:{request.region}:{request.account}:capacity-provider/"
        asked = params.get("capacityProviders") or known
        if len(asked) > MOST_DESCRIBED:
            raise rules.invalid(f"capacityProviders can have at most {MOST_DESCRIBED} items.")  # (?)
        names = [identifier if identifier.startswith("arn:") else prefix + identifier for identifier in asked]
        there = [arn for arn in names if arn in {prefix + name for name in known}]
        shown, token = page(list(dict.fromkeys(there)), params, largest=LARGEST_PROVIDER_PAGE)
        return {
            "capacityProviders": [
                {
                    "capacityProviderArn": arn,
                    "name": capacity.provider_name(arn),
                    "status": "ACTIVE",
                    "type": capacity.provider_name(arn),
                    "tags": [],
                }
                for arn in shown
            ],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in names if arn not in there],
            **token,
        }

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
        if any(task.last_status != "STOPPED" for task in self._tasks_of(request.scope, cluster)):
            raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        cluster.status = "INACTIVE"
        self.clusters.put(request.scope, cluster.name, cluster)
        return {"cluster": self._describe_cluster(request.scope, cluster, set())}

    def _tasks_of(self, scope: Scope, cluster: Cluster) -> list[Task]:
        return [task for task in self.tasks.of(scope) if task.cluster_arn == cluster.arn]

    def _describe_cluster(self, scope: Scope, cluster: Cluster, include: set[str]) -> dict[str, Any]:
        states = [task.last_status for task in self._tasks_of(scope, cluster)]
        running = states.count("RUNNING")
        pending = sum(state in ("PROVISIONING", "PENDING", "ACTIVATING") for state in states)
        statistics = {
            "runningEC2TasksCount": 0, "runningFargateTasksCount": running, "pendingEC2TasksCount": 0,
            "pendingFargateTasksCount": pending, "activeEC2ServiceCount": 0, "activeFargateServiceCount": 0,
            "drainingEC2ServiceCount": 0, "drainingFargateServiceCount": 0,
        }  # fmt: skip
        shown: dict[str, Any] = {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": running,
            "pendingTasksCount": pending,
            "activeServicesCount": 0,
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
        return shown


_PROPERTIES = {
    "settings": "settings",
    "configuration": "configuration",
    "capacityProviders": "capacity_providers",
    "defaultCapacityProviderStrategy": "default_strategy",
    "tags": "tags",
}
"""What a second CreateCluster must agree with, where it says it"""


def _refuse_service_connect(params: Params) -> None:
    if params.get("serviceConnectDefaults"):
        raise AwsError(
            "NotImplemented", "Drydock does not implement serviceConnectDefaults of a cluster yet.", status=501
        )


def _providers_and_strategy(params: Params) -> tuple[list[str], capacity.Strategy]:
    """From a request, checked, by their short names."""
    providers = [capacity.provider_name(name) for name in params.get("capacityProviders", [])]
    capacity.check_providers(providers)
    strategy = capacity.normalised(params.get("defaultCapacityProviderStrategy", []))
    capacity.check_strategy(strategy, providers)
    return providers, strategy
