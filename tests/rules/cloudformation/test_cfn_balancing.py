"""The rows of Elastic Load Balancing: which calls they make, each of them one that AWS's API would take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.validate import ParamValidator
from drydock.botocore_models import service_model
from drydock.errors import AwsError
from drydock.request import Principal
from drydock.services.cloudformation.faults import Failed
from drydock.services.cloudformation.properties import checked
from drydock.services.cloudformation.schemas import schema_of
from drydock.services.cloudformation.types.base import NotFound, Work
from drydock.services.cloudformation.types.table import TABLE

V2 = "AWS::ElasticLoadBalancingV2::"
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
BALANCER, GROUP = f"{ARN}loadbalancer/app/b/1", f"{ARN}targetgroup/g/1"
LISTENER, RULE = f"{ARN}listener/app/b/1/2", f"{ARN}listener-rule/app/b/1/2/3"


class Api:
    """Elastic Load Balancing's API with canned answers, which takes only what AWS's model has."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def __call__(
        self, principal: Principal, region: str, service: str, operation: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        shape = service_model(service).operation_model(operation).input_shape
        report = ParamValidator().validate(params, shape)
        assert not report.has_errors(), report.generate_report()
        self.calls.append((operation, params))
        answer = self.answers.get(operation, {})
        if isinstance(answer, AwsError):
            raise answer
        return dict(answer)


def work(api: Api, kind: str, properties: dict[str, Any], physical_id: str = "", **old: Any) -> Work:
    return Work(
        calls=api,
        principal=Principal.root("123456789012"),
        region="us-east-1",
        stack_id="arn:aws:cloudformation:us-east-1:123456789012:stack/s/1",
        stack_name="s",
        logical_id="Thing",
        type=V2 + kind,
        token="ABCDEFGHIJKL",
        properties=checked("Thing", properties, schema_of(V2 + kind)),
        physical_id=physical_id,
        old=old,
        stack_tags=[{"Key": "course", "Value": "11"}],
        old_stack_tags=[{"Key": "course", "Value": "11"}],
    )


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_a_load_balancer() -> None:
    described = {
        "LoadBalancers": [
            {
                "LoadBalancerArn": BALANCER, "DNSName": "b-1.us-east-1.elb.localhost", "CanonicalHostedZoneId": "Z1",
                "LoadBalancerName": "b", "SecurityGroups": ["sg-1"], "State": {"Code": "active"},
            }
        ]
    }  # fmt: skip
    api = Api(CreateLoadBalancer=described, DescribeLoadBalancers=described)
    properties = {
        "Subnets": ["subnet-1", "subnet-2"],
        "SecurityGroups": ["sg-1"],
        "LoadBalancerAttributes": [{"Key": "idle_timeout.timeout_seconds", "Value": 30}],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    kind, one = TABLE[V2 + "LoadBalancer"], work(api, "LoadBalancer", properties)
    run(kind.create(one))
    assert one.physical_id == BALANCER
    assert api.calls == [
        (
            "CreateLoadBalancer",
            {
                "Name": "s-Thing-ABCDEFGHIJKL",
                "Subnets": ["subnet-1", "subnet-2"],
                "SecurityGroups": ["sg-1"],
                "Tags": [{"Key": "a", "Value": "b"}, {"Key": "course", "Value": "11"}],
            },
        ),
        (
            "ModifyLoadBalancerAttributes",
            {"LoadBalancerArn": BALANCER, "Attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "30"}]},
        ),
    ]
    assert run(kind.steady(one))
    assert run(kind.read(one)) == {
        "LoadBalancerArn": BALANCER, "DNSName": "b-1.us-east-1.elb.localhost", "CanonicalHostedZoneID": "Z1",
        "LoadBalancerFullName": "app/b/1", "LoadBalancerName": "b", "SecurityGroups": ["sg-1"],
    }  # fmt: skip
    old = checked("Thing", properties, schema_of(V2 + "LoadBalancer"))
    changed = work(api, "LoadBalancer", {**properties, "SecurityGroups": ["sg-2"]}, BALANCER, **old)
    api.calls.clear()
    run(kind.update(changed))
    assert api.calls == [("SetSecurityGroups", {"LoadBalancerArn": BALANCER, "SecurityGroups": ["sg-2"]})]


def test_a_load_balancer_that_is_not_active_yet_or_never() -> None:
    kind = TABLE[V2 + "LoadBalancer"]
    for code, steady in (("provisioning", False), ("active", True)):
        api = Api(DescribeLoadBalancers={"LoadBalancers": [{"State": {"Code": code}}]})
        assert run(kind.steady(work(api, "LoadBalancer", {}, BALANCER))) is steady
    api = Api(DescribeLoadBalancers={"LoadBalancers": [{"State": {"Code": "failed", "Reason": "no addresses"}}]})
    with pytest.raises(Failed, match="no addresses"):
        run(kind.steady(work(api, "LoadBalancer", {}, BALANCER)))
    api = Api(DeleteLoadBalancer=AwsError("LoadBalancerNotFound", "gone"))
    with pytest.raises(NotFound):
        run(kind.delete(work(api, "LoadBalancer", {}, BALANCER)))


def test_a_target_group() -> None:
    found = {"TargetGroups": [{"TargetGroupArn": GROUP, "TargetGroupName": "g", "LoadBalancerArns": []}]}
    api = Api(CreateTargetGroup=found, DescribeTargetGroups=found)
    properties = {
        "Protocol": "HTTP", "Port": "80", "VpcId": "vpc-1", "TargetType": "ip", "HealthCheckPath": "/health",
        "HealthCheckIntervalSeconds": "5", "Matcher": {"HttpCode": "200-299"},
        "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}],
        "Targets": [{"Id": "10.0.0.5", "Port": 80}],
    }  # fmt: skip
    kind, one = TABLE[V2 + "TargetGroup"], work(api, "TargetGroup", properties)
    run(kind.create(one))
    assert [operation for operation, _ in api.calls] == [
        "CreateTargetGroup", "ModifyTargetGroupAttributes", "RegisterTargets",
    ]  # fmt: skip
    assert api.calls[0][1]["Port"] == 80 and api.calls[0][1]["HealthCheckIntervalSeconds"] == 5
    assert run(kind.read(one))["TargetGroupFullName"] == "targetgroup/g/1"
    api.calls.clear()
    old = checked("Thing", properties, schema_of(V2 + "TargetGroup"))
    changed = {**properties, "HealthCheckPath": "/", "Targets": [{"Id": "10.0.0.6", "Port": 80}]}
    run(kind.update(work(api, "TargetGroup", changed, GROUP, **old)))
    assert [operation for operation, _ in api.calls] == ["ModifyTargetGroup", "DeregisterTargets", "RegisterTargets"]


def forward(*weights: int) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": GROUP, "Weight": weight} for weight in weights]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def test_a_listener() -> None:
    api = Api(CreateListener={"Listeners": [{"ListenerArn": LISTENER}]})
    properties = {"LoadBalancerArn": BALANCER, "Port": 80, "Protocol": "HTTP", "DefaultActions": forward(1)}
    kind, one = TABLE[V2 + "Listener"], work(api, "Listener", properties)
    run(kind.create(one))
    assert one.physical_id == LISTENER
    assert api.calls[0][1]["DefaultActions"] == forward(1)
    redirect = [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}]
    run(kind.update(work(api, "Listener", {**properties, "DefaultActions": redirect}, LISTENER, **properties)))
    assert api.calls[-1] == (
        "ModifyListener",
        {"ListenerArn": LISTENER, "Port": 80, "Protocol": "HTTP", "DefaultActions": redirect},
    )


def test_a_rule() -> None:
    api = Api(CreateRule={"Rules": [{"RuleArn": RULE}]}, DescribeRules={"Rules": [{"RuleArn": RULE, "Priority": "10"}]})
    properties = {
        "ListenerArn": LISTENER,
        "Priority": "10",
        "Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["b"]}},
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}]}},
            {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}},
            {"Field": "host-header", "Values": ["example.com"]},
        ],
        "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "MessageBody": "busy"}}],
    }
    kind, one = TABLE[V2 + "ListenerRule"], work(api, "ListenerRule", properties)
    run(kind.create(one))
    assert one.physical_id == RULE and api.calls[0][1]["Priority"] == 10
    assert run(kind.find(one)) == RULE
    old = checked("Thing", properties, schema_of(V2 + "ListenerRule"))
    changed = {**properties, "Priority": 20, "Actions": forward(1, 9)}
    api.calls.clear()
    run(kind.update(work(api, "ListenerRule", changed, RULE, **old)))
    assert [operation for operation, _ in api.calls] == ["SetRulePriorities", "ModifyRule"]


def test_a_property_that_the_api_does_not_have_is_refused() -> None:
    properties = {"LoadBalancerArn": BALANCER, "DefaultActions": [{"Type": "authenticate-oidc", "AuthenticateOidcConfig": {
        "Issuer": "i", "ClientId": "c", "AuthorizationEndpoint": "a", "TokenEndpoint": "t", "UserInfoEndpoint": "u"}}]}  # fmt: skip
    with pytest.raises(Failed, match="do not authenticate"):
        run(TABLE[V2 + "Listener"].create(work(Api(), "Listener", properties)))
