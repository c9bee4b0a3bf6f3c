"""Targets come and go under constant requests, and none is lost; instances are targets too."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from tests.emulator_process import wait_until
from tests.services.elbv2.story import ECHO, Balanced

ROUNDS = 3


class Callers:
    """Ask without pause, each on a new connection, and note what they are answered."""

    def __init__(self, web: Balanced, count: int = 4) -> None:
        self.told: Counter[Any] = Counter()
        self._web, self._ended = web, threading.Event()
        self._url = web.endpoint()["url"]
        self._threads = [threading.Thread(target=self._call) for _ in range(count)]

    def _call(self) -> None:
        while not self._ended.is_set():
            try:
                status, told, _ = self._web.ask("/work", url=self._url)
                self.told[status, told["name"] if status == 200 else told] += 1
            except OSError as error:
                self.told[type(error).__name__, str(error)] += 1

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def test_a_rolling_deployment_loses_no_request(web: Balanced) -> None:
    web.opened().made()
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}]
    web.elb.modify_target_group_attributes(TargetGroupArn=web.group, Attributes=delay)
    task, address = web.task("0")
    web.register(address)
    web.active().until("healthy")
    with Callers(web) as callers:
        for number in range(1, ROUNDS + 1):
            new, new_address = web.task(str(number))
            web.register(new_address)
            wait_until(lambda: [h[0] for h in web.health()] == ["healthy"] * 2, "both are healthy", web.health)
            before = callers.told[200, str(number)]
            wait_until(lambda n=number, b=before: callers.told[200, str(n)] > b, "the new one answers")
            web.elb.deregister_targets(TargetGroupArn=web.group, Targets=[{"Id": address}])
            wait_until(lambda: len(web.health()) == 1, "the old one has drained", web.health)
            web.ecs.stop(task)
            task, address = new, new_address
    assert {key[0] for key in callers.told} == {200}, callers.told
    assert {key[1] for key in callers.told} == {str(number) for number in range(ROUNDS + 1)}
    assert sum(callers.told.values()) > 300


def test_rules_that_change_under_load_lose_no_request(web: Balanced) -> None:
    """Weights are shifted from one group to another, twenty times."""
    web.opened().made()
    green = web.target_group("green")
    web.register(web.task("blue")[1])
    web.register(web.task("green")[1], green)
    web.active().until("healthy")
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": []}}
    with Callers(web) as callers:
        for step in range(21):
            weights = ((web.group, 20 - step), (green, step))
            groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
            action["ForwardConfig"] = {"TargetGroups": groups}
            web.elb.modify_listener(ListenerArn=web.listener, DefaultActions=[action])
            if step == 0:
                web.until("healthy", group=green)
    assert {key[0] for key in callers.told} == {200}, callers.told
    assert {web.ask()[1]["name"] for _ in range(5)} == {"green"}


def test_an_instance_is_a_target(web: Balanced) -> None:
    web.opened().made()
    group = web.target_group("machines", TargetType="instance")
    web.elb.modify_listener(ListenerArn=web.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    script = f"#!/bin/sh\ncat > /srv.py <<'EOF'\n{ECHO}\nEOF\npython3 /srv.py machine 8000 &\n"
    images = web.aws("ssm").get_parameters(
        Names=["/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"]
    )["Parameters"]
    made = web.ec2.run_instances(
        ImageId=images[0]["Value"], InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=script,
        SubnetId=web.subnets[0]["SubnetId"], SecurityGroupIds=[web.back],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    web.register(made, group)
    web.active()
    web.until("healthy", group=group)
    assert web.ask()[1]["name"] == "machine"
    web.ec2.stop_instances(InstanceIds=[made])
    web.until("unused", "Target.InvalidState", group=group)
    assert web.health(group)[0][2] == "Target is in the stopped state"
    web.ec2.terminate_instances(InstanceIds=[made])
