"""Chapter 13: checks, hints and questions. The checks ask AWS what there is, and the load balancer what it answers."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet

PORT, GREETING = 9000, "Fresh fish"


def _balancer(here: lab.Chapter) -> dict[str, Any]:
    return dict(lab.client("elbv2").describe_load_balancers(Names=[here.prefix])["LoadBalancers"][0])


def _ask(here: lab.Chapter, path: str) -> tuple[int, str, str]:
    """Status, text and Server of what the load balancer answers; status 0 if it does not."""
    place = urllib.parse.urlsplit(lab.url(_balancer(here)["DNSName"]))
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("Server", "")
    except (OSError, http.client.HTTPException):
        return 0, "nothing", ""
    finally:
        connection.close()


def _admitting(groups: list[str]) -> list[dict[str, Any]]:
    """The rules of these security groups that let in somebody on the shop's port."""
    found = lab.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
    return [
        rule
        for group in found
        for rule in group["IpPermissions"]
        if rule["IpProtocol"] == "-1" or rule.get("FromPort", 0) <= PORT <= rule.get("ToPort", 65535)
    ]


def _let_in(here: lab.Chapter, service: dict[str, Any]) -> None:
    """The load balancer, and nobody else."""
    rules = _admitting(service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"])
    if any(rule["IpRanges"] or rule["Ipv6Ranges"] for rule in rules):
        not_yet("the shop lets in addresses, not only the load balancer", "admits('lab13-shop')", "open")
    sources = {pair["GroupId"] for rule in rules for pair in rule["UserIdGroupPairs"]}
    if not sources & set(_balancer(here)["SecurityGroups"]):
        not_yet(
            f"the shop does not let in the load balancer on port {PORT}",
            "health('lab13-shop'), then admits('lab13-shop') and the port in shop.json",
            "port",
        )


def _healthy(arn: str) -> None:
    elb = lab.client("elbv2")
    group = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    if group["Matcher"]["HttpCode"] != "200":
        codes = group["Matcher"]["HttpCode"]
        not_yet(f"the health check takes {codes} for a good answer", "Matcher of the target group", "matcher")
    found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    reasons = sorted({each["TargetHealth"].get("Reason", "") for each in found} - {""})
    if "Target.ResponseCodeMismatch" in reasons:
        not_yet(
            "targets answer the health check, but not with 200",
            "health('lab13-shop'), and the paths in shop.json",
            "path",
        )
    states = sorted(each["TargetHealth"]["State"] for each in found)
    if states.count("healthy") != 2:
        not_yet(f"the targets are {', '.join(states) or 'not there'}", "well('shop') waits for them", "unfinished")


def check_shop(here: lab.Chapter, text: Any) -> str:
    """Two healthy targets behind /shop/, and only the load balancer is let in."""
    if not isinstance(text, str):
        not_yet(f"{text!r} is not what a page says", 'ask("/shop/").text')
    found = lab.client("ecs").describe_services(cluster=here.prefix, services=["shop"])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        not_yet("there is no active service shop", "the cell above the exercise: run it again")
    service = dict(found[0])
    if service["desiredCount"] != 2:
        not_yet(f"its desiredCount is {service['desiredCount']}, not 2", "desiredCount", "count")
    wanted = json.loads(here.file("shop.json").read_text("utf-8"))["containerDefinitions"][0]
    definition = lab.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    if definition["containerDefinitions"][0]["command"] != wanted["command"]:
        not_yet("it runs another program", "shop.json: the program is right as it is", "program")
    _let_in(here, service)
    _healthy(service["loadBalancers"][0]["targetGroupArn"])
    status, said, _ = _ask(here, "/shop/")
    if (status, said) != (200, GREETING):
        not_yet(f"/shop/ is answered with {status} and {said[:40]!r}", "lab.draw_balancer('lab13')", "rule")
    if text != said:
        not_yet(f"/shop/ says {said!r}, and you gave {text[:40]!r}", 'ask("/shop/").text', "unfinished")
    return "Two healthy targets, let in by nobody but the load balancer: the shop is open."


def _not_closed(here: lab.Chapter, path: str) -> str:
    """What is wrong, if the load balancer itself does not say 403."""
    status, _, server = _ask(here, path)
    if status == 403 and server.startswith("awselb"):
        return ""
    return f"{path} is answered with {status} by {server.partition('/')[0] or 'nobody'}"


def _lost(here: lab.Chapter, path: str, name: str) -> str:
    """What is wrong, if that service does not answer."""
    status, said, _ = _ask(here, path)
    return "" if status == 200 and said.startswith(f"{name} ") else f"{path} does not reach {name} any more: {status}"


def check_admin(here: lab.Chapter, arn: Any) -> str:
    """403 by the load balancer for /api/admin and below, all else as before."""
    if not isinstance(arn, str) or ":listener-rule/" not in arn:
        not_yet(f"{arn!r} is not the ARN of a rule", 'rules()["..."]["RuleArn"]')
    rule = lab.client("elbv2").describe_rules(RuleArns=[arn])["Rules"][0]
    kind = rule["Actions"][-1]["Type"]
    if kind != "fixed-response":
        not_yet(f"the action of this rule is {kind}", "the rule that answers by itself")
    draw = "lab.draw_balancer('lab13')"
    if told := _not_closed(here, "/api/admin/users"):
        not_yet(told, draw, "order")
    if told := _not_closed(here, "/api/admin"):
        not_yet(told, draw, "slash")
    if told := _lost(here, "/api/administrators", "api"):
        not_yet(told, draw, "wide")
    if told := _lost(here, "/api/", "api"):
        not_yet(told, draw, "api")
    if told := _lost(here, "/", "web"):
        not_yet(told, draw, "web")
    return "The load balancer says 403 to /api/admin and below, and to nothing else."


EXERCISES = {
    "shop": Exercise(
        check_shop,
        hints=(
            "The service's events say that the targets are unhealthy. Each target says why: health('lab13-shop').",
            "The table of reasons above says what each means. Follow it: who lets in whom, at which port? Then: which page "
            "is asked for, and is there one?",
            "Let in the load balancer's group at port 9000 (authorize_security_group_ingress), and give the target group a "
            "HealthCheckPath that exists (modify_target_group); then well('shop').",
        ),
        hints_for={
            "port": (
                "A target whose reason is Target.Timeout has never seen the request.",
                "The group lab13-shop lets in another port than the one at which the program listens. The last line of the "
                "program in shop.json has it.",
                'ec2.authorize_security_group_ingress(GroupId=security_group("lab13-shop")["GroupId"], IpPermissions=[{"IpProtocol": '
                '"tcp", "FromPort": 9000, "ToPort": 9000, "UserIdGroupPairs": from_balancer}])',
            ),
            "open": (
                "It works, and so does going around the load balancer.",
                "A rule may name a security group (UserIdGroupPairs) instead of addresses (IpRanges). Take away the one with "
                "addresses.",
                'ec2.revoke_security_group_ingress(GroupId=..., IpPermissions=[{..., "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]), and '
                'the same with authorize_... and "UserIdGroupPairs": from_balancer',
            ),
            "path": (
                "The packets arrive now. Which path is asked for, and what does the program answer to it?",
                "A health check asks for / unless it is told otherwise. The program has two pages, see `pages` in shop.json.",
                'elb.modify_target_group(TargetGroupArn=group_arn("lab13-shop"), HealthCheckPath="/ready"); well("shop")',
            ),
            "matcher": (
                "A shop that answers 404 to everything would be healthy, too.",
                "Do not change what counts as a good answer. Ask for a page that is there.",
                'elb.modify_target_group(TargetGroupArn=group_arn("lab13-shop"), Matcher={"HttpCode": "200"}, '
                'HealthCheckPath="/ready")',
            ),
            "unfinished": (
                "It takes two good answers, ten seconds apart, and the service may just be replacing tasks.",
                'well("shop") waits until there are two healthy targets and no others.',
                'well("shop"); shop = ask("/shop/").text',
            ),
            "program": (
                "The program is right. What is wrong is around it.",
                "Give the service the first revision again.",
                'ecs.update_service(cluster="lab13", service="shop", taskDefinition="lab13-shop:1"); well("shop")',
            ),
            "rule": (
                "The targets are healthy, so it is between the customer and them.",
                "lab.draw_balancer('lab13') shows which rule is asked first.",
                "The rule for /shop/* must have a smaller priority than any other rule that matches /shop/.",
            ),
            "count": (
                "The exercise asks for two.",
                "desiredCount of update_service.",
                'ecs.update_service(cluster="lab13", service="shop", desiredCount=2); well("shop")',
            ),
        },
    ),
    "admin": Exercise(
        check_admin,
        hints=(
            "Draw the load balancer: lab.draw_balancer('lab13'). Go through the rules from above with /api/admin/users in mind.",
            "The first rule that matches is taken, and /api/* matches before it. set_rule_priorities moves a rule. Then ask for "
            "/api/admin, without a slash at its end.",
            'elb.set_rule_priorities(RulePriorities=[{"RuleArn": admin, "Priority": 5}]), then elb.modify_rule(RuleArn=admin, '
            'Conditions=[...]) with the two patterns "/api/admin" and "/api/admin/*".',
        ),
        hints_for={
            "order": (
                "Which rule takes /api/admin/users first?",
                "Rules are asked by priority, the smallest number first. 10 comes before 40.",
                'elb.set_rule_priorities(RulePriorities=[{"RuleArn": admin, "Priority": 5}])',
            ),
            "slash": (
                "What happened to /api in the table of paths above?",
                "A pattern with /* wants the slash. A condition takes several values; any of them is enough.",
                'elb.modify_rule(RuleArn=admin, Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/admin", '
                '"/api/admin/*"]}}])',
            ),
            "wide": (
                "The pattern takes more than it should: * stands for any characters, also for none.",
                "Two patterns are needed: the path itself, and all that begins with it and a slash.",
                '"Values": ["/api/admin", "/api/admin/*"]',
            ),
            "api": (
                "The rule for /api/* has to stay as it was.",
                "part('ApiRule') shows how it was: priority 10, /api/*, to lab13-api.",
                "elb.modify_rule or elb.create_rule with these; if in doubt, elb.set_rule_priorities.",
            ),
            "web": (
                "Whatever no rule wants goes to web by the default rule.",
                "Look for a rule that takes / away.",
                "lab.draw_balancer('lab13'), then delete the rule that is too much.",
            ),
        },
    ),
}

QUESTIONS = {
    "who-registers": Question(
        text="A task of a service is replaced. Who tells the load balancer the new address?",
        options={
            "a": "CloudFormation, at the next update",
            "b": "the load balancer looks for new tasks by itself",
            "c": "the service",
        },
        right="c",
        why={
            "a": "No stack was updated when the sick task was replaced, and yet the page went on.",
            "b": "A load balancer knows only what is in its target groups.",
            "c": "It registers what it starts, and takes out what it stops. See its events.",
        },
    ),
    "timeout": Question(
        text="All targets are unhealthy: Target.Timeout. The program listens. Where do you look first?",
        options={
            "a": "at the security group of the tasks",
            "b": "at the health check's path",
            "c": "at the image",
        },
        right="a",
        why={
            "a": "The packets do not arrive, and nobody says no: that is how security groups refuse.",
            "b": "A wrong path is answered, with 404. The reason would be Target.ResponseCodeMismatch.",
            "c": "A program that listens was pulled and started.",
        },
    ),
    "no-targets": Question(
        text="The page says 503, with Server: awselb. What do you know?",
        options={
            "a": "the program is too slow",
            "b": "the target group that the rule leads to has no targets",
            "c": "the program has answered 503",
        },
        right="b",
        why={
            "a": "That would be 504.",
            "b": "So look at the service: how many does it want, and do they start?",
            "c": "Then the Server header would be the program's.",
        },
    ),
    "slow-deployment": Question(
        text="New tasks are healthy after a minute, but each deployment takes six. What is it waiting for?",
        options={
            "a": "for the health check grace period",
            "b": "for the deregistration delay of the old targets",
            "c": "for the image to be pulled",
        },
        right="b",
        why={
            "a": "That only keeps ECS from listening to the load balancer too soon.",
            "b": "300 seconds unless you say otherwise. Make it as long as your longest request.",
            "c": "Tasks that are healthy have been pulled.",
        },
    ),
    "deep-check": Question(
        text="Your health check also asks the database. The database is away for five minutes. What does ECS do?",
        options={
            "a": "nothing: the tasks still run",
            "b": "it waits until the database is back",
            "c": "it replaces all tasks, again and again",
        },
        right="c",
        why={
            "a": "Running is not enough where a load balancer is asked.",
            "b": "It does not know why a target is unhealthy.",
            "c": "And when the database is back, all of them are just starting. Check only what a new task would cure.",
        },
    ),
}
