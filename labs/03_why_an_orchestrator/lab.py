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
# # 03 Why an orchestrator
#
# One container is easy. Ten of them, in two environments, are a job for somebody, day and night. You will do that job by
# hand first, badly, as everybody does. Then you give it to ECS.
#
# **You will do.** Run ten containers by hand, lose two, and find out how long it takes you to notice; run the same ten as
# two services, kill one and watch it come back; scale with one call; roll out a new version without a gap, and a broken one
# that takes itself back; share a disk between two containers, and look for it a task later.
#
# **You will learn.** What an orchestrator is (it is smaller than the word); how to read a service's events when you ask
# "why did it do that?"; what the percentages of a deployment mean; what survives a task, and what does not.
#
# **You need.** Chapter 00, and about 45 minutes (90 on real AWS). It costs nothing on the embedded emulator; about
# 0.30 USD on AWS.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "aws".

# %% id="begin" tags=["setup"]
import http.client
import json
import textwrap
import time
import urllib.request

import labkit as lab

here = lab.begin("03", target=target)

# %% [markdown] id="jobs"
# ## The jobs
#
# The notes name four jobs in the management of containers, and one trouble. Here they are, with who does each:
#
# | the job | one container on your laptop | ten by hand | an ECS service |
# |---|---|---|---|
# | **network** | `docker run -p` | an address for each, in a list of yours | each task gets an interface and an address |
# | **load balancing** | none | you put the addresses into a proxy, and take dead ones out | the service registers tasks, and takes dead ones out |
# | **storage** | a folder | you copy | volumes are attached to each task; what must last lives elsewhere |
# | **deployment** | stop, start | ten times stop, start, in the right order, at night | one call; it stops by itself if it goes wrong |
# | *the trouble:* **monitoring** | you look | you look everywhere, often | it looks all the time, and writes down what it did |
#
# The notes count monitoring as a "limitation of containerization". It is not the containers' fault: the same ten programs on
# ten machines are as hard to watch. It is what you get from **many things and nobody in charge**.

# %% [markdown] id="table"
# ## Lay the table
#
# You know these from chapter 00: a role for ECS, a log group, a place in the network, and here a security group that lets in
# requests on port 8080.

# %% id="role"
session = lab.session()
iam = session.client("iam")
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
try:
    iam.create_role(RoleName="lab03-execution", AssumeRolePolicyDocument=json.dumps(trust))
except iam.exceptions.EntityAlreadyExistsException:
    print("It is there already, which is fine.")
iam.attach_role_policy(
    RoleName="lab03-execution", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
)
if here.target == "aws":
    time.sleep(10)  # it takes some seconds until all of AWS knows a new role
execution_role = iam.get_role(RoleName="lab03-execution")["Role"]["Arn"]

logs = session.client("logs")
try:
    logs.create_log_group(logGroupName="/lab03/tasks")
except logs.exceptions.ResourceAlreadyExistsException:
    print("It is there already, which is fine.")
logs.put_retention_policy(logGroupName="/lab03/tasks", retentionInDays=1)
print(execution_role)

# %% id="network"
ec2 = session.client("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
subnets.sort(key=lambda subnet: subnet["AvailabilityZone"])
named = {"Filters": [{"Name": "group-name", "Values": ["lab03-web"]}, {"Name": "vpc-id", "Values": [vpc]}]}
if not ec2.describe_security_groups(**named)["SecurityGroups"]:
    ec2.create_security_group(GroupName="lab03-web", Description="A web page on port 8080", VpcId=vpc)
    web_port = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    made = ec2.describe_security_groups(**named)["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[web_port])
group = ec2.describe_security_groups(**named)["SecurityGroups"][0]
network = {
    "awsvpcConfiguration": {
        "subnets": [subnet["SubnetId"] for subnet in subnets[:2]],  # two Availability Zones
        "securityGroups": [group["GroupId"]],
        "assignPublicIp": "ENABLED",
    }
}
print(group["GroupName"], "lets in", [permission["FromPort"] for permission in group["IpPermissions"]])

# %% [markdown] id="program-why"
# The program of the day is a web page with the price of tea. It has a bug, as programs do: there is one request with which
# it cannot cope. Then its process ends, with exit code 1.

# %% id="program"
WEB = """
import http.server, os, signal, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/bug":
            os._exit(1)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Tea is " + os.environ["PRICE"].encode() + b" today")
    def log_message(self, *what):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8080), Page).serve_forever()
"""

# %% id="definition"
ecs = session.client("ecs")
IMAGE = "public.ecr.aws/docker/library/python:3.12-slim"
fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}


def container(name, program, **more):
    """A container definition for a Python program."""
    options = {"awslogs-group": "/lab03/tasks", "awslogs-region": here.region, "awslogs-stream-prefix": "lab03"}
    return {
        "name": name,
        "image": IMAGE,
        "command": ["python", "-c", program],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        **more,
    }


def register(family, *containers, **more):
    """Register the next revision of a family, and return its ARN."""
    return ecs.register_task_definition(
        family=family, containerDefinitions=list(containers), executionRoleArn=execution_role, **{**fargate, **more}
    )["taskDefinition"]["taskDefinitionArn"]


def web(price, **more):
    """Register the page with a price."""
    environment = [{"name": "PRICE", "value": price}]
    return register(
        "lab03-web", container("web", WEB, environment=environment, portMappings=[{"containerPort": 8080}], **more)
    )


price_3 = web("3.00")
print(price_3.split("/")[-1])

# %% [markdown] id="by-hand"
# ## Ten containers by hand
#
# Four in staging, six in production, a cluster for each. `RunTask` starts them; after that nobody is responsible for them. So
# we keep a list, as one does, on paper.

# %% id="run-ten"
paper = {}
for cluster, count in {"lab03-staging": 4, "lab03-production": 6}.items():
    ecs.create_cluster(clusterName=cluster)
    for task_arn in ecs.list_tasks(cluster=cluster)["taskArns"]:  # when this cell is run again it begins afresh
        ecs.stop_task(cluster=cluster, task=task_arn)
    answer = ecs.run_task(
        cluster=cluster, taskDefinition=price_3, count=count, launchType="FARGATE", networkConfiguration=network
    )
    paper[cluster] = [task["taskArn"] for task in answer["tasks"]]


def describe(task_arn):
    """What ECS knows of one task; its cluster is in its ARN."""
    return ecs.describe_tasks(cluster=task_arn.split("/")[1], tasks=[task_arn])["tasks"][0]


def wait_for_all(status):
    """Wait until every task on the paper has this status."""
    everything = [task_arn for tasks in paper.values() for task_arn in tasks]

    def reached():
        return [describe(task_arn)["lastStatus"] for task_arn in everything].count(status)

    lab.wait(reached, until=lambda count: count == len(everything), name=f"ten tasks {status}")


wait_for_all("RUNNING")

# %% id="draw-by-hand" tags=["measured"]
lab.draw_cluster("lab03-staging", "lab03-production", containers=False)
assert [len(tasks) for tasks in paper.values()] == [4, 6]

# %% [markdown] id="network-job"
# One of the four jobs is done even so: each task has an address of its own, and you have not written a single number.


# %% id="addresses"
def address(task):
    """The private address of a task's interface."""
    details = task["attachments"][0]["details"]
    return next(each["value"] for each in details if each["name"] == "privateIPv4Address")


everywhere = [describe(task_arn) for tasks in paper.values() for task_arn in tasks]
print(len(everywhere), "tasks,", len({address(task) for task in everywhere}), "addresses")

# %% [markdown] id="two-die"
# ### Two of them die
#
# In production somebody sends the request with which the program cannot cope. In staging a colleague tidies up, and is not
# quite sure which task is whose.


# %% id="two-die-cell"
def page(task_arn, path="/"):
    """What a task answers on port 8080, "" if nothing."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no company's proxy knows our tasks
    try:
        return direct.open(lab.url(task_arn, port=8080, path=path), timeout=10).read().decode()
    except (OSError, http.client.HTTPException, lab.LabError):
        return ""


def crash(task_arn):
    """Send a task the request that it cannot cope with, and return what ECS knows of it afterwards."""
    if describe(task_arn)["lastStatus"] == "RUNNING":
        print("before:", lab.wait(lambda: page(task_arn), until=bool, name="its page"))
        print("after: ", page(task_arn, "/bug") or "no answer")
    return lab.wait(lambda: describe(task_arn), until="STOPPED", name="the task")


crashed = crash(paper["lab03-production"][2])
ecs.stop_task(cluster="lab03-staging", task=paper["lab03-staging"][0], reason="tidying up, nobody seems to use this")
tidied = lab.wait(lambda: describe(paper["lab03-staging"][0]), until="STOPPED", name="the other task")

# %% [markdown] id="nobody"
# The process behind that page has really ended. And now? Nothing. No error in this notebook, no mail, no red light. **Who
# would notice?** The customers.
#
# Let us look for it. The first idea is to ask for the clusters:

# %% id="ask-clusters"
found = ecs.describe_clusters(clusters=list(paper))["clusters"]
found.sort(key=lambda cluster: cluster["clusterName"])
lab.show(found, columns=["clusterName", "status", "runningTasksCount", "pendingTasksCount"])
print("members that tell how many there should be:", [member for member in found[0] if "desired" in member.lower()])

# %% [markdown] id="ask-clusters-read"
# 5 and 3 are running. Is that good? **Nobody can say.** That it should be 6 and 4 is written on our paper, and nowhere in
# AWS. So compare, cluster by cluster:

# %% id="compare"
clusters, lost = [], []
for cluster, tasks in paper.items():
    running = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
    missing = [describe(task_arn) for task_arn in tasks if task_arn not in running]
    clusters.append({"cluster": cluster, "on paper": len(tasks), "running": len(running), "missing": len(missing)})
    lost += [{"cluster": cluster, **task, "exitCode": task["containers"][0]["exitCode"]} for task in missing]
lab.show(clusters)
lab.show(lost, columns=["cluster", "stopCode", "stoppedReason", "exitCode"])

# %% [markdown] id="compare-read"
# There they are, and even why. But look what it took: a list kept by hand, a look at every cluster (with two regions and
# three accounts it would be twelve), and the luck to ask in time, because **ECS forgets a stopped task after about an hour**.
# And still nothing has been *repaired*. You would run one more task here and one there, write the new ARNs on the paper,
# tell the proxy the new addresses, and do that again tomorrow.
#
# What is missing is three things:
#
# 1. **What it should be**, written down where a program can read it (the *desired state*).
# 2. **Somebody who compares** it with what there is, always, and does what is needed.
# 3. **A record** of what was done, and why.
#
# That is an orchestrator. It is not more than this loop, and it is not less.

# %% id="loop"
lab.diagram(
    [
        ("wanted\ndesiredCount", "is compared by", "the scheduler\nof a service"),
        ("found\nrunningCount", "is compared by", "the scheduler\nof a service"),
        ("the scheduler\nof a service", "starts and stops", "tasks"),
        ("the scheduler\nof a service", "writes down", "events"),
    ],
    title="An orchestrator",
)

# %% [markdown] id="stop-by-hand"
# Before we hand over, the eight that are left have to go. One by one, of course: for stand-alone tasks there is no call that
# stops them all.

# %% id="stop-by-hand-cell"
calls = 0
for cluster in paper:
    for task_arn in ecs.list_tasks(cluster=cluster)["taskArns"]:
        ecs.stop_task(cluster=cluster, task=task_arn, reason="moving to services")
        calls += 1
wait_for_all("STOPPED")
print("calls of stop_task:", calls)

# %% [markdown] id="services"
# ## The same ten as services
#
# A **service** is the order "let there always be six of these". By hand we needed two clusters, because a stand-alone task
# has no name by which one could tell staging from production. A service has a name, so both fit into one cluster. (Many
# teams keep a cluster per environment all the same, because permissions can be limited to a cluster.)
#
# What is in `careful` is for later: how many tasks there may be while a new version is rolled out, and what happens if that
# version turns out to be broken.

# %% id="create-services"
ecs.create_cluster(clusterName="lab03")
on_fargate = {"launchType": "FARGATE", "networkConfiguration": network}
careful = {
    "minimumHealthyPercent": 100,
    "maximumPercent": 150,
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
}


def serve(name, count, definition, **more):
    """Create a service, unless it is there."""
    found = ecs.describe_services(cluster="lab03", services=[name])["services"]
    if found and found[0]["status"] == "ACTIVE":
        print(name, "is there already, which is fine.")
        return
    ecs.create_service(cluster="lab03", serviceName=name, desiredCount=count, taskDefinition=definition, **more)


def service(name):
    """What ECS knows of a service."""
    return ecs.describe_services(cluster="lab03", services=[name])["services"][0]


# %% [markdown] id="steady-why"
# When is a service *steady*? When as many run as should, one deployment is left and it has completed, and the scheduler has
# said so. (The same is asked by `aws ecs wait services-stable`.)


# %% id="steady"
def is_steady(seen):
    """Whether a service has come to rest."""
    completed = [deployment["rolloutState"] for deployment in seen["deployments"]] == ["COMPLETED"]
    messages = [event["message"] for event in seen["events"] if "completed" not in event["message"]]
    said = "steady state" in " ".join(messages[:1])  # the newest event comes first
    return completed and said and seen["runningCount"] == seen["desiredCount"]


def steady(name):
    """Wait for it."""
    lab.wait(lambda: service(name), until=is_steady, name=name, timeout=1800)


for name, count in {"staging": 4, "production": 6}.items():
    serve(name, count, price_3, deploymentConfiguration=careful, **on_fargate)
    steady(name)

# %% [markdown] id="one-describe"
# Now **one** call tells how all ten are, what they should be, and since when there is nothing to do:

# %% id="one-describe-cell"
answer = ecs.describe_services(cluster="lab03", services=["staging", "production"])
members = ["serviceName", "status", "desiredCount", "runningCount", "pendingCount"]
lab.show(answer["services"], columns=members)
for seen in answer["services"]:
    print(seen["serviceName"], "-", seen["deployments"][0]["rolloutState"])

# %% id="draw-services" tags=["measured"]
lab.draw_cluster("lab03", containers=False)
assert sum(seen["runningCount"] for seen in answer["services"]) == 10

# %% [markdown] id="events-why"
# And the record? A service tells its story in **events**, the last hundred of them. They are the first place to look when you
# wonder "why did it do that?".

# %% id="events"
lab.story(service("production")["events"])

# %% [markdown] id="kill"
# ## Kill one
#
# The same request again, this time to a task of a service. To see what is new we remember the newest event first.


# %% id="kill-cell"
def news(name, since):
    """The events that are newer than the one with that id; the newest first, as AWS returns them."""
    found = service(name)["events"]
    ids = [event["id"] for event in found]
    return found[: ids.index(since)] if since in ids else found


def tasks_of(name):
    """The ARNs of the tasks that a service runs."""
    return sorted(ecs.list_tasks(cluster="lab03", serviceName=name)["taskArns"])


since = service("production")["events"][0]["id"]
before = tasks_of("production")
crashed = crash(before[0])
print("exit code", crashed["containers"][0]["exitCode"])

# %% id="replaced"
steady("production")
after = tasks_of("production")
print("the dead one is in the list:", before[0] in after)
print("the other five stayed:", set(before[1:]) <= set(after))
print("running:", service("production")["runningCount"])
lab.story(news("production", since))

# %% [markdown] id="replaced-read"
# You did nothing but wait, and nobody had to notice. The scheduler does not even ask why the task is gone: **one is missing,
# so one is started.** That is why it also holds against a colleague who tidies up, a machine that breaks, or a zone that
# fails.
#
# What it did *not* do is mend the bug. The request will come again, and the service will replace again. Replacing hides
# faults, so keep an eye on the exit codes (and on the events).
#
# A replacement is a new task with a new address, so no list of addresses stays true for long. That is why load balancing
# belongs to the same job: a service registers each task with its load balancer and takes it out again (chapter 13).
#
# ## Scale with one call
#
# What you want is a number. Change the number.

# %% id="scale-out"
since = service("production")["events"][0]["id"]
ecs.update_service(cluster="lab03", service="production", desiredCount=8)
steady("production")
print("running:", service("production")["runningCount"])
ecs.update_service(cluster="lab03", service="production", desiredCount=6)
steady("production")
print("running:", service("production")["runningCount"])

# %% id="scale-story" tags=["measured"]
lab.story(news("production", since), times=True)
assert service("production")["runningCount"] == 6

# %% [markdown] id="scale-read"
# (Seconds of lab time since the first of them.) The notes list "autoscaling and load balancing" among the benefits. To be
# exact: a service holds whatever number you set, and does not choose it. **Auto**scaling is another service, Application Auto
# Scaling, which makes the call above for you when a metric says so (chapter 14).
#
# ## A new version, without a gap
#
# Tea gets dearer. By hand: stop one, start one, six times, and look each time whether it works. Here: register the new
# revision and say which one you want.
#
# The two percentages say what is allowed meanwhile, of six tasks: `minimumHealthyPercent` 100 = never fewer than 6 that run;
# `maximumPercent` 150 = never more than 9 at once. So the scheduler may start three new ones, and may stop three old ones when
# those run. We look again and again and write down which revisions run: one digit for each task, `1` for the old one and `2`
# for the new one.


# %% id="roll-out" tags=["measured"]
def watched(name, old, new):
    """Wait until a service is steady; return what ran at each look, where it differs from the look before."""
    moments = []

    def look():
        seen = service(name)
        count = {deployment["taskDefinition"]: deployment["runningCount"] for deployment in seen["deployments"]}
        moment = "1" * count.get(old, 0) + "2" * count.get(new, 0)
        if moment not in moments[-1:]:
            moments.append(moment)
        return seen

    lab.wait(look, until=is_steady, name=name, timeout=1800, speed=20)  # not too fast to look at
    return moments


since = service("production")["events"][0]["id"]
price_4 = web("4.00")
ecs.update_service(cluster="lab03", service="production", taskDefinition=price_4)
moments = watched("production", price_3, price_4)
print("\n".join(moments))
assert all(6 <= len(moment) <= 9 for moment in moments) and moments[-1] == "222222"

# %% [markdown] id="roll-out-read"
# Read it from top to bottom. At no look were there fewer than six or more than nine. And what do they answer now?


# %% id="roll-out-pages"
def pages(name):
    """What the tasks of a service answer, each of them."""
    return [page(task_arn) for task_arn in tasks_of(name)]


answers = lab.wait(lambda: pages("production"), until=all, name="six pages")
print(len(answers), "answers:", set(answers))

# %% id="roll-out-story" tags=["measured"]
lab.story(news("production", since), times=True)
assert "completed" in " ".join(event["message"] for event in news("production", since))

# %% [markdown] id="break"
# ## Break it on purpose
#
# **A version that cannot start.** Somebody mistypes the image. By hand you would notice after having stopped the last good
# one. This is what the *circuit breaker* is for: when so many tasks of a new deployment have failed one after another (half
# of the desired count, but at least 3), the deployment has failed. With `rollback` the last good one is made the
# wanted one again.

# %% id="break-image" tags=["measured"]
since = service("production")["events"][0]["id"]
mistyped = web("5.00", image="public.ecr.aws/docker/library/python:3.12-slmi")
ecs.update_service(cluster="lab03", service="production", taskDefinition=mistyped)
moments = watched("production", price_4, mistyped)
print("what ran at each look:", moments)
lab.story(news("production", since), times=True)
assert moments == ["111111"]

# %% [markdown] id="break-image-read"
# The six good ones were never touched: new ones must run before an old one may go, and no new one ever ran. The red dots
# tell that it failed; *why* is told by the tasks that failed:

# %% id="break-image-why"
stopped = ecs.list_tasks(cluster="lab03", serviceName="production", desiredStatus="STOPPED")["taskArns"]
failed = [task for task in map(describe, stopped) if task["taskDefinitionArn"] == mistyped]
print("at least three failed:", len(failed) >= 3, {task["stopCode"] for task in failed})
print(textwrap.fill(failed[0]["stoppedReason"], width=100, break_on_hyphens=False))

# %% [markdown] id="break-record"
# The events are gone after a hundred more of them. The deployments stay as a record, with their ends (`update_service` has
# returned successfully each time: it only says that your wish was written down!):

# %% id="break-record-cell"
listed = ecs.list_service_deployments(cluster="lab03", service="production")["serviceDeployments"]
arns = [each["serviceDeploymentArn"] for each in listed]
records = ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
records.sort(key=lambda record: record["createdAt"])
for record in records:
    print(record["status"], "|", record.get("statusReason") or "-")
print("wanted again is the last good revision:", service("production")["taskDefinition"] == price_4)

# %% [markdown] id="break-place"
# **A service that finds no place.** A classic: `launchType` is forgotten. Then it is EC2, so ECS looks for a container
# instance, and our cluster has none.


# %% id="break-place-cell"
def told(name, words):
    """Wait until a service has written an event with these words; return its events up to that one."""

    def look():
        messages = service(name)["events"]
        there = [number for number, event in enumerate(messages) if words in event["message"]]
        return messages[there[0] :] if there else []

    return lab.wait(look, until=bool, name="the event", timeout=1800)


on_instances = register(
    "lab03-nowhere", container("nowhere", WEB), requiresCompatibilities=["EC2"], networkMode="bridge"
)
serve("nowhere", 1, on_instances)
lab.story(told("nowhere", "unable to place"))
lab.show(service("nowhere"), columns=["status", "desiredCount", "runningCount", "pendingCount"])

# %% [markdown] id="break-place-read"
# The service is `ACTIVE`, and that is no lie: it is active in *trying*. **ACTIVE says that there is an order; runningCount
# says whether it is fulfilled.** With an instance it would be, without any further call of yours (chapter 10).

# %% id="break-place-end"
ecs.delete_service(cluster="lab03", service="nowhere", force=True)
gone = lab.wait(lambda: service("nowhere"), until="INACTIVE", name="nowhere")

# %% [markdown] id="storage"
# ## Storage: what two containers share, and what is left of it
#
# The last of the four jobs. Containers of one task can share a volume. One writes a line into a diary, the other reads it,
# after the first has ended well.

# %% id="storage-definition"
WRITER = """
import pathlib
diary = pathlib.Path("/diary/lines.txt")
before = diary.read_text().splitlines() if diary.exists() else []
with diary.open("a") as file:
    print("I was here.", file=file)
print("I found", len(before), "lines and wrote one.")
"""
READER = """
print("I read:", open("/diary/lines.txt").read().strip())
"""
mount = {"sourceVolume": "diary", "containerPath": "/diary"}
diary = register(
    "lab03-diary",
    container("writer", WRITER, essential=False, mountPoints=[mount]),
    container(
        "reader",
        READER,
        mountPoints=[{**mount, "readOnly": True}],
        dependsOn=[{"containerName": "writer", "condition": "SUCCESS"}],
    ),
    volumes=[{"name": "diary"}],
)


def lines(task_arn, name):
    """What a container wrote; on AWS it may come some seconds late."""
    stream = f"lab03/{name}/{task_arn.split('/')[-1]}"

    def read():
        return logs.get_log_events(logGroupName="/lab03/tasks", logStreamName=stream, startFromHead=True)["events"]

    return read() or lab.wait(read, until=bool, name=f"log of {name}")


def keep_diary():
    """Run one such task to its end, and print what its containers wrote."""
    answer = ecs.run_task(cluster="lab03", taskDefinition=diary, launchType="FARGATE", networkConfiguration=network)
    task_arn = answer["tasks"][0]["taskArn"]
    lab.wait(lambda: describe(task_arn), until="STOPPED", name="the task")
    lab.log_lines(lines(task_arn, "writer") + lines(task_arn, "reader"))


keep_diary()

# %% [markdown] id="storage-again"
# They share it. Now a second task of the same definition, the same volume by name:

# %% id="storage-again-cell"
keep_diary()

# %% [markdown] id="storage-read"
# *I found 0 lines.* The volume came with the task and **went with the task**. A replacement by a service is a new task, so
# what a task has written to its own disk is lost at the very moment in which the orchestrator helps you. That is the price
# of being replaceable, and the rule that follows is old: **keep state outside.** Where?
#
# | | lives as long as | shared by | for |
# |---|---|---|---|
# | the container's own file system | the container | nobody | scratch |
# | a task's volume (20 GiB on Fargate, up to 200) | the task | its containers | what they hand each other |
# | EBS volume attached to the task | the task (a service makes a new one for each) | nobody | much or fast scratch, a start from a snapshot |
# | **EFS** file system | you delete it | all tasks, in all zones | files that many read and write |
# | **S3** | you delete it | everybody with permission | objects: uploads, reports, backups |
# | **a database** (RDS, DynamoDB) | you delete it | everybody with permission | what is searched, changed and counted |
#
# An orchestrator attaches storage; it does not make it last.

# %% [markdown] id="benefits"
# ## What you have got
#
# The notes promise three benefits of ECS. What you have seen of each:
#
# * **A managed control plane.** The loop (scheduler, events, records) ran, and you have installed, patched and paid nothing for
#   it. With Fargate or instances of your own it is free; what you pay is what runs. (Kubernetes on EKS asks 0.10 USD per hour and cluster for the same.)
# * **Autoscaling and load balancing.** The service holds a number and knows which tasks are alive. Both build on that
#   (chapters 13 and 14).
# * **A serverless option.** You never said on which machine. That was Fargate; what it costs, and when instances are better,
#   is in chapter 05.

# %% [markdown] id="exercise-orders"
# ## Your turn
#
# The checks look at your account, not at your code. If a check says *not yet*, ask for a hint: the hints are about what it
# found.
#
# ### Exercise 1: a service that does not come up
#
# A colleague has made the service `orders` from `orders.json`. "It is ACTIVE, so it should work." The next cell makes it in
# the same way and waits for the event that says otherwise.


# %% id="orders-run" tags=["exercise"]
orders_definition = json.loads(here.file("orders.json").read_text())
orders_definition["executionRoleArn"] = execution_role
orders_definition["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-region"] = here.region
first_try = ecs.register_task_definition(**orders_definition)["taskDefinition"]["taskDefinitionArn"]
serve("orders", 1, first_try, **on_fargate)
lab.story(told("orders", "unable to consistently start"))

# %% [markdown] id="orders-task"
# "Unable to consistently start tasks": three starts in a row came to nothing, so from now on ECS waits longer before each
# (up to 27 minutes on AWS: the *throttle*). Without a circuit breaker that goes on for ever.
#
# **Find out why, and bring the service to run its one task.** Do not delete it: update it. And see to it that **its next
# broken version is rolled back by itself.** Assign the service's ARN to `orders`.

# %% id="orders" tags=["exercise"]
### BEGIN SOLUTION
reason = describe(ecs.list_tasks(cluster="lab03", serviceName="orders", desiredStatus="STOPPED")["taskArns"][0])
print(textwrap.fill(reason["stoppedReason"], width=100, break_on_hyphens=False))
orders_definition["containerDefinitions"][0]["command"][0] = "python"
repaired = ecs.register_task_definition(**orders_definition)["taskDefinition"]["taskDefinitionArn"]
orders = ecs.update_service(
    cluster="lab03",
    service="orders",
    taskDefinition=repaired,
    deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
)["service"]["serviceArn"]
steady("orders")
### END SOLUTION

# %% id="orders-check" tags=["check"]
lab.check("orders", orders)

# %% id="orders-hint" tags=["hint"]
lab.hint("orders")

# %% [markdown] id="exercise-till"
# ### Exercise 2: never fewer than four, never more than five
#
# The service `till` runs four tasks at the old price. Each of them takes a licence of the payment software while it runs, and
# the company has **five** licences. Four tills are needed at every moment.
#
# **Roll out the price of 4.00** (revision `price_4` of `lab03-web`), so that at no moment fewer than four run and never more
# than five are there at once. When it has completed, assign the service's ARN to `till`.

# %% id="till-run" tags=["exercise"]
serve("till", 4, price_3, **on_fargate)
steady("till")
lab.show(service("till")["deploymentConfiguration"], columns=["minimumHealthyPercent", "maximumPercent"])

# %% id="till" tags=["exercise"]
### BEGIN SOLUTION
till = ecs.update_service(
    cluster="lab03",
    service="till",
    taskDefinition=price_4,
    deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 125},
)["service"]["serviceArn"]
steady("till")
### END SOLUTION

# %% id="till-check" tags=["check"]
lab.check("till", till)

# %% id="till-hint" tags=["hint"]
lab.hint("till")

# %% [markdown] id="quiz"
# ### Four questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-noticed" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("who-noticed", answer)

# %% id="quiz-success" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("update-succeeded", answer)

# %% id="quiz-percent" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("ten-tasks", answer)

# %% id="quiz-upload" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("uploads", answer)

# %% [markdown] id="clean"
# ## Clean up
#
# A service replaces what you stop, so stopping its tasks does not help: the service has to go. This deletes what the chapter
# made, looks again, and shows what is left.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# * **Time.** A Fargate task takes 20 to 60 seconds until it runs, a roll-out of six tasks some minutes, and the mistyped image
#   several minutes, since each pull is tried again before it is given up. Here the lab clock ran 60 times faster while a cell
#   waited; the seconds in the stories are lab time.
# * **The pages are public** while the tasks run: anybody may send the request with the bug, and some scanner will.
# * **`steady state` comes later**, and a completed deployment may take some minutes more to be called so.
# * **The throttle** begins gently and grows to 27 minutes at most; AWS publishes only that longest one, so the steps between
#   are ours.
# * **Placement.** Fargate spreads a service's tasks over the zones of its subnets, here as there. That a whole zone fails,
#   you cannot try here.
# * **Money.** Ten tasks of a quarter vCPU cost about 0.12 USD per hour, and each public address half a cent per hour. A
#   service goes on for ever, until *you* delete it: run the clean-up.
#
# **Next.** Chapter 04 takes the words apart (cluster, service, task definition), chapter 10 puts a service on instances,
# chapter 13 puts a load balancer before it, and chapter 14 lets its number follow the load.
