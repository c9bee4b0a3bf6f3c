"""AWS::CloudWatch::Dashboard."""

from __future__ import annotations

import json
from typing import Any

from tests.services.cloudformation.conftest import Stacks


def stack(text: str, name: str = "") -> dict[str, Any]:
    widgets = [{"type": "text", "width": 6, "height": 2, "properties": {"markdown": text} if text else {}}]
    properties = {
        "DashboardBody": {"Fn::Sub": json.dumps({"widgets": widgets})},
        **({"DashboardName": name} if name else {}),
    }
    return {"Resources": {"Board": {"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}},
            "Outputs": {"Name": {"Value": {"Ref": "Board"}}}}  # fmt: skip


def bodies(stacks: Stacks) -> dict[str, str]:
    cw = stacks.aws("cloudwatch")
    names = [one["DashboardName"] for one in cw.list_dashboards()["DashboardEntries"]]
    found = {name: json.loads(cw.get_dashboard(DashboardName=name)["DashboardBody"]) for name in names}
    return {name: body["widgets"][0]["properties"]["markdown"] for name, body in found.items()}


def test_a_dashboard_is_made_changed_replaced_and_deleted(stacks: Stacks) -> None:
    made = stacks.create("one", stack("of ${AWS::StackName}"))
    ((name, text),) = bodies(stacks).items()
    assert text == "of one" and name.startswith("one-Board-")
    assert made["Outputs"][0]["OutputValue"] == name == stacks.physical("one", "Board")
    stacks.update("one", stack("changed"))
    assert bodies(stacks) == {name: "changed"}
    stacks.update("one", stack("changed", "named"))
    assert bodies(stacks) == {"named": "changed"}
    stacks.delete("one")
    assert bodies(stacks) == {}


def test_a_body_that_is_refused_fails_the_stack(stacks: Stacks) -> None:
    stacks.create("bad", stack(""), "ROLLBACK_COMPLETE")
    assert any("The dashboard body is invalid, there is 1 validation error" in line for line in stacks.story("bad"))
    assert bodies(stacks) == {}


def test_a_dashboard_that_is_gone_already(stacks: Stacks) -> None:
    stacks.create("one", stack("x", "mine"))
    stacks.aws("cloudwatch").delete_dashboards(DashboardNames=["mine"])
    stacks.delete("one")


def test_a_name_that_is_taken(stacks: Stacks) -> None:
    stacks.aws("cloudwatch").put_dashboard(DashboardName="mine", DashboardBody='{"widgets": []}')
    stacks.create("one", stack("x", "mine"), "ROLLBACK_COMPLETE")
    assert stacks.aws("cloudwatch").get_dashboard(DashboardName="mine")["DashboardBody"] == '{"widgets": []}'
