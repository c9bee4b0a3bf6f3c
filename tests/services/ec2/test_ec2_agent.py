"""Why an agent cannot register is said where the real agent says it."""

from __future__ import annotations

from typing import Any

from tests.emulator_process import wait_until
from tests.services.ec2.yard import AGENT_POLICY, PARAMETER, Yard

CONFIGURED = "echo ECS_CLUSTER=yard >> /etc/ecs/ecs.config"
READS_LOG = "(until grep -q 'Unable to register' /var/log/ecs/ecs-agent.log; do sleep 0.05; done; echo in-the-log) &"


def test_without_a_role(yard: Yard) -> None:
    instance = yard.launch(f"{CONFIGURED}\n{READS_LOG}", ImageId=yard.image(PARAMETER))
    console = yard.until_printed(instance, "in-the-log")
    assert "level=error" in console
    assert 'msg="Unable to register as a container instance with ECS" error="NoCredentialProviders: no valid' in console


def test_with_a_role_that_may_not(yard: Yard) -> None:
    yard.aws("ecs").create_cluster(clusterName="yard")
    profile = yard.profile("machines", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    instance = yard.launch(CONFIGURED, ImageId=yard.image(PARAMETER), IamInstanceProfile=profile)
    console = yard.until_printed(instance, "AccessDeniedException")
    role = f"arn:aws:sts::{yard.account}:assumed-role/machines/{instance}"
    cluster = f"arn:aws:ecs:us-east-1:{yard.account}:cluster/yard"
    assert (
        f"AccessDeniedException: User: {role} is not authorized to perform: ecs:RegisterContainerInstance on resource: "
        f"{cluster} because no identity-based policy allows the ecs:RegisterContainerInstance action"
    ) in console


def test_from_a_subnet_without_a_way_out(yard: Yard) -> None:
    vpc = yard.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = yard.ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    profile = yard.profile("machines", AGENT_POLICY)
    instance = yard.launch(CONFIGURED, ImageId=yard.image(PARAMETER), IamInstanceProfile=profile, SubnetId=subnet)
    console = yard.until_printed(instance, "Unable to register")
    assert 'Post \\"https://ecs.us-east-1.amazonaws.com/\\": dial tcp' in console and "i/o timeout" in console


def test_configuration_that_the_agent_cannot_use(yard: Yard) -> None:
    script = "echo 'ECS_INSTANCE_ATTRIBUTES={nonsense' >> /etc/ecs/ecs.config"
    instance = yard.launch(script, ImageId=yard.image(PARAMETER))
    assert "level=warn" in yard.until_printed(
        instance, "Invalid format for ECS_INSTANCE_ATTRIBUTES. Expected a json hash"
    )


def test_it_tries_again_and_again(yard: Yard) -> None:
    instance = yard.launch(CONFIGURED, ImageId=yard.image(PARAMETER))
    yard.until_printed(instance, "Registering Instance with ECS", 2)


def test_an_image_without_an_agent_has_none(yard: Yard) -> None:
    _, console = yard.booted("ls /var/log/ecs/; echo listed")
    assert "ecs-agent" not in console


def registered(yard: Yard, cluster: str) -> list[dict[str, Any]]:
    ecs = yard.aws("ecs")
    arns = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    if not arns:
        return []
    found = ecs.describe_container_instances(cluster=cluster, containerInstances=arns)["containerInstances"]
    return list(found)


def connected(yard: Yard, cluster: str) -> dict[str, Any]:
    """The one container instance of a cluster, when its agent is connected."""
    wait_until(lambda: [each["agentConnected"] for each in registered(yard, cluster)] == [True], "it is connected")
    return registered(yard, cluster)[0]


def test_it_registers_goes_and_comes_back_as_who_it_was(yard: Yard) -> None:
    yard.aws("ecs").create_cluster(clusterName="yard")
    script = f'{CONFIGURED}\necho \'ECS_INSTANCE_ATTRIBUTES={{"stack": "prod"}}\' >> /etc/ecs/ecs.config'
    profile = yard.profile("machines", AGENT_POLICY)
    instance = yard.launch(script, ImageId=yard.image(PARAMETER), IamInstanceProfile=profile, InstanceType="t3.small")
    first = connected(yard, "yard")
    assert first["ec2InstanceId"] == instance
    assert {each["name"]: each.get("integerValue") for each in first["registeredResources"]}["CPU"] == 2048
    assert {each["name"]: each.get("value") for each in first["attributes"]}["stack"] == "prod"
    words = f"Registration completed successfully. I am running as '{first['containerInstanceArn']}' in cluster 'yard'"
    assert words in yard.until_printed(instance, "Registration completed")
    yard.ec2.reboot_instances(InstanceIds=[instance])
    yard.until_printed(instance, "Registration completed", 2)
    assert connected(yard, "yard")["containerInstanceArn"] == first["containerInstanceArn"]
    yard.ec2.stop_instances(InstanceIds=[instance])
    yard.until(instance, "stopped")
    assert [each["agentConnected"] for each in registered(yard, "yard")] == [False]
    yard.ec2.start_instances(InstanceIds=[instance])
    assert connected(yard, "yard")["containerInstanceArn"] == first["containerInstanceArn"]
    yard.ec2.terminate_instances(InstanceIds=[instance])
    yard.until(instance, "terminated")
    assert registered(yard, "yard") == []


def test_without_configuration_it_makes_the_default_cluster(yard: Yard) -> None:
    yard.launch(ImageId=yard.image(PARAMETER), IamInstanceProfile=yard.profile("machines", AGENT_POLICY))
    wait_until(lambda: yard.aws("ecs").describe_clusters()["clusters"], "there is a default cluster")
    connected(yard, "default")


def test_a_cluster_that_comes_later(yard: Yard) -> None:
    profile = yard.profile("machines", AGENT_POLICY)
    instance = yard.launch(CONFIGURED, ImageId=yard.image(PARAMETER), IamInstanceProfile=profile)
    yard.until_printed(instance, "ClientException: Cluster not found.")
    yard.aws("ecs").create_cluster(clusterName="yard")
    assert connected(yard, "yard")["ec2InstanceId"] == instance


def test_deregistered_the_agent_ends(yard: Yard) -> None:
    yard.aws("ecs").create_cluster(clusterName="yard")
    profile = yard.profile("machines", AGENT_POLICY)
    instance = yard.launch(CONFIGURED, ImageId=yard.image(PARAMETER), IamInstanceProfile=profile)
    arn = connected(yard, "yard")["containerInstanceArn"]
    yard.aws("ecs").deregister_container_instance(cluster="yard", containerInstance=arn)
    yard.until_printed(instance, "Agent will terminally exit")
    assert yard.state(instance) == "running"
