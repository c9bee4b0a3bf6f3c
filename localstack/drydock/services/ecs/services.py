"""Operations on services: they write down what is wanted; the scheduler makes it true."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from drydock.errors import AwsError
from drydock.request import Request
from drydock.services.ecs import capacity, exec_rules, placement_rules, rules, service_rules
from drydock.services.ecs.model import Cluster, TaskDefinition
from drydock.services.ecs.paging import page
from drydock.services.ecs.rollout import Rollout
from drydock.services.ecs.service_model import Revision, Service, ServiceDeployment, service_key
from drydock.services.ecs.service_views import ServiceViews
from drydock.services.ecs.tag_rules import check_tags
from drydock.services.ecs.tasks import check_launch, network_of
from drydock.store import Collection, Scope

Params = dict[str, Any]
MOST_DESCRIBED = 10
DEFAULT_PAGE = 10
_WHERE = ("taskDefinition", "capacityProviderStrategy", "networkConfiguration", "platformVersion")
"""Parameters of UpdateService that say what is to run: a change of them is a deployment"""


class ServiceOperations(ServiceViews):
    """CreateService, UpdateService, DeleteService, DescribeServices, ListServices."""

    records: Collection[ServiceDeployment]

    def rollout_of(self, scope: Scope, service: Service) -> Rollout:
        """To change its deployments."""
        return Rollout(self.platform, scope, service, self.revisions, self.records)

    def existing_service(self, scope: Scope, cluster: Cluster, identifier: str) -> Service:
        """One that is ACTIVE. Raises ServiceNotFoundException, ServiceNotActiveException."""
        service = self.service_named(scope, cluster, identifier)
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        return service

    # -- operations
    async def create_service(self, request: Request, params: Params) -> dict[str, Any]:
        """Sent again with the same client token it changes nothing."""
        scope = request.scope
        cluster = self.active_cluster(scope, params.get("cluster"))
        name = params["serviceName"]
        service_rules.check_name(name)
        if earlier := self._made_before(scope, cluster, params):
            return {"service": self.describe_service(scope, earlier, tags=True)}
        wanted, definition = self._wanted(request, cluster, params)
        where = self._where(params, cluster, definition, wanted.strategy_kind == "DAEMON") if definition else {}
        if where.get("network"):
            await self.controller.interfaces.check(scope, where["network"])
        if definition is not None:
            await self.controller.balancing.check(scope, where["load_balancers"], definition)
        if earlier := self._made_before(scope, cluster, params):  # while EC2 was asked
            return {"service": self.describe_service(scope, earlier, tags=True)}
        wanted.launch_type = where.get("launch_type", "")
        self.services.put(scope, wanted.key, wanted)
        if definition is not None:
            rollout = self.rollout_of(scope, wanted)
            rollout.begin(rollout.revision(definition, **where))
        self.services_controller.notice(scope, wanted.key)
        return {"service": self.describe_service(scope, wanted, tags=True)}

    def _made_before(self, scope: Scope, cluster: Cluster, params: Params) -> Service | None:
        """Raises InvalidParameterException if there is another one of the name."""
        held = self.services.get(scope, service_key(cluster.arn, params["serviceName"]))
        if held is None or held.status == "INACTIVE":
            return None
        if held.status == "DRAINING":
            raise rules.invalid("Unable to Start a service that is still Draining.")
        if held.request_digest != _digest(params):
            raise rules.invalid("Creation of service was not idempotent.")
        return held

    def _wanted(self, request: Request, cluster: Cluster, params: Params) -> tuple[Service, TaskDefinition | None]:
        """Checked. The definition is None for the EXTERNAL controller."""
        service_rules.check_lacking(params)
        kind = params.get("schedulingStrategy", "REPLICA")
        if kind not in ("REPLICA", "DAEMON"):
            raise rules.invalid(f"Invalid schedulingStrategy: {kind}")  # (?)
        daemon, controller = kind == "DAEMON", service_rules.controller(params)
        service_rules.check_count(params.get("desiredCount"), daemon, required=controller == "ECS")
        check_tags(params.get("tags", []))
        definition = None
        if controller == "EXTERNAL":
            if daemon:
                raise rules.invalid("The daemon scheduling strategy does not support the EXTERNAL controller.")  # (?)
            if params.get("taskDefinition"):
                raise rules.invalid("TaskDefinition must be blank")
        else:
            if not params.get("taskDefinition"):
                raise rules.invalid("TaskDefinition can not be blank.")  # (?)
            definition = self.runnable_definition(request.scope, params["taskDefinition"])
            if params.get("enableExecuteCommand"):
                exec_rules.check_role(definition.document.get("taskRoleArn", ""), "service couldn't be created")
        strategies = placement_rules.strategies(params.get("placementStrategy", []))
        placement_rules.constraints(params.get("placementConstraints", []))
        if params.get("role"):
            raise rules.invalid("You cannot specify an IAM role for services that require a service linked role.")
        service_rules.check_grace(params.get("healthCheckGracePeriodSeconds"), bool(params.get("loadBalancers")))
        if controller == "EXTERNAL" and params.get("deploymentConfiguration", {}).get("alarms", {}).get("enable"):
            raise rules.invalid("Deployment alarms are only supported with the ECS deployment controller.")  # (?)
        if controller == "EXTERNAL" and params.get("loadBalancers"):
            raise rules.invalid("LoadBalancers must be empty or null")
        service = Service(
            arn=f"arn:aws:ecs:{request.region}:{request.account}:service/{cluster.name}/{params['serviceName']}",
            name=params["serviceName"],
            cluster_arn=cluster.arn,
            desired_count=params.get("desiredCount", 0),
            configuration=service_rules.configuration(params.get("deploymentConfiguration", {}), None, daemon),
            created_at=self.platform.clock(request.account).now(),
            created_by=request.principal.arn,
            strategy_kind=kind,
            controller=controller,
            constraints=list(params.get("placementConstraints", [])),
            strategies=placement_rules.shown(strategies),
            propagate_tags=_propagated(params),
            managed_tags=bool(params.get("enableECSManagedTags")),
            execute_command=bool(params.get("enableExecuteCommand")),
            grace=params.get("healthCheckGracePeriodSeconds", 0) if params.get("loadBalancers") else None,
            client_token=params.get("clientToken", ""),
            request_digest=_digest(params),
            tags=list(params.get("tags", [])),
        )
        return service, definition

    def _where(self, params: Params, cluster: Cluster, definition: TaskDefinition, daemon: bool) -> dict[str, Any]:
        """How a revision's tasks are launched, from the parameters of a request. Raises AwsError."""
        given, launch_type = params.get("capacityProviderStrategy") or [], params.get("launchType", "")
        if given and launch_type:
            raise rules.invalid(
                "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
            )
        strategy = capacity.normalised(given)
        if strategy:
            capacity.check_strategy(strategy, cluster.capacity_providers)
            capacity.check_usable(strategy, default=False)
        elif not launch_type and cluster.default_strategy:
            strategy = cluster.default_strategy
            capacity.check_usable(strategy, default=True)
        if daemon:
            service_rules.check_daemon(params, bool(strategy))
        launch_type = "" if strategy else launch_type or "EC2"
        if launch_type == "EXTERNAL":
            raise service_rules.not_yet("the launch type EXTERNAL of a service")
        if launch_type not in ("", "EC2", "FARGATE"):
            raise rules.invalid(f"Invalid launchType: {launch_type}")  # (?)
        fargate = launch_type == "FARGATE" or any(
            item["capacityProvider"] in capacity.FARGATE_PROVIDERS for item in strategy
        )
        check_launch(params, definition, fargate)
        version = params.get("platformVersion", "LATEST") if fargate else ""
        network = network_of(params, definition, fargate)
        return {
            "launch_type": launch_type,
            "strategy": strategy,
            "platform_version": version,
            "network": network,
            "load_balancers": list(params.get("loadBalancers", [])),
        }

    async def update_service(self, request: Request, params: Params) -> dict[str, Any]:
        """What is not given stays. A change of what is to run, or ``forceNewDeployment``, begins a deployment."""
        scope = request.scope
        cluster = self.active_cluster(scope, params.get("cluster"))
        service = self.existing_service(scope, cluster, params["service"])
        daemon = service.strategy_kind == "DAEMON"
        service_rules.check_lacking(params)
        service_rules.check_count(params.get("desiredCount"), daemon, required=False)
        configuration = service_rules.configuration(
            params.get("deploymentConfiguration", {}), service.configuration, daemon
        )
        strategies = placement_rules.strategies(params.get("placementStrategy", []))
        placement_rules.constraints(params.get("placementConstraints", []))
        if service_rules.controller(params) != service.controller and "deploymentController" in params:
            raise rules.invalid("The deployment controller of a service cannot be changed.")  # (?)
        balanced = bool(params.get("loadBalancers", service.grace is not None))
        service_rules.check_grace(params.get("healthCheckGracePeriodSeconds"), balanced)
        revised = await self._revised(scope, cluster, service, params)
        service = self.existing_service(scope, cluster, params["service"])  # EC2 may have been asked
        execute_command = params.get("enableExecuteCommand", service.execute_command)
        if execute_command:
            self._check_task_role(scope, service, revised[0] if revised else None)
        service.execute_command = execute_command
        service.configuration = configuration
        if "placementStrategy" in params:
            service.strategies = placement_rules.shown(strategies)
        if "placementConstraints" in params:
            service.constraints = list(params["placementConstraints"])
        if "propagateTags" in params:
            service.propagate_tags = _propagated(params)
        if "enableECSManagedTags" in params:
            service.managed_tags = params["enableECSManagedTags"]
        if "desiredCount" in params:
            service.desired_count = params["desiredCount"]
        service.grace = params.get("healthCheckGracePeriodSeconds", service.grace or 0) if balanced else None
        if revised is not None:
            definition, where = revised
            rollout = self.rollout_of(scope, service)
            rollout.begin(rollout.revision(definition, **where))
        self.services.put(scope, service.key, service)
        self.services_controller.notice(scope, service.key)
        return {"service": self.describe_service(scope, service, tags=True)}

    def _check_task_role(self, scope: Scope, service: Service, definition: TaskDefinition | None) -> None:
        """Of what is to run: the new definition, or that of the primary deployment. Raises InvalidParameterException."""
        if definition is None and service.primary is not None:
            revision = self.revisions.get(scope, service.primary.revision_arn)
            assert revision is not None
            definition = self.definition_of(scope, revision.task_definition_arn)
        if definition is not None:
            exec_rules.check_role(definition.document.get("taskRoleArn", ""), "service couldn't be updated")

    async def _revised(
        self, scope: Scope, cluster: Cluster, service: Service, params: Params
    ) -> tuple[TaskDefinition, dict[str, Any]] | None:
        """What is to run from now on, None if nothing of it changes. Raises AwsError."""
        primary = service.primary
        if primary is None:
            if any(params.get(member) for member in (*_WHERE, "forceNewDeployment")):
                raise rules.invalid("A service with the EXTERNAL controller is changed by its task sets.")  # (?)
            return None
        revision = self.revisions.get(scope, primary.revision_arn)
        assert revision is not None
        if params.get("taskDefinition"):
            definition = self.runnable_definition(scope, params["taskDefinition"])
        else:
            definition = self.definition_of(scope, revision.task_definition_arn)
        where = self._moved(cluster, service, revision, definition, params)
        held = {"launch_type": revision.launch_type, "strategy": revision.strategy, "network": revision.network}
        held |= {"platform_version": revision.platform_version, "load_balancers": revision.load_balancers}
        if definition.arn == revision.task_definition_arn and where == held and not params.get("forceNewDeployment"):
            return None
        if where["strategy"] != revision.strategy and not params.get("forceNewDeployment"):
            raise rules.invalid(
                "When switching from launch type to capacity provider strategy on an existing service, or making a change "
                "to a capacity provider strategy on a service that is already using one, you must force a new deployment."
            )
        if where["network"] != revision.network and where["network"]:
            await self.controller.interfaces.check(scope, where["network"])
        await self.controller.balancing.check(scope, where["load_balancers"], definition)
        return definition, where

    def _moved(
        self, cluster: Cluster, service: Service, revision: Revision, definition: TaskDefinition, params: Params
    ) -> dict[str, Any]:
        """How the tasks are launched after an update."""
        merged: Params = {"launchType": revision.launch_type} if revision.launch_type else {}
        if revision.strategy:
            merged["capacityProviderStrategy"] = revision.strategy
        if revision.network:
            merged["networkConfiguration"] = {"awsvpcConfiguration": revision.network}
        if revision.platform_version:
            merged["platformVersion"] = revision.platform_version
        if params.get("capacityProviderStrategy"):
            merged.pop("launchType", None)
        elif "capacityProviderStrategy" in params:
            if not service.launch_type:
                raise rules.invalid(
                    "No launch type to fall back to for empty capacity provider strategy. Your service was not created with "
                    "a launch type."
                )
            merged.pop("capacityProviderStrategy", None)
            merged["launchType"] = service.launch_type
        merged["loadBalancers"] = params.get("loadBalancers", revision.load_balancers)
        merged |= {name: params[name] for name in _WHERE if params.get(name)}
        return self._where(merged, cluster, definition, service.strategy_kind == "DAEMON")

    def delete_service(self, request: Request, params: Params) -> dict[str, Any]:
        """Its tasks are stopped; it is DRAINING until they have, then INACTIVE."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        service = self.find_service(request.scope, cluster, params["service"])
        if service.status == "ACTIVE":
            replica = service.strategy_kind == "REPLICA"
            if replica and service.desired_count > 0 and not params.get("force"):
                raise rules.invalid("The service cannot be stopped while it is scaled above 0.")
            if service.task_sets and not params.get("force"):
                raise rules.invalid("The service cannot be deleted while it has task sets.")  # (?)
            service.status, service.desired_count = "DRAINING", 0
            for deployment in service.deployments:
                deployment.desired_count = 0
            self.services.put(request.scope, service.key, service)
            self.services_controller.notice(request.scope, service.key)
        return {"service": self.describe_service(request.scope, service, tags=True)}

    def describe_services(self, request: Request, params: Params) -> dict[str, Any]:
        """What is not there is a failure with the reason MISSING."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        if not params["services"]:
            raise rules.invalid("Services cannot be empty.")
        if len(params["services"]) > MOST_DESCRIBED:
            raise rules.invalid(f"service names can have at most {MOST_DESCRIBED} items.")
        found, failures = [], []
        for identifier in params["services"]:
            service = self.service_named(request.scope, cluster, identifier)
            if service is None:
                arn = f"arn:aws:ecs:{request.region}:{request.account}:service/{cluster.name}/{identifier}"
                missing = identifier if identifier.startswith("arn:") else arn
                failures.append({"arn": missing, "reason": "MISSING"})
            else:
                found.append(self.describe_service(request.scope, service, "TAGS" in params.get("include", [])))
        return {"services": found, "failures": failures}

    def list_services(self, request: Request, params: Params) -> dict[str, Any]:
        """ARNs of the ACTIVE ones of a cluster, ten a page unless asked otherwise."""
        cluster = self.active_cluster(request.scope, params.get("cluster"))
        kind, launch_type = params.get("schedulingStrategy"), params.get("launchType")
        arns = [
            service.arn
            for service in self.services.of(request.scope)
            if service.cluster_arn == cluster.arn
            and service.status == "ACTIVE"
            and kind in (None, service.strategy_kind)
            and launch_type in (None, self.launch_type_of(request.scope, service))
        ]
        shown, token = page(arns, {"maxResults": DEFAULT_PAGE, **params})
        return {"serviceArns": shown, **token}


def _propagated(params: Params) -> str:
    kind = str(params.get("propagateTags", "NONE"))
    if kind not in ("NONE", "SERVICE", "TASK_DEFINITION"):
        raise rules.invalid(f"Invalid propagateTags: {kind}")  # (?)
    return kind


def _digest(params: Params) -> str:
    given = {name: value for name, value in params.items() if name != "clientToken"}
    return hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()
