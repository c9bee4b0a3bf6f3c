"""A story with container instances: EC2 instances whose user data makes them join the cluster."""

from __future__ import annotations

import urllib.request
from typing import Any

from tests.emulator_process import wait_until
from tests.services.ecs.story import IMAGE, PYTHON, Clients, Story, ends_when_asked, trust

AMI = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
INSTANCE_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
JOIN = "#!/bin/bash\necho ECS_CLUSTER={} >> /etc/ecs/ecs.config\n"


SERVE = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.test(http.server.SimpleHTTPRequestHandler, http.server.ThreadingHTTPServer, port=80)
"""


class Instances(Story):
    """``instances`` are EC2 instance ids, in the order in which they were launched."""

    def __init__(self, aws: Clients, account: str) -> None:
        super().__init__(aws, account)
        self.ec2 = aws("ec2")
        self.instances: list[str] = []
        self._profile = ""
        self._group = ""

    @property
    def profile(self) -> str:
        """An instance profile whose role may register."""
        if not self._profile:
            iam = self.aws("iam")
            iam.create_role(RoleName="ecsInstanceRole", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
            iam.attach_role_policy(RoleName="ecsInstanceRole", PolicyArn=INSTANCE_POLICY)
            iam.create_instance_profile(InstanceProfileName="ecsInstanceRole")
            iam.add_role_to_instance_profile(InstanceProfileName="ecsInstanceRole", RoleName="ecsInstanceRole")
            self._profile = "ecsInstanceRole"
        return self._profile

    @property
    def group(self) -> str:
        """A security group that admits everybody."""
        if not self._group:
            self._group = self.ec2.create_security_group(GroupName="open", Description="open")["GroupId"]
            everything = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            self.ec2.authorize_security_group_ingress(GroupId=self._group, IpPermissions=[everything])
        return self._group

    def launch(self, count: int = 1, **given: Any) -> list[str]:
        """Instances in the subnets in turn; the ARNs of the container instances they became, once they are connected."""
        known = set(self.registered())
        subnets = [subnet["SubnetId"] for subnet in self.ec2.describe_subnets()["Subnets"]]
        ami = self.aws("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
        base = {
            "ImageId": ami, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1,
            "SecurityGroupIds": [self.group], "IamInstanceProfile": {"Name": self.profile},
            "UserData": JOIN.format(self.cluster),
        }  # fmt: skip
        for _ in range(count):
            subnet = subnets[len(self.instances) % len(subnets)]
            made = self.ec2.run_instances(**(base | {"SubnetId": subnet} | given))["Instances"][0]
            self.instances.append(made["InstanceId"])
        fresh = set(self.instances[-count:])

        def joined() -> list[str]:
            mine = [one for one in self.described() if one["ec2InstanceId"] in fresh]
            mine.sort(key=lambda one: self.instances.index(one["ec2InstanceId"]))  # they join in any order
            arns = [one["containerInstanceArn"] for one in mine]
            return arns if len(arns) == count and set(arns) <= set(self.connected()) else []

        wait_until(joined, "the instances have joined", self.consoles)
        return [arn for arn in joined() if arn not in known]

    def registered(self) -> list[str]:
        return list(self.ecs.list_container_instances(cluster=self.cluster)["containerInstanceArns"])

    def connected(self) -> list[str]:
        return [each["containerInstanceArn"] for each in self.described() if each["agentConnected"]]

    def described(self) -> list[dict[str, Any]]:
        arns = self.registered()
        if not arns:
            return []
        found = self.ecs.describe_container_instances(cluster=self.cluster, containerInstances=arns)
        return list(found["containerInstances"])

    def instance(self, arn: str) -> dict[str, Any]:
        found = self.ecs.describe_container_instances(cluster=self.cluster, containerInstances=[arn])
        return dict(found["containerInstances"][0])

    def consoles(self) -> str:
        """Of those that can still be described."""
        found = self.ec2.describe_instances()["Reservations"]
        ids = [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]
        return "\n".join(self.ec2.get_console_output(InstanceId=one).get("Output", "") for one in ids)

    def left(self, arn: str, kind: str = "remaining") -> dict[str, Any]:
        """CPU, MEMORY and PORTS that remain, or are ``registered``."""
        found = {}
        for resource in self.instance(arn)[f"{kind}Resources"]:
            found[resource["name"]] = resource.get("stringSetValue", resource["integerValue"])
        return found

    def definition(self, family: str, *containers: dict[str, Any], **given: Any) -> str:
        """For instances: in bridge mode unless asked otherwise."""
        base = {"image": IMAGE, "memory": 64, "command": ends_when_asked(), "stopTimeout": 5}
        filled = [{"name": f"c{number}"} | base | one for number, one in enumerate(containers or ({},))]
        made = self.ecs.register_task_definition(family=family, containerDefinitions=filled, **given)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def web(self, family: str = "web", host_port: int = 0, **given: Any) -> str:
        """A definition of a web server on port 80."""
        serve = {"image": PYTHON, "command": ["python", "-c", SERVE]}
        return self.definition(family, serve | {"portMappings": [{"containerPort": 80, "hostPort": host_port}]} | given)

    def place(self, definition: str, count: int = 1, **given: Any) -> tuple[list[str], list[str]]:
        """RunTask on instances: (ARNs of the tasks, reasons of the failures)."""
        answer = self.ecs.run_task(cluster=self.cluster, taskDefinition=definition, count=count, **given)
        return [task["taskArn"] for task in answer["tasks"]], [each["reason"] for each in answer["failures"]]

    def service(self, name: str, definition: str, count: int | None = 1, **given: Any) -> None:
        """One on instances."""
        desired = {} if count is None else {"desiredCount": count}
        base = {"cluster": self.cluster, "launchType": "EC2", **desired}
        self.ecs.create_service(**(base | {"serviceName": name, "taskDefinition": definition} | given))

    def told(self, name: str) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster=self.cluster, services=[name])["services"][0])

    def events(self, name: str) -> list[str]:
        """Oldest first."""
        return [event["message"] for event in reversed(self.told(name)["events"])]

    def steady(self, name: str) -> dict[str, Any]:
        """The service when its one deployment has completed with all tasks running."""

        def there() -> bool:
            found = self.told(name)
            rolled = [each["rolloutState"] for each in found["deployments"]] == ["COMPLETED"]
            return rolled and found["runningCount"] == found["desiredCount"] and not found["pendingCount"]

        wait_until(there, f"{name} is steady", lambda: self.events(name))
        return self.told(name)

    def on(self, name: str) -> list[str]:
        """The container instance of each task of a service."""
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=name)["taskArns"]
        if not arns:
            return []
        tasks = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"]
        return [task["containerInstanceArn"] for task in tasks]

    def address(self, arn: str) -> str:
        """The public one of a container instance's machine."""
        found = self.ec2.describe_instances(InstanceIds=[self.instance(arn)["ec2InstanceId"]])
        return str(found["Reservations"][0]["Instances"][0]["PublicIpAddress"])


def answers(url: str) -> int:
    """The HTTP status, as soon as something answers."""
    last: list[str] = []

    def ask() -> int:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except OSError as error:
            last[:] = [str(error)]
            return 0

    return int(wait_until(ask, f"{url} answers", lambda: last))
