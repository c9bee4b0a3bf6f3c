"""Change sets: what would change, executed or not; and ``aws cloudformation deploy``, which is made of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.emulator_process import EmulatorProcess
from tests.services.cloudformation.conftest import Stacks

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def logs(days: int, name: str | None = None) -> dict[str, Any]:
    properties = {"RetentionInDays": days, **({"LogGroupName": name} if name else {})}
    return {"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": properties}}}


def make(stacks: Stacks, name: str, template: dict[str, Any], kind: str = "UPDATE", **given: Any) -> dict[str, Any]:
    given = {"StackName": "one", "ChangeSetName": name, "ChangeSetType": kind, **given}
    stacks.cfn.create_change_set(TemplateBody=json.dumps(template), **given)
    return dict(stacks.cfn.describe_change_set(StackName="one", ChangeSetName=name))


def test_a_stack_made_by_a_change_set(stacks: Stacks) -> None:
    shown = make(stacks, "first", logs(7), "CREATE")
    stacks.cfn.get_waiter("change_set_create_complete").wait(StackName="one", ChangeSetName="first")
    assert (shown["Status"], shown["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert [one["ResourceChange"]["Action"] for one in shown["Changes"]] == ["Add"]
    assert stacks.describe("one")["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert stacks.story("one") == ["one REVIEW_IN_PROGRESS User Initiated"]
    stacks.cfn.execute_change_set(StackName="one", ChangeSetName="first")
    stacks.cfn.get_waiter("stack_create_complete").wait(StackName="one", WaiterConfig={"Delay": 1})
    done = stacks.cfn.describe_change_set(StackName="one", ChangeSetName="first")
    assert done["ExecutionStatus"] == "EXECUTE_COMPLETE"
    again = stacks.refused("execute_change_set", StackName="one", ChangeSetName="first")
    assert again == (
        "InvalidChangeSetStatus",
        f"ChangeSet [{done['ChangeSetId']}] cannot be executed in its current status of [EXECUTE_COMPLETE]",
    )


def test_what_would_change(stacks: Stacks) -> None:
    stacks.create("one", logs(7))
    in_place = make(stacks, "small", logs(14))["Changes"][0]["ResourceChange"]
    assert (in_place["Action"], in_place["Replacement"], in_place["Scope"]) == ("Modify", "False", ["Properties"])
    assert in_place["Details"] == [
        {
            "Target": {"Attribute": "Properties", "Name": "RetentionInDays", "RequiresRecreation": "Never"},
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }
    ]
    replaced = make(stacks, "large", logs(7, "other"))["Changes"][0]["ResourceChange"]
    assert (replaced["Replacement"], replaced["PhysicalResourceId"]) == ("True", stacks.physical("one", "Logs"))
    none = make(stacks, "none", logs(7))
    assert (none["Status"], none["ExecutionStatus"], none["StatusReason"]) == ("FAILED", "UNAVAILABLE", NO_CHANGES)
    listed = stacks.cfn.list_change_sets(StackName="one")["Summaries"]
    assert [one["ChangeSetName"] for one in listed] == ["small", "large", "none"]
    stacks.cfn.delete_change_set(StackName="one", ChangeSetName="none")
    assert stacks.refused("describe_change_set", StackName="one", ChangeSetName="none") == (
        "ChangeSetNotFound",
        "ChangeSet [none] does not exist",
    )
    stacks.cfn.execute_change_set(StackName="one", ChangeSetName="small")
    assert stacks.settled("one")["StackStatus"] == "UPDATE_COMPLETE"
    assert [one["ChangeSetName"] for one in stacks.cfn.list_change_sets(StackName="one")["Summaries"]] == ["small"]


def test_change_sets_that_cannot_be(stacks: Stacks) -> None:
    given = {"StackName": "one", "ChangeSetName": "first", "TemplateBody": json.dumps(logs(7))}
    assert stacks.refused("create_change_set", **given) == ("ValidationError", "Stack [one] does not exist")
    stacks.create("one", logs(7))
    assert stacks.refused("create_change_set", **given, ChangeSetType="CREATE") == (
        "ValidationError",
        "Stack [one] already exists and cannot be created again with the changeSet [first].",
    )


@pytest.mark.clients
def test_aws_cloudformation_deploy(emulator: EmulatorProcess, account: str, stacks: Stacks, tmp_path: Path) -> None:
    program = "/usr/bin/aws" if Path("/usr/bin/aws").exists() else shutil.which("aws")
    if program is None:
        pytest.skip("no AWS CLI here (Debian: apt install awscli)")
    environment = {
        **os.environ, "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": emulator.url, "AWS_PAGER": "",
    }  # fmt: skip

    def deploy(template: dict[str, Any], *further: str) -> str:
        file = tmp_path / "template.json"
        file.write_text(json.dumps(template))
        command = [program, "--endpoint-url", emulator.url, "cloudformation", "deploy", "--stack-name", "cli"]
        command += ["--template-file", str(file), *further]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    made = deploy(logs(7), "--tags", "a=b")  # its waiter looks every 30 s
    assert "Successfully created/updated stack - cli" in made
    assert "No changes to deploy. Stack cli is up to date" in deploy(logs(7), "--tags", "a=b")
    stack = stacks.describe("cli")
    assert (stack["StackStatus"], stack["Tags"]) == ("CREATE_COMPLETE", [{"Key": "a", "Value": "b"}])
