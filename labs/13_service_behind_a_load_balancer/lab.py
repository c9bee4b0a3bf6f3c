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
# # 13 A service behind a load balancer
#
# A service replaces its tasks whenever it has to, and each new one has another address. So to whom does a customer talk? To a
# load balancer: one name that stays, while behind it tasks come and go. In this chapter one stack makes both, and you will
# try to notice from outside that something is going on inside.
#
# **You will do.** Create a stack with a load balancer and two services; open its URL in your browser; see who answers, and by
# which rule; roll out a new version while requests are coming in all the time; make a task sick and see it replaced; provoke
# each of the load balancer's own errors; take away the one rule of a security group that everybody forgets once, and find it
# again; delete everything with one call.
#
# **You will learn.** What listener, rule, target group and target are; what has to happen until a target is `healthy`; why an
# old task waits before it goes; what 502, 503 and 504 each tell; where to look when targets are unhealthy.
#
# **You need.** Chapters 03 and 04, and about 60 minutes (100 on real AWS). It costs nothing on the embedded emulator; about
# 0.30 USD on AWS, **as long as you run the clean-up at the end**: a load balancer costs by the hour.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "aws".

# %% id="begin" tags=["setup"]
import http.client
import json
import re
import threading
import time
import urllib.parse
from collections import Counter, namedtuple
from contextlib import contextmanager

import labkit as lab

here = lab.begin("13", target=target)

# %% [markdown] id="picture-why"
# ## See the way of a request
#
# Five things are between a customer and a task. Only the last one changes by itself.
#
# | | what it is | what it decides |
# |---|---|---|
# | **load balancer** | a name, in at least two zones, with a security group | who may come in |
# | **listener** | a port and a protocol of it | - |
# | **rule** | conditions (path, host, header, ...) and an action, in an order | where this request goes |
# | **target group** | a list of addresses with ports, and a health check | who of them gets the next one |
# | **target** | one task: its address and port | - |
#
# The **service** keeps the list: it registers a task when it has started, and takes it out before it stops. That is all that
# `loadBalancers` in a service's definition means.

# %% id="picture"
lab.diagram(
    [
        ("customer", "asks", "load balancer\none name"),
        ("load balancer\none name", "rule: path /api/*", "target group\nlab13-api"),
        ("load balancer\none name", "otherwise", "target group\nlab13-web"),
        ("target group\nlab13-api", "one of", "tasks of\nservice api"),
        ("target group\nlab13-web", "one of", "tasks of\nservice web"),
    ],
    title="The way of a request",
)

# %% [markdown] id="stack-why"
# ## Create it all with one stack
#
# "Create CFN with ECS and ELB", say the notes (those of the class that this course grew out of). CloudFormation you know from
# chapter 11; if not: a **template** lists resources, a **stack** is what CloudFormation has made of it. Ours is in
# `template.yaml`. This is in it:

# %% id="template"
template = here.file("template.yaml").read_text()
kinds = Counter(re.findall(r"Type: AWS::(\S+?::\w+)", template))
lab.show([{"count": count, "type": kind} for kind, count in sorted(kinds.items())])
print(sum(kinds.values()), "resources")

# %% [markdown] id="template-read"
# Here are the parts that are new in this chapter: the target group, the rule and the service. Find out what leads from one to
# the other.


# %% id="template-parts"
def part(name):
    """One resource of the template."""
    return re.search(rf"^  {name}:\n(?:    .*\n)+", template, re.MULTILINE)[0].rstrip()


for name in ("ApiTargets", "ApiRule", "ApiService", "BalancerToTasks"):
    print(part(name))

# %% [markdown] id="template-notes"
# * `TargetType: ip`: on Fargate a target is the address of a task. (With host ports on instances, as in chapter 10, it is
#   `instance`, and the service registers the instance with the port that the task was given.)
# * `HealthCheckPath`: the load balancer asks each target for it, every ten seconds. Two good answers in a row make it healthy, two
#   bad ones unhealthy. AWS's defaults are 30 seconds and five good ones, so a task would wait two and a half minutes.
# * `DependsOn: [..., ApiRule]`: a target group must be reachable from a listener before a service may use it. Without
#   this line the stack fails now and then: *The target group ... does not have an associated load balancer.*
# * `HealthCheckGracePeriodSeconds`: for so long after the start of a task ECS does not listen to the load balancer. It is for
#   programs that start slowly.
# * `BalancerToTasks`: the tasks let in the load balancer, by the name of its **group**, and nobody else. Keep it in mind.
#
# Some names for what we need often:

# %% id="clients"
session = lab.session()
cloudformation, ecs, ec2, elb = (session.client(name) for name in ("cloudformation", "ecs", "ec2", "elbv2"))


def stack(name="lab13"):
    """What CloudFormation knows of a stack."""
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]


seen = set()


def news(stack_id):
    """The events of a stack that we have not seen yet, the oldest first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    events = [event for page in pages for event in page["StackEvents"] if event["EventId"] not in seen]
    seen.update(event["EventId"] for event in events)
    return events[::-1]


def follow(stack_id, speed=60):
    """Print what a stack has done with each resource, as it happens, until it comes to rest; its status. Meanwhile the lab
    clock runs that fast."""
    began, status = lab.now(), "IN_PROGRESS"
    with lab.fast(speed):
        while status.endswith("IN_PROGRESS"):
            status = stack(stack_id)["StackStatus"]
            for event in news(stack_id):
                if not event["ResourceStatus"].endswith("IN_PROGRESS"):
                    passed = (event["Timestamp"] - began).total_seconds()
                    what = f"{event['ResourceType'].removeprefix('AWS::')} {event['LogicalResourceId']}"
                    print(f"{max(passed, 0):5.0f} s  {event['ResourceStatus']:<16} {what}")
            time.sleep(3 if here.target == "aws" else 0.2)  # between two looks
    return status


# %% [markdown] id="create-why"
# The template takes the containers' program as a parameter, so that you can read it here (`page.py`); in earnest it would be
# in an image of yours. It says who it is, and it can be made to misbehave:

# %% id="program"
program = here.file("page.py").read_text()
print(program[program.index("class Page") : program.index("    def log_message")])

# %% [markdown] id="create-go"
# Now create it. The load balancer takes longest: on AWS two to four minutes.

# %% id="create" tags=["measured"]
try:
    cloudformation.create_stack(
        StackName="lab13",
        TemplateBody=template,
        Parameters=[{"ParameterKey": "Program", "ParameterValue": program}],
        Capabilities=["CAPABILITY_NAMED_IAM"],  # it makes a role: CloudFormation wants that to be confirmed
    )
except cloudformation.exceptions.AlreadyExistsException:
    print("The stack is there already, which is fine.")
stack_id = stack()["StackId"]
status = follow(stack_id)
assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")

# %% [markdown] id="create-read"
# The two services came last, and took their time: `AWS::ECS::Service` is complete when the service is **steady**, and that is
# when its tasks have passed their health checks. A stack that completes is a page that answers.
#
# ## Open it
#
# The stack's output has the load balancer's name. Click on the URL below the next cell, or copy it into a browser.

# %% id="url" tags=["measured"]
dns = stack()["Outputs"][0]["OutputValue"]
url = lab.url(dns)
print("name:", dns)
print("URL: ", url)
assert url.startswith("http://")

# %% [markdown] id="url-read"
# (On AWS the URL is the name itself. Here the name leads to your own computer, and `lab.url` knows at which port.)
#
# The same by program, without a browser. Nothing but an HTTP request:


# %% id="ask"
Answer = namedtuple("Answer", "status text headers")


def ask(path="/", **headers):
    """One request to the load balancer. Redirects are not followed, so that we see them."""
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(), answer.headers)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, f"failed: {error}", {})
    finally:
        connection.close()


status, text, _ = ask()
print(status, text.rsplit(" ", 1)[0])

# %% [markdown] id="who-why"
# ## See who answers
#
# The page says which service it is of, which version, and the address of its task. Ask twenty times and count:

# %% id="who" tags=["measured"]
answers = Counter(ask().text for _ in range(20))
lab.show([{"answer": text, "times": times} for text, times in sorted(answers.items())])
assert len(answers) == 2 and sum(answers.values()) == 20

# %% [markdown] id="who-read"
# Each in turn, which is called *round robin*. (On AWS each zone's part of the load balancer does so for itself, thus it is not
# that even. Another algorithm is `least_outstanding_requests`.)
#
# Two addresses. Are those the tasks'? We ask ECS for the addresses of the tasks, and Elastic Load Balancing for the targets:


# %% id="targets"
def service(name="web"):
    """What ECS knows of a service."""
    return ecs.describe_services(cluster="lab13", services=[name])["services"][0]


def addresses(name="web"):
    """The private addresses of a service's running tasks."""
    arns = ecs.list_tasks(cluster="lab13", serviceName=name)["taskArns"]
    tasks = ecs.describe_tasks(cluster="lab13", tasks=arns)["tasks"] if arns else []
    return {
        interface["privateIpv4Address"]
        for task in tasks
        for interface in task["containers"][0].get("networkInterfaces", [])
    }


def group_arn(name):
    """The ARN of a target group."""
    return elb.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]


def health(name="lab13-web"):
    """{address: its state, and the reason if there is one} of the targets in a target group."""
    found = elb.describe_target_health(TargetGroupArn=group_arn(name))["TargetHealthDescriptions"]
    states = {each["Target"]["Id"]: each["TargetHealth"] for each in found}
    return {address: " ".join([it["State"], it.get("Reason", "")]).strip() for address, it in states.items()}


print("targets are the tasks' addresses:", set(health()) == addresses())
print("their states:", sorted(health().values()))

# %% [markdown] id="around-why"
# And if somebody goes around the load balancer, straight to a task? It even has a public address (which it needs to pull its
# image, as there is no NAT gateway here).

# %% id="around"
task_arn = ecs.list_tasks(cluster="lab13", serviceName="web")["taskArns"][0]
place = urllib.parse.urlsplit(lab.url(task_arn, port=8080))
around = http.client.HTTPConnection(place.hostname, place.port, timeout=3)
try:
    around.request("GET", "/")
    print("somebody is in:", around.getresponse().status)
except OSError as error:
    print("no way in:", error)

# %% [markdown] id="draw-why"
# The tasks' security group admits the load balancer's group only. So whatever the load balancer is to do for you (HTTPS,
# logging in, a firewall, logs) cannot be bypassed.
#
# Here is all of it, drawn from what Elastic Load Balancing describes:

# %% id="draw" tags=["measured"]
lab.draw_balancer("lab13")
assert set(health().values()) == {"healthy"}

# %% [markdown] id="rules-why"
# ## Follow the rules
#
# A listener goes through its rules by priority, the smallest number first, and **takes the first one that matches**. The
# default rule comes last and matches all. What do you expect for each of these?


# %% id="rules"
def server(headers):
    """Who says that it has answered, without the version."""
    return headers["Server"].split("/")[0]


rows = []
for path in ("/", "/api/", "/api/prices", "/api", "/about", "/old/prices"):
    status, text, headers = ask(path)
    answer = re.sub(r" [\d.]+$", "", text)  # without the address
    if status == 301:
        answer = "go to " + urllib.parse.urlsplit(headers["Location"]).path
    rows.append({"path": path, "status": status, "answer": answer, "Server": server(headers)})
lab.show(rows)

# %% [markdown] id="rules-read"
# * `/api` went to `web`. A pattern matches the path from its first to its last character, and `/api/*` wants a slash. It is the
#   usual surprise; give a rule both patterns.
# * The path is **not** shortened on the way: the program is asked for `/api/prices`, not for `/prices`.
# * `/about` reached no task at all. The header `Server: awselb` tells: the load balancer answered itself. Remember that header,
#   it is the quickest way to know whose error you see.
# * `/old/...` is a redirect: the browser is told to go to another place.
#
# Path rules let many services share one load balancer (and one certificate, and one bill). A listener takes a hundred of them.
#
# ## Know when a target is healthy
#
# | state | what it means | requests? |
# |---|---|---|
# | `initial` | registered; has not passed enough checks yet | no |
# | `healthy` | `HealthyThresholdCount` good answers in a row | yes |
# | `unhealthy` | `UnhealthyThresholdCount` bad ones in a row, or none at all since it came | no |
# | `draining` | taken out; it may finish what it has begun | no new ones |
# | `unused` | no listener leads to its group, or its zone is not the load balancer's | no |
#
# We shall see them all but the last. Now it pays to have somebody who asks all the time, from several threads, and keeps what
# was answered and when. One of them is slow: each of its requests takes a whole second.


# %% id="visitors"
@contextmanager
def visitors(*paths):
    """One visitor for each path, asking again and again; the list of (when, what was answered)."""
    answers, over = [], threading.Event()

    def visit(path):
        while not over.wait(0.03):
            began = time.monotonic()
            status, text, _ = ask(path)
            answers.append((began, text.split()[1] if status == 200 else f"failed {status}"))

    threads = [threading.Thread(target=visit, args=[path]) for path in paths]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


# %% [markdown] id="roll-why"
# ## Roll out a new version while everybody is asking
#
# The version is a parameter of the stack. Change it, and CloudFormation works out what else has to change: two task
# definitions are *replaced* (one cannot edit a revision), two services are updated. All else stays. (Run the cell again, and
# it goes back. The lab clock runs 20 times as fast as yours, not 60, so that there is more to see.)

# %% id="roll" tags=["measured"]
old_tasks, before = addresses(), len(service()["events"])
new_version = {"blue": "green", "green": "blue"}[ask().text.split()[1]]
with visitors("/", "/", "/api/", "/second") as answers:
    cloudformation.update_stack(
        StackName="lab13",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "Version", "ParameterValue": new_version},
            {"ParameterKey": "Program", "UsePreviousValue": True},
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    status = follow(stack_id, speed=20)
assert status == "UPDATE_COMPLETE"

# %% id="roll-drawn" tags=["measured"]
lab.draw_answers(answers, "answers by version")
assert {what for _, what in answers} == {"blue", "green"}  # and none that failed

# %% [markdown] id="roll-read"
# First blue alone, then both (so two versions must get along with each other, and with the database), then green alone.
# And **none failed**. What is left of the old tasks' addresses?

# %% id="roll-after"
failed = [what for _, what in answers if what.startswith("failed")]
print("requests that failed:", len(failed))
print("addresses that are still the same:", len(old_tasks & addresses()))

# %% [markdown] id="delay-why"
# The name stayed, everybody behind it was exchanged. For that to go without a loss, the order matters, and ECS keeps it:
#
# 1. new tasks start and are registered: `initial`;
# 2. they pass their checks: `healthy`; now they get requests;
# 3. old ones are taken out: `draining`. **They still run**, for requests that have begun must come to their end;
# 4. after the **deregistration delay** they get SIGTERM, and `stopTimeout` seconds later SIGKILL.
#
# The delay is 300 seconds unless you say otherwise, and that is why a deployment "hangs" for five minutes although nothing
# happens any more. Ours is 30. It has to be as long as your longest request, and not longer.
#
# The service tells it all in its events:

# %% id="roll-story" tags=["measured"]
lab.story(service()["events"][:-before], times=True)
assert any("draining connections" in event["message"] for event in service()["events"])

# %% [markdown] id="sick-why"
# ## Make a task sick
#
# A task may run and still be of no use: it has lost its database, or hangs. ECS sees a process that lives. The load balancer
# asks it, and hears. Our program has a path for that: whoever is asked for `/sick` answers its health check with 500 from now
# on.

# %% id="sick" tags=["measured"]
before = len(service()["events"])
patient = ask("/sick").text.split()[-1]
print("the patient is", patient)
story = []


def look():
    """How the patient is; remembers each change."""
    state = health().get(patient, "gone")
    if state not in story[-1:]:
        story.append(state)
    return service()


def recovered(found):
    """The patient is gone, and the service is steady again."""
    return story[-1] == "gone" and found["events"][0]["message"].endswith("has reached a steady state.")


lab.wait(look, until=recovered, name="the service", speed=20, timeout=1800)
print("\n".join(story))
assert story[0] == "healthy" and "unhealthy Target.ResponseCodeMismatch" in story and story[-1] == "gone"

# %% [markdown] id="sick-story-why"
# Two bad answers, twenty seconds: out. Nobody but the health check has noticed, for an unhealthy target gets no requests.
# And the service?

# %% id="sick-story" tags=["measured"]
lab.story(service()["events"][:-before], times=True)
assert any("is unhealthy in" in event["message"] for event in service()["events"][:-before])

# %% [markdown] id="sick-read"
# *Unhealthy in the target group due to health checks failed with these codes: [500]*. The replacement is started first, and
# the patient is stopped when it is healthy: the service keeps to its percentages (chapter 03) here, too.
#
# Choose the health check's path with care. One that also asks the database is unhealthy **in all tasks at once** when the
# database is, and then ECS replaces them all, again and again, which helps nobody. Ask only for what a new task would cure.
#
# ## Provoke the errors
#
# When the load balancer cannot give an answer, it gives its own. There are three, and each says something else. (`/crash`
# hangs up without an answer, `/slow` takes fifteen seconds, and this load balancer's `idle_timeout` is 5; AWS's default is
# 60.) For the third we take all tasks away from `api`:


# %% id="errors"
def headline(page):
    """What an error page says in large letters."""
    return re.search("<h1>(.*?)</h1>", page)[1]


rows = [{"what": path, "answer": ask(path)} for path in ("/crash", "/slow")]
ecs.update_service(cluster="lab13", service="api", desiredCount=0)
lab.wait(lambda: health("lab13-api"), until=lambda left: not left, name="api to be empty", timeout=1800)
rows.append({"what": "/api/ without tasks", "answer": ask("/api/")})
for row in rows:
    status, text, headers = row.pop("answer")
    row |= {"status": status, "says": headline(text), "Server": server(headers)}
lab.show(rows)

# %% [markdown] id="errors-read"
# | | it means | look at |
# |---|---|---|
# | **502** Bad Gateway | a target closed the connection, or what it said was no HTTP | the program's log: it crashed, or it closes idle connections sooner than the load balancer does |
# | **503** Service Unavailable | the target group has *no targets* | the service: `desiredCount`, events, does it start at all? |
# | **504** Gateway Time-out | a target did not answer in `idle_timeout`, or could not be connected to | slow program, or a **security group** |
# | 500 and others with another `Server` header | your own program said so | its log |
#
# In CloudWatch they are counted apart: `HTTPCode_ELB_5XX_Count` are the load balancer's own, `HTTPCode_Target_5XX_Count` your
# programs'.
#
# We give `api` its tasks back.


# %% id="errors-end"
def well(name, count=2):
    """Wait until so many targets of a service are healthy, and no others are there."""
    lab.wait(
        lambda: health(f"lab13-{name}"),
        until=lambda found: list(found.values()) == ["healthy"] * count,
        name=f"{name} to be healthy",
        timeout=1800,
    )


ecs.update_service(cluster="lab13", service="api", desiredCount=2)
well("api")
print(ask("/api/").status)

# %% [markdown] id="break"
# ## Break it on purpose: the forgotten rule
#
# This is the commonest mistake on ECS, and it looks like many others. Somebody tidies up security groups, or writes a
# template and forgets four lines. The next cell takes away the rule by which the tasks let in the load balancer.


# %% id="break-revoke"
def security_group(name):
    """What EC2 knows of a security group."""
    return ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"][0]


def admits(name):
    """Whom it lets in: lines such as "8080 from lab13-balancer"."""
    lines = []
    for rule in security_group(name)["IpPermissions"]:
        froms = [each["CidrIp"] for each in rule["IpRanges"]]
        ids = [each["GroupId"] for each in rule["UserIdGroupPairs"]]
        froms += (
            [each["GroupName"] for each in ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]] if ids else []
        )
        lines += [f"{rule['FromPort']} from {each}" for each in froms]
    return lines


before = len(service()["events"])
from_balancer = [{"GroupId": security_group("lab13-balancer")["GroupId"]}]
the_rule = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": from_balancer}
tasks_group = security_group("lab13-tasks")
if tasks_group["IpPermissions"]:
    ec2.revoke_security_group_ingress(
        GroupId=tasks_group["GroupId"],
        IpPermissions=[the_rule],
    )
lab.wait(
    health,
    until=lambda found: "healthy" not in found.values() and "unhealthy Target.Timeout" in found.values(),
    name="what the customers notice",
    timeout=1800,
)
answer = ask()
print(headline(answer.text), "| Server:", server(answer.headers))

# %% [markdown] id="break-look"
# 504, and the load balancer says it. **Forget what you know and find it**, from outside to inside:
#
# 1. *The service?* It has its tasks, they run. No help.
# 2. *The targets?* Each has a **reason**.


# %% id="break-health"
def unhealthy():
    """The different reasons of the targets that are unhealthy."""
    found = elb.describe_target_health(TargetGroupArn=group_arn("lab13-web"))["TargetHealthDescriptions"]
    states = [each["TargetHealth"] for each in found if each["TargetHealth"]["State"] == "unhealthy"]
    return {state["Reason"]: state["Description"] for state in states}


found = lab.wait(unhealthy, until=bool, name="an unhealthy target", timeout=1800)
lab.show([{"reason": reason, "description": text} for reason, text in found.items()])
print("the service has its tasks:", service()["runningCount"] >= 2)

# %% [markdown] id="break-reasons"
# | reason of a target | the packet | usual cause |
# |---|---|---|
# | `Target.Timeout` | got lost | **security group**; else a program too slow |
# | `Target.ResponseCodeMismatch` | came, and so did an answer, but not 200 | wrong `HealthCheckPath`, a page that wants a login; a program in trouble |
# | `Target.FailedHealthChecks` | came, and the connection was refused or broken off | wrong port, the program listens on 127.0.0.1 only, or it has crashed |
# | `Target.NotInUse` | was never sent | no rule leads to the group |
#
# A time-out, not a refusal: a security group does not say no, it says nothing (chapter 10). So:
#
# 3. *Who lets in whom?* Both ends have a group. From the world to the load balancer, from the load balancer to the task:

# %% id="break-groups"
for name in ("lab13-balancer", "lab13-tasks"):
    print(f"{name:<15} lets in {admits(name) or 'nobody'}")

# %% [markdown] id="break-found"
# There it is. (Why 504 and not 503, if no target is healthy? When **none** is, the load balancer sends requests to all of them
# all the same: better a try than nothing. It is called *fail open*. And each try times out.)
#
# Meanwhile the service has not been idle. It believes what the load balancer says:


# %% id="break-story" tags=["measured"]
def replaced(found):
    """It has stopped one of the tasks for it."""
    return any("is unhealthy in" in event["message"] for event in found["events"][:-before])


found = lab.wait(service, until=replaced, name="an event", timeout=1800)
lab.story(found["events"][:-before][-6:])
assert any("Request timed out" in event["message"] for event in found["events"][:-before])

# %% [markdown] id="break-mend"
# It replaces healthy tasks by healthy tasks, and will go on all night. In a new stack this looks like *CREATE_IN_PROGRESS*
# for hours, as the service never gets steady: then look at the target's reasons, do not wait. (The circuit breaker of chapter
# 03 ends it after a few failures: switch it on.)
#
# Mend it: put back what the template says. By hand, since CloudFormation does not look whether what it has made is still
# there: an update in which this rule has not changed would not touch it. Such a difference is called **drift**.

# %% id="break-mend-cell"
if not admits("lab13-tasks"):
    ec2.authorize_security_group_ingress(GroupId=tasks_group["GroupId"], IpPermissions=[the_rule])
well("web")
well("api")
print("lab13-tasks lets in", admits("lab13-tasks"))
print(ask().status, ask("/api/").status)

# %% [markdown] id="exercise-shop"
# ## Your turn
#
# The checks look at your account and ask the load balancer; they do not look at your code. If a check says *not yet*, ask for
# a hint: the hints are about what it found.
#
# ### Exercise 1: the shop that never opens
#
# A colleague puts a shop beside the other two, under `/shop/`, by hand. The next cell does what she did: definition, security
# group, target group, rule, service. The tasks start, and are stopped again, and started again.
#
# **Make `/shop/` answer, with two healthy targets.** The program stays as it is (`shop.json`: it listens on port 9000), and
# nobody but the load balancer may be let in to it. There is more than one thing to mend, and you see the second only when the
# first is right. Then assign what `ask("/shop/").text` gives to `shop`.

# %% id="shop-run" tags=["exercise"]
vpc = security_group("lab13-tasks")["VpcId"]
in_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=in_vpc)["Subnets"]]
balancer = elb.describe_load_balancers(Names=["lab13"])["LoadBalancers"][0]
listener = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]
network = {"subnets": subnets, "assignPublicIp": "ENABLED"}


def open_shop():
    """What the colleague did."""
    made = ec2.create_security_group(GroupName="lab13-shop", Description="The shop's tasks", VpcId=vpc)
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": from_balancer}
    ec2.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=[rule])
    role = session.client("iam").get_role(RoleName="lab13-execution")["Role"]["Arn"]
    ecs.register_task_definition(**json.loads(here.file("shop.json").read_text()), executionRoleArn=role)
    targets = elb.create_target_group(
        Name="lab13-shop",
        VpcId=vpc,
        Protocol="HTTP",
        Port=9000,
        TargetType="ip",
        HealthCheckIntervalSeconds=10,
        HealthCheckTimeoutSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    soon = {"Key": "deregistration_delay.timeout_seconds", "Value": "10"}
    elb.modify_target_group_attributes(TargetGroupArn=targets, Attributes=[soon])
    elb.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=15,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/shop/*"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": targets}],
    )
    ecs.create_service(
        cluster="lab13",
        serviceName="shop",
        taskDefinition="lab13-shop",
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {**network, "securityGroups": [made["GroupId"]]}},
        loadBalancers=[{"targetGroupArn": targets, "containerName": "shop", "containerPort": 9000}],
    )


try:
    open_shop()
except ec2.exceptions.ClientError as error:
    if error.response["Error"]["Code"] != "InvalidGroup.Duplicate":
        raise
    print("It is there already, which is fine.")
found = lab.wait(
    lambda: service("shop"),
    until=lambda found: any(" started " in event["message"] for event in found["events"]),
    name="the first tasks",
)
print(here.file("shop.json").read_text())

# %% id="shop" tags=["exercise"]
### BEGIN SOLUTION
# 1. the targets' reason: Target.Timeout. The group lets in port 80, the shop listens on 9000
if "9000 from lab13-balancer" not in admits("lab13-shop"):
    ec2.authorize_security_group_ingress(
        GroupId=security_group("lab13-shop")["GroupId"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 9000, "ToPort": 9000, "UserIdGroupPairs": from_balancer}],
    )
# 2. then: Target.ResponseCodeMismatch, [404]. There is no page at /, which is asked for by default
elb.modify_target_group(TargetGroupArn=group_arn("lab13-shop"), HealthCheckPath="/ready")
well("shop")
shop = ask("/shop/").text
### END SOLUTION

# %% id="shop-check" tags=["check"]
lab.check("shop", shop)

# %% id="shop-hint" tags=["hint"]
lab.hint("shop")

# %% [markdown] id="exercise-admin"
# ### Exercise 2: the closed door
#
# `/api/admin` and everything below it must not be reachable from outside: the load balancer itself is to answer with 403. A
# colleague has added a rule for it, in the next cell. It is there, and it does nothing.
#
# **Make the load balancer answer 403 to `/api/admin` and to everything below it.** Everything else stays as it is: `/api/` leads
# to `api` (also `/api/administrators`!), all the rest to `web`. Assign the ARN of the rule that does it to `admin`.


# %% id="admin-run" tags=["exercise"]
def rules():
    """{priority: rule} of the listener."""
    return {rule["Priority"]: rule for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]}


if "closed" not in str(rules()):
    elb.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=40,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/admin/*"]}}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "MessageBody": "closed"}}],
    )
for path in ("/api/admin", "/api/admin/users"):
    print(path, ask(path).status)

# %% id="admin" tags=["exercise"]
### BEGIN SOLUTION
admin = next(rule["RuleArn"] for rule in rules().values() if "closed" in str(rule["Actions"]))
# the rule for /api/* is asked first (10) and takes everything: this one has to come before it
elb.set_rule_priorities(RulePriorities=[{"RuleArn": admin, "Priority": 5}])
# and /api/admin itself has no slash at its end
both = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/admin", "/api/admin/*"]}}
changed = elb.modify_rule(RuleArn=admin, Conditions=[both])["Rules"][0]
print(changed["Priority"], changed["Conditions"][0]["Values"])
### END SOLUTION

# %% id="admin-check" tags=["check"]
lab.check("admin", admin)

# %% id="admin-hint" tags=["hint"]
lab.hint("admin")

# %% [markdown] id="quiz"
# ### Five questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-list" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("who-registers", answer)

# %% id="quiz-timeout" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("timeout", answer)

# %% id="quiz-503" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("no-targets", answer)

# %% id="quiz-slow" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("slow-deployment", answer)

# %% id="quiz-database" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("deep-check", answer)

# %% [markdown] id="delete-why"
# ## Delete it with one call
#
# A stack deletes what it has made, and nothing else. The shop was made by hand, and hangs on the stack's VPC, listener and
# cluster: while it is there, the deletion would fail (`DELETE_FAILED`). So what was made by hand goes by hand, first.

# %% id="delete-by-hand"
if service("shop")["status"] == "ACTIVE":
    ecs.delete_service(cluster="lab13", service="shop", force=True)
lab.wait(lambda: service("shop"), until="INACTIVE", name="shop", timeout=1800)
for rule in rules().values():
    if "targetgroup/lab13-shop/" in str(rule["Actions"]):
        targets_of_shop = rule["Actions"][0]["TargetGroupArn"]
        elb.delete_rule(RuleArn=rule["RuleArn"])
        elb.delete_target_group(TargetGroupArn=targets_of_shop)
        ec2.delete_security_group(GroupId=security_group("lab13-shop")["GroupId"])
print("rules that are left:", sorted(rules()))

# %% id="delete" tags=["measured"]
cloudformation.delete_stack(StackName=stack_id)
status = follow(stack_id)
assert status == "DELETE_COMPLETE"

# %% [markdown] id="delete-read"
# In the reverse order: services first (their tasks are drained, too), the VPC last. What is left?

# %% id="listing"
lab.show(
    [
        {"what": "load balancers", "left": len(elb.describe_load_balancers()["LoadBalancers"])},
        {"what": "target groups", "left": len(elb.describe_target_groups()["TargetGroups"])},
        {"what": "VPC of the stack", "left": len(ec2.describe_subnets(Filters=in_vpc)["Subnets"])},
        {"what": "clusters", "left": len([a for a in ecs.list_clusters()["clusterArns"] if a.endswith("/lab13")])},
    ]
)

# %% [markdown] id="cleanup-why"
# ## Clean up
#
# Task definitions stay, as inactive revisions, also when their stack is gone. This deletes them, and whatever else of this
# chapter is there (also if you stopped in the middle), looks again, and shows what is left.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# * **HTTPS.** This listener speaks HTTP, and that is all right for a page on your own computer. **On AWS it is not**: there you
#   get a certificate from ACM (free), make the listener `HTTPS` on port 443, and leave to port 80 nothing but a redirect.
# * **Money.** A load balancer costs 0.0225 US dollars an hour whether anybody comes or not, a public address for each of its zones,
#   and *capacity units* (LCU, 0.008 an hour) by what goes through it. Path rules let several services share one.
# * **Time.** It takes two to four minutes until one is there, and its name is known everywhere. Health checks and draining take
#   their time, as they did here in lab time.
# * **Addresses.** The name leads to several addresses, one or more in each zone, and they change. Never write them down; point
#   your domain at the name (an alias record in Route 53).
# * **Round robin** is not exact (several nodes, each for itself), and each node does its own health checks: a target is asked more
#   often than every ten seconds.
# * **Public addresses of tasks** we have used to do without a NAT gateway (32 US dollars a month). In production tasks are mostly in
#   private subnets, with a NAT gateway or VPC endpoints, and only the load balancer is public.
# * **The error pages** look as they did here. So do reasons and events.
#
# **Next.** Chapter 14 sends this load balancer more than two tasks can bear, and lets alarms add more of them.
