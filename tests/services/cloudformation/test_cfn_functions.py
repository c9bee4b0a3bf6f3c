"""Lambda by CloudFormation: what a stack makes really runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.emulator_process import wait_until
from tests.services.cloudformation.conftest import Stacks
from tests.services.functions.room import BASIC, TRUST


def template(word: str, **more: Any) -> dict[str, Any]:
    code = f"import os\ndef h(event, context):\n    print('told', event)\n    return '{word} ' + os.environ.get('X', '-')\n"
    return {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": [BASIC]},
            },
            "Worker": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.12", "Handler": "index.h", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": code}, "Timeout": "30", **more,
                },
            },
            "First": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Worker"}}},
            "Live": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "Name": "live", "FunctionName": {"Ref": "Worker"},
                    "FunctionVersion": {"Fn::GetAtt": ["First", "Version"]},
                },
            },
            "Let": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": {"Ref": "Worker"}, "Action": "lambda:InvokeFunction",
                    "Principal": "lambda.alarms.cloudwatch.amazonaws.com", "SourceAccount": {"Ref": "AWS::AccountId"},
                },
            },
            "Busy": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "MetricName": "CPU", "Namespace": "App", "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1,
                    "Threshold": 70, "ComparisonOperator": "GreaterThanThreshold",
                    "AlarmActions": [{"Fn::GetAtt": ["Worker", "Arn"]}],
                },
            },
        },
        "Outputs": {
            "Arn": {"Value": {"Fn::GetAtt": ["Worker", "Arn"]}}, "Alias": {"Value": {"Ref": "Live"}},
            "Version": {"Value": {"Ref": "First"}},
        },
    }  # fmt: skip


def test_a_function_with_what_belongs_to_it(stacks: Stacks, aws: Callable[..., Any], account: str) -> None:
    lam, logs, cw = aws("lambda"), aws("logs"), aws("cloudwatch")

    def answer(name: str) -> Any:
        return json.loads(lam.invoke(FunctionName=name, Payload=b"1")["Payload"].read())

    made = stacks.create("s", template("old"), Capabilities=["CAPABILITY_IAM"])
    outputs = {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}
    name = stacks.physical("s", "Worker")
    arn = f"arn:aws:lambda:us-east-1:{account}:function:{name}"
    assert name.startswith("s-Worker-")
    assert outputs == {"Arn": arn, "Alias": f"{arn}:live", "Version": f"{arn}:1"}
    assert answer(name) == "old -"
    cw.set_alarm_state(AlarmName=stacks.physical("s", "Busy"), StateValue="ALARM", StateReason="x")

    def told() -> Any:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="alarmData")
        return found["events"]

    wait_until(told, "the alarm has called it", cw.describe_alarm_history)
    changed = {"Environment": {"Variables": {"X": "y"}}, "ReservedConcurrentExecutions": 5}
    stacks.update("s", template("new", **changed), Capabilities=["CAPABILITY_IAM"])
    assert stacks.physical("s", "Worker") == name
    assert (answer(name), answer(f"{name}:live")) == ("new y", "old -")
    assert lam.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 5
    stacks.update("s", template("new"), Capabilities=["CAPABILITY_IAM"])
    assert answer(name) == "new -"
    assert "ReservedConcurrentExecutions" not in lam.get_function_concurrency(FunctionName=name)
    stacks.delete("s")
    assert lam.list_functions()["Functions"] == []


def test_what_is_lacking_is_refused_before_anything_is_made(stacks: Stacks, aws: Callable[..., Any]) -> None:
    for lacking in (
        {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
        {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}},
    ):
        text = json.dumps(template("old", **lacking))
        code, message = stacks.refused(
            "create_stack", StackName="s", TemplateBody=text, Capabilities=["CAPABILITY_IAM"]
        )
        assert code == "NotImplemented" and next(iter(lacking)) in message
    assert stacks.cfn.describe_stacks()["Stacks"] == []
    assert aws("lambda").list_functions()["Functions"] == []


def test_a_function_that_cannot_be_leaves_nothing(stacks: Stacks, aws: Callable[..., Any]) -> None:
    refused = template("old", TracingConfig={"Mode": "Active"})
    stacks.create("s", refused, expect="ROLLBACK_COMPLETE", Capabilities=["CAPABILITY_IAM"])
    told = "\n".join(one.get("ResourceStatusReason", "") for one in stacks.events("s"))
    assert "TracingConfig: leave it out" in told
    assert aws("lambda").list_functions()["Functions"] == []


def test_a_version_that_would_be_the_one_there_is(stacks: Stacks, aws: Callable[..., Any]) -> None:
    """Its code has not changed: the update fails, and the version that the alias has stays."""
    stacks.create("s", template("old"), Capabilities=["CAPABILITY_IAM"])
    changed = template("old")
    changed["Resources"]["First"]["Properties"]["Description"] = "again"
    stacks.update("s", changed, expect="UPDATE_ROLLBACK_COMPLETE", Capabilities=["CAPABILITY_IAM"])
    told = "\n".join(one.get("ResourceStatusReason", "") for one in stacks.events("s"))
    assert "A version for this Lambda function exists ( 1 ). Modify the function to create a new version." in told
    answer = aws("lambda").invoke(FunctionName=f"{stacks.physical('s', 'Worker')}:live", Payload=b"1")
    assert json.loads(answer["Payload"].read()) == "old -"
