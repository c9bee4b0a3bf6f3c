"""Tags of ECS's resources."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import rules
from drydock.services.ecs.protection import ProtectionOperations
from drydock.services.ecs.tag_rules import added, check_untagged
from drydock.store import Collection, Scope

Params = dict[str, Any]


class TagOperations(ProtectionOperations):
    """TagResource, UntagResource, ListTagsForResource on clusters, task definitions, tasks, services, container instances
    and capacity providers."""

    def _tagged(self, scope: Scope, arn: str) -> tuple[Collection[Any], str, Any]:
        kind = arn.partition("/")[0].rpartition(":")[2]
        collection: Collection[Any]
        if kind == "cluster":
            collection, name = self.clusters, rules.cluster_name(arn)
        elif kind == "task-definition":
            collection, name = self.definitions, rules.task_id(arn)
        elif kind == "task":
            collection, name = self.tasks, arn
        elif kind == "service":
            collection, name = self.services, arn.partition("/")[2]
        elif kind == "container-instance":
            collection, name = self.instances, arn
        elif kind == "capacity-provider":
            collection, name = self.providers, rules.task_id(arn)
        else:
            raise rules.invalid(f"Invalid resource ARN: {arn}")
        found = collection.get(scope, name)
        if found is None or found.arn != arn:
            what = "cluster" if kind == "cluster" else "resource"
            raise AwsError("ResourceNotFoundException", f"The specified {what} was not found.")
        return collection, name, found

    def tag_resource(self, request: Request, params: Params) -> dict[str, Any]:
        """Tags of the same key are replaced."""
        collection, name, found = self._tagged(request.scope, params["resourceArn"])
        found.tags = added(found.tags, list(params["tags"]))
        collection.put(request.scope, name, found)
        return {}

    def untag_resource(self, request: Request, params: Params) -> dict[str, Any]:
        """Keys that are not there are no error."""
        collection, name, found = self._tagged(request.scope, params["resourceArn"])
        check_untagged(params["tagKeys"])
        found.tags = [tag for tag in found.tags if tag["key"] not in params["tagKeys"]]
        collection.put(request.scope, name, found)
        return {}

    def list_tags_for_resource(self, request: Request, params: Params) -> dict[str, Any]:
        """All of them."""
        return {"tags": self._tagged(request.scope, params["resourceArn"])[2].tags}
