"""What the tests of instances need again and again: an image, a role, an instance brought to a state, its console."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from tests.emulator_process import wait_until
from tests.services.ecs.story import trust

PARAMETER = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
PLAIN_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
AGENT_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
Clients = Callable[..., Any]


class Yard:
    """One account's instances."""

    def __init__(self, aws: Clients, account: str) -> None:
        self.aws, self.account = aws, account
        self.ec2 = aws("ec2")
        self._images: dict[str, str] = {}

    def image(self, parameter: str = PLAIN_PARAMETER) -> str:
        """The id behind a public parameter."""
        if parameter not in self._images:
            self._images[parameter] = self.aws("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
        return self._images[parameter]

    def profile(self, name: str = "machines", *policies: str) -> dict[str, str]:
        """An instance profile with a role of the same name."""
        iam = self.aws("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
        for policy in policies:
            iam.attach_role_policy(RoleName=name, PolicyArn=policy)
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return {"Name": name}

    def launch(self, script: str = "", **given: Any) -> str:
        """One instance with a script for its user data; its id."""
        base: dict[str, Any] = {"ImageId": "", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        if script:
            base["UserData"] = script if script.startswith(("#", "MIME")) else f"#!/bin/bash\n{script}\n"
        asked = base | given
        asked["ImageId"] = asked["ImageId"] or self.image()
        return str(self.ec2.run_instances(**asked)["Instances"][0]["InstanceId"])

    def describe(self, instance: str) -> dict[str, Any]:
        return dict(self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0])

    def state(self, instance: str) -> str:
        return str(self.describe(instance)["State"]["Name"])

    def until(self, instance: str, state: str = "running") -> dict[str, Any]:
        """Its description when it has come to ``state``."""
        wait_until(lambda: self.state(instance) == state, f"{instance} is {state}", lambda: self.story(instance))
        return self.describe(instance)

    def console(self, instance: str) -> str:
        """All of the latest output."""
        output = self.ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")
        return str(output).replace("\r\n", "\n")

    def until_printed(self, instance: str, text: str, times: int = 1) -> str:
        """Its console when ``text`` stands in it so often."""
        wait_until(
            lambda: len(re.findall(text, self.console(instance))) >= times,
            f"it printed {text}",
            lambda: self.story(instance),
        )
        return self.console(instance)

    def booted(self, script: str = "", **given: Any) -> tuple[str, str]:
        """(id, console) of a new instance whose user data is done."""
        instance = self.launch(script, **given)
        self.until(instance)
        return instance, self.until_printed(instance, "login:")

    def story(self, instance: str) -> str:
        return f"{self.describe(instance)}\n{self.console(instance)}"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
