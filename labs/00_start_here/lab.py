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
# # 00 Start here
#
# You will start a program in a container on Amazon ECS, watch it live and end, and read what it wrote. By the end you
# will have met every kind of thing that the rest of the course is made of, once and small.
#
# **You will do.** Look at your machine, see which AWS you are talking to, make a cluster, a role and a log group,
# describe a task, run it, follow it from PROVISIONING to STOPPED, read its line in CloudWatch Logs, break it in three
# ways, repair it, and take everything down again.
#
# **You will learn.** What each of these is for; where ECS writes down why something failed; what the lab clock is; how
# checks, hints and reset work.
#
# **You need.** A laptop and about 40 minutes (60 on real AWS). It costs nothing on the embedded emulator, which needs
# no account, no internet and no Docker; about 0.02 USD on AWS. You should be able to read a little Python.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "localstack", "aws".

# %% id="begin" tags=["setup"]
import json
import time

import labkit as lab

here = lab.begin("00", target=target)

# %% [markdown] id="begin-why"
# `begin` looked for the AWS that you chose and told you whose account it is. It is the first cell of every chapter. If
# you restart the kernel, run it again: what you had assigned to `here` comes back.
#
# If it said that the emulator is not running, open a terminal in the course's folder and run `./lab up`.

# %% [markdown] id="machine"
# ## Look at your machine
#
# Nothing exotic is needed. If a line says MISSING, mend that first; the emulator runs containers by itself, so Docker
# is not on the list of things that you must have.

# %% id="preflight" tags=["measured"]
machine = lab.preflight()
assert machine["Python"] and machine["emulator"], "mend what is MISSING, then run this cell again"

# %% [markdown] id="who"
# ## Ask AWS who you are
#
# All of AWS is reached through an API, and **boto3** is its Python client. The cells of this course call boto3 directly,
# so you can copy any of them into a program of your own. Only where the session comes from differs: `lab.session()`
# leads to the emulator, or to AWS if you have chosen it.
#
# The first question to ask in any account is: who does AWS think I am?

# %% id="identity"
session = lab.session()
identity = session.client("sts").get_caller_identity()
lab.show(identity, columns=["Account", "Arn"])

# %% [markdown] id="clock"
# ## Meet the lab clock
#
# On AWS much of the time goes by in waiting: half a minute until a task runs, five minutes until an alarm fires, until
# tomorrow for tomorrow's job. The emulator keeps these times (skipping them would teach you something false), but it
# has a clock of its own, which can run faster than yours. All timestamps that AWS's API shows you are read off this
# clock. While nobody waits it runs at the speed of your watch.

# %% id="clock-now" tags=["measured"]
lab.clock()
assert lab.now().tzinfo is not None

# %% [markdown] id="clock-fast"
# `lab.fast(60)` speeds it up for as long as the `with` block lasts: a minute in a second. On real AWS it does nothing,
# since nobody can hurry AWS.

# %% id="clock-lease" tags=["measured"]
with lab.fast(60):
    before = lab.now()
    time.sleep(1)
    passed = (lab.now() - before).total_seconds()
print(f"A second on your watch was {passed:.0f} seconds of lab time.")
assert passed >= (30 if here.target == "drydock" else 0.9)

# %% [markdown] id="clock-wait"
# You will rarely need that, because `lab.wait` does the same by itself while it waits, and gives the clock back when it
# is done. Each account has its own clock: yours moves nobody else's.

# %% [markdown] id="cluster"
# ## Make a cluster
#
# A **cluster** is the outermost box of ECS: a name under which tasks run. With Fargate there are no servers in it, so it
# costs nothing while it is empty. Creating a cluster that exists already is no error, which is why this cell may be run
# again.

# %% id="create-cluster"
ecs = session.client("ecs")
cluster = ecs.create_cluster(clusterName="lab00")["cluster"]
lab.show(cluster, columns=["clusterName", "status", "runningTasksCount", "clusterArn"])

# %% [markdown] id="role"
# ## Make the task execution role
#
# Before your program runs, somebody has to pull its image and open a log for it. ECS does that for you, but it may touch
# nothing in your account unless you allow it. You allow it by a **role**, and a role has two halves:
#
# * the *trust policy* says **who** may take the role: here the service `ecs-tasks.amazonaws.com`;
# * the *permissions policy* says **what** may be done with it. AWS keeps one ready for this purpose.
#
# First the who.

# %% id="create-role"
iam = session.client("iam")
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
try:
    iam.create_role(RoleName="ecsTaskExecutionRole", AssumeRolePolicyDocument=json.dumps(trust))
except iam.exceptions.EntityAlreadyExistsException:
    print("It is there already, which is fine.")
iam.get_waiter("role_exists").wait(RoleName="ecsTaskExecutionRole")
if here.target == "aws":
    time.sleep(10)  # it takes some seconds until all of AWS knows a new role
role_arn = iam.get_role(RoleName="ecsTaskExecutionRole")["Role"]["Arn"]
print(role_arn)

# %% [markdown] id="role-what"
# Then the what.

# %% id="attach-policy"
policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
iam.attach_role_policy(RoleName="ecsTaskExecutionRole", PolicyArn=policy_arn)
version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
document = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)["PolicyVersion"]["Document"]
for action in document["Statement"][0]["Action"]:
    print(action)

# %% [markdown] id="role-read"
# Read the list: the `ecr:` actions pull an image from a private registry, the `logs:` actions write log lines. There is
# no `logs:CreateLogGroup` among them. Keep that in mind, it will bite in an exercise.

# %% [markdown] id="log-group"
# ## Make a log group
#
# What a container prints would be gone with the container. A **log group** in CloudWatch Logs keeps it; each container
# writes into a **stream** of its own inside the group. Without a retention AWS keeps log lines (and bills them) for
# ever, so give every group one.

# %% id="create-log-group"
logs = session.client("logs")
try:
    logs.create_log_group(logGroupName="/lab00/tasks")
except logs.exceptions.ResourceAlreadyExistsException:
    print("It is there already, which is fine.")
logs.put_retention_policy(logGroupName="/lab00/tasks", retentionInDays=1)
groups = logs.describe_log_groups(logGroupNamePrefix="/lab00")["logGroups"]
lab.show(groups, columns=["logGroupName", "retentionInDays"])

# %% [markdown] id="subnet"
# ## Find a place in the network
#
# A Fargate task gets a network interface and an address of its own, as if it were a machine, so it must be told in which
# **subnet** that should be. Every account begins with a default VPC that has a subnet in each availability zone. We take
# the first.

# %% id="find-subnet"
ec2 = session.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
subnets.sort(key=lambda subnet: subnet["AvailabilityZone"])
lab.show(subnets, columns=["AvailabilityZone", "SubnetId", "CidrBlock"])

# %% [markdown] id="public-address"
# The task also gets a public address. It listens on nothing; it needs the address to reach the registry that its image
# comes from, because the default VPC has no other way out.

# %% id="network"
network = {"awsvpcConfiguration": {"subnets": [subnets[0]["SubnetId"]], "assignPublicIp": "ENABLED"}}

# %% [markdown] id="definition"
# ## Describe the task
#
# A **task definition** is the recipe: which image, which command, how much CPU and memory, where the output goes, under
# which role. It runs nothing. Registering the same family again gives the next revision, and no revision ever changes,
# so you can always say exactly what ran.
#
# `cpu` is in units of 1/1024 vCPU, so 256 is a quarter; `memory` is in MiB. Fargate sells certain pairs only.


# %% id="logging"
def log_to(group, prefix):
    """The part of a container definition that sends its output to CloudWatch Logs."""
    options = {"awslogs-group": group, "awslogs-region": here.region, "awslogs-stream-prefix": prefix}
    return {"logDriver": "awslogs", "options": options}


# %% id="register-hello"
hello = {
    "name": "hello",
    "image": "public.ecr.aws/docker/library/python:3.12-slim",
    "command": ["python", "-c", "import socket; print('Hello from', socket.gethostname())"],
    "logConfiguration": log_to("/lab00/tasks", "hello"),
}
fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
definition = ecs.register_task_definition(
    family="lab00-hello", executionRoleArn=role_arn, containerDefinitions=[hello], **fargate
)["taskDefinition"]
lab.show(definition, columns=["family", "status", "cpu", "memory", "networkMode"])

# %% [markdown] id="run"
# ## Run it
#
# `run_task` answers at once. It does not say that your program runs; it says that ECS has taken the order. Two places in
# the answer matter: `tasks`, and `failures`, which is where ECS tells you what it could not place. A program that looks
# only at the first will one day wonder why nothing happened.

# %% id="run-hello"
answer = ecs.run_task(cluster="lab00", taskDefinition="lab00-hello", launchType="FARGATE", networkConfiguration=network)
here.task = answer["tasks"][0]["taskArn"]
print(here.task)
print(answer["tasks"][0]["lastStatus"], "with failures:", answer["failures"])

# %% [markdown] id="watch"
# ## Watch it live and end
#
# Now we look again and again until the task is STOPPED. `lab.wait` calls your function, shows the state that it finds, and
# lets the lab clock run at 60x meanwhile.


# %% id="wait-hello"
def describe(task_arn):
    """What ECS knows of one task."""
    return ecs.describe_tasks(cluster="lab00", tasks=[task_arn])["tasks"][0]


task = lab.wait(lambda: describe(here.task), until="STOPPED", name="your first task")

# %% [markdown] id="states"
# These are the states that it went through. It moves along one line and never goes back:
#
# | state | what ECS does meanwhile |
# |---|---|
# | PROVISIONING | finds room, makes the network interface |
# | PENDING | pulls the image, opens the log stream, starts the containers |
# | ACTIVATING | joins a load balancer; yours has none, so it is over at once |
# | RUNNING | watches them |
# | STOPPING | stops what still runs |
# | DEPROVISIONING | deletes the network interface |
# | STOPPED | remembers it for about an hour, then forgets |
#
# (Between RUNNING and STOPPING there is DEACTIVATING, in which a task leaves its load balancer. Yours has none, and AWS
# keeps no timestamp of it.)

# %% id="story"
lab.timeline(task, times=False)

# %% [markdown] id="timeline"
# With times it looks like this, in lab time. Most of it is not your program: the platform prepares, and your line of
# Python is done in no time. That is why very short jobs are better kept in one task than spread over a thousand.
#
# (Your own machine does not run faster because the lab clock does. At 60x, the half second in which it prepares the first
# container shows up as half a minute. Wait at 1x, `lab.wait(..., speed=1)`, to see the times as AWS has them.)

# %% id="timeline-times" tags=["measured"]
lab.timeline(task)
assert task["createdAt"] <= task["startedAt"] <= task["stoppedAt"]

# %% [markdown] id="read"
# ## Read what it wrote
#
# The stream's name is made of the prefix in the definition, the container's name and the task's id. Remember this
# pattern: it takes you from any task to its output.

# %% id="read-log"
task_id = here.task.split("/")[-1]
stream = f"hello/hello/{task_id}"


def read_stream():
    """The lines of the stream; on AWS they may come some seconds late."""
    return logs.get_log_events(logGroupName="/lab00/tasks", logStreamName=stream, startFromHead=True)["events"]


events = lab.wait(read_stream, until=bool, name="log lines")
lab.log_lines(events)

# %% [markdown] id="exit"
# Did it work? Three members of the answer tell, and they tell different things: `stopCode` and `stoppedReason` say why
# the *task* is over, `exitCode` says how the *program* ended. Zero means well.

# %% id="exit-code"
lab.show(task, columns=["lastStatus", "stopCode", "stoppedReason"])
print("exit code:", task["containers"][0]["exitCode"])

# %% [markdown] id="picture"
# ## See how it belongs together
#
# Drawn from what ECS has just described; the same in words below it.

# %% id="draw"
the_task = f"task\n{task_id[:8]}...\n{task['lastStatus']}"
the_container = f"container\n{task['containers'][0]['name']}, exit code {task['containers'][0]['exitCode']}"
the_stream = f"log stream\nhello/hello/{task_id[:8]}..."
lab.diagram(
    [
        ("cluster\nlab00", "runs", the_task),
        (f"task definition\nlab00-hello:{definition['revision']}", "is the recipe of", the_task),
        (the_task, "has", the_container),
        (the_container, "prints into", the_stream),
        ("role\necsTaskExecutionRole", "allows", the_stream),
    ],
    title="What you have made",
)

# %% [markdown] id="break"
# ## Break it on purpose
#
# You will meet these failures at work, on a bad day. Meet them here first. From now on we run and wait in one go.


# %% id="run-and-wait"
def run(definition, **more):
    """Run one task on Fargate, wait until it has ended, and return what ECS knows of it."""
    answer = ecs.run_task(
        cluster="lab00", taskDefinition=definition, launchType="FARGATE", networkConfiguration=network, **more
    )
    task_arn = answer["tasks"][0]["taskArn"]
    return lab.wait(lambda: describe(task_arn), until="STOPPED", name=definition)


# %% [markdown] id="break-exit"
# **A program that fails.** `overrides` changes the command for this one run; the definition stays as it is.

# %% id="break-exit-run"
failing = {"name": "hello", "command": ["python", "-c", "raise SystemExit(3)"]}
third = run("lab00-hello", overrides={"containerOverrides": [failing]})
lab.show(third, columns=["stopCode", "stoppedReason"])
print("exit code:", third["containers"][0]["exitCode"])

# %% [markdown] id="break-exit-read"
# Compare `stoppedReason` with that of your first task. It is the same sentence! A task that ends well and one that
# fails are both over because their essential container exited. **Only the exit code tells them apart**, so that is what
# your monitoring has to look at.

# %% [markdown] id="break-image"
# **An image that is not there.** A letter is missing in the name. Registering it works, since ECS looks at the image only
# when it runs the task.

# %% id="break-image-run"
misspelt = {**hello, "image": "public.ecr.aws/docker/library/pyton:3.12-slim"}
ecs.register_task_definition(family="lab00-typo", executionRoleArn=role_arn, containerDefinitions=[misspelt], **fargate)
typo = run("lab00-typo")
print(typo["stopCode"])
print(typo["stoppedReason"])
print("exit code:", typo["containers"][0].get("exitCode"))

# %% [markdown] id="break-image-read"
# This time there is no exit code at all: the program never started, so it cannot have ended. The `stopCode` is
# TaskFailedToStart, and the reason begins with the name of what went wrong (`CannotPullContainerError`) and ends with the
# reference that could not be found. **No exit code: read the reason. An exit code: read the log.**
#
# Now repair it. A revision cannot be changed, so the repair is the next revision of the family.

# %% id="repair-image"
ecs.register_task_definition(family="lab00-typo", executionRoleArn=role_arn, containerDefinitions=[hello], **fargate)
repaired_typo = run("lab00-typo")
print(repaired_typo["taskDefinitionArn"].split("/")[-1], "ended with", repaired_typo["containers"][0]["exitCode"])

# %% [markdown] id="break-request"
# **A request that AWS refuses.** Some mistakes never become a task, because the API says no. That is the kindest kind of
# failure: it happens now, before your eyes. `lab.expect_error` prints AWS's message and lets the notebook go on.

# %% id="break-cluster"
with lab.expect_error("ClusterNotFoundException"):
    ecs.run_task(cluster="lab99", taskDefinition="lab00-hello", launchType="FARGATE", networkConfiguration=network)

# %% id="break-size"
with lab.expect_error("ClientException"):
    odd = {**fargate, "memory": "700"}
    ecs.register_task_definition(family="lab00-odd", executionRoleArn=role_arn, containerDefinitions=[hello], **odd)

# %% [markdown] id="how"
# ## Your turn: how exercises work
#
# An exercise says what to reach, not how. Write your code where it says so, then run the check below it. The check does
# not read your code; it asks AWS what has happened in your account, so every way that gets there is right. It says
# *passed*, or what is still wrong and where to look. Until you try, it says *not attempted yet*, and the notebook runs on.
#
# Stuck? Each exercise has three hints, from "look there" to "nearly the solution". The solved notebook is in
# `solutions/`.
#
# Tangled up? `./lab reset` in a terminal gives you an account as on the first day (only on the emulator), and your
# notebook stays as it is; then run the cells from the top.

# %% [markdown] id="exercise-greeting"
# ### Exercise 1: greet yourself
#
# The next cell prepares a definition that says hello to whoever is in the environment variable `NAME`, and to nobody if
# there is none. **Run it so that it greets you by your name, without registering a new revision.** Assign the ARN of your
# task to `greeting`.
#
# This is how one definition serves many customers, dates or environments.

# %% id="greeter" tags=["exercise"]
greeter = {
    "name": "greeter",
    "image": "public.ecr.aws/docker/library/python:3.12-slim",
    "command": ["python", "-c", "import os; print('Hello, ' + os.environ.get('NAME', 'nobody') + '!')"],
    "logConfiguration": log_to("/lab00/tasks", "greeter"),
}
ecs.register_task_definition(
    family="lab00-greeter", executionRoleArn=role_arn, containerDefinitions=[greeter], **fargate
)
print("lab00-greeter is registered")

# %% id="greeting" tags=["exercise"]
### BEGIN SOLUTION
my_name = {"name": "greeter", "environment": [{"name": "NAME", "value": "Ada"}]}
greeted = run("lab00-greeter", overrides={"containerOverrides": [my_name]})
greeting = greeted["taskArn"]
### END SOLUTION

# %% id="greeting-check" tags=["check"]
lab.check("greeting", greeting)

# %% id="greeting-hint" tags=["hint"]
lab.hint("greeting")

# %% [markdown] id="exercise-nightly"
# ### Exercise 2: find out why
#
# A colleague left a task definition in a file, `nightly.json`, with the words "it worked on my machine". The next cell
# registers and runs it, and it fails. **Find out why, repair it, run it again so that it ends with exit code 0**, and
# assign the new task's ARN to `nightly`.

# %% id="nightly-run" tags=["exercise"]
definition = json.loads(here.file("nightly.json").read_text())
definition["executionRoleArn"] = role_arn
definition["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-region"] = here.region
ecs.register_task_definition(**definition)
failed = run("lab00-nightly")
print("exit code:", failed["containers"][0].get("exitCode"))

# %% id="nightly" tags=["exercise"]
### BEGIN SOLUTION
print(failed["stoppedReason"])
print([group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]])
definition["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-group"] = "/lab00/tasks"
ecs.register_task_definition(**definition)
nightly = run("lab00-nightly")["taskArn"]
### END SOLUTION

# %% id="nightly-check" tags=["check"]
lab.check("nightly", nightly)

# %% id="nightly-hint" tags=["hint"]
lab.hint("nightly")

# %% [markdown] id="quiz"
# ### Three questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-log" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("who-writes-the-log", answer)

# %% id="quiz-worked" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("did-it-work", answer)

# %% id="quiz-time" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("whose-time", answer)

# %% [markdown] id="clean"
# ## Clean up
#
# Whatever you make, take down: on AWS the things that cost most are those that somebody forgot. labkit has put the tag
# `lab=00` on what you made (look at `ecs.list_tags_for_resource`), and deletes what has it, or a name that begins with
# `lab00`, and nothing else. Then it looks again and shows what is left.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# The same cells run there (`LAB_TARGET=aws`, and `LAB_AWS_ACCOUNT` with your account's number, so that nobody builds in
# an account by accident). What you would notice:
#
# * **Permissions.** Here you were the account's root, who may do everything. At work you are somebody with a policy, and
#   need `iam:PassRole` to hand the execution role to ECS: the commonest *AccessDenied* of a first day.
# * **Roles take a moment.** A new role is known everywhere after some seconds, which is why the cell that made it waited
#   there. `run_task` right after `create_role` may say that it was "unable to assume the role".
# * **The image is really downloaded.** The emulator has no internet, so its `python:3.12-slim` is a stand-in made of your
#   own machine's Python, whatever version that is. On AWS it is Debian with Python 3.12.
# * **A virtual machine of its own.** Fargate runs every task in a micro-VM. Here tasks are processes of your own machine,
#   kept apart by Linux namespaces where it has them (`./lab status` says), which is fine for learning and no boundary
#   against malice.
# * **Time.** A task takes 20 to 40 seconds to start, and you will wait for every one of them.
# * **Money.** A quarter vCPU with half a GB costs about 1.2 US cents an hour, billed by the second with a minute at
#   least; a public IPv4 address half a cent an hour.
#
# **Next.** You have met every box of the picture once. The chapters that follow open them one by one.
