"""Operations on task definitions, and the checks that AWS makes when one is registered."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import rules
from drydock.services.ecs.controller import TaskController
from drydock.services.ecs.model import Family, Task, TaskDefinition
from drydock.services.ecs.paging import page
from drydock.services.ecs.registration import check, document
from drydock.services.ecs.roles import RoleSessions
from drydock.services.ecs.tag_rules import check_tags
from drydock.services.service import Service
from drydock.store import Collection, Scope

Params = dict[str, Any]
MOST_DELETED_A_CALL = 10


class TaskDefinitionOperations(Service):
    """Register, deregister, describe, list, delete. Kept by ``family:revision``."""

    definitions: Collection[TaskDefinition]
    families: Collection[Family]
    tasks: Collection[Task]
    roles: RoleSessions
    controller: TaskController

    def register_task_definition(self, request: Request, params: Params) -> dict[str, Any]:
        """The next revision of the family."""
        check(params)
        check_tags(params.get("tags", []))
        for member in ("taskRoleArn", "executionRoleArn"):
            if role := params.get(member):
                self.roles.check_may_pass(request, role)
        family = params["family"]
        kept = self.families.get(request.scope, family) or Family()  # no revision is given twice, also after deletion
        kept.last_revision += 1
        self.families.put(request.scope, family, kept)
        revision = kept.last_revision
        definition = TaskDefinition(
            arn=f"arn:aws:ecs:{request.region}:{request.account}:task-definition/{family}:{revision}",
            family=family,
            revision=revision,
            document=document(params),
            registered_at=self.platform.clock(request.account).now(),
            registered_by=request.principal.arn,
            tags=list(params.get("tags", [])),
        )
        self.definitions.put(request.scope, f"{family}:{revision}", definition)
        self.controller.prepare([str(each.get("image", "")) for each in definition.document["containerDefinitions"]])
        return {"taskDefinition": definition.describe(), "tags": definition.tags}

    def describe_task_definition(self, request: Request, params: Params) -> dict[str, Any]:
        """By family (the latest active revision), family:revision or ARN."""
        definition = self.find_definition(request.scope, params["taskDefinition"])
        if definition is None:
            raise rules.client_error("Unable to describe task definition.")
        shown: dict[str, Any] = {"taskDefinition": definition.describe()}
        if "TAGS" in params.get("include", []):
            shown["tags"] = definition.tags
        return shown

    def deregister_task_definition(self, request: Request, params: Params) -> dict[str, Any]:
        """It stays INACTIVE; what runs of it goes on."""
        name = rules.definition_name(params["taskDefinition"])
        if name is None or name.revision is None:
            raise rules.client_error("Invalid revision number. Number: null")
        definition = self.find_definition(request.scope, params["taskDefinition"])
        if definition is None:
            raise rules.client_error("The specified task definition does not exist.")
        if definition.status == "ACTIVE":
            definition.status = "INACTIVE"
            definition.deregistered_at = self.platform.clock(request.account).now()
            self._keep(request.scope, definition)
        return {"taskDefinition": definition.describe()}

    def delete_task_definitions(self, request: Request, params: Params) -> dict[str, Any]:
        """INACTIVE ones only; a task that still refers to one keeps it in DELETE_IN_PROGRESS."""
        if not 1 <= len(params["taskDefinitions"]) <= MOST_DELETED_A_CALL:
            raise rules.invalid(f"Specify from 1 to {MOST_DELETED_A_CALL} task definitions.")
        deleted, failures = [], []
        for identifier in params["taskDefinitions"]:
            definition = self.find_definition(request.scope, identifier)
            name = rules.definition_name(identifier)
            if definition is None or name is None or name.revision is None:
                failures.append({"arn": identifier, "reason": "The specified task definition does not exist."})
            elif definition.status == "ACTIVE":
                reason = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
                failures.append({"arn": definition.arn, "reason": reason})
            else:
                definition.status = "DELETE_IN_PROGRESS"
                definition.delete_requested_at = self.platform.clock(request.account).now()
                self._keep(request.scope, definition)
                deleted.append(definition.describe())
                self.controller.forget_if_unused(request.scope, definition)
        return {"taskDefinitions": deleted, "failures": failures}

    def list_task_definitions(self, request: Request, params: Params) -> dict[str, Any]:
        """ARNs of one status, of a family or of all, in the order of family and revision."""
        status, family = params.get("status", "ACTIVE"), params.get("familyPrefix")
        if status not in ("ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"):
            raise rules.invalid(f"Invalid status: {status}")
        chosen = [d for d in self.definitions.of(request.scope) if d.status == status and family in (None, d.family)]
        shown, token = page([d.arn for d in chosen], params, rules.definition_order, params.get("sort") == "DESC")
        return {"taskDefinitionArns": shown, **token}

    def list_task_definition_families(self, request: Request, params: Params) -> dict[str, Any]:
        """Names of families with (status ACTIVE) or without (INACTIVE) active revisions; by default both."""
        status, prefix = params.get("status", "ALL"), params.get("familyPrefix", "")
        families: dict[str, bool] = {}
        for definition in self.definitions.of(request.scope):
            active = definition.status == "ACTIVE"
            families[definition.family] = families.get(definition.family, False) or active
        wanted = {"ACTIVE": (True,), "INACTIVE": (False,), "ALL": (True, False)}.get(status)
        if wanted is None:
            raise rules.invalid(f"Invalid status: {status}")
        names = [name for name, active in families.items() if active in wanted and name.startswith(prefix)]
        shown, token = page(names, params)
        return {"families": shown, **token}

    def find_definition(self, scope: Scope, identifier: str) -> TaskDefinition | None:
        """What an identifier means; a family alone means its latest active revision."""
        name = rules.definition_name(identifier)
        if name is None:
            return None
        if name.revision is None:
            active = [d for d in self._family(scope, name.family) if d.status == "ACTIVE"]
            return max(active, key=lambda d: d.revision, default=None)
        found = self.definitions.get(scope, f"{name.family}:{name.revision}")
        if found is not None and identifier.startswith("arn:") and identifier != found.arn:
            return None
        return found

    def runnable_definition(self, scope: Scope, identifier: str) -> TaskDefinition:
        """For RunTask. Raises ClientException."""
        definition = self.find_definition(scope, identifier)
        if definition is None:
            raise rules.client_error("TaskDefinition not found.")
        if definition.status != "ACTIVE":
            raise rules.client_error("TaskDefinition is inactive")
        return definition

    def _family(self, scope: Scope, family: str) -> list[TaskDefinition]:
        return [definition for definition in self.definitions.of(scope) if definition.family == family]

    def _keep(self, scope: Scope, definition: TaskDefinition) -> None:
        self.definitions.put(scope, f"{definition.family}:{definition.revision}", definition)


def not_yet(what: str) -> AwsError:
    """A part of an operation that AWS has and we lack."""
    return AwsError("NotImplemented", f"Drydock does not implement {what} yet.", status=501)
