"""169.254.169.254 as a machine sees it, the keys that it gives out, and what they may do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator_process import wait_until
from tests.services.ec2.yard import Yard
from tests.services.ecs.story import allowing, trust

ASK = r"""#!/usr/bin/env python3
import json, urllib.error, urllib.request
def ask(path, method="GET", **headers):
    given = {"X-aws-ec2-metadata-" + name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request("http://169.254.169.254/" + path, method=method, headers=given)) as a:
            return a.status, a.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
def token(seconds="60"):
    return ask("latest/api/token", "PUT", token_ttl_seconds=seconds)
def get(path):
    return ask("latest/" + path, token=token()[1])[1]
def tell(name, value):
    print("TOLD " + json.dumps([name, value]), flush=True)
"""


def told(yard: Yard, body: str, **given: Any) -> dict[str, Any]:
    """What a script of user data told."""
    _, console = yard.booted(ASK + body, **given)
    return dict(json.loads(line) for line in re.findall(r"^TOLD (.*)$", console, re.MULTILINE))


def test_only_version_2_on_amazon_linux_2023(yard: Yard) -> None:
    found = told(
        yard,
        "tell('v1', ask('latest/meta-data/instance-id')[0]); tell('wrong', ask('latest/meta-data/', token='x')[0])\n"
        "tell('token', token()[0]); tell('v2', get('meta-data/instance-id'))\n"
        "tell('ttl', [token(t)[0] for t in ('0', '21601', 'x', '')]); tell('none', ask('latest/api/token', 'PUT')[0])\n"
        "tell('post', ask('latest/meta-data/', 'POST', token=token()[1])[0])\n"
        "tell('nothing', ask('latest/meta-data/nothing', token=token()[1])[0])\n",
    )
    assert (found["v1"], found["wrong"], found["token"]) == (401, 401, 200)
    assert found["v2"].startswith("i-")
    assert found["ttl"] == [400] * 4 and found["none"] == 400
    assert (found["post"], found["nothing"]) == (405, 404)


def test_version_1_where_the_instance_allows_it(yard: Yard) -> None:
    found = told(yard, "tell('v1', ask('latest/meta-data/')[0])\n", MetadataOptions={"HttpTokens": "optional"})
    assert found["v1"] == 200


def test_who_i_am(yard: Yard) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "me"}]}]
    found = told(
        yard,
        "for p in ('instance-id', 'instance-type', 'ami-id', 'local-ipv4', 'public-ipv4', 'mac', 'security-groups',\n"
        "          'placement/availability-zone', 'placement/region', 'tags/instance/Name', 'local-hostname'):\n"
        "    tell(p, get('meta-data/' + p))\n"
        "tell('document', get('dynamic/instance-identity/document')); tell('user-data', get('user-data'))\n",
        TagSpecifications=tags,
        MetadataOptions={"InstanceMetadataTags": "enabled"},
    )
    it = yard.describe(found["instance-id"])
    assert found["local-ipv4"] == it["PrivateIpAddress"] and found["public-ipv4"] == it["PublicIpAddress"]
    assert found["mac"] == it["NetworkInterfaces"][0]["MacAddress"]
    assert found["placement/availability-zone"] == it["Placement"]["AvailabilityZone"]
    assert (found["tags/instance/Name"], found["security-groups"]) == ("me", "default")
    assert found["local-hostname"] == it["PrivateDnsName"]
    document = json.loads(found["document"])
    assert (document["accountId"], document["instanceId"]) == (yard.account, it["InstanceId"])
    assert found["user-data"].startswith("#!/usr/bin/env python3")


def test_a_machine_without_a_profile_has_no_keys(yard: Yard) -> None:
    found = told(yard, "tell('iam', ask('latest/meta-data/iam/security-credentials/', token=token()[1])[0])\n")
    assert found["iam"] == 404


KEYS = "tell('keys', json.loads(get('meta-data/iam/security-credentials/machines')))\n"


def test_the_role_s_keys_work_until_the_machine_goes(yard: Yard) -> None:
    profile = yard.profile()
    yard.aws("iam").put_role_policy(
        RoleName="machines", PolicyName="its", PolicyDocument=allowing(Action="s3:ListAllMyBuckets", Resource="*")
    )
    found = told(yard, KEYS + "tell('id', get('meta-data/instance-id'))\n", IamInstanceProfile=profile)
    keys = found["keys"]
    assert keys["Code"] == "Success" and keys["Type"] == "AWS-HMAC"
    given = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["Token"],
    }
    arn = yard.aws("sts", **given).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{yard.account}:assumed-role/machines/{found['id']}"
    yard.aws("s3", **given).list_buckets()
    with pytest.raises(ClientError, match="is not authorized to perform: ec2:DescribeInstances"):
        yard.aws("ec2", **given).describe_instances()
    yard.ec2.terminate_instances(InstanceIds=[found["id"]])
    yard.until(found["id"], "terminated")
    with pytest.raises(ClientError):
        yard.aws("sts", **given).get_caller_identity()


def test_a_role_that_does_not_trust_ec2(yard: Yard) -> None:
    profile = yard.profile()
    yard.aws("iam").update_assume_role_policy(RoleName="machines", PolicyDocument=trust("ecs.amazonaws.com"))
    keys = told(yard, KEYS, IamInstanceProfile=profile)["keys"]
    assert keys["Code"] == "AssumeRoleUnauthorizedAccess"
    assert keys["Message"].startswith("EC2 cannot assume the role machines.")


def test_aws_s_api_is_reached_from_inside_with_the_role(yard: Yard) -> None:
    profile = yard.profile("machines", "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    script = """#!/bin/bash
. /etc/profile.d/drydock.sh
grep AWS_ENDPOINT_URL=$AWS_ENDPOINT_URL /etc/environment && echo same
python3 - <<'E'
import os, urllib.request
try:
    urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_drydock/health")
    print("reached")
except Exception as error:
    print(error)
E
"""
    _, console = yard.booted(script, IamInstanceProfile=profile)
    assert "same" in console and "reached" in console


def test_a_profile_that_comes_later(yard: Yard) -> None:
    instance, _ = yard.booted()
    profile = yard.profile()
    association = yard.ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile=profile)
    assert association["IamInstanceProfileAssociation"]["State"]
    wait_until(lambda: yard.describe(instance).get("IamInstanceProfile"), "it has the profile")


def test_who_may_not_pass_the_role_may_not_launch_with_it(yard: Yard) -> None:
    profile = yard.profile()
    iam = yard.aws("iam")
    iam.create_user(UserName="u")
    may = allowing(Action=["ec2:*", "ssm:*"], Resource="*")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=may)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    given = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    base = {"ImageId": yard.image(), "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1}
    ec2 = yard.aws("ec2", **given)
    with pytest.raises(ClientError, match="iam:PassRole"):
        ec2.run_instances(**base, IamInstanceProfile=profile)
    data = {"ImageId": yard.image(), "InstanceType": "t3.nano", "IamInstanceProfile": profile}
    template = yard.ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)["LaunchTemplate"]
    named = {"LaunchTemplateId": template["LaunchTemplateId"]}
    with pytest.raises(ClientError, match="iam:PassRole"):
        ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate=named)
    assert yard.ec2.describe_instances()["Reservations"] == []
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
        yard.ec2.run_instances(**base, IamInstanceProfile={"Name": "nobody"})
