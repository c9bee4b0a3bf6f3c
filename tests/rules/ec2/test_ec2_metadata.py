"""The tree that a machine sees at 169.254.169.254."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drydock.services.ec2.metadata import look_up, tree
from drydock.services.ec2.model import Machine
from drydock.store import Scope

SCOPE = Scope("123456789012", "us-east-1")


def machine(**given: Any) -> Machine:
    base: dict[str, Any] = {
        "image_id": "ami-1", "instance_type": "t3.micro", "private_address": "172.31.0.4", "mac": "02:00:00:00:00:01",
        "private_dns": "ip-172-31-0-4.ec2.internal", "availability_zone": "us-east-1a", "groups": ("sg-1", "sg-2"),
        "group_names": ("web", "default"), "subnet_id": "subnet-1", "vpc_id": "vpc-1",
    }  # fmt: skip
    return Machine("i-1", **(base | given))


def page(
    path: str, it: Machine | None = None, data: bytes = b"", role: str = "", keys: dict[str, Any] | None = None
) -> Any:
    found = look_up(tree(SCOPE, it or machine(), data, role, keys), path.strip("/").split("/"))
    return None if found is None else found.decode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("meta-data/instance-id", "i-1"),
        ("meta-data/instance-type", "t3.micro"),
        ("meta-data/local-ipv4", "172.31.0.4"),
        ("meta-data/hostname", "ip-172-31-0-4.ec2.internal"),
        ("meta-data/placement/availability-zone", "us-east-1a"),
        ("meta-data/placement/region", "us-east-1"),
        ("meta-data/security-groups", "web\ndefault"),
        ("meta-data/network/interfaces/macs/02:00:00:00:00:01/security-group-ids", "sg-1\nsg-2"),
        ("meta-data/network/interfaces/macs/", "02:00:00:00:00:01/"),
        ("meta-data/placement/", "availability-zone\navailability-zone-id\nregion"),
    ],
)
def test_pages(path: str, value: str) -> None:
    assert page(path) == value


@pytest.mark.parametrize(
    "path",
    ["meta-data/public-ipv4", "meta-data/iam/info", "meta-data/tags/instance", "user-data", "meta-data/public-keys/",
     "meta-data/nothing", "meta-data/instance-id/more", "nothing"],
)  # fmt: skip
def test_what_it_has_not_is_not_there(path: str) -> None:
    assert page(path) is None


def test_with_a_public_address() -> None:
    it = machine(public_address="127.16.1.2", public_dns="ec2-x")
    assert page("meta-data/public-ipv4", it) == "127.16.1.2"
    assert page("meta-data/network/interfaces/macs/02:00:00:00:00:01/ipv4-associations/127.16.1.2", it) == "172.31.0.4"


def test_with_a_role() -> None:
    it = machine(profile="arn:aws:iam::1:instance-profile/p")
    assert page("meta-data/iam/security-credentials/", it, role="r") == "r"
    assert json.loads(page("meta-data/iam/security-credentials/r", it, role="r", keys={"Code": "Success"})) == {
        "Code": "Success"
    }
    assert json.loads(page("meta-data/iam/info", it))["InstanceProfileArn"] == "arn:aws:iam::1:instance-profile/p"
    assert page("meta-data/iam/security-credentials/", it) == ""


def test_tags_only_if_asked_for() -> None:
    assert page("meta-data/tags/instance/Name", machine(tags={"Name": "web"}, metadata_tags="enabled")) == "web"
    assert page("meta-data/tags/instance/Name", machine(tags={"Name": "web"})) is None


def test_user_data_as_it_was_given() -> None:
    assert page("user-data", data=b"#!/bin/sh\n") == "#!/bin/sh\n"


def test_folders_are_listed() -> None:
    listed = page("meta-data").split("\n")
    assert {"instance-id", "network/", "placement/"} <= set(listed)
    assert listed == sorted(listed)
    assert json.loads(page("dynamic/instance-identity/document"))["instanceId"] == "i-1"
