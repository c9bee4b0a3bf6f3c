"""Operations on clusters."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import rules
from drydock.services.ecs.model import Cluster, Task
from drydock.services.ecs.paging import page
from drydock.services.service import Service
from drydock.store import Collection, Scope

Params = dict[str, Any]


class ClusterOperations(Service):
    """CreateCluster, DescribeClusters, ListClusters, DeleteCluster."""

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
        """Creating one that exists answers with it, as on AWS."""
        name = params.get("clusterName") or "default"
        if not rules.NAME.fullmatch(name):
            raise rules.invalid(
                "Identifier is not valid. The cluster name must be up to 255 characters long and may contain letters, "
                "numbers, hyphens and underscores."
            )
        for lacking in ("configuration", "serviceConnectDefaults"):
            if params.get(lacking):
                raise AwsError("NotImplemented", f"Drydock does not implement {lacking} of a cluster yet.", status=501)
        cluster = self.clusters.get(request.scope, name)
        if cluster is None or cluster.status != "ACTIVE":
            arn = f"arn:aws:ecs:{request.region}:{request.account}:cluster/{name}"
            cluster = Cluster(arn, name)
            cluster.tags = list(params.get("tags", []))
            cluster.settings = list(params.get("settings", [])) or cluster.settings
            cluster.capacity_providers = list(params.get("capacityProviders", []))
            cluster.default_strategy = list(params.get("defaultCapacityProviderStrategy", []))
            self.clusters.put(request.scope, name, cluster)
        return {"cluster": self._describe_cluster(request.scope, cluster, {"TAGS", "SETTINGS", "CONFIGURATIONS"})}

    def describe_clusters(self, request: Request, params: Params) -> dict[str, Any]:
        """Those asked for, or ``default``; what is not there is a failure with the reason MISSING."""
        include = set(params.get("include", []))
        found, failures = [], []
        for identifier in params.get("clusters") or ["default"]:
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
        """It stays INACTIVE. Raises ClusterContainsTasksException."""
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
        }  # fmt: skip
        return {
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
