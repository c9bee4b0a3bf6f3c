"""Clusters and their tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.ecs.story import Story

Aws = Callable[..., Any]


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str, int]:
    """Code, message and HTTP status of the error a call gets."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


def test_create_describe_delete(aws: Aws, account: str) -> None:
    ecs = aws("ecs")
    made = ecs.create_cluster(clusterName="one", tags=[{"key": "team", "value": "blue"}])["cluster"]
    arn = f"arn:aws:ecs:us-east-1:{account}:cluster/one"
    assert (made["clusterArn"], made["clusterName"], made["status"]) == (arn, "one", "ACTIVE")
    assert made["tags"] == [{"key": "team", "value": "blue"}]
    for identifier in ("one", arn):
        answer = ecs.describe_clusters(clusters=[identifier])
        assert [cluster["clusterArn"] for cluster in answer["clusters"]] == [arn]
        assert answer["failures"] == []
    cluster = ecs.describe_clusters(clusters=["one"])["clusters"][0]
    assert (cluster["runningTasksCount"], cluster["pendingTasksCount"], cluster["activeServicesCount"]) == (0, 0, 0)
    assert cluster["tags"] == []
    deleted = ecs.delete_cluster(cluster="one")["cluster"]
    assert deleted["status"] == "INACTIVE"
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.describe_clusters(clusters=["one"])["clusters"][0]["status"] == "INACTIVE"
    assert refused(ecs.delete_cluster, cluster="one")[0] == "ClusterNotFoundException"


def test_the_default_cluster_has_no_special_existence(aws: Aws, account: str) -> None:
    ecs = aws("ecs")
    missing = {"arn": f"arn:aws:ecs:us-east-1:{account}:cluster/default", "reason": "MISSING"}
    assert ecs.describe_clusters()["failures"] == [missing]
    assert ecs.create_cluster()["cluster"]["clusterName"] == "default"
    assert [cluster["clusterName"] for cluster in ecs.describe_clusters()["clusters"]] == ["default"]


def test_creating_it_twice_answers_with_the_first(aws: Aws) -> None:
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="one", tags=[{"key": "a", "value": "1"}])
    again = ecs.create_cluster(clusterName="one")["cluster"]
    assert again["tags"] == [{"key": "a", "value": "1"}]
    assert len(ecs.list_clusters()["clusterArns"]) == 1


@pytest.mark.parametrize("name", ["with space", "x" * 256, "dot.ted", "sl/ash"])
def test_names_that_aws_refuses(aws: Aws, name: str) -> None:
    code, message, status = refused(aws("ecs").create_cluster, clusterName=name)
    assert (code, status) == ("InvalidParameterException", 400)
    assert "255 characters" in message
    assert aws("ecs").list_clusters()["clusterArns"] == []


def test_what_is_not_there(aws: Aws, account: str) -> None:
    ecs = aws("ecs")
    answer = ecs.describe_clusters(clusters=["nowhere"])
    assert answer["clusters"] == []
    assert answer["failures"] == [{"arn": f"arn:aws:ecs:us-east-1:{account}:cluster/nowhere", "reason": "MISSING"}]
    assert refused(ecs.delete_cluster, cluster="nowhere")[:2] == ("ClusterNotFoundException", "Cluster not found.")
    assert refused(ecs.list_tasks, cluster="nowhere")[0] == "ClusterNotFoundException"


def test_another_account_and_region_see_nothing(aws: Aws) -> None:
    aws("ecs").create_cluster(clusterName="mine")
    assert aws("ecs", region="eu-west-1").list_clusters()["clusterArns"] == []
    assert aws("ecs", account="999999999999").list_clusters()["clusterArns"] == []


def test_pages(aws: Aws) -> None:
    ecs = aws("ecs")
    for number in range(5):
        ecs.create_cluster(clusterName=f"c{number}")
    first = ecs.list_clusters(maxResults=2)
    assert len(first["clusterArns"]) == 2
    ecs.delete_cluster(cluster=first["clusterArns"][-1])  # the one the token names
    rest = ecs.list_clusters(nextToken=first["nextToken"])
    assert "nextToken" not in rest
    assert [arn.rpartition("/")[2] for arn in first["clusterArns"] + rest["clusterArns"]] == [
        "c0", "c1", "c2", "c3", "c4"
    ]  # fmt: skip
    assert refused(ecs.list_clusters, nextToken="foreign!")[0] == "InvalidParameterException"
    assert refused(ecs.list_clusters, maxResults=0)[0] == "InvalidParameterException"
    assert refused(ecs.list_clusters, maxResults=101)[0] == "InvalidParameterException"


def test_tags_can_be_added_and_taken_away(aws: Aws) -> None:
    ecs = aws("ecs")
    arn = ecs.create_cluster(clusterName="one")["cluster"]["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "3"}])
    tags = {tag["key"]: tag["value"] for tag in ecs.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert tags == {"a": "3", "b": "2"}
    ecs.untag_resource(resourceArn=arn, tagKeys=["a", "never there"])
    assert ecs.describe_clusters(clusters=[arn], include=["TAGS"])["clusters"][0]["tags"] == [
        {"key": "b", "value": "2"}
    ]
    assert refused(ecs.tag_resource, resourceArn=arn + "x", tags=[])[0] == "ResourceNotFoundException"
    many = [{"key": f"k{number}", "value": ""} for number in range(50)]
    assert refused(ecs.tag_resource, resourceArn=arn, tags=many)[0] == "InvalidParameterException"


def test_a_cluster_with_tasks_is_not_deleted(story: Story) -> None:
    arn = story.run(story.register({"command": ["sleep", "300"], "stopTimeout": 2}))
    code, message, _ = refused(story.ecs.delete_cluster, cluster="yard")
    assert code == "ClusterContainsTasksException"
    assert message == "The Cluster cannot be deleted while Tasks are active."
    story.until(arn)
    cluster = story.ecs.describe_clusters(clusters=["yard"], include=["STATISTICS"])["clusters"][0]
    assert cluster["runningTasksCount"] == 1
    assert {"name": "runningFargateTasksCount", "value": "1"} in cluster["statistics"]
    story.stop(arn)
    story.ecs.delete_cluster(cluster="yard")


@pytest.mark.parametrize("operation, given", [
    ("update_container_agent", {"containerInstance": "0" * 32, "cluster": "yard"}),
    ("list_services_by_namespace", {"namespace": "n"}),
])  # fmt: skip
def test_operations_that_are_lacking_are_said_to_be(story: Story, operation: str, given: dict[str, Any]) -> None:
    code, message, status = refused(getattr(story.ecs, operation), **given)
    assert (code, status) == ("NotImplemented", 501)
    assert "ecs:" in message
