"""What the tests of tasks need again and again: a cluster, roles, a subnet, a task brought to a state."""

from __future__ import annotations

import itertools
import json
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.emulator_process import wait_until

IMAGE = "public.ecr.aws/docker/library/busybox:stable"
PYTHON = "public.ecr.aws/docker/library/python:3.12-slim"
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
LIFE = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]
Clients = Callable[..., Any]


class Story:
    """One account's cluster and what runs in it."""

    def __init__(self, aws: Clients, account: str) -> None:
        self.aws, self.account = aws, account
        self.ecs = aws("ecs")
        self.cluster = "yard"
        self.ecs.create_cluster(clusterName=self.cluster)
        self._numbers = itertools.count(1)
        self._subnet = ""

    @property
    def subnet(self) -> str:
        """One of the account's default VPC."""
        if not self._subnet:
            self._subnet = self.aws("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        return self._subnet

    @property
    def network(self) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": [self.subnet], "assignPublicIp": "ENABLED"}}

    def role(self, name: str, service: str = "ecs-tasks.amazonaws.com", **statement: Any) -> str:
        """A role that ``service`` may assume; ``statement`` (Action, Resource) is what it may do. Its ARN."""
        iam = self.aws("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
        if statement:
            iam.put_role_policy(RoleName=name, PolicyName="its", PolicyDocument=allowing(**statement))
        return str(arn)

    def execution_role(self, name: str = "execution") -> str:
        """One that may write logs, as the course makes it."""
        return self.role(name, Action=["logs:CreateLogStream", "logs:PutLogEvents"], Resource="*")

    def register(self, *containers: dict[str, Any], family: str = "", **given: Any) -> str:
        """A Fargate definition; ``containers`` get a name and an image if they have none. Its ARN."""
        filled = [{"name": f"c{number}", "image": IMAGE} | given for number, given in enumerate(containers)]
        base = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
        given = base | {"family": family or f"family{next(self._numbers)}", "containerDefinitions": filled} | given
        return str(self.ecs.register_task_definition(**given)["taskDefinition"]["taskDefinitionArn"])

    def run(self, definition: str, **given: Any) -> str:
        """One task; its ARN."""
        return str(self.run_tasks(definition, **given)[0]["taskArn"])

    def run_tasks(self, definition: str, **given: Any) -> list[dict[str, Any]]:
        base = {"cluster": self.cluster, "launchType": "FARGATE", "networkConfiguration": self.network}
        answer = self.ecs.run_task(**(base | {"taskDefinition": definition} | given))
        assert answer["failures"] == []
        return list(answer["tasks"])

    def describe(self, arn: str, **given: Any) -> dict[str, Any]:
        answer = self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn], **given)
        assert answer["failures"] == []
        return dict(answer["tasks"][0])

    def until(self, arn: str, status: str = "RUNNING") -> dict[str, Any]:
        """The task when it has come to ``status``; fails if it has gone past it."""
        last: dict[str, Any] = {}

        def there() -> bool:
            last.update(self.describe(arn))
            assert LIFE.index(last["lastStatus"]) <= LIFE.index(status), f"{last['lastStatus']}: {reason_of(last)}"
            return bool(last["lastStatus"] == status)

        wait_until(there, f"the task is {status}", lambda: last)
        return last

    def stopped(self, arn: str) -> dict[str, Any]:
        return self.until(arn, "STOPPED")

    def stop(self, arn: str) -> dict[str, Any]:
        """Asked to stop, and stopped."""
        self.ecs.stop_task(cluster=self.cluster, task=arn)
        return self.stopped(arn)

    def outcome(self, *containers: dict[str, Any], **given: Any) -> dict[str, Any]:
        """Register, run once, and what it is when it has stopped by itself."""
        return self.stopped(self.run(self.register(*containers, **given)))

    def logging(self, group: str = "/yard", prefix: str = "p", **options: str) -> dict[str, Any]:
        """A logConfiguration."""
        base = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": prefix}
        return {"logDriver": "awslogs", "options": base | options}

    def lines(self, stream: str, group: str = "/yard") -> list[str]:
        """All messages of a log stream, in order."""
        found = self.aws("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        return [event["message"] for event in found["events"]]

    def logged(self, *containers: dict[str, Any], **given: Any) -> tuple[dict[str, Any], list[str]]:
        """As ``outcome``, with the log of the first container."""
        self.aws("logs").create_log_group(logGroupName="/yard")
        first, *others = containers
        role = self.execution_role()
        task = self.outcome({**first, "logConfiguration": self.logging()}, *others, executionRoleArn=role, **given)
        return task, self.lines(f"p/{task['containers'][0]['name']}/{id_of(task['taskArn'])}")

    def user(self, name: str, *statements: dict[str, Any]) -> Clients:
        """Clients of an IAM user who may do what the statements say."""
        iam = self.aws("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="its", PolicyDocument=policy(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        given = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return lambda service: self.aws(service, **given)


def trust(service: str) -> str:
    """A trust policy."""
    return policy({"Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def allowing(**statement: Any) -> str:
    """A policy of one statement."""
    return policy(statement)


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]})


def id_of(arn: str) -> str:
    """Of a task."""
    return arn.rpartition("/")[2]


def reason_of(task: dict[str, Any]) -> str:
    """Everything it says about its end."""
    told = [task.get("stoppedReason")] + [f"{c['name']}: {c.get('reason')}" for c in task["containers"]]
    return " | ".join(str(each) for each in told)


def marked_sleep() -> tuple[list[str], str]:
    """A command that sleeps for some minutes, and the argument by which its process is known on this machine."""
    marker = f"300.{secrets.randbelow(10**9):09}"
    return ["sleep", marker], marker


def seen_id(given: int) -> int:
    """A user's or group's id as ``id`` shows it in a container that was given it. Without root there is one of each in a
    user namespace, and it is 0 (said in the log and in docs/architecture.md)."""
    return given if os.geteuid() == 0 else 0


def ends_when_asked(seconds: str = "300") -> list[str]:
    """A command that sleeps, and ends at once on SIGTERM: a bare ``sleep`` as process 1 has to be killed after its
    stopTimeout, which is two real seconds at least."""
    return ["sh", "-c", f"trap 'exit 0' TERM; sleep {seconds} & wait $!"]


def processes(marker: str) -> list[int]:
    """Pids whose command line has ``marker`` as an argument, as ``ps`` would show them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in arguments and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def shown(task: dict[str, Any], names: Iterable[str] = ("lastStatus", "exitCode", "reason")) -> list[tuple[Any, ...]]:
    """Of each container, in the order of the definition."""
    return [tuple(container.get(name) for name in names) for container in task["containers"]]
