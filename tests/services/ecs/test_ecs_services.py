"""CreateService, UpdateService, DeleteService, DescribeServices, ListServices: answers, refusals, tags, waiters."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.ecs.story import id_of, processes
from tests.services.ecs.test_ecs_wire import MODEL, departures, post
from tests.services.ecs.yard import INVALID, Yard, refused

QUICK = {"Delay": 1, "MaxAttempts": 30}
BRIDGE = {"name": "a", "image": "busybox", "memory": 64}


# -- what is answered
def test_a_service_is_created_becomes_steady_and_is_deleted(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    made = yard.create(definition, 2)
    arn = f"arn:aws:ecs:us-east-1:{yard.account}:service/yard/web"
    assert {"serviceArn": arn, "serviceName": "web", "status": "ACTIVE", "desiredCount": 2, "runningCount": 0,
            "pendingCount": 0, "launchType": "FARGATE", "platformVersion": "LATEST", "platformFamily": "Linux",
            "taskDefinition": definition, "schedulingStrategy": "REPLICA", "propagateTags": "NONE", "events": [],
            "clusterArn": f"arn:aws:ecs:us-east-1:{yard.account}:cluster/yard", "loadBalancers": [],
            "serviceRegistries": [], "placementConstraints": [], "placementStrategy": [],
            "enableECSManagedTags": False, "enableExecuteCommand": False}.items() <= made.items()  # fmt: skip
    assert made["createdBy"] == f"arn:aws:iam::{yard.account}:root"
    assert made["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == [yard.subnet]
    assert made["deploymentConfiguration"]["maximumPercent"] == 200
    assert made["deploymentConfiguration"]["minimumHealthyPercent"] == 100
    assert made["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}
    (deployment,) = made["deployments"]
    assert re.fullmatch(r"ecs-svc/\d{19}", deployment["id"])
    assert {"status": "PRIMARY", "taskDefinition": definition, "desiredCount": 2, "runningCount": 0, "pendingCount": 0,
            "failedTasks": 0, "rolloutState": "IN_PROGRESS", "launchType": "FARGATE",
            "rolloutStateReason": f"ECS deployment {deployment['id']} in progress."}.items() <= deployment.items()  # fmt: skip
    service = yard.steady(running=2)
    assert len(processes(marker)) == 2, "runningCount without processes"
    (completed,) = service["deployments"]
    assert (completed["id"], completed["runningCount"], completed["pendingCount"]) == (deployment["id"], 2, 0)
    assert completed["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
    for task in yard.tasks():
        assert (task["group"], task["startedBy"], task["lastStatus"]) == ("service:web", deployment["id"], "RUNNING")
        assert (task["launchType"], task["platformVersion"]) == ("FARGATE", "1.4.0")
        assert task["taskDefinitionArn"] == definition
    answer = yard.ecs.delete_service(cluster="yard", service="web", force=True)["service"]
    assert (answer["status"], answer["desiredCount"]) == ("DRAINING", 0)
    yard.until_service(lambda s: s["status"] == "INACTIVE", "it is INACTIVE")
    assert processes(marker) == [], "INACTIVE with processes"
    ended = yard.ecs.list_tasks(cluster="yard", desiredStatus="STOPPED")["taskArns"]
    for task in yard.ecs.describe_tasks(cluster="yard", tasks=ended)["tasks"]:
        assert task["stopCode"] == "ServiceSchedulerInitiated"
        assert task["stoppedReason"] == f"Scaling activity initiated by (deployment {deployment['id']})"


def test_created_again(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    made = yard.create(definition, 0, clientToken="one")
    again = yard.create(definition, 0, clientToken="two")
    assert (again["serviceArn"], again["createdAt"]) == (made["serviceArn"], made["createdAt"])
    assert again["deployments"][0]["id"] == made["deployments"][0]["id"]
    base = {"cluster": "yard", "serviceName": "web", "taskDefinition": definition, "launchType": "FARGATE"}
    for changed in ({"desiredCount": 1}, {"desiredCount": 0, "propagateTags": "SERVICE"}):
        given = {**base, "networkConfiguration": yard.network, **changed}
        assert refused(yard.ecs.create_service, **given) == (INVALID, "Creation of service was not idempotent.")
    assert yard.service()["desiredCount"] == 0


def test_a_name_is_free_again_when_its_service_is_inactive(yard: Yard) -> None:
    definition, _ = yard.sleeper(command=["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    first = yard.create(definition, 1)
    yard.steady()
    yard.ecs.delete_service(cluster="yard", service="web", force=True)
    given = {"cluster": "yard", "serviceName": "web", "taskDefinition": definition, "launchType": "FARGATE",
             "networkConfiguration": yard.network, "desiredCount": 1}  # fmt: skip
    assert refused(yard.ecs.create_service, **given) == (INVALID, "Unable to Start a service that is still Draining.")
    assert refused(yard.ecs.update_service, cluster="yard", service="web", desiredCount=1) == (
        "ServiceNotActiveException", "Service was not ACTIVE."
    )  # fmt: skip
    assert yard.ecs.delete_service(cluster="yard", service="web")["service"]["status"] == "DRAINING"
    yard.until_service(lambda s: s["status"] == "INACTIVE", "it is INACTIVE")
    assert refused(yard.ecs.update_service, cluster="yard", service="web", desiredCount=1) == (
        "ServiceNotActiveException", "Service was not ACTIVE."
    )  # fmt: skip
    assert refused(yard.ecs.delete_service, cluster="yard", service="web")[0] == "ServiceNotFoundException"
    assert yard.ecs.list_services(cluster="yard")["serviceArns"] == []
    second = yard.create(definition, 0)
    assert second["serviceArn"] == first["serviceArn"]
    assert second["createdAt"] > first["createdAt"]
    assert second["deployments"][0]["id"] != first["deployments"][0]["id"]
    assert (second["events"], second["status"]) == ([], "ACTIVE")
    assert len(yard.records()) == 1, "the service deployments of the one before are not its own"


def test_delete_needs_force_above_zero(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.create(definition, 1)
    delete = yard.ecs.delete_service
    assert refused(delete, cluster="yard", service="web") == (
        INVALID, "The service cannot be stopped while it is scaled above 0."
    )  # fmt: skip
    assert yard.service()["status"] == "ACTIVE"
    yard.update(desiredCount=0)
    assert delete(cluster="yard", service="web")["service"]["status"] == "DRAINING"
    yard.until_service(lambda s: s["status"] == "INACTIVE", "it is INACTIVE")


def test_described_in_failures(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    made = yard.create(definition, 0)
    prefix = f"arn:aws:ecs:us-east-1:{yard.account}:service/yard/"
    names = ["web", made["serviceArn"], "none", prefix + "other"]
    answer = yard.ecs.describe_services(cluster="yard", services=names)
    assert {each["serviceName"] for each in answer["services"]} == {"web"}
    assert answer["failures"] == [
        {"arn": prefix + "none", "reason": "MISSING"}, {"arn": prefix + "other", "reason": "MISSING"}
    ]  # fmt: skip


def test_lists_in_pages_and_by_kind(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    names = [f"web{number:02}" for number in range(12)]
    for name in names:
        yard.create(definition, 0, name)
    listing = yard.ecs.list_services
    first = listing(cluster="yard")
    assert len(first["serviceArns"]) == 10, "AWS shows ten unless asked for more"
    second = listing(cluster="yard", nextToken=first["nextToken"])
    assert "nextToken" not in second
    found = first["serviceArns"] + second["serviceArns"]
    assert sorted(map(id_of, found)) == names
    pages = yard.ecs.get_paginator("list_services").paginate(cluster="yard", PaginationConfig={"PageSize": 5})
    assert sorted(arn for one in pages for arn in one["serviceArns"]) == sorted(found)
    assert len(listing(cluster="yard", maxResults=100, launchType="FARGATE")["serviceArns"]) == 12
    assert listing(cluster="yard", launchType="EC2")["serviceArns"] == []
    assert listing(cluster="yard", schedulingStrategy="DAEMON")["serviceArns"] == []
    yard.ecs.create_cluster(clusterName="other")
    assert listing(cluster="other")["serviceArns"] == []


def test_tasks_are_listed_by_service(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.create(definition, 2)
    yard.create(definition, 1, "api")
    yard.steady()
    yard.steady("api")
    assert len(yard.tasks()) == 2
    assert len(yard.tasks("api")) == 1
    assert refused(yard.ecs.list_tasks, cluster="yard", serviceName="none") == (
        "ServiceNotFoundException", "Service not found."
    )  # fmt: skip
    cluster = yard.ecs.describe_clusters(clusters=["yard"])["clusters"][0]
    assert (cluster["activeServicesCount"], cluster["runningTasksCount"]) == (2, 3)
    assert refused(yard.ecs.delete_cluster, cluster="yard")[0] == "ClusterContainsServicesException"


# -- what is refused
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("cluster", {"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
    ("definition", {"taskDefinition": "none"}, "ClientException", "TaskDefinition not found."),
    ("revision", {"taskDefinition": "web:9"}, "ClientException", "TaskDefinition not found."),
    ("inactive", {"taskDefinition": "old:1"}, "ClientException", "TaskDefinition is inactive"),
    ("daemon count", {"schedulingStrategy": "DAEMON"}, INVALID,
     "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try "
     "again"),
    ("both", {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}, INVALID,
     "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."),
    ("no network", {"networkConfiguration": {}}, INVALID,
     "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
    ("no subnets", {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}, INVALID, "subnets can not be empty."),
    ("bridge", {"taskDefinition": "bridge"}, INVALID, "Task definition does not support launch_type FARGATE."),
    ("bridge with network", {"taskDefinition": "bridge", "launchType": "EC2"}, INVALID,
     "Network Configuration is not valid for the given networkMode of this task definition."),
    ("platform", {"launchType": "EC2", "platformVersion": "LATEST"}, INVALID,
     "The platform version must be null when specifying an EC2 launch type."),
    ("percentages", {"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}}, INVALID,
     "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."),
    ("grace", {"healthCheckGracePeriodSeconds": 30}, INVALID,
     "Health check grace period is only valid for services configured to use load balancers"),
    ("constraint", {"launchType": "EC2", "placementConstraints": [{"type": "distinctInstance", "expression": "x"}]}, INVALID,
     "distinctInstance expression should not be specified."),
    ("strategies", {"launchType": "EC2", "placementStrategy": [{"type": "random"}] * 6}, INVALID,
     "Maximum number of strategies is 5"),
    ("public address", {"launchType": "EC2"}, INVALID, "Assign public IP is not supported for this launch type."),
]  # fmt: skip


@pytest.mark.parametrize("given, code, message", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_create_refuses(yard: Yard, given: dict[str, Any], code: str, message: str) -> None:
    yard.sleeper()
    yard.sleeper("old")
    yard.ecs.deregister_task_definition(taskDefinition="old:1")
    yard.ecs.register_task_definition(family="bridge", containerDefinitions=[BRIDGE])
    base = {"cluster": "yard", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": yard.network}  # fmt: skip
    assert refused(yard.ecs.create_service, **(base | given)) == (code, message)
    assert yard.ecs.list_services(cluster="yard")["serviceArns"] == []
    assert yard.ecs.list_tasks(cluster="yard")["taskArns"] == []


@pytest.mark.parametrize("given", [
    {"serviceName": "a b"}, {"serviceName": "n" * 256}, {"desiredCount": -1}, {"taskDefinition": None}, {"desiredCount": None},
    {"schedulingStrategy": "DAEMON", "desiredCount": None},
    {"capacityProviderStrategy": [{"capacityProvider": "nobody", "weight": 1}], "launchType": None},
    {"launchType": "EC2", "placementConstraints": [{"type": "memberOf", "expression": "nonsense"}]},
    {"placementStrategy": [{"type": "random"}]}, {"placementConstraints": [{"type": "distinctInstance"}]},
    {"tags": [{"key": "aws:x", "value": "y"}]},
    {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-00000000"]}}},
])  # fmt: skip
def test_what_else_create_refuses(yard: Yard, given: dict[str, Any]) -> None:
    """Where AWS's words are not known: an error of the request, and nothing is made."""
    yard.sleeper()
    base = {"cluster": "yard", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": yard.network}  # fmt: skip
    params = {name: value for name, value in (base | given).items() if value is not None}
    code, message = refused(yard.ecs.create_service, **params)
    assert code in (INVALID, "ClientException"), (code, message)
    assert message
    assert yard.ecs.list_services(cluster="yard")["serviceArns"] == []


LACKING: list[dict[str, Any]] = [
    {"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, {"deploymentConfiguration": {"strategy": "LINEAR"}},
    {"deploymentConfiguration": {"strategy": "CANARY"}}, {"deploymentController": {"type": "CODE_DEPLOY"}},
    {"loadBalancers": [{"loadBalancerName": "classic", "containerName": "c0", "containerPort": 80}]},
    {"serviceRegistries": [{"registryArn": "x"}]},
    {"serviceConnectConfiguration": {"enabled": True}}, {"availabilityZoneRebalancing": "ENABLED"},
]  # fmt: skip


@pytest.mark.parametrize("given", LACKING, ids=[json.dumps(each) for each in LACKING])
def test_what_is_lacking_is_said(yard: Yard, emulator: EmulatorProcess, given: dict[str, Any]) -> None:
    definition, _ = yard.sleeper()
    made = {"cluster": "yard", "serviceName": "web", "taskDefinition": definition, "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": yard.network}  # fmt: skip
    status, _, answer = post(emulator, yard.account, "CreateService", json.dumps(made | given).encode())
    assert (status, answer["__type"]) == (501, "NotImplemented")
    assert "Drydock does not implement" in answer["message"]
    assert yard.ecs.list_services(cluster="yard")["serviceArns"] == []
    yard.create(definition, 0)
    changed = json.dumps({"cluster": "yard", "service": "web", **given}).encode()
    assert post(emulator, yard.account, "UpdateService", changed)[0] == 501


def test_what_describe_and_the_others_refuse(yard: Yard) -> None:
    describe, missing = yard.ecs.describe_services, ("ClusterNotFoundException", "Cluster not found.")
    assert refused(describe, cluster="yard", services=[]) == (INVALID, "Services cannot be empty.")
    eleven = [f"s{number}" for number in range(11)]
    assert refused(describe, cluster="yard", services=eleven) == (INVALID, "service names can have at most 10 items.")
    assert refused(describe, cluster="none", services=["a"]) == missing
    assert refused(yard.ecs.list_services, cluster="none") == missing
    assert refused(yard.ecs.delete_service, cluster="none", service="a") == missing
    assert refused(yard.ecs.delete_service, cluster="yard", service="a") == (
        "ServiceNotFoundException",
        "Service not found.",
    )
    assert (
        refused(yard.ecs.update_service, cluster="yard", service="a", desiredCount=1)[0] == "ServiceNotFoundException"
    )
    assert refused(yard.ecs.list_service_deployments, cluster="yard", service="a")[0] == "ServiceNotFoundException"


FORCE = (
    "When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity "
    "provider strategy on a service that is already using one, you must force a new deployment."
)
NO_LAUNCH_TYPE = "No launch type to fall back to for empty capacity provider strategy. Your service was not created with a launch type."
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]


@pytest.mark.parametrize("given, code, message", [
    ({"taskDefinition": "none"}, "ClientException", "TaskDefinition not found."),
    ({"taskDefinition": "bridge"}, INVALID, "Task definition does not support launch_type FARGATE."),
    ({"capacityProviderStrategy": SPOT}, INVALID, FORCE),
    ({"deploymentConfiguration": {"maximumPercent": 100}}, INVALID,
     "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."),
    ({"healthCheckGracePeriodSeconds": 30}, INVALID,
     "Health check grace period is only valid for services configured to use load balancers"),
])  # fmt: skip
def test_what_update_refuses_changes_nothing(yard: Yard, given: dict[str, Any], code: str, message: str) -> None:
    definition, _ = yard.sleeper()
    yard.ecs.register_task_definition(family="bridge", containerDefinitions=[BRIDGE])
    yard.ecs.put_cluster_capacity_providers(
        cluster="yard", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    yard.create(definition, 0)
    before = yard.steady()
    assert refused(yard.ecs.update_service, cluster="yard", service="web", desiredCount=1, **given) == (code, message)
    assert yard.service() == before


def test_a_capacity_provider_strategy(yard: Yard) -> None:
    """Base and weight hold over scaling; to another strategy, and back to the launch type, by force."""
    definition, _ = yard.sleeper()
    yard.ecs.put_cluster_capacity_providers(
        cluster="yard", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    mixed = [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {**SPOT[0], "weight": 2}]
    made = yard.create(definition, 4, capacityProviderStrategy=mixed)
    assert made["capacityProviderStrategy"] == mixed
    assert "launchType" not in made
    yard.steady()
    providers = Counter(task["capacityProviderName"] for task in yard.tasks())
    assert providers == {"FARGATE": 2, "FARGATE_SPOT": 2}
    yard.update(desiredCount=7)
    yard.steady(running=7)
    providers = Counter(task["capacityProviderName"] for task in yard.tasks())
    assert providers == {"FARGATE": 3, "FARGATE_SPOT": 4}
    assert refused(yard.ecs.update_service, cluster="yard", service="web", capacityProviderStrategy=[]) == (
        INVALID, NO_LAUNCH_TYPE
    )  # fmt: skip
    yard.update(capacityProviderStrategy=SPOT, forceNewDeployment=True)
    yard.steady()
    assert {task["capacityProviderName"] for task in yard.tasks()} == {"FARGATE_SPOT"}


def test_from_launch_type_to_strategy_and_back(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.ecs.put_cluster_capacity_providers(
        cluster="yard", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    yard.create(definition, 1)
    assert "launchType" not in yard.update(capacityProviderStrategy=SPOT, forceNewDeployment=True)
    yard.steady()
    assert [task.get("capacityProviderName") for task in yard.tasks()] == ["FARGATE_SPOT"]
    back = yard.update(capacityProviderStrategy=[], forceNewDeployment=True)
    assert (back["launchType"], back.get("capacityProviderStrategy", [])) == ("FARGATE", [])
    yard.steady()
    assert ["capacityProviderName" in task for task in yard.tasks()] == [False]


def test_the_clusters_default_strategy(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.ecs.put_cluster_capacity_providers(
        cluster="yard", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=SPOT
    )
    made = yard.ecs.create_service(
        cluster="yard", serviceName="web", taskDefinition=definition, desiredCount=1, networkConfiguration=yard.network
    )["service"]
    assert made["capacityProviderStrategy"] == SPOT
    yard.steady()
    assert [task["capacityProviderName"] for task in yard.tasks()] == ["FARGATE_SPOT"]
    message = "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON scheduling strategy."
    assert refused(
        yard.ecs.create_service, cluster="yard", serviceName="d", taskDefinition=definition, schedulingStrategy="DAEMON",
        networkConfiguration=yard.network,
    ) == (INVALID, message)  # fmt: skip


def test_a_platform_version(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    made = yard.create(definition, 1, platformVersion="1.3.0")
    assert made["platformVersion"] == made["deployments"][0]["platformVersion"] == "1.3.0"
    yard.steady()
    assert [task["platformVersion"] for task in yard.tasks()] == ["1.3.0"]
    given = {"cluster": "yard", "service": "web", "platformVersion": "9.9.9"}
    assert refused(yard.ecs.update_service, **given)[0] == "PlatformUnknownException"


def test_a_task_cannot_pretend_to_be_a_services(yard: Yard) -> None:
    """AWS reserves the group's prefix ``service:``."""
    definition, _ = yard.sleeper()
    yard.create(definition, 1)
    yard.steady()
    code, _ = refused(
        yard.ecs.run_task, cluster="yard", taskDefinition=definition, group="service:web", launchType="FARGATE",
        networkConfiguration=yard.network,
    )  # fmt: skip
    assert code == INVALID
    assert len(yard.tasks()) == 1


# -- changes that are no deployment
def test_scaling_is_no_deployment(yard: Yard) -> None:
    definition, marker = yard.sleeper()
    made = yard.create(definition, 1)
    yard.steady()
    yard.update(desiredCount=3)
    service = yard.steady(running=3)
    assert [each["id"] for each in service["deployments"]] == [made["deployments"][0]["id"]]
    assert len(yard.records()) == 1
    yard.update(desiredCount=0)
    yard.steady(running=0)
    wait_until(lambda: processes(marker) == [], "no process is left")


def test_a_change_of_the_configuration_is_no_deployment(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    made = yard.create(definition, 0)
    breaker = {"enable": True, "rollback": True}
    changed = yard.update(deploymentConfiguration={"deploymentCircuitBreaker": breaker, "minimumHealthyPercent": 50})
    configuration = changed["deploymentConfiguration"]
    assert (configuration["deploymentCircuitBreaker"], configuration["minimumHealthyPercent"]) == (breaker, 50)
    assert configuration["maximumPercent"] == 200, "what is not given stays"
    changed = yard.update(propagateTags="SERVICE", enableECSManagedTags=True)
    assert (changed["propagateTags"], changed["enableECSManagedTags"]) == ("SERVICE", True)
    assert [each["id"] for each in changed["deployments"]] == [made["deployments"][0]["id"]]
    same = yard.update(taskDefinition=definition, networkConfiguration=yard.network)
    assert [each["id"] for each in same["deployments"]] == [made["deployments"][0]["id"]]


# -- tags
def tags(**given: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def tags_of(yard: Yard, arn: str) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in yard.ecs.list_tags_for_resource(resourceArn=arn)["tags"]}


@pytest.mark.parametrize("propagate, expected", [("SERVICE", {"of": "service"}), ("TASK_DEFINITION", {"of": "definition"}),
                                                 ("NONE", {}), (None, {})])  # fmt: skip
def test_tags_are_propagated(yard: Yard, propagate: str | None, expected: dict[str, str]) -> None:
    definition = yard.register({"command": ["sleep", "300"], "stopTimeout": 2}, tags=tags(of="definition"))
    given = {"propagateTags": propagate} if propagate else {}
    made = yard.create(definition, 1, tags=tags(of="service"), enableECSManagedTags=True, **given)
    yard.steady()
    managed = {"aws:ecs:clusterName": "yard", "aws:ecs:serviceName": "web"}
    assert tags_of(yard, yard.tasks()[0]["taskArn"]) == expected | managed
    assert tags_of(yard, made["serviceArn"]) == {"of": "service"}


def test_tags_of_a_service(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    arn = yard.create(definition, 0, tags=tags(a="1"))["serviceArn"]
    yard.ecs.tag_resource(resourceArn=arn, tags=tags(b="2"))
    yard.ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert tags_of(yard, arn) == {"b": "2"}
    assert yard.service(include=["TAGS"])["tags"] == tags(b="2")
    assert yard.service().get("tags", []) == []


def test_tags_are_propagated_to_new_tasks_after_a_change(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.create(definition, 1, tags=tags(of="service"))
    yard.steady()
    yard.update(propagateTags="SERVICE", forceNewDeployment=True)
    yard.steady()
    assert tags_of(yard, yard.tasks()[0]["taskArn"]) == {"of": "service"}


# -- botocore's waiters, as they are but for their delay
def test_waiters(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.create(definition, 2)
    which = {"cluster": "yard", "services": ["web"]}
    yard.ecs.get_waiter("services_stable").wait(**which, WaiterConfig=QUICK)
    service = yard.service()
    assert (service["runningCount"], len(service["deployments"])) == (2, 1)
    tasks = {"cluster": "yard", "tasks": [task["taskArn"] for task in yard.tasks()]}
    yard.ecs.get_waiter("tasks_running").wait(**tasks, WaiterConfig=QUICK)
    yard.ecs.delete_service(cluster="yard", service="web", force=True)
    yard.ecs.get_waiter("services_inactive").wait(**which, WaiterConfig=QUICK)
    yard.ecs.get_waiter("tasks_stopped").wait(**tasks, WaiterConfig=QUICK)
    with pytest.raises(WaiterError):
        yard.ecs.get_waiter("services_stable").wait(**which, WaiterConfig=QUICK)
    with pytest.raises(WaiterError):
        yard.ecs.get_waiter("services_stable").wait(cluster="yard", services=["none"], WaiterConfig=QUICK)
    with pytest.raises(WaiterError):
        yard.ecs.get_waiter("services_inactive").wait(cluster="yard", services=["none"], WaiterConfig=QUICK)


def test_the_waiter_waits_for_a_deployment(yard: Yard) -> None:
    first, old = yard.sleeper()
    yard.create(first, 2)
    yard.ecs.get_waiter("services_stable").wait(cluster="yard", services=["web"], WaiterConfig=QUICK)
    second, new = yard.sleeper()
    yard.update(taskDefinition=second)
    yard.ecs.get_waiter("services_stable").wait(cluster="yard", services=["web"], WaiterConfig=QUICK)
    assert {task["taskDefinitionArn"] for task in yard.tasks()} == {second}
    assert len(processes(new)) == 2
    wait_until(lambda: processes(old) == [], "none of the old ones is left")


# -- the answers' members
def test_every_answer_has_the_members_of_the_model(yard: Yard, emulator: EmulatorProcess) -> None:
    yard.sleeper()
    yard.sleeper()
    made = {"cluster": "yard", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": yard.network, "tags": tags(a="b")}  # fmt: skip

    def call(operation: str, params: dict[str, Any]) -> Any:
        status, _, answer = post(emulator, yard.account, operation, json.dumps(params).encode())
        assert status == 200, (operation, answer)
        assert departures(MODEL.operation_model(operation).output_shape, answer, operation) == []
        return answer

    service = call("CreateService", made)["service"]
    yard.steady()
    task = yard.tasks()[0]["taskArn"]
    call("UpdateService", {"cluster": "yard", "service": "web", "taskDefinition": "web:2"})
    call("DescribeServices", {"cluster": "yard", "services": ["web", "none"], "include": ["TAGS"]})
    yard.steady()
    call("DescribeServices", {"cluster": "yard", "services": ["web"]})
    call("ListServices", {"cluster": "yard", "maxResults": 1})
    records = call("ListServiceDeployments", {"cluster": "yard", "service": "web"})["serviceDeployments"]
    arns = [each["serviceDeploymentArn"] for each in records]
    described = call("DescribeServiceDeployments", {"serviceDeploymentArns": [*arns, arns[0] + "x"]})
    target = described["serviceDeployments"][0]["targetServiceRevision"]["arn"]
    call("DescribeServiceRevisions", {"serviceRevisionArns": [target, target + "0"]})
    call("UpdateTaskProtection", {"cluster": "yard", "tasks": [task, "0" * 32], "protectionEnabled": True})
    call("GetTaskProtection", {"cluster": "yard"})
    call("UpdateService", {"cluster": "yard", "service": "web", "forceNewDeployment": True})
    now = call("DescribeServices", {"cluster": "yard", "services": ["web"]})["services"][0]
    call("StopServiceDeployment", {"serviceDeploymentArn": now["currentServiceDeployment"]})
    call("DeleteService", {"cluster": "yard", "service": service["serviceArn"], "force": True})


def test_a_definition_stays_as_long_as_a_service_runs_it(yard: Yard) -> None:
    definition, _ = yard.sleeper()
    yard.create(definition, 0)
    yard.ecs.deregister_task_definition(taskDefinition=definition)
    found = yard.ecs.delete_task_definitions(taskDefinitions=[definition])["taskDefinitions"][0]
    assert found["status"] == "DELETE_IN_PROGRESS"
    yard.update(desiredCount=1)
    yard.steady(running=1)
    yard.ecs.delete_service(cluster="yard", service="web", force=True)
    wait_until(lambda: yard.service()["status"] == "INACTIVE", "the service is gone")
    left = yard.ecs.list_task_definitions(status="DELETE_IN_PROGRESS")["taskDefinitionArns"]
    assert left == []


def test_a_service_of_the_same_name_after_a_reset(yard: Yard, emulator: EmulatorProcess) -> None:
    """The clock is put back with it; nothing sleeps until the old story's time."""
    emulator.get("/_drydock/clock", {"account": yard.account, "advance": 7200})
    yard.create(yard.sleeper()[0])
    yard.steady(running=1)
    emulator.get("/_drydock/reset", {"account": yard.account})
    again = Yard(yard.aws, yard.account)
    again.create(again.sleeper()[0])
    again.steady(running=1)
