"""Why an agent cannot register is said where the real agent says it."""

from __future__ import annotations

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
