"""Chapter 12: checks, hints and questions. The checks ask AWS what is there now."""

from __future__ import annotations

import json
from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet
from labkit.networks import way_out

REPORT, SHOP = "lab12-report", "lab12-shop"
NEEDS_CPU, NEEDS_MEMORY = 512, 5120
"""Of the report: CPU units and MiB"""
CHEAPEST = (1024, 5120)
ASSOCIATION = "AWS::EC2::SubnetRouteTableAssociation"


def _task(arn: Any, cluster: str, family: str) -> dict[str, Any]:
    """A task of that family in that cluster."""
    if not isinstance(arn, str) or ":task/" not in arn:
        not_yet(f"{arn!r} is not the ARN of a task", "what run() returns: a list with one ARN in it", "arn")
    if arn.split("/")[1] != cluster:
        not_yet(f"this task is in cluster {arn.split('/')[1]}, not in {cluster}", "run(..., cluster=...)", "arn")
    found = lab.client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
    if not found:
        not_yet(f"cluster {cluster} has no such task", "what run() returned last", "arn")
    made_from = found[0]["taskDefinitionArn"].rpartition("/")[2]
    if made_from.partition(":")[0] != family:
        not_yet(f"the task is made from {made_from}, not from {family}", f"run('{family}', ...)", "arn")
    return dict(found[0])


def check_report(here: lab.Chapter, arn: Any) -> str:
    """The report runs on Fargate, in the cheapest size in which it fits."""
    task = _task(arn, here.prefix, REPORT)
    told = lab.client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    before = json.loads(here.file("report.json").read_text("utf-8"))["containerDefinitions"][0]
    if [each.get("command") for each in told["containerDefinitions"]] != [before["command"]]:
        not_yet("it runs another program", "'command' in report.json, which stays as it is", "program")
    cpu, memory = int(task["cpu"]), int(task["memory"])
    if memory < NEEDS_MEMORY or cpu < NEEDS_CPU:
        not_yet(
            f"its size is {cpu} CPU and {memory} MiB, and the report needs {NEEDS_CPU} and {NEEDS_MEMORY}",
            "'cpu' and 'memory' of the definition",
            "size",
        )
    if (cpu, memory) != CHEAPEST:
        not_yet(
            f"it fits into {cpu} CPU and {memory} MiB, but there is a cheaper size",
            "the table of sizes: the least memory that is enough, then the least CPU that goes with it",
            "size",
        )
    if not any(
        mapping["containerPort"] == 8000 for each in told["containerDefinitions"] for mapping in each["portMappings"]
    ):
        not_yet("the port on which the program listens is not in the definition", "'containerPort': 8000", "port")
    if task["lastStatus"] == "STOPPED" or task["desiredStatus"] == "STOPPED":
        not_yet(f"the task has stopped: {task.get('stoppedReason', '')}", "the network that it was run in", "stopped")
    if task["lastStatus"] != "RUNNING":
        not_yet(f"the task is still {task['lastStatus']}", "until([report], 'RUNNING')", "stopped")
    return f"The report runs on Fargate with {cpu} CPU and {memory} MiB."


def check_shop(here: lab.Chapter, arn: Any) -> str:
    """The shop's task runs, and its way out is the stack's."""
    cloudformation, ec2 = lab.client("cloudformation"), lab.client("ec2")
    stack = cloudformation.describe_stacks(StackName=SHOP)["Stacks"][0]
    if not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
        not_yet(f"the stack is {stack['StackStatus']}", "its events: which resource failed, and why", "stack")
    task = _task(arn, SHOP, SHOP)
    details = {pair["name"]: pair["value"] for each in task["attachments"] for pair in each["details"]}
    resources = cloudformation.describe_stack_resources(StackName=SHOP)["StackResources"]
    subnets = [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == "AWS::EC2::Subnet"]
    if details.get("subnetId") not in subnets:
        not_yet("the task is in a subnet that is not the stack's", "the stack's output Subnet", "arn")
    vpc = ec2.describe_subnets(SubnetIds=[details["subnetId"]])["Subnets"][0]["VpcId"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    if way_out(details["subnetId"], tables) == "no way out":
        not_yet(
            "the stack's subnet has no way out", "which route table the subnet has: lab.draw_network(...)", "way-out"
        )
    own = [each for each in resources if each["ResourceType"] in (ASSOCIATION, "AWS::EC2::Route")]
    if not _made_by_the_stack(own, subnets, tables):
        not_yet("the subnet's way out was made by hand: no resource of the stack gives it one", "shop.yaml", "by-hand")
    if task["lastStatus"] == "STOPPED" or task["desiredStatus"] == "STOPPED":
        public = (
            task["stoppedReason"]
            if "CannotPull" not in task.get("stoppedReason", "")
            else "it could not pull its image"
        )
        not_yet(f"the task has stopped: {public}", "the way out, and whether the task has a public address", "stopped")
    if task["lastStatus"] != "RUNNING":
        not_yet(f"the task is still {task['lastStatus']}", "until([shop], 'RUNNING')", "stopped")
    return "The shop is open, and whoever uses the template next has no trouble."


def _made_by_the_stack(own: list[dict[str, Any]], subnets: list[str], tables: list[dict[str, Any]]) -> bool:
    """Whether an association of the stack, or a route of it in the main table, is what leads out."""
    ids = {each["PhysicalResourceId"] for each in own}
    for table in tables:
        for association in table["Associations"]:
            if association.get("SubnetId") in subnets:
                return association["RouteTableAssociationId"] in ids
    main = next(table["RouteTableId"] for table in tables if any(each.get("Main") for each in table["Associations"]))
    return any(main in each["PhysicalResourceId"] for each in own)


EXERCISES = {
    "report": Exercise(
        check_report,
        hints=(
            "Register it and read what AWS says, mend that, and register it again. There are three things to mend.",
            "networkMode, the size, and the port: on Fargate there is no host whose port 80 could lead to 8000.",
            "'networkMode': 'awsvpc', 'cpu': '1024', 'portMappings': [{'containerPort': 8000}]; register it, then report = "
            "run('lab12-report', SUBNETS)[0] and until([report], 'RUNNING').",
        ),
        hints_for={
            "arn": (
                "The check wants one ARN, of a task of lab12-report in cluster lab12.",
                "run() returns a list.",
                "report = run('lab12-report', SUBNETS)[0]",
            ),
            "program": (
                "The program is not what is wrong.",
                "Take the definition from the file again: json.loads(here.file('report.json').read_text()).",
                "Only 'networkMode', 'cpu' and 'portMappings' are to be changed.",
            ),
            "size": (
                "Go down the table of sizes until there is enough of both.",
                "5 GiB is 5120 MiB. Which is the first row that has it?",
                "'cpu': '1024', 'memory': '5120'",
            ),
            "port": (
                "On which port does the program listen? Look at its command.",
                "With awsvpc the container's port is the interface's port. A 'hostPort' is left out.",
                "'portMappings': [{'containerPort': 8000}]",
            ),
            "stopped": (
                "describe([report])[0]['stoppedReason'] says why it stopped.",
                "It needs a subnet with a way out and a public address; and then some seconds.",
                "report = run('lab12-report', SUBNETS)[0]; until([report], 'RUNNING')",
            ),
        },
    ),
    "shop": Exercise(
        check_shop,
        hints=(
            "The reason says i/o timeout: no way out. Compare shop.yaml with template.yaml.",
            "There is a gateway, a route table, and a route. Who says that the subnet has that table?",
            "Add a resource of type AWS::EC2::SubnetRouteTableAssociation with {SubnetId: !Ref Subnet, RouteTableId: !Ref "
            "Routes}, cf.update_stack(StackName='lab12-shop', TemplateBody=...), settled('lab12-shop'), then run.",
        ),
        hints_for={
            "way-out": (
                "Which route table does the subnet have? None of its own, so the VPC's main one.",
                "The stack's table has a route to the gateway, but no subnet: SubnetAGoesOut in template.yaml is the pattern.",
                "SubnetGoesOut: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref Subnet, RouteTableId: "
                "!Ref Routes}}, under Resources; then update the stack.",
            ),
            "by-hand": (
                "It works, and the template does not know it.",
                "Undo it (ec2.disassociate_route_table) and put it into the template.",
                "A resource of type AWS::EC2::SubnetRouteTableAssociation, then cf.update_stack.",
            ),
            "stack": (
                "lab12-shop has not become what the template says.",
                "cf.describe_stack_events(StackName='lab12-shop'): the first one that FAILED has the reason.",
                "Begin with shop.yaml again and add one resource only.",
            ),
            "stopped": (
                "A task that has stopped stays stopped. Run another one.",
                "A route to an internet gateway serves only tasks with a public address.",
                "shop = run('lab12-shop', [shop_subnet], cluster='lab12-shop')[0]; until([shop], 'RUNNING')",
            ),
            "arn": (
                "The check wants one ARN, of a task of lab12-shop in cluster lab12-shop, in the stack's subnet.",
                "run() returns a list, and takes the cluster's name.",
                "shop = run('lab12-shop', [shop_subnet], cluster='lab12-shop')[0]",
            ),
        },
    ),
}

QUESTIONS = {
    "which-size": Question(
        text="A program needs 0.25 vCPU and 3 GiB. Which size is it on Fargate?",
        options={"a": "256 and 3072", "b": "256 and 2048", "c": "512 and 3072"},
        right="c",
        why={
            "a": "A quarter of a vCPU has 2 GiB at most.",
            "b": "That exists, but the program would be killed at 2 GiB.",
            "c": "The next row of the table has it.",
        },
    ),
    "who-pulls": Question(
        text="From where is the image of a Fargate task pulled?",
        options={
            "a": "from AWS's own network, so it always works",
            "b": "from the task's own network interface",
            "c": "from the machine that calls run_task",
        },
        right="b",
        why={
            "a": "Then a private subnet would be no trouble, and it is the commonest.",
            "b": "So the subnet's routes, the public address and the security group's egress decide.",
            "c": "That only asks. It may be your laptop.",
        },
    ),
    "what-is-replaced": Question(
        text="You change the image in a task definition of a stack. What does the change set say?",
        options={
            "a": "Modify, with Replacement: a new revision",
            "b": "Modify in place: the revision is changed",
            "c": "nothing, since no task runs by it",
        },
        right="a",
        why={
            "a": "Revisions never change; the old one is deregistered when the new one is there.",
            "b": "A revision is what it is for ever.",
            "c": "The change set is about the stack's resources, not about tasks.",
        },
    ),
    "who-owns-tasks": Question(
        text="You delete a stack in whose cluster somebody has started a task with run_task. What happens?",
        options={
            "a": "the task is stopped and deleted with the stack",
            "b": "the cluster cannot be deleted while the task runs",
            "c": "the task runs on without a cluster",
        },
        right="b",
        why={
            "a": "The stack has not made the task, so it does not touch it.",
            "b": "The deletion fails there. Stop the task and delete again.",
            "c": "There is no task without a cluster.",
        },
    ),
}
