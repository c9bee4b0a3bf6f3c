"""The life of stacks: made, changed in place and by replacement, rolled back, deleted; nothing is left behind."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.services.cloudformation.conftest import Stacks

NETWORK = Path(__file__).with_name("network.yaml").read_text()
GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
BAD = {
    "Type": "AWS::EC2::Subnet",
    "Properties": {"VpcId": "vpc-12345678", "CidrBlock": "10.0.0.0/24"},
}


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


def log_groups(stacks: Stacks) -> list[str]:
    return [one["logGroupName"] for one in stacks.aws("logs").describe_log_groups()["logGroups"]]


def retention(stacks: Stacks) -> list[int | None]:
    return [one.get("retentionInDays") for one in stacks.aws("logs").describe_log_groups()["logGroups"]]


def test_a_network_roles_and_a_service_are_made_and_go(stacks: Stacks) -> None:
    began = time.monotonic()
    stack = stacks.create("web", NETWORK, Tags=[{"Key": "course", "Value": "13"}])
    took = time.monotonic() - began
    outputs = {one["OutputKey"]: one for one in stack["Outputs"]}
    assert outputs["VpcId"]["OutputValue"] == stacks.physical("web", "Vpc")
    assert outputs["VpcId"]["ExportName"] == "web-vpc"
    services = stacks.aws("ecs").describe_services(
        cluster=stacks.physical("web", "Cluster"), services=[stacks.physical("web", "Service")]
    )["services"]
    assert [(one["runningCount"], one["desiredCount"]) for one in services] == [(1, 1)]
    vpc = stacks.aws("ec2").describe_vpcs(VpcIds=[stacks.physical("web", "Vpc")])["Vpcs"][0]
    tags = {tag["Key"]: tag["Value"] for tag in vpc["Tags"]}
    assert tags["course"] == "13" and tags["Name"] == "web-vpc"
    assert tags["aws:cloudformation:logical-id"] == "Vpc" and tags["aws:cloudformation:stack-name"] == "web"
    assert took < 30, "the machine is slow, or a wait is not in lab time"
    stacks.delete("web")
    ec2 = stacks.aws("ec2")
    assert [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]] == []
    assert ec2.describe_addresses()["Addresses"] == []
    assert stacks.aws("iam").list_roles()["Roles"] in (
        [],
        stacks.aws("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"],
    )
    assert stacks.aws("ecs").list_clusters()["clusterArns"] == []
    assert log_groups(stacks) == []


def test_events_come_in_aws_order_and_words(stacks: Stacks) -> None:
    stacks.create("one", template(Logs=GROUP))
    assert stacks.story("one") == [
        "one CREATE_IN_PROGRESS User Initiated",
        "Logs CREATE_IN_PROGRESS",
        "Logs CREATE_IN_PROGRESS Resource creation Initiated",
        "Logs CREATE_COMPLETE",
        "one CREATE_COMPLETE",
    ]
    ended = stacks.delete("one")
    assert stacks.story(ended["StackId"])[5:] == [
        "one DELETE_IN_PROGRESS User Initiated",
        "Logs DELETE_IN_PROGRESS",
        "Logs DELETE_COMPLETE",
        "one DELETE_COMPLETE",
    ]
    assert stacks.refused("describe_stacks", StackName="one") == (
        "ValidationError",
        "Stack with id one does not exist",
    )


def test_a_failed_creation_is_rolled_back_and_leaves_nothing(stacks: Stacks) -> None:
    stack = stacks.create("broken", template(Logs=GROUP, Bad={**BAD, "DependsOn": "Logs"}), expect="ROLLBACK_COMPLETE")
    story = stacks.story("broken")
    assert (
        "broken ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad]. Rollback requested by user."
        in story
    )
    failed = next(line for line in story if line.startswith("Bad CREATE_FAILED"))
    assert 'Resource handler returned message: "' in failed and "vpc-12345678" in failed and "(Service: Ec2," in failed
    assert "HandlerErrorCode: NotFound" in failed
    assert story[-1] == "broken ROLLBACK_COMPLETE"
    assert log_groups(stacks) == []
    assert stacks.refused("update_stack", StackName="broken", TemplateBody=json.dumps(template(Logs=GROUP))) == (
        "ValidationError",
        f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated.",
    )


def test_on_failure_do_nothing_and_delete(stacks: Stacks) -> None:
    broken = template(Logs=GROUP, Bad={**BAD, "DependsOn": "Logs"})
    stacks.create("kept", broken, expect="CREATE_FAILED", OnFailure="DO_NOTHING")
    assert len(log_groups(stacks)) == 1
    stacks.cfn.rollback_stack(StackName="kept")
    assert stacks.settled("kept")["StackStatus"] == "ROLLBACK_COMPLETE"
    stacks.create("gone", broken, expect="DELETE_COMPLETE", OnFailure="DELETE")
    assert log_groups(stacks) == []


def test_a_change_in_place(stacks: Stacks) -> None:
    stacks.create("one", template(Logs=GROUP))
    before = stacks.physical("one", "Logs")
    stacks.update("one", template(Logs={**GROUP, "Properties": {"RetentionInDays": 14}}))
    assert stacks.physical("one", "Logs") == before
    assert retention(stacks) == [14]
    assert stacks.story("one")[5:] == [
        "one UPDATE_IN_PROGRESS User Initiated",
        "Logs UPDATE_IN_PROGRESS",
        "Logs UPDATE_COMPLETE",
        "one UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "one UPDATE_COMPLETE",
    ]


def test_a_replacement_makes_the_new_one_first(stacks: Stacks) -> None:
    made = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "first"}}
    stacks.create("one", template(Logs=made))
    stacks.update("one", template(Logs={**made, "Properties": {"LogGroupName": "second"}}))
    assert log_groups(stacks) == ["second"]
    assert stacks.story("one")[5:] == [
        "one UPDATE_IN_PROGRESS User Initiated",
        "Logs UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.",
        "Logs UPDATE_IN_PROGRESS Resource creation Initiated",
        "Logs UPDATE_COMPLETE",
        "one UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "Logs DELETE_IN_PROGRESS",
        "Logs DELETE_COMPLETE",
        "one UPDATE_COMPLETE",
    ]


def test_an_update_that_fails_goes_back(stacks: Stacks) -> None:
    named = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "first"}}
    stacks.create("one", template(Logs=GROUP, Named=named))
    stacks.update(
        "one",
        template(
            Logs={**GROUP, "Properties": {"RetentionInDays": 14}},
            Named={**named, "Properties": {"LogGroupName": "second"}},
            Added=GROUP,
            Bad={**BAD, "DependsOn": ["Logs", "Named", "Added"]},
        ),
        expect="UPDATE_ROLLBACK_COMPLETE",
    )
    groups = {
        one["logGroupName"]: one.get("retentionInDays") for one in stacks.aws("logs").describe_log_groups()["logGroups"]
    }
    assert groups == {"first": None, stacks.physical("one", "Logs"): 7}
    story = stacks.story("one")
    assert "one UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad]." in story
    assert story[-1] == "one UPDATE_ROLLBACK_COMPLETE"
    shown = stacks.cfn.get_template(StackName="one")["TemplateBody"]
    assert shown == template(Logs=GROUP, Named=named)
    stacks.update("one", template(Logs=GROUP))
    assert log_groups(stacks) == [stacks.physical("one", "Logs")]


def test_nothing_to_update(stacks: Stacks) -> None:
    stacks.create("one", template(Logs=GROUP))
    told = ("ValidationError", "No updates are to be performed.")
    assert stacks.refused("update_stack", StackName="one", UsePreviousTemplate=True) == told
    assert stacks.refused("update_stack", StackName="one", TemplateBody=json.dumps(template(Logs=GROUP))) == told


def test_what_was_there_before_stays_what_it_is(stacks: Stacks) -> None:
    stacks.aws("logs").create_log_group(logGroupName="mine")
    named = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "mine"}}
    stacks.create("one", template(Logs=named), expect="ROLLBACK_COMPLETE")
    failed = next(line for line in stacks.story("one") if line.startswith("Logs CREATE_FAILED"))
    assert "Resource of type 'AWS::Logs::LogGroup' with identifier 'mine' already exists." in failed
    assert "HandlerErrorCode: AlreadyExists" in failed
    assert log_groups(stacks) == ["mine"]
