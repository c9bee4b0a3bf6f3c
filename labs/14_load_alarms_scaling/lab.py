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
# # 14 Load, alarms, scaling
#
# One task answers two hundred customers a second, and then five hundred come at once. Somebody has to notice, somebody has to
# decide, and somebody has to start more tasks; and when the customers have gone, the tasks must go, too, for they are paid by
# the second. In this chapter nobody of these is you: you build the loop that does it, and then you attack it.
#
# **You will do.** Create a small service behind a load balancer; open a shell inside its running task; measure what one task can
# bear; make an alarm for too much and one for too little, and let them add and remove tasks; put both on a dashboard; send the
# load with ApacheBench, and watch; do the same with one line instead of two alarms; find out why an alarm says nothing at all;
# cure a service that starts and stops tasks all the time; delete everything.
#
# **You will learn.** Where a metric comes from and what names it; what exactly an alarm looks at; what step scaling and
# target tracking do, and when to take which; why adding is done fast and removing slowly.
#
# **You need.** Chapters 03, 04 and 13, and about 60 minutes (110 on real AWS). It costs nothing on the embedded emulator; about
# 0.45 USD on AWS, **as long as you run the clean-up at the end**.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "aws".
requests = 5_000_000  # what the notes of the class send; here it is ended by hand before that
concurrency = 500  # at a time

# %% id="begin" tags=["setup"]
import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import labkit as lab

here = lab.begin("14", target=target)

# %% [markdown] id="loop-why"
# ## See the loop
#
# ECS, the load balancer, CloudWatch and Application Auto Scaling take part, and none of them knows more than its neighbour.

# %% id="loop"
lab.diagram(
    [
        ("load\nof customers", "requests", "tasks\nof the service"),
        ("tasks\nof the service", "CPU, each minute", "metric\nof CloudWatch"),
        ("metric\nof CloudWatch", "looked at by", "alarm\nof CloudWatch"),
        ("alarm\nof CloudWatch", "calls", "policy\nof Auto Scaling"),
        ("policy\nof Auto Scaling", "sets", "desiredCount\nof the service"),
    ],
    title="From load to more tasks",
)

# %% [markdown] id="stack-why"
# And ECS starts or stops tasks: back to the beginning, a loop. Whatever does not work in it is found by following it in this
# order: is there load, is there a metric, is there an alarm, is there a policy, is there a task?
#
# ## Create the service
#
# `template.yaml` is chapter 13's with one service of **one** task: a quarter of a CPU, half a gigabyte. Its program (`page.py`)
# has to work for every answer:

# %% id="program"
program = here.file("page.py").read_text()
print(program[program.index("async def customers") : program.index("class Health")].rstrip())

# %% [markdown] id="stack-parts"
# Three lines in the template are there because of what we are going to do:
#
# * `EnableExecuteCommand: true`, and a task role that may use `ssmmessages`: for the shell.
# * `HealthCheckPort: "8081"`: the health check does not wait in line with the customers. Otherwise a task that is merely
#   busy would be taken for dead and replaced by one that is even busier. **Overload then kills the whole service**, and no
#   scaling is fast enough.
# * `idle_timeout.timeout_seconds: 4000`: whoever waits long is not sent away with a 504. We want to see the waiting.

# %% id="create" tags=["measured"]
session = lab.session()
cloudformation, ecs, cloudwatch, scaling = (
    session.client(name) for name in ("cloudformation", "ecs", "cloudwatch", "application-autoscaling")
)
try:
    cloudformation.create_stack(
        StackName="lab14",
        TemplateBody=here.file("template.yaml").read_text(),
        Parameters=[{"ParameterKey": "Program", "ParameterValue": program}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
except cloudformation.exceptions.AlreadyExistsException:
    print("The stack is there already, which is fine.")
made = lab.watch_stack("lab14")
assert made["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")

# %% id="url"
outputs = {each["OutputKey"]: each["OutputValue"] for each in made["Outputs"]}
url = lab.url(outputs["Address"])
speed = 120  # how fast the lab clock runs while we wait: a minute in half a second. On AWS it is a minute


def ask(path="/"):
    """The status of one answer."""
    try:
        return urllib.request.urlopen(url.rstrip("/") + path, timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code


def service():
    """What ECS knows of our service."""
    return ecs.describe_services(cluster="lab14", services=["web"])["services"][0]


def tasks(least, most=None, speed=speed):
    """Wait until so many tasks run and nothing is on its way."""
    most = least if most is None else most
    return lab.wait(
        service,
        until=lambda it: least <= it["runningCount"] == it["desiredCount"] <= most and it["pendingCount"] == 0,
        name=f"{least} running" if most == least else f"{least} to {most} running",
        speed=speed,
        timeout=3600,
    )["runningCount"]


def minutes_pass(minutes):
    """Wait for so many minutes of lab time."""
    end = lab.now() + timedelta(minutes=minutes)
    lab.wait(lab.now, until=lambda now: now >= end, name=f"{minutes} minutes", speed=speed, timeout=3600)


print(ask(), "from", tasks(1, 4), "task")

# %% [markdown] id="exec-why"
# ## Open a shell in the task
#
# The notes say: *"generate more traffic to your container after you exec -it into the container"*. With Docker you would do
# that on the machine where the container runs. On Fargate there is none that you could log in to. **ECS Exec** opens the way: ECS
# puts a small agent (Session Manager's) into your container; with the task's role it calls out to AWS, your terminal calls AWS, too,
# and both ends are joined there. No open port, no key, and every session can be logged.
#
# In a terminal it looks like this, with the AWS CLI and its Session Manager plug-in:

# %% id="exec-command"
task_arn = ecs.list_tasks(cluster="lab14", serviceName="web")["taskArns"][0]
print(
    "aws ecs execute-command --cluster lab14 --interactive --container page \\\n"
    "    --command /bin/sh --task", task_arn.rpartition("/")[2][:8] + "..."
)  # fmt: skip
agents = ecs.describe_tasks(cluster="lab14", tasks=[task_arn])["tasks"][0]["containers"][0]["managedAgents"]
print("the agent in the task:", [(agent["name"], agent["lastStatus"]) for agent in agents])

# %% [markdown] id="exec-do"
# `lab.execute` speaks the same protocol, without the plug-in. What runs in there?

# %% id="exec" tags=["measured"]
programs = "id -un; hostname; for p in /proc/[0-9]*; do echo ${p#/proc/} $(cat $p/comm); done"
said = lab.execute(session, "lab14", task_arn, programs, container="page")
print(said.output)
assert said.status == 0 and "root" in said.output

# %% [markdown] id="exec-read"
# You are root in the container's own world. Number 1 is our program; the others came with us: what keeps the session, the shell,
# the command. What you change in there is gone with the task; **a shell is for looking, not for repairing.**
#
# ## Find out what one task can bear
#
# ApacheBench (`ab`) sends a number of requests (`-n`), so many at a time (`-c`), and goes on after errors (`-r`). First a
# harmless dose, from your own computer:

# %% id="one-task" tags=["measured"]
with lab.load(url, requests=300, concurrency=10) as load:
    print(load.command)
    alone = load.wait()
lab.show_report(alone)
assert alone["failed"] == 0 and alone["not 2xx"] == 0

# %% [markdown] id="inside-why"
# And the same from **inside the task**, as the notes have it. (Not a good place: there the generator takes from the quarter of a
# CPU that is to answer.)

# %% id="inside" tags=["measured"]
inside = lab.execute(
    session,
    "lab14",
    task_arn,
    f"command -v ab >/dev/null && ab -q -r -c 5 -n 50 http://{outputs['Address']}/ | grep -E 'Complete|Failed|per second' "
    "|| echo there is no ab in this image",
    container="page",
)
print(inside.output)
assert "Complete requests:      50" in inside.output or "no ab" in inside.output

# %% [markdown] id="metric-why"
# ## Find the metric
#
# ECS measures every service, each minute: what its tasks use, through what they have reserved in their definition. A metric
# has a **namespace**, a **name** and **dimensions**; all of it together is its identity. Which are there?

# %% id="metrics"
namespaces = ("AWS/ECS", "AWS/ApplicationELB")


def metrics():
    """Which metrics there are of our cluster and our load balancer, in (namespace, name, dimensions)."""
    found = set()
    for namespace in namespaces:
        for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace):
            for metric in page["Metrics"]:
                values = " ".join(dimension["Value"] for dimension in metric["Dimensions"])
                if "lab14" in values:
                    found.add((namespace, metric["MetricName"], " + ".join(d["Name"] for d in metric["Dimensions"])))
    return sorted(found)


found = lab.wait(
    metrics,
    until=lambda found: {"CPUUtilization", "RequestCount"} <= {name for _, name, _ in found},
    name="the first minute's metrics",
    speed=speed,
    timeout=900,
)
lab.show(
    [
        {"namespace": namespace, "name": name, "dimensions": dimensions}
        for namespace, name, dimensions in found
        if name in ("CPUUtilization", "MemoryUtilization", "RequestCount", "HealthyHostCount")
    ]
)

# %% [markdown] id="metric-read"
# `RequestCount` is there in four cuts, and those with a zone once for each zone. All of them are metrics of their own, and
# **CloudWatch does not add them up for you**:
# whoever asks for a dimension too many or too few asks for a metric that does not exist, and is answered with nothing. Keep
# that in mind.
#
# We need these more often:

# %% id="series"
of_service = [{"Name": "ClusterName", "Value": "lab14"}, {"Name": "ServiceName", "Value": "web"}]
of_balancer = [{"Name": "LoadBalancer", "Value": outputs["LoadBalancerName"]}]
began = lab.now() - timedelta(minutes=5)


def series(namespace, name, dimensions, statistic, since=None):
    """[(minute, value)] of one metric, to now."""
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}],
        StartTime=since or began,
        EndTime=lab.now() + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )["MetricDataResults"][0]
    return list(zip(answer["Timestamps"], answer["Values"], strict=True))


def cpu(statistic="Average", since=None):
    """CPUUtilization of the service, in percent."""
    return series("AWS/ECS", "CPUUtilization", of_service, statistic, since)


points = lab.wait(cpu, until=bool, name="a data point", speed=speed, timeout=900)

# %% [markdown] id="count-trick"
# (A trick: each task sends one sample a minute, so the **number of samples** of this metric, the statistic `SampleCount`, is
# the number of running tasks. We shall plot it.)
#
# ## Make the alarms and the policies
#
# From the back to the front. First we tell Application Auto Scaling what it may change, and within which bounds:

# %% id="target"
what = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/lab14/web",
    "ScalableDimension": "ecs:service:DesiredCount",
}
scaling.register_scalable_target(**what, MinCapacity=1, MaxCapacity=4)
registered = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[what["ResourceId"]])
registered = registered["ScalableTargets"][0]
print(registered["ResourceId"], "may have", registered["MinCapacity"], "to", registered["MaxCapacity"], "tasks")

# %% [markdown] id="policies-why"
# Then two **policies**: what to do when they are called. A step policy looks at *how far* the metric is beyond the alarm's
# threshold. Ours adds one task if the CPU is up to 20 points above it, two if it is more; the other one takes away one.
# The **cooldown** is how long a policy waits for its last step to show before it takes the next one; left out, it is 300 seconds.

# %% id="policies"


def policy(name, steps, cooldown=60):
    """Put a step scaling policy; its ARN."""
    return scaling.put_scaling_policy(
        **what,
        PolicyName=name,
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": steps,
            "Cooldown": cooldown,
            "MetricAggregationType": "Average",
        },
    )["PolicyARN"]


add = policy(
    "lab14-add",
    [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 2},
    ],
)
remove = policy("lab14-remove", [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}])
print(add.rpartition(":")[2], "and", remove.rpartition(":")[2])

# %% [markdown] id="alarms-why"
# And the two **alarms** that call them. An alarm looks at *one* metric. Within each **period** (60 seconds) its samples become one
# **data point**, by the **statistic** (here the average of all tasks). And it asks: of the last `EvaluationPeriods` data points, are
# `DatapointsToAlarm` beyond the threshold?


# %% id="alarms"
def alarm(name, comparison, threshold, minutes, action, dimensions=of_service):
    """Put an alarm on the service's CPU: so many minutes in a row beyond the threshold."""
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Dimensions=dimensions,
        Statistic="Average",
        Period=60,
        EvaluationPeriods=minutes,
        DatapointsToAlarm=minutes,
        Threshold=threshold,
        ComparisonOperator=comparison,
        AlarmActions=[action] if action else [],
    )


def states(*names):
    """{alarm: its state}"""
    found = cloudwatch.describe_alarms(AlarmNames=list(names or ("lab14-out", "lab14-in")))["MetricAlarms"]
    return {each["AlarmName"]: each["StateValue"] for each in found}


alarm("lab14-out", "GreaterThanThreshold", 50, 1, add)
alarm("lab14-in", "LessThanThreshold", 15, 3, remove)
print(states())

# %% [markdown] id="alarms-read"
# A new alarm knows nothing: `INSUFFICIENT_DATA`. Look at the asymmetry: **out after one minute, in after three.** Too few tasks
# lose customers, too many cost a few cents. Let the alarms look for the first time:

# %% id="alarms-first"
found = lab.wait(
    states,
    until=lambda found: found == {"lab14-in": "ALARM", "lab14-out": "OK"},
    name="both alarms have looked",
    speed=speed,
    timeout=1800,
)
print(found)

# %% [markdown] id="in-alarm"
# `lab14-in` is in `ALARM`: nobody comes, so it calls `lab14-remove`, and that does nothing, as there is one task and
# `MinCapacity` is 1. **An alarm that is in ALARM all night is normal here**: for scaling, it is a switch, not a siren.
#
# ## Put them on a dashboard
#
# The notes: *"click on add to dashboard and create new dashboard for both scaleout and scalein alarm"*. What the console does
# then is one call. A dashboard is a grid, 24 columns wide, of **widgets**, in JSON:

# %% id="dashboard"


def widget(x, y, kind="metric", width=12, height=6, **properties):
    """A place in the grid, and what is shown there."""
    return {"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties}


region = here.region
cpu_metric = ["AWS/ECS", "CPUUtilization", "ClusterName", "lab14", "ServiceName", "web"]
arns = {
    each["AlarmName"]: each["AlarmArn"]
    for each in cloudwatch.describe_alarms(AlarmNames=["lab14-out", "lab14-in"])["MetricAlarms"]
}
body = {
    "widgets": [
        widget(
            0, 0, title="CPU of the service, %", region=region, period=60, stat="Average", metrics=[cpu_metric],
            yAxis={"left": {"min": 0, "max": 110}},
            annotations={"horizontal": [{"label": "out", "value": 50}, {"label": "in", "value": 15}]},
        ),
        widget(
            12, 0, title="Requests a minute", region=region, period=60, stat="Sum",
            metrics=[["AWS/ApplicationELB", "RequestCount", "LoadBalancer", outputs["LoadBalancerName"]]],
        ),
        widget(0, 6, title="Running tasks", region=region, period=60, stat="SampleCount", metrics=[cpu_metric]),
        widget(12, 6, "alarm", title="Alarms", alarms=[arns["lab14-out"], arns["lab14-in"]]),
    ]
}  # fmt: skip
problems = cloudwatch.put_dashboard(DashboardName="lab14", DashboardBody=json.dumps(body))
print("what CloudWatch finds wrong with it:", problems["DashboardValidationMessages"])

# %% [markdown] id="dashboard-before-why"
# This is the dashboard, before:

# %% id="dashboard-before" tags=["measured"]
lab.draw_dashboard("lab14", minutes=30)
assert states()["lab14-out"] == "OK"

# %% [markdown] id="load-why"
# ## Attack
#
# Now the notes' own command: `ab -r -c 500 -n 5000000`. Five million requests would take hours; we end it (as with Ctrl-C)
# when we have seen enough. Nobody touches ECS, nobody writes into CloudWatch: **all that we do is to send requests.**

# %% id="attack" tags=["measured"]
attack_began = lab.now()
with lab.fast(speed), lab.load(url, requests, concurrency) as load:
    print(load.command)
    count = tasks(3, 4)
    minutes_pass(6)
    lab.draw_dashboard("lab14", minutes=30)
    rush = load.stop()
assert count >= 3

# %% [markdown] id="attack-read"
# What did the customers notice?

# %% id="attack-report" tags=["measured"]
lab.show_report(rush)
assert rush["requests"] > 0 and rush["failed"] == 0 and rush["not 2xx"] == 0

# %% [markdown] id="attack-note"
# None failed. They waited: `ab` sends the next request as soon as it has an answer, so five hundred always wait, however
# many tasks there are. (With four tasks AWS would answer four times as much; here, as far as your computer has CPUs for them. And
# do not compare *a second* with the dashboard's *a minute*: `ab` counts your seconds, the dashboard minutes of the lab clock, which
# ran 120 times as fast. On AWS both are the same.)
#
# Who has decided what? Every change has an entry, with its cause:


# %% id="activities" tags=["measured"]
def activities(since=None):
    """The scaling activities, the oldest first."""
    pages = scaling.get_paginator("describe_scaling_activities").paginate(**what)
    found = [each for page in pages for each in page["ScalingActivities"] if not since or each["StartTime"] >= since]
    return sorted(found, key=lambda each: each["StartTime"])


lab.show([{"what": each["Description"], "why": each["Cause"]} for each in activities(began)])
assert any("lab14-out" in each["Cause"] for each in activities(began))

# %% [markdown] id="quiet-why"
# ## Let them go
#
# The load has ended. What happens now, and how fast? `lab14-in` wants three quiet minutes, then one task goes; the cooldown
# is a minute, then the next.

# %% id="quiet" tags=["measured"]
count = tasks(1, speed=240)
minutes_pass(2)
lab.draw_dashboard("lab14", minutes=60)
assert count == 1

# %% [markdown] id="plot-why"
# And here it is on one time axis: load, CPU, alarms, tasks.


# %% id="plot" tags=["measured"]
def story_of(name, since):
    """[(when, state)] of an alarm, from its history."""
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )
    items = [item for page in pages for item in page["AlarmHistoryItems"]]
    changes = [(item["Timestamp"], json.loads(item["HistoryData"])["newState"]["stateValue"]) for item in items]
    before = [state for when, state in changes if when < since]
    return [(since, before[-1] if before else "INSUFFICIENT_DATA"), *(c for c in changes if c[0] >= since)]


def short(name):
    """An alarm's name for the margin of a picture."""
    return next((part for part in ("High", "Low") if f"Alarm{part}" in name), name.removeprefix("lab14-"))


def plot(since, limits, *alarms):
    """Requests, CPU, tasks and alarm states since then; ``limits`` are drawn into the CPU."""
    counts = [(when, value) for when, value in cpu("SampleCount", since)]
    lab.chart(
        {
            "requests a minute": {"requests": series("AWS/ApplicationELB", "RequestCount", of_balancer, "Sum", since)},
            "CPU, %": {"average of the tasks": cpu(since=since)},
            "tasks": {"running": counts},
            "alarms": {short(name): story_of(name, since) for name in alarms},
        },
        limits={"CPU, %": limits},
        steps=["tasks"],
    )
    return counts


counts = plot(attack_began, {"out": 50, "in": 15}, "lab14-out", "lab14-in")
assert max(value for _, value in counts) >= 3 and counts[-1][1] == 1

# %% [markdown] id="plot-read"
# Read it from left to right: the requests come, the CPU jumps to the limit of one task, `lab14-out` goes to `ALARM`, tasks come
# (a minute or two later: a task has to start, and to pass its health checks). The load ends; the CPU falls a little later,
# because the tasks still work off what is in their queues, for customers who have hung up. Then `lab14-in` waits three minutes,
# and the stairs go down one by one.
#
# The way up took minutes. With the usual one-minute metrics no scaling is faster than metric (1 minute) + alarm + start of a task.
# (AWS sells 20-second metrics for services; they shorten only the first part.) What comes within that time you
# must bear with what you have: so one does not scale at 95 %, but at 50 or 60.
#
# ## The same with one line
#
# Two alarms and two policies to keep the CPU within bounds: that is a lot to get wrong. **Target tracking** takes one number and makes
# the rest. This time by CloudFormation, so that you see both ways. First the old ones go:

# %% id="step-away"
cloudwatch.delete_alarms(AlarmNames=["lab14-out", "lab14-in"])
if scaling.describe_scaling_policies(**what)["ScalingPolicies"]:
    scaling.deregister_scalable_target(**what)  # its policies go with it
print(len(scaling.describe_scaling_policies(**what)["ScalingPolicies"]), "policies are left")

# %% id="tracking-template"
tracking = here.file("tracking.yaml").read_text()
print(tracking[tracking.index("  Policy:") :].rstrip())

# %% id="tracking"
try:
    cloudformation.create_stack(StackName="lab14-tracking", TemplateBody=tracking)
except cloudformation.exceptions.AlreadyExistsException:
    print("The stack is there already, which is fine.")
lab.wait(
    lambda: cloudformation.describe_stacks(StackName="lab14-tracking")["Stacks"][0],
    until="CREATE_COMPLETE",
    name="lab14-tracking",
)
put = scaling.describe_scaling_policies(**what)["ScalingPolicies"][0]
names = sorted(each["AlarmName"] for each in put["Alarms"])
for each in cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]:
    print(
        each["AlarmName"].rsplit("-", 5)[0], each["ComparisonOperator"], each["Threshold"],
        f"for {each['EvaluationPeriods']} minutes",
    )  # fmt: skip

# %% [markdown] id="tracking-read"
# It made two alarms itself: *high*, above 40 for 3 minutes; *low*, below 36 for **15** minutes. It does the sum itself, too: with
# one task at 80 % and a target of 40 it wants two. Attack again:

# %% id="tracking-attack" tags=["measured"]
second_began = lab.now()
with lab.fast(speed), lab.load(url, requests, concurrency) as load:
    count = tasks(3, 4)
    minutes_pass(6)
    second = load.stop()
lab.show_report(second)
assert count >= 3 and second["failed"] == 0 and second["not 2xx"] == 0

# %% [markdown] id="tracking-in"
# And down again: fifteen quiet minutes first. (Here they are a few seconds. On AWS this is a good moment for tea.)

# %% id="tracking-quiet" tags=["measured"]
tasks(1, speed=240)
minutes_pass(2)
counts = plot(second_began, {"High": 40, "Low": 36}, *names)
assert max(value for _, value in counts) >= 3 and counts[-1][1] == 1

# %% [markdown] id="which"
# | | step scaling | target tracking |
# |---|---|---|
# | you give | alarms, thresholds, steps, cooldowns | one metric, one number |
# | fits | a reaction of its own shape (*at 90 % add five at once*); a metric that does not fall as tasks are added (the length of a queue) | what the tasks share: CPU, memory, requests per task |
# | goes down | as you say | slowly: after 15 quiet minutes |
#
# Begin with target tracking. (`ALBRequestCountPerTarget` is often better than CPU: it goes on growing when the CPU is full.)
# Away with it, for what comes next wants a service that nobody scales:

# %% id="tracking-away"
cloudformation.delete_stack(StackName="lab14-tracking")
with lab.fast():
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="lab14-tracking", WaiterConfig={"Delay": 1})
print(
    len(cloudwatch.describe_alarms(AlarmNamePrefix="TargetTracking-service/lab14/")["MetricAlarms"]), "alarms are left"
)

# %% [markdown] id="silent-why"
# ## Break it: the alarm that never rings
#
# A colleague wants to be told when the service is busy. Her alarm has the right metric and the right threshold. (It has no action
# yet; we look at its state.) We send load for some minutes, and:

# %% id="silent"
her_dimensions = [{"Name": "ClusterName", "Value": "lab14"}, {"Name": "Service", "Value": "web"}]
alarm("lab14-busy", "GreaterThanThreshold", 40, 1, None, dimensions=her_dimensions)
with lab.load(url, requests, concurrency=50):
    busy = lab.now()
    lab.wait(
        lambda: [value for _, value in cpu(since=busy) if value > 40],
        until=lambda found: len(found) >= 3,
        name="three minutes with the CPU above 40 %",
        speed=speed,
        timeout=1800,
    )
told = cloudwatch.describe_alarms(AlarmNames=["lab14-busy"])["MetricAlarms"][0]
print(told["StateValue"])

# %% [markdown] id="silent-find-why"
# `INSUFFICIENT_DATA`, all the time. No error, no warning: **you may make an alarm on a metric that does not exist**, for it
# might come one day. So ask what exists, and compare:

# %% id="silent-find"
exist = cloudwatch.list_metrics(Namespace="AWS/ECS", MetricName="CPUUtilization")["Metrics"]
print("the metric's dimensions:", sorted({d["Name"] for metric in exist for d in metric["Dimensions"]}))
print("the alarm's dimensions: ", sorted(d["Name"] for d in told["Dimensions"]))

# %% [markdown] id="silent-mend-why"
# `Service` is not `ServiceName`. Mend it:

# %% id="silent-mended"
alarm("lab14-busy", "GreaterThanThreshold", 40, 1, None)
with lab.load(url, requests, concurrency=50):
    lab.wait(lambda: states("lab14-busy")["lab14-busy"], until="ALARM", name="lab14-busy", speed=speed, timeout=1800)
cloudwatch.delete_alarms(AlarmNames=["lab14-busy"])
print("alarms left:", list(states("lab14-busy")))

# %% [markdown] id="silent-read"
# And decide what silence is to mean: `TreatMissingData` says it. For *too many errors* no data is good (`notBreaching`), for
# *the heart beats* it is bad (`breaching`). Left out, it is `missing`: the alarm says that it does not know.
#
# ## Your turn
#
# The checks look at your account; they do not look at your code. If a check says *not yet*, ask for a hint: the hints are
# about what it found.
#
# ### Exercise 1: the service that cannot decide
#
# So far we sent as much as possible. Real customers come at some rate, and do not care how many tasks there are. These here
# do so:


# %% id="customers"
@contextmanager
def customers(a_second, broken=0.0):
    """So many requests a second, however fast they are answered; that share of them for a page that is broken. What was
    answered, as it comes."""
    answers, over, senders = Counter(), threading.Event(), 10

    def send(number):
        pause, sent = senders / a_second, 0
        began = time.monotonic() + number / a_second
        while not over.wait(max(began + sent * pause - time.monotonic(), 0)):
            sent += 1
            answers[ask("/broken" if (sent * senders + number) * broken % 1 < broken else "/")] += 1

    threads = [threading.Thread(target=send, args=[number]) for number in range(senders)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


# %% [markdown] id="rate-why"
# How many of them are half of what a task can do? Forty a second for four minutes, and look at the CPU:

# %% id="rate" tags=["measured"]
with customers(40):
    sample_began = lab.now()
    minutes_pass(4)
used = [value for _, value in cpu(since=sample_began + timedelta(minutes=1))][-2:]
half = 40 * 50 / (sum(used) / len(used))
print(f"40 requests a second: {sum(used) / len(used):.0f} % of a task; so for 50 %: {half:.0f} a second")
assert 5 < half < 2000

# %% [markdown] id="flap-why"
# A colleague has set up scaling for it: above 40 % one more, below 35 % one less, at once. He thinks that is tight and
# efficient. We let the customers come, always at the same rate:


# %% id="flap-run" tags=["exercise", "measured"]
def a_while(minutes=8):
    """The customers come for so many minutes of lab time, at one rate. What scaling did meanwhile."""
    start = lab.now()
    with customers(half):
        minutes_pass(minutes)
    return [each["Description"] for each in activities(start)]


scaling.register_scalable_target(**what, MinCapacity=1, MaxCapacity=4)
up = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
down = [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}]
alarm("lab14-more", "GreaterThanThreshold", 40, 1, policy("lab14-more", up, cooldown=0))
alarm("lab14-less", "LessThanThreshold", 35, 1, policy("lab14-less", down, cooldown=0))
changes = a_while()
for change in changes:
    print(change)
assert changes

# %% [markdown] id="flap-task"
# Up and down, with the same customers all the time, and it overshoots, too: with a cooldown of 0 nobody waits for the new task to
# count. It is called **flapping**. Each change costs: a task that starts
# works for a minute without serving anybody, one that ends is drained.
#
# **Tune the alarms `lab14-more` and `lab14-less` (and the policies, if you like) so that the service settles under these
# customers**, and still grows when it is busy and shrinks when nobody is there. Do the sum: if one task is at 50 %, at how much
# are two? Then run `calm = a_while()`.

# %% id="flap" tags=["exercise"]
### BEGIN SOLUTION
# With two tasks each has half of what one had. Whoever removes one doubles it again: so the lower threshold must be less than
# half of the upper one, with some room. And to remove takes its time.
alarm("lab14-more", "GreaterThanThreshold", 60, 1, policy("lab14-more", up, cooldown=60))
alarm("lab14-less", "LessThanThreshold", 15, 3, policy("lab14-less", down, cooldown=120))
calm = a_while()
### END SOLUTION

# %% id="flap-check" tags=["check"]
lab.check("flap", calm)

# %% id="flap-hint" tags=["hint"]
lab.hint("flap")

# %% [markdown] id="errors-task"
# ### Exercise 2: the alarm for the customers
#
# CPU is what *you* care about. Customers care whether they are answered. **Make an alarm `lab14-errors` that rings when more
# than 5 % of the requests in a minute are answered with 5xx by our tasks**: not a number of errors (in the night five are many, at noon none),
# but their share. It must ring after one such minute, and when nobody comes at all it must be `OK`.
#
# An alarm may look at an **expression** instead of a metric: give it `Metrics` as in `get_metric_data`, of which one, the
# expression, has `ReturnData=True`. The metrics are `HTTPCode_Target_5XX_Count` and `RequestCount` of `AWS/ApplicationELB`, with
# the dimensions `of_balancer`. The first one is absent in minutes without errors: `FILL(errors, 0)` helps. (Both come from the same
# load balancer at the same time; where only one of two metrics is late, FILL would hide it.)
#
# `trouble()` lets customers come for four minutes, a fifth of whom ask for a page that is broken. Run it when your alarm is there,
# and assign what it returns to `rang`.


# %% id="errors-run" tags=["exercise"]
def trouble(minutes=4):
    """A fifth of the customers ask for a broken page; the state of the alarm afterwards."""
    with customers(40, broken=0.2):
        minutes_pass(minutes)
    return states("lab14-errors").get("lab14-errors", "there is no such alarm")


# %% id="errors" tags=["exercise"]
### BEGIN SOLUTION
def count(name):
    """One of the load balancer's counts, as a part of an expression."""
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": of_balancer}
    return {"Metric": metric, "Period": 60, "Stat": "Sum"}


cloudwatch.put_metric_alarm(
    AlarmName="lab14-errors",
    Metrics=[
        {"Id": "errors", "MetricStat": count("HTTPCode_Target_5XX_Count"), "ReturnData": False},
        {"Id": "requests", "MetricStat": count("RequestCount"), "ReturnData": False},
        {"Id": "share", "Expression": "100 * FILL(errors, 0) / requests", "Label": "errors, %", "ReturnData": True},
    ],
    EvaluationPeriods=1,
    Threshold=5,
    ComparisonOperator="GreaterThanThreshold",
    TreatMissingData="notBreaching",
)
rang = trouble()
### END SOLUTION

# %% id="errors-check" tags=["check"]
lab.check("errors", rang)

# %% id="errors-hint" tags=["hint"]
lab.hint("errors")

# %% [markdown] id="quiz"
# ### Five questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-late" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("late", answer)

# %% id="quiz-silent" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("silent", answer)

# %% id="quiz-health" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("busy-check", answer)

# %% id="quiz-metric" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("which-metric", answer)

# %% id="quiz-shell" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("shell", answer)

# %% [markdown] id="cleanup-why"
# ## Clean up
#
# Scaling first (or it would start tasks again while we delete), then alarms and the dashboard, then the stack. This does it,
# looks again, and shows what is left.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# * **Time.** All waiting is real: a minute of metric takes a minute, a task 30 to 60 seconds, the scale-in of target tracking a
#   quarter of an hour until the first task goes, and a cooldown for each one after it. The whole chapter takes about two hours.
# * **Metrics come late.** Those of ECS and of load balancers are there one to three minutes after their minute. Alarms wait for it.
# * **ECS Exec** needs the CLI's Session Manager plug-in in a terminal (`lab.execute` does without), and the image must have
#   what you want to run: Fargate gives you no tools. `ab` is hardly ever in an image; on the emulator the image's files are
#   your computer's, so it is there if it is here.
# * **Your own line.** `ab` on a laptop does not reach a load balancer as fast as here. Five hundred at a time from one
#   address is a small load test; AWS has no objection. For larger ones read its page on
#   network stress testing first.
# * **Money.** Ten alarms are free, then 0.10 US dollars a month each; an alarm with an expression counts once for each metric in it.
#   Three dashboards (of up to 50 metrics) are free, then 3 dollars a month each. GetMetricData and the
#   pictures of widgets are charged by the metric, always; Container Insights is, too.
# * **EC2.** Where tasks run on instances, they also need instances to run on: a capacity provider with managed scaling looks at
#   `CapacityProviderReservation` and lets an Auto Scaling group grow before tasks have to wait.
# * **The notes' number.** Five million requests at five hundred a time from one `ab` would take hours: four quarter CPUs answer some hundreds
#   a second.
#
# **Next.** Part C leaves the running service, and asks how the next version gets there.
