# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 10 An EC2 cluster by hand
#
# Until now Fargate found a machine for each task. In this chapter the machines are yours: you start them, they join the
# cluster by themselves, and ECS puts tasks on them. You will see what an instance offers, what it has left, and why the
# scheduler does what it does.
#
# **You will do.** Make the role and the user data with which an instance joins; run three copies of one task on one
# instance, each with a port of its own; make revision 2; create a service, then stop one of its tasks, kill one of its
# machines, and empty another; find out why a machine never joins, and why a service cannot be placed.
#
# **You will learn.** Which of the three roles is for whom; where host ports come from; what RESOURCE:PORTS, RESOURCE:MEMORY
# and RESOURCE:CPU mean; what a service repairs and what it does not.
#
# **You need.** Chapters 00 and 04, and about 60 minutes (100 on real AWS). It costs nothing on the embedded emulator; about
# 0.20 USD on AWS, **as long as you run the clean-up at the end**: an instance costs until it is terminated.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "localstack", "aws".

# %% id="begin" tags=["setup"]
import json
import textwrap
import time
import urllib.error
import urllib.request

import labkit as lab

here = lab.begin("10", target=target)

# %% [markdown] id="picture-why"
# ## See how a machine gets into a cluster
#
# Nobody adds an instance to a cluster. It is a program *on* the instance that does it, the **ECS agent**: when the machine
# has booted, the agent registers it and then asks ECS again and again what it is to run. For that it needs to know two
# things, and each has its own way into the machine.

# %% id="picture"
lab.diagram(
    [
        ("role\nwhat the agent may do", "is in", "instance profile\na folder for one role"),
        ("instance profile\na folder for one role", "is given to", "EC2 instance\nwith the ECS agent"),
        ("user data\nECS_CLUSTER=lab10", "is run at boot by", "EC2 instance\nwith the ECS agent"),
        ("EC2 instance\nwith the ECS agent", "registers with", "cluster\nlab10"),
    ],
    title="How an instance joins a cluster",
)

# %% [markdown] id="roles"
# ## Make the instance's role
#
# "Create the EC2-for-ECS role", say the notes (those of the class that this course grew out of). The console calls it
# `ecsInstanceRole`, and it is the third role that you meet. They are told apart by who uses them:
#
# | role | who uses it | what for |
# |---|---|---|
# | **instance role** | the agent on the machine | to register, to ask for work, to report |
# | execution role | the agent, for one task | to pull that task's image, write its log, fetch its secrets |
# | task role | your program | whatever the program does with AWS |
#
# On Fargate there is no machine of yours, so there was no instance role.
#
# A role is handed to an instance inside an **instance profile**. It is a folder with exactly one role in it, a relic that EC2
# needs and that the console makes behind your back. With boto3 you see it.


# %% id="role"
session = lab.session()
iam = session.client("iam")
INSTANCE_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def make_profile(name):
    """A role for instances, and the instance profile of the same name around it."""
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        print(f"{name} is there already, which is fine.")
    if here.target == "aws":
        time.sleep(10)  # it takes some seconds until EC2 knows a new profile


make_profile("lab10-instance")
iam.attach_role_policy(RoleName="lab10-instance", PolicyArn=INSTANCE_POLICY)
profile = iam.get_instance_profile(InstanceProfileName="lab10-instance")["InstanceProfile"]
print(profile["Arn"].split(":")[-1], "holds", [role["RoleName"] for role in profile["Roles"]])

# %% [markdown] id="policy-why"
# AWS keeps a policy ready for it. It is worth reading once: here is everything that the agent does with AWS.

# %% id="policy"
version = iam.get_policy(PolicyArn=INSTANCE_POLICY)["Policy"]["DefaultVersionId"]
document = iam.get_policy_version(PolicyArn=INSTANCE_POLICY, VersionId=version)["PolicyVersion"]["Document"]
for action in document["Statement"][0]["Action"]:
    print(action)

# %% [markdown] id="policy-read"
# `RegisterContainerInstance` is the joining, `Poll` the asking for work, `Submit*` the reports. The `ecr` and `logs` lines are
# why a task on EC2 may do without an execution role for its image and its log: the agent then does it under the instance's
# role. (Secrets need an execution role here, too.)
#
# ## Make cluster, log group and firewall
#
# The security group is that of the *machines*. It lets in nobody yet: which ports to open we shall ask the machines.

# %% id="cluster"
ecs, ec2, logs, ssm = (session.client(name) for name in ("ecs", "ec2", "logs", "ssm"))
cluster = ecs.create_cluster(clusterName="lab10")["cluster"]
try:
    logs.create_log_group(logGroupName="/lab10/tasks")
except logs.exceptions.ResourceAlreadyExistsException:
    print("The log group is there already, which is fine.")
logs.put_retention_policy(logGroupName="/lab10/tasks", retentionInDays=1)
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
named = {"Filters": [{"Name": "group-name", "Values": ["lab10-instances"]}, {"Name": "vpc-id", "Values": [vpc]}]}
if not ec2.describe_security_groups(**named)["SecurityGroups"]:
    ec2.create_security_group(GroupName="lab10-instances", Description="Machines of cluster lab10", VpcId=vpc)
group = ec2.describe_security_groups(**named)["SecurityGroups"][0]
lab.show(cluster, columns=["clusterName", "status", "registeredContainerInstancesCount"])
print(group["GroupName"], "lets in:", group["IpPermissions"])

# %% [markdown] id="launch-why"
# ## Start two machines
#
# Four choices make an instance one for ECS:
#
# * **The image (AMI)**, with agent and Docker in it. Its id differs by region and changes every few weeks, so one does not
#   write it down: AWS publishes the latest under a *public parameter* of Systems Manager.
# * **The instance profile**, made above.
# * **The user data**, a script that runs once, at the first boot. Ours writes the cluster's name into the agent's
#   configuration (without it the agent joins a cluster called `default`), and prints a file that we shall need.
# * **The subnet**, and with it the zone: one machine in each of two zones, so that a zone may fail. It must have a way out,
#   or the agent cannot reach ECS. The default VPC's subnets have one, and give public addresses.

# %% id="ami"
AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
image = ssm.get_parameter(Name=AMI)["Parameter"]["Value"]
print(image, "is", ec2.describe_images(ImageIds=[image])["Images"][0]["Name"])

# %% id="user-data"
USER_DATA = """#!/bin/bash
echo ECS_CLUSTER=lab10 >> /etc/ecs/ecs.config
echo "ephemeral ports: $(cat /proc/sys/net/ipv4/ip_local_port_range)"
"""
# %% id="launch"
subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets.sort(key=lambda subnet: subnet["AvailabilityZone"])
ZONES = [subnet["AvailabilityZone"] for subnet in subnets[:2]]


def running(name):
    """The id of the instance of that name, if there is one that lives."""
    alive = {"Name": "instance-state-name", "Values": ["pending", "running"]}
    found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}, alive])["Reservations"]
    return found[0]["Instances"][0]["InstanceId"] if found else None


def launch(name, subnet, user_data=USER_DATA, profile="lab10-instance"):
    """One machine of that name, unless it is there already; its id."""
    if running(name):
        return running(name)
    answer = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet["SubnetId"],
        SecurityGroupIds=[group["GroupId"]],
        IamInstanceProfile={"Name": profile},
        UserData=user_data,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}],
    )
    return answer["Instances"][0]["InstanceId"]


one, two = launch("lab10-one", subnets[0]), launch("lab10-two", subnets[1])
print(one, "in", ZONES[0])
print(two, "in", ZONES[1])

# %% [markdown] id="join-why"
# ## Watch them join
#
# An answer from `run_instances` means: ordered. On AWS it takes a minute or two until a machine has booted and its agent
# has registered. For ECS the machine is then a **container instance**, and has a second name: an ARN of ECS, beside the
# `i-...` of EC2. We wait until two of them are connected.


# %% id="join"
def members():
    """The container instances whose agents are connected, by zone."""
    arns = ecs.list_container_instances(cluster="lab10")["containerInstanceArns"]
    if not arns:
        return []
    found = ecs.describe_container_instances(cluster="lab10", containerInstances=arns)["containerInstances"]
    return sorted((each for each in found if each["agentConnected"]), key=zone)


def attribute(instance, name):
    """An attribute of a container instance; None if it has none of that name."""
    return next((each.get("value") for each in instance["attributes"] if each["name"] == name), None)


def zone(instance):
    """The availability zone of a container instance."""
    return attribute(instance, "ecs.availability-zone")


def joined(*ids):
    """Wait until these EC2 instances are in the cluster; the container instances."""
    wanted = set(ids)
    found = lab.wait(members, until=lambda found: wanted <= {each["ec2InstanceId"] for each in found}, name="joining")
    return [each for each in found if each["ec2InstanceId"] in wanted]


joined(one, two)
lab.show([{"zone": zone(each), **each} for each in members()], columns=["zone", "status", "ec2InstanceId"])

# %% [markdown] id="console-why"
# What did they do meanwhile? A machine has no screen, but EC2 keeps what it would show on one: the **console output**. In it
# is what our user data printed, and (on the emulator) what the agent wrote into its log, `/var/log/ecs/ecs-agent.log`.


# %% id="console"
def console(instance_id, words):
    """The lines of a machine's console that have these words in them, without what stands before the words."""
    text = ec2.get_console_output(InstanceId=instance_id, Latest=True).get("Output", "")
    return [words + line.partition(words)[2].rstrip() for line in text.splitlines() if words in line]


def agent_said(instance_id):
    """What the agent wrote, without times and ids."""
    return [line.partition('msg="')[2].partition('"')[0] for line in console(instance_id, "ecs-agent: ")]


if here.target == "aws":
    print("AWS shows the agent's log on the machine only; sign in with Session Manager to read it.")
for line in agent_said(one):
    print(line.partition(" as ")[0])

# %% [markdown] id="offers-why"
# ## Look at what a machine offers
#
# A t3.small has 2 vCPUs and 2 GiB. What did the agent register?

# %% id="offers"
registered = {each["name"]: each for each in members()[0]["registeredResources"]}
lab.show(
    [
        {"resource": "CPU", "registered": registered["CPU"]["integerValue"], "of the type's": 2 * 1024},
        {"resource": "MEMORY", "registered": registered["MEMORY"]["integerValue"], "of the type's": 2048},
        {"resource": "PORTS", "registered": registered["PORTS"]["stringSetValue"], "of the type's": "0 to 65535"},
    ]
)

# %% [markdown] id="offers-read"
# * **CPU** is all there: 1024 units for each vCPU. The system's own work is not taken off.
# * **MEMORY** is less: the kernel has taken its part before the agent counts. Set `ECS_RESERVED_MEMORY` in the same file to
#   keep some more for what else runs on the machine. So two tasks of 1024 MiB do *not* fit on a machine of 2048.
# * **PORTS** are those that are *taken*, here by ssh (22), Docker (2375, 2376) and the agent (51678, 51679).
#
# This is all that the scheduler knows about a machine: what it registered, less what the tasks on it have been promised.
# It does not look at how busy a machine is.
#
# Here is the cluster, drawn from what ECS and EC2 describe.

# %% id="draw-empty"
lab.draw_instances("lab10")

# %% [markdown] id="definition-why"
# ## Write a task definition for many copies
#
# Our program serves one page that says who it is. In network mode **bridge** a container has an address that is known on
# its machine only, and a port of the *machine*, the **host port**, leads to a port of the container. `hostPort: 0` means "any
# free one". That is the notes' "host port = 0 for multiple containers".


# %% id="program"
WEB = """
import http.server, json, os, signal, sys, urllib.request
about = json.load(urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task"))
who = about["TaskARN"].split("/")[-1][:8] + " of " + about["Family"] + ":" + about["Revision"]
text = os.environ.get("GREETING", "Hello") + " from task " + who
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *what):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 80), Page).serve_forever()
"""


# %% id="register"
def web(host_port, **more):
    """A container definition of our page."""
    options = {"awslogs-group": "/lab10/tasks", "awslogs-region": here.region, "awslogs-stream-prefix": "lab10"}
    return {
        "name": "web",
        "image": "public.ecr.aws/docker/library/python:3.12-slim",
        "command": ["python", "-c", WEB],
        "cpu": 128,
        "memoryReservation": 96,
        "memory": 192,
        "stopTimeout": 2,
        "portMappings": [{"containerPort": 80, "hostPort": host_port}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        **more,
    }


def register(family, container):
    """Register the next revision of a family for EC2 instances."""
    made = ecs.register_task_definition(
        family=family, networkMode="bridge", requiresCompatibilities=["EC2"], containerDefinitions=[container]
    )["taskDefinition"]
    print("registered:", f"{made['family']}:{made['revision']}", made["networkMode"])


register("lab10-web", web(0))

# %% [markdown] id="definition-read"
# Compare with chapter 04: no `cpu` and `memory` for the task as a whole, no subnets, no execution role. What counts on an
# instance are the containers' own numbers: `cpu`, and `memoryReservation` (the soft limit) or, where there is none, `memory`.
# (`stopTimeout` are the seconds that a program has to end when it is asked to, before it is killed. Ours needs none.)
#
# ## Run three copies on one machine
#
# We want to see them side by side on one machine, so we say where: a **placement constraint** is a condition that the
# instance must meet. (Leave it out, and ECS chooses. How it chooses we look at with the service.)


# %% id="run"
def run(definition, count, where=None):
    """Run copies of a task, in a zone if one is named; the tasks' ARNs, and the reasons for those that had no place."""
    constraint = [{"type": "memberOf", "expression": f"attribute:ecs.availability-zone == {where}"}] if where else []
    answer = ecs.run_task(
        cluster="lab10", taskDefinition=definition, count=count, launchType="EC2", placementConstraints=constraint
    )
    reasons = sorted(failure["reason"] for failure in answer["failures"])
    return [task["taskArn"] for task in answer["tasks"]], reasons


def describe(task_arns):
    """What ECS knows of these tasks."""
    return ecs.describe_tasks(cluster="lab10", tasks=task_arns)["tasks"] if task_arns else []


def until(task_arns, status):
    """Wait until all of these tasks have that status; the tasks."""
    return lab.wait(
        lambda: describe(task_arns),
        until=lambda tasks: all(task["lastStatus"] == status for task in tasks),
        name=f"tasks to be {status}",
    )


copies, failures = run("lab10-web", 3, where=ZONES[0])
until(copies, "RUNNING")
print("without a place:", failures)

# %% [markdown] id="ports-why"
# All three listen on port 80, each in a network of its own. Which ports of the machine lead to them, ECS tells in
# `networkBindings`; the machine's address is known to EC2. Together they are the URL.


# %% id="ports" tags=["measured"]
def address(task):
    """http://<the machine's public address>:<host port>/"""
    arn = task["containerInstanceArn"]
    found = ecs.describe_container_instances(cluster="lab10", containerInstances=[arn])["containerInstances"][0]
    machine = ec2.describe_instances(InstanceIds=[found["ec2InstanceId"]])["Reservations"][0]["Instances"][0]
    return f"http://{machine['PublicIpAddress']}:{task['containers'][0]['networkBindings'][0]['hostPort']}/"


urls = sorted(address(task) for task in describe(copies))
for url in urls:
    print(url)
assert len(set(urls)) == 3 and len({url.rpartition(":")[0] for url in urls}) == 1

# %% [markdown] id="closed-why"
# One address, three ports. Ask one of them:


# %% id="closed"
def page(url):
    """What it serves, or the kind of error. (No company's proxy knows our machines, so none is asked.)"""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return direct.open(url, timeout=3).read().decode()
    except (urllib.error.URLError, TimeoutError) as error:
        return f"no answer: {getattr(error, 'reason', error)}"


print(page(urls[0]))

# %% [markdown] id="range-why"
# A time-out, not a refusal: that is how a **security group** says no, by not saying anything. The group of the machines
# lets in nobody yet.
#
# ## Open the ports, and not too many
#
# Which ones? The notes say: 49152 to 65535 are reserved for dynamic port mapping. Had we opened those, the page would still
# not answer: look at the ports above. 49152 to 65535 is what IANA has put aside for such use, and what Windows takes. On
# Linux, Docker takes what the *kernel* says, and our user data has printed that:

# %% id="range"
printed = lab.wait(lambda: console(one, "ephemeral ports: "), until=bool, name="the console")[0]
low, high = (int(number) for number in printed.split()[-2:])
print("this machine gives out ports", low, "to", high)

# %% [markdown] id="range-read"
# That is `/proc/sys/net/ipv4/ip_local_port_range`, read on the machine itself. (The agent reads the same file. Only where it
# cannot, it assumes 49153 to 65535.) So we open what the machine says.
#
# Open to anybody is fine for a greeting that lives for an hour. In production nobody but the load balancer may come in, and
# you name *its* security group instead of `0.0.0.0/0`: chapter 13.

# %% id="open"
opening = {"IpProtocol": "tcp", "FromPort": low, "ToPort": high, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
try:
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[opening])
except ec2.exceptions.ClientError as error:
    if error.response["Error"]["Code"] != "InvalidPermission.Duplicate":
        raise
    print("It is open already, which is fine.")
for text in sorted(page(url) for url in urls):
    print(text)

# %% [markdown] id="draw-copies-why"
# Three copies of one task on one machine, and each answers. The picture shows what they have been promised, and what is
# left. The links of the cell with the URLs work in your browser, too.

# %% id="draw-copies" tags=["measured"]
lab.draw_instances("lab10")
assert members()[0]["runningTasksCount"] >= 3 and members()[1]["runningTasksCount"] == 0

# %% [markdown] id="fixed-why"
# ## Let something run short
#
# **Ports.** With a *fixed* host port there is room for one copy on each machine. We ask for two in one zone, then for one
# anywhere, then for one more.

# %% id="fixed"
register("lab10-fixed", web(8080))
crowd, failures = run("lab10-fixed", 2, where=ZONES[0])
print("two in one zone: ", len(crowd), "placed,", failures)
elsewhere, failures = run("lab10-fixed", 1)
print("one anywhere:    ", len(elsewhere), "placed,", failures)
third, failures = run("lab10-fixed", 1)
print("and another one: ", len(third), "placed,", failures)
until(crowd + elsewhere, "RUNNING")
print("they run in:     ", sorted(task["availabilityZone"] for task in describe(crowd + elsewhere)))

# %% [markdown] id="fixed-read"
# `run_task` raises no error when there is no place. It answers with `failures`: for each machine the first thing that did
# not fit. (In the first line one machine has no port, and the other is not in the zone.) A program that does not look there
# believes that all is well.
#
# **Memory and CPU.** The same with a task that is too big. Look at the third line: the constraint cannot be met by any
# machine, however empty.

# %% id="short"
register("lab10-big", web(0, memoryReservation=3000, memory=3000))
print("3000 MiB:        ", run("lab10-big", 1)[1])
register("lab10-busy", web(0, cpu=4096))
print("4 vCPUs:         ", run("lab10-busy", 1)[1])
print("on Mars:         ", run("lab10-web", 1, where="mars-1a")[1])

# %% [markdown] id="short-read"
# | reason | read it as |
# |---|---|
# | RESOURCE:PORTS | the fixed host port is taken there: use 0, or more machines |
# | RESOURCE:MEMORY | the soft limit (or the hard one, where there is no soft one) is more than what is not promised yet |
# | RESOURCE:CPU | the same for `cpu` |
# | MemberOf ... unsatisfied | your own constraint has ruled it out |
# | AGENT | the agent is not connected: look at the machine |
#
# "Not promised yet", not "not used": a machine whose tasks all sleep can be full. Chapter 05 computes how many fit.
#
# We stop what runs. Nothing starts it again, for these are loose tasks: nobody wants them to run.

# %% id="stop-all"
loose = ecs.list_tasks(cluster="lab10", launchType="EC2")["taskArns"]
for arn in loose:
    ecs.stop_task(cluster="lab10", task=arn, reason="enough seen")
until(loose, "STOPPED")
print("running tasks:", sum(each["runningTasksCount"] for each in members()))

# %% [markdown] id="revision-why"
# ## Make revision 2 from revision 1
#
# "Create a new revision to create a task definition from old task", say the notes: take what is there, change it, register
# it. Members that ECS wrote itself (ARN, revision, status, ...) are not taken, so they are left out. In the console it is the
# button *Create new revision*, which does the same.

# %% id="revision"
takes = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
before = ecs.describe_task_definition(taskDefinition="lab10-web:1")["taskDefinition"]
following = {member: value for member, value in before.items() if member in takes}
following["containerDefinitions"][0]["environment"] = [{"name": "GREETING", "value": "Good morning"}]
after = ecs.register_task_definition(**following)["taskDefinition"]
print("registered:", f"{after['family']}:{after['revision']}")
for revision in ("lab10-web:1", "lab10-web"):
    found = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    print(found["revision"], "has", found["containerDefinitions"][0]["environment"])

# %% [markdown] id="service-why"
# ## Create a service
#
# A service is the order "let there always be four of these". **Placement strategies** say how to choose among the machines
# that fit, the first strategy first:
#
# | strategy | chooses | for |
# |---|---|---|
# | `spread` over a field | where there are fewest of this service | surviving the loss of a zone or a machine |
# | `binpack` on cpu or memory | where least is left | few, full machines |
# | `random` | any | - |
#
# A common pair: spread over zones, and pack within each.

# %% id="service-spread"
spread_then_pack = [
    {"type": "spread", "field": "attribute:ecs.availability-zone"},
    {"type": "binpack", "field": "memory"},
]

# %% [markdown] id="service-helpers-why"
# Some small functions that we shall need again: to look at the service, to wait until it says that it is steady, and to see
# where its tasks are.


# %% id="service-helpers"
def service(name="lab10-web"):
    """What ECS knows of a service."""
    return ecs.describe_services(cluster="lab10", services=[name])["services"][0]


def steady(name="lab10-web", without=()):
    """Wait until a service has all its tasks, none of these among them, and has said that it is steady."""

    def there(found):
        rolled_out = [each["rolloutState"] for each in found["deployments"]] == ["COMPLETED"]
        told = rolled_out and found["events"][0]["message"].endswith("has reached a steady state.")
        up = [task["taskArn"] for task in tasks_of(name) if task["lastStatus"] == "RUNNING"] if told else []
        return told and len(up) == found["desiredCount"] and not set(up) & set(without)

    return lab.wait(lambda: service(name), until=there, name=f"{name} to be steady")


def tasks_of(name="lab10-web"):
    """The running tasks of a service."""
    return describe(ecs.list_tasks(cluster="lab10", serviceName=name)["taskArns"])


def by_zone(tasks):
    """How many there are in each of our two zones."""
    return {each: sum(task["availabilityZone"] == each for task in tasks) for each in ZONES}


def create(name, count, **more):
    """A service on our machines, of the latest revision of the family of its name."""
    try:
        ecs.create_service(
            cluster="lab10", serviceName=name, taskDefinition=name, desiredCount=count, launchType="EC2", **more
        )
    except ecs.exceptions.InvalidParameterException:
        print("It is there already, which is fine.")


# %% id="service"
create("lab10-web", 4, placementStrategy=spread_then_pack)
made = steady()
lab.show(made, columns=["serviceName", "status", "desiredCount", "runningCount"])
print(by_zone(tasks_of()))

# %% [markdown] id="service-read"
# Two in each zone, of the latest revision, since we named none:

# %% id="service-pages" tags=["measured"]
greetings = sorted(page(address(task)) for task in tasks_of())
print("\n".join(greetings))
assert len(set(greetings)) == 4 and all(f"lab10-web:{after['revision']}" in text for text in greetings)

# %% [markdown] id="events-why"
# Services keep a diary. **Events** are where you look first when you ask why a service did, or did not, do something.

# %% id="events"
lab.events("lab10", "lab10-web")

# %% [markdown] id="stop-why"
# ## Stop a task, and see it replaced
#
# Somebody stops one, or its program crashes, or it takes too much memory: it is all the same to the scheduler. It counts
# three and wants four.


# %% id="stop"
def in_zone(name):
    """The ARNs of the service's tasks in a zone."""
    return [task["taskArn"] for task in tasks_of() if task["availabilityZone"] == name]


before = len(service()["events"])
victim = in_zone(ZONES[0])[0]
ecs.stop_task(cluster="lab10", task=victim, reason="to see what happens")
steady(without=[victim])
stopped = until([victim], "STOPPED")[0]
lab.show(stopped, columns=["lastStatus", "stopCode", "stoppedReason"])
lab.events("lab10", "lab10-web", since=before)
print(by_zone(tasks_of()))

# %% [markdown] id="kill-why"
# The task itself is not restarted, for tasks never are: a *new* one of the same recipe is started, in the zone that had one
# less. `stoppedReason` says who or what ended the old one.
#
# ## Kill a machine
#
# Now something worse. One of the two machines is terminated, with everything on it.

# %% id="kill"
before = len(service()["events"])
lost = in_zone(ZONES[0])
ec2.terminate_instances(InstanceIds=[one])
steady(without=lost)
for task in until(lost, "STOPPED"):
    print(task["stopCode"], "-", task["stoppedReason"])
lab.events("lab10", "lab10-web", since=before)
print(by_zone(tasks_of()), "on", len(members()), "machine")

# %% [markdown] id="kill-read"
# Four run again, all on the machine that is left, and it had room only because we had not filled it. Keep that much in
# reserve, or a lost zone becomes a lost service.
#
# **The service replaced the tasks. Nobody replaced the machine:** machines are not the service's business. Look at the
# picture.

# %% id="draw-killed" tags=["measured"]
lab.draw_instances("lab10")
assert [each["runningTasksCount"] for each in members()] == [4]

# %% [markdown] id="replace-why"
# By hand means that the hand is yours. We start another machine in the zone that is empty.

# %% id="replace"
three = launch("lab10-three", subnets[0])
joined(three)
print(by_zone(tasks_of()))

# %% [markdown] id="replace-read"
# It has joined, and it is empty. Placement is decided when a task *starts*; a running task is not moved because there is
# now a better place.
#
# ## Empty a machine before you take it away
#
# A machine needs a new kernel, a new AMI, or has to go. You would not pull the plug as we just did. **DRAINING** tells ECS: no
# new tasks there, and move the services' tasks away. (Loose tasks stay until they end by themselves.) The service starts
# the new ones first and stops the old ones then, within its `minimumHealthyPercent`.


# %% id="drain"
def member(instance_id):
    """The ARN of the container instance that an EC2 instance is."""
    return next(each["containerInstanceArn"] for each in members() if each["ec2InstanceId"] == instance_id)


moving = in_zone(ZONES[1])
ecs.update_container_instances_state(cluster="lab10", containerInstances=[member(two)], status="DRAINING")
steady(without=moving)
until(moving, "STOPPED")
lab.show([{"zone": zone(each), **each} for each in members()], columns=["zone", "status", "runningTasksCount"])

# %% [markdown] id="active-why"
# Empty: it could now be terminated without anybody noticing. We keep it, and make it ACTIVE again. That alone moves nothing.
# But when the service grows, the new tasks go where there are fewest; and when it shrinks, those go of which there are most.

# %% id="active"
ecs.update_container_instances_state(cluster="lab10", containerInstances=[member(two)], status="ACTIVE")
for count in (8, 4):
    ecs.update_service(cluster="lab10", service="lab10-web", desiredCount=count)
    steady()
    print(count, "tasks:", by_zone(tasks_of()))

# %% [markdown] id="why-why"
# ## Why did it do that?
#
# Here is the whole story. Each bar is a task: pale until it runs, dark if it runs still, with a cross where it ended. Each
# dashed line is an event of the service; its number leads to the sentence below, with the seconds of lab time since the
# first. Find the stopped task, the killed machine, the drained one, the growing and the shrinking.

# %% id="why" tags=["measured"]
lab.draw_scheduler("lab10", "lab10-web")
assert len(service()["events"]) > 8

# %% [markdown] id="break"
# ## Break it on purpose
#
# **A machine that never joins.** The commonest trouble with EC2 clusters: the instance is `running`, says EC2, and ECS does
# not know it. No answer that you got has an error in it. Here is one to whose role nobody has attached the policy.

# %% id="break-role"
make_profile("lab10-powerless")
powerless = launch("lab10-powerless", subnets[1], profile="lab10-powerless")
if here.target == "aws":
    print("On AWS, sign in with Session Manager and look for AccessDenied in /var/log/ecs/ecs-agent.log.")
else:
    denied = lab.wait(lambda: console(powerless, "AccessDenied"), until=bool, name="the agent's log")
    print(textwrap.fill(denied[0], width=100, break_on_hyphens=False))
state = ec2.describe_instances(InstanceIds=[powerless])["Reservations"][0]["Instances"][0]["State"]["Name"]
print("EC2 says:", state, "- ECS knows it:", powerless in [each["ec2InstanceId"] for each in members()])

# %% [markdown] id="break-role-read"
# It fails on the machine, so the machine's log is where it is told: the agent was not allowed to register. It tries again
# and again, so once the role has its policy, the instance joins without being touched.

# %% id="mend-role"
iam.attach_role_policy(RoleName="lab10-powerless", PolicyArn=INSTANCE_POLICY)
joined(powerless)
print("members:", len(members()))

# %% [markdown] id="break-list"
# Other reasons for the same silence, in the order in which to look:
#
# 1. No instance profile, or one without the policy: as above.
# 2. Another cluster's name in `/etc/ecs/ecs.config`. With a name that does not exist the log says so; with none at all the
#    machine is in the cluster `default`.
# 3. No way out: a subnet without an internet gateway, NAT or endpoints, or no public address. The log says `i/o timeout`.
# 4. User data that failed half-way. It is a shell script without `set -e`, and it runs at the *first* boot only: a changed
#    script needs a new machine.
# 5. An AMI without the agent.
#
# We take the extra machine away again. ECS notices: a terminated instance is deregistered.

# %% id="unbreak-role"
ec2.terminate_instances(InstanceIds=[powerless])
left = lab.wait(members, until=lambda found: len(found) == 2, name="two members")
print([zone(each) for each in left])

# %% [markdown] id="break-place-why"
# **A service that cannot be placed.** `create_service` succeeds. It only takes the order. Here is one whose tasks are larger
# than any machine.

# %% id="break-place"
create("lab10-big", 1)
lab.wait(lambda: service("lab10-big")["events"], until=bool, name="its first event")
lab.events("lab10", "lab10-big")
lab.show(service("lab10-big"), columns=["status", "desiredCount", "runningCount", "pendingCount"])

# %% [markdown] id="break-place-read"
# ACTIVE, and nothing runs. There is no failed task to look at either, since none was made: **the event is the only trace.** It
# names the machine that came closest and what it lacked. The scheduler goes on trying, so a bigger machine, or a smaller
# task, ends it.

# %% id="unbreak-place"
ecs.delete_service(cluster="lab10", service="lab10-big", force=True)
print(service("lab10-big")["status"])

# %% [markdown] id="exercise-shop"
# ## Your turn
#
# The checks look at your account, not at your code. If a check says *not yet*, ask for a hint: the hints are about what it
# found.
#
# ### Exercise 1: three shops on two machines
#
# A colleague's service is to run three copies of `shop.json`. The next cell registers it and creates the service. Something
# is wrong: it does not get all three.
#
# **Make `lab10-shop` run three copies on the two machines that are there**, by the definition alone: the program stays as
# it is and needs about 50 MiB, `desiredCount` stays 3, and no machine is added. Give the service the new revision
# (`ecs.update_service`). Read its events after each step: there is more than one thing to mend.
#
# Then assign the three URLs at which the copies answer, as a list, to `shops`.


# %% id="shop-run" tags=["exercise"]
text = here.file("shop.json").read_text()
print(text)
shop_definition = json.loads(text)
shop_definition["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-region"] = here.region
ecs.register_task_definition(**shop_definition)
create("lab10-shop", 3, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 200})


def in_trouble(found):
    """Two run, and for the third there is no place."""
    return found["runningCount"] == 2 and any("unable to place" in each["message"] for each in found["events"])


lab.wait(lambda: service("lab10-shop"), until=in_trouble, name="the third")
lab.show(service("lab10-shop"), columns=["desiredCount", "runningCount"])

# %% id="shop" tags=["exercise"]
### BEGIN SOLUTION
shop_container = shop_definition["containerDefinitions"][0]
shop_container["portMappings"][0]["hostPort"] = 0
shop_container["memoryReservation"] = 64
shop_container["memory"] = 128
ecs.register_task_definition(**shop_definition)
ecs.update_service(cluster="lab10", service="lab10-shop", taskDefinition="lab10-shop")
steady("lab10-shop")
shops = [address(task) for task in tasks_of("lab10-shop")]
### END SOLUTION

# %% id="shop-check" tags=["check"]
lab.check("shop", shops)

# %% id="shop-hint" tags=["hint"]
lab.hint("shop")

# %% [markdown] id="exercise-green"
# ### Exercise 2: the machine that never came
#
# The green team wants a machine of its own in `lab10`, marked with the attribute `team=green`, so that tasks can be sent to
# it. A colleague wrote `green.sh`, made the role `lab10-green`, and launched it: the next cell does that. EC2 says that it
# runs. ECS has never heard of it.
#
# **Find out why, and bring a machine with the role `lab10-green` and the attribute `team=green` into `lab10`.** Leave no
# machine running that is in no cluster: it costs money and does nothing. Assign the ARN of the container instance to
# `green`.

# %% id="green-run" tags=["exercise"]
script = here.file("green.sh").read_text()
print(script)
make_profile("lab10-green")
lonely = launch("lab10-green", subnets[1], user_data=script, profile="lab10-green")
print("launched; members of lab10:", len(members()))

# %% id="green" tags=["exercise"]
### BEGIN SOLUTION
# 1. its log: not authorized to perform: ecs:RegisterContainerInstance
iam.attach_role_policy(RoleName="lab10-green", PolicyArn=INSTANCE_POLICY)
# 2. its log then: Cluster not found. User data runs at the first boot only, so it takes another machine
ec2.terminate_instances(InstanceIds=[lonely])
right = script.replace("ECS_CLUSTER=lab-10", "ECS_CLUSTER=lab10")
green_machine = launch("lab10-green-2", subnets[1], user_data=right, profile="lab10-green")
green = joined(green_machine)[0]["containerInstanceArn"]
### END SOLUTION

# %% id="green-check" tags=["check"]
lab.check("green", green)

# %% id="green-hint" tags=["hint"]
lab.hint("green")

# %% [markdown] id="quiz"
# ### Five questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-role" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("who-registers", answer)

# %% id="quiz-ports" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("which-ports", answer)

# %% id="quiz-room" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("is-there-room", answer)

# %% id="quiz-lost" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("who-replaces-what", answer)

# %% id="quiz-drain" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("what-drains", answer)

# %% [markdown] id="today"
# ## Who does this by hand today?
#
# Hardly anybody. You did, and now know what the others do for you:
#
# * **An Auto Scaling group with a capacity provider.** The group replaces a machine that dies (nobody did above), from a launch
#   template with the same AMI, profile and user data; the capacity provider tells it how many machines the tasks need, and
#   drains before it takes one away. Chapter 11 builds one by CloudFormation.
# * **ECS Managed Instances.** EC2 instances that AWS chooses, starts, patches and replaces; you only say what the tasks need.
#   Nobody signs in to them.
# * **Fargate.** No instances at all: chapter 12.
#
# Host ports remain useful where many small tasks share few machines. With `awsvpc` each task has an interface of its own,
# of which an instance bears only a few (a t3.small three, one of them its own).
#
# ## Clean up
#
# This deletes what the chapter made, machines first, waits until they are gone, looks again, and shows what is left.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# * **Money.** A t3.small costs about 2 US cents an hour, its public address half a cent, its disk (30 GiB) a third of a cent.
#   It is billed until it is **terminated**, whether it is in a cluster or not, whether tasks run on it or not. A stopped one
#   still pays for its disk.
# * **Time.** Booting and joining takes one to three minutes for each machine, terminating about one, and the console output
#   is some minutes late.
# * **The machine.** Here it is a container made of your own computer's files, with a disk and a network of its own. Its user
#   data really ran; but `free` and `nproc` show your computer, and nothing can be installed. There it is Amazon Linux 2023.
# * **The agent's log** is on the console here. There it is in `/var/log/ecs/ecs-agent.log` only: sign in with Session Manager
#   (the role then also needs AmazonSSMManagedInstanceCore, in exercise 2 as well), or send it to CloudWatch Logs.
# * **Registered memory** of a t3.small is a few MiB more or less, as the kernel has it.
# * **Addresses.** Here the machine's public address is one that only your computer knows. There anybody may come, as far as
#   the security group lets them.
# * **Which ports** you get is for Docker to decide: any free one of the range, not always the next.
# * **Rebalancing.** AWS can move a service's tasks when the zones become uneven (`availabilityZoneRebalancing`). The emulator
#   does not have it, so we did it by growing and shrinking.
#
# **Next.** Chapter 11 makes all of this from one file. Chapter 13 puts a load balancer before the host ports, which finds them
# by itself.
