"""What an update does, decided beforehand: differences, replacement, change sets, signals, properties, the table itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from drydock.services.cloudformation import signals
from drydock.services.cloudformation.bound import bind
from drydock.services.cloudformation.diff import difference
from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.intrinsics import UNKNOWN, Context
from drydock.services.cloudformation.lifecycle import MAY_BEGIN, STACK
from drydock.services.cloudformation.model import StackResource, Thing
from drydock.services.cloudformation.planning import plan
from drydock.services.cloudformation.properties import checked
from drydock.services.cloudformation.schemas import every_type, schema_of
from drydock.services.cloudformation.template import parse
from drydock.services.cloudformation.types.table import TABLE
from drydock.services.cloudformation.working import changes, keeps_name

SUBNET = schema_of("AWS::EC2::Subnet")


def test_differences() -> None:
    before = {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "MapPublicIpOnLaunch": True}
    assert not difference(before, dict(before), SUBNET).any
    small = difference(before, {**before, "MapPublicIpOnLaunch": False}, SUBNET)
    assert (small.changed, small.replacement) == ({"MapPublicIpOnLaunch"}, "False")
    large = difference(before, {**before, "VpcId": "vpc-2"}, SUBNET)
    assert (large.replacing, large.replacement) == ({"VpcId"}, "True")
    perhaps = difference(before, {**before, "VpcId": UNKNOWN}, SUBNET)
    assert (perhaps.uncertain, perhaps.replacement) == ({"VpcId"}, "Conditional")
    gone = difference(before, {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}, SUBNET)
    assert (gone.changed, gone.replacement) == ({"MapPublicIpOnLaunch"}, "False")
    assert difference(before, before, SUBNET, metadata=True).any
    forced = difference({"A": 1}, {"A": 2}, SUBNET, further=frozenset({"A"}))
    assert forced.replacement == "True"


def test_a_custom_name_is_kept_or_not() -> None:
    assert keeps_name("AWS::IAM::Role", {"RoleName": "a"}, {"RoleName": "a"}) == "a"
    assert keeps_name("AWS::IAM::Role", {"RoleName": "a"}, {"RoleName": "b"}) == ""
    assert keeps_name("AWS::EC2::VPC", {"CidrBlock": "a"}, {"CidrBlock": "a"}) == ""


def planned(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Changes from resources with these properties, all of them subnets of the VPC Vpc."""
    records = {
        name: StackResource(
            "s", name, Thing(one["Type"], f"{name}-id", one.get("Properties", {})), "CREATE_COMPLETE", 0.0
        )
        for name, one in old.items()
    }
    template = parse(json.dumps({"Resources": new}))

    def with_resources(context: Context, unknown: frozenset[str]) -> Context:
        def reference(name: str) -> Any:
            return records[name].now.physical_id if name in records and name not in unknown else UNKNOWN

        return replace(context, reference=reference)

    def differ(record: StackResource, resource: Any, properties: dict[str, Any]) -> Any:
        return changes(record, resource, properties, [])

    found = plan(bind(template, Context({})), records, with_resources, differ)
    shown = [one["ResourceChange"] for one in found]
    return [(one["Action"], one["LogicalResourceId"], one.get("Replacement", "")) for one in shown]


def vpc(block: str) -> dict[str, Any]:
    return {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": block}}


def within(vpc_id: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": vpc_id, "CidrBlock": "10.0.0.0/24"}}


def test_what_a_replacement_takes_with_it() -> None:
    old = {"Vpc": vpc("10.0.0.0/16"), "Net": within("Vpc-id"), "Gone": vpc("10.9.0.0/16")}
    same = {"Vpc": vpc("10.0.0.0/16"), "Net": within({"Ref": "Vpc"})}
    assert planned(old, {**same, "Gone": vpc("10.9.0.0/16")}) == []
    assert planned(old, same) == [("Remove", "Gone", "")]
    assert planned(old, {"Net": within({"Ref": "Vpc"}), "Vpc": vpc("10.1.0.0/16"), "More": within({"Ref": "Vpc"})}) == [
        ("Modify", "Net", "Conditional"),
        ("Modify", "Vpc", "True"),
        ("Add", "More", ""),
        ("Remove", "Gone", ""),
    ]


def test_signals() -> None:
    wanted = signals.wanted("AWS::EC2::Instance", {"ResourceSignal": {"Count": 2, "Timeout": "PT1H2M3S"}}, {})
    assert wanted == signals.Wanted(2, 3723.0, False)
    assert wanted is not None
    good, bad = {"status": "SUCCESS"}, {"status": "FAILURE", "reason": "no disk"}
    assert not signals.enough(wanted, {"a": good})
    assert signals.enough(wanted, {"a": good, "b": good})
    with pytest.raises(Failed, match="Received 1 FAILURE signal"):
        signals.enough(wanted, {"a": bad})
    assert (
        signals.too_few(wanted, {"a": good}) == "Failed to receive 1 resource signal(s) within the specified duration"
    )
    half = replace(wanted, percent=50)
    assert signals.enough(half, {"a": good, "b": bad})
    condition = signals.Wanted(1, 10.0, True)
    with pytest.raises(Failed, match="WaitCondition received failed message: 'no disk' for uniqueId: a"):
        signals.enough(condition, {"a": bad})
    assert signals.wanted("AWS::EC2::Instance", {}, {}) is None
    with pytest.raises(ValueError, match="JSON object"):
        signals.message(b"[]")


PROPERTIES: list[tuple[dict[str, Any], str]] = [
    ({"Nothing": 1, "VpcId": "v"}, "#: extraneous key [Nothing] is not permitted"),
    ({"CidrBlock": "c"}, "#: required key [VpcId] not found"),
    ({"VpcId": ["v"]}, "#/VpcId: expected type: String, found: JSONArray"),
    ({"VpcId": "v", "MapPublicIpOnLaunch": "perhaps"}, "#/MapPublicIpOnLaunch: expected type: Boolean, found: String"),
    (
        {"VpcId": "v", "Tags": [{"Key": "k", "Value": "v", "More": 1}]},
        "#/Tags/0: extraneous key [More] is not permitted",
    ),
    ({"VpcId": "v", "Tags": "t"}, "#/Tags: expected type: JSONArray, found: String"),
    ({"VpcId": "v", "SubnetId": "s"}, "#: extraneous key [SubnetId] is not permitted"),
]


@pytest.mark.parametrize(("properties", "fault"), PROPERTIES)
def test_properties_against_their_schema(properties: dict[str, Any], fault: str) -> None:
    with pytest.raises(Failed) as error:
        checked("Net", properties, SUBNET)
    assert str(error.value) == f"Properties validation failed for resource Net with message:\n[{fault}]"


def test_values_get_the_types_of_their_schema() -> None:
    found = checked("Net", {"VpcId": 5, "MapPublicIpOnLaunch": "true", "Tags": [{"Key": 1, "Value": True}]}, SUBNET)
    assert found == {"VpcId": "5", "MapPublicIpOnLaunch": True, "Tags": [{"Key": "1", "Value": "true"}]}


def test_every_state_can_be_left_or_is_an_end() -> None:
    for status, following in STACK.items():
        assert set(following) <= set(STACK)
        if status.endswith("_IN_PROGRESS"):
            assert following, status
    assert STACK["DELETE_COMPLETE"] == ()
    for operation, states in MAY_BEGIN.items():
        assert set(states) <= set(STACK), operation


def test_the_table_names_what_the_schemas_have() -> None:
    assert len(every_type()) > 1500
    for name, kind in TABLE.items():
        schema = schema_of(name)
        assert name in every_type()
        strange = {one for one in (*kind.passes, *kind.replaces) if one not in schema.properties}
        assert strange == set(), name
        assert not set(kind.passes) & schema.read_only, name
        assert not set(schema.required) & kind.lacking(), name
