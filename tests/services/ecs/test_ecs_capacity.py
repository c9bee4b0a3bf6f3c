"""Clusters' settings, configuration and capacity providers, and tasks that run by a strategy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import EmulatorProcess
from tests.services.ecs.story import Story, marked_sleep, processes
from tests.services.ecs.test_ecs_wire import MODEL, departures, post

Aws = Callable[..., Any]
SLEEP = {"command": ["sleep", "300"], "stopTimeout": 2}
BOTH = ["FARGATE", "FARGATE_SPOT"]
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
NOT_ASSOCIATED = (
    "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. "
    "Associate the capacity provider with the cluster or specify a valid capacity provider and try again."
)


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def described(aws: Aws, name: str, *include: str) -> dict[str, Any]:
    return dict(aws("ecs").describe_clusters(clusters=[name], include=list(include))["clusters"][0])


def insights(value: str) -> list[dict[str, str]]:
    return [{"name": "containerInsights", "value": value}]


# -- settings and configuration
@pytest.mark.parametrize("value", ["enabled", "disabled", "enhanced"])
def test_container_insights_is_kept(aws: Aws, value: str) -> None:
    made = aws("ecs").create_cluster(clusterName="one", settings=insights(value))["cluster"]
    assert made["settings"] == described(aws, "one", "SETTINGS")["settings"] == insights(value)
    assert described(aws, "one")["settings"] == []


def test_settings_and_configuration_can_be_changed(aws: Aws) -> None:
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="one")
    assert ecs.update_cluster_settings(cluster="one", settings=insights("enabled"))["cluster"]["settings"] == insights(
        "enabled"
    )
    command = {"logging": "OVERRIDE", "logConfiguration": {"cloudWatchLogGroupName": "/exec"}}
    changed = ecs.update_cluster(cluster="one", configuration={"executeCommandConfiguration": command})["cluster"]
    assert changed["configuration"] == {"executeCommandConfiguration": command}
    assert changed["settings"] == insights("enabled"), "what is not given stays"
    ecs.update_cluster(cluster="one", settings=insights("enhanced"))
    shown = described(aws, "one", "SETTINGS", "CONFIGURATIONS")
    assert shown["configuration"] == {"executeCommandConfiguration": command}
    assert shown["settings"] == insights("enhanced")
    assert "configuration" not in described(aws, "one")


BAD_CLUSTERS: list[tuple[str, dict[str, Any], str, str]] = [
    ("value", {"settings": insights("enhaced")}, "InvalidParameterException", "Invalid setting 'value'"),
    ("setting", {"settings": [{"name": "x", "value": "enabled"}]}, "InvalidParameterException", "Invalid setting 'name'"),
    ("logging", {"configuration": {"executeCommandConfiguration": {"logConfiguration": {"s3BucketName": "b"}}}},
     "InvalidParameterException", "You must set logging to 'OVERRIDE' when you supply a log configuration."),
    ("storage key", {"configuration": {"managedStorageConfiguration": {"fargateEphemeralStorageKmsKeyId": "k"}}},
     "NotImplemented", "fargateEphemeralStorageKmsKeyId"),
    ("data channel key", {"configuration": {"executeCommandConfiguration": {"kmsKeyId": "k"}}},
     "NotImplemented", "kmsKeyId"),
    ("service connect", {"serviceConnectDefaults": {"namespace": "n"}}, "NotImplemented", "serviceConnectDefaults"),
]  # fmt: skip


@pytest.mark.parametrize("given, code, words", [row[1:] for row in BAD_CLUSTERS], ids=[row[0] for row in BAD_CLUSTERS])
def test_what_is_refused_makes_and_changes_nothing(aws: Aws, given: dict[str, Any], code: str, words: str) -> None:
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="there")
    before = described(aws, "there", "SETTINGS", "CONFIGURATIONS")
    for call in (ecs.create_cluster, ecs.update_cluster):
        name = {"clusterName": "new"} if call == ecs.create_cluster else {"cluster": "there"}
        found, message = refused(call, **name, **given)
        assert (found, words in message) == (code, True), message
    assert described(aws, "there", "SETTINGS", "CONFIGURATIONS") == before
    assert len(ecs.list_clusters()["clusterArns"]) == 1


def test_updates_need_an_active_cluster(aws: Aws) -> None:
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="gone")
    ecs.delete_cluster(cluster="gone")
    for name, message in (("nowhere", "Cluster not found."), ("gone", "The referenced cluster was inactive.")):
        error = ("ClusterNotFoundException", message)
        assert refused(ecs.update_cluster, cluster=name) == error
        assert refused(ecs.update_cluster_settings, cluster=name, settings=insights("enabled")) == error
        none: dict[str, Any] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
        assert refused(ecs.put_cluster_capacity_providers, cluster=name, **none) == error
    ecs.create_cluster(clusterName="one")
    assert refused(ecs.update_cluster_settings, cluster="one", settings=[])[0] == "InvalidParameterException"


def test_creating_it_again_with_other_properties(aws: Aws) -> None:
    ecs = aws("ecs")
    given = {"clusterName": "one", "capacityProviders": BOTH, "tags": [{"key": "a", "value": "1"}]}
    ecs.create_cluster(**given)
    assert ecs.create_cluster(**given)["cluster"]["capacityProviders"] == BOTH
    assert ecs.create_cluster(clusterName="one")["cluster"]["capacityProviders"] == BOTH
    for other in ({"capacityProviders": ["FARGATE"]}, {"settings": insights("enabled")}):
        assert refused(ecs.create_cluster, clusterName="one", **other) == (
            "InvalidParameterException",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    assert described(aws, "one")["capacityProviders"] == BOTH


def test_a_deleted_cluster_is_made_anew(aws: Aws) -> None:
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="one", capacityProviders=BOTH, tags=[{"key": "a", "value": "1"}])
    ecs.delete_cluster(cluster="one")
    assert described(aws, "one")["status"] == "INACTIVE"
    made = ecs.create_cluster(clusterName="one")["cluster"]
    assert (made["status"], made["capacityProviders"], made["tags"]) == ("ACTIVE", [], [])
    assert refused(ecs.describe_clusters, clusters=[f"c{n}" for n in range(101)])[0] == "InvalidParameterException"


# -- capacity providers
def test_the_two_of_every_account(aws: Aws, account: str) -> None:
    ecs = aws("ecs")
    prefix = f"arn:aws:ecs:us-east-1:{account}:capacity-provider/"
    answer = ecs.describe_capacity_providers(include=["TAGS"])
    assert [(p["name"], p["capacityProviderArn"], p["status"]) for p in answer["capacityProviders"]] == [
        (name, prefix + name, "ACTIVE") for name in BOTH
    ]
    assert answer["failures"] == []
    answer = ecs.describe_capacity_providers(capacityProviders=[prefix + "FARGATE_SPOT", "mine"])
    assert [p["name"] for p in answer["capacityProviders"]] == ["FARGATE_SPOT"]
    assert answer["failures"] == [{"arn": prefix + "mine", "reason": "MISSING"}]
    first = ecs.describe_capacity_providers(maxResults=1)
    assert [p["name"] for p in first["capacityProviders"]] == ["FARGATE"]
    rest = ecs.describe_capacity_providers(nextToken=first["nextToken"])
    assert [p["name"] for p in rest["capacityProviders"]] == ["FARGATE_SPOT"]
    assert refused(ecs.describe_capacity_providers, maxResults=11)[0] == "InvalidParameterException"
    ecs.create_cluster(clusterName="one", capacityProviders=["FARGATE"])
    assert [p["name"] for p in ecs.describe_capacity_providers(cluster="one")["capacityProviders"]] == ["FARGATE"]
    assert refused(ecs.describe_capacity_providers, cluster="nowhere")[0] == "ClusterNotFoundException"


def test_providers_and_the_default_strategy_of_a_cluster(aws: Aws, account: str) -> None:
    ecs = aws("ecs")
    given = [{"capacityProvider": "FARGATE", "base": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 4}]
    made = ecs.create_cluster(
        clusterName="one", capacityProviders=BOTH, defaultCapacityProviderStrategy=given
    )["cluster"]  # fmt: skip
    assert made["capacityProviders"] == BOTH
    assert made["defaultCapacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE", "weight": 0, "base": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 4, "base": 0},
    ]
    arn = f"arn:aws:ecs:us-east-1:{account}:capacity-provider/FARGATE"
    put = ecs.put_cluster_capacity_providers(
        cluster="one", capacityProviders=[arn], defaultCapacityProviderStrategy=[]
    )["cluster"]  # fmt: skip
    assert (put["capacityProviders"], put["defaultCapacityProviderStrategy"]) == (["FARGATE"], [])
    assert described(aws, "one")["capacityProviders"] == ["FARGATE"]


@pytest.mark.parametrize("providers, strategy, message", [
    (["mine"], [], "The specified capacity provider was not found. Specify a valid capacity provider and try again."),
    (["FARGATE"], SPOT, NOT_ASSOCIATED),
    ([], SPOT, NOT_ASSOCIATED),
])  # fmt: skip
def test_associations_that_are_refused(aws: Aws, providers: list[str], strategy: Any, message: str) -> None:
    ecs = aws("ecs")
    given = {"capacityProviders": providers, "defaultCapacityProviderStrategy": strategy}
    assert refused(ecs.create_cluster, clusterName="new", **given) == ("InvalidParameterException", message)
    ecs.create_cluster(clusterName="one", capacityProviders=BOTH)
    assert refused(ecs.put_cluster_capacity_providers, cluster="one", **given) == ("InvalidParameterException", message)
    assert described(aws, "one")["capacityProviders"] == BOTH
    assert len(ecs.list_clusters()["clusterArns"]) == 1


# -- tasks
def attach(story: Story, *default: dict[str, Any]) -> None:
    story.ecs.put_cluster_capacity_providers(
        cluster="yard", capacityProviders=BOTH, defaultCapacityProviderStrategy=list(default)
    )


def run_by(story: Story, definition: str, **given: Any) -> list[dict[str, Any]]:
    answer = story.ecs.run_task(
        cluster="yard", taskDefinition=definition, networkConfiguration=story.network, **given
    )  # fmt: skip
    assert answer["failures"] == []
    return list(answer["tasks"])


def test_a_task_on_spot_runs(story: Story) -> None:
    attach(story)
    command, marker = marked_sleep()
    definition = story.register({"command": command, "stopTimeout": 2})
    made = run_by(story, definition, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}])[0]
    assert (made["capacityProviderName"], made["launchType"]) == ("FARGATE_SPOT", "FARGATE")
    arn = made["taskArn"]
    task = story.until(arn)
    assert (task["capacityProviderName"], task["launchType"]) == ("FARGATE_SPOT", "FARGATE")
    assert len(processes(marker)) == 1
    only_fargate = {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []}
    assert refused(story.ecs.put_cluster_capacity_providers, cluster="yard", **only_fargate) == (
        "ResourceInUseException", "The specified capacity provider is in use and cannot be removed."
    )  # fmt: skip
    assert described(story.aws, "yard")["capacityProviders"] == BOTH
    story.stop(arn)
    story.ecs.put_cluster_capacity_providers(cluster="yard", **only_fargate)
    assert described(story.aws, "yard")["capacityProviders"] == ["FARGATE"]


def test_tasks_are_shared_out_by_the_default_strategy(story: Story) -> None:
    attach(story, {"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {**SPOT[0], "weight": 3})
    definition = story.register({"command": ["true"]})
    tasks = run_by(story, definition, count=5)
    assert Counter(task["capacityProviderName"] for task in tasks) == {"FARGATE": 2, "FARGATE_SPOT": 3}
    by_launch_type = run_by(story, definition, launchType="FARGATE")[0]
    assert "capacityProviderName" not in by_launch_type, "a launch type is said: the strategy does not count"
    for task in [*tasks, by_launch_type]:
        story.stopped(task["taskArn"])


def test_strategies_that_run_nothing(story: Story) -> None:
    definition = story.register(SLEEP)
    base = {"cluster": "yard", "taskDefinition": definition, "networkConfiguration": story.network}
    run, invalid = story.ecs.run_task, "InvalidParameterException"
    assert refused(run, **base, capacityProviderStrategy=SPOT) == (invalid, NOT_ASSOCIATED)
    attach(story, {"capacityProvider": "FARGATE"})
    assert refused(run, **base, capacityProviderStrategy=SPOT, launchType="FARGATE") == (
        invalid, "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
    )  # fmt: skip
    code, message = refused(run, **base)
    assert code == invalid
    assert message.startswith(
        "There are no capacity providers with a weight value greater than zero defined in the default capacity provider "
    )
    both = [{"capacityProvider": "FARGATE"}, {"capacityProvider": "FARGATE_SPOT"}]
    assert refused(run, **base, capacityProviderStrategy=both)[0] == invalid
    assert story.ecs.list_tasks(cluster="yard")["taskArns"] == []


def test_every_answer_has_the_members_of_the_model(story: Story, emulator: EmulatorProcess) -> None:
    none = {"capacityProviders": BOTH, "defaultCapacityProviderStrategy": SPOT}
    definition = story.register(SLEEP, family="web")
    network = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": [story.subnet]}}}
    command = {"executeCommandConfiguration": {"logging": "NONE"}}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateCluster", {"clusterName": "other", "configuration": command, **none}),
        ("UpdateCluster", {"cluster": "other", "configuration": command, "settings": insights("enabled")}),
        ("UpdateClusterSettings", {"cluster": "other", "settings": insights("disabled")}),
        ("PutClusterCapacityProviders", {"cluster": "other", **none}),
        ("DescribeClusters", {"clusters": ["other"], "include": ["CONFIGURATIONS", "SETTINGS", "ATTACHMENTS"]}),
        ("DescribeCapacityProviders", {"capacityProviders": ["FARGATE", "x"], "include": ["TAGS"]}),
        ("StartTask", {"cluster": "yard", "taskDefinition": definition, "containerInstances": ["0" * 32], **network}),
        ("PutAccountSetting", {"name": "containerInsights", "value": "enhanced"}),
        ("PutAccountSettingDefault", {"name": "containerInsights", "value": "enabled"}),
        ("ListAccountSettings", {"effectiveSettings": True}),
        ("DeleteAccountSetting", {"name": "containerInsights"}),
    ]
    for operation, params in calls:
        status, _, answer = post(emulator, story.account, operation, json.dumps(params).encode())
        assert status == 200, (operation, answer)
        assert departures(MODEL.operation_model(operation).output_shape, answer, operation) == []
