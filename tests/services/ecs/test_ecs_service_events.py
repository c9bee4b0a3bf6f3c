"""A service says that it is steady again after each change of its count."""

from __future__ import annotations

from typing import Any

from tests.emulator_process import wait_until
from tests.services.ecs.story import Story


def test_it_is_steady_again_after_scaling_out_and_in(story: Story) -> None:
    ecs = story.ecs

    def messages() -> list[str]:
        events = ecs.describe_services(cluster=story.cluster, services=["web"])["services"][0]["events"]
        return [event["message"].replace("(service web) ", "") for event in reversed(events)]

    def steady_times(count: int) -> Any:
        return wait_until(lambda: messages().count("has reached a steady state.") == count, "it is steady", messages)

    definition = story.register({"command": ["sleep", "300"]})
    ecs.create_service(
        cluster=story.cluster, serviceName="web", taskDefinition=definition, desiredCount=1, launchType="FARGATE",
        networkConfiguration=story.network,
    )  # fmt: skip
    steady_times(1)
    ecs.update_service(cluster=story.cluster, service="web", desiredCount=2)
    steady_times(2)
    ecs.update_service(cluster=story.cluster, service="web", desiredCount=1)
    steady_times(3)
    assert messages()[-2].startswith("has stopped 1 running tasks: (task ")
