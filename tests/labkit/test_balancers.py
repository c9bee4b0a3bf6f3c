"""The way of a request, and answers over time, drawn; a chapter's load balancers and stacks are found and taken down."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import labkit as lab
import pytest
from labkit.answers import by_time, svg, text_twin
from labkit.balancers import group_box, rule_box
from labkit.nesting import Box
from labkit.stories import shortened

from tests.emulator_process import EmulatorProcess, wait_until
from tests.services.elbv2.story import Balanced
from tests.services.elbv2.test_elbv2_https import secure, upload

_SVG = "{http://www.w3.org/2000/svg}"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"


def _rule(action: dict[str, Any], *conditions: dict[str, Any], priority: str = "10") -> dict[str, Any]:
    return {"Priority": priority, "IsDefault": priority == "default", "Conditions": conditions, "Actions": [action]}


@pytest.mark.parametrize(
    ("rule", "facts", "leads"),
    [
        (_rule({"Type": "forward", "TargetGroupArn": GROUP}, priority="default"), (), [("forwards to", GROUP)]),
        (
            _rule(
                {
                    "Type": "forward",
                    "ForwardConfig": {
                        "TargetGroups": [{"TargetGroupArn": GROUP, "Weight": 3}, {"TargetGroupArn": "b", "Weight": 1}]
                    },
                },
                {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a", "/b/*"]}},
            ),
            ("if path-pattern is /a or /b/*",),
            [("75% to", GROUP), ("25% to", "b")],
        ),
        (
            _rule(
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}},
                {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Team", "Values": ["red"]}},
                {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "1"}]}},
            ),
            ("if http-header X-Team is red", "if query-string is a=1", "answers 403 itself"),
            [],
        ),
        (
            _rule({"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/new"}}),
            ("redirects (301) to /new",),
            [],
        ),
    ],
)
def test_a_rule_says_when_and_whereto(rule: dict[str, Any], facts: tuple[str, ...], leads: list[Any]) -> None:
    box, arrows = rule_box(rule)
    assert (box.facts, arrows) == (facts, leads)
    assert box.name == ("default rule" if rule["IsDefault"] else "rule 10")


def test_a_target_group_counts_and_sorts_its_targets() -> None:
    def target(address: str, state: str, **more: str) -> dict[str, Any]:
        return {"Target": {"Id": address, "Port": 80}, "TargetHealth": {"State": state, **more}}

    health = [target("10.0.0.10", "unhealthy", Reason="Target.Timeout"), target("10.0.0.9", "healthy")]
    assert group_box("web", health) == Box(
        "target group web",
        ("healthy: 1 of 2",),
        (Box("target 10.0.0.9:80", ("healthy",)), Box("target 10.0.0.10:80", ("unhealthy", "Target.Timeout"))),
    )


def test_answers_are_counted_by_time_and_nothing_is_lost() -> None:
    answers = [(float(n), "blue" if n < 29 else "green") for n in range(48)] + [(40.0, "failed 502")]
    width, slots = by_time(answers)
    assert sum(sum(slot.values()) for slot in slots) == len(answers)
    lines = text_twin(width, slots, "answers").split("\n")
    assert lines[0] == "answers: blue: 29, green: 19, failed 502: 1"
    assert [line.partition("s: ")[2] for line in lines[1:]] == [
        "blue", "blue and green", "green", "green and failed 502", "green"
    ]  # fmt: skip
    picture = ET.fromstring(svg(width, slots, "answers <by version>"))  # noqa: S314 (ours)
    assert {"blue: 29", "green: 19", "failed 502: 1"} <= {element.text for element in picture.iter(f"{_SVG}text")}
    assert "#b3261e" in {element.get("fill") for element in picture.iter(f"{_SVG}rect")}
    right = max(float(e.get("x", 0)) + float(e.get("width", 0)) for e in picture.iter(f"{_SVG}rect"))
    assert right <= float(picture.attrib["viewBox"].split()[2])


def test_without_answers_there_is_still_a_picture() -> None:
    width, slots = by_time([])
    assert text_twin(width, slots, "answers") == "answers: none"
    ET.fromstring(svg(width, slots, "answers"))  # noqa: S314 (ours)


def test_a_storys_target_groups_have_their_names_only() -> None:
    assert shortened(f"(service web) registered 1 targets in (target-group {GROUP})") == (
        "(service web) registered 1 targets in (target-group web)"
    )


@pytest.mark.usefixtures("lab_environment")
def test_it_is_drawn_and_taken_down(aws: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    here = lab.begin("13")
    elb, ec2, cloudformation = lab.client("elbv2"), lab.client("ec2"), lab.client("cloudformation")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    aws("elbv2").create_target_group(Name="theirs", Protocol="HTTP", Port=80, VpcId=vpc)
    groups = [
        ec2.create_security_group(GroupName=f"lab13-{n}", Description="d", VpcId=vpc)["GroupId"] for n in ("a", "b")
    ]
    ec2.authorize_security_group_ingress(
        GroupId=groups[1],
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": groups[0]}]}
        ],
    )
    made = elb.create_load_balancer(Name="lab13-front", Subnets=subnets, SecurityGroups=[groups[0]])
    targets = elb.create_target_group(Name="lab13-web", Protocol="HTTP", Port=80, VpcId=vpc)
    listening = {"LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": "HTTP"}
    forward = [{"Type": "forward", "TargetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"]}]
    for port in (80, 8080):
        elb.create_listener(**listening, Port=port, DefaultActions=forward)
    template = {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}}}
    cloudformation.create_stack(StackName="lab13-s", TemplateBody=json.dumps(template))
    capsys.readouterr()
    lab.draw_balancer("lab13-front")
    told = capsys.readouterr().out
    assert "default rule of port 8080 --forwards to--> target group lab13-web" in told
    assert "target group lab13-web (healthy: 0 of 0)" in told
    lab.cleanup(here)
    assert [group["TargetGroupName"] for group in elb.describe_target_groups()["TargetGroups"]] == ["theirs"]
    assert cloudformation.describe_stacks()["Stacks"] == []
    aws("elbv2").delete_target_group(TargetGroupArn=elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"])


def test_the_url_of_a_listener_with_tls(
    lab_environment: EmulatorProcess, aws: Callable[..., Any], account: str
) -> None:
    web = Balanced(lab_environment, aws, account)
    web.opened().made()
    web.open(web.front, 443)
    secure(web, upload(web, "shop", "shop.example"))
    web.active()
    wait_until(lambda: len(lab_environment.get("/_drydock/endpoints")["load_balancers"]) >= 2, "both listen")
    assert lab.url(web.dns, 443, "/cart").startswith("https://127.0.0.1:")
    assert lab.url(web.dns, 443, "/cart").endswith("/cart")
    assert lab.url(web.dns).startswith("http://127.0.0.1:")
