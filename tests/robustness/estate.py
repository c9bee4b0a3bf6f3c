"""Random changes to an account, and what of them was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.services.ecs.story import IMAGE, trust

SERVICES = ("iam", "logs", "ecs", "ec2", "s3", "ssm")
Clients = dict[str, Any]


class Estate:
    """Makes and deletes things at random. ``made[kind]`` is what must be there, ``unsure[kind]`` what a request was
    about whose answer never came."""

    def __init__(self, clients: Clients, random_: random.Random) -> None:
        self.clients, self.random = clients, random_
        self.made: dict[str, dict[str, Any]] = {}
        self.unsure: dict[str, set[str]] = {}
        self.markers: dict[str, str] = {}
        """Task ARN -> the argument by which its process is known"""
        self.every_marker: list[str] = []
        self._number = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.faults: list[str] = []

    def found(self) -> None:
        """What the changes need: done once, before the first of them."""
        c = self.clients
        c["ecs"].create_cluster(clusterName="yard")
        c["iam"].create_role(RoleName="first", AssumeRolePolicyDocument=trust("ecs-tasks.amazonaws.com"))
        c["s3"].create_bucket(Bucket="bucket")
        c["logs"].create_log_group(logGroupName="/events")
        c["logs"].create_log_stream(logGroupName="/events", logStreamName="s")
        vpc = c["ec2"].describe_vpcs()["Vpcs"][0]
        self.vpc = vpc["VpcId"]
        self.subnet = c["ec2"].describe_subnets()["Subnets"][0]["SubnetId"]
        self.base_subnets = len(c["ec2"].describe_subnets()["Subnets"])

    # -- the changes
    def _name(self) -> str:
        self._number += 1
        return f"n{self._number:05}"

    def _sure(self, kind: str, name: str, value: Any, call: Callable[[], Any]) -> Any:
        """Make something; while the answer is out it is unsure whether it is there."""
        self.unsure.setdefault(kind, set()).add(name)
        answer = call()
        self.unsure[kind].discard(name)
        self.made.setdefault(kind, {})[name] = value
        return answer

    def _gone(self, kind: str, call: Callable[[str], Any]) -> None:
        if not (names := list(self.made.get(kind, {}))):
            return
        name = self.random.choice(names)
        self.unsure.setdefault(kind, set()).add(name)
        del self.made[kind][name]
        call(name)
        self.unsure[kind].discard(name)

    def role(self) -> None:
        name = self._name()
        document = trust("ecs-tasks.amazonaws.com")
        self._sure("role", name, "", lambda: self.clients["iam"].create_role(
            RoleName=name, AssumeRolePolicyDocument=document))  # fmt: skip

    def no_role(self) -> None:
        self._gone("role", lambda name: self.clients["iam"].delete_role(RoleName=name))

    def group(self) -> None:
        name = self._name()
        self._sure("group", name, "", lambda: self.clients["logs"].create_log_group(logGroupName=name))

    def no_group(self) -> None:
        self._gone("group", lambda name: self.clients["logs"].delete_log_group(logGroupName=name))

    def events(self) -> None:
        name = self._name()
        batch = [{"timestamp": int(time.time() * 1000), "message": f"{name}-{i}"} for i in range(5)]
        self._sure("event", name, "", lambda: self.clients["logs"].put_log_events(
            logGroupName="/events", logStreamName="s", logEvents=batch))  # fmt: skip

    def cluster(self) -> None:
        name = self._name()
        self._sure("cluster", name, "", lambda: self.clients["ecs"].create_cluster(clusterName=name))

    def _register(self, name: str, command: list[str]) -> str:
        container = {"name": "c", "image": IMAGE, "command": command, "stopTimeout": 2}
        answer = self._sure("definition", name, "", lambda: self.clients["ecs"].register_task_definition(
            family=name, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
            containerDefinitions=[container]))  # fmt: skip
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def definition(self) -> None:
        self._register(self._name(), ["true"])

    def task(self) -> None:
        name = self._name()
        marker = f"300.{self.random.randrange(10**9):09}"
        self.every_marker.append(marker)
        definition = self._register(name, ["sleep", marker])
        network = {"awsvpcConfiguration": {"subnets": [self.subnet], "assignPublicIp": "ENABLED"}}
        answer = self.clients["ecs"].run_task(
            cluster="yard", taskDefinition=definition, launchType="FARGATE", networkConfiguration=network
        )
        self.markers[answer["tasks"][0]["taskArn"]] = marker

    def security_group(self) -> None:
        name = self._name()
        self._sure("security group", name, "", lambda: self.clients["ec2"].create_security_group(
            GroupName=name, Description=name, VpcId=self.vpc))  # fmt: skip

    def objects(self) -> None:
        name = self._name()
        size = self.random.choice([10, 1000, 100_000])
        self._sure("object", name, size, lambda: self.clients["s3"].put_object(
            Bucket="bucket", Key=name, Body=name.encode() * (size // len(name))))  # fmt: skip

    def parameter(self) -> None:
        name = self._name()
        self._sure(
            "parameter", name, "", lambda: self.clients["ssm"].put_parameter(Name=name, Value=name, Type="String")
        )

    def no_parameter(self) -> None:
        self._gone("parameter", lambda name: self.clients["ssm"].delete_parameter(Name=name))

    # -- the thread
    def begin(self) -> None:
        """Change things until the emulator does not answer any more."""
        changes = [self.role, self.no_role, self.group, self.no_group, self.events, self.cluster, self.definition, self.task,
                   self.task, self.task, self.security_group, self.objects, self.parameter, self.no_parameter]  # fmt: skip

        def work() -> None:
            while not self._ended.is_set():
                try:
                    self.random.choice(changes)()
                except BotoCoreError:
                    return  # it is dead, as it should be
                except KeyError:
                    self._cut_off()
                    return
                except ClientError as error:
                    self.faults.append(str(error))
                    return

        self._ended.clear()
        self._thread = threading.Thread(target=work, name="mutations")
        self._thread.start()

    def _cut_off(self) -> None:
        """An answer without its body: right only if the emulator died while it sent it."""
        try:
            self.clients["ecs"].list_clusters()
        except BotoCoreError:
            return
        self.faults.append("an answer had no body although the emulator lives")

    def end(self) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join(30)
        assert not self._thread.is_alive()

    # -- what is there
    def present(self) -> dict[str, set[str]]:
        """By kind, the names of what the emulator tells of."""
        c = self.clients
        messages = _all_events(c["logs"])
        return {
            "role": _names(c["iam"], "list_roles", "Roles", "RoleName"),
            "group": _names(c["logs"], "describe_log_groups", "logGroups", "logGroupName"),
            "event": {m.partition("-")[0] for m in messages if f"{m.partition('-')[0]}-4" in messages},
            "cluster": {arn.rpartition("/")[2] for arn in _names(c["ecs"], "list_clusters", "clusterArns")},
            "definition": _names(c["ecs"], "list_task_definition_families", "families"),
            "security group": _names(c["ec2"], "describe_security_groups", "SecurityGroups", "GroupName"),
            "object": _names(c["s3"], "list_objects_v2", "Contents", "Key", Bucket="bucket"),
            "parameter": _names(c["ssm"], "describe_parameters", "Parameters", "Name"),
        }

    def differences(self) -> list[str]:
        """What was acknowledged and is not there, or deleted and is."""
        wrong = []
        for kind, there in self.present().items():
            made, unsure = set(self.made.get(kind, {})), self.unsure.get(kind, set())
            wrong += [f"{kind} {name} is lost" for name in sorted(made - there - unsure)]
            ours = {name for name in there if name.startswith("n") and name[1:].isdigit()}
            wrong += [f"{kind} {name} should not be there" for name in sorted(ours - made - unsure)]
        for name, size in list(self.made.get("object", {}).items())[-3:]:
            body = self.clients["s3"].get_object(Bucket="bucket", Key=name)["Body"].read()
            if body != name.encode() * (size // len(name)):
                wrong.append(f"object {name} has another body")
        return wrong


def _names(client: Any, operation: str, member: str, name: str = "", **given: Any) -> set[str]:
    pages = client.get_paginator(operation).paginate(**given)
    return {item[name] if name else item for page in pages for item in page.get(member, [])}


def _all_events(logs: Any) -> set[str]:
    found: set[str] = set()
    token: dict[str, str] = {}
    while True:
        page = logs.get_log_events(logGroupName="/events", logStreamName="s", startFromHead=True, **token)
        if not page["events"]:
            return found
        found |= {event["message"] for event in page["events"]}
        token = {"nextToken": page["nextForwardToken"]}
