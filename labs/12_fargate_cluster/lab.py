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
# # 12 A Fargate cluster, by hand and by CloudFormation
#
# In chapter 10 the machines were yours. Here are none: you say how large a task is and in which subnet it shall be, and AWS
# finds a machine, once for each task. What is left for you to decide is the **size** and the **network**, and most of what
# goes wrong on Fargate is one of the two.
#
# **You will do.** Make a cluster with Fargate and Fargate Spot; find out which sizes there are and how the others are refused;
# run five tasks, each with a network interface and an address of its own; run one where there is no way out, and see it fail.
# Then make the same by one CloudFormation stack, update it, and delete it.
#
# **You will learn.** What a "Fargate cluster" is today; what a pair of CPU and memory costs; why a pull times out; which change
# of a stack is made in place and which one replaces a resource.
#
# **You need.** Chapters 00 and 04, and about 50 minutes (75 on real AWS). It costs nothing on the embedded emulator; about
# 0.10 USD on AWS.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "aws".

# %% id="begin" tags=["setup"]
import contextlib
import json
import textwrap
import time
import urllib.request
from collections import Counter

import labkit as lab

here = lab.begin("12", target=target)

# %% [markdown] id="picture-why"
# ## See what a Fargate task needs
#
# There is no machine in this picture, because you never see it. In its place a task has a network interface in one of *your*
# subnets.

# %% id="picture"
lab.diagram(
    [
        ("task definition\nits size and its image", "is the recipe of", "task"),
        ("cluster\nFARGATE, FARGATE_SPOT", "finds room for", "task"),
        ("task", "has", "network interface\nan address, security groups"),
        ("network interface\nan address, security groups", "is in", "subnet\na zone, a way out"),
    ],
    title="A task on Fargate",
)

# %% [markdown] id="cluster-why"
# ## Make the cluster
#
# "Create cluster for fargate", say the notes (those of the class that this course grew out of). That was a choice of the
# console's old wizard. **A cluster has no kind.** It is a name, and it may have **capacity providers**, each a source of room
# for tasks. Two of them are AWS's own:
#
# * `FARGATE`: a machine for your task as long as it runs.
# * `FARGATE_SPOT`: the same from capacity that nobody else wants just now, up to 70% cheaper. AWS may take it back after two
#   minutes' notice, so it is for work that can be interrupted.
#
# The **default strategy** says how to share tasks out among them, if a call names neither a launch type nor a strategy: the
# first `base` tasks go to one provider, the rest by `weight`.

# %% id="cluster"
session = lab.session()
ecs, ec2, iam, logs, cf = (session.client(name) for name in ("ecs", "ec2", "iam", "logs", "cloudformation"))
cluster = ecs.create_cluster(
    clusterName="lab12",
    capacityProviders=["FARGATE", "FARGATE_SPOT"],
    defaultCapacityProviderStrategy=[
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
    ],
)["cluster"]
lab.show(cluster, columns=["clusterName", "status", "capacityProviders", "registeredContainerInstancesCount"])

# %% [markdown] id="sizes-why"
# ## Find out which sizes there are
#
# On your own instances `cpu` and `memory` were any numbers that fit on the machine. On Fargate they choose the machine, so
# the task definition must name them *for the task as a whole*, and only certain pairs exist. We try: every amount of CPU that
# there is, in units of 1/1024 vCPU, with some amounts of memory. (On AWS this cell takes a minute.)


# %% id="sizes"
def size(cpu, memory, **more):
    """Register a definition of that size; cpu and memory as ECS has understood them."""
    definition = {
        "family": "lab12-size",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(cpu),
        "memory": str(memory),
        "containerDefinitions": [{"name": "any", "image": "public.ecr.aws/docker/library/python:3.12-slim"}],
    }
    made = ecs.register_task_definition(**definition | more)["taskDefinition"]
    return made["cpu"], made["memory"]


def exists(cpu, memory):
    """Whether Fargate has this size."""
    try:
        size(cpu, memory)
    except ecs.exceptions.ClientException:
        return False
    return True


GIB = [0.5, 1, 2, 4, 8, 16, 32, 60, 120]
lab.show(
    [
        {"CPU": cpu, **{f"{gib} GiB": "yes" if exists(cpu, int(gib * 1024)) else "." for gib in GIB}}
        for cpu in (256, 512, 1024, 2048, 4096, 8192, 16384)
    ]
)

# %% [markdown] id="sizes-read"
# A band from the upper left to the lower right: at least 2 GiB for each vCPU, and at most 8 (a little less for the three
# largest). Between the columns shown there are more sizes, in steps:
#
# | vCPU | memory | in steps of |
# |---|---|---|
# | 0.25 | 0.5, 1 or 2 GiB | |
# | 0.5 | 1 to 4 GiB | 1 GiB |
# | 1 | 2 to 8 GiB | 1 GiB |
# | 2 | 4 to 16 GiB | 1 GiB |
# | 4 | 8 to 30 GiB | 1 GiB |
# | 8 | 16 to 60 GiB | 4 GiB |
# | 16 | 32 to 120 GiB | 8 GiB |
#
# What AWS says of a pair that does not exist:

# %% id="refused"
for cpu, memory in ((256, 700), (256, 4096), (128, 512)):
    with lab.expect_error("ClientException"):
        size(cpu, memory)

# %% [markdown] id="refused-read"
# 700 is between two steps, 4096 is too much for a quarter of a vCPU, and 128 is no CPU size at all. The message is the same,
# and it does not say which of the two numbers to change: you need the table. It comes when the definition is *registered*, so
# nothing has been started.
#
# Three more things that Fargate insists on, and one that it is generous with:

# %% id="refused-more"
with lab.expect_error("ClientException"):
    size("", 512)
with lab.expect_error("ClientException"):
    size(256, 512, networkMode="bridge")
with lab.expect_error("ClientException"):
    ports = [{"containerPort": 80, "hostPort": 8080}]
    size(256, 512, containerDefinitions=[{"name": "any", "image": "busybox", "portMappings": ports}])
print("in words:", size("0.5 vCPU", "2 GB"))

# %% [markdown] id="price-why"
# The size is what you pay for, whether the program uses it or not. (Prices of us-east-1, Linux on x86; look up yours.)


# %% id="price"
def price(cpu, memory):
    """US dollars for an hour of a Fargate task."""
    return 0.04048 * cpu / 1024 + 0.004445 * memory / 1024


lab.show(
    [
        {
            "CPU": cpu,
            "memory": memory,
            "USD an hour": f"{price(cpu, memory):.4f}",
            "USD a month": f"{price(cpu, memory) * 730:.0f}",
        }
        for cpu, memory in ((256, 512), (256, 2048), (512, 2048), (1024, 2048), (16384, 122880))
    ]
)

# %% [markdown] id="price-read"
# A vCPU costs nine times as much as a GiB. So where a pair does not exist, look upwards in *both* directions: a program that
# needs 0.25 vCPU and 3 GiB runs on 0.5 vCPU with 3 GiB.
#
# ## Write the task definition
#
# The page says at which address it is, and in which zone. The execution role is the one of chapter 00: somebody has to pull
# the image and write the log.

# %% id="role"
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
try:
    iam.create_role(RoleName="lab12-execution", AssumeRolePolicyDocument=json.dumps(trust))
except iam.exceptions.EntityAlreadyExistsException:
    print("The role is there already, which is fine.")
iam.attach_role_policy(RoleName="lab12-execution", PolicyArn=POLICY)
if here.target == "aws":
    time.sleep(10)  # it takes some seconds until all of AWS knows a new role
execution_role = iam.get_role(RoleName="lab12-execution")["Role"]["Arn"]
try:
    logs.create_log_group(logGroupName="/lab12/tasks")
except logs.exceptions.ResourceAlreadyExistsException:
    print("The log group is there already, which is fine.")
logs.put_retention_policy(logGroupName="/lab12/tasks", retentionInDays=1)
print(execution_role.split(":")[-1], "and /lab12/tasks")

# %% id="definition"
PAGE = """
import http.server, json, os, signal, sys, urllib.request
about = json.load(urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task"))
address = about["Containers"][0]["Networks"][0]["IPv4Addresses"][0]
text = f"This is {address} in {about['AvailabilityZone']}, on port 80."
print(text, flush=True)
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
options = {"awslogs-group": "/lab12/tasks", "awslogs-region": here.region, "awslogs-stream-prefix": "page"}
made = ecs.register_task_definition(
    family="lab12-page",
    requiresCompatibilities=["FARGATE"],
    networkMode="awsvpc",
    cpu="256",
    memory="512",
    executionRoleArn=execution_role,
    containerDefinitions=[
        {
            "name": "page",
            "image": "public.ecr.aws/docker/library/python:3.12-slim",
            "command": ["python", "-c", PAGE],
            "portMappings": [{"containerPort": 80}],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }
    ],
)["taskDefinition"]
lab.show(made, columns=["family", "networkMode", "cpu", "memory", "compatibilities"])

# %% [markdown] id="definition-read"
# No `hostPort`: with `awsvpc` there is no host whose ports could be taken. Every task has all 65535 ports of its own
# interface, so a hundred of them may listen on port 80. (`compatibilities` says where this recipe could run: on Fargate, and
# on instances, too.)
#
# ## Run five tasks
#
# Two subnets of the default VPC, in two zones, and a security group that lets anybody in on port 80. It belongs to the
# *interface*, so here it guards one task, and not a machine full of them.

# %% id="network"
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets = sorted(subnets, key=lambda subnet: subnet["AvailabilityZone"])[:2]
SUBNETS = [subnet["SubnetId"] for subnet in subnets]
named = {"Filters": [{"Name": "group-name", "Values": ["lab12-tasks"]}, {"Name": "vpc-id", "Values": [vpc]}]}
if not ec2.describe_security_groups(**named)["SecurityGroups"]:
    made = ec2.create_security_group(GroupName="lab12-tasks", Description="Tasks of lab12", VpcId=vpc)
    everybody = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}
    ec2.authorize_security_group_ingress(GroupId=made["GroupId"], **everybody)
group = ec2.describe_security_groups(**named)["SecurityGroups"][0]["GroupId"]
lab.show(subnets, columns=["AvailabilityZone", "CidrBlock", "MapPublicIpOnLaunch"])


# %% id="run"
def run(definition, subnets, cluster="lab12", count=1, public=True, groups=None):
    """Run tasks by the cluster's default strategy; their ARNs."""
    place = {"subnets": subnets, "assignPublicIp": "ENABLED" if public else "DISABLED"}
    if groups:
        place["securityGroups"] = groups
    answer = ecs.run_task(
        cluster=cluster, taskDefinition=definition, count=count, networkConfiguration={"awsvpcConfiguration": place}
    )
    return [task["taskArn"] for task in answer["tasks"]]


def describe(task_arns):
    """What ECS knows of these tasks, all of one cluster."""
    return ecs.describe_tasks(cluster=task_arns[0].split("/")[1], tasks=task_arns)["tasks"]


def until(task_arns, status):
    """Wait until all of these tasks have that status; the tasks."""
    return lab.wait(
        lambda: describe(task_arns),
        until=lambda tasks: all(task["lastStatus"] == status for task in tasks),
        name=f"tasks to be {status}",
        timeout=900,
    )


five = run("lab12-page", SUBNETS, count=5, groups=[group])
until(five, "RUNNING")
print(dict(Counter(task["capacityProviderName"] for task in describe(five))))
print(dict(Counter(task["availabilityZone"] for task in describe(five))))

# %% [markdown] id="run-read"
# The first by `base`, the other four 1 : 3. And they were spread over the zones: you name *several* subnets, and ECS chooses
# for each task.
#
# ## Look at the interfaces
#
# ECS tells of a task's interface in `attachments`; EC2 knows the same interface by its id. Nobody made it by hand, and nobody
# has to delete it: it comes before the container, in PROVISIONING, and goes in DEPROVISIONING.


# %% id="interfaces"
def details(task):
    """Of the task's network interface, as ECS tells them."""
    return {pair["name"]: pair["value"] for pair in task["attachments"][0]["details"]}


def interface(task):
    """The task's network interface, as EC2 tells it."""
    wanted = [details(task)["networkInterfaceId"]]
    return ec2.describe_network_interfaces(NetworkInterfaceIds=wanted)["NetworkInterfaces"][0]


cidr = {subnet["SubnetId"]: subnet["CidrBlock"] for subnet in subnets}
rows = [
    {
        "address": details(task)["privateIPv4Address"],
        "subnet": cidr[details(task)["subnetId"]],
        "zone": task["availabilityZone"],
        "security group": interface(task)["Groups"][0]["GroupName"],
        "public address": "yes" if "Association" in interface(task) else "no",
    }
    for task in describe(five)
]
lab.show(sorted(rows, key=lambda row: row["address"]))

# %% id="draw"
lab.draw_network(vpc, cluster="lab12", subnets=SUBNETS)

# %% [markdown] id="pages-why"
# Five addresses, and all five listen on port 80. On AWS you would open `http://<public address>/`. `lab.url` gives a URL that
# works from this computer on every target.


# %% id="pages"
def page(task_arn):
    """What the task serves. (No company's proxy knows our tasks, so none is asked.)"""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return direct.open(lab.url(task_arn), timeout=5).read().decode()
    except OSError as error:
        return f"no answer: {error}"


def pages(task_arns):
    """What they serve, as soon as all of them do: RUNNING says that a program was started, not that it listens already."""
    return lab.wait(
        lambda: sorted(page(task_arn) for task_arn in task_arns),
        until=lambda texts: not any(text.startswith("no answer") for text in texts),
        name="tasks to answer",
    )


print("\n".join(pages(five)))

# %% [markdown] id="stop-why"
# Now stop them, and look for their interfaces once more.

# %% id="stop"
ids = [details(task).get("networkInterfaceId") for task in describe(five)]
for task_arn in five:
    ecs.stop_task(cluster="lab12", task=task_arn, reason="enough seen")
until(five, "STOPPED")
left = ec2.describe_network_interfaces(Filters=[{"Name": "network-interface-id", "Values": ids}])["NetworkInterfaces"]
print("interfaces left:", len(left))

# %% [markdown] id="break"
# ## Break it on purpose: no public address
#
# The commonest failure on Fargate. The same task in the same subnet, but without a public address. (That is the *default* of
# the API: leave `assignPublicIp` out, and you have this.)

# %% id="break-public"
stuck = run("lab12-page", SUBNETS[:1], groups=[group], public=False)
failed = until(stuck, "STOPPED")[0]
lab.show(failed, columns=["lastStatus", "stopCode"])
print(textwrap.fill(failed["stoppedReason"], 100, break_on_hyphens=False))
lab.timeline(failed, times=False)

# %% [markdown] id="break-read"
# It was never RUNNING. Read the reason from its end: `i/o timeout`, dialling the registry. Whoever pulls the image does it
# **from the task's own interface**; there is no machine with a network of its own that could do it. The subnet's route to the
# internet gateway is there, but an internet gateway serves only who has a public address, since nobody could answer the others.
# It takes some minutes of trying until the task gives up, and meanwhile it is PENDING.
#
# A task needs one of these ways out, for its image as much as for its logs and its secrets:
#
# | way | needs | costs on AWS |
# |---|---|---|
# | public address | a route to an internet gateway, `assignPublicIp` ENABLED | half a cent an hour for each task |
# | NAT gateway | a route to it; it is in a public subnet itself | 4.5 cents an hour, and 4.5 cents a GB |
# | VPC endpoints | for `ecr.api`, `ecr.dkr`, `logs`, and S3's gateway; then only images in *your* ECR | 1 cent an hour for each, in each zone; S3's none |
#
# A security group's *ingress* rules have nothing to do with it: pulling is outgoing, and by default all that is outgoing is
# allowed.
#
# ## The same by a stack
#
# Cluster, role, log group, security group, definition: each was a call, and each call was ours to remember. (And the VPC was
# simply there.) **CloudFormation** takes a list of what there shall be, the *template*, and makes it; what it has made is a
# **stack**. Here is ours. It brings a network of its own, with a subnet called `Cellar` that we shall need.

# %% id="template"
TEMPLATE = here.file("template.yaml").read_text()
print(TEMPLATE.partition("Resources:")[0])
told = cf.get_template_summary(TemplateBody=TEMPLATE)
kinds = Counter(kind.removeprefix("AWS::") for kind in told["ResourceTypes"])
counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
print(textwrap.fill(f"{len(told['ResourceTypes'])} resources: {counted}", 100), end="\n\n")
print(TEMPLATE[TEMPLATE.index("  # the cluster") : TEMPLATE.index("          Command:")])

# %% [markdown] id="template-read"
# * `!Ref Cpu` is a parameter's value, `!Ref Logs` the name of what the resource `Logs` turns into, `!GetAtt ExecutionRole.Arn`
#   another of its attributes. By these references CloudFormation knows what must be made before what.
# * Nothing says *how*, and nothing says in which order.
#
# The whole file is `labs/12_fargate_cluster/template.yaml`; chapter 11 draws and explains such a stack piece by piece.
# A template that makes IAM roles could give somebody more rights than they have, so you must say that you know: that is the
# `Capabilities` below.


# %% id="create"
def stack(name="lab12-stack"):
    """What CloudFormation knows of a stack."""
    return cf.describe_stacks(StackName=name)["Stacks"][0]


def settled(name="lab12-stack"):
    """Wait until nothing is in progress; the stack."""
    return lab.wait(
        lambda: stack(name),
        until=lambda found: not found["StackStatus"].endswith("IN_PROGRESS"),
        name=f"stack {name.split('/')[1] if '/' in name else name}",
        timeout=1800,
    )


try:
    cf.create_stack(StackName="lab12-stack", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"])
except cf.exceptions.AlreadyExistsException:
    print("The stack is there already, which is fine.")
stack_id = settled()["StackId"]
print(stack()["StackStatus"])

# %% id="resources"
resources = cf.describe_stack_resources(StackName="lab12-stack")["StackResources"]
lab.show(resources, columns=["LogicalResourceId", "ResourceType", "ResourceStatus"])

# %% [markdown] id="outputs-why"
# What others need to know of it a stack tells in its **outputs**, so nobody has to copy ids. We run a task by them.

# %% id="outputs"
outputs = {each["OutputKey"]: each["OutputValue"] for each in stack()["Outputs"]}
print(", ".join(outputs))
print("definition:", outputs["TaskDefinition"].split("/")[-1])
where = {"cluster": outputs["Cluster"], "groups": [outputs["TaskGroup"]]}
first = run(outputs["TaskDefinition"], [outputs["SubnetA"], outputs["SubnetB"]], **where)
until(first, "RUNNING")
print(pages(first)[0])

# %% [markdown] id="cellar-why"
# ## Break it on purpose: a subnet without a way out
#
# The stack's third subnet has the VPC's main route table, in which there is nothing but the VPC itself. This time the task
# has a public address.

# %% id="cellar"
stuck = run(outputs["TaskDefinition"], [outputs["Cellar"]], **where)
failed = until(stuck, "STOPPED")[0]
print(textwrap.fill(failed["stoppedReason"], 100, break_on_hyphens=False))
stack_vpc = next(each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == "Vpc")
lab.draw_network(stack_vpc, cluster=outputs["Cluster"])

# %% [markdown] id="cellar-read"
# The same message for another reason: an address without a route. "Public subnet" is not a property of a subnet. It is the
# short name of "its route table leads to an internet gateway", and you find out by looking at routes, as the picture did.
#
# ## Update the stack
#
# Two parameters change: the greeting, and how long logs are kept. Before anything happens we ask for the plan, the **change
# set**.


# %% id="plan"
def plan(name, template=TEMPLATE, **parameters):
    """Make a change set of the stack, and show what it would do."""
    with contextlib.suppress(cf.exceptions.ChangeSetNotFoundException):
        cf.delete_change_set(StackName="lab12-stack", ChangeSetName=name)  # that of an earlier run of the cell
    cf.create_change_set(
        StackName="lab12-stack",
        ChangeSetName=name,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    made = lab.wait(
        lambda: cf.describe_change_set(StackName="lab12-stack", ChangeSetName=name),
        until=("CREATE_COMPLETE", "FAILED"),
        name=f"change set {name}",
    )
    if made["Status"] == "FAILED":
        print(made["StatusReason"])
    changes = [each["ResourceChange"] for each in made["Changes"]]
    if changes:
        lab.show([
            {
                "resource": change["LogicalResourceId"],
                "action": change["Action"],
                "replacement": change["Replacement"],
                "because of": sorted({detail["Target"].get("Name", "tags") for detail in change["Details"]}),
            }
            for change in sorted(changes, key=lambda change: change["LogicalResourceId"])
        ])  # fmt: skip


plan("greeting", Greeting="Good evening", KeepLogs="3")

# %% [markdown] id="plan-read"
# `Replacement` is the word to look for. The log group is changed **in place**. The task definition cannot be: a revision never
# changes, so there must be a new one. For a definition that is harmless. See what the same table says of another small
# edit, a VPC with another range of addresses:

# %% id="plan-vpc"
plan("readdress", template=TEMPLATE.replace("10.12.", "10.112."), Greeting="Hello")
cf.delete_change_set(StackName="lab12-stack", ChangeSetName="readdress")
left = cf.list_change_sets(StackName="lab12-stack")["Summaries"]
print("change sets left:", [each["ChangeSetName"] for each in left])

# %% [markdown] id="plan-vpc-read"
# One line of the template, and the whole network would be made anew (`Conditional`: it depends on whether what it refers to
# gets another id, and it does). This is why one looks first. We throw that plan away and execute the other.


# %% id="execute"
def execute(name):
    """Carry a change set out, if there is anything in it; the stack when it has settled."""
    made = cf.describe_change_set(StackName="lab12-stack", ChangeSetName=name)
    if made["ExecutionStatus"] == "AVAILABLE":
        cf.execute_change_set(StackName="lab12-stack", ChangeSetName=name)
    return settled()


def days_of_logs():
    """How long CloudWatch Logs keeps what the stack's tasks print."""
    return logs.describe_log_groups(logGroupNamePrefix="/lab12-stack")["logGroups"][0]["retentionInDays"]


print(execute("greeting")["StackStatus"])
outputs = {each["OutputKey"]: each["OutputValue"] for each in stack()["Outputs"]}
for status in ("ACTIVE", "INACTIVE"):
    found = ecs.list_task_definitions(familyPrefix="lab12-stack-page", status=status)["taskDefinitionArns"]
    print(status, [arn.split("/")[-1] for arn in found])
print("logs are kept for", days_of_logs(), "days")

# %% [markdown] id="execute-read"
# Revision 2 was made first, then revision 1 was *deregistered*: INACTIVE. What of the task that runs by it?

# %% id="both"
second = run(outputs["TaskDefinition"], [outputs["SubnetA"], outputs["SubnetB"]], **where)
until(first + second, "RUNNING")
for task_arn in first + second:
    print(describe([task_arn])[0]["taskDefinitionArn"].split("/")[-1], "says:", pages([task_arn])[0])

# %% [markdown] id="both-read"
# It runs on. The stack owns the recipe, not the tasks that somebody made from it. (A *service* in the stack would be the
# owner of its tasks, and would be rolled over to revision 2: chapter 13.)
#
# ## Break it on purpose: a size that does not exist
#
# A template is only text, and 700 is a number. The plan finds nothing wrong with it:

# %% id="break-size"
plan("seven-hundred", Greeting="Good evening", KeepLogs="7", Memory="700")
print(execute("seven-hundred")["StackStatus"])
events = cf.describe_stack_events(StackName="lab12-stack")["StackEvents"]
failure = next(each for each in events if each["ResourceStatus"] == "UPDATE_FAILED")
print(failure["LogicalResourceId"], failure["ResourceStatus"])
told = failure["ResourceStatusReason"].partition('message: "')[2].partition(" (Service")[0]  # without ids of requests
print(textwrap.fill(told or failure["ResourceStatusReason"], 100, break_on_hyphens=False))
print("logs are kept for", days_of_logs(), "days")

# %% [markdown] id="break-size-read"
# CloudFormation knows nothing of Fargate's sizes. It asked ECS, ECS refused in its own words, and CloudFormation went **back**:
# `UPDATE_ROLLBACK_COMPLETE` means that the update failed and that all is as before, the retention of the logs too. A change
# set tells what would be done, not whether it will succeed.
#
# ## Delete the stack
#
# One call deletes what was made, in the opposite order. What a stack did not make it does not delete, and a cluster with
# running tasks cannot go. So the tasks are stopped first.

# %% id="delete"
running = [arn for arn in first + second if stack(stack_id)["StackStatus"] != "DELETE_COMPLETE"]
for task_arn in running:
    ecs.stop_task(cluster="lab12-stack", task=task_arn, reason="the stack goes")
if running:
    until(running, "STOPPED")
cf.delete_stack(StackName=stack_id)
print(settled(stack_id)["StackStatus"])
made_by_it = [{"Name": "tag:aws:cloudformation:stack-name", "Values": ["lab12-stack"]}]
left = {
    "VPCs": ec2.describe_vpcs(Filters=made_by_it)["Vpcs"],
    "subnets": ec2.describe_subnets(Filters=made_by_it)["Subnets"],
    "log groups": logs.describe_log_groups(logGroupNamePrefix="/lab12-stack")["logGroups"],
    "roles": [role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("lab12-stack")],
    "active revisions": ecs.list_task_definitions(familyPrefix="lab12-stack-page")["taskDefinitionArns"],
}
lab.show([{"what": what, "left": len(found)} for what, found in left.items()])

# %% [markdown] id="delete-read"
# One trace stays: the two revisions are INACTIVE, because CloudFormation deregisters task definitions and does not delete them.
# They cost nothing, and the clean-up below deletes them.
#
# ## Your turn
#
# The checks look at your account, not at your code. If a check says *not yet*, ask for a hint: the hints are about what it
# found.
#
# ### Exercise 1: from an instance to Fargate
#
# `report.json` ran on an instance of 8 GiB. It is to run on Fargate, and somebody has begun. The program needs half a vCPU and
# 5 GiB; that is measured, and the program stays as it is.
#
# **Mend the definition, with the cheapest size in which the report fits, and run it in cluster `lab12`.** Assign the ARN of the
# running task to `report`.

# %% id="report-run" tags=["exercise"]
text = here.file("report.json").read_text()
print(text)
report_definition = json.loads(text)
with lab.expect_error("ClientException"):
    ecs.register_task_definition(**report_definition)

# %% id="report" tags=["exercise"]
### BEGIN SOLUTION
report_definition["networkMode"] = "awsvpc"
report_definition["cpu"] = "1024"  # 0.5 vCPU has 4 GiB at most; 1 vCPU has from 2 to 8
report_definition["containerDefinitions"][0]["portMappings"] = [{"containerPort": 8000}]
ecs.register_task_definition(**report_definition)
report = run("lab12-report", SUBNETS)[0]
print(until([report], "RUNNING")[0]["lastStatus"])
### END SOLUTION

# %% id="report-check" tags=["check"]
lab.check("report", report)

# %% id="report-hint" tags=["hint"]
lab.hint("report")

# %% [markdown] id="exercise-shop"
# ### Exercise 2: the shop that does not open
#
# A colleague's stack is CREATE_COMPLETE, so all is well, says the colleague. Its tasks disagree. The next cell makes the stack
# from `shop.yaml` and runs a task.
#
# **Mend the template, update the stack `lab12-shop` with it, and run a task of it.** Assign the ARN of the running task to
# `shop`. What the network lacks must be made by the stack, or the next one who uses the template has the same trouble.

# %% id="shop-run" tags=["exercise"]
shop_template = here.file("shop.yaml").read_text()
print(shop_template.partition("  Cluster:")[0])
try:
    cf.create_stack(StackName="lab12-shop", TemplateBody=shop_template)
except cf.exceptions.AlreadyExistsException:
    print("The stack is there already, which is fine.")
print(settled("lab12-shop")["StackStatus"])
shop_subnet = stack("lab12-shop")["Outputs"][0]["OutputValue"]
closed = run("lab12-shop", [shop_subnet], cluster="lab12-shop")
reason = until(closed, "STOPPED")[0]["stoppedReason"]
print(textwrap.fill(reason, 100, break_on_hyphens=False))

# %% id="shop" tags=["exercise"]
### BEGIN SOLUTION
goes_out = """
  SubnetGoesOut:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {SubnetId: !Ref Subnet, RouteTableId: !Ref Routes}

Outputs:"""
try:
    cf.update_stack(StackName="lab12-shop", TemplateBody=shop_template.replace("\nOutputs:", goes_out))
except cf.exceptions.ClientError as error:
    print(error.response["Error"]["Message"])
settled("lab12-shop")
shop = run("lab12-shop", [shop_subnet], cluster="lab12-shop")[0]
print(until([shop], "RUNNING")[0]["lastStatus"])
### END SOLUTION

# %% id="shop-check" tags=["check"]
lab.check("shop", shop)

# %% id="shop-hint" tags=["hint"]
lab.hint("shop")

# %% [markdown] id="quiz"
# ### Four questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-size" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("which-size", answer)

# %% id="quiz-pull" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("who-pulls", answer)

# %% id="quiz-replace" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("what-is-replaced", answer)

# %% id="quiz-owner" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("who-owns-tasks", answer)

# %% [markdown] id="clean"
# ## Clean up
#
# This deletes what the chapter made, stacks first, waits until they are gone, looks again, and shows what is left.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# * **Money.** A task of a quarter vCPU and half a GiB costs 1.2 US cents an hour, its public address half a cent more, from the
#   beginning of the pull, for a minute at least. Clusters, definitions, VPCs and stacks cost nothing by themselves; a NAT gateway
#   does.
# * **Time.** 20 to 40 seconds until a task runs; two to five minutes until a pull without a way out is given up; a minute or
#   two for the stack, as long for its deletion.
# * **Spot.** Here FARGATE_SPOT is never taken back, and never lacking. There a Spot task may be stopped with
#   `SpotInterruption`, after a SIGTERM and an event two minutes before.
# * **Spreading.** ECS tries to spread loose tasks over the subnets and promises nothing. A service (chapter 13) does better.
# * **Public addresses.** Here only `lab.url` leads to them. There anybody may come, as far as the security group lets them.
# * **Messages.** The wording of a failed pull changes with the platform version; `CannotPullContainerError` and `i/o timeout`
#   stay.
#
# **Next.** Chapter 13 puts a service behind a load balancer, so that nobody has to know any of these addresses.
