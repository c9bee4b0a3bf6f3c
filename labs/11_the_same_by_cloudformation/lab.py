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
# # 11 The same by CloudFormation
#
# Chapter 10 took some forty calls: a role, a profile, machines, a firewall, a cluster, a service; and its VPC was there by
# luck. Could you do it again, in another account, without a slip? Could a colleague? In this chapter the result is written
# down in one file, and CloudFormation does the calls.
#
# **You will do.** Draw a template as a graph; make a stack from it and watch it come; see a lost machine replaced; look at a
# change before it is made, and make it; then break things: what is refused before anything is made, what fails half-way and is
# rolled back, and what is left of it. Delete all with one call.
#
# **You will learn.** Where the order comes from that nobody wrote down; what can be made at the same time; how to find the one
# event that matters; why a stack is more than a script with the same calls.
#
# **You need.** Chapter 10, and about 45 minutes (90 on real AWS). It costs nothing on the embedded emulator; about
# 0.15 USD on AWS, **as long as you run the clean-up at the end**: instances cost until they are terminated.
#
# Run the cells from top to bottom with Shift+Enter. Every cell may be run again.

# %% id="parameters" tags=["parameters"]
target = None  # None: what LAB_TARGET says, else the embedded emulator. Or "drydock", "aws".

# %% id="begin" tags=["setup"]
import textwrap
import urllib.request
from collections import Counter

import labkit as lab

here = lab.begin("11", target=target)

# %% [markdown] id="picture-why"
# ## Three words
#
# The notes (those of the class that this course grew out of) say: "use CFN to create iam role, network and ecs". CFN is
# CloudFormation. It has three words of its own:

# %% id="picture"
lab.diagram(
    [
        ("template\na text: what there shall be", "becomes", "stack\nwhat there is"),
        ("parameters\nwhat differs each time", "fill in", "template\na text: what there shall be"),
        ("stack\nwhat there is", "owns", "resources\nVPC, role, cluster, ..."),
    ],
    title="Template, stack, resource",
)

# %% [markdown] id="template-why"
# ## Read a template
#
# Ours is `labs/11_the_same_by_cloudformation/template.yaml`: everything of chapter 10, and the network as well. Here is its
# beginning, and the part about the machines. Compare it with what you did by hand.

# %% id="template"
TEMPLATE = here.file("template.yaml").read_text()
print(TEMPLATE.partition("Resources:")[0])
print(TEMPLATE[TEMPLATE.index("  # the machines") : TEMPLATE.index("  # the cluster")])

# %% [markdown] id="template-read"
# * **`!Ref Vpc`** is the id of what the resource `Vpc` turns into; nobody can know it beforehand. **`!GetAtt Profile.Arn`** is
#   another attribute. **`!Sub`** puts such values into a text: here the cluster's name into the user data.
# * The AMI is a parameter whose type says: look the value up in Systems Manager. What was `ssm.get_parameter` is now one line.
# * The machines are in an **Auto Scaling group**, which keeps a number of them, as a service keeps a number of tasks. It
#   starts them from a **launch template**: AMI, type, profile, firewall and user data.
# * There is no word about order, but for two `DependsOn`. The next section is about that.
#
# ## Draw it
#
# Each reference says: *that one first*. So the file is a graph, and from it follows who can be made when. This picture is drawn
# from the template alone; nothing has been made yet.

# %% id="draw"
lab.draw_stack(TEMPLATE)

# %% [markdown] id="draw-read"
# What stands in one column does not wait for each other, so CloudFormation makes it **at the same time**. What is in the last
# column waits for the longest chain.
#
# Where does a reference not suffice? The group refers to subnets and launch template. It does not mention the *route* to the
# internet. Without `DependsOn` machines could boot before there is a way out, and their agents would find nobody. In the same
# way the service does not mention the machines that its tasks will need. **`DependsOn` is for what is needed and is not
# referred to.**
#
# ## Make the stack
#
# One call. `CAPABILITY_IAM` says that you know that this template makes roles. (More on that below.) The table shows the
# resources; while you wait you see it change.

# %% id="create"
session = lab.session()
cf, ecs, ec2, iam, logs = (session.client(name) for name in ("cloudformation", "ecs", "ec2", "iam", "logs"))
try:
    cf.create_stack(StackName="lab11", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"])
except cf.exceptions.AlreadyExistsException as error:
    print(error.response["Error"]["Message"])
stack_id = lab.watch_stack("lab11")["StackId"]

# %% [markdown] id="events-why"
# ## Read the events
#
# A stack keeps a diary, like a service. Every resource has at least three entries: begun, *initiated* (its id is known now),
# complete. The order of what happens at the same time is different every time, so we do not print all of them. We ask the
# diary two questions: was anything made before what it needs? And how many were under way at once?


# %% id="events" tags=["measured"]
def events(name):
    """The events of a stack, the oldest first."""
    pages = cf.get_paginator("describe_stack_events").paginate(StackName=name)
    return [event for page in pages for event in page["StackEvents"]][::-1]


def span(name):
    """When each resource was begun, and when it was complete: positions in the diary."""
    begun, complete = {}, {}
    for number, event in enumerate(events(name)):
        if event["ResourceStatus"] == "CREATE_IN_PROGRESS":
            begun.setdefault(event["LogicalResourceId"], number)
        if event["ResourceStatus"] == "CREATE_COMPLETE":
            complete[event["LogicalResourceId"]] = number
    del begun["lab11"], complete["lab11"]
    return begun, complete


begun, complete = span("lab11")
at_once = max(sum(begun[one] <= now < complete[one] for one in begun) for now in begun.values())
print("resources:", len(begun), " at most at the same time:", at_once)
seconds = [event["Timestamp"] for event in events("lab11") if event["LogicalResourceId"] == "Service"]
whole = [event["Timestamp"] for event in events("lab11")]
print(f"whole stack: {(whole[-1] - whole[0]).seconds} s, of which the service: {(seconds[-1] - seconds[0]).seconds} s")
assert at_once >= 3

# %% id="order"
for first, then in (("Vpc", "SubnetA"), ("WayOut", "Group"), ("Profile", "Launch"), ("Group", "Service")):
    print(f"{first} was complete before {then} was begun:", complete[first] < begun[then])

# %% [markdown] id="events-read"
# The service takes the longest, for a good reason. For CloudFormation a cluster is complete when ECS has answered. But a
# **service is complete only when it is steady**, with all its tasks running. So here the stack waited until machines had
# booted, agents had joined and tasks had started. CREATE_COMPLETE is a promise that it runs. (And a service that never becomes
# steady keeps its stack in CREATE_IN_PROGRESS for up to three hours. Use a deployment circuit breaker: chapter 13.)
#
# Let us see whether it is true.


# %% id="page"
def service():
    """What ECS knows of the stack's service."""
    return ecs.describe_services(cluster="lab11", services=["web"])["services"][0]


def members():
    """The container instances whose agents are connected."""
    arns = ecs.list_container_instances(cluster="lab11")["containerInstanceArns"]
    found = ecs.describe_container_instances(cluster="lab11", containerInstances=arns) if arns else {}
    return [each for each in found.get("containerInstances", []) if each["agentConnected"]]


def tasks():
    """The running tasks of the service."""
    arns = ecs.list_tasks(cluster="lab11", serviceName="web")["taskArns"]
    found = ecs.describe_tasks(cluster="lab11", tasks=arns)["tasks"] if arns else []
    return [task for task in found if task["lastStatus"] == "RUNNING"]


def address(task):
    """http://<the machine's public address>:<host port>/"""
    on = [each["ec2InstanceId"] for each in members() if each["containerInstanceArn"] == task["containerInstanceArn"]]
    machine = ec2.describe_instances(InstanceIds=on)["Reservations"][0]["Instances"][0]
    return f"http://{machine['PublicIpAddress']}:{task['containers'][0]['networkBindings'][0]['hostPort']}/"


def page(url):
    """What it serves."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return direct.open(url, timeout=5).read().decode()
    except OSError as error:
        return f"no answer: {error}"


def pages():
    """What the service's tasks serve, as soon as all of them answer."""
    return lab.wait(
        lambda: sorted(page(address(task)) for task in tasks()),
        until=lambda texts: texts and not any(text.startswith("no answer") for text in texts),
        name="pages",
    )


lab.show(service(), columns=["serviceName", "status", "desiredCount", "runningCount"])
attributes = [attribute for each in members() for attribute in each["attributes"]]
zones = sorted(each["value"] for each in attributes if each["name"] == "ecs.availability-zone")
print("machines in:", zones)
print(pages())

# %% id="draw-cluster" tags=["measured"]
lab.draw_instances("lab11")
counts = sorted(each["runningTasksCount"] for each in members())
joined, placed = max(each["registeredAt"] for each in members()), max(task["createdAt"] for task in tasks())
# One on each machine; or both on the first, if the second joined only after they had been placed: nobody moves a running task.
assert counts == [1, 1] or (counts == [0, 2] and joined > placed)

# %% [markdown] id="again-why"
# ## Do it again
#
# In chapter 10 every cell had to know what is there already: `try ... except EntityAlreadyExists`, "is there an instance of
# that name?". That is the work of making a script **idempotent**: run it again, and nothing goes wrong. What does a stack do?

# %% id="again"
with lab.expect_error("AlreadyExistsException"):
    cf.create_stack(StackName="lab11", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"])
with lab.expect_error("ValidationError"):
    cf.update_stack(StackName="lab11", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"])

# %% [markdown] id="again-read"
# The second answer is the good one. `update_stack` compares the template with that of the last time and finds no difference. You
# say what there shall be, and it works out what to do: nothing. (`aws cloudformation deploy` creates or updates, whichever
# fits, and does not count this answer as an error.)
#
# Note what it compares: **template with template**, not template with reality. What somebody changes by hand it does not see.
#
# ## Lose a machine
#
# In chapter 10 a dead machine stayed dead, since nobody was responsible for it. Here we terminate one.

# %% id="lose"
victim = sorted(each["ec2InstanceId"] for each in members())[0]
ec2.terminate_instances(InstanceIds=[victim])
lab.wait(
    members,
    until=lambda found: len(found) == 2 and victim not in [each["ec2InstanceId"] for each in found],
    name="two machines again",
    timeout=1800,
)
lab.wait(service, until=lambda found: found["runningCount"] == 2, name="two tasks again")
print("stack:", cf.describe_stacks(StackName="lab11")["Stacks"][0]["StackStatus"])

# %% [markdown] id="lose-read"
# The **Auto Scaling group** noticed and started another; its user data let it join; the service had its second task again. The
# *stack* had no part in it: CloudFormation acts when you call it, and then rests. What keeps things alive are the group and
# the service, which the stack has made.
#
# ## Look before you change
#
# Two parameters: a third machine, and another greeting. A **change set** is the plan of an update.


# %% id="plan"
def plan(stack_name, change_set, template, **parameters):
    """Make a change set, and show what it would do. Parameters that are not named keep their values."""
    known = [each["ParameterKey"] for each in cf.describe_stacks(StackName=stack_name)["Stacks"][0]["Parameters"]]
    values = [
        {"ParameterKey": key, "ParameterValue": str(parameters[key])}
        if key in parameters
        else {"ParameterKey": key, "UsePreviousValue": True}
        for key in known
    ]
    named = [
        one for one in cf.list_change_sets(StackName=stack_name)["Summaries"] if one["ChangeSetName"] == change_set
    ]
    executed = [one for one in named if one["ExecutionStatus"] == "EXECUTE_COMPLETE"]
    if executed:
        print("A change set of this name was executed already: here it is. For other changes give another name.")
    elif named:
        cf.delete_change_set(StackName=stack_name, ChangeSetName=change_set)  # of an earlier run of the cell
    if not executed:
        cf.create_change_set(
            StackName=stack_name,
            ChangeSetName=change_set,
            TemplateBody=template,
            Parameters=values,
            Capabilities=["CAPABILITY_IAM"],
        )
    made = lab.wait(
        lambda: cf.describe_change_set(StackName=stack_name, ChangeSetName=change_set),
        until=("CREATE_COMPLETE", "FAILED"),
        name=f"change set {change_set}",
    )
    rows = [
        {
            "resource": each["ResourceChange"]["LogicalResourceId"],
            "action": each["ResourceChange"]["Action"],
            "replacement": each["ResourceChange"].get("Replacement", "-"),
            "because of": sorted(
                {detail["Target"].get("Name", "tags") for detail in each["ResourceChange"].get("Details", [])}
            ),
        }
        for each in made["Changes"]
    ]
    lab.show(sorted(rows, key=lambda row: row["resource"]), title=made.get("StatusReason", ""))


plan("lab11", "bigger", TEMPLATE, Machines=3, Greeting="Good morning")

# %% [markdown] id="plan-read"
# * `Group`, `False`: changed **in place**. The machines that are there stay.
# * `Web`, `True`: **replaced**. A revision of a task definition cannot change, so there will be a new one.
# * `Service`: changed in place, *because* the definition that it refers to is another one.
#
# You look for `True` at anything that holds data or has an address. For a VPC or a database it would mean: made anew, the old
# one deleted.


# %% id="execute"
def execute(stack_name, change_set):
    """Carry a change set out, if it has anything in it."""
    made = cf.describe_change_set(StackName=stack_name, ChangeSetName=change_set)
    if made["ExecutionStatus"] == "AVAILABLE":
        cf.execute_change_set(StackName=stack_name, ChangeSetName=change_set)
    lab.wait(
        lambda: cf.describe_stacks(StackName=stack_name)["Stacks"][0],
        until=lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"),
        name=f"stack {stack_name}",
        timeout=3600,
    )


execute("lab11", "bigger")
lab.wait(members, until=lambda found: len(found) == 3, name="three machines")
print("stack:", cf.describe_stacks(StackName="lab11")["Stacks"][0]["StackStatus"])
print("definition:", service()["taskDefinition"].split("/")[-1], "-", service()["runningCount"], "tasks")
print(pages())

# %% [markdown] id="execute-read"
# The service was rolled over to revision 2 within its percentages, and the update was complete when that was done.
#
# ## Refused before anything is made
#
# Some mistakes CloudFormation sees by reading. It then answers with an error, and there is no stack. First: a template that
# makes a role, and nobody who says that this is meant. A role could give rights to whoever runs the template.

# %% id="no-capability"
with lab.expect_error("InsufficientCapabilitiesException"):
    cf.create_stack(StackName="lab11-refused", TemplateBody=TEMPLATE)

# %% [markdown] id="circle-why"
# Second: a misspelt reference. Third: two firewalls, each of which lets the other in. It is a common wish, and each must
# be there before the other: a circle.

# %% id="circle"
CIRCLE = """
Resources:
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, SourceSecurityGroupId: !GetAtt Api.GroupId}]
  Api:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: api
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, SourceSecurityGroupId: !GetAtt Web.GroupId}]
"""
with lab.expect_error("ValidationError"):
    cf.create_stack(
        StackName="lab11-refused",
        TemplateBody=TEMPLATE.replace("VpcId: !Ref Vpc,", "VpcId: !Ref Vcp,"),
        Capabilities=["CAPABILITY_IAM"],
    )
with lab.expect_error("ValidationError"):
    cf.create_stack(StackName="lab11-refused", TemplateBody=CIRCLE)
with lab.expect_error("ValidationError"):
    cf.describe_stacks(StackName="lab11-refused")

# %% [markdown] id="circle-read"
# The way out of a circle is a third resource: both groups without rules, and the rule as a resource of its own
# (`AWS::EC2::SecurityGroupIngress`) that refers to both.
#
# ## Break it on purpose: half-way
#
# CloudFormation cannot know what each service accepts. Here the second subnet lies outside of its VPC. Reading cannot
# find that; EC2 will.

# %% id="broken"
BROKEN = TEMPLATE.replace("10.11.2.0/24", "10.99.2.0/24")
try:
    cf.create_stack(StackName="lab11-broken", TemplateBody=BROKEN, Capabilities=["CAPABILITY_IAM"])
except cf.exceptions.AlreadyExistsException:
    print("It was tried already, which is fine.")
broken = lab.wait(
    lambda: cf.describe_stacks(StackName="lab11-broken")["Stacks"][0],
    until=lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"),
    name="stack lab11-broken",
)
print(broken["StackStatus"])

# %% [markdown] id="broken-read"
# **ROLLBACK_COMPLETE** sounds like success. It says: the *rollback* is complete. The stack failed, and all that had been made
# was deleted again. Which resource it was, and why, only the events tell. Look for the *first* `CREATE_FAILED`. (Others
# may follow with `Resource creation cancelled`: they were merely under way at that moment.)


# %% id="why"
def why(name):
    """The resources that failed by themselves, and the reasons without the ids of requests."""
    for event in events(name):
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            print(event["LogicalResourceId"], event["ResourceStatus"])
            told = reason.partition('message: "')[2].partition(" (Service")[0] or reason
            print(textwrap.fill(told, 100, break_on_hyphens=False))


why("lab11-broken")

# %% [markdown] id="left-why"
# Seventeen resources were not to blame, and some were there already. Is anything left of them?


# %% id="left"
def left_of(name):
    """What there is of a stack, asked of the services themselves."""
    mine = [{"Name": "tag:aws:cloudformation:stack-name", "Values": [name]}]
    alive = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    clusters = ecs.describe_clusters(clusters=[name])["clusters"]
    return {
        "VPCs": len(ec2.describe_vpcs(Filters=mine)["Vpcs"]),
        "subnets": len(ec2.describe_subnets(Filters=mine)["Subnets"]),
        "gateways": len(ec2.describe_internet_gateways(Filters=mine)["InternetGateways"]),
        "firewalls": len(ec2.describe_security_groups(Filters=mine)["SecurityGroups"]),
        "machines": len(ec2.describe_instances(Filters=[*mine, alive])["Reservations"]),
        "roles": len([role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith(f"{name}-")]),
        "log groups": len(logs.describe_log_groups(logGroupNamePrefix=f"/{name}/")["logGroups"]),
        "clusters": len([cluster for cluster in clusters if cluster["status"] == "ACTIVE"]),
    }


complete_stack, nothing = left_of("lab11"), left_of("lab11-broken")
lab.show([{"what": what, "lab11": complete_stack[what], "lab11-broken": nothing[what]} for what in nothing])

# %% [markdown] id="left-read"
# Nothing. By hand the same slip would have left you with half a network, and the next attempt would have met it.
#
# Only the stack's *record* is left, so that you can read the events. It cannot be used for anything else:

# %% id="rollback-is-an-end"
with lab.expect_error("ValidationError"):
    cf.update_stack(StackName=broken["StackName"], TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"])
cf.delete_stack(StackName="lab11-broken")
print("deleted, so that the name is free again")

# %% [markdown] id="exercise-team"
# ## Your turn
#
# The checks look at your account, not at your code. If a check says *not yet*, ask for a hint: the hints are about what it
# found.
#
# ### Exercise 1: the blue team's stack
#
# A colleague wrote `team.yaml`. The next cell tries it. It rolls back.
#
# **Mend the template and make the stack `lab11-team` complete**, with the three resources that it has, doing what the colleague
# meant: logs are kept for *at least* four days, but not for more than a week, and machines with the role may join a cluster.
# There is more than one thing to mend, and a failed stack shows you only the first. Assign the id of the complete stack
# (`StackId`) to `team`.

# %% id="team-run" tags=["exercise"]
team_template = here.file("team.yaml").read_text()
print(team_template.partition("Resources:")[2])
try:
    cf.create_stack(StackName="lab11-team", TemplateBody=team_template, Capabilities=["CAPABILITY_IAM"])
except cf.exceptions.AlreadyExistsException:
    print("The stack lab11-team is there already.")
lab.wait(
    lambda: cf.describe_stacks(StackName="lab11-team")["Stacks"][0],
    until=lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"),
    name="stack lab11-team",
)
print(cf.describe_stacks(StackName="lab11-team")["Stacks"][0]["StackStatus"])

# %% id="team" tags=["exercise"]
### BEGIN SOLUTION
# 1. why("lab11-team"): 4 is no retention that CloudWatch Logs has; 5 is the next that is enough
mended = team_template.replace("RetentionInDays: 4", "RetentionInDays: 5")
# 2. the next attempt says that there is no such policy: its path is service-role/
mended = mended.replace("policy/AmazonEC2", "policy/service-role/AmazonEC2")
if "ROLLBACK" in cf.describe_stacks(StackName="lab11-team")["Stacks"][0]["StackStatus"]:
    cf.delete_stack(StackName="lab11-team")
    cf.get_waiter("stack_delete_complete").wait(StackName="lab11-team", WaiterConfig={"Delay": 1})
    cf.create_stack(StackName="lab11-team", TemplateBody=mended, Capabilities=["CAPABILITY_IAM"])
team = lab.watch_stack("lab11-team")["StackId"]
### END SOLUTION

# %% id="team-check" tags=["check"]
lab.check("team", team)

# %% id="team-hint" tags=["hint"]
lab.hint("team")

# %% [markdown] id="exercise-grow"
# ### Exercise 2: grow it, the stack's way
#
# `lab11` is to run **four** copies of the page instead of two, still on three machines, and to greet with "Good evening". Yes,
# `ecs.update_service` could do one half of it. But then the template would say one thing and the cluster another, and
# the next update would undo it.
#
# **Bring it about by a change set of `lab11` that replaces no resource but the task definition, and execute it.** Assign the
# change set's ARN (`ChangeSetId`) to `grown`.

# %% id="grow" tags=["exercise"]
### BEGIN SOLUTION
plan("lab11", "evening", TEMPLATE, Copies=4, Greeting="Good evening")
grown = cf.describe_change_set(StackName="lab11", ChangeSetName="evening")["ChangeSetId"]
execute("lab11", "evening")
print(Counter(pages()))
### END SOLUTION

# %% id="grow-check" tags=["check"]
lab.check("grow", grown)

# %% id="grow-hint" tags=["hint"]
lab.hint("grow")

# %% [markdown] id="quiz"
# ### Four questions
#
# Put your answer (`"a"`, `"b"` or `"c"`) in place of the `None`, and run the cell.

# %% id="quiz-order" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("where-order-comes-from", answer)

# %% id="quiz-rollback" tags=["quiz"]
### BEGIN SOLUTION
answer = "c"
### END SOLUTION
lab.quiz("rollback-complete", answer)

# %% id="quiz-replace" tags=["quiz"]
### BEGIN SOLUTION
answer = "a"
### END SOLUTION
lab.quiz("replacement-true", answer)

# %% id="quiz-by-hand" tags=["quiz"]
### BEGIN SOLUTION
answer = "b"
### END SOLUTION
lab.quiz("changed-by-hand", answer)

# %% [markdown] id="clean"
# ## Clean up
#
# In chapter 10 this was nine kinds of things in the right order. Now the stacks go, each with all that it owns, in the opposite
# order of its making: service, group, machines, ..., VPC. What the table lists below the stacks is what they have left: the
# revisions of the task definition, which CloudFormation deregisters and does not delete.

# %% id="cleanup"
lab.cleanup(here)

# %% [markdown] id="aws"
# ## What differs on real AWS
#
# * **Time.** Five to eight minutes for this stack, most of it for machines and service; as long for its deletion. The steps and
#   the events are the same, and their times are longer.
# * **Money.** A stack costs nothing, what it makes does: a t3.small two US cents an hour, its public address half a cent. A
#   stack that you forget is a bill; a stack that you delete is not.
# * **Deleting** may fail there where something uses a resource of the stack and is not of it: a task that you ran by hand in its
#   cluster, an interface in its subnet. The stack is then DELETE_FAILED, and its events say what stands in the way.
# * **Reasons** of failures are a little differently worded from service to service, and some resources are checked for
#   properties before they are tried.
# * **What CloudFormation there has and this emulator does not:** drift detection, stack policies, imports of existing resources,
#   stack sets, and many hundreds of resource types. A type that is lacking is refused, by name, before anything is made.
#
# **What to use?** Terraform and the CDK are the other two ways that you will meet. The CDK is Python or TypeScript that writes
# CloudFormation templates. Terraform makes the calls itself and keeps its own record of what there is (its state file); a failed
# run is not rolled back. The idea is the same in all three: say what there shall be.
#
# **Next.** Chapter 12 does the same for Fargate, without a machine.
