"""The awslogs driver: a container's lines in a log stream, under the task's execution role."""

from __future__ import annotations

from typing import Any

from tests.services.ecs.story import PYTHON, Story, id_of

ECHO = {"command": ["echo", "hello"]}


def run_logging(story: Story, role: str, container: dict[str, Any] = ECHO, **options: str) -> dict[str, Any]:
    filled = {**container, "logConfiguration": story.logging(**options)}
    return story.stopped(story.run(story.register(filled, executionRoleArn=role)))


def test_lines_come_in_order_and_in_whole(tier_story: Story) -> None:
    count = 3000
    task, lines = tier_story.logged(
        {"image": PYTHON, "command": ["python", "-c", f"for i in range({count}): print(i)"]}
    )
    assert task["containers"][0]["exitCode"] == 0
    found: list[str] = []
    stream = f"p/c0/{id_of(task['taskArn'])}"
    token: dict[str, str] = {}
    while True:
        page = tier_story.aws("logs").get_log_events(
            logGroupName="/yard", logStreamName=stream, startFromHead=True, **token
        )
        if not page["events"]:
            break
        found += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}
    assert found == [str(number) for number in range(count)]
    assert lines == found[: len(lines)]


def test_both_outputs_and_a_last_line_without_its_end(tier_story: Story) -> None:
    """Each in its own order; between the two there is none that could be kept."""
    _, lines = tier_story.logged({"command": ["sh", "-c", "echo out; echo err >&2; printf 'end'"]})
    assert sorted(lines) == ["end", "err", "out"] and lines.index("out") < lines.index("end")


def test_letters_of_all_kinds_and_empty_lines(story: Story) -> None:
    _, lines = story.logged({"command": ["sh", "-c", "echo 'größer ☃'; echo; printf '\\377x\\n'; echo '  indented'"]})
    assert lines == ["größer ☃", "\ufffdx", "  indented"]


def test_times_are_lab_time_and_go_up(story: Story) -> None:
    task, _ = story.logged({"command": ["sh", "-c", "echo a; sleep 0.2; echo b"]})
    stream = f"p/c0/{id_of(task['taskArn'])}"
    events = story.aws("logs").get_log_events(logGroupName="/yard", logStreamName=stream, startFromHead=True)["events"]
    first, second = (event["timestamp"] / 1000 for event in events)
    assert second - first >= 10, "0.2 s at a hundred times"
    assert task["startedAt"].timestamp() - 60 <= first <= task["stoppedAt"].timestamp()


def test_every_container_has_its_stream(story: Story) -> None:
    story.aws("logs").create_log_group(logGroupName="/yard")
    role = story.execution_role()
    side = {"command": ["echo", "side"], "logConfiguration": story.logging(), "essential": False}
    main = {"command": ["sh", "-c", "sleep 0.3; echo main"], "logConfiguration": story.logging()}
    task = story.outcome(main, side, executionRoleArn=role)
    for number, line in enumerate(("main", "side")):
        assert story.lines(f"p/c{number}/{id_of(task['taskArn'])}") == [line]


def test_a_group_that_is_not_there(tier_story: Story) -> None:
    task = run_logging(tier_story, tier_story.execution_role())
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args: ")
    assert "ResourceNotFoundException: The specified log group does not exist." in task["stoppedReason"]
    assert "startedAt" not in task


def test_the_group_is_made_if_the_role_may(story: Story) -> None:
    role = story.role("maker", Action=["logs:*"], Resource="*")
    task = run_logging(story, role, **{"awslogs-create-group": "true"})
    assert task["containers"][0]["exitCode"] == 0
    assert story.lines(f"p/c0/{id_of(task['taskArn'])}") == ["hello"]
    again = run_logging(story, role, **{"awslogs-create-group": "true"})
    assert again["containers"][0]["exitCode"] == 0


def test_the_group_is_not_made_if_the_role_may_not(story: Story) -> None:
    task = run_logging(story, story.execution_role(), **{"awslogs-create-group": "true"})
    reason = task["stoppedReason"]
    assert reason.startswith("ResourceInitializationError: ")
    assert "AccessDeniedException" in reason
    assert "is not authorized to perform: logs:CreateLogGroup on resource:" in reason
    assert story.aws("logs").describe_log_groups()["logGroups"] == []


def test_an_execution_role_that_may_do_nothing(story: Story, account: str) -> None:
    story.aws("logs").create_log_group(logGroupName="/yard")
    task = run_logging(story, story.role("powerless"))
    who = f"User: arn:aws:sts::{account}:assumed-role/powerless/{id_of(task['taskArn'])}"
    what = "is not authorized to perform: logs:CreateLogStream on resource: "
    where = f"arn:aws:logs:us-east-1:{account}:log-group:/yard:log-stream:p/c0/{id_of(task['taskArn'])}"
    why = "because no identity-based policy allows the logs:CreateLogStream action"
    assert f"AccessDeniedException: {who} {what}{where} {why}" in task["stoppedReason"]
    assert story.aws("logs").describe_log_streams(logGroupName="/yard")["logStreams"] == []


def test_the_policy_of_the_course_is_enough(story: Story) -> None:
    story.aws("logs").create_log_group(logGroupName="/yard")
    role = story.role("managed")
    story.aws("iam").attach_role_policy(
        RoleName="managed", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    )
    task = run_logging(story, role)
    assert story.lines(f"p/c0/{id_of(task['taskArn'])}") == ["hello"]


def test_a_group_deleted_meanwhile_does_not_hurt_the_task(story: Story) -> None:
    story.aws("logs").create_log_group(logGroupName="/yard")
    container = {"command": ["sh", "-c", "while :; do echo x; sleep 0.05; done"], "stopTimeout": 2,
                 "logConfiguration": story.logging()}  # fmt: skip
    arn = story.run(story.register(container, executionRoleArn=story.execution_role()))
    story.until(arn)
    story.aws("logs").delete_log_group(logGroupName="/yard")
    assert story.describe(arn)["lastStatus"] == "RUNNING"
    assert story.stop(arn)["stopCode"] == "UserInitiated"
