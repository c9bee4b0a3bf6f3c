"""Instances and what is free on them, drawn; a chapter's machines are found and taken down."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import labkit as lab
import pytest
from labkit.drawing import WIDEST
from labkit.instances import Machine, Placed, svg, text_twin

_SVG = "{http://www.w3.org/2000/svg}"
TASK = Placed("task 01234567...", "web:2", "RUNNING", ("port 32768 -> web:80",))
FULL = Machine("one", "us-east-1a", "t3.small", "ACTIVE", (1024, 2048), (480, 1920), ("22", "32768"), (TASK,))
EMPTY = Machine("<two>", "us-east-1b", "t3.small", "DRAINING", (2048, 2048), (1920, 1920))
AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def test_the_text_says_what_is_free_and_what_runs_where() -> None:
    assert text_twin([FULL, EMPTY], "c").split("\n") == [
        "cluster c (instances: 2, tasks on them: 1)",
        "  one (t3.small in us-east-1a, ACTIVE)",
        "    1024 of 2048 CPU units free; 480 of 1920 MiB free",
        "    host ports taken: 22, 32768",
        "    task 01234567... (web:2, RUNNING, port 32768 -> web:80)",
        "  <two> (t3.small in us-east-1b, DRAINING)",
        "    2048 of 2048 CPU units free; 1920 of 1920 MiB free",
        "    host ports taken: none",
    ]


def test_the_picture_says_the_same_and_its_bars_are_as_long_as_what_is_taken() -> None:
    picture = ET.fromstring(svg([FULL, EMPTY], "c"))  # noqa: S314 (ours)
    texts = {element.text for element in picture.iter(f"{_SVG}text")}
    assert {"one", "<two>", "1024 of 2048 CPU units free", "port 32768 -> web:80", "web:2, RUNNING"} <= texts
    assert picture.attrib["aria-label"].split() == text_twin([FULL, EMPTY], "c").split()
    rects = [element.attrib for element in picture.iter(f"{_SVG}rect")]
    whole = next(float(each["width"]) for each in rects if each.get("rx") == "2" and each["fill"] == "#fff")
    taken = [float(each["width"]) for each in rects if each["fill"] == "#3b6ea5"]
    assert [round(width / whole, 2) for width in taken] == [0.5, 0.75]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_any_number_of_instances_fits(count: int) -> None:
    picture = ET.fromstring(svg([FULL] * count, "c"))  # noqa: S314 (ours)
    width, height = (float(number) for number in picture.attrib["viewBox"].split()[2:])
    assert float(picture.attrib["width"]) <= WIDEST
    for rect in picture.iter(f"{_SVG}rect"):
        x, y, wide, high = (float(rect.attrib.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert x + wide <= width and y + high <= height


@pytest.mark.usefixtures("lab_environment")
def test_a_chapters_machines_are_tagged_and_taken_down(
    aws: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    image = aws("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    wanted = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    theirs = aws("ec2").run_instances(**wanted)["Instances"][0]["InstanceId"]
    here = lab.begin("10")
    assert "EC2 instances can run" in capsys.readouterr().out
    iam = lab.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="lab10-r", AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName="lab10-p")
    iam.add_role_to_instance_profile(InstanceProfileName="lab10-p", RoleName="lab10-r")
    named = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "mine"}]}]
    mine = lab.client("ec2").run_instances(**wanted, TagSpecifications=named)["Instances"][0]
    assert {"Key": "lab", "Value": "10"} in mine["Tags"] and {"Key": "Name", "Value": "mine"} in mine["Tags"]
    lab.cleanup(here)
    told = capsys.readouterr().out
    assert "instance mine: terminated" in told
    states = {
        one["InstanceId"]: one["State"]["Name"]
        for each in aws("ec2").describe_instances()["Reservations"]
        for one in each["Instances"]
    }
    assert states[mine["InstanceId"]] == "terminated" and states[theirs] in ("pending", "running")
    assert aws("iam").list_instance_profiles()["InstanceProfiles"] == []
    aws("ec2").terminate_instances(InstanceIds=[theirs])
