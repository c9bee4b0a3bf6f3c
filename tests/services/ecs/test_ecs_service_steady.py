"""When a service says that it is steady again."""

from __future__ import annotations

from tests.emulator_process import wait_until
from tests.services.ecs.story import Story


def _events(story: Story) -> list[str]:
    service = story.ecs.describe_services(cluster=story.cluster, services=["web"])["services"][0]
    return [event["message"].partition(") ")[2].partition(":")[0] for event in reversed(service["events"])]


def test_it_says_so_after_a_scale_in_too(story: Story) -> None:
    definition = story.register({"command": ["sleep", "300"], "stopTimeout": 2})
    story.ecs.create_service(
        cluster=story.cluster, serviceName="web", taskDefinition=definition, desiredCount=2, launchType="FARGATE",
        networkConfiguration=story.network,
    )  # fmt: skip
    steady = "has reached a steady state."
    wait_until(lambda: _events(story)[-1:] == [steady], "it is steady", lambda: _events(story))
    story.ecs.update_service(cluster=story.cluster, service="web", desiredCount=1)
    wait_until(
        lambda: _events(story)[-2:] == ["has stopped 1 running tasks", steady], "it is again", lambda: _events(story)
    )
