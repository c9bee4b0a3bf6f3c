"""What is refused, in AWS's words, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.elbv2.story import Balanced

NO_ARN = "arn:aws:elasticloadbalancing:us-east-1:{account}:{kind}/app/none/0123456789abcdef"


def refused(call: Any, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as told:
        call(**given)
    error = told.value.response["Error"]
    return error["Code"], error["Message"]


def test_load_balancers(web: Balanced, account: str) -> None:
    elb, names = web.elb, [subnet["SubnetId"] for subnet in web.subnets]
    create = elb.create_load_balancer
    assert refused(create, Name="web") == (
        "ValidationError", "At least two subnets in two different Availability Zones must be specified",
    )  # fmt: skip
    assert refused(create, Name="web", Subnets=names[:1])[0] == "ValidationError"
    assert refused(create, Name="web", Subnets=["subnet-1", names[0]]) == (
        "SubnetNotFound", "The subnet ID 'subnet-1' does not exist",
    )  # fmt: skip
    assert refused(create, Name="web", Subnets=names[:2], SecurityGroups=["sg-1"]) == (
        "InvalidSecurityGroup", "The security group 'sg-1' does not exist",
    )  # fmt: skip
    for name in ("a" * 33, "-a", "a-", "a_b", "internal-a"):
        assert refused(create, Name=name, Subnets=names[:2])[0] == "ValidationError"
    other = web.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = [
        web.ec2.create_subnet(VpcId=other, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]
        for n, z in ((0, "a"), (1, "a"), (2, "b"))
    ]
    ids = [each["SubnetId"] for each in made]
    assert refused(create, Name="web", Subnets=ids[:2]) == (
        "InvalidConfigurationRequest",
        "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
    )
    assert refused(create, Name="web", Subnets=ids[1:]) == ("InvalidSubnet", f"VPC {other} has no internet gateway")
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    gone = NO_ARN.format(account=account, kind="loadbalancer")
    message = f"Load balancer '{gone}' not found"
    assert refused(elb.describe_load_balancer_attributes, LoadBalancerArn=gone) == ("LoadBalancerNotFound", message)
    assert refused(elb.describe_load_balancers, Names=["x"]) == (
        "LoadBalancerNotFound", "Load balancers '[x]' not found",
    )  # fmt: skip
    assert refused(elb.delete_load_balancer, LoadBalancerArn="x") == (
        "ValidationError", "'x' is not a valid load balancer ARN",
    )  # fmt: skip
    assert elb.delete_load_balancer(LoadBalancerArn=gone)
    assert refused(create, Name="web", Subnets=names[:2], Type="gateway")[0] == "NotImplemented"


def test_made_twice(web: Balanced) -> None:
    web.made()
    names = [subnet["SubnetId"] for subnet in web.subnets]
    again = web.elb.create_load_balancer(Name="web", Subnets=names[:2], SecurityGroups=[web.front])
    assert again["LoadBalancers"][0]["LoadBalancerArn"] == web.arn
    assert refused(web.elb.create_load_balancer, Name="web", Subnets=names[1:3]) == (
        "DuplicateLoadBalancerName", "A load balancer with the same name 'web' exists, but with different settings",
    )  # fmt: skip
    assert web.target_group("web") == web.group
    with pytest.raises(ClientError, match="DuplicateTargetGroupName"):
        web.target_group("web", Port=81)


def test_listeners_and_rules(web: Balanced, account: str) -> None:
    web.made()
    elb, forward = web.elb, [{"Type": "forward", "TargetGroupArn": web.group}]
    create = {"LoadBalancerArn": web.arn, "Protocol": "HTTP", "DefaultActions": forward}
    assert refused(elb.create_listener, **create, Port=80)[0] == "DuplicateListener"
    assert refused(elb.create_listener, **create)[1] == "A listener port must be specified"
    assert refused(elb.create_listener, **(create | {"Protocol": "TCP", "Port": 81})) == (
        "ValidationError", "Listener protocol 'TCP' must be one of 'HTTP, HTTPS'",
    )  # fmt: skip
    assert refused(elb.create_listener, **(create | {"Protocol": "HTTPS", "Port": 443}))[0] == "ValidationError"
    gone = NO_ARN.format(account=account, kind="listener") + "/0123456789abcdef"
    assert refused(elb.delete_listener, ListenerArn=gone) == ("ListenerNotFound", f"Listener '{gone}' not found")
    assert refused(elb.describe_listeners)[0] == "ValidationError"
    path = [{"Field": "path-pattern", "Values": ["/a"]}]
    rule = {"ListenerArn": web.listener, "Priority": 5, "Actions": forward, "Conditions": path}
    made = elb.create_rule(**rule)["Rules"][0]
    assert refused(elb.create_rule, **rule) == ("PriorityInUse", "Priority '5' is currently in use")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"Conditions": [{"Field": "nothing", "Values": ["x"]}]}, "ValidationError"),
        ({"Conditions": []}, "ValidationError"),
        ({"Conditions": path * 2}, "ValidationError"),
        ({"Conditions": [{"Field": "path-pattern", "Values": ["/a"] * 6}]}, "TooManyRules"),
        ({"Conditions": [{"Field": "source-ip", "SourceIpConfig": {"Values": ["x"]}}]}, "ValidationError"),
        ({"Actions": [{"Type": "authenticate-oidc"}]}, "NotImplemented"),
        ({"Actions": [{"Type": "forward"}]}, "ValidationError"),
        ({"Actions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}]}, "InvalidLoadBalancerAction"),
        ({"Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "300"}}]}, "ValidationError"),
        ({"Actions": [{"Type": "forward", "TargetGroupArn": web.group[:-1] + "x"}]}, "TargetGroupNotFound"),
    ]  # fmt: skip
    for change, code in wrong:
        assert refused(elb.create_rule, **(rule | {"Priority": 6} | change))[0] == code, change
    default = elb.describe_rules(ListenerArn=web.listener)["Rules"][-1]
    assert default["IsDefault"] and default["Priority"] == "default"
    assert refused(elb.delete_rule, RuleArn=default["RuleArn"])[0] == "OperationNotPermitted"
    other = elb.create_rule(**(rule | {"Priority": 6}))["Rules"][0]
    pairs = [{"RuleArn": made["RuleArn"], "Priority": 6}, {"RuleArn": other["RuleArn"], "Priority": 5}]
    assert refused(elb.set_rule_priorities, RulePriorities=pairs[:1])[0] == "PriorityInUse"
    elb.set_rule_priorities(RulePriorities=pairs)
    assert [r["RuleArn"] for r in elb.describe_rules(ListenerArn=web.listener)["Rules"][:2]] == [
        other["RuleArn"], made["RuleArn"],
    ]  # fmt: skip


def test_target_groups_and_targets(web: Balanced) -> None:
    web.made()
    elb = web.elb
    assert refused(elb.delete_target_group, TargetGroupArn=web.group) == (
        "ResourceInUse", f"Target group '{web.group}' is currently in use by a listener or a rule",
    )  # fmt: skip
    base = {"Name": "t", "Protocol": "HTTP", "Port": 80, "VpcId": web.vpc}
    assert refused(elb.create_target_group, **(base | {"VpcId": "vpc-1"})) == (
        "ValidationError", "The VPC ID 'vpc-1' is not found",
    )  # fmt: skip
    assert refused(elb.create_target_group, **base, HealthCheckIntervalSeconds=5) == (
        "ValidationError", "Health check interval must be greater than the timeout.",
    )  # fmt: skip
    for change in ({"TargetType": "lambda"}, {"Protocol": "UDP"}, {"ProtocolVersion": "GRPC"}):
        assert refused(elb.create_target_group, **(base | change))[0] == "NotImplemented"
    gone = web.group[:-1] + "x"
    assert refused(elb.register_targets, TargetGroupArn=gone, Targets=[{"Id": "172.31.0.9"}]) == (
        "TargetGroupNotFound", f"Target group '{gone}' not found",
    )  # fmt: skip
    for address in ("8.8.8.8", "10.0.0.1", "x", "i-0123456789abcdef0"):
        assert (
            refused(elb.register_targets, TargetGroupArn=web.group, Targets=[{"Id": address}])[0] == "ValidationError"
        )
    instances = web.target_group("i", TargetType="instance")
    assert refused(elb.register_targets, TargetGroupArn=instances, Targets=[{"Id": "i-1"}])[0] == "InvalidTarget"
    second = elb.create_load_balancer(Name="second", Subnets=[s["SubnetId"] for s in web.subnets[:2]])
    arn = second["LoadBalancers"][0]["LoadBalancerArn"]
    action = [{"Type": "forward", "TargetGroupArn": web.group}]
    code, message = refused(elb.create_listener, LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=action)
    assert code == "TargetGroupAssociationLimit"
    assert message == f"The following target groups cannot be associated with more than one load balancer: {web.group}"


def test_attributes_and_tags(web: Balanced) -> None:
    web.made()
    elb = web.elb

    def of_balancer(key: str, value: str) -> Any:
        return elb.modify_load_balancer_attributes(LoadBalancerArn=web.arn, Attributes=[{"Key": key, "Value": value}])

    def of_group(key: str, value: str) -> Any:
        return elb.modify_target_group_attributes(TargetGroupArn=web.group, Attributes=[{"Key": key, "Value": value}])

    assert refused(of_balancer, key="nonsense", value="1") == (
        "ValidationError", "Load balancer attribute key 'nonsense' is not recognized",
    )  # fmt: skip
    assert refused(of_balancer, key="idle_timeout.timeout_seconds", value="0") == (
        "ValidationError", "'idle_timeout.timeout_seconds' value '0' must be between '1-4000' inclusive",
    )  # fmt: skip
    assert refused(of_balancer, key="access_logs.s3.enabled", value="true")[0] == "NotImplemented"
    assert refused(of_group, key="deregistration_delay.timeout_seconds", value="3601")[1] == (
        "'deregistration_delay.timeout_seconds' value '3601' must be between '0-3600' inclusive"
    )
    of_group("deregistration_delay.timeout_seconds", "7")
    shown = elb.describe_target_group_attributes(TargetGroupArn=web.group)["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "7"} in shown
    of_balancer("deletion_protection.enabled", "true")
    assert refused(elb.delete_load_balancer, LoadBalancerArn=web.arn)[0] == "OperationNotPermitted"
    of_balancer("deletion_protection.enabled", "false")
    arns = [web.arn, web.group, web.listener]
    elb.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    elb.remove_tags(ResourceArns=arns[:1], TagKeys=["a"])
    told = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    assert [len(each["Tags"]) for each in told] == [1, 2, 2]
    twice = [{"Key": "a", "Value": "1"}] * 2
    assert refused(elb.add_tags, ResourceArns=arns, Tags=twice)[0] == "DuplicateTagKeys"
    limits = {each["Name"]: each["Max"] for each in elb.describe_account_limits()["Limits"]}
    assert limits["rules-per-application-load-balancer"] == "100"
    assert refused(elb.describe_trust_stores)[0] == "NotImplemented"


def test_policies_decide(web: Balanced) -> None:
    web.made()
    user = web.ecs.user("reader", {"Action": "elasticloadbalancing:Describe*", "Resource": "*"})
    assert user("elbv2").describe_load_balancers()["LoadBalancers"]
    code, message = refused(user("elbv2").delete_load_balancer, LoadBalancerArn=web.arn)
    assert code == "AccessDenied"
    assert f"elasticloadbalancing:DeleteLoadBalancer on resource: {web.arn}" in message
