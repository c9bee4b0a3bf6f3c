"""``draw_balancer``: the way of a request through a load balancer, drawn from what Elastic Load Balancing describes."""

from __future__ import annotations

import re
from typing import Any

from labkit.audience import ipython
from labkit.nesting import Arrow, Box, outline, svg
from labkit.sessions import client


def draw_balancer(name: str) -> None:
    """Draw a load balancer with its listeners, their rules, the target groups that these lead to, and the targets with
    their health; and print the same as text."""
    columns, arrows = read_balancer(name)
    title = f"load balancer {name}"
    if ipython() is not None:
        from IPython.display import display

        display({"image/svg+xml": svg(columns, arrows, title), "text/plain": title}, raw=True)  # type: ignore[no-untyped-call]
    print(outline([box for column in columns for box in column], arrows))


def read_balancer(name: str) -> tuple[list[list[Box]], list[Arrow]]:
    """Two columns of boxes, the load balancer and its target groups, and the arrows from the rules to the groups."""
    elb = client("elbv2")
    balancer = elb.describe_load_balancers(Names=[name])["LoadBalancers"][0]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    listeners.sort(key=lambda listener: listener["Port"])
    inside, arrows, groups = [], [], []
    for listener in listeners:
        rules = elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
        rules.sort(key=lambda rule: (rule["IsDefault"], int(rule["Priority"]) if not rule["IsDefault"] else 0))
        boxes = []
        for rule in rules:
            box, leads = rule_box(rule, f" of port {listener['Port']}" * (len(listeners) > 1))
            boxes.append(box)
            arrows += [Arrow(box.name, verb, f"target group {name_of(arn)}") for verb, arn in leads]
            groups += [arn for _, arn in leads]
        inside.append(Box(f"listener {listener['Protocol']} port {listener['Port']}", (), tuple(boxes)))
    state = f"{balancer['State']['Code']}, {balancer['Scheme']}"
    targets = [
        group_box(name_of(arn), elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"])
        for arn in dict.fromkeys(groups)
    ]
    return [[Box(f"load balancer {name}", (state,), tuple(inside))], targets], arrows


def rule_box(rule: dict[str, Any], where: str = "") -> tuple[Box, list[tuple[str, str]]]:
    """The rule, and (what the arrow says, target group) for each group that it forwards to."""
    name = ("default rule" if rule["IsDefault"] else f"rule {rule['Priority']}") + where
    facts = [f"if {_condition(each)}" for each in rule["Conditions"]]
    action = rule["Actions"][-1]
    if action["Type"] == "forward":
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
        whole = sum(group.get("Weight", 1) for group in groups) or 1
        share = [
            f"{100 * group.get('Weight', 1) // whole}% to" if len(groups) > 1 else "forwards to" for group in groups
        ]
        return Box(name, tuple(facts)), [(s, group["TargetGroupArn"]) for s, group in zip(share, groups, strict=True)]
    if action["Type"] == "fixed-response":
        facts.append(f"answers {action['FixedResponseConfig']['StatusCode']} itself")
    elif action["Type"] == "redirect":
        config = action["RedirectConfig"]
        facts.append(f"redirects ({config['StatusCode'].removeprefix('HTTP_')}) to {config['Path']}")
    else:
        facts.append(action["Type"])
    return Box(name, tuple(facts)), []


def _condition(condition: dict[str, Any]) -> str:
    field = condition["Field"]
    config: dict[str, Any] = next((value for key, value in condition.items() if key.endswith("Config")), {})
    values = config.get("Values") or condition.get("Values") or []
    shown = [f"{each.get('Key', '')}={each['Value']}" if isinstance(each, dict) else str(each) for each in values]
    named = f"{field} {config['HttpHeaderName']}" if "HttpHeaderName" in config else field
    return f"{named} is {' or '.join(shown)}"


def group_box(name: str, health: list[dict[str, Any]]) -> Box:
    """A target group and its targets, by their addresses."""
    inside = []
    for each in sorted(health, key=lambda each: (_address(each["Target"]["Id"]), each["Target"]["Port"])):
        state = each["TargetHealth"]
        facts = [state["State"], *([state["Reason"]] if "Reason" in state else [])]
        inside.append(Box(f"target {each['Target']['Id']}:{each['Target']['Port']}", tuple(facts)))
    healthy = sum(each["TargetHealth"]["State"] == "healthy" for each in health)
    return Box(f"target group {name}", (f"healthy: {healthy} of {len(health)}",), tuple(inside))


def _address(target: str) -> tuple[tuple[int, ...], str]:
    """Addresses by their numbers, so that 10.0.0.9 comes before 10.0.0.10."""
    return tuple(int(part) for part in re.findall(r"\d+", target)) if re.fullmatch(r"[\d.]+", target) else (), target


def name_of(arn: str) -> str:
    """A target group's name, from its ARN."""
    return arn.split("/")[1]
