"""Chapter 11: checks, hints and questions. The checks ask AWS what is there now."""

from __future__ import annotations

from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet

TEAM, STACK = "lab11-team", "lab11"
LEAST_DAYS, MOST_DAYS = 4, 7
POLICY = "AmazonEC2ContainerServiceforEC2Role"
COPIES, MACHINES, GREETING = 4, 3, "Good evening"


def _stack(name: str) -> dict[str, Any]:
    found = lab.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    if found["StackStatus"].endswith("IN_PROGRESS"):
        not_yet(f"the stack {name} is still {found['StackStatus']}", f'lab.watch_stack("{name}")', "waiting")
    return dict(found)


def _resources(name: str) -> dict[str, dict[str, Any]]:
    """By type; the exercises' stacks have one of each that is asked for."""
    found = lab.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return {one["ResourceType"]: one for one in found}


def check_team(here: lab.Chapter, stack_id: Any) -> str:
    """The blue team's stack is complete, and does what was meant."""
    stack = _stack(TEAM)
    if "ROLLBACK" in stack["StackStatus"] or not stack["StackStatus"].endswith("_COMPLETE"):
        not_yet(f"the stack {TEAM} is {stack['StackStatus']}", f'why("{TEAM}")', "failed")
    if stack_id != stack["StackId"]:
        not_yet(f"{stack_id!r} is not the id of the stack {TEAM}", "StackId in what describe_stacks says", "id")
    found = _resources(TEAM)
    for kind in ("AWS::ECS::Cluster", "AWS::Logs::LogGroup", "AWS::IAM::Role"):
        if kind not in found:
            not_yet(f"the stack has no {kind} any more", "team.yaml has three resources", "lacking")
    group = found["AWS::Logs::LogGroup"]["PhysicalResourceId"]
    told = lab.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    days = told[0].get("retentionInDays") if told else 0
    if days is None or not LEAST_DAYS <= days <= MOST_DAYS:
        kept = "for ever" if days is None else f"for {days} days"
        not_yet(f"logs are kept {kept}, not for {LEAST_DAYS} to {MOST_DAYS} days", "RetentionInDays", "days")
    role = found["AWS::IAM::Role"]["PhysicalResourceId"]
    attached = lab.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    if POLICY not in [each["PolicyName"] for each in attached]:
        not_yet("with this role a machine could not join a cluster", "ManagedPolicyArns", "policy")
    return f"The blue team has its stack: logs are kept for {days} days, and machines may join."


def check_grow(here: lab.Chapter, change_set: Any) -> str:
    """The stack has grown by an executed change set, and nothing but the task definition was replaced."""
    if not isinstance(change_set, str) or ":changeSet/" not in change_set:
        not_yet(f"{change_set!r} is not the ARN of a change set", "ChangeSetId of describe_change_set", "arn")
    cloudformation = lab.client("cloudformation")
    made = cloudformation.describe_change_set(ChangeSetName=change_set)
    if made["StackName"] != STACK:
        not_yet(f"this change set is of the stack {made['StackName']}, not of {STACK}", "StackName", "arn")
    if made["Status"] == "FAILED":
        not_yet(f"the change set failed: {made.get('StatusReason', '')}", "the parameters that were given", "values")
    replaced = [
        each["ResourceChange"]["LogicalResourceId"]
        for each in made["Changes"]
        if each["ResourceChange"].get("Replacement") == "True"
        and each["ResourceChange"]["ResourceType"] != "AWS::ECS::TaskDefinition"
    ]
    if replaced:
        not_yet(f"it replaces {', '.join(replaced)}", "the table of the change set", "values")
    if made["ExecutionStatus"] != "EXECUTE_COMPLETE":
        not_yet(f"its execution status is {made['ExecutionStatus']}", "execute_change_set, and wait", "waiting")
    stack = _stack(STACK)
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    wanted = {"Copies": str(COPIES), "Machines": str(MACHINES), "Greeting": GREETING}
    for name, value in wanted.items():
        if values.get(name) != value:
            not_yet(f"the stack's parameter {name} is {values.get(name)!r}, not {value!r}", "plan(...)", "values")
    service = lab.client("ecs").describe_services(cluster=STACK, services=["web"])["services"][0]
    if service["desiredCount"] != COPIES:
        not_yet(
            f"the template says {COPIES} copies, and the service wants {service['desiredCount']}: changed by hand",
            "update_service: put it back",
            "by-hand",
        )
    if service["runningCount"] != COPIES or len(service["deployments"]) > 1:
        not_yet(f"{service['runningCount']} of {COPIES} copies run", "the service's events", "waiting")
    return f"{COPIES} copies on {MACHINES} machines, and the template knows it."


EXERCISES = {
    "team": Exercise(
        check_team,
        hints=(
            'Ask the events: why("lab11-team"). After each attempt.',
            "A stack in ROLLBACK_COMPLETE must be deleted before its name can be used again. The first fault is the "
            "retention, the second the policy's ARN: compare with template.yaml.",
            "RetentionInDays: 5, and arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role. cf.delete_stack, "
            "cf.create_stack, team = lab.watch_stack('lab11-team')['StackId'].",
        ),
        hints_for={
            "failed": (
                'why("lab11-team") names the resource that failed, and the service\'s own reason.',
                "Mend that in team_template, delete the stack, and create it again. Then ask why once more.",
                "mended = team_template.replace('RetentionInDays: 4', 'RetentionInDays: 5').replace('policy/AmazonEC2', "
                "'policy/service-role/AmazonEC2')",
            ),
            "waiting": (
                "It is still at work.",
                "lab.watch_stack waits until it has settled.",
                "team = lab.watch_stack('lab11-team')['StackId']",
            ),
            "id": (
                "A stack's name may be used again, its id never.",
                "watch_stack returns what describe_stacks says; it has a member StackId.",
                "team = lab.watch_stack('lab11-team')['StackId']",
            ),
            "lacking": (
                "Removing what fails is no repair.",
                "Begin with team.yaml again.",
                "Change two values, and remove nothing.",
            ),
            "days": (
                "The colleague wanted four days. CloudWatch Logs has only certain numbers; the event lists them.",
                "At least four, at most seven: two of those numbers are in between.",
                "RetentionInDays: 5",
            ),
            "policy": (
                "What may the role do? iam.list_attached_role_policies says it.",
                "The policy of chapter 10: it is in template.yaml, too.",
                "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
            ),
        },
    ),
    "grow": Exercise(
        check_grow,
        hints=(
            "Which parameters does the template have? You need two of them, and plan(...) keeps the others.",
            "plan('lab11', <a new name>, TEMPLATE, Copies=..., Greeting=...), look at the table, then execute('lab11', <name>).",
            "plan('lab11', 'evening', TEMPLATE, Copies=4, Greeting='Good evening'); grown = cf.describe_change_set("
            "StackName='lab11', ChangeSetName='evening')['ChangeSetId']; execute('lab11', 'evening')",
        ),
        hints_for={
            "arn": (
                "The check wants the ARN of the change set, as it was made for lab11.",
                "cf.describe_change_set(StackName='lab11', ChangeSetName=...) has it as ChangeSetId.",
                "grown = cf.describe_change_set(StackName='lab11', ChangeSetName='evening')['ChangeSetId']",
            ),
            "values": (
                "Compare the parameters that the stack has now with what was asked for.",
                "Copies is 4, Machines stays 3, Greeting is 'Good evening'. Make another change set.",
                "plan('lab11', 'evening', TEMPLATE, Copies=4, Machines=3, Greeting='Good evening'), then execute.",
            ),
            "waiting": (
                "A change set does nothing until it is executed, and an update takes a while.",
                "execute('lab11', <the change set's name>) does both.",
                "execute('lab11', 'evening')",
            ),
            "by-hand": (
                "Somebody has changed the service behind the stack's back.",
                "The stack does not see it, and does not mend it: its template has not changed.",
                "ecs.update_service(cluster='lab11', service='web', desiredCount=4)",
            ),
        },
    ),
}

QUESTIONS = {
    "where-order-comes-from": Question(
        text="From what does CloudFormation know in which order to make resources?",
        options={
            "a": "from their order in the file",
            "b": "from references among them, and DependsOn",
            "c": "from a fixed order of types: networks first",
        },
        right="b",
        why={
            "a": "You may shuffle them, and nothing changes.",
            "b": "Ref, GetAtt, Sub and DependsOn make a graph; what waits for nothing goes first, and all at once.",
            "c": "It knows nothing of the sort.",
        },
    ),
    "rollback-complete": Question(
        text="A new stack is ROLLBACK_COMPLETE. What is there?",
        options={
            "a": "everything: complete",
            "b": "what had been made before the failure",
            "c": "nothing but the record of the stack",
        },
        right="c",
        why={
            "a": "The rollback is complete, not the stack.",
            "b": "That was deleted again. (OnFailure='DO_NOTHING' would leave it, to be looked at.)",
            "c": "Read its events, delete it, and try again.",
        },
    ),
    "replacement-true": Question(
        text="A change set says Replacement True for a database. What happens if you execute it?",
        options={
            "a": "a new, empty one is made, and the old one is deleted",
            "b": "its data are copied into a larger one",
            "c": "it is restarted",
        },
        right="a",
        why={
            "a": "That is why one looks first. DeletionPolicy and UpdateReplacePolicy can keep the old one.",
            "b": "CloudFormation copies no data.",
            "c": "That would be a change in place.",
        },
    ),
    "changed-by-hand": Question(
        text="Somebody sets the service's desiredCount to 9 by hand. You call update_stack with the same template. What happens?",
        options={"a": "it is set back", "b": "nothing: no updates are to be performed", "c": "the update fails"},
        right="b",
        why={
            "a": "It would be so if CloudFormation compared with reality. It does not.",
            "b": "Template is compared with template. The difference stays until that property changes in the template.",
            "c": "It answers that there is nothing to do.",
        },
    ),
}
