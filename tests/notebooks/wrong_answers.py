"""For each exercise, answers that are wrong, and what its check must say of them: a check that cannot fail is worth
nothing. Each runs after the chapter's own solutions, in the same account."""

from __future__ import annotations

import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class WrongAnswer:
    """``code`` assigns ``answer``; the check's text must have ``said`` in it."""

    exercise: str
    code: str
    said: str


def _limits(members: str) -> str:
    """Chapter 04: the report under other limits."""
    return (
        "wrong = from_file('report.json'); wrong['containerDefinitions'][0].pop('memory')\n"
        f"wrong['containerDefinitions'][0] |= dict({members})\n"
        "ecs.register_task_definition(**wrong); answer = run('lab04-report')['taskArn']"
    )


def _shop(paths: list[str], condition: str | None, read_only: bool = False) -> str:
    """Chapter 04: the shop with the volume mounted there, waiting so."""
    lines = [
        "wrong = from_file('shop.json'); wrong['volumes'] = [{'name': 'data'}]",
        "writes, reads = wrong['containerDefinitions']; writes['essential'] = False",
        f"writes['mountPoints'] = [dict(sourceVolume='data', containerPath={paths[0]!r}, readOnly={read_only})]",
        f"reads['mountPoints'] = [dict(sourceVolume='data', containerPath={paths[1]!r})]",
    ]
    if condition:
        lines.append(f"reads['dependsOn'] = [dict(containerName='prices', condition={condition!r})]")
    return "\n".join([*lines, "ecs.register_task_definition(**wrong); answer = run('lab04-shop')['taskArn']"])


def _orders(first_word: str, *, program: str = "", rollback: bool | None = True, wait: bool = True) -> str:
    """Chapter 03: the service repaired so."""
    lines = [f"orders_definition['containerDefinitions'][0]['command'][0] = {first_word!r}"]
    if program:
        lines.append(f"orders_definition['containerDefinitions'][0]['command'][2] = {program!r}")
    lines.append("wrong = ecs.register_task_definition(**orders_definition)['taskDefinition']['taskDefinitionArn']")
    breaker = {"enable": rollback is not None, "rollback": bool(rollback)}
    lines += [
        "answer = ecs.update_service(cluster='lab03', service='orders', taskDefinition=wrong, deploymentConfiguration="
        f"{{'deploymentCircuitBreaker': {breaker}}})['service']['serviceArn']"
    ]
    return "\n".join([*lines, "steady('orders')"] if wait else lines)


def _till(least: int, most: int, more: str = "", wait: bool = True) -> str:
    """Chapter 03: the price rolled out within these percentages."""
    update = (
        "answer = ecs.update_service(cluster='lab03', service='till', forceNewDeployment=True, deploymentConfiguration="
        f"{{'minimumHealthyPercent': {least}, 'maximumPercent': {most}}}, {more})['service']['serviceArn']"
    )
    return update + ("\nsteady('till')" if wait else "")


def _fish(members: str, wait: bool = True) -> str:
    """Chapter 10: the shop's service with other members of its container; the answer is where its copies are."""
    lines = [
        "wrong = json.loads(here.file('shop.json').read_text())",
        "wrong['containerDefinitions'][0] |= dict(memoryReservation=64, memory=128)",
        "wrong['containerDefinitions'][0]['portMappings'] = [dict(containerPort=8000, hostPort=0)]",
        f"wrong['containerDefinitions'][0] |= dict({members})",
        "ecs.register_task_definition(**wrong)",
        "ecs.update_service(cluster='lab10', service='lab10-shop', taskDefinition='lab10-shop', desiredCount=3)",
    ]
    if wait:
        lines.append("steady('lab10-shop')")
    return "\n".join([*lines, "answer = [address(task) for task in tasks_of('lab10-shop')]"])


def _report(members: str, program: str = "", wait: str = "RUNNING") -> str:
    """Chapter 12: the report with other members of its definition."""
    lines = [
        "wrong = json.loads(here.file('report.json').read_text())",
        "wrong['containerDefinitions'][0]['portMappings'] = [dict(containerPort=8000)]",
        f"wrong |= dict(networkMode='awsvpc') | dict({members})",
    ]
    if program:
        lines.append(f"wrong['containerDefinitions'][0]['command'] = ['python', '-c', {program!r}]")
    lines += ["ecs.register_task_definition(**wrong); answer = run('lab12-report', SUBNETS)[0]"]
    return "\n".join([*lines, f"until([answer], {wait!r})"])




def _shop_admits(call: str, port: int, source: str) -> str:
    """Chapter 13: a rule of the shop's security group is added or taken away."""
    rule = f"dict(IpProtocol='tcp', FromPort={port}, ToPort={port}, {source})"
    return f"ec2.{call}_security_group_ingress(GroupId=security_group('lab13-shop')['GroupId'], IpPermissions=[{rule}])\n"


def _admin(priority: int, *patterns: str) -> str:
    """Chapter 13: the rule with this priority and these patterns."""
    return (
        f"elb.set_rule_priorities(RulePriorities=[dict(RuleArn=admin, Priority={priority})])\n"
        f"elb.modify_rule(RuleArn=admin, Conditions=[dict(Field='path-pattern', PathPatternConfig=dict(Values={list(patterns)}))])\n"
        "answer = admin"
    )


_ANYBODY = "IpRanges=[dict(CidrIp='0.0.0.0/0')]"

def _team(retention: str, policy: str = "service-role/AmazonEC2ContainerServiceforEC2Role", cut: str = "") -> str:
    """Chapter 11: the team's stack made anew, with these values."""
    return "\n".join(
        [
            "cf.delete_stack(StackName='lab11-team')",
            "cf.get_waiter('stack_delete_complete').wait(StackName='lab11-team', WaiterConfig={'Delay': 1})",
            f"wrong = {cut or 'team_template'}.replace('RetentionInDays: 4', {retention!r})",
            f"wrong = wrong.replace('AmazonEC2ContainerServiceforEC2Role', {policy!r})",
            "cf.create_stack(StackName='lab11-team', TemplateBody=wrong, Capabilities=['CAPABILITY_IAM'])",
            "answer = lab.watch_stack('lab11-team')['StackId']",
        ]
    )


def _grown(template: str = "TEMPLATE", execute: bool = False, **parameters: object) -> str:
    """Chapter 11: another change set of the stack."""
    name = f"wrong-{zlib.crc32(repr((template, execute, parameters)).encode())}"  # each has a name of its own
    lines = [
        f"plan('lab11', {name!r}, {template}, **{parameters!r})",
        f"answer = cf.describe_change_set(StackName='lab11', ChangeSetName={name!r})['ChangeSetId']",
    ]
    return "\n".join([*lines, f"execute('lab11', {name!r})"] if execute else lines)


def _scaled(more: float, less: float | None, run: bool) -> str:
    """Chapter 14: the service scaled at these thresholds, and whether the customers came afterwards."""
    lines = [f"alarm('lab14-more', 'GreaterThanThreshold', {more}, 1, policy('lab14-more', up, cooldown=0))"]
    if less is None:
        lines.append("cloudwatch.delete_alarms(AlarmNames=['lab14-less'])")
    else:
        lines.append(f"alarm('lab14-less', 'LessThanThreshold', {less}, 1, policy('lab14-less', down, cooldown=0))")
    return "\n".join([*lines, "answer = a_while(10)" if run else "answer = []"])


def _errors(expression: str = "100 * FILL(errors, 0) / requests", **given: object) -> str:
    """Chapter 14: the alarm for errors with another expression or other members; trouble comes afterwards."""
    base = {"EvaluationPeriods": 1, "Threshold": 5, "TreatMissingData": "notBreaching"} | given
    return (
        "cloudwatch.put_metric_alarm(AlarmName='lab14-errors', ComparisonOperator='GreaterThanThreshold', Metrics=["
        "dict(Id='errors', MetricStat=count('HTTPCode_Target_5XX_Count'), ReturnData=False), "
        "dict(Id='requests', MetricStat=count('RequestCount'), ReturnData=False), "
        f"dict(Id='share', Expression={expression!r}, ReturnData=True)], **{base!r})\nanswer = 'ALARM'"
    )


WRONG: dict[str, list[WrongAnswer]] = {
    "00": [
        WrongAnswer("greeting", 'answer = run("lab00-greeter")["taskArn"]', "NAME was never set"),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "environment": '
            '[{"name": "Name", "value": "Ada"}]}]})["taskArn"]',
            "overrides only Name",
        ),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "environment": '
            '[{"name": "NAME", "value": ""}]}]})["taskArn"]',
            "NAME is set, but empty",
        ),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "command": '
            '["python", "-c", "raise SystemExit(5)"], "environment": [{"name": "NAME", "value": "Ada"}]}]})["taskArn"]',
            "ended with exit code 5",
        ),
        WrongAnswer(
            "greeting",
            'answer = run("lab00-greeter", overrides={"containerOverrides": [{"name": "greeter", "command": '
            '["python", "-c", "print(1)"], "environment": [{"name": "NAME", "value": "Ada"}]}]})["taskArn"]',
            "and not 'Hello, Ada!'",
        ),
        WrongAnswer("greeting", "answer = here.task", "made from lab00-hello:1, not from lab00-greeter"),
        WrongAnswer("greeting", 'answer = "Ada"', "'Ada' is not the ARN of a task"),
        WrongAnswer("greeting", 'answer = here.task[:-4] + "0000"', "has no such task"),
        WrongAnswer(
            "greeting",
            'answer = ecs.run_task(cluster="lab00", taskDefinition="lab00-greeter", launchType="FARGATE", '
            'networkConfiguration=network)["tasks"][0]["taskArn"]',
            "the task is still",
        ),
        WrongAnswer("nightly", 'answer = failed["taskArn"]', "its container never ran: ResourceInitializationError"),
        WrongAnswer("nightly", "answer = greeting", "not from lab00-nightly"),
        WrongAnswer(
            "nightly",
            'answer = run("lab00-nightly", overrides={"containerOverrides": [{"name": "report", "command": '
            '["python", "-c", "pass"]}]})["taskArn"]',
            "but its log has []",
        ),
    ],
    "03": [
        WrongAnswer("orders", 'answer = "orders"', "'orders' is not the ARN of a service"),
        WrongAnswer("orders", "answer = till", "this is the service till, not orders"),
        WrongAnswer(
            "orders", "answer = orders.replace('/lab03/', '/lab0333/')", "cluster lab03 has no active service orders"
        ),
        WrongAnswer("orders", _orders("python", rollback=None), "nothing would stop its next broken version"),
        WrongAnswer("orders", _orders("python", rollback=False), "would be stopped, but not rolled back"),
        WrongAnswer("orders", _orders("python", wait=False), "its deployment is IN_PROGRESS"),
        WrongAnswer(
            "orders",
            "steady('orders'); ecs.update_service(cluster='lab03', service='orders', desiredCount=0); answer = orders",
            "its desired count is 0, not 1",
        ),
        WrongAnswer(
            "orders",
            "ecs.update_service(cluster='lab03', service='orders', desiredCount=1); steady('orders')\n"
            + _orders("pyhton", wait=False),
            "it still wants to run what no task of it could start",
        ),
        WrongAnswer(
            "orders", _orders("python", program="import signal; signal.pause()", wait=False), "it runs another program"
        ),
        WrongAnswer("till", _till(50, 125), "allowed to go down to 2 running tills"),
        WrongAnswer("till", _till(100, 200), "allowed 8 tills at once"),
        WrongAnswer("till", _till(100, 125, wait=False), "its deployment is IN_PROGRESS"),
        WrongAnswer("till", _till(100, 125, "taskDefinition=price_3"), "the price in its task definition is 3.00"),
        WrongAnswer("till", _till(100, 125, "desiredCount=5"), "its desired count is 5, not 4"),
        WrongAnswer("till", "answer = 4", "4 is not the ARN of a service"),
    ],
    "04": [
        WrongAnswer("report", 'answer = died["taskArn"]', "its hard limit is 100 MiB, while it loads 160 MiB"),
        WrongAnswer("report", _limits("memoryReservation=200"), "the container has no hard limit"),
        WrongAnswer("report", _limits("memory=300"), "nothing is set aside"),
        WrongAnswer("report", _limits("memoryReservation=64, memory=300"), "only 64 MiB are set aside"),
        WrongAnswer("report", _limits("memoryReservation=200, memory=450"), "may take 450 of the task's 512 MiB"),
        WrongAnswer("report", _limits("memoryReservation=256, memory=256"), "nothing beyond the soft one"),
        WrongAnswer(
            "report",
            _limits("memoryReservation=200, memory=300, command=['python', '-c', 'pass']"),
            "the program of 'report' is another one",
        ),
        WrongAnswer("report", "answer = shop", "made from lab04-shop"),
        WrongAnswer("report", "answer = first", "not from lab04-report"),
        WrongAnswer("report", "answer = 128", "128 is not the ARN of a task"),
        WrongAnswer("shop", 'answer = closed["taskArn"]', "container 'prices' has no volume at /data"),
        WrongAnswer("shop", _shop(["/data", "/data"], None), "nothing makes the shop wait"),
        WrongAnswer("shop", _shop(["/data", "/tmp/data"], "SUCCESS"), "container 'shop' has no volume at /data"),
        WrongAnswer("shop", _shop(["/data", "/data"], "COMPLETE"), "waits for COMPLETE of the prices"),
        WrongAnswer("shop", _shop(["/data", "/data"], "SUCCESS", read_only=True), "prices ended with exit code 1"),
        WrongAnswer("shop", 'answer = start("lab04-shop")', "the task is still"),
    ],
    "10": [
        WrongAnswer("shop", "answer = ['http://localhost:1/'] * 3", "these are 1 URLs, not 3"),
        WrongAnswer("shop", "answer = 3", "3 is no list of URLs"),
        WrongAnswer("shop", "answer = shops[:2] + ['http://127.0.0.1:9/']", "does not answer"),
        WrongAnswer("shop", "answer = shops[:2] + [address(tasks_of()[0])]", "is no shop: it shows 'Good morning"),
        WrongAnswer(
            "shop",
            "ecs.update_service(cluster='lab10', service='lab10-shop', desiredCount=2); answer = shops",
            "desiredCount is 2, not 3",
        ),
        WrongAnswer(
            "shop", _fish("portMappings=[dict(containerPort=8000, hostPort=8081)]", wait=False), "wants host port 8081"
        ),
        WrongAnswer("shop", _fish("portMappings=[]", wait=False), "no port leads to the container"),
        WrongAnswer("shop", _fish("memoryReservation=450, memory=500"), "each copy is promised 450 MiB"),
        WrongAnswer("shop", _fish("memoryReservation=16"), "promised 16 MiB only"),
        WrongAnswer("shop", _fish("memoryReservation=3000, memory=3000", wait=False), "of 3 run"),
        WrongAnswer("shop", _fish("command=['python', '-c', 'pass']", wait=False), "whose program is another one"),
        WrongAnswer("green", "answer = running('lab10-green-2')", "is not the ARN of a container instance"),
        WrongAnswer("green", "answer = green[:-4] + '0000'", "no instance of cluster lab10 that is connected"),
        WrongAnswer("green", "answer = member(two)", "has not the role lab10-green"),
        WrongAnswer(
            "green",
            "ecs.put_attributes(cluster='lab10', attributes=[dict(name='team', value='blue', targetId=green)]); "
            "answer = green",
            "its attribute team is not green",
        ),
        WrongAnswer(
            "green",
            "ecs.put_attributes(cluster='lab10', attributes=[dict(name='team', value='green', targetId=green)]); "
            "launch('lab10-idle', subnets[0], user_data=script, profile='lab10-green'); answer = green",
            "runs, costs money, and is in no cluster",
        ),
        WrongAnswer(
            "green",
            "iam.detach_role_policy(RoleName='lab10-green', PolicyArn=INSTANCE_POLICY); answer = green",
            "the role lab10-green may do nothing",
        ),
    ],
    "11": [
        WrongAnswer("team", "answer = 'lab11-team'", "'lab11-team' is not the id of the stack"),
        WrongAnswer("team", _team("RetentionInDays: 4"), "the stack lab11-team is ROLLBACK_COMPLETE"),
        WrongAnswer("team", _team("RetentionInDays: 1"), "logs are kept for 1 days"),
        WrongAnswer("team", _team("RetentionInDays: 30"), "logs are kept for 30 days"),
        WrongAnswer("team", _team("", cut="team_template.replace(', RetentionInDays: 4', '')"), "logs are kept for ever"),
        WrongAnswer(
            "team",
            _team("RetentionInDays: 5", policy="service-role/AmazonECSTaskExecutionRolePolicy"),
            "a machine could not join",
        ),
        WrongAnswer(
            "team",
            _team("RetentionInDays: 5", cut="team_template[:team_template.index('  InstanceRole:')]"),
            "the stack has no AWS::IAM::Role any more",
        ),
        WrongAnswer("grow", "answer = 'evening'", "'evening' is not the ARN of a change set"),
        WrongAnswer(
            "grow",
            "ecs.update_service(cluster='lab11', service='web', desiredCount=3)\n"
            "lab.wait(service, until=lambda found: found['runningCount'] == 3, name='three'); answer = grown",
            "the template says 4 copies, and the service wants 3: changed by hand",
        ),
        WrongAnswer("grow", _grown(Copies=4, Greeting="Good evening"), "the change set failed"),
        WrongAnswer("grow", _grown(execute=True, Copies=3), "the stack's parameter Copies is '3', not '4'"),
        WrongAnswer(
            "grow",
            _grown(execute=True, Copies=4, Greeting="Good night"),
            "the stack's parameter Greeting is 'Good night', not 'Good evening'",
        ),
        WrongAnswer("grow", _grown(template="TEMPLATE.replace('t3.small', 't3.micro')"), "its execution status is AVAILABLE"),
        WrongAnswer("grow", _grown(template="TEMPLATE.replace('10.11.1.0', '10.11.3.0')"), "it replaces SubnetA"),
    ],
    "12": [
        WrongAnswer("report", "answer = run('lab12-report', SUBNETS)", "is not the ARN of a task"),
        WrongAnswer("report", "answer = shop", "this task is in cluster lab12-shop"),
        WrongAnswer("report", "answer = report[:-4] + '0000'", "has no such task"),
        WrongAnswer("report", "answer = run('lab12-page', SUBNETS)[0]", "made from lab12-page:1, not from lab12-report"),
        WrongAnswer("report", _report("cpu='2048'"), "there is a cheaper size"),
        WrongAnswer("report", _report("cpu='1024', memory='6144'"), "there is a cheaper size"),
        WrongAnswer("report", _report("cpu='512', memory='4096'"), "its size is 512 CPU and 4096 MiB"),
        WrongAnswer("report", _report("cpu='1024'", program="pass", wait="STOPPED"), "it runs another program"),
        WrongAnswer(
            "report",
            "ecs.stop_task(cluster='lab12', task=report); until([report], 'STOPPED'); answer = report",
            "the task has stopped",
        ),
        WrongAnswer("shop", "answer = 'lab12-shop'", "'lab12-shop' is not the ARN of a task"),
        WrongAnswer("shop", "answer = closed[0]", "the task has stopped: it could not pull its image"),
        WrongAnswer(
            "shop",
            "answer = run('lab12-shop', [shop_subnet], cluster='lab12-shop', public=False)[0]; until([answer], 'STOPPED')",
            "the task has stopped: it could not pull its image",
        ),
        WrongAnswer(
            "shop", "answer = run('lab12-shop', SUBNETS, cluster='lab12-shop')[0]", "a subnet that is not the stack's"
        ),
        WrongAnswer(
            "shop",
            "cf.update_stack(StackName='lab12-shop', TemplateBody=shop_template); settled('lab12-shop'); answer = shop",
            "the stack's subnet has no way out",
        ),
        WrongAnswer(
            "shop",
            "table = next(each['PhysicalResourceId'] for each in cf.describe_stack_resources(StackName='lab12-shop')"
            "['StackResources'] if each['LogicalResourceId'] == 'Routes')\n"
            "ec2.associate_route_table(SubnetId=shop_subnet, RouteTableId=table); answer = shop",
            "was made by hand",
        ),
        WrongAnswer(
            "shop",
            "cf.update_stack(StackName='lab12-shop', TemplateBody=shop_template.replace('256', '255'))\n"
            "settled('lab12-shop'); answer = shop",
            "the stack is UPDATE_ROLLBACK_COMPLETE",
        ),
    ],
    "13": [
        WrongAnswer("shop", "answer = 200", "200 is not what a page says"),
        WrongAnswer("shop", "answer = 'Stale fish'", "/shop/ says 'Fresh fish', and you gave 'Stale fish'"),
        WrongAnswer(
            "shop", _shop_admits("authorize", 9000, _ANYBODY) + "answer = shop", "lets in addresses, not only the load"
        ),
        WrongAnswer(
            "shop",
            _shop_admits("revoke", 9000, _ANYBODY)
            + _shop_admits("revoke", 9000, "UserIdGroupPairs=from_balancer")
            + "answer = shop",
            "does not let in the load balancer on port 9000",
        ),
        WrongAnswer(
            "shop",
            _shop_admits("authorize", 9000, "UserIdGroupPairs=from_balancer")
            + "elb.modify_target_group(TargetGroupArn=group_arn('lab13-shop'), HealthCheckPath='/',"
            " Matcher=dict(HttpCode='200-499'))\nanswer = shop",
            "takes 200-499 for a good answer",
        ),
        WrongAnswer(
            "shop",
            "elb.modify_target_group(TargetGroupArn=group_arn('lab13-shop'), HealthCheckPath='/',"
            " Matcher=dict(HttpCode='200'))\n"
            "lab.wait(lambda: health('lab13-shop'), until=lambda found: 'Mismatch' in str(found))\nanswer = shop",
            "answer the health check, but not with 200",
        ),
        WrongAnswer(
            "shop",
            "elb.modify_target_group(TargetGroupArn=group_arn('lab13-shop'), HealthCheckPath='/ready')\nwell('shop')\n"
            "elb.modify_rule(RuleArn=rules()['15']['RuleArn'],"
            " Conditions=[dict(Field='path-pattern', PathPatternConfig=dict(Values=['/shopping/*']))])\nanswer = shop",
            "/shop/ is answered with 200 and 'web green",
        ),
        WrongAnswer(
            "shop",
            "ecs.update_service(cluster='lab13', service='shop', desiredCount=1); answer = shop",
            "its desiredCount is 1, not 2",
        ),
        WrongAnswer(
            "shop",
            "wrong = json.loads(here.file('shop.json').read_text())\n"
            "wrong['containerDefinitions'][0]['command'] = ['python', '-c', 'pass']\n"
            "ecs.register_task_definition(**wrong, executionRoleArn=session.client('iam').get_role("
            "RoleName='lab13-execution')['Role']['Arn'])\n"
            "ecs.update_service(cluster='lab13', service='shop', desiredCount=2, taskDefinition='lab13-shop')\n"
            "answer = shop",
            "it runs another program",
        ),
        WrongAnswer("admin", "answer = 'admin'", "'admin' is not the ARN of a rule"),
        WrongAnswer("admin", "answer = rules()['10']['RuleArn']", "the action of this rule is forward"),
        WrongAnswer(
            "admin", _admin(45, "/api/admin", "/api/admin/*"), "/api/admin/users is answered with 200 by BaseHTTP"
        ),
        WrongAnswer("admin", _admin(5, "/api/admin/*"), "/api/admin is answered with 200"),
        WrongAnswer("admin", _admin(5, "/api/admin*"), "/api/administrators does not reach api any more: 403"),
        WrongAnswer("admin", _admin(5, "/api/admin/*", "/api/admin", "/api/"), "/api/ does not reach api any more"),
        WrongAnswer("admin", _admin(5, "/api/admin/*", "/api/admin", "/"), "/ does not reach web any more"),
    ],
    "14": [
        WrongAnswer("flap", "answer = 'calm'", "'calm' is not what a_while() returns"),
        WrongAnswer(
            "flap",
            "scaling.register_scalable_target(**what, MinCapacity=2, MaxCapacity=2); answer = []",
            "may not have 1 to 4 tasks",
        ),
        WrongAnswer(
            "flap",
            "scaling.register_scalable_target(**what, MinCapacity=1, MaxCapacity=4)\n" + _scaled(95, 15, run=False),
            "rings above 95 % only",
        ),
        WrongAnswer("flap", _scaled(60, 15, run=False), "the customers have not come for 5 minutes"),
        WrongAnswer("flap", _scaled(60, None, run=False), "nothing makes the service shrink any more"),
        WrongAnswer("flap", _scaled(40, 35, run=True), "since you changed the alarms it was set to"),
        WrongAnswer(
            "errors", "cloudwatch.delete_alarms(AlarmNames=['lab14-errors']); answer = 1", "there is no alarm lab14-errors"
        ),
        WrongAnswer(
            "errors",
            "cloudwatch.put_metric_alarm(AlarmName='lab14-errors', Namespace='AWS/ApplicationELB', Statistic='Sum', Period=60,"
            " MetricName='HTTPCode_Target_5XX_Count', Dimensions=of_balancer, EvaluationPeriods=1, Threshold=5,"
            " ComparisonOperator='GreaterThanThreshold'); answer = 'OK'",
            "it looks at one metric, and not at a share of two",
        ),
        WrongAnswer("errors", _errors(EvaluationPeriods=3), "it waits for 3 minutes"),
        WrongAnswer("errors", _errors(TreatMissingData="missing"), "it says that it does not know"),
        WrongAnswer("errors", _errors("FILL(errors, 0) / requests"), "at worst its expression was 0."),
        WrongAnswer("errors", _errors(Threshold=50), "it rings above 50 %"),
    ],
}
