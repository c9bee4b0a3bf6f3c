"""Chapter 10: checks, hints and questions. The checks ask AWS what is there now."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import labkit as lab
from labkit.exercises import Exercise, Question, not_yet

SHOP, COPIES, NEEDS = "lab10-shop", 3, 48
"""The service, how many of it, and the MiB that the program needs"""
GREEN = "lab10-green"
ANSWERS_WITHIN = 5
"""Seconds"""


def _service(here: lab.Chapter) -> dict[str, Any]:
    found = lab.client("ecs").describe_services(cluster=here.prefix, services=[SHOP])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        not_yet(f"there is no service {SHOP} in cluster {here.prefix}", "the cell that creates it: run it again")
    return dict(found[0])


def _container(here: lab.Chapter, service: dict[str, Any]) -> dict[str, Any]:
    """Of the revision that the service is to run; its program must be the colleague's."""
    told = lab.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    containers = told["containerDefinitions"]
    before = json.loads(here.file("shop.json").read_text("utf-8"))["containerDefinitions"][0]
    if told["family"] != SHOP or len(containers) != 1 or containers[0].get("command") != before["command"]:
        not_yet(
            f"the service runs {told['family']}:{told['revision']}, whose program is another one",
            "'command' in shop.json: the repair is in the rest of the definition",
            "program",
        )
    return dict(containers[0])


def _trouble(service: dict[str, Any]) -> str:
    """The latest event, if it tells of trouble."""
    latest = service["events"][0]["message"] if service["events"] else ""
    return latest if "unable" in latest else ""


def check_shop(here: lab.Chapter, urls: Any) -> str:
    """Three copies of the shop on two machines, each at a URL of its own."""
    service = _service(here)
    container = _container(here, service)
    if service["desiredCount"] != COPIES:
        not_yet(f"desiredCount is {service['desiredCount']}, not {COPIES}", "update_service: the order was for three")
    fixed = [mapping["hostPort"] for mapping in container.get("portMappings", []) if mapping.get("hostPort")]
    if fixed:
        not_yet(
            f"{service['taskDefinition'].rpartition('/')[2]} wants host port {fixed[0]}, which a machine has only once",
            "the service's events, and 'portMappings'",
            "ports",
        )
    if not container.get("portMappings"):
        not_yet("no port leads to the container", "'portMappings': the shop listens on 8000", "ports")
    promised = container.get("memoryReservation") or container.get("memory") or 0
    machines = lab.client("ecs").describe_clusters(clusters=[here.prefix])["clusters"][0]
    if service["runningCount"] < COPIES or len(service["deployments"]) > 1:
        under_way = f"{len(service['deployments'])} deployments are under way"
        wrong = f"{service['runningCount']} of {COPIES} run, and {under_way}. {_trouble(service)}".strip()
        if promised > 200:
            not_yet(wrong, "the service's latest events", "memory")
        not_yet(wrong, "the service's latest events", "waiting")
    if promised > 400:
        not_yet(f"each copy is promised {promised} MiB, and it needs 50", "'memory' and 'memoryReservation'", "memory")
    if promised < NEEDS:
        not_yet(f"each copy is promised {promised} MiB only, and it needs 50", "'memoryReservation'", "too-little")
    return _pages(here, urls, machines["registeredContainerInstancesCount"])


def _pages(here: lab.Chapter, urls: Any, machines: int) -> str:
    """What the URLs show."""
    if not isinstance(urls, list | tuple | set) or not all(str(url).startswith("http://") for url in urls):
        not_yet(f"{urls!r} is no list of URLs", "address(task), for each task of the service", "urls")
    if len({str(url) for url in urls}) != COPIES:
        not_yet(f"these are {len({str(url) for url in urls})} URLs, not {COPIES}", "tasks_of('lab10-shop')", "urls")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for url in urls:
        try:
            text = direct.open(str(url), timeout=ANSWERS_WITHIN).read().decode("utf-8", "replace")
        except (urllib.error.URLError, OSError, ValueError) as error:
            not_yet(f"{url} does not answer: {error}", "the networkBindings of the tasks that run *now*", "urls")
        if not text.startswith("Fresh fish"):
            not_yet(f"{url} is no shop: it shows {text!r}", "tasks_of('lab10-shop')", "urls")
    return f"{COPIES} shops are open on {machines} machines, each at a port of its own."


def _attribute(instance: dict[str, Any], name: str) -> str | None:
    return next((each.get("value") for each in instance["attributes"] if each["name"] == name), None)


def _alive(here: lab.Chapter) -> dict[str, dict[str, Any]]:
    """The chapter's EC2 instances that live, by id."""
    wanted = [
        {"Name": "tag:lab", "Values": [here.facts.nn]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    pages = lab.client("ec2").get_paginator("describe_instances").paginate(Filters=wanted)
    return {one["InstanceId"]: one for page in pages for each in page["Reservations"] for one in each["Instances"]}


def _members(here: lab.Chapter) -> list[dict[str, Any]]:
    ecs = lab.client("ecs")
    arns = ecs.list_container_instances(cluster=here.prefix)["containerInstanceArns"]
    if not arns:
        return []
    found = ecs.describe_container_instances(cluster=here.prefix, containerInstances=arns)["containerInstances"]
    return [each for each in found if each["agentConnected"]]


def check_green(here: lab.Chapter, arn: Any) -> str:
    """A machine of the green team in the cluster, and none that idles outside of it."""
    role = [p["PolicyName"] for p in lab.client("iam").list_attached_role_policies(RoleName=GREEN)["AttachedPolicies"]]
    own = lab.client("iam").list_role_policies(RoleName=GREEN)["PolicyNames"]
    if not role and not own:
        not_yet(
            f"the role {GREEN} may do nothing: no policy is attached to it", "the agent's log on the console", "role"
        )
    if not isinstance(arn, str) or ":container-instance/" not in arn:
        not_yet(
            f"{arn!r} is not the ARN of a container instance",
            "containerInstanceArn in what members() and joined() return",
            "joining",
        )
    members, alive = _members(here), _alive(here)
    mine = next((each for each in members if each["containerInstanceArn"] == arn), None)
    if mine is None:
        not_yet(f"no instance of cluster {here.prefix} that is connected has this ARN", "members()", "joining")
    machine = alive.get(mine["ec2InstanceId"], {})
    if not machine.get("IamInstanceProfile", {}).get("Arn", "").endswith(f"/{GREEN}"):
        not_yet(f"this machine has not the role {GREEN}", "IamInstanceProfile of run_instances", "joining")
    if _attribute(mine, "team") != "green":
        not_yet("its attribute team is not green", "ECS_INSTANCE_ATTRIBUTES in the user data", "attribute")
    if mine["status"] != "ACTIVE":
        not_yet(f"it is {mine['status']}, so no task is placed there", "update_container_instances_state", "joining")
    idle = sorted(set(alive) - {each["ec2InstanceId"] for each in members})
    if idle:
        not_yet(f"{idle[0]} runs, costs money, and is in no cluster", "ec2.terminate_instances", "idle")
    return "The green team's machine is in the cluster, and no machine runs for nothing."


EXERCISES = {
    "shop": Exercise(
        check_shop,
        hints=(
            "The service's events say what stands in the way: lab.events('lab10', 'lab10-shop').",
            "Two things run out on a machine: the port 8080, and the memory that each copy is promised. In the definition "
            "these are 'hostPort' and 'memory'.",
            "shop_definition['containerDefinitions'][0] |= {'memoryReservation': 64, 'memory': 128}, its 'hostPort' 0; "
            "register it, ecs.update_service(cluster='lab10', service='lab10-shop', taskDefinition='lab10-shop'), "
            "steady('lab10-shop'), then shops = [address(task) for task in tasks_of('lab10-shop')].",
        ),
        hints_for={
            "ports": (
                "Two machines, three copies, and each wants the same port of its machine. Which host port means any?",
                "'hostPort': 0 in 'portMappings' takes a free one; 'containerPort' stays 8000, where the program listens.",
                "shop_definition['containerDefinitions'][0]['portMappings'] = [{'containerPort': 8000, 'hostPort': 0}], "
                "register it, and give it to the service with update_service.",
            ),
            "memory": (
                "What is each copy promised, and what has a machine left? lab.draw_instances('lab10') shows it.",
                "Without a soft limit the whole hard one is promised. The program needs about 50 MiB: set "
                "'memoryReservation', and a smaller 'memory'.",
                "shop_definition['containerDefinitions'][0] |= {'memoryReservation': 64, 'memory': 128}, register it, and "
                "update the service.",
            ),
            "too-little": (
                "A promise that is too small fits anywhere, and then the machine runs out of memory.",
                "'memoryReservation' should be what the program needs, or a little more.",
                "'memoryReservation': 64, 'memory': 128",
            ),
            "waiting": (
                "Has the service got the new revision, and has it had the time to start it?",
                "ecs.update_service(..., taskDefinition='lab10-shop') takes the latest revision; then wait until it is steady.",
                "steady('lab10-shop') waits until all of it is done.",
            ),
            "urls": (
                "A URL is the address of the machine and the host port of the task. The host port is given anew to each task.",
                "address(task), further up, makes it; tasks_of('lab10-shop') has the tasks that run now.",
                "shops = [address(task) for task in tasks_of('lab10-shop')]",
            ),
            "program": (
                "A shop that is another program is no repair.",
                "Take the definition from the file again: json.loads(here.file('shop.json').read_text()).",
                "Only 'portMappings', 'memory' and 'memoryReservation' are to be changed.",
            ),
        },
    ),
    "green": Exercise(
        check_green,
        hints=(
            "The agent's log is on the machine's console: for line in agent_said(lonely): print(line). Or "
            "console(lonely, 'error=').",
            "First the role: compare it with lab10-instance. When that is mended, the log has something else to say: compare "
            "the script with USER_DATA.",
            "Attach INSTANCE_POLICY to lab10-green; terminate lonely; launch another with script.replace('lab-10', 'lab10') "
            "and profile='lab10-green'; green = joined(its id)[0]['containerInstanceArn'].",
        ),
        hints_for={
            "role": (
                "EC2 gave the machine a role. What may that role do? And what does the agent need?",
                "The console says: not authorized to perform: ecs:RegisterContainerInstance. One managed policy has all that "
                "the agent needs.",
                "iam.attach_role_policy(RoleName='lab10-green', PolicyArn=INSTANCE_POLICY). The agent tries again by itself: "
                "look at its log again.",
            ),
            "joining": (
                "The role is good now. What does the agent say? console(lonely, 'error=') has its latest lines.",
                "It looks for a cluster that there is not. The name is in the script, and a script runs at the first boot only.",
                "launch('lab10-green-2', subnets[1], user_data=script.replace('lab-10', 'lab10'), profile='lab10-green'), then "
                "green = joined(its id)[0]['containerInstanceArn'].",
            ),
            "attribute": (
                "The green team's tasks look for attribute:team == green. Who sets it?",
                "The second line of green.sh, in the agent's configuration; or ecs.put_attributes.",
                "Launch it with the whole of green.sh, only the cluster's name mended.",
            ),
            "idle": (
                "Which machines run, and which of them are in the cluster?",
                "A machine that was launched with the wrong script will not join any more. It is of no use.",
                "ec2.terminate_instances(InstanceIds=[lonely])",
            ),
        },
    ),
}

QUESTIONS = {
    "who-registers": Question(
        text="Whose permission is ecs:RegisterContainerInstance checked against when an instance joins?",
        options={"a": "the task role's", "b": "the instance role's", "c": "that of whoever called run_instances"},
        right="b",
        why={
            "a": "The task role is for the program in the container. There is no container yet.",
            "b": "The agent on the machine registers it, with the role in the instance profile.",
            "c": "They needed ec2:RunInstances and iam:PassRole. The joining is done by the machine.",
        },
    ),
    "which-ports": Question(
        text="Which ports do you open in the machines' security group for tasks with host port 0?",
        options={
            "a": "what ip_local_port_range of the machines says, for the load balancer only",
            "b": "49152 to 65535, for everybody",
            "c": "port 80, where the program listens",
        },
        right="a",
        why={
            "a": "That is where Docker takes them from. And only who has to come in should be let in.",
            "b": "That is IANA's range. Commonly Linux gives out 32768 to 60999.",
            "c": "Port 80 is the container's. From outside only the host port can be seen.",
        },
    ),
    "is-there-room": Question(
        text="A machine of 1920 MiB runs three idle tasks with memoryReservation 600. A fourth like them?",
        options={
            "a": "fits: they use next to nothing",
            "b": "fits, and is killed when memory runs out",
            "c": "does not fit: RESOURCE:MEMORY",
        },
        right="c",
        why={
            "a": "What is used does not count. What is promised does.",
            "b": "It is not placed at all.",
            "c": "3 x 600 are promised, 120 are left, however idle the tasks are.",
        },
    ),
    "who-replaces-what": Question(
        text="A machine of a hand-made cluster dies, with tasks of a service on it. What is replaced?",
        options={"a": "the machine and the tasks", "b": "the tasks, if there is room elsewhere", "c": "nothing"},
        right="b",
        why={
            "a": "Nobody replaces the machine. An Auto Scaling group would.",
            "b": "The service counts its tasks. Without room it says so in its events.",
            "c": "That is so for loose tasks. The service starts new ones.",
        },
    ),
    "what-drains": Question(
        text="You set a container instance to DRAINING. What happens to a task on it that run_task started?",
        options={
            "a": "it runs on until it ends",
            "b": "it is started elsewhere, then stopped",
            "c": "it is stopped at once",
        },
        right="a",
        why={
            "a": "It belongs to no service, so nobody would start another one. You decide.",
            "b": "That is so for tasks of services.",
            "c": "DRAINING stops no loose task.",
        },
    ),
}
