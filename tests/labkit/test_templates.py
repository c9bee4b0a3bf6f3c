"""Templates as graphs, and their picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from labkit import stack_pictures
from labkit.templates import direct, resources, steps

TEMPLATE = """
Parameters: {Size: {Type: String}}
Resources:
  Vpc: {Type: AWS::EC2::VPC}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, Zone: !Select [0, !GetAZs '']}}
  Role: {Type: AWS::IAM::Role, Properties: {Name: !Sub '${AWS::StackName}-${Size}'}}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties: {Role: !GetAtt Role.Arn, Cpu: !Ref Size, Text: !Sub ['${Subnet} ${Own}', {Own: {'Fn::GetAtt': [Vpc, Id]}}]}
  Service: {Type: AWS::ECS::Service, DependsOn: [Subnet, Vpc], Properties: {Definition: {Ref: Task}}}
"""


def test_what_refers_to_what_is_found_in_every_form() -> None:
    needs = {one.name: one.needs for one in resources(TEMPLATE)}
    assert needs == {
        "Vpc": (),
        "Subnet": ("Vpc",),
        "Role": (),
        "Task": ("Vpc", "Subnet", "Role"),
        "Service": ("Vpc", "Subnet", "Task"),
    }


def test_steps_are_what_can_be_made_at_the_same_time() -> None:
    found = steps(resources(TEMPLATE))
    assert [[one.name for one in step] for step in found] == [["Vpc", "Role"], ["Subnet"], ["Task"], ["Service"]]


def test_arrows_that_others_imply_are_left_out() -> None:
    assert direct(resources(TEMPLATE)) == {
        "Vpc": (), "Subnet": ("Vpc",), "Role": (), "Task": ("Subnet", "Role"), "Service": ("Task",),
    }  # fmt: skip


def test_a_circle_has_no_steps() -> None:
    circle = "Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, DependsOn: A}}"
    with pytest.raises(ValueError, match="these wait for each other: A, B"):
        steps(resources(circle))


def test_the_picture_repeats_and_has_every_resource_and_arrow() -> None:
    found = resources(TEMPLATE)
    picture = stack_pictures.svg(found, "a & b")
    assert picture == stack_pictures.svg(found, "a & b")
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {one.name for one in found} <= set(texts)
    assert picture.count("marker-end") == sum(len(needs) for needs in direct(found).values())


def test_the_text_twin_says_what_waits_for_what() -> None:
    told = stack_pictures.text_twin(resources(TEMPLATE)).splitlines()
    assert told[:2] == ["step 1", "  Vpc (EC2::VPC)"]
    assert "  Task (ECS::TaskDefinition) after Subnet, Role" in told
