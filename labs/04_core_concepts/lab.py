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
# # 04 The core concepts
#
# Cluster, service, task definition, container definition: four words that everything on ECS is said with. You will make
# each thing, look at it as AWS describes it, and see how it hangs together with the others.
#
# **You will do.** Run a task of three containers that wait for each other and share a disk and an address; ask it from
# within who it is; give it a secret; take more memory than it may; let ports collide; make the second revision from the
# first; break it, and repair two definitions of a colleague's.
#
# **You will learn.** What is inside what, and what is not; which setting lives where; soft and hard limits; when two
# programs may have the same port; the two roles of a task.
#
# **You need.** Chapter 00, and about 50 minutes (80 on real AWS). It costs nothing on the embedded emulator; about
# 0.05 USD on AWS.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "localstack", "aws".

# %% id="begin" tags=["setup"]
import json
import textwrap
import time
import urllib.request

import labkit as lab

here = lab.begin("04", target=target)

# %% [markdown] id="words"
# ## See the words first
#
# Courses like to draw them as boxes in boxes: cluster > service > task definition > container definition. It helps to
# remember them, and it is not quite so. Two kinds of thing are mixed there: **what runs** and **the paper that it is made
# from**. And a fifth word is missing, the **task**: what you get when ECS follows a task definition.
#
# (The course grew out of the notes of a class. Where this chapter says "the notes", it is because something in them is out
# of date, or deserves a second look.)

# %% id="words-picture"
lab.diagram(
    [
        ("image\nin a registry", "is named by", "container definition\none program"),
        ("container definition\none program", "is part of", "task definition\nthe recipe"),
        ("task definition\nthe recipe", "makes", "task\nthe running copy"),
        ("service\nkeeps n tasks running", "starts and replaces", "task\nthe running copy"),
        ("cluster\nthe outer scope", "holds", "task\nthe running copy"),
    ],
    title="The core concepts",
)

# %% [markdown] id="words-read"
# Read it from the right. The task is the thing that runs. The cluster is where it runs, the service is who sees to it that
# it runs, and the definitions are how.
#
# ## Lay the table
#
# What a task needs around it, you know from chapter 00: an execution role, a log group, a place in the network. This time
# we make a second role as well. **The execution role is for ECS** (pull the image, write the logs, fetch the secrets); **the
# task role is for your program.** They are confused so often that you will meet both below.

# %% id="roles"
session = lab.session()
iam = session.client("iam")
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
for name in ("lab04-execution", "lab04-task"):
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    except iam.exceptions.EntityAlreadyExistsException:
        print(f"{name} is there already, which is fine.")
iam.attach_role_policy(
    RoleName="lab04-execution", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
)
if here.target == "aws":
    time.sleep(10)  # it takes some seconds until all of AWS knows a new role
execution_role = iam.get_role(RoleName="lab04-execution")["Role"]["Arn"]
task_role = iam.get_role(RoleName="lab04-task")["Role"]["Arn"]
print(execution_role)
print(task_role)

# %% id="log-group"
logs = session.client("logs")
try:
    logs.create_log_group(logGroupName="/lab04/tasks")
except logs.exceptions.ResourceAlreadyExistsException:
    print("It is there already, which is fine.")
logs.put_retention_policy(logGroupName="/lab04/tasks", retentionInDays=1)
groups = logs.describe_log_groups(logGroupNamePrefix="/lab04")["logGroups"]
lab.show(groups, columns=["logGroupName", "retentionInDays"])

# %% [markdown] id="network-why"
# A **security group** is the firewall of a network interface. The one that every VPC has lets in nobody from outside, and
# we want to look at a web page, so we make our own and open port 8080 in it. Open to anybody is fine for a greeting that
# lives for some minutes; for anything else name who may come.

# %% id="network"
ec2 = session.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets.sort(key=lambda subnet: subnet["AvailabilityZone"])
named = {"Filters": [{"Name": "group-name", "Values": ["lab04-web"]}, {"Name": "vpc-id", "Values": [vpc]}]}
if not ec2.describe_security_groups(**named)["SecurityGroups"]:
    ec2.create_security_group(GroupName="lab04-web", Description="A web page on port 8080", VpcId=vpc)
    web_port = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    made = ec2.describe_security_groups(**named)["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[web_port])
group = ec2.describe_security_groups(**named)["SecurityGroups"][0]
network = {
    "awsvpcConfiguration": {
        "subnets": [subnets[0]["SubnetId"]],
        "securityGroups": [group["GroupId"]],
        "assignPublicIp": "ENABLED",  # else it could not pull its image: the default VPC has no other way out
    }
}
print(group["GroupName"], "lets in", [permission["FromPort"] for permission in group["IpPermissions"]])

# %% [markdown] id="cluster"
# ## The cluster: the outer scope
#
# A **cluster** is a name under which tasks and services run. It says *where*: look at the members that count things. With
# Fargate there is no machine in it, so it is empty and costs nothing.

# %% id="create-cluster"
ecs = session.client("ecs")
cluster = ecs.create_cluster(clusterName="lab04")["cluster"]
counts = ["activeServicesCount", "runningTasksCount", "pendingTasksCount", "registeredContainerInstancesCount"]
lab.show(cluster, columns=["clusterName", "status", *counts])

# %% [markdown] id="cluster-for"
# What is it good for, if it is just a name? It is the scope in which you list and count, in which names of services are
# unique, and which permissions can be limited to. Teams commonly have one per environment: the same recipe runs in
# `shop-test` and in `shop-production`.

# %% [markdown] id="container"
# ## The container definition: one program
#
# It says for one program: which image, which command, how much memory, which ports, where the output goes. The notes put
# it as "image URL, image size, etc". The URL is right. Of the size we shall see.
#
# We need three programs. In real life each would be in an image of its own (chapter 31 builds one); until then we hand them
# to Python on the command line. The first writes a web page into the folder in which it stands. It asks ECS who it is, at
# an address that ECS puts into every container's environment.

# %% id="program-prepare"
PREPARE = """
import json, os, urllib.request
about = json.load(urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task"))
recipe = about["Family"] + ":" + about["Revision"]
with open("index.html", "w") as page:
    page.write(os.environ.get("GREETING", "Hello") + " from " + recipe)
print("The page is written for", recipe)
"""

# %% [markdown] id="program-web-why"
# The second serves the files of the folder in which it stands, on port 8080. ECS asks a program to end (SIGTERM) before it
# kills it, so we end when asked.

# %% id="program-web"
WEB = """
import http.server, signal, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *what):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8080), Quiet).serve_forever()
"""

# %% [markdown] id="program-visit-why"
# The third reads that page once.

# %% id="program-visit"
VISIT = """
import urllib.request
print("I read:", urllib.request.urlopen("http://localhost:8080/").read().decode())
"""

# %% [markdown] id="container-function-why"
# What the three container definitions have in common, a function writes for us: the name, the image, the command, and where
# the output goes.


# %% id="container-function"
def container(name, program, **more):
    """A container definition for a Python program."""
    options = {"awslogs-group": "/lab04/tasks", "awslogs-region": here.region, "awslogs-stream-prefix": "lab04"}
    return {
        "name": name,
        "image": "public.ecr.aws/docker/library/python:3.12-slim",
        "command": ["python", "-c", program],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        **more,
    }


# %% [markdown] id="container-web"
# The web server is the one that counts: it is **essential** (every container is, unless you say otherwise), so the task ends
# when it ends. It declares its port, and how to find out whether it is well: a **health check** is a command that ECS runs
# inside the container again and again; exit code 0 means healthy. And it says how much CPU and memory it gets of what the
# task has (the two limits have a section of their own below).

# %% id="container-web-definition"
site = {"sourceVolume": "site", "containerPath": "/site"}
ask_yourself = "import urllib.request; urllib.request.urlopen('http://localhost:8080/')"
web = container(
    "web",
    WEB,
    cpu=128,
    memoryReservation=96,
    memory=256,
    workingDirectory="/site",
    mountPoints=[{**site, "readOnly": True}],
    portMappings=[{"containerPort": 8080}],
    dependsOn=[{"containerName": "prepare", "condition": "SUCCESS"}],
    healthCheck={"command": ["CMD", "python", "-c", ask_yourself], "interval": 5, "retries": 10, "startPeriod": 300},
)

# %% [markdown] id="container-others"
# The other two stand beside it and are not essential: they do their work and go, and the task lives on.
#
# `dependsOn` gives the order. The server starts only after `prepare` has ended with 0 (**SUCCESS**): an *initialiser*. The
# visitor starts only when the server is well (**HEALTHY**); that it has merely been started (START) would be too early.

# %% id="container-other-definitions"
prepare = container("prepare", PREPARE, essential=False, workingDirectory="/site", mountPoints=[site])
visitor = container("visitor", VISIT, essential=False, dependsOn=[{"containerName": "web", "condition": "HEALTHY"}])

# %% [markdown] id="definition"
# ## The task definition: the recipe
#
# It puts container definitions together and says what they share: "containers, network, IAM role, RAM, CPU, storage", as
# the notes have it. All containers of a task run on the same machine, are placed together, and share one network
# interface. The volume `site` is a disk for as long as the task lives; a container has it where it mounts it.

# %% id="register"
fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}


def register(family, *containers, **more):
    """Register the next revision of a family, and return what ECS made of it."""
    return ecs.register_task_definition(
        family=family, containerDefinitions=list(containers), executionRoleArn=execution_role, **fargate, **more
    )["taskDefinition"]


definition = register("lab04-web", prepare, web, visitor, taskRoleArn=task_role, volumes=[{"name": "site"}])

# %% [markdown] id="definition-where"
# Here is each word of the notes, and where it is found in what ECS describes.

# %% id="definition-members"
described = ecs.describe_task_definition(taskDefinition="lab04-web")["taskDefinition"]
names = [each["name"] for each in described["containerDefinitions"]]
lab.show(
    [
        {"the notes say": "containers", "the member": "containerDefinitions", "here": names},
        {"the notes say": "network", "the member": "networkMode", "here": described["networkMode"]},
        {"the notes say": "IAM role", "the member": "taskRoleArn", "here": described["taskRoleArn"].split("/")[-1]},
        {"the notes say": "", "the member": "executionRoleArn", "here": described["executionRoleArn"].split("/")[-1]},
        {"the notes say": "RAM", "the member": "memory (MiB)", "here": described["memory"]},
        {"the notes say": "CPU", "the member": "cpu (1024 = one vCPU)", "here": described["cpu"]},
        {"the notes say": "storage", "the member": "volumes", "here": [each["name"] for each in described["volumes"]]},
    ]
)

# %% [markdown] id="definition-container"
# And this is what a container definition looks like in it:

# %% id="definition-container-members"
in_it = next(each for each in described["containerDefinitions"] if each["name"] == "web")
lab.show(in_it, columns=["name", "image", "cpu", "memoryReservation", "memory", "essential", "portMappings"])

# %% [markdown] id="definition-scope"
# And in which cluster is it? In none. A task definition belongs to the account and the region; any cluster may run it. So
# much for the boxes in boxes.

# %% id="definition-no-cluster"
print("members that name a cluster:", [member for member in described if "cluster" in member.lower()])

# %% [markdown] id="size"
# And the image's *size*, which the notes count among its members? boto3 carries AWS's own description of every answer, so we
# can ask that: which members of a container definition have to do with an image, and which of what ECR (the registry)
# tells of an image?

# %% id="image-size"
in_definition = ecs.meta.service_model.shape_for("ContainerDefinition").members
in_registry = session.client("ecr").meta.service_model.shape_for("ImageDetail").members
print("container definition:", [member for member in in_definition if "image" in member.lower()])
print("image in ECR:        ", [member for member in in_registry if "size" in member.lower()])

# %% [markdown] id="size-read"
# **The definition names the image; how big it is, only the registry knows.** A definition stays the same when somebody
# pushes a bigger image under the same name. (For an image of your own: `ecr.describe_images(repositoryName=...)`, in
# chapter 31.)

# %% [markdown] id="task"
# ## The task: the running copy
#
# Now ECS follows the recipe.


# %% id="run-task"
def describe(task_arn):
    """What ECS knows of one task."""
    return ecs.describe_tasks(cluster="lab04", tasks=[task_arn])["tasks"][0]


def start(definition, **more):
    """Run one task on Fargate, and return its ARN at once."""
    answer = ecs.run_task(
        cluster="lab04", taskDefinition=definition, launchType="FARGATE", networkConfiguration=network, **more
    )
    return answer["tasks"][0]["taskArn"]


first = start("lab04-web")
task = lab.wait(lambda: describe(first), until="RUNNING", name="the first task")

# %% [markdown] id="task-order"
# RUNNING means that all three have started, so the first has already ended and the second is well. The visitor needs a
# moment more.


# %% id="task-containers"
def one(task, name):
    """One container of a task."""
    return next(each for each in task["containers"] if each["name"] == name)


def visited(task_arn):
    """Wait until the visitor has gone, and return the task."""
    lab.wait(lambda: one(describe(task_arn), "visitor"), until="STOPPED", name="the visitor")
    return describe(task_arn)


task = visited(first)
shown = [{"container": each, **one(task, each)} for each in ("prepare", "web", "visitor")]
lab.show(shown, columns=["container", "lastStatus", "exitCode", "healthStatus"])
print("the task is", task["lastStatus"], "and", task["healthStatus"])

# %% [markdown] id="task-logs"
# (UNKNOWN is the health of a container without a check. The task is as healthy as its essential containers that have one.)
#
# Each container has a log stream of its own: `prefix/container/task id`.


# %% id="task-lines"
def lines(task_arn, name):
    """What a container wrote; on AWS it may come some seconds late."""
    stream = f"lab04/{name}/{task_arn.split('/')[-1]}"

    def read():
        return logs.get_log_events(logGroupName="/lab04/tasks", logStreamName=stream, startFromHead=True)["events"]

    return read() or lab.wait(read, until=bool, name=f"log of {name}")


lab.log_lines(lines(first, "prepare"))
lab.log_lines(lines(first, "visitor"))

# %% [markdown] id="task-shared"
# Look what this proves. `prepare` wrote a file, and `web` served it: **they share a volume.** The visitor asked `localhost`,
# and the server in *another container* answered: **containers of a task share one network interface**, and so also its
# 65,535 ports. Keep that in mind until the ports collide.
#
# From outside the task is reached at its public address. On AWS that address is the URL; the emulator's tasks are on this
# machine, so `lab.url` says what leads there from here. Click on it.


# %% id="task-page" tags=["measured"]
def page(task_arn):
    """What the task serves on port 8080."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no company's proxy knows our tasks
    return direct.open(lab.url(task_arn, port=8080), timeout=10).read().decode()


print(lab.url(first, port=8080))
print(page(first))
assert page(first).startswith("Hello from lab04-web:")

# %% [markdown] id="task-address-why"
# And how does one find the public address, on AWS? ECS does not tell it. It tells which network interface is *attached* to
# the task, and the interface is a thing of EC2, which knows its addresses.


# %% id="task-address" tags=["measured"]
def interface(task_arn):
    """The network interface of a task, as EC2 describes it."""
    details = {each["name"]: each["value"] for each in describe(task_arn)["attachments"][0]["details"]}
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
    return found["NetworkInterfaces"][0]


public = interface(first).get("Association", {}).get("PublicIp")
print("inside the VPC: ", interface(first)["PrivateIpAddress"])
print("on the internet:", public)
assert public or here.target == "localstack"

# %% [markdown] id="draw"
# ## See how it belongs together
#
# This is drawn from what ECS has just described: on the left the paper, on the right what runs.

# %% id="draw-one"
lab.draw_cluster("lab04")

# %% [markdown] id="service"
# ## The service: it keeps tasks running
#
# Nobody looks after the task you see there. If its server dies, it is over, and nothing replaces it. A **service** is the
# order "let there always be two of these". It starts them, replaces those that die, puts them behind a load balancer,
# scales their number, and exchanges them one by one for a new revision. The notes' "maintains the load balancer,
# autoscaling, and exposes the task to the outside world" is a service; only that the load balancer is a thing of its own,
# in which the service registers its tasks, and that scaling is done to it by Application Auto Scaling.
#
# The next cell gives such an order, for one task, and waits until it is carried out.


# %% id="create-service"
def service():
    """As ECS describes it now."""
    return ecs.describe_services(cluster="lab04", services=["lab04-web"])["services"][0]


try:
    ecs.create_service(
        cluster="lab04", serviceName="lab04-web", taskDefinition="lab04-web", desiredCount=1, launchType="FARGATE",
        networkConfiguration=network,
    )  # fmt: skip
except ecs.exceptions.InvalidParameterException:
    print("It is there already, which is fine.")
lab.wait(service, until=lambda seen: seen["deployments"][0]["rolloutState"] == "COMPLETED", name="the service")
lab.show(service(), columns=["serviceName", "status", "desiredCount", "runningCount"])

# %% [markdown] id="service-kill-why"
# It has started a task of its own, beside the one that you ran. Stop that task behind the service's back: nobody tells the
# service, it has to notice.

# %% id="service-kill"
[kept] = ecs.list_tasks(cluster="lab04", serviceName="lab04-web")["taskArns"]
ecs.stop_task(cluster="lab04", task=kept, reason="to see what the service does about it")


def others():
    """Tasks of the service, other than the one that was stopped."""
    return [arn for arn in ecs.list_tasks(cluster="lab04", serviceName="lab04-web")["taskArns"] if arn != kept]


[successor] = lab.wait(others, until=bool, name="another task of the service")
lab.wait(lambda: describe(successor), until="RUNNING", name="the new task")
for event in reversed(service()["events"]):
    if "has started" in event["message"]:
        print(event["message"])

# %% [markdown] id="service-kill-read"
# Nobody had to be called at night. What a service does it also tells: its **events** are the first place to look when you
# wonder why something runs, or does not.

# %% [markdown] id="service-where"
# Chapter 03 shows what goes wrong without services, chapter 10 runs one on machines of your own, chapter 13 puts one behind
# a load balancer, chapter 14 scales it.

# %% [markdown] id="inside"
# ## Ask from within: who am I?
#
# A container can ask two things of ECS, at addresses that only it can reach:
#
# * the **metadata** of its task, at `ECS_CONTAINER_METADATA_URI_V4`;
# * **credentials of the task role**, at a path in `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`. They last some hours and are
#   renewed. boto3 asks there by itself: that is why a program in a task needs no keys, and why you should never put any
#   into an image or a variable.
#
# We print which fields come back. Credentials themselves belong in no log.

# %% id="inside-run"
WHO_AM_I = """
import json, os, urllib.request
def ask(url):
    return json.load(urllib.request.urlopen(url))
about = ask(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task")
print("recipe:", about["Family"], "limits:", about["Limits"])
where = os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
keys = ask("http://169.254.170.2" + where if where else os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
print("fields of the credentials:", ", ".join(sorted(keys)))
print("they are of the role", keys["RoleArn"].split("/")[-1])
"""


def run(definition, **more):
    """Run one task, wait until it has ended, and return what ECS knows of it."""
    task_arn = start(definition, **more)
    return lab.wait(lambda: describe(task_arn), until="STOPPED", name=definition)


register("lab04-who", container("who", WHO_AM_I), taskRoleArn=task_role)
who = run("lab04-who")
lab.log_lines(lines(who["taskArn"], "who"))

# %% [markdown] id="inside-read"
# The role that came back is the *task* role. The execution role's credentials are nowhere in the container: those are
# ECS's business.

# %% [markdown] id="environment"
# ## Give it settings, and a secret
#
# Settings go into `environment`. Whoever may describe the definition can read them there, so passwords must not. They go
# into Systems Manager (or Secrets Manager), and the definition only says **where**: `secrets`, with `valueFrom`.

# %% id="parameter"
ssm = session.client("ssm")
ssm.put_parameter(Name="/lab04/db-password", Value="correct horse", Type="SecureString", Overwrite=True)
stored = ssm.get_parameter(Name="/lab04/db-password")["Parameter"]
print(stored["Name"], stored["Type"], "what is stored is encrypted:", stored["Value"] != "correct horse")

# %% [markdown] id="secret-role"
# Who fetches it? ECS, before your program starts, so the **execution role** must be allowed to. Only this parameter's
# folder, not all of them.

# %% id="secret-policy"
may_read = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "ssm:GetParameters",
            "Resource": f"arn:aws:ssm:{here.region}:{here.account}:parameter/lab04/*",
        }
    ],
}
iam.put_role_policy(RoleName="lab04-execution", PolicyName="read-parameters", PolicyDocument=json.dumps(may_read))
if here.target == "aws":
    time.sleep(10)

# %% id="secret-run"
SHOW = """
import os
print("host:", os.environ["DB_HOST"])
print("password: there,", len(os.environ["DB_PASSWORD"]), "characters")
"""
settings = container(
    "settings",
    SHOW,
    environment=[{"name": "DB_HOST", "value": "db.example.com"}],
    secrets=[{"name": "DB_PASSWORD", "valueFrom": "/lab04/db-password"}],
)
register("lab04-settings", settings)
done = run("lab04-settings")
lab.log_lines(lines(done["taskArn"], "settings"))

# %% [markdown] id="secret-describe"
# And what does somebody see who may only describe?

# %% id="secret-describe-cell"
seen = ecs.describe_task_definition(taskDefinition="lab04-settings")["taskDefinition"]["containerDefinitions"][0]
print(seen["environment"])
print(seen["secrets"])

# %% [markdown] id="limits"
# ## Soft limit, hard limit
#
# The notes: "soft is min and hard is max; if a container exceeds the hard limit it will be killed." The second half is
# exactly right. Of the first half:
#
# * `memoryReservation`, the **soft** limit, is no minimum that a container must use, but what is *set aside* for it: ECS
#   counts it when it looks for a place. A container may use more while there is more.
# * `memory`, the **hard** limit, is what it may never go beyond.
#
# (And on Fargate there is a third one, the task's own `memory`: its containers together cannot have more.)
#
# A program that takes as much as you tell it to, with 64 MiB set aside and 128 MiB at most:

# %% id="limits-register"
TAKE = """
import os, time
mib = int(os.environ["MIB"])
taken = b"x" * (mib << 20)
time.sleep(1)
print("I have taken", mib, "MiB")
"""
register("lab04-taker", container("taker", TAKE, memoryReservation=64, memory=128))


def take(mib):
    """Run it with so much, and return its container."""
    amount = {"name": "taker", "environment": [{"name": "MIB", "value": str(mib)}]}
    task = run("lab04-taker", overrides={"containerOverrides": [amount]})
    return one(task, "taker")


# %% [markdown] id="soft"
# Over the soft limit:

# %% id="soft-run"
over_soft = take(96)
lab.show(over_soft, columns=["memoryReservation", "memory", "exitCode", "reason"])

# %% [markdown] id="hard"
# Nothing happens to it. Over the hard limit:

# %% id="hard-run"
over_hard = take(256)
lab.show(over_hard, columns=["memoryReservation", "memory", "exitCode", "reason"])

# %% [markdown] id="hard-read"
# **137 is 128 + 9**: ended by signal 9, SIGKILL, which no program can catch. It prints no last words, so its log is empty.
# Exit code 137 with `OutOfMemoryError` means too little memory (or a leak); 137 without it commonly means that it did not
# stop in time when it was asked to.
#
# Which way round the two go, ECS checks when you register:

# %% id="limits-refused"
with lab.expect_error("ClientException"):
    register("lab04-taker", container("taker", TAKE, memoryReservation=256, memory=128))

# %% [markdown] id="ports"
# ## Ports: when do they collide?
#
# The rule is short: **one network interface, one program per port.** Whether two containers collide depends only on whether
# they share an interface.
#
# **Two containers of one task do.** If both declare the port, ECS sees it and refuses:

# %% id="ports-declared"
with lab.expect_error("ClientException"):
    ports = [{"containerPort": 8080}]
    register("lab04-clash", container("one", WEB, portMappings=ports), container("two", WEB, portMappings=ports))

# %% [markdown] id="ports-undeclared"
# If they do not declare it, ECS cannot see it. (`portMappings` opens nothing in awsvpc mode; it is what you *tell* ECS, load
# balancers and colleagues.) Then it is the kernel who says no to whoever comes second, here because `two` waits until
# `one` is well.

# %% id="ports-clash"
well = {"command": ["CMD", "python", "-c", ask_yourself], "interval": 5, "retries": 10, "startPeriod": 300}
after_one = [{"containerName": "one", "condition": "HEALTHY"}]
register("lab04-clash", container("one", WEB, healthCheck=well), container("two", WEB, dependsOn=after_one))
clash = run("lab04-clash")
print("exit code of two:", one(clash, "two")["exitCode"])
print(lines(clash["taskArn"], "two")[-1]["message"])

# %% [markdown] id="ports-tasks"
# **Two tasks do not**, in network mode awsvpc: each has an interface and an address of its own. The first one still runs; we
# start another of the same definition, with the same port.

# %% id="ports-two" tags=["measured"]
second = start("lab04-web")
visited(second)
addresses = [interface(arn)["PrivateIpAddress"] for arn in (first, second)]
for address, arn in zip(addresses, (first, second), strict=True):
    print(address, "port 8080:", page(arn))
assert addresses[0] != addresses[1]

# %% [markdown] id="ports-host"
# **And host ports?** On EC2 instances there is another way, network mode *bridge*: containers sit behind the instance's one
# address, and a port of the instance (`hostPort`) leads to a port of the container. Then tasks share an address again:
# a fixed host port can be had once per instance, and **host port 0** means "give me any free one", so that many copies
# fit. With an address of its own a task has no need for that, so in awsvpc ECS refuses it:

# %% id="ports-zero"
with lab.expect_error("ClientException"):
    register("lab04-zero", container("web", WEB, portMappings=[{"containerPort": 8080, "hostPort": 0}]))

# %% [markdown] id="ports-range"
# From where does "any free one" come? The notes say 49152 to 65535. That is the range that IANA, who keeps the book of port
# numbers, has put aside for such use (and Docker's on Windows). Linux has its own opinion, and ECS asks Linux: it reads
# `/proc/sys/net/ipv4/ip_local_port_range`, and only if that is not to be had takes 49153 to 65535. So let a task look, and
# take three ports by the same means, binding to port 0:

# %% id="ports-range-run" tags=["measured"]
LOOK = """
import pathlib, socket
file = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
print("range:", file.read_text().strip() if file.exists() else "not told here: 49153 65535")
held = [socket.socket() for _ in range(3)]
for each in held:
    each.bind(("", 0))
print("given:", *(each.getsockname()[1] for each in held))
"""
register("lab04-range", container("look", LOOK))
looked = run("lab04-range")
lab.log_lines(lines(looked["taskArn"], "look"))
told, given = [event["message"].split() for event in lines(looked["taskArn"], "look")]
low, high = int(told[-2]), int(told[-1])
assert low < high and (here.target != "drydock" or all(1024 <= int(port) <= 65535 for port in given[1:]))

# %% [markdown] id="ports-range-read"
# Commonly 32768 to 60999: it overlaps the notes' range, and it is not the same. It matters when you write a security group
# for instances: open what the machine says, not what a table says. In chapter 10 you will see host ports given out on an
# instance.

# %% [markdown] id="revision"
# ## Revision 2 from revision 1
#
# A revision never changes. To change something, register the next one of the family: take what is there, change it, register
# it. `describe` returns some members that ECS wrote itself and `register` does not take (ARN, revision, status, ...), so
# keep only those that it does.

# %% id="revision-next"
takes = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members


def copy_of(name):
    """What to give to register_task_definition to get the same again."""
    there = ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
    return {member: value for member, value in there.items() if member in takes}


following = copy_of("lab04-web")
following["containerDefinitions"][0]["environment"] = [{"name": "GREETING", "value": "Good morning"}]
new = ecs.register_task_definition(**following)["taskDefinition"]
print("registered:", f"{new['family']}:{new['revision']}")

# %% [markdown] id="revision-which"
# Both are there. A name without a number means the latest. The tasks that run stay what they are until somebody replaces
# them (for a service, that somebody is the service).

# %% id="revision-run"
third = start("lab04-web")
visited(third)
for arn in (first, third):
    print(page(arn))

# %% [markdown] id="draw-two-why"
# Two revisions are in use now. Which task was made of which?

# %% id="draw-two"
lab.draw_cluster("lab04")

# %% [markdown] id="break"
# ## Break it on purpose
#
# **The initialiser fails.** We let it fail in one run only, by an override. What becomes of the others, which wait for it?

# %% id="break-prepare"
fails = {"name": "prepare", "command": ["python", "-c", "raise SystemExit('the disk is full')"]}
failed = run("lab04-web", overrides={"containerOverrides": [fails]})
print(failed["stopCode"])
print(textwrap.fill(failed["stoppedReason"], width=100, break_on_hyphens=False))
shown = [{"container": each, **one(failed, each)} for each in ("prepare", "web", "visitor")]
lab.show(shown, columns=["container", "exitCode"])
lab.log_lines(lines(failed["taskArn"], "prepare"))

# %% [markdown] id="break-prepare-read"
# The reason names who waited for whom (`prepare` ended with 1, `web` waited) and what did not hold. `web` never ran: 143 is
# what ECS writes for a container that it gives up because its dependency can never hold any more. The visitor has no exit
# code at all. A server without its data is worse than none, and SUCCESS keeps it from being; with COMPLETE instead ("it
# has ended, however") it would have started, and served an empty folder.
#
# **A program that is not in the image.** A slip of the keyboard, or an image in which Python has another name:

# %% id="break-typo"
register("lab04-typo", container("typo", WEB, command=["pyhton", "-c", WEB]))
typo = run("lab04-typo")
print(typo["stopCode"])
print(textwrap.fill(one(typo, "typo").get("reason") or typo["stoppedReason"], width=100, break_on_hyphens=False))

# %% [markdown] id="break-typo-read"
# It is a long line because each layer passes on what the one below it said; what happened is at its end. The task was never
# RUNNING, and there is no log: nothing ran that could have written one. If a log is empty, look at the `reason`.
#
# **A secret that the role may not read.** The policy above covers `/lab04/`, and somebody asks for another folder:

# %% id="break-secret"
nosy = container("nosy", SHOW, secrets=[{"name": "DB_PASSWORD", "valueFrom": "/payroll/db-password"}])
register("lab04-nosy", nosy)
denied = run("lab04-nosy")
print(denied["stopCode"])
print(textwrap.fill(denied["stoppedReason"], width=100, break_on_hyphens=False))

# %% [markdown] id="break-secret-read"
# Read such a line from its end: *which action* on *which resource* was not allowed, *to whom* (the session of the execution
# role). Then you know which policy of which role to look at. And notice who was not asked: the task role.
#
# **More than the whole has.** A container cannot be promised more than its task:

# %% id="break-memory"
with lab.expect_error("ClientException"):
    register("lab04-greedy", container("greedy", TAKE, memory=1024))

# %% [markdown] id="break-cycle"
# **Everybody waits for everybody.** Two containers, each of which starts only after the other, would wait for ever. ECS
# sees that, too, when you register:

# %% id="break-cycle-cell"
with lab.expect_error("ClientException"):
    register(
        "lab04-polite",
        container("a", VISIT, dependsOn=[{"containerName": "b", "condition": "START"}]),
        container("b", VISIT, dependsOn=[{"containerName": "a", "condition": "START"}]),
    )

# %% [markdown] id="exercise-report"
# ## Your turn
#
# The checks look at your account, not at your code. If a check says *not yet*, ask for a hint: the hints are about what it
# found.
#
# ### Exercise 1: enough, and not too much
#
# A colleague's report (`report.json`) loads 160 MiB of orders and dies. The next cell shows the definition, registers it and
# runs it.
#
# **Register it again with better limits, and run it so that it ends with exit code 0.** Set aside what it needs (a soft
# limit), and let it have something more in a bad month, but not the whole task: another container of 128 MiB must still
# find room in the task's 512 MiB. The program and the size of the task stay as they are. Assign the new task's ARN to
# `report`.


# %% id="report-run" tags=["exercise"]
def from_file(name):
    """A colleague's definition, shown, and with our role and region."""
    text = here.file(name).read_text()
    print(text)
    found = json.loads(text)
    found["executionRoleArn"] = execution_role
    for each in found["containerDefinitions"]:
        each["logConfiguration"]["options"]["awslogs-region"] = here.region
    return found


report_definition = from_file("report.json")
ecs.register_task_definition(**report_definition)
died = run("lab04-report")
lab.show(one(died, "report"), columns=["exitCode", "reason", "memory", "memoryReservation"])

# %% id="report" tags=["exercise"]
### BEGIN SOLUTION
report_definition["containerDefinitions"][0] |= {"memoryReservation": 192, "memory": 320}
ecs.register_task_definition(**report_definition)
report = run("lab04-report")["taskArn"]
### END SOLUTION

# %% id="report-check" tags=["check"]
lab.check("report", report)

# %% id="report-hint" tags=["hint"]
lab.hint("report")

# %% [markdown] id="exercise-shop"
# ### Exercise 2: open the shop
#
# Another colleague left `shop.json`: `prices` writes a price list into its folder `/data`, and `shop` reads it there. "They
# are in the same task, so it should work." The next cell shows the definition, and that it does not.
#
# **Make it work, by the definition alone:** both programs see the same `/data`, and the shop opens only when the price list
# is complete, and not at all if it could not be written. Run it, and assign the ARN of a task in which the shop opened to
# `shop`.

# %% id="shop-run" tags=["exercise"]
shop_definition = from_file("shop.json")
ecs.register_task_definition(**shop_definition)
closed = run("lab04-shop")
print("exit code of shop:", one(closed, "shop")["exitCode"])
print(lines(closed["taskArn"], "shop")[-1]["message"])

# %% id="shop" tags=["exercise"]
### BEGIN SOLUTION
writes, reads = shop_definition["containerDefinitions"]
shop_definition["volumes"] = [{"name": "data"}]
for each in (writes, reads):
    each["mountPoints"] = [{"sourceVolume": "data", "containerPath": "/data"}]
writes["essential"] = False
reads["dependsOn"] = [{"containerName": "prices", "condition": "SUCCESS"}]
ecs.register_task_definition(**shop_definition)
shop = run("lab04-shop")["taskArn"]
### END SOLUTION

# %% id="shop-check" tags=["check"]
lab.check("shop", shop)

# %% id="shop-hint" tags=["hint"]
lab.hint("shop")

# %% [markdown] id="quiz"
# ### Five questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-inside" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("where-is-the-definition", answer)

# %% id="quiz-size" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("who-knows-the-size", answer)

# %% id="quiz-limit" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("over-the-soft-limit", answer)

# %% id="quiz-ports" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("same-port-twice", answer)

# %% id="quiz-roles" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("which-role", answer)

# %% [markdown] id="clean"
# ## Clean up
#
# Tasks still run, and on AWS they cost money until they are stopped. This deletes what the chapter made, looks again, and
# shows what is left.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# * **The task's public address is one of the internet's**, so while it runs anybody may read its greeting. The emulator shows
#   an address, too, but it leads nowhere: the page is on your own machine only, where `lab.url` says. (Security groups are
#   asked on both: without the one of this chapter the page would time out.)
# * **A service takes its time.** Between the end of a task and the start of its successor may be half a minute.
# * **The memory limit is exact.** On Fargate and on EC2 the kernel kills at the byte. The emulator lets the kernel do it
#   where it may (`./lab status` says), else it looks often and kills late: a program that takes memory fast may overshoot.
# * **The soft limit** has no consequence on Fargate beyond the sum of the containers; on EC2 instances it decides how many
#   tasks fit (chapters 05 and 10).
# * **The metadata has more fields**, and so does `describe_tasks`; those that you saw are there.
# * **A health check needs its command in the image.** `python` is in this one; a slim image of something else may have
#   neither `python` nor `curl`.
# * **Time and money.** Some twenty tasks of about half a minute each, and a minute is billed at least.
#
# **Next.** Chapter 05 sizes and prices tasks, chapter 10 puts them on instances with dynamic host ports, and chapter 13
# puts a service with a load balancer before them.
